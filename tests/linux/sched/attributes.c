// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// sched_setattr and sched_getattr (sizes, flags, errors), SCHED_RESET_ON_FORK, priorities of input and output, membarrier's registrations.
#include "testing.h"

#include <pthread.h>

enum { SCHED_RESET_ON_FORK_ = 0x40000000 };
enum {
    SCHED_FLAG_RESET_ON_FORK = 1,
    SCHED_FLAG_KEEP_POLICY = 8,
    SCHED_FLAG_KEEP_PARAMS = 16,
};
enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_WHO_PGRP = 2, IOPRIO_WHO_USER = 3 };
enum { IOPRIO_CLASS_NONE, IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE };
enum {
    MEMBARRIER_CMD_QUERY = 0,
    MEMBARRIER_CMD_GLOBAL = 1,
    MEMBARRIER_CMD_GLOBAL_EXPEDITED = 2,
    MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED = 4,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED = 8,
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 16,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 32,
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 64,
};

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
    uint64_t more[4];
};

static long set(pid_t pid, struct attributes *a, unsigned flags) {
    return syscall(SYS_sched_setattr, pid, a, flags);
}

static void show(const char *name) {
    struct attributes a = {0};
    long result = syscall(SYS_sched_getattr, 0, &a, 56, 0);
    say(name, "%ld: size %u, policy %u, flags %lx, nice %d, priority %u", result, a.size, a.policy,
        (unsigned long)a.flags, a.nice, a.priority);
}

static void sizes(void) {
    struct attributes a = {.size = 48};
    say_call("setattr, size 48", set(0, &a, 0));
    a.size = 0;
    say_call("setattr, size 0", set(0, &a, 0));
    a.size = 47;
    say_call("setattr, size 47", set(0, &a, 0));
    a.size = 5000;
    say_call("setattr, size 5000", set(0, &a, 0));
    a.size = 64;
    say_call("setattr, size 64, zeros beyond", set(0, &a, 0));
    a.more[0] = 1;
    a.size = 64;
    say_call("setattr, size 64, something beyond", set(0, &a, 0));
    say("size told", "%u", a.size);
    a = (struct attributes){.size = 48};
    say_call("setattr with flags", set(0, &a, 1));
    say_call("setattr of nobody", set(0x7ffffff0, &a, 0));
    say_call("setattr of -1", set(-1, &a, 0));
    say_call("setattr without attributes", set(0, NULL, 0));
    say_call("setattr at a bad address", set(0, (void *)8, 0));
    a.policy = 77;
    say_call("setattr, unknown policy", set(0, &a, 0));
    a.policy = 0x80000000;
    say_call("setattr, negative policy", set(0, &a, 0));
    a = (struct attributes){.size = 48, .flags = 0x100};
    say_call("setattr, unknown flag", set(0, &a, 0));
    a = (struct attributes){.size = 48, .nice = 100};
    say_call("setattr, nice 100", set(0, &a, 0));
    show("it is cut");
    a = (struct attributes){.size = 48, .nice = -100};
    say_call("setattr, nice -100", set(0, &a, 0));
    show("it is cut");
    a = (struct attributes){.size = 48, .priority = 1};
    say_call("setattr, priority for an ordinary policy", set(0, &a, 0));
    a = (struct attributes){.size = 48, .policy = SCHED_FIFO, .priority = 0};
    say_call("setattr, FIFO without priority", set(0, &a, 0));
    a.priority = 100;
    say_call("setattr, FIFO 100", set(0, &a, 0));
    a = (struct attributes){.size = 48, .policy = 6, .runtime = 10, .deadline = 5, .period = 1};
    say_call("setattr, deadline without sense", set(0, &a, 0));
    a = (struct attributes){.size = 48};
    set(0, &a, 0);
    for (unsigned size = 47; size < 57; size++) {
        struct attributes out = {.util_max = 0xeeee};
        long result = syscall(SYS_sched_getattr, 0, &out, size, 0);
        if (size == 47 || size == 48 || size == 56) {
            say("getattr", "size %u: %s, told %u", size, result == -1 ? error_name(errno) : "0", out.size);
        }
    }
    say_call("getattr with flags", syscall(SYS_sched_getattr, 0, &a, 56, 1));
    say_call("getattr of nobody", syscall(SYS_sched_getattr, 0x7ffffff0, &a, 56, 0));
    say_call("getattr at a bad address", syscall(SYS_sched_getattr, 0, (void *)8, 56, 0));
}

static int in_child(void) {
    show("child");
    return 0;
}

static void *in_thread(void *unused) {
    (void)unused;
    show("thread");
    return NULL;
}

static int unprivileged(void) {
    struct sched_param p = {0};
    MUST(setresuid(1000, 1000, 1000));
    say_call("user: reset-on-fork on", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER | SCHED_RESET_ON_FORK_, &p));
    say_call("user: and off", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &p));
    say_call("user: policy", syscall(SYS_sched_getscheduler, 0));
    say_call("user: ioprio_set, real time", syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_RT << 13));
    say_call("user: ioprio_set of root's",
             syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, getppid(), IOPRIO_CLASS_IDLE << 13));
    say_call("user: ioprio_set", syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_IDLE << 13));
    return 0;
}

