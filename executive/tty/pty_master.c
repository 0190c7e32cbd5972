// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The master of a pseudo-terminal: the file behind /dev/ptmx. Reading takes what the terminal has sent, writing types. It has no settings of its own: requests
// for them are made on the terminal. Thread context.

#include "pty.h"

#include <arch/usercopy.h>
#include <kernel/string.h>
#include <kernel/token.h>

#define PIECE 512

static inv_status_t wait_change(struct waitq *q, _Atomic uint32_t *changes, uint32_t seen) {
    inv_status_t status;

    WAIT_EVENT(q, atomic_load_explicit(changes, memory_order_acquire) != seen, WAIT_INTERRUPTIBLE, NSTIME_NEVER,
               status);
    return status == INV_ERR_INTERRUPTED ? INV_ERR_RESTART : status;
}

// --- reading ---

// A piece of what there is; *out_ends: nothing follows in the same read. In packet mode each read begins with a byte that says what it is.
static size_t take_locked(struct pty *p, uint8_t *to, size_t n, bool first, bool *out_ends) {
    size_t head = 0;

    *out_ends = false;
    if (p->packet && p->status != 0) {
        *out_ends = true;
        if (!first)
            return 0;
        to[0] = p->status;
        p->status = 0;
        return 1;
    }
    if (byte_ring_used(&p->output) == 0)
        return 0;
    if (p->packet && first)
        to[head++] = TIOCPKT_DATA;
    size_t taken = byte_ring_peek(&p->output, to + head, n - head);
    byte_ring_drop(&p->output, taken);
    tty_push_echo(&p->tty);
    byte_ring_trim(&p->output);
    return head + taken;
}

static inv_status_t read_piece(struct file *file, uint8_t *to, size_t n, bool first, size_t *out_n, bool *out_ends) {
    struct pty *p = file->data;

    for (;;) {
        mutex_lock(&p->tty.lock);
        uint32_t seen = atomic_load_explicit(&p->master_input_changes, memory_order_acquire);
        bool left = p->slave_left, hung_up = p->master_hung_up;
        *out_n = hung_up ? 0 : take_locked(p, to, n, first, out_ends);
        tty_unlock(&p->tty);
        if (*out_n > 0) {
            tty_output_changed(&p->tty);
            return INV_OK;
        }
        if (!first || hung_up)
            return INV_OK;
        if (left)
            return INV_ERR_IO;
        if (file_nonblocking(file))
            return INV_ERR_SHOULD_WAIT;
        inv_status_t status = wait_change(&p->master_readers, &p->master_input_changes, seen);
        if (status != INV_OK)
            return status;
    }
}

static inv_status_t master_read(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    uint8_t piece[PIECE];
    inv_status_t status = INV_OK;
    bool ends = false;

    (void)position;
    *out_done = 0;
    while (io->left > 0 && !ends) {
        size_t n, copied = 0;

        status = read_piece(file, piece, MIN(io->left, sizeof(piece)), *out_done == 0, &n, &ends);
        if (status != INV_OK || n == 0)
            break;
        bool all = n < sizeof(piece);
        status = io_to(io, piece, n, &copied);
        *out_done += copied;
        if (status != INV_OK || all)
            break;
    }
    return *out_done > 0 ? INV_OK : status;
}

// --- writing ---

// The discipline takes it, or it waits in the ring. Returns the bytes taken. [lock]
static size_t type_locked(struct pty *p, const uint8_t *from, size_t n) {
    size_t taken = 0;

    if (p->master_stopped)
        return 0;
    if (byte_ring_used(&p->input) == 0) {
        taken = ldisc_input(&p->tty.ldisc, from, n);
        tty_push_echo(&p->tty);
    }
    if (taken < n) {
        size_t room = byte_ring_room(&p->input, n - taken);
        taken += byte_ring_put(&p->input, from + taken, MIN(room, n - taken));
    }
    return taken;
}

static size_t type_piece(struct pty *p, const uint8_t *from, size_t n, uint32_t *out_seen, bool *out_hung_up) {
    bool eof;

    mutex_lock(&p->tty.lock);
    *out_seen = atomic_load_explicit(&p->master_output_changes, memory_order_acquire);
    *out_hung_up = p->master_hung_up;
    size_t taken = *out_hung_up ? 0 : type_locked(p, from, n);
    bool readable = ldisc_readable(&p->tty.ldisc, &eof) > 0 || eof;
    tty_unlock(&p->tty);
    if (taken > 0 && readable)
        tty_input_changed(&p->tty);
    return taken;
}

static inv_status_t write_piece(struct file *file, const uint8_t *from, size_t n, size_t *out_done) {
    struct pty *p = file->data;
    uint32_t seen;
    bool hung_up;

    *out_done = 0;
    while (*out_done < n) {
        size_t taken = type_piece(p, from + *out_done, n - *out_done, &seen, &hung_up);
        if (hung_up)
            return INV_ERR_IO;
        *out_done += taken;
        if (*out_done == n)
            break;
        inv_status_t status = file_nonblocking(file) ? INV_ERR_SHOULD_WAIT
                                                     : wait_change(&p->master_writers, &p->master_output_changes, seen);
        if (status != INV_OK)
            return status;
    }
    return INV_OK;
}

