// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Input of terminals: drivers put bytes into the terminal's raw ring from interrupt context, and one thread takes them through the line disciplines of all
// terminals, echoes, and sends signals. A discipline that has no room leaves the bytes in the ring; a ring that is full throttles its driver.
//
// Locking: worker_lock (rank TTY_INPUT) guards the list of terminals with work. tty->input_lock (same rank) is never held together with it.

#include "tty_private.h"

#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/string.h>

#define WORK_PIECE 256
#define RAW_HIGH   (TTY_RAW_SIZE / 4 * 3)
#define RAW_LOW    (TTY_RAW_SIZE / 4)

static struct spinlock worker_lock = SPINLOCK_INIT(LOCK_RANK_TTY_INPUT);
static struct list_node worker_list = LIST_INIT(worker_list); // worker_lock
static struct waitq worker_queue = WAITQ_INIT(worker_queue);
static _Atomic uint32_t worker_requests;

void tty_worker_init(struct tty *t) {
    spin_lock_init(&t->input_lock, LOCK_RANK_TTY_INPUT);
    list_init(&t->work_node);
}

void tty_schedule(struct tty *t) {
    irq_flags_t flags = spin_lock_irq(&worker_lock);

    if (!t->work_queued) {
        t->work_queued = true;
        list_push_back(&worker_list, &t->work_node);
    }
    spin_unlock_irq(&worker_lock, flags);
    atomic_fetch_add_explicit(&worker_requests, 1, memory_order_release);
    waitq_wake(&worker_queue, 1, 0);
}

void tty_input(struct tty *t, const char *bytes, size_t n) {
    irq_flags_t flags = spin_lock_irq(&t->input_lock);

    for (size_t i = 0; i < n && t->raw_head - t->raw_tail < TTY_RAW_SIZE; i++)
        t->raw[t->raw_head++ % TTY_RAW_SIZE] = (uint8_t)bytes[i];
    spin_unlock_irq(&t->input_lock, flags);
    tty_schedule(t);
}

void tty_input_break(struct tty *t) {
    irq_flags_t flags = spin_lock_irq(&t->input_lock);

    t->raw_break = true;
    spin_unlock_irq(&t->input_lock, flags);
    tty_schedule(t);
}

size_t tty_input_room(struct tty *t) {
    irq_flags_t flags = spin_lock_irq(&t->input_lock);
    size_t room = TTY_RAW_SIZE - (t->raw_head - t->raw_tail);

    if (room == 0)
        t->throttled = true;
    spin_unlock_irq(&t->input_lock, flags);
    return room;
}

void tty_discard_raw(struct tty *t) {
    irq_flags_t flags = spin_lock_irq(&t->input_lock);

    t->raw_tail = t->raw_head;
    spin_unlock_irq(&t->input_lock, flags);
}

// Copies the oldest raw bytes without taking them: the discipline may not want all.
static size_t raw_peek(struct tty *t, uint8_t *to, size_t n, uint32_t *out_from, bool *out_break) {
    irq_flags_t flags = spin_lock_irq(&t->input_lock);
    size_t count = MIN(n, (size_t)(t->raw_head - t->raw_tail));

    for (size_t i = 0; i < count; i++)
        to[i] = t->raw[(t->raw_tail + i) % TTY_RAW_SIZE];
    *out_from = t->raw_tail;
    *out_break = t->raw_break;
    t->raw_break = false;
    spin_unlock_irq(&t->input_lock, flags);
    return count;
}

// Takes the n bytes off that were seen at from. True if the driver is to be told that there is room again.
static bool raw_drop(struct tty *t, uint32_t from, size_t n) {
    irq_flags_t flags = spin_lock_irq(&t->input_lock);

    // A flush may have emptied the ring meanwhile; what came after it nobody has seen.
    if (t->raw_tail == from)
        t->raw_tail += (uint32_t)n;
    bool release = t->throttled && t->raw_head - t->raw_tail < TTY_RAW_SIZE / 2;
    if (release)
        t->throttled = false;
    spin_unlock_irq(&t->input_lock, flags);
    return release;
}

static uint32_t raw_fill(struct tty *t) {
    irq_flags_t flags = spin_lock_irq(&t->input_lock);
    uint32_t fill = t->raw_head - t->raw_tail;

    spin_unlock_irq(&t->input_lock, flags);
    return fill;
}

// IXOFF: asks the other end to stop before the ring is full, and to go on when it is nearly empty. [lock]
static void ask_for_pause(struct tty *t) {
    const struct termios *settings = &t->ldisc.termios;
    uint32_t fill = raw_fill(t);
    bool stop = (settings->iflag & IXOFF) != 0 && (t->told_to_stop ? fill > RAW_LOW : fill > RAW_HIGH);

    if (stop == t->told_to_stop)
        return;
    char c = (char)settings->cc[stop ? VSTOP : VSTART];
    if (c != 0 && t->driver->write(t, &c, 1) == 1)
        t->told_to_stop = stop;
}

// Takes one piece through the discipline. False: there was none, or no room for it.
static bool work_piece(struct tty *t) {
    uint8_t piece[WORK_PIECE];
    bool break_seen;
    uint32_t from;
    size_t n = raw_peek(t, piece, sizeof(piece), &from, &break_seen);

    mutex_lock(&t->lock);
    if (break_seen)
        ldisc_input_break(&t->ldisc);
    size_t taken = ldisc_input(&t->ldisc, piece, n);
    tty_push_echo(t);
    bool release = raw_drop(t, from, taken);
    ask_for_pause(t);
    tty_unlock(t);
    if (taken > 0 || break_seen)
        tty_input_changed(t);
    if (release && t->driver->unthrottle != NULL)
        t->driver->unthrottle(t);
    return taken > 0;
}

void tty_type(struct tty *t, uint8_t byte) {
    mutex_lock(&t->lock);
    (void)ldisc_input(&t->ldisc, &byte, 1); // ahead of what waits for room
    tty_push_echo(t);
    tty_unlock(t);
    tty_input_changed(t);
}

static struct tty *work_next(void) {
    struct tty *t = NULL;
    irq_flags_t flags = spin_lock_irq(&worker_lock);

    if (!list_empty(&worker_list)) {
        t = list_first(&worker_list, struct tty, work_node);
        list_remove(&t->work_node);
        t->work_queued = false;
    }
    spin_unlock_irq(&worker_lock, flags);
    return t;
}

static void worker(void *arg) {
    (void)arg;
    for (;;) {
        uint32_t seen = atomic_load_explicit(&worker_requests, memory_order_acquire);
        inv_status_t status;

        for (struct tty *t; (t = work_next()) != NULL;) {
            while (work_piece(t))
                continue;
        }
        WAIT_EVENT(&worker_queue, atomic_load_explicit(&worker_requests, memory_order_acquire) != seen,
                   WAIT_UNINTERRUPTIBLE, NSTIME_NEVER, status);
        (void)status;
    }
}

inv_status_t tty_worker_start(void) {
    struct thread *t;
    inv_status_t status = thread_create_kernel(worker, NULL, "tty", PRIORITY_KERNEL, &t);

    if (status != INV_OK)
        return status;
    thread_start(t);
    return INV_OK;
}
