// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Restart rules of calls that wait for time, readiness, futexes, System V and POSIX objects, children and signals.
#include "interruption.h"

#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>

#define LONG_MS 30000
enum {
    FUTEX_WAIT,
    FUTEX_WAKE,
    FUTEX_LOCK_PI = 6,
    FUTEX_UNLOCK_PI,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAIT_REQUEUE_PI = 11,
    FUTEX_CMP_REQUEUE_PI
};
static struct timespec long_time = {30, 0};

static void pipe_empty(struct slot *s) {
    int p[2];
    MUST(pipe(p));
    s->a = p[0];
    s->b = p[1];
}
static void put(struct slot *s) {
    MUST(write(s->b, "x", 1));
}

// --- readiness ---
static long call_poll(struct slot *s) {
    struct pollfd p = {s->a, POLLIN, 0};
    return syscall(SYS_poll, &p, 1, -1);
}
static long call_poll_limited(struct slot *s) {
    struct pollfd p = {s->a, POLLIN, 0};
    return syscall(SYS_poll, &p, 1, LONG_MS);
}
static long call_ppoll(struct slot *s) {
    struct pollfd p = {s->a, POLLIN, 0};
    struct timespec t = long_time;
    return syscall(SYS_ppoll, &p, 1, &t, NULL, 8);
}
static long call_select(struct slot *s) {
    fd_set set;
    struct timeval t = {30, 0};
    FD_ZERO(&set);
    FD_SET(s->a, &set);
    return syscall(SYS_select, s->a + 1, &set, NULL, NULL, &t);
}
static long call_pselect(struct slot *s) {
    fd_set set;
    struct timespec t = long_time;
    FD_ZERO(&set);
    FD_SET(s->a, &set);
    return syscall(SYS_pselect6, s->a + 1, &set, NULL, NULL, &t, NULL);
}
static int epoll_of(struct slot *s) {
    struct epoll_event e = {.events = EPOLLIN};
    int fd = MUST(epoll_create1(0));
    MUST(epoll_ctl(fd, EPOLL_CTL_ADD, s->a, &e));
    return fd;
}
static long call_epoll_wait(struct slot *s) {
    struct epoll_event e;
    return syscall(SYS_epoll_wait, epoll_of(s), &e, 1, -1);
}
static long call_epoll_pwait(struct slot *s) {
    struct epoll_event e;
    return syscall(SYS_epoll_pwait, epoll_of(s), &e, 1, LONG_MS, NULL, 8);
}
static long call_epoll_pwait2(struct slot *s) {
    struct epoll_event e;
    return syscall(SYS_epoll_pwait2, epoll_of(s), &e, 1, &long_time, NULL, 8);
}

// --- futexes: the word is shared with the parent ---
static void word_make(struct slot *s) {
    s->memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}