static inv_status_t master_write(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    uint8_t piece[PIECE];
    inv_status_t status = INV_OK;

    (void)position;
    *out_done = 0;
    while (io->left > 0 && status == INV_OK) {
        size_t n = 0, done = 0;

        status = io_from(io, piece, MIN(io->left, sizeof(piece)), &n);
        inv_status_t written = write_piece(file, piece, n, &done);
        *out_done += done;
        if (written != INV_OK)
            status = written;
    }
    return *out_done > 0 ? INV_OK : status;
}

static unsigned master_poll(struct file *file, struct poll_set *set) {
    struct pty *p = file->data;
    unsigned mask = 0;

    poll_add(set, &p->master_readers);
    poll_add(set, &p->master_writers);
    mutex_lock(&p->tty.lock);
    if (byte_ring_used(&p->output) > 0)
        mask |= POLL_IN | POLL_RDNORM;
    if (p->packet && p->status != 0)
        mask |= POLL_PRI | POLL_IN | POLL_RDNORM;
    if (p->slave_left)
        mask |= POLL_HUP;
    if (!p->master_stopped && byte_ring_room(&p->input, 1) > 0)
        mask |= POLL_OUT | POLL_WRNORM;
    if (p->master_hung_up)
        mask = POLL_IN | POLL_RDNORM | POLL_OUT | POLL_WRNORM | POLL_ERR | POLL_HUP;
    mutex_unlock(&p->tty.lock);
    return mask;
}

// --- requests ---

static inv_status_t store_int(uint64_t argument, int value) {
    return arch_user_store32((uint32_t user_ptr *)argument, (uint32_t)value);
}

static inv_status_t load_int(uint64_t argument, int *out) {
    uint32_t value;
    inv_status_t status = arch_user_load32((const uint32_t user_ptr *)argument, &value);

    *out = (int)value;
    return status;
}

static inv_status_t set_locked(struct pty *p, uint64_t argument) {
    int value;
    inv_status_t status = load_int(argument, &value);

    if (status != INV_OK)
        return status;
    mutex_lock(&p->tty.lock);
    p->locked = value != 0;
    mutex_unlock(&p->tty.lock);
    return INV_OK;
}

static inv_status_t set_packet(struct pty *p, uint64_t argument) {
    int value;
    inv_status_t status = load_int(argument, &value);

    if (status != INV_OK)
        return status;
    mutex_lock(&p->tty.lock);
    if (value != 0 && !p->packet)
        p->status = 0;
    p->packet = value != 0;
    mutex_unlock(&p->tty.lock);
    return INV_OK;
}

// TIOCSIG: as if the key had been struck.
static inv_status_t send_signal(struct pty *p, uint64_t signal) {
    if (signal != TTY_SIGINT && signal != TTY_SIGQUIT && signal != TTY_SIGTSTP)
        return INV_ERR_INVALID;
    tty_signal_foreground(&p->tty, (int)signal);
    return INV_OK;
}

static inv_status_t flush(struct pty *p, uint64_t queue) {
    if (queue > TCIOFLUSH)
        return INV_ERR_INVALID;
    mutex_lock(&p->tty.lock);
    if (queue != TCOFLUSH)
        byte_ring_truncate(&p->output, 0);
    if (queue != TCIFLUSH)
        byte_ring_truncate(&p->input, 0);
    tty_push_echo(&p->tty);
    mutex_unlock(&p->tty.lock);
    if (queue != TCOFLUSH)
        tty_output_changed(&p->tty);
    if (queue != TCIFLUSH)
        pty_master_writable(p);
    return INV_OK;
}

// TCXONC: of the master's own direction, and characters to the terminal.
static inv_status_t flow(struct pty *p, uint64_t action) {
    bool eof;
    uint8_t c;

    switch (action) {
    case TCOOFF:
    case TCOON:
        mutex_lock(&p->tty.lock);
        p->master_stopped = action == TCOOFF;
        mutex_unlock(&p->tty.lock);
        if (action == TCOON)
            pty_master_writable(p);
        return INV_OK;
    case TCIOFF:
    case TCION:
        c = termios_default.cc[action == TCIOFF ? VSTOP : VSTART];
        mutex_lock(&p->tty.lock);
        bool stopped = p->master_stopped;
        p->master_stopped = false;
        type_locked(p, &c, 1);
        p->master_stopped = stopped;
        bool readable = ldisc_readable(&p->tty.ldisc, &eof) > 0 || eof;
        tty_unlock(&p->tty);
        if (readable)
            tty_input_changed(&p->tty);
        return INV_OK;
    default: return INV_ERR_INVALID;
    }
}

