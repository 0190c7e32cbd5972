// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The requests of ioctl_tty(2). Thread context; arguments are copied before the terminal's lock is taken and after it is dropped.

#include "tty_private.h"

#include <arch/usercopy.h>
#include <kernel/string.h>
#include <kernel/time.h>
#include <kernel/token.h>
#include <kernel/wait.h>

#define BREAK_UNIT (100 * NSEC_PER_MSEC)
#define BREAK_TIME (250 * NSEC_PER_MSEC)

void tty_flush_input(struct tty *t) {
    tty_discard_raw(t);
    mutex_lock(&t->lock);
    ldisc_flush_input(&t->ldisc);
    tty_tell(t, TIOCPKT_FLUSHREAD);
    if (t->driver->refill != NULL)
        t->driver->refill(t);
    tty_unlock(t);
    if (t->driver->unthrottle != NULL)
        t->driver->unthrottle(t);
}

static void flush_output(struct tty *t) {
    mutex_lock(&t->lock);
    t->driver->flush_output(t);
    tty_unlock(t);
    tty_output_ready(t);
}

static inv_status_t store_int(uint64_t argument, int value) {
    return arch_user_store32((uint32_t user_ptr *)argument, (uint32_t)value);
}

static inv_status_t get_group(struct tty *t, bool from_master, uint64_t argument) {
    int group;
    inv_status_t status = tty_get_foreground(t, from_master, &group);

    return status == INV_OK ? store_int(argument, group) : status;
}

static inv_status_t set_group(struct tty *t, uint64_t argument) {
    uint32_t group;
    inv_status_t status = tty_check_background(t, TTY_SIGTTOU);

    if (status != INV_OK)
        return status == INV_ERR_IO ? INV_ERR_NOT_TTY : status;
    status = arch_user_load32((const uint32_t user_ptr *)argument, &group);
    return status == INV_OK ? tty_set_foreground(t, (int)group) : status;
}

static inv_status_t get_session(struct tty *t, bool from_master, uint64_t argument) {
    int session;
    inv_status_t status = tty_get_session(t, from_master, &session);

    return status == INV_OK ? store_int(argument, session) : status;
}

static inv_status_t flush(struct tty *t, uint64_t queue) {
    inv_status_t status = tty_check_background(t, TTY_SIGTTOU);

    if (status != INV_OK)
        return status;
    if (queue > TCIOFLUSH)
        return INV_ERR_INVALID;
    if (queue != TCOFLUSH)
        tty_flush_input(t);
    if (queue != TCIFLUSH)
        flush_output(t);
    return INV_OK;
}

// Sends the STOP or START character to the other end, so that it stops or starts sending.
static void send_flow_character(struct tty *t, enum tty_character which) {
    mutex_lock(&t->lock);
    char c = (char)t->ldisc.termios.cc[which];
    if (c != 0)
        t->driver->write(t, &c, 1);
    tty_unlock(t);
}

// TCOOFF and TCOON: a stop of its own, which START does not end.
static void hold_output(struct tty *t, bool hold) {
    mutex_lock(&t->lock);
    ldisc_hold(&t->ldisc, hold);
    tty_push_echo(t);
    tty_unlock(t);
    tty_output_ready(t);
}

static inv_status_t flow(struct tty *t, uint64_t action) {
    inv_status_t status = tty_check_background(t, TTY_SIGTTOU);

    if (status != INV_OK)
        return status;
    switch (action) {
    case TCOOFF: hold_output(t, true); break;
    case TCOON: hold_output(t, false); break;
    case TCIOFF: send_flow_character(t, VSTOP); break;
    case TCION: send_flow_character(t, VSTART); break;
    default: return INV_ERR_INVALID;
    }
    return INV_OK;
}

static void set_break(struct tty *t, bool on) {
    if (t->driver->send_break != NULL)
        t->driver->send_break(t, on);
}

// Before the line is put into break condition what was written has left. TIOCSBRK.
static inv_status_t drain_foreground(struct tty *t) {
    inv_status_t status = tty_check_background(t, TTY_SIGTTOU);

    return status == INV_OK ? tty_drain(t) : status;
}

static inv_status_t start_break(struct tty *t) {
    inv_status_t status = drain_foreground(t);

    if (status == INV_OK)
        set_break(t, true);
    return status == INV_ERR_RESTART ? INV_ERR_INTERRUPTED : status;
}

static inv_status_t end_break(struct tty *t) {
    inv_status_t status = tty_check_background(t, TTY_SIGTTOU);

    if (status == INV_OK)
        set_break(t, false);
    return status;
}

