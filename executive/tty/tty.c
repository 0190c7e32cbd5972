// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Terminals: creation by drivers, and open, read, write and poll for programs (through the file operations, in thread context). The line discipline is a
// machine of its own (ldisc.c), input runs in tty_worker.c, job control is in tty_job.c, requests are in tty_ioctl.c.
//
// A terminal is counted by its open files, by the session that it controls and by who made it; drivers of devices never give their count back.
//
// Invariants:
// I1  Bytes reach the driver in the order in which the discipline prepared them: echo that waits goes before program output, both under the lock.
// I2  A reader or writer looks at the change counter under the lock before it waits for the counter to move, so no wake-up is lost.
//
// Locking: tty->lock (a sleeping lock, rank TTY) guards the discipline. Signals are sent, and job control is asked, without it: the personality's locks come
// first in the order. User memory is touched without it.

#include "pty.h"
#include "tty_private.h"

#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/time.h>

#define TTY_PIECE     256
#define TTY_PIECE_MAX LDISC_SIZE
#define DECISECOND    (100 * NSEC_PER_MSEC)

// --- the discipline's events, with the lock held ---

static void event_signal(void *arg, int signal) {
    struct tty *t = arg;

    t->signals |= 1u << signal;
}

static void event_flushed(void *arg) {
    struct tty *t = arg;

    t->driver->flush_output(t);
    tty_tell(t, TIOCPKT_FLUSHREAD);
}

static void event_flow(void *arg, bool stopped) {
    struct tty *t = arg;

    atomic_store_explicit(&t->stopped, stopped, memory_order_release);
    tty_tell(t, stopped ? TIOCPKT_STOP : TIOCPKT_START);
    if (!stopped && t->driver->start != NULL)
        t->driver->start(t);
}

static const struct ldisc_events events = {.signal = event_signal, .flushed = event_flushed, .flow = event_flow};

bool tty_output_stopped(const struct tty *t) {
    return atomic_load_explicit(&t->stopped, memory_order_acquire);
}

void tty_unlock(struct tty *t) {
    uint32_t signals = t->signals;

    t->signals = 0;
    mutex_unlock(&t->lock);
    for (int signal = 1; signals >> signal != 0; signal++) {
        if (signals >> signal & 1)
            tty_signal_foreground(t, signal);
    }
}

void tty_push_echo(struct tty *t) {
    uint8_t piece[64];

    while (ldisc_echo_pending(&t->ldisc)) {
        size_t n = ldisc_echo_take(&t->ldisc, piece, MIN(sizeof(piece), t->driver->write_room(t)));

        if (n == 0)
            return;
        t->driver->write(t, (const char *)piece, n);
    }
}

void tty_input_changed(struct tty *t) {
    atomic_fetch_add_explicit(&t->input_changes, 1, memory_order_release);
    if (waitq_active(&t->readers))
        waitq_wake(&t->readers, UINT32_MAX, POLL_IN | POLL_RDNORM);
    async_notify(&t->async, ASYNC_IN);
}

void tty_output_changed(struct tty *t) {
    atomic_fetch_add_explicit(&t->output_changes, 1, memory_order_release);
    if (waitq_active(&t->writers))
        waitq_wake(&t->writers, UINT32_MAX, POLL_OUT | POLL_WRNORM);
}

void tty_output_ready(struct tty *t) {
    tty_output_changed(t);
    if (t->raw != NULL)
        tty_schedule(t); // echo may be waiting for this room
}

// --- reading ---

// The state of one read over its waits.
struct tty_read {
    struct tty *tty;
    size_t done;
    nstime_t deadline; // NSTIME_NEVER: none
    bool started;      // the deadline of VTIME without VMIN was set
    bool expired, ended;
    uint32_t seen;
};

// Looks for input; decides whether the read is complete. Returns the bytes moved to `to`.
static size_t read_step(struct tty_read *r, uint8_t *to, size_t room, size_t wanted) {
    struct tty *t = r->tty;
    bool eof, canonical = true;

    mutex_lock(&t->lock);
    r->seen = atomic_load_explicit(&t->input_changes, memory_order_acquire);
    canonical = (t->ldisc.termios.lflag & (ICANON | EXTPROC)) == ICANON;
    size_t minimum = t->ldisc.termios.cc[VMIN];
    nstime_t time = t->ldisc.termios.cc[VTIME] * DECISECOND;
    size_t readable = ldisc_readable(&t->ldisc, &eof);
    size_t n = ldisc_read(&t->ldisc, to, room);
    if (n > 0 && t->driver->refill != NULL)
        t->driver->refill(t);
    tty_unlock(t);

    if (canonical) {
        r->deadline = NSTIME_NEVER;
        // A line longer than this piece goes on in the next one, as far as the program's memory goes.
        r->ended = eof || (readable > 0 && n == readable) || n == wanted;
        return n;
    }
    r->ended = r->done + n >= MAX(minimum, (size_t)1) || n == wanted;
    if (time > 0 && (n > 0 || (minimum == 0 && !r->started)))
        r->deadline = deadline_after(time); // between bytes; or of the whole read
    else if (time == 0)
        r->deadline = NSTIME_NEVER;
    r->started = true;
    if (minimum == 0 && time == 0)
        r->ended = true;
    return n;
}