static void reset_on_fork(void) {
    struct sched_param p = {.sched_priority = 10};
    struct attributes a = {.size = 48, .policy = SCHED_OTHER, .nice = -5, .flags = SCHED_FLAG_RESET_ON_FORK};
    pthread_t thread;
    say_call("FIFO with reset-on-fork", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO | SCHED_RESET_ON_FORK_, &p));
    say_call("policy", syscall(SYS_sched_getscheduler, 0));
    show("attributes");
    say_child("child", in_child);
    MUST(pthread_create(&thread, NULL, in_thread, NULL));
    pthread_join(thread, NULL);
    p.sched_priority = 12;
    say_call("sched_setparam keeps it", syscall(SYS_sched_setparam, 0, &p));
    show("attributes");
    a.flags |= SCHED_FLAG_KEEP_PARAMS;
    a.policy = SCHED_RR;
    say_call("KEEP_PARAMS", set(0, &a, 0));
    show("attributes");
    a.flags = SCHED_FLAG_KEEP_POLICY;
    a.priority = 20;
    say_call("KEEP_POLICY", set(0, &a, 0));
    show("attributes");
    a = (struct attributes){.size = 48, .policy = SCHED_OTHER, .nice = -5, .flags = SCHED_FLAG_RESET_ON_FORK};
    say_call("nice -5 with reset-on-fork", set(0, &a, 0));
    say_child("child", in_child);
    a.nice = 5;
    say_call("nice 5 with reset-on-fork", set(0, &a, 0));
    say_child("child", in_child);
    a.flags = a.nice = 0;
    say_call("neither", set(0, &a, 0));
    show("attributes");
}

static int io_of_child(void) {
    say("child", "%lx", syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0));
    return 0;
}

static void io_priorities(void) {
    static const int values[] = {0,
                                 1,
                                 7,
                                 IOPRIO_CLASS_RT << 13 | 7,
                                 IOPRIO_CLASS_RT << 13 | 8,
                                 IOPRIO_CLASS_BE << 13 | 3,
                                 IOPRIO_CLASS_BE << 13 | 9,
                                 IOPRIO_CLASS_IDLE << 13,
                                 IOPRIO_CLASS_IDLE << 13 | 5,
                                 4 << 13,
                                 -1};
    for (size_t i = 0; i < COUNT(values); i++) {
        char text[40];
        snprintf(text, sizeof(text), "ioprio_set %x", (unsigned)values[i]);
        say_call(text, syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, values[i]));
    }
    MUST(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, getpid(), IOPRIO_CLASS_BE << 13 | 3));
    say("ioprio_get", "%lx", syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0));
    say_child("child", io_of_child);
    say_call("ioprio_get of nobody", syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0x7ffffff0));
    say_call("ioprio_set of nobody", syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0x7ffffff0, IOPRIO_CLASS_IDLE << 13));
    say_call("ioprio_get, unknown kind", syscall(SYS_ioprio_get, 4, 0));
    say_call("ioprio_get, kind 0", syscall(SYS_ioprio_get, 0, 0));
    say_call("ioprio_set, unknown kind", syscall(SYS_ioprio_set, 4, 0, IOPRIO_CLASS_IDLE << 13));
    say_call("ioprio_set of the group", syscall(SYS_ioprio_set, IOPRIO_WHO_PGRP, 0, IOPRIO_CLASS_RT << 13 | 2));
    say("ioprio_get of the group", "%lx", syscall(SYS_ioprio_get, IOPRIO_WHO_PGRP, 0));
    say("ioprio_get of a user without processes", "%s",
        syscall(SYS_ioprio_get, IOPRIO_WHO_USER, 54321) == -1 ? error_name(errno) : "some");
}

static int forked(void) {
    say_call("child: PRIVATE_EXPEDITED", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    return 0;
}

static void barriers(void) {
    say_bool("QUERY tells of them", (syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) & 127) == 127);
    say_call("QUERY with flags", syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 1, 0));
    say_call("unknown command", syscall(SYS_membarrier, 3, 0, 0));
    say_call("GLOBAL", syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
    say_call("GLOBAL_EXPEDITED", syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
    say_call("REGISTER_GLOBAL_EXPEDITED", syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0));
    say_call("PRIVATE_EXPEDITED, not registered", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    say_call("REGISTER_PRIVATE_EXPEDITED", syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
    say_call("PRIVATE_EXPEDITED", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    say_call("PRIVATE_EXPEDITED_SYNC_CORE, not registered",
             syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
    say_call("REGISTER_PRIVATE_EXPEDITED_SYNC_CORE",
             syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
    say_call("PRIVATE_EXPEDITED_SYNC_CORE", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
    say_child("a child", forked);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        say_call("another program: PRIVATE_EXPEDITED", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
        return 0;
    }
    sizes();
    reset_on_fork();
    io_priorities();
    say_child("unprivileged", unprivileged);
    barriers();
    execl("/proc/self/exe", argv[0], "again", NULL);
    return 1;
}
