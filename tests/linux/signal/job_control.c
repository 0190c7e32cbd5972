// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Stops, continuations and ends as waits and SIGCHLD tell them, each and in a row; process groups that become orphaned.
#include "../testing.h"

#include <pthread.h>
#include <sys/prctl.h>

static struct shared {
    volatile int order[8], signals, ready;
    volatile unsigned long progress[4];
} * shared;

static siginfo_t told;
static volatile sig_atomic_t told_count;

static void on_child(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    told = *info;
    told_count = told_count + 1;
}

static int idle(void) {
    for (;;) // until it is killed
        pause();
    return 0;
}

static const char *look(pid_t pid, int options) {
    static char text[64];
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)pid, &info, options | WNOHANG) == -1)
        return error_name(errno);
    if (info.si_pid == 0)
        return "nothing";
    snprintf(text, sizeof(text), "code %d status %s", info.si_code, signal_name(info.si_status));
    return text;
}

static void waits(void) {
    pid_t pid = spawn(idle);
    await_blocked(pid);
    kill(pid, SIGSTOP);
    await_state(pid, 'T');
    say("stopped: WCONTINUED", "%s", look(pid, WCONTINUED));
    say("stopped: WEXITED", "%s", look(pid, WEXITED));
    say("stopped: WSTOPPED, WNOWAIT", "%s", look(pid, WSTOPPED | WNOWAIT));
    say("stopped: WSTOPPED", "%s", look(pid, WSTOPPED));
    say("stopped: WSTOPPED again", "%s", look(pid, WSTOPPED));
    kill(pid, SIGSTOP);
    kill(pid, SIGTSTP);
    say("stopped by more signals", "%s", look(pid, WSTOPPED));
    kill(pid, SIGCONT);
    await_blocked(pid);
    say("continued: WSTOPPED", "%s", look(pid, WSTOPPED));
    say("continued: WCONTINUED, WNOWAIT", "%s", look(pid, WCONTINUED | WNOWAIT));
    say("continued: WCONTINUED, and all others", "%s", look(pid, WCONTINUED | WSTOPPED | WEXITED));
    say("continued: WCONTINUED again", "%s", look(pid, WCONTINUED));
    kill(pid, SIGCONT);
    say("continued without a stop", "%s", look(pid, WCONTINUED));
    kill(pid, SIGSTOP);
    await_state(pid, 'T');
    kill(pid, SIGCONT);
    await_blocked(pid);
    say("a stop that is over", "%s", look(pid, WSTOPPED));
    kill(pid, SIGSTOP);
    await_state(pid, 'T');
    say("a continuation that is over", "%s", look(pid, WCONTINUED));
    say("  the stop", "%s", look(pid, WSTOPPED | WNOWAIT));
    kill(pid, SIGKILL);
    await_state(pid, 'Z');
    say("killed: WSTOPPED", "%s", look(pid, WSTOPPED));
    say("killed: WCONTINUED", "%s", look(pid, WCONTINUED));
    say("killed: WEXITED, WNOWAIT", "%s", look(pid, WEXITED | WNOWAIT));
    say("killed: all", "%s", look(pid, WEXITED | WSTOPPED | WCONTINUED));
    say("gone", "%s", look(pid, WEXITED));
}

