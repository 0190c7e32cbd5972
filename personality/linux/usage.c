// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Accounts of processor time and faults: of a thread, of a process with its ended threads, of reaped children. The scheduler keeps a
// thread's time on processors, and how much of it was spent in the kernel: what is not, is user time.
#include "process.h"

static void usage_of_core_thread(struct thread *t, struct linux_usage *out) {
    struct sched_context *c = t->sched.own;
    struct sched_times times;

    sched_get_times(t, &times);
    *out = (struct linux_usage){.times.user = times.total - times.kernel,
                                .times.system = times.kernel,
                                .switches_voluntary = c != NULL ? c->switches_voluntary : 0,
                                .switches_forced = c != NULL ? c->switches_forced : 0};
}

void linux_usage_of_thread(struct linux_thread *t, struct linux_usage *out) {
    usage_of_core_thread(t->thread, out);
    out->io = t->io;
}

void linux_usage_add(struct linux_usage *to, const struct linux_usage *from) {
    to->times.user += from->times.user;
    to->times.system += from->times.system;
    to->io.bytes_read += from->io.bytes_read;
    to->io.bytes_written += from->io.bytes_written;
    to->io.reads += from->io.reads;
    to->io.writes += from->io.writes;
    to->faults_minor += from->faults_minor;
    to->faults_major += from->faults_major;
    to->switches_voluntary += from->switches_voluntary;
    to->switches_forced += from->switches_forced;
    to->resident_peak = MAX(to->resident_peak, from->resident_peak);
}

nstime_t linux_process_runtime_locked(struct linux_process *p) {
    nstime_t sum = p->usage.times.user + p->usage.times.system;
    struct linux_thread *t;

    list_for_each(t, &p->threads, node)
        sum += sched_runtime(t->thread);
    return sum;
}

void linux_process_usage_locked(struct linux_process *p, struct linux_usage *out) {
    struct linux_thread *t;

    *out = p->usage;
    list_for_each(t, &p->threads, node) {
        struct linux_usage u;
        linux_usage_of_thread(t, &u);
        linux_usage_add(out, &u);
    }
}

void linux_rusage_fill(struct linux_rusage *out, const struct linux_usage *u) {
    *out = (struct linux_rusage){
        .user_seconds = (int64_t)(u->times.user / NSEC_PER_SEC),
        .user_microseconds = (int64_t)(u->times.user % NSEC_PER_SEC / NSEC_PER_USEC),
        .system_seconds = (int64_t)(u->times.system / NSEC_PER_SEC),
        .system_microseconds = (int64_t)(u->times.system % NSEC_PER_SEC / NSEC_PER_USEC),
        .resident_peak = (int64_t)(u->resident_peak * (PAGE_SIZE / 1024)),
        .faults_minor = (int64_t)u->faults_minor,
        .faults_major = (int64_t)u->faults_major,
        .switches_voluntary = (int64_t)u->switches_voluntary,
        .switches_forced = (int64_t)u->switches_forced,
    };
}
