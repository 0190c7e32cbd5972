// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Settings of terminals: the requests of ioctl_tty(2) that read and write struct termios in its three forms, its locked copy, and the window's size. Thread
// context; arguments are copied before the terminal's lock is taken and after it is dropped.

#include "tty_private.h"

#include <arch/usercopy.h>
#include <kernel/string.h>
#include <kernel/token.h>

static const struct {
    uint32_t code, speed;
} speeds[] = {{0, 0},
              {1, 50},
              {2, 75},
              {3, 110},
              {4, 134},
              {5, 150},
              {6, 200},
              {7, 300},
              {010, 600},
              {011, 1200},
              {012, 1800},
              {013, 2400},
              {014, 4800},
              {015, 9600},
              {016, 19200},
              {017, 38400},
              {010001, 57600},
              {010002, 115200},
              {010003, 230400},
              {010004, 460800},
              {010005, 500000},
              {010006, 576000},
              {010007, 921600},
              {010010, 1000000},
              {010011, 1152000},
              {010012, 1500000},
              {010013, 2000000},
              {010014, 2500000},
              {010015, 3000000},
              {010016, 3500000},
              {010017, 4000000}};

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

// The forms in which a program has them, and when they take effect: at once, after output has drained, with the input thrown away as well.
enum settings_form { FORM_TERMIOS, FORM_TERMIOS2, FORM_TERMIO };
enum settings_when { AT_ONCE, DRAINED, FLUSHED };

static inv_status_t termio_from_user(uint64_t argument, struct termios *out) {
    struct termio old;
    inv_status_t status = arch_copy_from_user(&old, (const void user_ptr *)argument, TERMIO_SIZE);

    if (status != INV_OK)
        return status;
    out->iflag = (out->iflag & ~0xffffu) | old.iflag;
    out->oflag = (out->oflag & ~0xffffu) | old.oflag;
    out->cflag = (out->cflag & ~0xffffu) | old.cflag;
    out->lflag = (out->lflag & ~0xffffu) | old.lflag;
    out->line = old.line;
    memcpy(out->cc, old.cc, TERMIO_CHARACTERS);
    return INV_OK;
}

// What the program wants; what its form does not say stays as it is.
static inv_status_t settings_from_user(struct tty *t, uint64_t argument, enum settings_form form, struct termios *out) {
    inv_status_t status;

    mutex_lock(&t->lock);
    *out = t->ldisc.termios;
    tty_unlock(t);
    if (form == FORM_TERMIO)
        status = termio_from_user(argument, out);
    else
        status = arch_copy_from_user(out, (const void user_ptr *)argument,
                                     form == FORM_TERMIOS2 ? sizeof(*out) : (size_t)TERMIOS_SIZE);
    if (status != INV_OK)
        return status;
    uint32_t in = out->cflag >> CIBAUD_SHIFT & CBAUD, both = out->cflag & CBAUD;
    uint32_t speed = both == BOTHER ? out->output_speed : speed_of_code(both);
    if (in != BOTHER)
        out->input_speed = in == B0 ? speed : speed_of_code(in);
    out->output_speed = speed;
    return INV_OK;
}

static uint32_t keep_bits(uint32_t wanted, uint32_t old, uint32_t locked) {
    return (wanted & ~locked) | (old & locked);
}

static void keep_locked(const struct termios *locked, const struct termios *old, struct termios *wanted) {
    wanted->iflag = keep_bits(wanted->iflag, old->iflag, locked->iflag);
    wanted->oflag = keep_bits(wanted->oflag, old->oflag, locked->oflag);
    wanted->cflag = keep_bits(wanted->cflag, old->cflag, locked->cflag);
    wanted->lflag = keep_bits(wanted->lflag, old->lflag, locked->lflag);
    wanted->line = locked->line != 0 ? old->line : wanted->line;
    for (int i = 0; i < TTY_CHARACTERS; i++)
        wanted->cc[i] = locked->cc[i] != 0 ? old->cc[i] : wanted->cc[i];
}

static void apply(struct tty *t, struct termios *wanted) {
    mutex_lock(&t->lock);
    struct termios before = t->ldisc.termios;
    keep_locked(&t->locked, &before, wanted);
    if (t->driver->adjust_termios != NULL)
        t->driver->adjust_termios(t, wanted, &before);
    ldisc_set_termios(&t->ldisc, wanted);
    if (t->driver->set_termios != NULL &&
        (before.cflag != wanted->cflag || before.output_speed != wanted->output_speed))
        t->driver->set_termios(t);
    if (t->driver->refill != NULL)
        t->driver->refill(t); // what had no room as a line may have some now
    tty_push_echo(t);
    tty_unlock(t);
    tty_input_changed(t); // the rules by which readers wait may be others now
    tty_output_ready(t);
}