// A blocked wait ends by the kind of change that it is for, and by no other.
static int stop_continue_end(void) {
    raise(SIGSTOP);
    raise(SIGSTOP);
    return 7;
}
static void waits_blocked(void) {
    siginfo_t info;
    pid_t pid = spawn(stop_continue_end);
    MUST(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
    say("first", "code %d status %d", info.si_code, info.si_status);
    kill(pid, SIGCONT);
    MUST(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
    say("second", "code %d status %d", info.si_code, info.si_status);
    kill(pid, SIGCONT);
    MUST(waitid(P_PID, (id_t)pid, &info, WEXITED));
    say("third", "code %d status %d", info.si_code, info.si_status);
}

// --- SIGCHLD ---
static int burn_and_idle(void) {
    struct timespec t;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    while (t.tv_sec == 0 && t.tv_nsec < 150000000);
    gate_raise((const struct gate *)&shared->progress[2]);
    return idle();
}
static void say_told(const char *name, pid_t pid) {
    for (int i = 0; i < 2000 && told_count == 0; i++)
        sleep_ms(2);
    say(name, "%d signals, code %d, status %d, pid %s, uid %d, errno %d, times %s", (int)told_count, told.si_code,
        told.si_status, told.si_pid == pid ? "right" : "wrong", (int)told.si_uid, told.si_errno,
        told.si_utime + told.si_stime >= 2 && told.si_utime + told.si_stime < 500 ? "plausible" : "not plausible");
    told_count = 0;
}
static void notices(void) {
    struct sigaction a = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct gate gate = gate_create();
    memcpy((void *)&shared->progress[2], &gate, sizeof(gate));
    pid_t pid = spawn(burn_and_idle);
    gate_wait(&gate);
    await_blocked(pid);
    sigaction(SIGCHLD, &a, NULL);
    kill(pid, SIGSTOP);
    say_told("stop", pid);
    kill(pid, SIGCONT);
    say_told("continuation", pid);
    kill(pid, SIGTERM);
    say_told("end", pid);
    reap(pid);
    signal(SIGCHLD, SIG_DFL);
}

// --- threads ---
static void *count(void *argument) {
    volatile unsigned long *at = argument;
    for (;;) {
        *at = *at + 1;
        sched_yield();
    }
    return NULL;
}
static int with_threads(void) {
    pthread_t t;
    for (int i = 0; i < 2; i++)
        pthread_create(&t, NULL, count, (void *)&shared->progress[i]);
    shared->ready = 1;
    return idle();
}
static bool moves(void) {
    unsigned long a = shared->progress[0], b = shared->progress[1];
    for (int i = 0; i < 1000; i++) {
        sleep_ms(i < 10 ? 1 : 10);
        if (shared->progress[0] != a && shared->progress[1] != b)
            return true;
        if (i == 20 && shared->progress[0] == a && shared->progress[1] == b)
            return false;
    }
    return false;
}
static void threads(void) {
    pid_t pid = spawn(with_threads);
    int bad = 0;
    while (!shared->ready)
        sleep_ms(1);
    say_bool("all run", moves());
    kill(pid, SIGSTOP);
    siginfo_t info;
    MUST(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
    say("stopped", "code %d status %d", info.si_code, info.si_status);
    say_bool("some run", moves());
    say("told once", "%s", look(pid, WSTOPPED));
    kill(pid, SIGCONT);
    MUST(waitid(P_PID, (id_t)pid, &info, WCONTINUED));
    say("continued", "code %d status %d", info.si_code, info.si_status);
    say_bool("all run", moves());
    for (int i = 0; i < 100; i++) {
        kill(pid, SIGSTOP);
        MUST(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
        bad += info.si_code != CLD_STOPPED || info.si_status != SIGSTOP;
        kill(pid, SIGCONT);
        MUST(waitid(P_PID, (id_t)pid, &info, WCONTINUED));
        bad += info.si_code != CLD_CONTINUED || info.si_status != SIGCONT;
    }
    say("wrong in a hundred rounds", "%d", bad);
    for (int i = 0; i < 100; i++) { // the stop may be in the middle
        kill(pid, SIGSTOP);
        kill(pid, SIGCONT);
    }
    say_bool("all run", moves());
    kill(pid, SIGSTOP);
    kill(pid, SIGKILL);
    say("end", "%s", status_text(reap(pid)));
}
static int ends_at_once(void) {
    return idle();
}
static void kill_races(void) {
    int stopped = 0, killed = 0;
    for (int i = 0; i < 30; i++) {
        int status;
        pid_t pid = spawn(ends_at_once);
        kill(pid, SIGSTOP);
        if (i % 3 == 1)
            kill(pid, SIGCONT);
        if (i % 3 == 2)
            kill(pid, SIGTERM); // waits for a continuation that the kill makes needless
        kill(pid, SIGKILL);
        while (waitpid(pid, &status, WUNTRACED | WCONTINUED) == pid && !WIFSIGNALED(status) && !WIFEXITED(status))
            stopped++;
        killed += WIFSIGNALED(status); // by SIGTERM if it came before the stop was there
    }
    say("stop and kill at once", "%d killed, told of stops %s", killed,
        stopped <= 60 ? "at most twice each" : "too often");
}

// --- groups that become orphaned ---
static void note(int signal) {
    shared->order[shared->signals++ & 7] = signal;
}
static int member(void) {
    struct sigaction a = {.sa_handler = note};
    sigfillset(&a.sa_mask);
    sigaction(SIGHUP, &a, NULL);
    sigaction(SIGCONT, &a, NULL);
    prctl(PR_SET_PDEATHSIG, 0);
    shared->ready = 1;
    for (;;)
        pause();
    return 0;
}
enum { OWN_GROUP = 1, STOPPED = 2, REAPER = 4 };
static pid_t family_member;
static pid_t family(int how) {
    int numbers[2];
    MUST(pipe(numbers));
    memset(shared, 0, sizeof(*shared));
    struct gate end = gate_create();
    prctl(PR_SET_CHILD_SUBREAPER, how & REAPER ? 1 : 0);
    pid_t leader = fork();
    if (leader == 0) {
        setpgid(0, 0);
        pid_t pid = spawn(member);
        if (how & OWN_GROUP)
            setpgid(pid, pid);
        MUST(write(numbers[1], &pid, sizeof(pid)));
        gate_wait(&end);
        _exit(0);
    }
    MUST(read(numbers[0], &family_member, sizeof(pid_t)));
    while (!shared->ready)
        sleep_ms(1);
    await_blocked(family_member);
    if (how & STOPPED) {
        kill(family_member, SIGSTOP);
        await_state(family_member, 'T');
    }
    gate_raise(&end);
    reap(leader);
    close(numbers[0]);
    close(numbers[1]);
    return family_member;
}
static void orphan(const char *name, int how) {
    pid_t pid = family(how);
    for (int i = 0; i < 50 && shared->signals < 2; i++)
        sleep_ms(2);
    char state = process_state(pid);
    say(name, "%d signals: %s, %s, state %c", shared->signals,
        shared->signals > 0 ? shared->order[0] == SIGHUP ? "SIGHUP" : signal_name(shared->order[0]) : "none",
        shared->signals > 1 ? signal_name(shared->order[1]) : "none", state == 'R' ? 'S' : state);
    kill(pid, SIGKILL);
    if (how & REAPER)
        reap(pid);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}
// SIGTSTP does nothing in it any more, SIGSTOP does.
static void orphan_stops(void) {
    pid_t pid = family(OWN_GROUP);
    kill(pid, SIGTSTP);
    sleep_ms(10);
    say_bool("orphaned: SIGTSTP stops", process_state(pid) == 'T');
    kill(pid, SIGSTOP);
    say_bool("orphaned: SIGSTOP stops", await_state(pid, 'T'));
    kill(pid, SIGKILL);
}

int main(void) {
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    setpgid(0, 0);
    waits();
    waits_blocked();
    notices();
    threads();
    kill_races();
    orphan("parent in the group, member stopped", STOPPED);
    orphan("parent in the group, member runs", 0);
    orphan("parent outside the group, member stopped", STOPPED | OWN_GROUP);
    orphan("parent outside the group, member runs", OWN_GROUP);
    orphan("a reaper in the session, member stopped", STOPPED | REAPER);
    orphan("a reaper in the session, own group", STOPPED | REAPER | OWN_GROUP);
    orphan_stops();
    return 0;
}