static inv_status_t hang_up_master(struct pty *p) {
    if (!tty_capable(CAP_SYS_ADMIN))
        return INV_ERR_NOT_PERMITTED;
    mutex_lock(&p->tty.lock);
    p->master_hung_up = true;
    byte_ring_truncate(&p->output, 0);
    mutex_unlock(&p->tty.lock);
    pty_master_readable(p);
    pty_master_writable(p);
    return INV_OK;
}

// TIOCSTI at the master: what the program there reads next. The master is nobody's controlling terminal.
static inv_status_t feed_master(struct pty *p, uint64_t argument) {
    uint8_t byte;

    if (!tty_capable(CAP_SYS_ADMIN))
        return INV_ERR_NOT_PERMITTED;
    if (arch_copy_from_user(&byte, (const void user_ptr *)argument, 1) != INV_OK)
        return INV_ERR_FAULT;
    mutex_lock(&p->tty.lock);
    if (byte_ring_room(&p->output, 1) > 0)
        byte_ring_put(&p->output, &byte, 1);
    mutex_unlock(&p->tty.lock);
    pty_master_readable(p);
    return INV_OK;
}

static inv_status_t count_readable(struct pty *p, uint64_t argument) {
    mutex_lock(&p->tty.lock);
    size_t n = MIN(byte_ring_used(&p->output), (size_t)PTY_SETTLED);
    mutex_unlock(&p->tty.lock);
    return store_int(argument, (int)n);
}

static inv_status_t own_request(struct pty *p, struct file *file, unsigned command, uint64_t argument) {
    switch (command) {
    case TIOCGPTN: return store_int(argument, (int)devpts_number(p->node));
    case TIOCSPTLCK: return set_locked(p, argument);
    case TIOCGPTLCK: return store_int(argument, p->locked);
    case TIOCPKT: return set_packet(p, argument);
    case TIOCGPKT: return store_int(argument, p->packet);
    case TIOCSIG: return send_signal(p, argument);
    case TCFLSH: return flush(p, argument);
    case TCXONC: return flow(p, argument);
    case TCSBRK:
    case TCSBRKP:
    case TIOCSBRK:
    case TIOCCBRK: return INV_OK; // a line without breaks
    case FIONREAD: return count_readable(p, argument);
    case TIOCOUTQ: return store_int(argument, 0);
    case TIOCEXCL: p->master_exclusive = true; return INV_OK;
    case TIOCNXCL: p->master_exclusive = false; return INV_OK;
    case TIOCGEXCL: return store_int(argument, p->master_exclusive);
    case TIOCVHANGUP: return hang_up_master(p);
    case TIOCSTI: return feed_master(p, argument);
    case TIOCNOTTY: return INV_ERR_NOT_TTY; // nobody's controlling terminal
    case TIOCCONS: return INV_ERR_INVALID;
    default: return tty_request(&p->tty, file, true, command, argument);
    }
}

inv_status_t pty_master_ioctl(struct file *file, unsigned command, uint64_t argument, int64_t *out_result) {
    struct pty *p = file->data;

    *out_result = 0;
    if (p->master_hung_up)
        return command == TIOCSPGRP ? INV_ERR_NOT_TTY : INV_ERR_IO;
    return own_request(p, file, command, argument);
}

inv_status_t tty_open_peer(struct file *file, unsigned flags, struct file **out) {
    if (file->ops != &pty_master_ops)
        return tty_is_file(file) ? INV_ERR_IO : INV_ERR_NOT_TTY;
    struct pty *p = file->data;
    return p->master_hung_up ? INV_ERR_IO : devpts_open_peer(p->node, file, flags, out);
}

// --- life ---

static void master_release(struct file *file) {
    struct pty *p = file->data;

    mutex_lock(&p->tty.lock);
    p->master_open = p->packet = false;
    p->tty.other_end_gone = true;
    mutex_unlock(&p->tty.lock);
    devpts_remove(p->node);
    p->node = NULL;
    tty_hangup(&p->tty);
    tty_put(&p->tty);
}

static struct async_list *master_async(struct file *file) {
    return &((struct pty *)file->data)->master_async;
}

const struct file_ops pty_master_ops = {.release = master_release,
                                        .read = master_read,
                                        .write = master_write,
                                        .ioctl = pty_master_ioctl,
                                        .poll = master_poll,
                                        .async = master_async};

inv_status_t pty_master_open(struct inode *inode, struct file *file) {
    struct pty *p;

    (void)inode;
    inv_status_t status = pty_create(&p);
    if (status != INV_OK)
        return status;
    tty_get(&p->tty); // the inode's
    status = devpts_add(file, p, &p->node);
    if (status != INV_OK) {
        tty_put(&p->tty);
        tty_put(&p->tty);
        return status;
    }
    p->tty.number = DEVNO(DEVPTS_SLAVE_MAJOR, devpts_number(p->node));
    file->ops = &pty_master_ops;
    file->data = p;
    return INV_OK;
}
