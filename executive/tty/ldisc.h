// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The line discipline as a pure machine: bytes from the line go in at ldisc_input, what the program reads comes out of ldisc_read, what the program writes is
// prepared for the line by ldisc_output, and what is to be echoed waits for ldisc_echo_take. It knows no lock, no thread and no driver: tty.c calls it with the
// terminal's lock held, host tests call it as it is. Semantics: POSIX.1 chapter 11 (General Terminal Interface) and termios(3).
#ifndef TTY_LDISC_H
#define TTY_LDISC_H

#include "termios.h"

#define LDISC_SIZE      4096 // a line has at most so many bytes, its end included
#define LDISC_ECHO_SIZE 2048

// What the machine asks its owner to do; fn is called from ldisc_input.
struct ldisc_events {
    void (*signal)(void *arg, int signal); // to the foreground group
    void (*flushed)(void *arg);            // the input was thrown away: so is to be what the driver has not sent yet
    void (*flow)(void *arg, bool stopped); // ldisc->stopped has changed
};

struct ldisc {
    struct termios termios;
    const struct ldisc_events *events;
    void *arg;
    // Input ring: bytes tail..head; in canonical mode those before line_end are readable, those behind are the line being edited.
    uint64_t tail, head, line_end;
    uint8_t bytes[LDISC_SIZE];
    uint8_t ends[LDISC_SIZE /
                 8]; // bit: the byte ends a line (and is the end of file itself if it is the disabled character)
    // Output.
    unsigned column, edit_column; // of the cursor; where the line being edited begins
    bool stopped;                 // by the STOP character or ldisc_hold
    bool held;                    // by ldisc_hold: START does not end it
    bool literal_next;            // LNEXT was typed
    bool erasing;                 // ECHOPRT: between "\" and "/"
    uint32_t echo_tail, echo_head;
    uint8_t echo[LDISC_ECHO_SIZE];
};

void ldisc_init(struct ldisc *l, const struct ldisc_events *events, void *arg);
// Takes bytes from the line until one finds no room; returns how many. The rest is to be offered again after a read.
size_t ldisc_input(struct ldisc *l, const uint8_t *bytes, size_t n);
// A break condition or a parity error of the line.
void ldisc_input_break(struct ldisc *l);
// Bytes that a read gets now: of the first line in canonical mode (0 with *out_eof: end of file), of the whole buffer else.
size_t ldisc_readable(const struct ldisc *l, bool *out_eof);
// Moves at most n of them to `to` and returns their number; in canonical mode a line's end of file is consumed and not copied.
size_t ldisc_read(struct ldisc *l, uint8_t *to, size_t n);
// FIONREAD: in canonical mode the bytes of all finished lines.
size_t ldisc_pending(const struct ldisc *l);
// Prepares what a program writes: takes at most n bytes, puts at most room into out. Returns the number taken; a byte whose expansion has no room stays.
size_t ldisc_output(struct ldisc *l, const uint8_t *from, size_t n, uint8_t *out, size_t room, size_t *out_length);
// Echo that waits to be sent; it goes before any later output of programs.
size_t ldisc_echo_take(struct ldisc *l, uint8_t *to, size_t n);
static inline bool ldisc_echo_pending(const struct ldisc *l) {
    return l->echo_head != l->echo_tail;
}
// Output stops until it is let go again (TCOOFF, TCOON).
void ldisc_hold(struct ldisc *l, bool hold);
void ldisc_flush_input(struct ldisc *l);
void ldisc_set_termios(struct ldisc *l, const struct termios *t);
extern const struct termios termios_default;

#endif
