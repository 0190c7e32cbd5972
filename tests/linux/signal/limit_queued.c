// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// RLIMIT_SIGPENDING: how many signals may be queued for a real user, in all processes; which senders it binds; what is lost beyond it.
#include "../testing.h"

#define MANY (SIGRTMIN + 3)

static void user_become(uid_t uid, rlim_t limit) {
    struct rlimit r = {limit, limit};
    MUST(setrlimit(RLIMIT_SIGPENDING, &r));
    MUST(setresuid(uid, uid, uid));
}

static int queue_to(pid_t pid, int signal, int value) {
    return sigqueue(pid, signal, (union sigval){.sival_int = value});
}

static void say_queued(const char *name) {
    char text[4096], *at;
    int fd = MUST(open("/proc/self/status", O_RDONLY));
    ssize_t length = MUST(read(fd, text, sizeof(text) - 1));
    close(fd);
    text[length] = 0;
    at = strstr(text, "SigQ:\t");
    say(name, "%.*s", at ? (int)strcspn(at + 6, "\n") : 1, at ? at + 6 : "?");
}

static void block_all(void) {
    sigset_t all;
    sigfillset(&all);
    MUST(sigprocmask(SIG_SETMASK, &all, NULL));
}

static int take(const char *name) {
    struct timespec none = {0, 0};
    sigset_t all;
    siginfo_t info;
    sigfillset(&all);
    int signal = sigtimedwait(&all, &info, &none);
    if (signal == -1)
        return -1;
    say(name, "%s code %d value %d, sender %s", signal == MANY ? "MANY" : signal_name(signal), info.si_code,
        info.si_code == SI_QUEUE ? info.si_value.sival_int : 0, info.si_pid == getpid() ? "told" : "not told");
    return signal;
}

static int senders(void) {
    user_become(4001, 4);
    block_all();
    say_queued("none");
    for (int i = 0; i < 4; i++)
        say_call("queue", queue_to(getpid(), MANY, i));
    say_queued("four");
    say_call("a fifth", queue_to(getpid(), MANY, 5));
    say_call("queue of a standard signal", queue_to(getpid(), SIGUSR1, 6));
    say_call("tgkill of a standard signal", (int)syscall(SYS_tgkill, getpid(), gettid(), SIGHUP));
    say_call("tgkill of a real-time signal", (int)syscall(SYS_tgkill, getpid(), gettid(), SIGRTMIN + 1));
    say_call("kill with a standard signal", kill(getpid(), SIGUSR2));
    say_call("kill with a real-time signal", kill(getpid(), SIGRTMIN + 2));
    say_call("kill with the one that is queued four times", kill(getpid(), MANY));
    say_queued("one more, which the limit does not bind");
    while (take("taken") != -1) {}
    say_queued("all taken");
    return 0;
}

static int timers(void) {
    timer_t timer;
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    user_become(4002, 2);
    block_all();
    say_call("timer_create", timer_create(CLOCK_MONOTONIC, &none, &timer));
    say_queued("a timer without a signal");
    say_call("queue", queue_to(getpid(), MANY, 0));
    timer_t another;
    say_call("timer_create beyond", timer_create(CLOCK_MONOTONIC, NULL, &another));
    say_call("queue beyond", queue_to(getpid(), MANY, 0));
    say_call("timer_delete", timer_delete(timer));
    say_queued("without the timer");
    say_call("timer_create again", timer_create(CLOCK_MONOTONIC, NULL, &another));
    say_queued("with another");
    return 0;
}

static struct gate ready, go;

static int holder(void) {
    user_become(4003, 3);
    block_all();
    for (int i = 0; i < 2; i++)
        (void)queue_to(getpid(), MANY, i);
    say_queued("the first process");
    gate_raise(&ready);
    gate_wait(&go);
    return 0;
}

static int same_user(void) {
    user_become(4003, 3);
    block_all();
    say_queued("another of the same user");
    say_call("  queue", queue_to(getpid(), MANY, 0));
    say_call("  queue beyond", queue_to(getpid(), MANY, 1));
    struct rlimit less = {2, 3};
    MUST(setrlimit(RLIMIT_SIGPENDING, &less));
    while (take("  taken") != -1) {}
    say_call("  queue with a smaller limit", queue_to(getpid(), MANY, 1));
    return 0;
}

static int other_user(void) {
    user_become(4004, 1);
    block_all();
    say_queued("one of another user");
    say_call("  queue", queue_to(getpid(), MANY, 0));
    return 0;
}

static void shared(void) {
    ready = gate_create();
    go = gate_create();
    pid_t pid = spawn(holder);
    gate_wait(&ready);
    say_child("same user", same_user);
    say_child("other user", other_user);
    // The receiver's user and limit count, not the sender's.
    say_call("root queues to the first process", queue_to(pid, MANY, 7));
    say_call("and once more", queue_to(pid, MANY, 8));
    say_call("root kills it with a real-time signal", kill(pid, MANY));
    gate_raise(&go);
    say("the first process", "%s", status_text(reap(pid)));
    say_child("same user, when it has gone", same_user);
}

static int identity(void) {
    struct rlimit r = {3, 3};
    MUST(setrlimit(RLIMIT_SIGPENDING, &r));
    MUST(setresuid(4005, 0, 0));
    block_all();
    (void)queue_to(getpid(), MANY, 0);
    (void)queue_to(getpid(), MANY, 1);
    say_queued("as the first user");
    MUST(setresuid(4006, 0, 0));
    say_queued("as the second");
    (void)queue_to(getpid(), MANY, 2);
    say_queued("  with one of its own");
    MUST(setresuid(4005, 0, 0));
    say_queued("as the first again");
    while (take("taken") != -1) {}
    say_queued("none is left");
    MUST(setresuid(4006, 0, 0));
    say_queued("none for the second");
    return 0;
}

static int at_once_one(void) {
    user_become(4007, 40);
    block_all();
    gate_wait(&go);
    int n = 0;
    while (queue_to(getpid(), MANY, 0) == 0)
        n++;
    return n;
}

// Several processes fill one user's queue at once: together they get as many as the limit says.
static void at_once(void) {
    pid_t pids[4];
    int sum = 0;
    go = gate_create();
    ready = gate_create();
    for (int i = 0; i < 4; i++) {
        pids[i] = MUST(fork());
        if (pids[i] == 0) {
            int n = at_once_one();
            gate_raise(&ready); // a zombie keeps its signals until it is waited for
            _exit(n);
        }
    }
    for (int i = 0; i < 4; i++)
        gate_raise(&go);
    for (int i = 0; i < 4; i++)
        gate_wait(&ready);
    for (int i = 0; i < 4; i++)
        sum += WEXITSTATUS(reap(pids[i]));
    say("four at once have together", "%d", sum);
    say_child("afterwards", identity);
}

int main(void) {
    say_child("senders", senders);
    say_child("timers", timers);
    shared();
    say_child("identity", identity);
    at_once();
    return 0;
}