static void word_wake(struct slot *s) {
    syscall(SYS_futex, s->memory, FUTEX_WAKE, 1, NULL, NULL, 0);
}
static long call_futex(struct slot *s) {
    return syscall(SYS_futex, s->memory, FUTEX_WAIT, 0, NULL, NULL, 0);
}
static long call_futex_limited(struct slot *s) {
    return syscall(SYS_futex, s->memory, FUTEX_WAIT, 0, &long_time, NULL, 0);
}
static long call_futex_bits(struct slot *s) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 30;
    return syscall(SYS_futex, s->memory, FUTEX_WAIT_BITSET, 0, &until, NULL, 1);
}
struct waitv {
    uint64_t value, address;
    uint32_t flags, reserved;
};
static long call_futex_waitv(struct slot *s) {
    struct waitv v = {0, (uint64_t)(uintptr_t)s->memory, 2, 0};
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 30;
    return syscall(449, &v, 1, 0, &until, CLOCK_MONOTONIC);
}
static void lock_take(struct slot *s) {
    word_make(s);
    MUST(syscall(SYS_futex, s->memory, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
}
static long call_lock(struct slot *s) {
    return syscall(SYS_futex, s->memory, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
}
static void lock_drop(struct slot *s) {
    MUST(syscall(SYS_futex, s->memory, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}
static long call_requeue(struct slot *s) {
    return syscall(SYS_futex, s->memory, FUTEX_WAIT_REQUEUE_PI, 0, NULL, (char *)s->memory + 64, 0);
}
static void requeue_move(struct slot *s) {
    MUST(syscall(SYS_futex, s->memory, FUTEX_CMP_REQUEUE_PI, 1, 0L, (char *)s->memory + 64, 0));
}

// --- time ---
static long call_nanosleep(struct slot *s) {
    (void)s;
    return syscall(SYS_nanosleep, &long_time, NULL);
}
static long call_clock_relative(struct slot *s) {
    (void)s;
    return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &long_time, NULL);
}
static long call_clock_until(struct slot *s) {
    struct timespec until;
    (void)s;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    return syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
}
static long call_clock_processor(struct slot *s) {
    (void)s;
    return syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &long_time, NULL);
}

// --- System V, POSIX queues ---
static void sem_make(struct slot *s) {
    s->a = -1;
    s->memory = (void *)(intptr_t)MUST(semget(IPC_PRIVATE, 1, 0600));
}
static int id_of(struct slot *s) {
    return (int)(intptr_t)s->memory;
}
static long call_semop(struct slot *s) {
    struct sembuf op = {0, -1, 0};
    return semop(id_of(s), &op, 1);
}
static long call_semtimedop(struct slot *s) {
    struct sembuf op = {0, -1, 0};
    return semtimedop(id_of(s), &op, 1, &long_time);
}
static void sem_up(struct slot *s) {
    struct sembuf op = {0, 1, 0};
    MUST(semop(id_of(s), &op, 1));
}
struct message {
    long kind;
    char text[512];
};
static void queue_make(struct slot *s) {
    s->memory = (void *)(intptr_t)MUST(msgget(IPC_PRIVATE, 0600));
}
static void queue_full(struct slot *s) {
    struct message m = {.kind = 1};
    struct msqid_ds d;
    queue_make(s);
    MUST(msgctl(id_of(s), IPC_STAT, &d));
    d.msg_qbytes = 512;
    MUST(msgctl(id_of(s), IPC_SET, &d));
    MUST(msgsnd(id_of(s), &m, 512, 0));
}
static long call_msgrcv(struct slot *s) {
    struct message m;
    return msgrcv(id_of(s), &m, 512, 0, 0);
}
static long call_msgsnd(struct slot *s) {
    struct message m = {.kind = 1};
    return msgsnd(id_of(s), &m, 100, 0);
}
static void message_put(struct slot *s) {
    (void)call_msgsnd(s);
}
static void message_take(struct slot *s) {
    (void)call_msgrcv(s);
}
static void mqueue_make(struct slot *s) {
    struct mq_attr a = {.mq_maxmsg = 1, .mq_msgsize = 16};
    mq_unlink("/restart");
    s->a = MUST((int)mq_open("/restart", O_RDWR | O_CREAT, 0600, &a));
}
static void mqueue_full(struct slot *s) {
    mqueue_make(s);
    MUST(mq_send(s->a, "x", 1, 0));
}
static long call_mq_receive(struct slot *s) {
    char text[16];
    return mq_receive(s->a, text, 16, NULL);
}
static long call_mq_send(struct slot *s) {
    return mq_send(s->a, "abc", 3, 0);
}
static struct timespec later(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    return until;
}
static long call_mq_timedreceive(struct slot *s) {
    char text[16];
    struct timespec until = later();
    return mq_timedreceive(s->a, text, 16, NULL, &until);
}
static void mqueue_put(struct slot *s) {
    MUST(mq_send(s->a, "abc", 3, 0));
}
static void mqueue_take(struct slot *s) {
    char text[16];
    MUST(mq_receive(s->a, text, 16, NULL));
}

// --- children: the child's own child reads the slot's pipe and ends ---
static pid_t grandchild(struct slot *s) {
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        signal(SIGUSR1, SIG_IGN);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)!read(s->a, &c, 1);
        _exit(3);
    }
    return pid;
}
static long call_wait4(struct slot *s) {
    int status;
    pid_t pid = grandchild(s);
    return syscall(SYS_wait4, pid, &status, 0, NULL) == pid ? WEXITSTATUS(status) : -1;
}
static long call_waitid(struct slot *s) {
    siginfo_t info = {0};
    pid_t pid = grandchild(s);
    return syscall(SYS_waitid, P_PID, pid, &info, WEXITED, NULL) == 0 ? info.si_status : -1;
}
static long call_waitid_descriptor(struct slot *s) {
    siginfo_t info = {0};
    int fd = MUST((int)syscall(SYS_pidfd_open, grandchild(s), 0));
    return syscall(SYS_waitid, 3, fd, &info, WEXITED, NULL) == 0 ? info.si_status : -1;
}

// --- signals ---
static long call_pause(struct slot *s) {
    (void)s;
    return syscall(SYS_pause);
}
static long call_sigsuspend(struct slot *s) {
    uint64_t none = 0;
    (void)s;
    return syscall(SYS_rt_sigsuspend, &none, 8);
}
static uint64_t other = 1ull << (SIGUSR2 - 1);
static void other_block(void) {
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &other, NULL, 8);
}
static long call_sigwait(struct slot *s) {
    (void)s;
    other_block();
    return syscall(SYS_rt_sigtimedwait, &other, NULL, NULL, 8);
}
static long call_sigtimedwait(struct slot *s) {
    (void)s;
    other_block();
    return syscall(SYS_rt_sigtimedwait, &other, NULL, &long_time, 8);
}
static void signal_other(struct slot *s) {
    kill(s->child, SIGUSR2);
}

