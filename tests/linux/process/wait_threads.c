// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Children belong to the thread that made them: __WNOTHREAD, the death signal when that thread ends, CLONE_PARENT; and siginfo of waits that fail.
#include "testing.h"

#include <pthread.h>
#include <sys/prctl.h>

static struct gate begun, ready, go;
static pid_t children[2];
static _Atomic pid_t maker_tid;

static int waits_for_death(void) {
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    gate_raise(&begun);
    sigwaitinfo(&set, &info);
    say("death signal when the thread ended", "code %d, from %s", info.si_code,
        info.si_pid == getppid() ? "the parent" : "another");
    return 7;
}

static int ends(void) {
    return 5;
}

static void *makes_children(void *unused) {
    (void)unused;
    maker_tid = (pid_t)syscall(SYS_gettid);
    children[0] = spawn(ends);
    siginfo_t info;
    waitid(P_PID, (id_t)children[0], &info, WEXITED | WNOWAIT);
    say_call("__WNOTHREAD of one's own", waitpid(-1, NULL, __WNOTHREAD | WNOHANG) == children[0] ? 0 : -1);
    children[0] = spawn(ends);
    waitid(P_PID, (id_t)children[0], &info, WEXITED | WNOWAIT);
    children[1] = spawn(waits_for_death);
    gate_wait(&begun);
    gate_raise(&ready);
    gate_wait(&go);
    return NULL;
}

static int grandchild_of(void) {
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);
    if (pid == 0) {
        _exit(9);
    }
    say_call("the one that made it has no child", waitpid(pid, NULL, 0));
    return 0;
}

int main(void) {
    pthread_t thread;
    siginfo_t info;
    int status;
    begun = gate_create();
    ready = gate_create();
    go = gate_create();
    MUST(pthread_create(&thread, NULL, makes_children, NULL));
    gate_wait(&ready);
    say_call("__WNOTHREAD of another thread's", waitpid(-1, &status, __WNOTHREAD | WNOHANG));
    say_call("waitid __WNOTHREAD of another thread's", waitid(P_PID, (id_t)children[0], &info, WEXITED | __WNOTHREAD));
    say("without __WNOTHREAD", "%s", status_text(reap(children[0])));
    gate_raise(&go);
    pthread_join(thread, NULL);
    while (syscall(SYS_tgkill, getpid(), maker_tid, 0) == 0) { // joined is not yet gone
        sleep_ms(1);
    }
    say_bool("__WNOTHREAD when that thread has ended", waitpid(children[1], &status, __WNOTHREAD) == children[1]);
    say("status", "%s", status_text(status));
    pid_t maker = spawn(grandchild_of);
    say("maker", "%s", status_text(reap(maker)));
    say_bool("a child by CLONE_PARENT", waitpid(-1, &status, __WNOTHREAD) > 0);
    say("status", "%s", status_text(status));
    memset(&info, 0xee, sizeof(info));
    say_call("waitid without children", waitid(P_ALL, 0, &info, WEXITED));
    say("siginfo", "%d %d %d %d", info.si_signo, info.si_errno, info.si_code, info.si_pid);
    memset(&info, 0xee, sizeof(info));
    say_call("waitid, bad options", waitid(P_ALL, 0, &info, 0x10));
    say("siginfo", "%d %d", info.si_signo, info.si_pid);
    say_call("waitid at a bad address without children", waitid(P_ALL, 0, (siginfo_t *)8, WEXITED));
    say_call("waitid P_PID 0", waitid(P_PID, 0, &info, WEXITED));
    say_call("waitid P_PGID -1", waitid(P_PGID, (id_t)-1, &info, WEXITED));
    return 0;
}