static inv_status_t read_wait(struct tty_read *r) {
    struct tty *t = r->tty;
    inv_status_t status;

    WAIT_EVENT(&t->readers, atomic_load_explicit(&t->input_changes, memory_order_acquire) != r->seen,
               WAIT_INTERRUPTIBLE, r->deadline, status);
    if (status == INV_ERR_TIMED_OUT) {
        r->expired = true;
        return INV_OK;
    }
    return status == INV_ERR_INTERRUPTED ? INV_ERR_RESTART : status;
}

static inv_status_t read_loop(struct file *file, struct io *io, struct tty_read *r, uint8_t *buffer, size_t size) {
    struct tty_file *f = file->data;

    for (;;) {
        if (tty_hung_up(f))
            return f->tty->other_end_gone ? INV_ERR_IO : INV_OK; // who reads at the time hears why
        size_t n = read_step(r, buffer, MIN(size, io->left), io->left), copied = 0;
        inv_status_t status = io_to(io, buffer, n, &copied);
        r->done += copied;
        if (status != INV_OK || r->ended || r->expired)
            return status;
        if (n > 0)
            continue;
        if (file_nonblocking(file))
            return INV_ERR_SHOULD_WAIT;
        status = read_wait(r);
        if (status != INV_OK)
            return status;
    }
}

static bool raw_waits(struct tty *t) {
    if (t->raw == NULL)
        return false;
    irq_flags_t flags = spin_lock_irq(&t->input_lock);
    bool waits = t->raw_head != t->raw_tail;

    spin_unlock_irq(&t->input_lock, flags);
    return waits;
}

static inv_status_t tty_file_read(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct tty_file *f = file->data;
    struct tty_read r = {.tty = f->tty, .deadline = NSTIME_NEVER};
    uint8_t small[TTY_PIECE], *buffer = small;
    size_t size = sizeof(small);

    (void)position;
    *out_done = 0;
    if (tty_hung_up(f) || io->left == 0)
        return INV_OK;
    if (!f->console) {
        inv_status_t allowed = tty_check_background(f->tty, TTY_SIGTTIN);
        if (allowed != INV_OK)
            return allowed;
    }
    if (io->left > sizeof(small)) {
        uint8_t *large = kmalloc(MIN(io->left, (size_t)TTY_PIECE_MAX));
        if (large != NULL) {
            buffer = large;
            size = MIN(io->left, (size_t)TTY_PIECE_MAX);
        }
    }
    inv_status_t status = read_loop(file, io, &r, buffer, size);
    if (buffer != small)
        kfree(buffer);
    if (r.done > 0 && raw_waits(f->tty))
        tty_schedule(f->tty);
    *out_done = r.done;
    return r.done > 0 ? INV_OK : status;
}

// --- writing ---

static inv_status_t output_wait(struct tty *t, uint32_t seen) {
    inv_status_t status;

    WAIT_EVENT(&t->writers, atomic_load_explicit(&t->output_changes, memory_order_acquire) != seen, WAIT_INTERRUPTIBLE,
               NSTIME_NEVER, status);
    return status == INV_ERR_INTERRUPTED ? INV_ERR_RESTART : status;
}

static bool take_turn(struct tty *t) {
    return !atomic_exchange_explicit(&t->writing, true, memory_order_acquire);
}

static inv_status_t write_begin(struct tty *t, bool nonblocking) {
    inv_status_t status;

    if (take_turn(t))
        return INV_OK;
    if (nonblocking)
        return INV_ERR_SHOULD_WAIT;
    WAIT_EVENT(&t->write_turn, take_turn(t), WAIT_INTERRUPTIBLE, NSTIME_NEVER, status);
    return status == INV_ERR_INTERRUPTED ? INV_ERR_RESTART : status;
}

static void write_end(struct tty *t) {
    atomic_store_explicit(&t->writing, false, memory_order_release);
    if (waitq_active(&t->write_turn))
        waitq_wake(&t->write_turn, 1, 0);
}