static const struct blocking readiness[] = {
    {"poll", pipe_empty, call_poll, put, false},
    {"poll with a limit", pipe_empty, call_poll_limited, put, false},
    {"ppoll", pipe_empty, call_ppoll, put, false},
    {"select", pipe_empty, call_select, put, false},
    {"pselect", pipe_empty, call_pselect, put, false},
    {"epoll_wait", pipe_empty, call_epoll_wait, put, false},
    {"epoll_pwait with a limit", pipe_empty, call_epoll_pwait, put, false},
    {"epoll_pwait2", pipe_empty, call_epoll_pwait2, put, false},
    {"wait4", pipe_empty, call_wait4, put, false},
    {"waitid", pipe_empty, call_waitid, put, false},
    {"waitid of a descriptor", pipe_empty, call_waitid_descriptor, put, false},
    {"nanosleep", NULL, call_nanosleep, NULL, false},
    {"clock_nanosleep", NULL, call_clock_relative, NULL, false},
    {"clock_nanosleep until", NULL, call_clock_until, NULL, false},
    {"clock_nanosleep of processor time", NULL, call_clock_processor, NULL, false},
    {"pause", NULL, call_pause, NULL, false},
    {"sigsuspend", NULL, call_sigsuspend, NULL, false},
    {"sigwaitinfo", NULL, call_sigwait, signal_other, false},
    {"sigtimedwait", NULL, call_sigtimedwait, signal_other, false},
};

static const struct blocking objects[] = {
    {"futex wait", word_make, call_futex, word_wake, false},
    {"futex wait with a limit", word_make, call_futex_limited, word_wake, false},
    {"futex wait for bits until", word_make, call_futex_bits, word_wake, false},
    {"futex_waitv", word_make, call_futex_waitv, word_wake, false},
    {"futex lock with inheritance", lock_take, call_lock, lock_drop, false},
    {"futex wait to be requeued", word_make, call_requeue, requeue_move, false},
    {"semop", sem_make, call_semop, sem_up, false},
    {"semtimedop", sem_make, call_semtimedop, sem_up, false},
    {"msgrcv", queue_make, call_msgrcv, message_put, false},
    {"msgsnd", queue_full, call_msgsnd, message_take, false},
    {"mq_receive", mqueue_make, call_mq_receive, mqueue_put, false},
    {"mq_send", mqueue_full, call_mq_send, mqueue_take, false},
    {"mq_timedreceive", mqueue_make, call_mq_timedreceive, mqueue_put, false},
};

int main(void) {
    interruption_all(readiness, COUNT(readiness));
    interruption_all(objects, COUNT(objects));
    return 0;
}
