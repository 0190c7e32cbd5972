// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Kernel threads of the self-tests here: started together, awaited together.
#ifndef VFS_SELFTEST_THREADS_H
#define VFS_SELFTEST_THREADS_H

#include <kernel/process.h>
#include <kernel/wait.h>

struct crew {
    struct waitq done;
    _Atomic unsigned running;
};
struct crew_member {
    struct crew *crew;
    void (*work)(void *arg);
    void *arg;
};

static inline void crew_init(struct crew *c) {
    waitq_init(&c->done);
    c->running = 0;
}
static inline void crew_entry(void *arg) {
    struct crew_member *m = arg;
    struct crew *c = m->crew;
    m->work(m->arg);
    preempt_disable(); // the crew lives on a stack that may go as soon as running is 0
    if (atomic_fetch_sub(&c->running, 1) == 1)
        waitq_wake(&c->done, UINT32_MAX, 0);
    preempt_enable();
    thread_exit();
}
static inline bool crew_add(struct crew *c, struct crew_member *m, void (*work)(void *arg), void *arg) {
    struct thread *t;
    *m = (struct crew_member){.crew = c, .work = work, .arg = arg};
    atomic_fetch_add(&c->running, 1);
    if (thread_create_kernel(crew_entry, m, "selftest", PRIORITY_FAIR, &t) != INV_OK) {
        atomic_fetch_sub(&c->running, 1);
        return false;
    }
    thread_start(t);
    object_put(&t->obj);
    return true;
}
static inline void crew_wait(struct crew *c) {
    inv_status_t s;
    WAIT_EVENT(&c->done, atomic_load(&c->running) == 0, WAIT_UNINTERRUPTIBLE, NSTIME_NEVER, s);
    (void)s;
    epoch_synchronize(); // the last one is out of its wake-up
}

#endif
