// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// SA_SIGINFO: what a handler learns of where its signal came from.
#include "testing.h"
#include <ucontext.h>

static siginfo_t seen;
static volatile int count;
static volatile bool context_is_plausible;

static void handler(int signal, siginfo_t *information, void *context) {
    ucontext_t *user = context;
    seen = *information;
    count++;
    context_is_plausible = signal == information->si_signo && user->uc_mcontext.gregs[REG_RSP] != 0;
}

static void show(const char *name, pid_t sender) {
    say(name, "%s code %d errno %d pid %s uid %d, %d taken", signal_name(seen.si_signo), seen.si_code, seen.si_errno,
        seen.si_pid == sender ? "right" : "wrong", (int)seen.si_uid, count);
    memset(&seen, 0, sizeof(seen));
    count = 0;
}

static int child_kills(void) {
    return kill(getppid(), SIGUSR1);
}

static int leaves(void) {
    return 9;
}

static int is_killed(void) {
    return raise(SIGKILL);
}

static void show_child(const char *name, pid_t pid) {
    while (count == 0) {
        sleep_ms(5);
    }
    say(name, "code %d status %d pid %s", seen.si_code, seen.si_status, seen.si_pid == pid ? "right" : "wrong");
    count = 0;
}

static int stops(void) {
    raise(SIGSTOP);
    return 0;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGRTMIN, &action, NULL);
    kill(getpid(), SIGUSR1);
    show("kill", getpid());
    say_bool("context", context_is_plausible);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    show("tgkill", getpid());
    syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1);
    show("tkill", getpid());
    union sigval value = {.sival_int = 1234};
    sigqueue(getpid(), SIGUSR1, value);
    say("sigqueue value", "%d", seen.si_value.sival_int);
    show("sigqueue", getpid());
    sigqueue(getpid(), SIGRTMIN, value);
    say("real-time value", "%d", seen.si_value.sival_int);
    count = 0;
    pid_t pid = spawn(child_kills);
    reap(pid);
    show("from a child", pid);

    siginfo_t forged;
    memset(&forged, 0, sizeof(forged));
    forged.si_signo = SIGUSR1;
    forged.si_code = SI_USER;
    say_call("forged as from kill, to oneself", syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &forged));
    say_call("forged as from kill, to another", syscall(SYS_rt_sigqueueinfo, getppid(), 0, &forged));
    forged.si_code = SI_QUEUE;
    say_call("null signal queued to another", syscall(SYS_rt_sigqueueinfo, getppid(), 0, &forged));
    count = 0;

    sigaction(SIGCHLD, &action, NULL);
    pid = spawn(leaves);
    show_child("child exits", pid);
    reap(pid);
    pid = spawn(is_killed);
    show_child("child is killed", pid);
    reap(pid);
    pid = spawn(stops);
    show_child("child stops", pid);
    kill(pid, SIGCONT);
    // The continuation and the exit may fold into one signal: only the end is certain.
    reap(pid);
    return 0;
}
