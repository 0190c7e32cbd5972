// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Signals and threads: a directed one reaches its thread, one for the process any thread that does not block it;
// masks are a thread's own.
#include "testing.h"
#include <pthread.h>

static pid_t taken_by;
static volatile int taken;
static volatile pid_t other;
static struct gate ready, stop;

static void handler(int signal) {
    (void)signal;
    __atomic_store_n(&taken_by, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&taken, 1, __ATOMIC_SEQ_CST);
}

static void block(int how, int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(how, &set, NULL);
}

static void *listen(void *argument) {
    (void)argument;
    other = (pid_t)syscall(SYS_gettid);
    block(SIG_UNBLOCK, SIGUSR1);
    gate_raise(&ready);
    gate_wait(&stop);
    return NULL;
}

static void await_taken(int wanted) {
    for (int i = 0; i < 1000 && taken < wanted; i++) {
        sleep_ms(5);
    }
}

static void *inherit(void *argument) {
    (void)argument;
    sigset_t set, pending;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    sigpending(&pending);
    return (void *)(intptr_t)(sigismember(&set, SIGHUP) | sigismember(&pending, SIGHUP) << 1);
}

int main(void) {
    ready = gate_create();
    stop = gate_create();
    signal(SIGUSR1, handler);
    signal(SIGHUP, handler);
    pthread_t thread;
    block(SIG_BLOCK, SIGUSR1);
    pthread_create(&thread, NULL, listen, NULL);
    gate_wait(&ready);
    kill(getpid(), SIGUSR1);
    await_taken(1);
    say_bool("one for the process goes to the thread that does not block it", taken_by == other && taken == 1);
    syscall(SYS_tgkill, getpid(), other, SIGUSR1);
    await_taken(2);
    say_bool("one for the other thread goes there", taken_by == other && taken == 2);
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
    sleep_ms(20);
    say("one for the blocked thread stays", "%d taken", taken);
    sigset_t pending;
    sigpending(&pending);
    say_bool("it is pending there", sigismember(&pending, SIGUSR1));
    block(SIG_UNBLOCK, SIGUSR1);
    say_bool("unblocking delivers it", taken == 3 && taken_by == getpid());
    gate_raise(&stop);
    pthread_join(thread, NULL);

    block(SIG_BLOCK, SIGHUP);
    raise(SIGHUP);
    void *result;
    pthread_create(&thread, NULL, inherit, NULL);
    pthread_join(thread, &result);
    say("a new thread inherits the mask and not what is pending", "%d", (int)(intptr_t)result);
    pid_t pid = fork();
    if (pid == 0) {
        _exit((int)(intptr_t)inherit(NULL));
    }
    say("a new process does so too", "%s", status_text(reap(pid)));
    say_call("tgkill of a thread that has ended", syscall(SYS_tgkill, getpid(), other, 0));
    return 0;
}
