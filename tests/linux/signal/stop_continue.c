// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Stopping and continuing: who is told, what SIGCONT discards, SIGKILL of a stopped process, handlers for SIGCONT,
// orphaned groups.
#include "testing.h"

static struct gate ready, go;
static volatile int chld, cont;

static void count_chld(int signal) {
    (void)signal;
    chld++;
}

static void count_cont(int signal) {
    (void)signal;
    cont++;
}

static int wait_forever(void) {
    gate_raise(&ready);
    for (;;) {
        pause();
    }
    return 0;
}

static int in_own_group(void) {
    setpgid(0, 0);
    return wait_forever();
}

// Blocked outside sigsuspend: the handler must not run between the look at the counter and the wait.
static int handle_cont(void) {
    sigset_t set, none;
    sigemptyset(&none);
    sigemptyset(&set);
    sigaddset(&set, SIGCONT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGCONT, count_cont);
    gate_raise(&ready);
    while (!cont) {
        sigsuspend(&none);
    }
    return 10 + cont;
}

static int block_stop_signals(void) {
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    sigaddset(&set, SIGCONT);
    setpgid(0, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGTSTP);
    sigpending(&pending);
    int result = sigismember(&pending, SIGTSTP) ? 1 : 0;
    kill(getpid(), SIGCONT);
    sigpending(&pending);
    result |= sigismember(&pending, SIGTSTP) ? 2 : 0;
    result |= sigismember(&pending, SIGCONT) ? 4 : 0;
    kill(getpid(), SIGTSTP);
    sigpending(&pending);
    result |= sigismember(&pending, SIGTSTP) ? 8 : 0;
    result |= sigismember(&pending, SIGCONT) ? 16 : 0;
    return result;
}

static int blocked_cont_continues(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCONT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGSTOP);
    return 5;
}

static void stop_and_continue(void) {
    int status = 0;
    pid_t pid = spawn(in_own_group);
    gate_wait(&ready);
    kill(pid, SIGTSTP);
    waitpid(pid, &status, WUNTRACED);
    say("SIGTSTP of a group that is not orphaned", "%s", status_text(status));
    say("state", "%c", process_state(pid));
    kill(pid, SIGUSR1);
    say_call("a signal does not wake a stopped process", waitpid(pid, &status, WNOHANG));
    kill(pid, SIGCONT);
    waitpid(pid, &status, 0);
    say("it acts after SIGCONT", "%s", status_text(status));

    pid = spawn(wait_forever);
    gate_wait(&ready);
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGKILL);
    say("SIGKILL of a stopped process", "%s", status_text(reap(pid)));

    pid = spawn(handle_cont);
    gate_wait(&ready);
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    say("stopped", "%s", status_text(status));
    kill(pid, SIGCONT);
    say("its handler for SIGCONT ran", "%s", status_text(reap(pid)));
}

static void notices(void) {
    int status = 0;
    struct sigaction action = {.sa_handler = count_chld};
    sigaction(SIGCHLD, &action, NULL);
    pid_t pid = spawn(in_own_group);
    gate_wait(&ready);
    chld = 0;
    kill(pid, SIGSTOP);
    while (waitpid(pid, &status, WUNTRACED) == -1) {}
    // Neither kernel promises that the signal is there before the stop can be waited for.
    for (int i = 0; i < 2000 && chld == 0; i++) {
        sleep_ms(1);
    }
    say("SIGCHLD for a stop", "%d", chld);
    kill(pid, SIGKILL);
    reap(pid);
    action.sa_flags = SA_NOCLDSTOP;
    sigaction(SIGCHLD, &action, NULL);
    pid = spawn(in_own_group);
    gate_wait(&ready);
    chld = 0;
    kill(pid, SIGSTOP);
    while (waitpid(pid, &status, WUNTRACED) == -1) {}
    sleep_ms(20);
    say("SIGCHLD for a stop with SA_NOCLDSTOP", "%d", chld);
    kill(pid, SIGKILL);
    reap(pid);
    say("SIGCHLD for the end", "%d", chld);
    signal(SIGCHLD, SIG_DFL);
}

static int sleeper(void) {
    gate_raise(&ready);
    struct timespec time = {0, 200000000};
    return nanosleep(&time, NULL) == 0 ? 0 : 1;
}

static int reader(void) {
    char byte;
    gate_raise(&ready);
    return read(go.pipe[0], &byte, 1) == 1 ? 0 : 1;
}

static int poller(void) {
    struct pollfd wanted = {go.pipe[0], POLLIN, 0};
    gate_raise(&ready);
    return poll(&wanted, 1, 20000) == 1 ? 0 : 1;
}

static void undisturbed(const char *name, int (*function)(void)) {
    int status = 0;
    pid_t pid = spawn(function);
    gate_wait(&ready);
    await_blocked(pid);
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGCONT);
    sleep_ms(20);
    gate_raise(&go);
    say(name, "%s", status_text(reap(pid)));
}

int main(void) {
    ready = gate_create();
    go = gate_create();
    stop_and_continue();
    notices();
    say_child("stop and continue signals discard each other", block_stop_signals);
    int status = 0;
    pid_t pid = spawn(blocked_cont_continues);
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGCONT);
    say("SIGCONT continues even where it is blocked", "%s", status_text(reap(pid)));
    undisturbed("read goes on after stop and continue", reader);
    undisturbed("poll goes on after stop and continue", poller);
    char byte;
    fcntl(go.pipe[0], F_SETFL, O_NONBLOCK);
    read(go.pipe[0], &byte, 1);
    undisturbed("nanosleep goes on after stop and continue", sleeper);
    return 0;
}
