// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Flags that only refuse or change nothing: what clone, futex, kcmp, shmget, epoll, sched_setattr and ioctl say to them.
#include "testing.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#undef CLONE_NEWUSER
#undef CLONE_NEWTIME
#undef SHM_NORESERVE
enum {
    CLONE_NEWUSER = 0x10000000,
    CLONE_NEWTIME = 0x80,
    FUTEX_FD = 2,
    KCMP_EPOLL_TFD = 7,
    SHM_NORESERVE = 010000,
    SCHED_FLAG_RECLAIM = 2,
    SCHED_FLAG_DL_OVERRUN = 4
};
#define FIOQSIZE 0x5460
#undef EPOLLNVAL
#define EPOLLNVAL 0x20
#undef EPOLLMSG
#define EPOLLMSG         0x400
#define EPOLL_URING_WAKE (1u << 27)

struct clone_arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

static void clones(const char *who) {
    struct clone_arguments with_user = {.flags = CLONE_NEWUSER | CLONE_FS, .exit_signal = SIGCHLD};
    char name[80];
    snprintf(name, sizeof(name), "%s: CLONE_NEWUSER with CLONE_FS", who);
    say_call(name, syscall(SYS_clone3, &with_user, sizeof(with_user)));
    snprintf(name, sizeof(name), "%s: clone, CLONE_NEWUSER with CLONE_FS", who);
    say_call(name, syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS | SIGCHLD, 0, 0, 0, 0));
    snprintf(name, sizeof(name), "%s: clone, CLONE_NEWUSER in a thread", who);
    say_call(name, syscall(SYS_clone, CLONE_NEWUSER | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, 0, 0, 0, 0));
}

static int as_user(void) {
    struct clone_arguments with_time = {.flags = CLONE_NEWTIME, .exit_signal = SIGCHLD};
    MUST(setuid(1000));
    clones("user");
    say_call("user: CLONE_NEWTIME", syscall(SYS_clone3, &with_time, sizeof(with_time)));
    return 0;
}

static long compare(int a, int b, long fd, long slot) {
    return syscall(SYS_kcmp, a, b, KCMP_EPOLL_TFD, fd, slot);
}

static void epoll_targets(void) {
    int epoll = MUST(epoll_create1(0)), pair[2], other;
    struct epoll_event event = {.events = EPOLLIN};
    struct {
        uint32_t epoll, target, offset;
    } slot = {.epoll = (uint32_t)epoll};
    MUST(pipe(pair));
    other = MUST(dup(pair[0]));
    MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event));
    slot.target = (uint32_t)pair[0];
    int me = getpid();
    say_call("KCMP_EPOLL_TFD: the target", compare(me, me, pair[0], (long)&slot));
    say_call("KCMP_EPOLL_TFD: a duplicate of it", compare(me, me, other, (long)&slot));
    say_bool("KCMP_EPOLL_TFD: another file", compare(me, me, pair[1], (long)&slot) > 0);
    slot.offset = 1;
    say_call("KCMP_EPOLL_TFD: a second target of the number", compare(me, me, pair[0], (long)&slot));
    slot.offset = 0;
    slot.target = (uint32_t)pair[1];
    say_call("KCMP_EPOLL_TFD: no such target", compare(me, me, pair[0], (long)&slot));
    slot.target = (uint32_t)pair[0];
    slot.epoll = (uint32_t)pair[0];
    say_call("KCMP_EPOLL_TFD: no epoll file", compare(me, me, pair[0], (long)&slot));
    slot.epoll = 900;
    say_call("KCMP_EPOLL_TFD: no such descriptor", compare(me, me, pair[0], (long)&slot));
    say_call("KCMP_EPOLL_TFD: no address", compare(me, me, pair[0], 0));
    say_call("KCMP_EPOLL_TFD: the first is no descriptor", compare(me, me, 900, (long)&slot));
    slot.epoll = (uint32_t)epoll;
    // One number, two files: the first was closed while a duplicate keeps it open.
    MUST(close(pair[0]));
    MUST(dup2(pair[1], pair[0]));
    event.events = EPOLLOUT;
    MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event));
    slot.offset = 0;
    long first = compare(me, me, other, (long)&slot);
    slot.offset = 1;
    long second = compare(me, me, other, (long)&slot);
    say_bool("KCMP_EPOLL_TFD: both are found", (first == 0) != (second == 0));
    slot.offset = 2;
    say_call("KCMP_EPOLL_TFD: there is no third", compare(me, me, other, (long)&slot));
}

