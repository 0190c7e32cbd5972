// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The native calls that wait for signals of one object, or of several. What each does and which errors it has, in order: abi/idl/core.idl. Thread context.
//
// Invariant: a thread that waits counts the object, so that neither a closed handle nor an ended object takes the signals away under it.
#include <arch/usercopy.h>
#include <kernel/native_calls.h>
#include <kernel/process.h>
#include <kernel/signals.h>
#include <kernel/slab.h>

struct waiting {
    struct observer observer;
    struct thread *thread;
    _Atomic bool *ready;
    inv_signals_t observed; // 0: not told; written under the signals' lock, read after signals_unobserve
    struct object *object;  // counted
    struct signals *signals;
};

static void waiting_notify(struct observer *o, inv_signals_t set) {
    struct waiting *w = container_of(o, struct waiting, observer);

    w->observed = set;
    atomic_store_explicit(w->ready, true, memory_order_release);
    sched_wake(w->thread);
}

static void waiting_begin(struct waiting *w, inv_signals_t wanted, _Atomic bool *ready) {
    w->observer = (struct observer){.wanted = wanted | INV_SIGNAL_CLOSED, .once = true, .notify = waiting_notify};
    list_init(&w->observer.node);
    w->thread = current_thread();
    w->ready = ready;
    w->observed = 0;
    signals_observe(w->signals, &w->observer);
}

static inv_status_t wait_until_ready(_Atomic bool *ready, nstime_t deadline) {
    inv_status_t status = INV_OK;

    for (;;) {
        thread_sleep_prepare(WAIT_INTERRUPTIBLE);
        bool done = atomic_load_explicit(ready, memory_order_acquire);
        if (done)
            status = INV_OK;
        if (done || status != INV_OK)
            break;
        status = thread_sleep(deadline);
    }
    thread_sleep_finish();
    return status;
}

inv_status_t sys_object_wait(inv_handle_t h, uint32_t signals, uint64_t deadline, uint32_t *out_observed) {
    _Atomic bool ready = false;
    struct waiting w;

    inv_status_t status = signals_lookup(h, &w.object, &w.signals);
    if (status != INV_OK)
        return status;
    inv_signals_t now = signals_now(w.signals);
    if (!signals_valid(signals)) {
        status = INV_ERR_INVALID;
    } else if (now & (signals | INV_SIGNAL_CLOSED)) {
        *out_observed = now;
    } else {
        waiting_begin(&w, signals, &ready);
        status = wait_until_ready(&ready, deadline);
        signals_unobserve(w.signals, &w.observer);
        *out_observed = w.observed;
        if (w.observed != 0) // it came as the thread gave up
            status = INV_OK;
    }
    object_put(w.object);
    return status;
}

// --- several ---

// The objects of all items; those of the first *out_found are counted, whatever the status.
static inv_status_t many_find(const struct inv_wait_item *items, uint32_t count, struct waiting *w,
                              uint32_t *out_found) {
    for (uint32_t i = 0; i < count; i++) {
        inv_status_t status = signals_lookup(items[i].handle, &w[i].object, &w[i].signals);
        if (status != INV_OK)
            return status;
        *out_found = i + 1;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!signals_valid(items[i].signals))
            return INV_ERR_INVALID;
    return INV_OK;
}

static inv_status_t many_wait(const struct inv_wait_item *items, uint32_t count, struct waiting *w, nstime_t deadline,
                              uint32_t *observed, uint32_t *out_ready) {
    _Atomic bool ready = false;

    for (uint32_t i = 0; i < count; i++)
        waiting_begin(&w[i], items[i].signals, &ready);
    inv_status_t status = wait_until_ready(&ready, deadline);
    *out_ready = 0;
    for (uint32_t i = 0; i < count; i++) {
        signals_unobserve(w[i].signals, &w[i].observer);
        observed[i] = w[i].observed;
        *out_ready += w[i].observed != 0;
    }
    return *out_ready != 0 ? INV_OK : status;
}

inv_status_t sys_object_wait_many(const void user_ptr *user_items, size_t items_size, void user_ptr *user_observed,
                                  size_t observed_size, uint64_t deadline, uint32_t *out_ready) {
    struct inv_wait_item items[INV_WAIT_MAX];
    uint32_t observed[INV_WAIT_MAX], count = (uint32_t)(items_size / sizeof(items[0])), found = 0;

    _Static_assert(sizeof(items) == 512 && sizeof(observed) == 256, "as declared in core.idl");
    if (count == 0 || items_size % sizeof(items[0]) != 0 || observed_size != count * sizeof(observed[0]))
        return INV_ERR_INVALID;
    inv_status_t status = arch_copy_from_user(items, user_items, items_size);
    if (status != INV_OK)
        return status;
    struct waiting *w = kmalloc(count * sizeof(*w));
    if (w == NULL)
        return INV_ERR_NO_MEMORY;
    status = many_find(items, count, w, &found);
    if (status == INV_OK)
        status = many_wait(items, count, w, deadline, observed, out_ready);
    while (found > 0)
        object_put(w[--found].object);
    kfree(w);
    if (status == INV_OK)
        status = arch_copy_to_user(user_observed, observed, observed_size);
    return status;
}