// TCSBRK with 0 and TCSBRKP: drain, then a break of that time. TCSBRK with another argument: drain alone (tcdrain).
static inv_status_t send_break(struct tty *t, nstime_t length) {
    inv_status_t status = drain_foreground(t);

    if (status != INV_OK || length == 0 || t->driver->send_break == NULL)
        return status;
    set_break(t, true);
    uint32_t seen = atomic_load(&t->hangups);
    WAIT_EVENT(&t->writers, atomic_load(&t->hangups) != seen, WAIT_INTERRUPTIBLE, deadline_after(length), status);
    set_break(t, false);
    return status == INV_ERR_INTERRUPTED ? INV_ERR_INTERRUPTED : INV_OK;
}

static inv_status_t set_exclusive(struct tty *t, bool exclusive) {
    mutex_lock(&t->lock);
    t->exclusive = exclusive;
    tty_unlock(t);
    return INV_OK;
}

static inv_status_t count_input(struct tty *t, uint64_t argument) {
    mutex_lock(&t->lock);
    size_t n = ldisc_pending(&t->ldisc);
    tty_unlock(t);
    return store_int(argument, (int)n);
}

static inv_status_t count_output(struct tty *t, uint64_t argument) {
    mutex_lock(&t->lock);
    size_t n = t->driver->output_queued(t);
    tty_unlock(t);
    return store_int(argument, (int)n);
}

static inv_status_t set_discipline(uint64_t argument) {
    uint32_t number;
    inv_status_t status = arch_user_load32((const uint32_t user_ptr *)argument, &number);

    if (status != INV_OK)
        return status;
    return number == 0 ? INV_OK : INV_ERR_INVALID;
}

static inv_status_t hang_up(struct tty *t) {
    if (!tty_capable(CAP_SYS_ADMIN))
        return INV_ERR_NOT_PERMITTED;
    tty_hangup(t);
    return INV_OK;
}

// Putting words into another program's mouth takes privilege, but on one's own terminal.
static inv_status_t type_byte(struct tty *t, uint64_t argument) {
    uint8_t byte;

    if (!tty_is_controlling(t) && !tty_capable(CAP_SYS_ADMIN))
        return INV_ERR_NOT_PERMITTED;
    if (arch_copy_from_user(&byte, (const void user_ptr *)argument, 1) != INV_OK)
        return INV_ERR_FAULT;
    tty_type(t, byte);
    return INV_OK;
}

// Linux's encoding of a device number in 32 bits.
static int device_number(const struct tty *t) {
    uint32_t major = (uint32_t)(t->number >> 32), minor = (uint32_t)t->number;

    return (int)((minor & 0xff) | major << 8 | (minor & ~0xffu) << 12);
}

static inv_status_t line_request(struct tty *t, struct file *file, unsigned command, uint64_t argument) {
    switch (command) {
    case TCFLSH: return flush(t, argument);
    case TCXONC: return flow(t, argument);
    case TCSBRK: return send_break(t, argument == 0 ? BREAK_TIME : 0);
    case TCSBRKP: return send_break(t, argument != 0 ? (argument & 0xffff) * BREAK_UNIT : BREAK_TIME);
    case TIOCSBRK: return start_break(t);
    case TIOCCBRK: return end_break(t);
    case FIONREAD: return count_input(t, argument);
    case TIOCOUTQ: return count_output(t, argument);
    case TIOCEXCL: return set_exclusive(t, true);
    case TIOCNXCL: return set_exclusive(t, false);
    case TIOCGEXCL: return store_int(argument, t->exclusive);
    case TIOCVHANGUP: return hang_up(t);
    case TIOCSTI: return type_byte(t, argument);
    case TIOCNOTTY: return tty_give_up_controlling(t);
    case TIOCCONS: return tty_console_redirect(file);
    default: return INV_ERR_NOT_TTY;
    }
}

inv_status_t tty_request(struct tty *t, struct file *file, bool from_master, unsigned command, uint64_t argument) {
    switch (command) {
    case TIOCGWINSZ: return tty_get_window(t, argument);
    case TIOCSWINSZ: return tty_set_window(t, argument);
    case TIOCSCTTY: return tty_set_controlling(t, file, argument == 1);
    case TIOCGPGRP: return get_group(t, from_master, argument);
    case TIOCSPGRP: return set_group(t, argument);
    case TIOCGSID: return get_session(t, from_master, argument);
    case TIOCGETD: return store_int(argument, 0);
    case TIOCSETD: return set_discipline(argument);
    case TIOCGDEV: return store_int(argument, device_number(t));
    default: return tty_settings_request(t, command, argument);
    }
}

inv_status_t tty_file_ioctl(struct file *file, unsigned command, uint64_t argument, int64_t *out_result) {
    struct tty_file *f = file->data;

    *out_result = 0;
    if (tty_hung_up(f))
        return command == TIOCSPGRP ? INV_ERR_NOT_TTY : INV_ERR_IO;
    inv_status_t status = tty_request(f->tty, file, false, command, argument);
    return status == INV_ERR_NOT_TTY ? line_request(f->tty, file, command, argument) : status;
}

bool tty_is_file(const struct file *file) {
    return file->ops == &tty_terminal_ops;
}
