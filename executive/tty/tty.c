// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Terminals: creation by drivers, and open, read, write and poll for programs (through the file operations, in thread context). The line discipline is a
// machine of its own (ldisc.c), input runs in tty_worker.c, job control is in tty_job.c, requests are in tty_ioctl.c.
//
// Nodes: one for each terminal, /dev/tty (the controlling terminal of the caller's session), /dev/console (the terminal that tty_set_console named).
//
// Invariants:
// I1  Bytes reach the driver in the order in which the discipline prepared them: echo that waits goes before program output, both under the lock.
// I2  A reader or writer looks at the change counter under the lock before it waits for the counter to move, so no wake-up is lost.
//
// Locking: tty->lock (a sleeping lock, rank TTY) guards the discipline. Signals are sent, and job control is asked, without it: the personality's locks come
// first in the order. User memory is touched without it.

#include "tty_private.h"

#include <kernel/boot.h>
#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/time.h>

#define DEVICE_TTY     DEVNO(5, 0)
#define DEVICE_CONSOLE DEVNO(5, 1)
#define TTY_PIECE      256
#define TTY_PIECE_MAX  LDISC_SIZE
#define DECISECOND     (100 * NSEC_PER_MSEC)

static _Atomic(struct tty *) console;

// --- the discipline's events, with the lock held ---

static void event_signal(void *arg, int signal) {
    struct tty *t = arg;

    t->signals |= 1u << signal;
}

static void event_flush_output(void *arg) {
    struct tty *t = arg;

    t->driver->flush_output(t);
}

static void event_flow(void *arg, bool stopped) {
    struct tty *t = arg;

    atomic_store_explicit(&t->stopped, stopped, memory_order_release);
    if (!stopped && t->driver->start != NULL)
        t->driver->start(t);
}

static const struct ldisc_events events = {
    .signal = event_signal, .flush_output = event_flush_output, .flow = event_flow};

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
    waitq_wake(&t->readers, UINT32_MAX, 0);
}

static void output_changed(struct tty *t) {
    atomic_fetch_add_explicit(&t->output_changes, 1, memory_order_release);
    waitq_wake(&t->writers, UINT32_MAX, 0);
}