// Hands what the driver has room for to it; returns the bytes taken.
static size_t write_step(struct tty *t, const uint8_t *from, size_t n, uint32_t *out_seen) {
    uint8_t prepared[TTY_PIECE];
    size_t taken = 0, length;

    mutex_lock(&t->lock);
    *out_seen = atomic_load_explicit(&t->output_changes, memory_order_acquire);
    tty_push_echo(t);
    if (!ldisc_echo_pending(&t->ldisc)) {
        taken = ldisc_output(&t->ldisc, from, n, prepared, MIN(sizeof(prepared), t->driver->write_room(t)), &length);
        if (length > 0)
            t->driver->write(t, (const char *)prepared, length);
    }
    tty_unlock(t);
    return taken;
}

static inv_status_t write_piece(struct file *file, const uint8_t *from, size_t n, size_t *out_done) {
    struct tty_file *f = file->data;
    uint32_t seen;

    *out_done = 0;
    while (*out_done < n) {
        if (tty_hung_up(f))
            return INV_ERR_IO;
        size_t taken = write_step(f->tty, from + *out_done, n - *out_done, &seen);
        *out_done += taken;
        if (taken > 0)
            continue;
        inv_status_t status = file_nonblocking(file) ? INV_ERR_SHOULD_WAIT : output_wait(f->tty, seen);
        if (status != INV_OK)
            return status;
    }
    return INV_OK;
}

static bool stops_background_writers(struct tty *t) {
    mutex_lock(&t->lock);
    bool stops = (t->ldisc.termios.lflag & TOSTOP) != 0;
    tty_unlock(t);
    return stops;
}

static inv_status_t tty_file_write(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct tty_file *f = file->data;
    uint8_t piece[TTY_PIECE];
    inv_status_t status = INV_OK;

    (void)position;
    *out_done = 0;
    struct file *target = f->console ? tty_console_target() : NULL;
    if (target != NULL) {
        status = file_write(target, io, out_done);
        file_put(target);
        return status;
    }
    if (tty_hung_up(f))
        return INV_ERR_IO;
    if (!f->console && stops_background_writers(f->tty))
        status = tty_check_background(f->tty, TTY_SIGTTOU);
    if (status == INV_OK)
        status = write_begin(f->tty, file_nonblocking(file));
    if (status != INV_OK)
        return status;
    while (io->left > 0 && status == INV_OK) {
        size_t n = 0, done = 0;

        status = io_from(io, piece, MIN(io->left, sizeof(piece)), &n);
        inv_status_t written = write_piece(file, piece, n, &done);
        *out_done += done;
        if (written != INV_OK)
            status = written;
    }
    write_end(f->tty);
    return *out_done > 0 ? INV_OK : status;
}

inv_status_t tty_drain(struct tty *t) {
    for (;;) {
        uint32_t seen = atomic_load_explicit(&t->output_changes, memory_order_acquire);

        mutex_lock(&t->lock);
        tty_push_echo(t);
        bool empty = t->driver->output_queued(t) == 0 && (t->ldisc.stopped || !ldisc_echo_pending(&t->ldisc));
        tty_unlock(t);
        if (empty)
            return INV_OK;
        inv_status_t status = output_wait(t, seen);
        if (status != INV_OK)
            return status;
    }
}

// --- poll, open, close ---

static unsigned tty_file_poll(struct file *file, struct poll_set *set) {
    struct tty_file *f = file->data;
    struct tty *t = f->tty;
    unsigned mask = 0;
    bool eof;

    poll_add(set, &t->readers);
    poll_add(set, &t->writers);
    if (tty_hung_up(f))
        return POLL_IN | POLL_RDNORM | POLL_OUT | POLL_WRNORM | POLL_ERR | POLL_HUP;
    mutex_lock(&t->lock);
    const struct termios *settings = &t->ldisc.termios;
    size_t minimum = (settings->lflag & (ICANON | EXTPROC)) == ICANON || settings->cc[VTIME] > 0 ||
                             settings->cc[VMIN] == 0
                         ? 1
                         : settings->cc[VMIN];
    if (ldisc_readable(&t->ldisc, &eof) >= minimum || eof)
        mask |= POLL_IN | POLL_RDNORM;
    if (t->driver->write_room(t) >= TTY_WRITE_ROOM && !tty_output_stopped(t))
        mask |= POLL_OUT | POLL_WRNORM;
    tty_unlock(t);
    return mask;
}

