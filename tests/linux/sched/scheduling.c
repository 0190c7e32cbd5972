// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Scheduling calls: yield, affinity, nice, policies; and that two threads do run at the same time on two processors.
#include "testing.h"
#include <pthread.h>

static int as_user(void) {
    setuid(1000);
    struct sched_param parameters = {.sched_priority = 10};
    say_call("user: SCHED_FIFO", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameters));
    say_call("user: nicer", setpriority(PRIO_PROCESS, 0, 5));
    say_call("user: back", setpriority(PRIO_PROCESS, 0, 0));
    say_call("user: another's nice", setpriority(PRIO_PROCESS, 1, 5));
    return 0;
}

static _Atomic int ball;

static void *play(void *argument) {
    (void)argument;
    for (int i = 0; i < 200; i++) {
        while (ball % 2 == 0) {
            __asm__ volatile("pause");
        }
        ball++;
    }
    return NULL;
}

static _Atomic bool stop;

static void *spin(void *argument) {
    (void)argument;
    while (!stop) {}
    return NULL;
}

int main(void) {
    cpu_set_t set;
    struct sched_param parameters = {.sched_priority = 0};
    say_call("sched_yield", sched_yield());
    say_bool("sched_getaffinity gives bytes", syscall(SYS_sched_getaffinity, 0, sizeof(set), &set) >= 8);
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof(set), &set);
    int processors = CPU_COUNT(&set);
    say_bool("two processors at least", processors >= 2);
    unsigned processor = 999;
    say_call("getcpu", syscall(SYS_getcpu, &processor, NULL, NULL));
    say_bool("is one of them", (int)processor < processors);
    for (int i = 0; i < 2; i++) {
        CPU_ZERO(&set);
        CPU_SET(i, &set);
        say_call("pin to a processor", sched_setaffinity(0, sizeof(set), &set));
        syscall(SYS_getcpu, &processor, NULL, NULL);
        say("runs on", "%u", processor);
    }
    pid_t pid = fork();
    if (pid == 0) {
        sched_getaffinity(0, sizeof(set), &set);
        _exit(CPU_COUNT(&set));
    }
    say("a child inherits it", "%s", status_text(reap(pid)));
    CPU_ZERO(&set);
    say_call("no processor", sched_setaffinity(0, sizeof(set), &set));
    CPU_SET(1000, &set);
    say_call("processors that are not there", sched_setaffinity(0, sizeof(set), &set));
    say_call("no process", sched_setaffinity(999999, sizeof(set), &set));
    say_call("small buffer", syscall(SYS_sched_getaffinity, 0, 4, &set));
    memset(&set, 0xff, sizeof(set));
    say_call("all", sched_setaffinity(0, sizeof(set), &set));

    say_call("getpriority", getpriority(PRIO_PROCESS, 0));
    say_call("setpriority", setpriority(PRIO_PROCESS, 0, 7));
    say_call("getpriority", getpriority(PRIO_PROCESS, 0));
    say_call("raw getpriority counts from 20 down", syscall(SYS_getpriority, PRIO_PROCESS, 0));
    setpriority(PRIO_PROCESS, 0, 100);
    say_call("clamped", getpriority(PRIO_PROCESS, 0));
    setpriority(PRIO_PROCESS, 0, 0);
    say_call("of no process", getpriority(PRIO_PROCESS, 999999));
    say_call("unknown kind", getpriority(9, 0));
    say_call("of the group", getpriority(PRIO_PGRP, 0));

    say_call("policy", syscall(SYS_sched_getscheduler, 0));
    say_call("FIFO highest", sched_get_priority_max(SCHED_FIFO));
    say_call("FIFO lowest", sched_get_priority_min(SCHED_FIFO));
    say_call("ordinary highest", sched_get_priority_max(SCHED_OTHER));
    say_call("unknown policy", sched_get_priority_max(77));
    parameters.sched_priority = 10;
    say_call("ordinary with a priority", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &parameters));
    say_call("SCHED_RR", syscall(SYS_sched_setscheduler, 0, SCHED_RR, &parameters));
    say_call("policy", syscall(SYS_sched_getscheduler, 0));
    syscall(SYS_sched_getparam, 0, &parameters);
    say("priority", "%d", parameters.sched_priority);
    parameters.sched_priority = 100;
    say_call("priority too high", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameters));
    parameters.sched_priority = 0;
    say_call("FIFO with priority 0", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameters));
    say_call("back to ordinary", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &parameters));
    say_call("of no process", syscall(SYS_sched_getscheduler, 999999));
    say_call("of a negative process", syscall(SYS_sched_getscheduler, -1));
    say_child("as a user", as_user);

    pthread_t thread, *spinners = calloc((size_t)processors + 1, sizeof(*spinners));
    pthread_create(&thread, NULL, play, NULL);
    for (int i = 0; i < 200; i++) {
        while (ball % 2 == 1) {
            __asm__ volatile("pause");
        }
        ball++;
    }
    pthread_join(thread, NULL);
    say("a ball between two threads that spin", "%d", (int)ball);
    for (int i = 0; i <= processors; i++) {
        pthread_create(&spinners[i], NULL, spin, NULL);
    }
    sleep_ms(30);
    stop = true;
    for (int i = 0; i <= processors; i++) {
        pthread_join(spinners[i], NULL);
    }
    free(spinners);
    say("a sleeper wakes beside more spinners than processors", "yes");
    return 0;
}
