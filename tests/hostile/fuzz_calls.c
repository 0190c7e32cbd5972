// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The table of calls that the random tester makes, with the kinds of their arguments: every call of
// personality/linux/syscalls.def, which table_check verifies when the tester is built. What root leaves out, because it
// would rightly harm the judge, stands as USER with the reason.
#define _GNU_SOURCE
#include "fuzz.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
#define X(number, name) NUMBER_##name = (number),
#include "../../personality/linux/syscalls.def"
#undef X
};

#define CALL(name, weight, ...)                        \
    {                                                  \
        NUMBER_##name, #name, weight, NULL, 0, NULL, { \
            __VA_ARGS__                                \
        }                                              \
    }
#define USER(name, weight, reason, ...)                  \
    {                                                    \
        NUMBER_##name, #name, weight, reason, 0, NULL, { \
            __VA_ARGS__                                  \
        }                                                \
    }

const struct call calls_plain[] = {
    CALL(read, 20, FD, OUT, LENGTH),
    CALL(write, 20, FD, IN, LENGTH),
    CALL(open, 20, PATH, OPENING, MODE),
    CALL(close, 10, FD),
    CALL(stat, 10, PATH, OUT),
    CALL(fstat, 10, FD, OUT),
    CALL(lstat, 10, PATH, OUT),
    CALL(poll, 10, POLLS, COUNT, COUNT),
    CALL(lseek, 10, FD, OFFSET, WHENCE),
    CALL(mmap, 20, ADDRESS, LENGTH, PROTECTION, MAPPING, FD, OFFSET),
    CALL(mprotect, 15, ADDRESS, LENGTH, PROTECTION),
    CALL(munmap, 10, ADDRESS, LENGTH),
    CALL(brk, 5, ADDRESS),
    CALL(rt_sigaction, 10, SIGNAL, ACTION, OUT, SET_SIZE),
    CALL(rt_sigprocmask, 10, WHENCE, SET, OUT, SET_SIZE),
    CALL(rt_sigreturn, 1, NONE),
    CALL(ioctl, 3, FD, INTEGER, OUT),
    CALL(pread64, 10, FD, OUT, LENGTH, OFFSET),
    CALL(pwrite64, 10, FD, IN, LENGTH, OFFSET),
    CALL(readv, 10, FD, VECTORS, COUNT),
    CALL(writev, 10, FD, VECTORS, COUNT),
    CALL(access, 10, PATH, SMALL_COMMAND),
    CALL(pipe, 5, OUT),
    CALL(select, 10, SMALL, FD_SETS, FD_SETS, FD_SETS, TIME),
    CALL(sched_yield, 5, NONE),
    CALL(mremap, 10, ADDRESS, LENGTH, LENGTH, MOVING, ADDRESS),
    CALL(msync, 5, ADDRESS, LENGTH, FLAGS),
    CALL(mincore, 3, ADDRESS, LENGTH, OUT),
    CALL(madvise, 12, ADDRESS, LENGTH, ADVICE),
    CALL(dup, 8, FD),
    CALL(dup2, 8, FD, FD),
    CALL(pause, 1, NONE),
    CALL(nanosleep, 5, TIME, OUT),
    CALL(getitimer, 5, COUNT, OUT),
    CALL(alarm, 2, COUNT),
    CALL(setitimer, 4, COUNT, INTERVAL, OUT),
    CALL(getpid, 2, NONE),
    CALL(sendfile, 10, FD, FD, PLACE, LENGTH),
    CALL(fork, 3, NONE),
    CALL(vfork, 2, NONE),
    CALL(clone, 4, CLONING, ADDRESS, OUT, OUT, ADDRESS),
    CALL(execve, 1, EXECUTABLE, STRINGS, STRINGS),
    CALL(exit, 1, INTEGER),
    CALL(exit_group, 1, INTEGER),
    CALL(wait4, 10, PROCESS, OUT, WAITING, OUT),
    CALL(waitid, 8, MOVING, PROCESS, OUT, WAITING, OUT),
    CALL(kill, 4, PROCESS, SIGNAL),
    CALL(tkill, 3, PROCESS, SIGNAL),
    CALL(tgkill, 3, PROCESS, PROCESS, SIGNAL),
    CALL(rt_sigqueueinfo, 5, PROCESS, SIGNAL, SIGINFO),
    CALL(uname, 3, OUT),
    CALL(fcntl, 3, FD, INTEGER, INTEGER),
    CALL(flock, 4, FD, SMALL_COMMAND),
    CALL(fsync, 3, FD),
    CALL(fdatasync, 2, FD),
    CALL(truncate, 8, PATH, OFFSET),
    CALL(ftruncate, 8, FD, OFFSET),
    CALL(getdents64, 10, FD, OUT, LENGTH),
    CALL(getcwd, 5, OUT, LENGTH),
    CALL(chdir, 4, PATH),
    CALL(fchdir, 4, FD),
    CALL(rename, 12, PATH, PATH),
    CALL(mkdir, 10, PATH, MODE),
    CALL(rmdir, 8, PATH),
    CALL(creat, 8, PATH, MODE),
    CALL(link, 10, PATH, PATH),
    CALL(unlink, 10, PATH),
    CALL(symlink, 10, PATH, PATH),
    CALL(readlink, 8, PATH, OUT, LENGTH),
    CALL(chmod, 6, PATH, MODE),
    CALL(fchmod, 5, FD, MODE),
    CALL(chown, 5, PATH, USER_ID, USER_ID),
    CALL(fchown, 5, FD, USER_ID, USER_ID),
    CALL(lchown, 5, PATH, USER_ID, USER_ID),
    CALL(umask, 3, MODE),
    CALL(gettimeofday, 3, OUT, OUT),
    CALL(getrlimit, 3, RESOURCE, OUT),
    CALL(setrlimit, 2, RESOURCE, LIMIT),
    CALL(prlimit64, 5, PROCESS, RESOURCE, LIMIT, OUT),
    CALL(getrusage, 3, INTEGER, OUT),
    CALL(sysinfo, 3, OUT),
    CALL(times, 3, OUT),
    CALL(getuid, 1, NONE),
    CALL(syslog, 2, COUNT, OUT, LENGTH),
    CALL(setuid, 1, USER_ID),
    CALL(setgid, 1, USER_ID),
    CALL(setresuid, 1, USER_ID, USER_ID, USER_ID),
    CALL(setresgid, 1, USER_ID, USER_ID, USER_ID),
    CALL(setreuid, 1, USER_ID, USER_ID),
    CALL(setfsuid, 2, USER_ID),
    CALL(getgroups, 3, COUNT, OUT),
    CALL(setgroups, 2, COUNT, IDS),
    CALL(getresuid, 3, OUT, OUT, OUT),
    CALL(setpgid, 4, PROCESS, PROCESS),
    CALL(getpgid, 4, PROCESS),
    CALL(getpgrp, 1, NONE),
    CALL(setsid, 2, NONE),
    CALL(getsid, 4, PROCESS),
    CALL(rt_sigpending, 4, OUT, SET_SIZE),
    CALL(rt_sigtimedwait, 5, SET, OUT, TIME, SET_SIZE),
    CALL(rt_sigsuspend, 1, SET, SET_SIZE),
    CALL(sigaltstack, 5, STACK, OUT),
    CALL(utime, 4, PATH, TIMES),
    CALL(utimes, 4, PATH, TIMES),
    CALL(utimensat, 6, FOLDER, PATH, TIMES, AT),
    CALL(mknod, 6, PATH, MODE, INTEGER),
    CALL(mknodat, 6, FOLDER, PATH, MODE, INTEGER),
    CALL(personality, 1, INTEGER),
    CALL(statfs, 4, PATH, OUT),
    CALL(fstatfs, 4, FD, OUT),
    CALL(getpriority, 3, SMALL_COMMAND, PROCESS),
    USER(setpriority, 3, "root could starve the judge", SMALL_COMMAND, PROCESS, INTEGER),
    CALL(sched_getparam, 3, PROCESS, OUT),
    USER(sched_setparam, 3, "root could starve the judge", PROCESS, SCHED_PARAM),
    CALL(sched_getscheduler, 3, PROCESS),
    USER(sched_setscheduler, 3, "root could starve the judge", PROCESS, COUNT, SCHED_PARAM),
    CALL(sched_get_priority_max, 2, INTEGER),
    CALL(sched_rr_get_interval, 2, PROCESS, OUT),
    CALL(sched_getaffinity, 4, PROCESS, SMALL_SIZE, OUT),
    USER(sched_setaffinity, 3, "root could starve the judge", PROCESS, SET_SIZE, CPUS),
    CALL(mlock, 3, ADDRESS, LENGTH),
    CALL(munlock, 3, ADDRESS, LENGTH),
    CALL(prctl, 3, INTEGER, INTEGER, POINTER, INTEGER, INTEGER),
    CALL(arch_prctl, 2, ARCH, ADDRESS),
    CALL(chroot, 2, PATH),
    CALL(sync, 1, NONE),
    CALL(mount, 8, PATH, PATH, KIND, MOUNTING, MOUNT_DATA),
    CALL(umount2, 4, PATH, MOVING),
    USER(pivot_root, 2, "the judge would lose its files", PATH, PATH),
    USER(reboot, 2, "it is what reboot is for", INTEGER, INTEGER, INTEGER, IN),
    CALL(sethostname, 2, IN, SMALL),
    CALL(gettid, 1, NONE),
    CALL(time, 2, OUT),
    CALL(futex, 20, WORD, FUTEX_OPERATION, INTEGER, TIME, WORD, INTEGER),
    CALL(set_tid_address, 3, OUT),
    CALL(set_robust_list, 5, ROBUST, ROBUST_SIZE),
    CALL(get_robust_list, 3, PROCESS, OUT, OUT),
    CALL(clock_gettime, 5, CLOCK, OUT),
    CALL(clock_getres, 4, CLOCK, OUT),
    USER(clock_settime, 2, "the judge measures time", CLOCK, TIME),
    CALL(clock_nanosleep, 5, CLOCK, SMALL_COMMAND, TIME, OUT),
    CALL(openat, 20, FOLDER, PATH, OPENING, MODE),
    CALL(openat2, 10, FOLDER, PATH, HOW, HOW_SIZE),
    CALL(mkdirat, 6, FOLDER, PATH, MODE),
    CALL(fchownat, 5, FOLDER, PATH, USER_ID, USER_ID, AT),
    CALL(newfstatat, 10, FOLDER, PATH, OUT, AT),
    CALL(unlinkat, 8, FOLDER, PATH, AT),
    CALL(renameat2, 10, FOLDER, PATH, FOLDER, PATH, MOVING),
    CALL(linkat, 8, FOLDER, PATH, FOLDER, PATH, AT),
    CALL(symlinkat, 6, PATH, FOLDER, PATH),
    CALL(readlinkat, 6, FOLDER, PATH, OUT, LENGTH),
    CALL(fchmodat, 5, FOLDER, PATH, MODE),
    CALL(faccessat, 5, FOLDER, PATH, SMALL_COMMAND),
    CALL(faccessat2, 5, FOLDER, PATH, SMALL_COMMAND, AT),
    CALL(pselect6, 8, SMALL, FD_SETS, FD_SETS, FD_SETS, TIME, IN),
    CALL(ppoll, 8, POLLS, COUNT, TIME, SET, SET_SIZE),
    CALL(dup3, 6, FD, FD, FLAGS),
    CALL(pipe2, 6, OUT, FLAGS),
    CALL(preadv, 6, FD, VECTORS, COUNT, OFFSET),
    CALL(pwritev, 6, FD, VECTORS, COUNT, OFFSET),
    CALL(getcpu, 3, OUT, OUT, OUT),
    CALL(getrandom, 6, OUT, LENGTH, SMALL_COMMAND),
    CALL(statx, 8, FOLDER, PATH, AT, FLAGS, OUT),
    CALL(copy_file_range, 5, FD, PLACE, FD, PLACE, LENGTH, NONE),
    CALL(splice, 10, FD, PLACE, FD, PLACE, LENGTH, MOVING),
    CALL(tee, 6, FD, FD, LENGTH, MOVING),
    CALL(vmsplice, 6, FD, VECTORS, COUNT, MOVING),
    CALL(vhangup, 1, NONE),
    CALL(fallocate, 5, FD, SMALL_COMMAND, OFFSET, LENGTH),
    CALL(close_range, 2, FD, FD, CLOSING),
    CALL(setxattr, 6, PATH, ATTRIBUTE, IN, LENGTH, MOVING),
    CALL(lsetxattr, 4, PATH, ATTRIBUTE, IN, LENGTH, MOVING),
    CALL(fsetxattr, 6, FD, ATTRIBUTE, IN, LENGTH, MOVING),
    CALL(getxattr, 4, PATH, ATTRIBUTE, OUT, LENGTH),
    CALL(lgetxattr, 3, PATH, ATTRIBUTE, OUT, LENGTH),
    CALL(fgetxattr, 4, FD, ATTRIBUTE, OUT, LENGTH),
    CALL(listxattr, 4, PATH, OUT, LENGTH),
    CALL(llistxattr, 3, PATH, OUT, LENGTH),
    CALL(flistxattr, 4, FD, OUT, LENGTH),
    CALL(removexattr, 4, PATH, ATTRIBUTE),
    CALL(lremovexattr, 3, PATH, ATTRIBUTE),
    CALL(fremovexattr, 4, FD, ATTRIBUTE),
    CALL(fadvise64, 3, FD, OFFSET, LENGTH, COUNT),
    CALL(socket, 8, FAMILY, SOCKET_TYPE, WHENCE),
    CALL(socketpair, 6, FAMILY, SOCKET_TYPE, WHENCE, OUT),
    CALL(bind, 8, SOCKET, SOCKET_NAME, NAME_LENGTH),
    CALL(connect, 8, SOCKET, SOCKET_NAME, NAME_LENGTH),
    CALL(listen, 6, SOCKET, COUNT),
    CALL(accept, 4, SOCKET, OUT, OUT),
    CALL(accept4, 6, SOCKET, OUT, OUT, SOCKET_TYPE),
    CALL(getsockname, 4, SOCKET, OUT, OUT),
    CALL(getpeername, 4, SOCKET, OUT, OUT),
    CALL(sendto, 16, SOCKET, IN, LENGTH, MESSAGE_FLAGS, SOCKET_NAME, NAME_LENGTH),
    CALL(recvfrom, 16, SOCKET, OUT, LENGTH, MESSAGE_FLAGS, OUT, OUT),
    CALL(sendmsg, 20, SOCKET, MESSAGE, MESSAGE_FLAGS),
    CALL(recvmsg, 16, SOCKET, MESSAGE, MESSAGE_FLAGS),
    CALL(sendmmsg, 6, SOCKET, MESSAGES, COUNT, MESSAGE_FLAGS),
    CALL(recvmmsg, 6, SOCKET, MESSAGES, COUNT, MESSAGE_FLAGS, TIME),
    CALL(shutdown, 2, SOCKET, WHENCE),
    CALL(getsockopt, 8, SOCKET, SOCKET_LEVEL, OPTION, OUT, OUT),
    CALL(setsockopt, 3, SOCKET, SOCKET_LEVEL, OPTION, IN, LENGTH),
    CALL(membarrier, 4, BARRIER, NONE, NONE),
    CALL(unshare, 3, CLONING),
    CALL(setns, 2, FD_NAMESPACE, CLONING),
    CALL(kcmp, 5, PROCESS, PROCESS, COUNT, FD, FD),
    CALL(ioprio_set, 2, SMALL_COMMAND, PROCESS, PRIORITY),
    CALL(ioprio_get, 2, SMALL_COMMAND, PROCESS),
    CALL(execveat, 1, FOLDER, EXECUTABLE, STRINGS, STRINGS, AT),
    CALL(pidfd_open, 6, PROCESS, OPENING),
    USER(pidfd_send_signal, 6, "a user may have sent it a descriptor of the judge", FD_PROCESS, SIGNAL, SIGINFO, NONE),
    CALL(pidfd_getfd, 5, FD_PROCESS, FD, NONE),
    CALL(clone3, 5, CLONE_ARGS, CLONE_SIZE),
    CALL(futex_waitv, 8, WAITERS, COUNT, NONE, TIME, SMALL_COMMAND),
    CALL(rseq, 2, OUT, LENGTH, FLAGS, INTEGER),
    CALL(eventfd, 3, COUNT),
    CALL(eventfd2, 8, INTEGER, OPENING_FEW),
    CALL(timerfd_create, 8, CLOCK, OPENING_FEW),
    CALL(timerfd_settime, 12, FD_TIMER, COUNT, TIMER, OUT),
    CALL(timerfd_gettime, 6, FD_TIMER, OUT),
    CALL(signalfd, 4, FD_SIGNAL, SET, SET_SIZE),
    CALL(signalfd4, 8, FD_SIGNAL, SET, SET_SIZE, OPENING_FEW),
    CALL(epoll_create, 3, COUNT),
    CALL(epoll_create1, 8, OPENING_FEW),
    CALL(epoll_ctl, 30, FD_EPOLL, SMALL_COMMAND, FD, EPOLL_EVENT),
    CALL(epoll_wait, 12, FD_EPOLL, OUT, COUNT, COUNT),
    CALL(epoll_pwait, 6, FD_EPOLL, OUT, COUNT, COUNT, SET, SET_SIZE),
    CALL(epoll_pwait2, 6, FD_EPOLL, OUT, COUNT, TIME, SET, SET_SIZE),
    CALL(timer_create, 8, CLOCK, SIGEVENT, OUT),
    CALL(timer_settime, 10, COUNT, FLAGS, TIMER, OUT),
    CALL(timer_gettime, 6, COUNT, OUT),
    CALL(timer_getoverrun, 4, COUNT),
    CALL(timer_delete, 5, COUNT),
    USER(adjtimex, 3, "the judge measures time", TIMEX),
    USER(clock_adjtime, 3, "the judge measures time", CLOCK, TIMEX),
    {335, "a number without a call", 2, NULL, 0, NULL, {INTEGER, INTEGER, INTEGER}},
    {-1, "a negative number", 2, NULL, 0, NULL, {INTEGER}},
    {0x40000001, "a number of another interface", 2, NULL, 0, NULL, {INTEGER, OUT, LENGTH}},
    CALL(shmget, 6, IPC_KEY, LENGTH, IPC_FLAGS),
    CALL(shmat, 10, IPC_ID, ADDRESS, FLAGS),
    CALL(shmdt, 8, ADDRESS),
    CALL(shmctl, 8, IPC_ID, IPC_COMMAND, OUT),
    CALL(semget, 6, IPC_KEY, COUNT, IPC_FLAGS),
    CALL(semop, 8, IPC_ID, SEM_OPS, COUNT),
    CALL(semtimedop, 8, IPC_ID, SEM_OPS, COUNT, TIME),
    CALL(semctl, 10, IPC_ID, COUNT, IPC_COMMAND, OUT),
    CALL(msgget, 6, IPC_KEY, IPC_FLAGS),
    CALL(msgsnd, 8, IPC_ID, IPC_MESSAGE, LENGTH, FLAGS),
    CALL(msgrcv, 8, IPC_ID, OUT, LENGTH, INTEGER, FLAGS),
    CALL(msgctl, 8, IPC_ID, IPC_COMMAND, OUT),
    CALL(mq_open, 12, QUEUE_NAME, OPENING, MODE, QUEUE_ATTR),
    CALL(mq_unlink, 4, QUEUE_NAME),
    CALL(mq_timedsend, 10, FD_QUEUE, IN, SMALL, SMALL, DEADLINE),
    CALL(mq_timedreceive, 10, FD_QUEUE, OUT, LENGTH, PLACE, DEADLINE),
    CALL(mq_notify, 6, FD_QUEUE, SIGEVENT),
    CALL(mq_getsetattr, 6, FD_QUEUE, QUEUE_ATTR, OUT),
    CALL(memfd_create, 5, PATH, SMALL_COMMAND),
    CALL(sync_file_range, 3, FD, OFFSET, LENGTH, COUNT),
    CALL(readahead, 3, FD, OFFSET, LENGTH),
    CALL(mlock2, 4, ADDRESS, LENGTH, COUNT),
    CALL(mlockall, 1, SMALL_COMMAND),
    CALL(munlockall, 3, NONE),
    CALL(remap_file_pages, 3, ADDRESS, LENGTH, PROTECTION, COUNT, FLAGS),
    CALL(process_vm_readv, 6, PROCESS, VECTORS, COUNT, VECTORS, COUNT, NONE),
    USER(process_vm_writev, 3, "process 1 may be the judge", PROCESS, VECTORS, COUNT, VECTORS, COUNT, FLAGS),
    CALL(pkey_mprotect, 3, ADDRESS, LENGTH, PROTECTION, COUNT),
    CALL(pkey_alloc, 1, COUNT, COUNT),
    CALL(pkey_free, 1, COUNT),
    CALL(preadv2, 6, FD, VECTORS, COUNT, OFFSET, NONE, COUNT),
    CALL(pwritev2, 6, FD, VECTORS, COUNT, OFFSET, NONE, COUNT),
    CALL(process_madvise, 3, FD_PROCESS, VECTORS, COUNT, ADVICE, NONE),
    CALL(capget, 4, CAP_HEADER, OUT),
    CALL(capset, 2, CAP_HEADER, CAP_DATA),
    CALL(futimesat, 3, FOLDER, PATH, TIMES),
    CALL(getdents, 6, FD, OUT, LENGTH),
    CALL(getegid, 1, NONE),
    CALL(geteuid, 1, NONE),
    CALL(getgid, 1, NONE),
    CALL(getppid, 2, NONE),
    CALL(getresgid, 2, OUT, OUT, OUT),
    CALL(memfd_secret, 3, OPENING_FEW),
    CALL(renameat, 8, FOLDER, PATH, FOLDER, PATH),
    CALL(restart_syscall, 2, NONE),
    CALL(rt_tgsigqueueinfo, 4, PROCESS, PROCESS, SIGNAL, SIGINFO),
    CALL(sched_get_priority_min, 2, INTEGER),
    CALL(sched_getattr, 4, PROCESS, OUT, SMALL_SIZE, NONE),
    USER(sched_setattr, 4, "root could starve the judge", PROCESS, SCHED_ATTR, NONE),
    CALL(setdomainname, 2, IN, SMALL),
    CALL(setfsgid, 2, USER_ID),
    CALL(setregid, 1, USER_ID, USER_ID),
    USER(settimeofday, 2, "the judge measures time", TIME, NONE),
    CALL(syncfs, 2, FD),
};
const int calls_plain_count = sizeof(calls_plain) / sizeof(calls_plain[0]);