static void epoll_bits(void) {
    static const struct {
        const char *name;
        uint32_t bits;
    } odd[] = {{"EPOLLNVAL", EPOLLNVAL}, {"EPOLLMSG", EPOLLMSG}, {"EPOLL_URING_WAKE", EPOLL_URING_WAKE}};
    int pair[2];
    MUST(pipe(pair));
    MUST(write(pair[1], "x", 1));
    for (size_t i = 0; i < COUNT(odd); i++) {
        struct epoll_event event = {.events = odd[i].bits}, got = {0};
        int epoll = MUST(epoll_create1(0));
        say_call(odd[i].name, epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event));
        say_call("  is reported", epoll_wait(epoll, &got, 1, 0));
        event.events |= EPOLLIN;
        say_call("  with EPOLLIN", epoll_ctl(epoll, EPOLL_CTL_MOD, pair[0], &event));
        epoll_wait(epoll, &got, 1, 0);
        say("  then", "%#x", got.events);
        event.events |= EPOLLEXCLUSIVE;
        MUST(epoll_ctl(epoll, EPOLL_CTL_DEL, pair[0], &event));
        say_call("  with EPOLLEXCLUSIVE", epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event));
        close(epoll);
    }
}

static void requests(void) {
    int fd = MUST(open("requests", O_RDWR | O_CREAT, 0600)), path = MUST(open("requests", O_PATH));
    loff_t size = -1;
    MUST(ftruncate(fd, 5000));
    say_call("FIOCLEX", ioctl(fd, FIOCLEX));
    say_call("then F_GETFD", fcntl(fd, F_GETFD));
    say_call("FIONCLEX", ioctl(fd, FIONCLEX));
    say_call("then F_GETFD", fcntl(fd, F_GETFD));
    say_call("FIOCLEX of O_PATH", ioctl(path, FIOCLEX));
    say_call("FIOCLEX of nothing", ioctl(900, FIOCLEX));
    say_call("FIOQSIZE of a file", ioctl(fd, FIOQSIZE, &size));
    say("size", "%ld", (long)size);
    int folder = MUST(open(".", O_RDONLY)), pair[2];
    say_call("FIOQSIZE of a folder", ioctl(folder, FIOQSIZE, &size));
    MUST(pipe(pair));
    say_call("FIOQSIZE of a pipe", ioctl(pair[0], FIOQSIZE, &size));
    say_call("FIOQSIZE, no address", ioctl(fd, FIOQSIZE, NULL));
    int null = MUST(open("/dev/null", O_RDONLY));
    say_call("FIOQSIZE of a device", ioctl(null, FIOQSIZE, &size));
}

int main(void) {
    clones("root");
    say_child("as a user", as_user);
    uint32_t word = 0;
    say_call("FUTEX_FD", syscall(SYS_futex, &word, FUTEX_FD, 0, NULL, NULL, 0));
    int id = shmget(IPC_PRIVATE, 2 * PAGE, IPC_CREAT | SHM_NORESERVE | 0600);
    say_ok("SHM_NORESERVE", id);
    char *at = MUST(shmat(id, NULL, 0));
    at[PAGE] = 7;
    struct shmid_ds ds;
    MUST(shmctl(id, IPC_STAT, &ds));
    say("its mode", "%o", ds.shm_perm.mode);
    MUST(shmctl(id, IPC_RMID, NULL));
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = 48, .flags = SCHED_FLAG_RECLAIM};
    say_call("SCHED_FLAG_RECLAIM, ordinary", syscall(SYS_sched_setattr, 0, &attributes, 0));
    attributes.flags = SCHED_FLAG_DL_OVERRUN;
    say_call("SCHED_FLAG_DL_OVERRUN, ordinary", syscall(SYS_sched_setattr, 0, &attributes, 0));
    say_call("sched_getattr", syscall(SYS_sched_getattr, 0, &attributes, 48, 0));
    say("flags kept", "%ld", (long)attributes.flags);
    epoll_targets();
    epoll_bits();
    requests();
    return 0;
}