void tty_output_ready(struct tty *t) {
    output_changed(t);
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
    canonical = (t->ldisc.termios.lflag & ICANON) != 0;
    size_t minimum = t->ldisc.termios.cc[VMIN];
    nstime_t time = t->ldisc.termios.cc[VTIME] * DECISECOND;
    size_t readable = ldisc_readable(&t->ldisc, &eof);
    size_t n = ldisc_read(&t->ldisc, to, room);
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
            return INV_OK;
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

static inv_status_t write_begin(struct tty *t, bool nonblocking) {
    for (;;) {
        uint32_t seen = atomic_load_explicit(&t->output_changes, memory_order_acquire);

        if (!atomic_exchange_explicit(&t->writing, true, memory_order_acquire))
            return INV_OK;
        if (nonblocking)
            return INV_ERR_SHOULD_WAIT;
        inv_status_t status = output_wait(t, seen);
        if (status != INV_OK)
            return status;
    }
}

static void write_end(struct tty *t) {
    atomic_store_explicit(&t->writing, false, memory_order_release);
    output_changed(t);
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
        bool empty = t->driver->output_queued(t) == 0 && !ldisc_echo_pending(&t->ldisc);
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
    size_t minimum = settings->lflag & ICANON || settings->cc[VTIME] > 0 || settings->cc[VMIN] == 0
                         ? 1
                         : settings->cc[VMIN];
    if (ldisc_readable(&t->ldisc, &eof) >= minimum || eof)
        mask |= POLL_IN | POLL_RDNORM;
    if (t->driver->write_room(t) >= TTY_WRITE_ROOM && !tty_output_stopped(t))
        mask |= POLL_OUT | POLL_WRNORM;
    tty_unlock(t);
    return mask;
}

static inv_status_t open_as(struct file *file, struct tty *t, bool as_console, bool adopt) {
    mutex_lock(&t->lock);
    bool refused = t->exclusive && !tty_capable(CAP_SYS_ADMIN);
    tty_unlock(t);
    if (refused)
        return INV_ERR_BUSY;
    struct tty_file *f = kmalloc(sizeof(*f));
    if (f == NULL)
        return INV_ERR_NO_MEMORY;
    *f = (struct tty_file){
        .tty = t, .hangups = atomic_load_explicit(&t->hangups, memory_order_acquire), .console = as_console};
    file->data = f;
    if (adopt && (file->flags & O_NOCTTY_) == 0 && file_readable(file))
        tty_adopt_if_leader(t);
    return INV_OK;
}

static inv_status_t tty_file_open(struct inode *inode, struct file *file) {
    (void)inode;
    return open_as(file, file->data, false, true);
}

// /dev/console never becomes a controlling terminal by being opened.
static inv_status_t console_open(struct inode *inode, struct file *file) {
    struct tty *t = atomic_load_explicit(&console, memory_order_acquire);

    (void)inode;
    return t != NULL ? open_as(file, t, true, false) : INV_ERR_NO_DEVICE;
}

static inv_status_t controlling_open(struct inode *inode, struct file *file) {
    struct tty *t = tty_job_ops != NULL ? tty_job_ops->session_terminal() : NULL;

    (void)inode;
    return t != NULL ? open_as(file, t, false, false) : INV_ERR_NO_ADDRESS;
}

static void tty_file_release(struct file *file) {
    kfree(file->data);
}

#define TTY_FILE_OPS(open_fn)                                                                         \
    {                                                                                                 \
        .open = open_fn, .release = tty_file_release, .read = tty_file_read, .write = tty_file_write, \
        .ioctl = tty_file_ioctl, .poll = tty_file_poll                                                \
    }
static const struct file_ops tty_ops = TTY_FILE_OPS(tty_file_open);
static const struct file_ops console_ops = TTY_FILE_OPS(console_open);
static const struct file_ops controlling_ops = TTY_FILE_OPS(controlling_open);

static struct character_device console_device = {
    .number = DEVICE_CONSOLE, .name = "console", .mode = 0600, .ops = &console_ops};
static struct character_device controlling_device = {
    .number = DEVICE_TTY, .name = "tty", .mode = 0666, .ops = &controlling_ops};

// --- drivers' side ---

inv_status_t tty_create(const char *name, devno_t number, const struct tty_driver *driver, void *driver_data,
                        struct tty **out) {
    struct tty *t = kzalloc(sizeof(*t));

    if (t == NULL)
        return INV_ERR_NO_MEMORY;
    string_copy(t->name, name, sizeof(t->name));
    t->driver = driver;
    t->driver_data = driver_data;
    t->number = number;
    mutex_init(&t->lock, LOCK_RANK_TTY);
    ldisc_init(&t->ldisc, &events, t);
    waitq_init(&t->readers);
    waitq_init(&t->writers);
    tty_worker_init(t);
    t->device = (struct character_device){.number = number, .name = t->name, .mode = 0600, .ops = &tty_ops, .data = t};
    *out = t; // before the node can be opened
    inv_status_t status = character_device_register(&t->device);
    if (status != INV_OK) {
        *out = NULL;
        kfree(t);
    }
    return status;
}

void *tty_driver_data(struct tty *t) {
    return t->driver_data;
}

devno_t tty_device_number(struct tty *t) {
    return t->number;
}

void tty_set_console(struct tty *t) {
    atomic_store_explicit(&console, t, memory_order_release);
}

void tty_hangup(struct tty *t) {
    mutex_lock(&t->lock);
    atomic_fetch_add_explicit(&t->hangups, 1, memory_order_release);
    ldisc_flush_input(&t->ldisc);
    ldisc_set_termios(&t->ldisc, &termios_default);
    t->driver->flush_output(t);
    tty_unlock(t);
    tty_discard_raw(t);
    tty_input_changed(t);
    output_changed(t);
    int session = atomic_exchange(&t->session, 0);
    atomic_store(&t->foreground, 0);
    if (session != 0 && tty_job_ops != NULL) {
        tty_job_ops->signal_session_leader(session, TTY_SIGHUP);
        tty_job_ops->signal_session_leader(session, TTY_SIGCONT);
        tty_job_ops->clear_session_terminal(session);
    }
}

static inv_status_t tty_start(void) {
    inv_status_t status = tty_worker_start();

    if (status == INV_OK)
        status = character_device_register(&console_device);
    if (status == INV_OK)
        status = character_device_register(&controlling_device);
    return status;
}
BOOT_CALL("terminals", BOOT_STAGE_EXECUTIVE, tty_start);
