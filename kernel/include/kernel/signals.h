// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Signals of objects that can be waited for, and who observes them (kernel/ipc/signals.c); the objects that are nothing else: events and timers; channels; bindings to
// endpoints. docs/waiting.md tells what programs see.
#ifndef KERNEL_SIGNALS_H
#define KERNEL_SIGNALS_H

#include <invar/core.h>
#include <kernel/list.h>
#include <kernel/lock.h>
#include <kernel/object.h>
#include <kernel/time.h>

struct signals {
    struct spinlock lock;       // rank SIGNALS, interrupts off
    _Atomic inv_signals_t set;  // changed under lock
    struct list_node observers; // lock: last come first
};

// Somebody who is told when one of the signals that he wants becomes set.
struct observer {
    struct list_node node; // the signals' lock: on the list, or alone
    /* immutable while it is on the list: */
    inv_signals_t wanted; // 0: nobody, the place of a walk
    bool once;            // taken off the list before it is told
    // set is all the signals that are set, one of wanted among them. Any context, interrupts off, the signals' lock held.
    void (*notify)(struct observer *o, inv_signals_t set);
};

void signals_init(struct signals *s);
// Clears, then sets: the one way in which signals change. Observers are told of those that become set. Any context.
void signals_change(struct signals *s, inv_signals_t clear, inv_signals_t set);
// The same with the lock held; the lock may be dropped and taken again in between, and *flags with it.
void signals_change_locked(struct signals *s, inv_signals_t clear, inv_signals_t set, irq_flags_t *flags);
// o, whose node is alone, is told from now on: at once, if one that it wants is set. Any context.
void signals_observe(struct signals *s, struct observer *o);
void signals_observe_locked(struct signals *s, struct observer *o); // the lock is held
// After it o is not told, and its memory not looked at. Harmless if it is not on the list. Any context.
void signals_unobserve(struct signals *s, struct observer *o);
static inline inv_signals_t signals_now(const struct signals *s) {
    return atomic_load_explicit(&s->set, memory_order_acquire);
}
// The object of a handle of the current process that is to be waited for, counted. BAD_HANDLE, WRONG_TYPE (it has no signals), ACCESS.
must_check inv_status_t signals_lookup(inv_handle_t h, struct object **out, struct signals **out_signals);
// Whether a program may ask for these.
static inline bool signals_valid(uint32_t wanted) {
    return wanted != 0 && (wanted & ~INV_SIGNALS_ALL) == 0;
}

struct event {
    struct object obj;
    struct signals signals;
};

struct timer {
    struct object obj;
    struct signals signals;
    struct ktimer timer;
    /* the signals' lock: */
    bool armed;
    nstime_t deadline, period, slack; // period 0: none
};

// One end of a channel.
struct channel {
    struct object obj;
    struct signals signals;
    struct channel_pair *pair; // immutable
    unsigned side;             // immutable: which end it is
    /* the pair's lock: */
    struct list_node messages; // for this end to read
    uint32_t count;
};

extern struct object_type event_type, timer_type, binding_type, channel_type;
void waitable_init_boot(void); // their types

#endif