// What no run can see succeed, and why.
static const struct {
    const char *name, *reason;
} unsuccessful[] = {
    {"exit", "it does not return"},
    {"exit_group", "it does not return"},
    {"pause", "it ends by a signal only: EINTR"},
    {"rt_sigsuspend", "it ends by a signal only: EINTR"},
    {"restart_syscall", "EINTR but where the kernel itself has set it up"},
    {"reboot", "what root alone may do, root leaves out"},
    {"settimeofday", "what root alone may do, root leaves out"},
    {"clock_settime", "what root alone may do, root leaves out"},
    {"pivot_root", "what root alone may do, root leaves out"},
    {"a number without a call", "ENOSYS"},
    {"a negative number", "ENOSYS"},
    {"a number of another interface", "ENOSYS"},
};

const char *call_unsuccessful(const char *name) {
    for (size_t i = 0; i < sizeof(unsuccessful) / sizeof(unsuccessful[0]); i++) {
        if (strcmp(unsuccessful[i].name, name) == 0) {
            return unsuccessful[i].reason;
        }
    }
    return NULL;
}

static bool known(const char *name) {
    for (int i = 0; i < calls_plain_count; i++) {
        if (strcmp(calls_plain[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

int table_check(void) {
    int missing = 0;
#define X(number, name)                                                 \
    if (!known(#name)) {                                                \
        printf("the random tester does not know the call %s\n", #name); \
        missing++;                                                      \
    }
#include "../../personality/linux/syscalls.def"
#undef X
    for (size_t i = 0; i < sizeof(unsuccessful) / sizeof(unsuccessful[0]); i++) {
        if (!known(unsuccessful[i].name)) {
            printf("the random tester excuses a call that it does not make: %s\n", unsuccessful[i].name);
            missing++;
        }
    }
    return missing;
}
