// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Who is told when the wall clock is set: timers and sleeps that count its time. The clock itself is the core's (kernel/time/clock.c), which knows
// nobody above it.
//
// Locking: lock (WALL_WATCH), interrupts off, held over the calls: who was taken off the list is not called any more.
#include <executive/event.h>
#include <kernel/process.h>
#include <kernel/sched.h>

static struct spinlock lock = SPINLOCK_INIT(LOCK_RANK_WALL_WATCH);
static struct list_node watches = LIST_INIT(watches); // lock

void wall_watch_init(struct wall_watch *w, void (*changed)(struct wall_watch *w)) {
    w->changed = changed;
    list_init(&w->node);
}

void wall_watch_add(struct wall_watch *w) {
    irq_flags_t flags = spin_lock_irq(&lock);
    if (list_empty(&w->node))
        list_push_back(&watches, &w->node);
    spin_unlock_irq(&lock, flags);
}

void wall_watch_remove(struct wall_watch *w) {
    irq_flags_t flags = spin_lock_irq(&lock);
    list_remove(&w->node);
    spin_unlock_irq(&lock, flags);
}

void wall_clock_set(nstime_t wall) {
    struct wall_watch *w;
    irq_flags_t flags = spin_lock_irq(&lock); // also: one setter at a time, as the vDSO's page wants it
    clock_wall_set(wall);
    list_for_each(w, &watches, node)
        w->changed(w);
    spin_unlock_irq(&lock, flags);
}

nstime_t wall_deadline(nstime_t wall) {
    if (wall == NSTIME_NEVER)
        return wall;
    nstime_t now = clock_wall();
    return wall > now ? deadline_after(wall - now) : clock_monotonic();
}

struct wall_sleep {
    struct wall_watch watch;
    struct thread *thread;
    _Atomic bool moved;
};

static void sleep_moved(struct wall_watch *w) {
    struct wall_sleep *s = container_of(w, struct wall_sleep, watch);
    atomic_store(&s->moved, true);
    sched_wake(s->thread);
}

inv_status_t wall_sleep_until(nstime_t wall, enum wait_kind kind) {
    struct wall_sleep sleep = {.thread = current_thread()};
    inv_status_t s = INV_OK;
    wall_watch_init(&sleep.watch, sleep_moved);
    wall_watch_add(&sleep.watch);
    while (s == INV_OK) {
        nstime_t deadline = wall_deadline(wall);
        do {
            thread_sleep_prepare(kind);
            if (atomic_exchange(&sleep.moved, false))
                break;
            s = thread_sleep(deadline);
        } while (s == INV_OK);
        thread_sleep_finish();
        if (s == INV_ERR_TIMED_OUT && wall != NSTIME_NEVER && clock_wall() < wall)
            s = INV_OK; // the clock was moved between the two looks
    }
    wall_watch_remove(&sleep.watch);
    return s == INV_ERR_TIMED_OUT ? INV_OK : s;
}