inv_status_t tty_open_file(struct file *file, struct tty *t, bool as_console, bool adopt) {
    struct tty_file *f = kmalloc(sizeof(*f));
    inv_status_t status = f != NULL ? INV_OK : INV_ERR_NO_MEMORY;

    mutex_lock(&t->lock);
    if (status == INV_OK && t->exclusive && !tty_capable(CAP_SYS_ADMIN))
        status = INV_ERR_BUSY;
    if (status == INV_OK && t->driver->opened != NULL)
        status = t->driver->opened(t);
    uint32_t hangups = atomic_load_explicit(&t->hangups, memory_order_acquire);
    tty_unlock(t);
    if (status != INV_OK) {
        kfree(f);
        tty_put(t);
        return status;
    }
    *f = (struct tty_file){.tty = t, .hangups = hangups, .console = as_console};
    file->ops = &tty_terminal_ops;
    file->data = f;
    if (adopt && (file->flags & O_NOCTTY_) == 0 && file_readable(file))
        tty_adopt_if_leader(t);
    return INV_OK;
}

static inv_status_t tty_file_open(struct inode *inode, struct file *file) {
    struct tty *t = file->data;

    (void)inode;
    tty_get(t);
    return tty_open_file(file, t, false, true);
}

static void tty_file_release(struct file *file) {
    struct tty_file *f = file->data;
    struct tty *t = f->tty;

    if (t->driver->closed != NULL) {
        mutex_lock(&t->lock);
        t->driver->closed(t);
        tty_unlock(t);
    }
    kfree(f);
    tty_put(t);
}

static struct async_list *tty_file_async(struct file *file) {
    return &((struct tty_file *)file->data)->tty->async;
}

const struct file_ops tty_terminal_ops = {.release = tty_file_release,
                                          .read = tty_file_read,
                                          .write = tty_file_write,
                                          .ioctl = tty_file_ioctl,
                                          .poll = tty_file_poll,
                                          .async = tty_file_async};
static const struct file_ops tty_ops = {.open = tty_file_open};

int tty_file_group(const struct file *f) {
    if (f->ops == &tty_terminal_ops)
        return tty_foreground_group(((const struct tty_file *)f->data)->tty);
    return f->ops == &pty_master_ops ? 0 : -1;
}

// --- drivers' side ---

void tty_init(struct tty *t, const char *name, devno_t number, const struct tty_driver *driver, void *driver_data) {
    t->count = 1;
    string_copy(t->name, name, sizeof(t->name));
    t->driver = driver;
    t->driver_data = driver_data;
    t->number = number;
    mutex_init(&t->lock, LOCK_RANK_TTY);
    ldisc_init(&t->ldisc, &events, t);
    waitq_init(&t->readers);
    waitq_init(&t->writers);
    waitq_init(&t->write_turn);
    async_list_init(&t->async, false);
    tty_worker_init(t);
}

// A device's terminal is there for ever: the count that it is born with is never put.
inv_status_t tty_create(const char *name, devno_t number, const struct tty_driver *driver, void *driver_data,
                        struct tty **out) {
    struct tty *t = kzalloc(sizeof(*t));
    uint8_t *raw = kmalloc(TTY_RAW_SIZE);

    if (t == NULL || raw == NULL) {
        kfree(t);
        kfree(raw);
        return INV_ERR_NO_MEMORY;
    }
    tty_init(t, name, number, driver, driver_data);
    t->raw = raw;
    t->device = (struct character_device){.number = number, .name = t->name, .mode = 0600, .ops = &tty_ops, .data = t};
    *out = t; // before the node can be opened
    inv_status_t status = character_device_register(&t->device);
    if (status != INV_OK) {
        *out = NULL;
        kfree(raw);
        kfree(t);
    }
    return status;
}

void tty_get(struct tty *t) {
    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
}

void tty_put(struct tty *t) {
    if (atomic_fetch_sub_explicit(&t->count, 1, memory_order_acq_rel) == 1)
        t->driver->destroy(t);
}

void *tty_driver_data(struct tty *t) {
    return t->driver_data;
}

devno_t tty_device_number(struct tty *t) {
    return t->number;
}

void tty_hang_up_line(struct tty *t, bool leader_ends) {
    mutex_lock(&t->lock);
    atomic_fetch_add_explicit(&t->hangups, 1, memory_order_release);
    ldisc_flush_input(&t->ldisc);
    ldisc_set_termios(&t->ldisc, &termios_default);
    t->driver->flush_output(t);
    tty_unlock(t);
    tty_discard_raw(t);
    atomic_fetch_add_explicit(&t->input_changes, 1, memory_order_release);
    atomic_fetch_add_explicit(&t->output_changes, 1, memory_order_release);
    waitq_wake(&t->readers, UINT32_MAX, 0); // everything became true at once
    waitq_wake(&t->writers, UINT32_MAX, 0);
    async_notify(&t->async, ASYNC_IN);
    tty_console_restore(t);
    tty_let_go_of_session(t, leader_ends);
}

void tty_hangup(struct tty *t) {
    tty_hang_up_line(t, false);
}
