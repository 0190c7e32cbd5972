// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Device interrupts: a vector for each global system interrupt in use, and the handlers that share it. irq_register and irq_unregister: thread context;
// irq_dispatch: from arch entry code, interrupts off.
//
// Invariants:
//   I1 a line in use has at least one handler and is unmasked, unless nobody claimed its interrupts; one without handlers is masked.
//   I2 when irq_unregister returns, the handler does not run and will not run again.
// Locking: table_lock guards which line has which vector; each line's lock guards its handlers and is held while they run, so that a handler takes locks of
// higher rank only, and never registers or unregisters.
#include <arch/vectors.h>
#include <kernel/assert.h>
#include <kernel/cpu.h>
#include <kernel/irq.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/platform.h>

#define GSI_NONE        UINT32_MAX
#define UNCLAIMED_LIMIT 1000 // in a row on a level line: nobody quiets the device, so the line is masked

struct irq_line {
    struct spinlock lock;
    /* lock: */
    struct list_node handlers;
    unsigned unclaimed;
    /* table_lock: */
    bool used;
    unsigned gsi;
    bool level, active_low;
};

static struct irq_line lines[ARCH_IRQ_VECTOR_COUNT];
static struct spinlock table_lock = SPINLOCK_INIT(LOCK_RANK_IRQ); // before a line's lock

// table_lock held. NULL: not in use.
static struct irq_line *line_find(unsigned gsi) {
    for (unsigned i = 0; i < ARCH_IRQ_VECTOR_COUNT; i++)
        if (lines[i].used && lines[i].gsi == gsi)
            return &lines[i];
    return NULL;
}

// table_lock held. NULL: all vectors are in use.
static struct irq_line *line_create(unsigned gsi, bool level, bool active_low) {
    for (unsigned i = 0; i < ARCH_IRQ_VECTOR_COUNT; i++) {
        struct irq_line *l = &lines[i];
        if (l->used)
            continue;
        if (!l->handlers.next) { // once: an interrupt of its last user may still be on its way, and hold the lock
            spin_lock_init(&l->lock, LOCK_RANK_IRQ);
            list_init(&l->handlers);
        }
        l->used = true;
        l->gsi = gsi;
        l->level = level;
        l->active_low = active_low;
        l->unclaimed = 0;
        return l;
    }
    return NULL;
}

static inv_status_t register_locked(unsigned gsi, bool level, bool active_low, struct irq_handler *h) {
    struct irq_line *l = line_find(gsi);

    if (l && (l->level != level || l->active_low != active_low || !level))
        return INV_ERR_BUSY; // an edge cannot be shared
    if (!l) {
        l = line_create(gsi, level, active_low);
        if (!l)
            return INV_ERR_NO_MEMORY;
        inv_status_t status = platform_irq_route(gsi, ARCH_IRQ_VECTOR_FIRST + (unsigned)(l - lines), level, active_low);
        if (status != INV_OK) {
            l->used = false;
            return status;
        }
    }
    spin_lock(&l->lock);
    list_push_back(&l->handlers, &h->node);
    l->unclaimed = 0;
    spin_unlock(&l->lock);
    platform_irq_mask(gsi, false);
    return INV_OK;
}

inv_status_t irq_register(unsigned gsi, bool level, bool active_low, struct irq_handler *h) {
    irq_flags_t flags = spin_lock_irq(&table_lock);
    inv_status_t status = register_locked(gsi, level, active_low, h);

    spin_unlock_irq(&table_lock, flags);
    return status;
}

// A message has no line at an interrupt controller: its gsi is none that anybody could name.
inv_status_t irq_register_message(struct irq_handler *h, uint64_t *out_address, uint32_t *out_data) {
    irq_flags_t flags = spin_lock_irq(&table_lock);
    struct irq_line *l = line_create(GSI_NONE, false, false);
    inv_status_t status = INV_ERR_NO_MEMORY;

    if (l) {
        status = platform_irq_message(ARCH_IRQ_VECTOR_FIRST + (unsigned)(l - lines), out_address, out_data);
        if (status == INV_OK)
            list_push_back(&l->handlers, &h->node); // the device does not know the message yet
        else
            l->used = false;
    }
    spin_unlock_irq(&table_lock, flags);
    return status;
}

void irq_unregister(unsigned gsi, struct irq_handler *h) {
    irq_flags_t flags = spin_lock_irq(&table_lock);
    struct irq_line *l = line_find(gsi);

    ASSERT(l != NULL);
    spin_lock(&l->lock);
    list_remove(&h->node);
    if (list_empty(&l->handlers)) {
        platform_irq_mask(gsi, true);
        l->used = false; // an interrupt still on its way finds no handler
    }
    spin_unlock(&l->lock);
    spin_unlock_irq(&table_lock, flags);
}

static void count_unclaimed(struct irq_line *l, bool claimed) {
    l->unclaimed = claimed ? 0 : l->unclaimed + 1;
    if (l->unclaimed != UNCLAIMED_LIMIT || !l->level)
        return;
    platform_irq_mask(l->gsi, true);
    log_error("irq", "interrupt %u is claimed by no handler: masked", l->gsi);
}

void irq_dispatch(unsigned vector) {
    struct irq_line *l = &lines[vector - ARCH_IRQ_VECTOR_FIRST];
    struct irq_handler *h;
    bool claimed = false;

    if (!l->handlers.next)
        return; // the vector was never used
    spin_lock(&l->lock);
    list_for_each(h, &l->handlers, node)
        claimed |= h->fn(h->arg);
    count_unclaimed(l, claimed);
    spin_unlock(&l->lock);
}
