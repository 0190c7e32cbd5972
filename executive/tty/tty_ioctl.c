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

#define BREAK_TIME (250 * NSEC_PER_MSEC)

enum flush_queue { FLUSH_INPUT, FLUSH_OUTPUT, FLUSH_BOTH };
enum flow_action { FLOW_OUTPUT_OFF, FLOW_OUTPUT_ON, FLOW_INPUT_OFF, FLOW_INPUT_ON };

static const struct {
    uint32_t code, speed;
} speeds[] = {{0, 0},           {1, 50},          {2, 75},          {3, 110},         {4, 134},
              {5, 150},         {6, 200},         {7, 300},         {010, 600},       {011, 1200},
              {012, 1800},      {013, 2400},      {014, 4800},      {015, 9600},      {016, 19200},
              {017, 38400},     {010001, 57600},  {010002, 115200}, {010003, 230400}, {010004, 460800},
              {010005, 500000}, {010006, 576000}, {010007, 921600}, {010010, 1000000}};

static uint32_t speed_of_code(uint32_t code) {
    for (size_t i = 0; i < ARRAY_SIZE(speeds); i++) {
        if (speeds[i].code == code)
            return speeds[i].speed;
    }
    return 0;
}

void tty_get_line(struct tty *t, struct tty_line *out) {
    uint32_t c = t->ldisc.termios.cflag;

    *out = (struct tty_line){.speed = t->ldisc.termios.output_speed,
                             .bits = (uint8_t)(5 + ((c & CSIZE) >> 4)),
                             .two_stop_bits = (c & CSTOPB) != 0,
                             .parity = (c & PARENB) != 0,
                             .odd = (c & PARODD) != 0,
                             .receiver_on = (c & CREAD) != 0};
}

