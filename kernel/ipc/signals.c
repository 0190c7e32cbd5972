// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Signals: a set of bits, and those who are told when one of them becomes set. Any context.
//
// Invariants:
//   S1  set changes in signals_change_locked alone, under the lock; an observer that stands on the list then, and wants what became set, is told, once, with
//       the set as it became, even if it is another by the time that it is his turn.
//   S2  an observer is told only of what became set after it was put on the list, or is set when it is.
// Locking: the signals' lock, interrupts off. It is dropped after each BATCH observers, so that many of them hold nobody off for long: a walk leaves its place on
// the list. New observers come in front of all walks, which go from front to back (S2).
#include <kernel/process.h>
#include <kernel/signals.h>

#define BATCH 64

void signals_init(struct signals *s) {
    spin_lock_init(&s->lock, LOCK_RANK_SIGNALS);
    atomic_init(&s->set, 0);
    list_init(&s->observers);
}

static void tell(struct observer *o, inv_signals_t set) {
    if (o->once)
        list_remove(&o->node);
    o->notify(o, set); // its last touch, if it was taken off
}

static void tell_all(struct signals *s, inv_signals_t set, inv_signals_t rising, irq_flags_t *flags) {
    struct observer place = {.wanted = 0};
    struct list_node *n, *next;
    unsigned looked_at = 0;

    for (n = s->observers.next; n != &s->observers; n = next) {
        struct observer *o = list_entry(n, struct observer, node);
        next = n->next;
        if (o->wanted & rising)
            tell(o, set);
        if (++looked_at % BATCH != 0)
            continue;
        list_insert_between(&place.node, next->prev, next);
        spin_unlock_irq(&s->lock, *flags);
        *flags = spin_lock_irq(&s->lock);
        next = place.node.next;
        list_remove(&place.node);
    }
}

void signals_change_locked(struct signals *s, inv_signals_t clear, inv_signals_t set, irq_flags_t *flags) {
    inv_signals_t kept = atomic_load_explicit(&s->set, memory_order_relaxed) & ~clear;

    atomic_store_explicit(&s->set, kept | set, memory_order_release);
    if ((set & ~kept) != 0 && !list_empty(&s->observers))
        tell_all(s, kept | set, set & ~kept, flags);
}

void signals_change(struct signals *s, inv_signals_t clear, inv_signals_t set) {
    irq_flags_t flags = spin_lock_irq(&s->lock);
    signals_change_locked(s, clear, set, &flags);
    spin_unlock_irq(&s->lock, flags);
}

void signals_observe_locked(struct signals *s, struct observer *o) {
    inv_signals_t set = atomic_load_explicit(&s->set, memory_order_relaxed);

    list_push_front(&s->observers, &o->node);
    if (o->wanted & set)
        tell(o, set);
}

void signals_observe(struct signals *s, struct observer *o) {
    irq_flags_t flags = spin_lock_irq(&s->lock);
    signals_observe_locked(s, o);
    spin_unlock_irq(&s->lock, flags);
}

void signals_unobserve(struct signals *s, struct observer *o) {
    irq_flags_t flags = spin_lock_irq(&s->lock);
    list_remove(&o->node);
    spin_unlock_irq(&s->lock, flags);
}

inv_status_t signals_lookup(inv_handle_t h, struct object **out, struct signals **out_signals) {
    inv_rights_t rights;
    struct object *o;

    inv_status_t status = handle_lookup_rights(&current_process()->handles, h, NULL, 0, &o, &rights);
    if (status != INV_OK)
        return status;
    if (o->type->signals == NULL)
        status = INV_ERR_WRONG_TYPE;
    else if (!(rights & INV_RIGHT_WAIT))
        status = INV_ERR_ACCESS;
    if (status != INV_OK) {
        object_put(o);
        return status;
    }
    *out = o;
    *out_signals = o->type->signals(o);
    return INV_OK;
}