static inv_status_t set_settings(struct tty *t, uint64_t argument, enum settings_form form, enum settings_when when) {
    struct termios wanted;
    inv_status_t status = tty_check_background(t, TTY_SIGTTOU);

    if (status == INV_OK)
        status = settings_from_user(t, argument, form, &wanted);
    if (status == INV_OK && when != AT_ONCE)
        status = tty_drain(t);
    if (status != INV_OK)
        return status;
    if (when == FLUSHED)
        tty_flush_input(t);
    apply(t, &wanted);
    return INV_OK;
}

static inv_status_t get_settings(struct tty *t, uint64_t argument, enum settings_form form) {
    mutex_lock(&t->lock);
    struct termios now = t->ldisc.termios;
    tty_unlock(t);
    if (form != FORM_TERMIO)
        return arch_copy_to_user((void user_ptr *)argument, &now,
                                 form == FORM_TERMIOS2 ? sizeof(now) : (size_t)TERMIOS_SIZE);
    struct termio old = {.iflag = (uint16_t)now.iflag,
                         .oflag = (uint16_t)now.oflag,
                         .cflag = (uint16_t)now.cflag,
                         .lflag = (uint16_t)now.lflag,
                         .line = now.line};
    memcpy(old.cc, now.cc, TERMIO_CHARACTERS);
    return arch_copy_to_user((void user_ptr *)argument, &old, TERMIO_SIZE);
}

static inv_status_t get_locked(struct tty *t, uint64_t argument) {
    mutex_lock(&t->lock);
    struct termios locked = t->locked;
    tty_unlock(t);
    return arch_copy_to_user((void user_ptr *)argument, &locked, TERMIOS_SIZE);
}

static inv_status_t set_locked(struct tty *t, uint64_t argument) {
    struct termios locked = {0};

    if (!tty_capable(CAP_SYS_ADMIN))
        return INV_ERR_NOT_PERMITTED;
    inv_status_t status = arch_copy_from_user(&locked, (const void user_ptr *)argument, TERMIOS_SIZE);
    if (status != INV_OK)
        return status;
    mutex_lock(&t->lock);
    t->locked = locked;
    tty_unlock(t);
    return INV_OK;
}

static inv_status_t get_soft_carrier(struct tty *t, uint64_t argument) {
    mutex_lock(&t->lock);
    bool local = (t->ldisc.termios.cflag & CLOCAL) != 0;
    tty_unlock(t);
    return arch_user_store32((uint32_t user_ptr *)argument, local);
}

static inv_status_t set_soft_carrier(struct tty *t, uint64_t argument) {
    uint32_t on;
    inv_status_t status = arch_user_load32((const uint32_t user_ptr *)argument, &on);

    if (status != INV_OK)
        return status;
    mutex_lock(&t->lock);
    struct termios wanted = t->ldisc.termios;
    tty_unlock(t);
    wanted.cflag = (wanted.cflag & ~CLOCAL) | (on != 0 ? CLOCAL : 0);
    apply(t, &wanted);
    return INV_OK;
}

inv_status_t tty_get_window(struct tty *t, uint64_t argument) {
    mutex_lock(&t->lock);
    struct window_size window = t->window;
    tty_unlock(t);
    return arch_copy_to_user((void user_ptr *)argument, &window, sizeof(window));
}

inv_status_t tty_set_window(struct tty *t, uint64_t argument) {
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

inv_status_t tty_settings_request(struct tty *t, unsigned command, uint64_t argument) {
    switch (command) {
    case TCGETS: return get_settings(t, argument, FORM_TERMIOS);
    case TCGETS2: return get_settings(t, argument, FORM_TERMIOS2);
    case TCGETA: return get_settings(t, argument, FORM_TERMIO);
    case TCSETS: return set_settings(t, argument, FORM_TERMIOS, AT_ONCE);
    case TCSETSW: return set_settings(t, argument, FORM_TERMIOS, DRAINED);
    case TCSETSF: return set_settings(t, argument, FORM_TERMIOS, FLUSHED);
    case TCSETS2: return set_settings(t, argument, FORM_TERMIOS2, AT_ONCE);
    case TCSETSW2: return set_settings(t, argument, FORM_TERMIOS2, DRAINED);
    case TCSETSF2: return set_settings(t, argument, FORM_TERMIOS2, FLUSHED);
    case TCSETA: return set_settings(t, argument, FORM_TERMIO, AT_ONCE);
    case TCSETAW: return set_settings(t, argument, FORM_TERMIO, DRAINED);
    case TCSETAF: return set_settings(t, argument, FORM_TERMIO, FLUSHED);
    case TIOCGLCKTRMIOS: return get_locked(t, argument);
    case TIOCSLCKTRMIOS: return set_locked(t, argument);
    case TIOCGSOFTCAR: return get_soft_carrier(t, argument);
    case TIOCSSOFTCAR: return set_soft_carrier(t, argument);
    default: return INV_ERR_NOT_TTY;
    }
}