static void flush_input(struct tty *t) {
    tty_discard_raw(t);
    mutex_lock(&t->lock);
    ldisc_flush_input(&t->ldisc);
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

// The four ways to set: at once, after output has drained, and with the input thrown away as well.
struct set_way {
    bool drain, flush, speeds;
};

static inv_status_t termios_from_user(struct tty *t, uint64_t argument, const struct set_way *way,
                                      struct termios *out) {
    mutex_lock(&t->lock);
    *out = t->ldisc.termios;
    tty_unlock(t);
    inv_status_t status = arch_copy_from_user(out, (const void user_ptr *)argument,
                                              way->speeds ? sizeof(*out) : (size_t)TERMIOS_SIZE);
    if (status != INV_OK)
        return status;
    out->line = 0;
    if (!way->speeds || (out->cflag & CBAUD) != BOTHER)
        out->input_speed = out->output_speed = speed_of_code(out->cflag & CBAUD);
    return INV_OK;
}

static inv_status_t set_termios(struct tty *t, uint64_t argument, struct set_way way) {
    struct termios wanted;
    inv_status_t status = tty_check_background(t, TTY_SIGTTOU);

    if (status == INV_OK)
        status = termios_from_user(t, argument, &way, &wanted);
    if (status == INV_OK && way.drain)
        status = tty_drain(t);
    if (status != INV_OK)
        return status;
    if (way.flush)
        flush_input(t);
    mutex_lock(&t->lock);
    bool line_changed = t->ldisc.termios.cflag != wanted.cflag || t->ldisc.termios.output_speed != wanted.output_speed;
    ldisc_set_termios(&t->ldisc, &wanted);
    if (line_changed)
        t->driver->set_termios(t);
    tty_unlock(t);
    tty_input_changed(t); // the rules by which readers wait may be others now
    tty_output_ready(t);
    return INV_OK;
}

static inv_status_t get_termios(struct tty *t, uint64_t argument, size_t size) {
    mutex_lock(&t->lock);
    struct termios settings = t->ldisc.termios;
    tty_unlock(t);
    return arch_copy_to_user((void user_ptr *)argument, &settings, size);
}

static inv_status_t get_window(struct tty *t, uint64_t argument) {
    mutex_lock(&t->lock);
    struct window_size window = t->window;
    tty_unlock(t);
    return arch_copy_to_user((void user_ptr *)argument, &window, sizeof(window));
}

static inv_status_t set_window(struct tty *t, uint64_t argument) {
    struct window_size window;
    inv_status_t status = arch_copy_from_user(&window, (const void user_ptr *)argument, sizeof(window));

    if (status != INV_OK)
        return status;
    mutex_lock(&t->lock);
    bool changed = memcmp(&window, &t->window, sizeof(window)) != 0;
    t->window = window;
    tty_unlock(t);
    if (changed)
        tty_signal_foreground(t, TTY_SIGWINCH);
    return INV_OK;
}

static inv_status_t store_int(uint64_t argument, int value) {
    return arch_user_store32((uint32_t user_ptr *)argument, (uint32_t)value);
}

static inv_status_t get_group(struct tty *t, uint64_t argument) {
    int group;
    inv_status_t status = tty_get_foreground(t, &group);

    return status == INV_OK ? store_int(argument, group) : status;
}

static inv_status_t set_group(struct tty *t, uint64_t argument) {
    uint32_t group;
    int current;
    inv_status_t status = tty_check_background(t, TTY_SIGTTOU);

    if (status != INV_OK)
        return status == INV_ERR_IO ? INV_ERR_NOT_TTY : status;
    status = tty_get_foreground(t, &current);
    if (status == INV_OK)
        status = arch_user_load32((const uint32_t user_ptr *)argument, &group);
    return status == INV_OK ? tty_set_foreground(t, (int)group) : status;
}

static inv_status_t get_session(struct tty *t, uint64_t argument) {
    int session;
    inv_status_t status = tty_get_session(t, &session);

    return status == INV_OK ? store_int(argument, session) : status;
}

static inv_status_t flush(struct tty *t, uint64_t queue) {
    inv_status_t status = tty_check_background(t, TTY_SIGTTOU);

    if (status != INV_OK)
        return status;
    if (queue > FLUSH_BOTH)
        return INV_ERR_INVALID;
    if (queue != FLUSH_OUTPUT)
        flush_input(t);
    if (queue != FLUSH_INPUT)
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

static void set_stopped(struct tty *t, bool stopped) {
    mutex_lock(&t->lock);
    if (t->ldisc.stopped != stopped) {
        t->ldisc.stopped = stopped;
        t->ldisc.events->flow(t, stopped);
    }
    tty_unlock(t);
    tty_output_ready(t);
}

static inv_status_t flow(struct tty *t, uint64_t action) {
    inv_status_t status = tty_check_background(t, TTY_SIGTTOU);

    if (status != INV_OK)
        return status;
    switch (action) {
    case FLOW_OUTPUT_OFF: set_stopped(t, true); break;
    case FLOW_OUTPUT_ON: set_stopped(t, false); break;
    case FLOW_INPUT_OFF: send_flow_character(t, VSTOP); break;
    case FLOW_INPUT_ON: send_flow_character(t, VSTART); break;
    default: return INV_ERR_INVALID;
    }
    return INV_OK;
}

static void set_break(struct tty *t, bool on) {
    if (t->driver->send_break != NULL)
        t->driver->send_break(t, on);
}

// TCSBRK with 0 and TCSBRKP: drain, then a break of a quarter of a second. TCSBRK with another argument: drain alone (tcdrain).
static inv_status_t send_break(struct tty *t, bool really) {
    inv_status_t status = tty_check_background(t, TTY_SIGTTOU);

    if (status == INV_OK)
        status = tty_drain(t);
    if (status != INV_OK || !really)
        return status;
    set_break(t, true);
    uint32_t seen = atomic_load(&t->hangups);
    WAIT_EVENT(&t->writers, atomic_load(&t->hangups) != seen, WAIT_INTERRUPTIBLE, deadline_after(BREAK_TIME), status);
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

// Putting words into another program's mouth takes privilege, also on one's own terminal.
static inv_status_t type_byte(struct tty *t, uint64_t argument) {
    uint8_t byte;

    if (!tty_capable(CAP_SYS_ADMIN))
        return INV_ERR_IO;
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

static inv_status_t line_ioctl(struct tty *t, unsigned command, uint64_t argument) {
    switch (command) {
    case TCFLSH: return flush(t, argument);
    case TCXONC: return flow(t, argument);
    case TCSBRK: return send_break(t, argument == 0);
    case TCSBRKP: return send_break(t, true);
    case TIOCSBRK: set_break(t, true); return INV_OK;
    case TIOCCBRK: set_break(t, false); return INV_OK;
    case FIONREAD: return count_input(t, argument);
    case TIOCOUTQ: return count_output(t, argument);
    case TIOCEXCL: return set_exclusive(t, true);
    case TIOCNXCL: return set_exclusive(t, false);
    case TIOCGEXCL: return store_int(argument, t->exclusive);
    case TIOCGETD: return store_int(argument, 0);
    case TIOCSETD: return set_discipline(argument);
    case TIOCGDEV: return store_int(argument, device_number(t));
    case TIOCVHANGUP: return hang_up(t);
    case TIOCSTI: return type_byte(t, argument);
    default: return INV_ERR_NOT_TTY;
    }
}

inv_status_t tty_file_ioctl(struct file *file, unsigned command, uint64_t argument, int64_t *out_result) {
    struct tty_file *f = file->data;
    struct tty *t = f->tty;

    *out_result = 0;
    if (tty_hung_up(f))
        return INV_ERR_IO;
    switch (command) {
    case TCGETS: return get_termios(t, argument, TERMIOS_SIZE);
    case TCGETS2: return get_termios(t, argument, sizeof(struct termios));
    case TCSETS: return set_termios(t, argument, (struct set_way){0});
    case TCSETSW: return set_termios(t, argument, (struct set_way){.drain = true});
    case TCSETSF: return set_termios(t, argument, (struct set_way){.drain = true, .flush = true});
    case TCSETS2: return set_termios(t, argument, (struct set_way){.speeds = true});
    case TCSETSW2: return set_termios(t, argument, (struct set_way){.drain = true, .speeds = true});
    case TCSETSF2: return set_termios(t, argument, (struct set_way){.drain = true, .flush = true, .speeds = true});
    case TIOCGWINSZ: return get_window(t, argument);
    case TIOCSWINSZ: return set_window(t, argument);
    case TIOCSCTTY: return tty_set_controlling(t, file, argument == 1);
    case TIOCNOTTY: return tty_give_up_controlling(t);
    case TIOCGPGRP: return get_group(t, argument);
    case TIOCSPGRP: return set_group(t, argument);
    case TIOCGSID: return get_session(t, argument);
    default: return line_ioctl(t, command, argument);
    }
}
