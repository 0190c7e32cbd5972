// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Input side of the line discipline: see ldisc.h. Each byte passes, in this order, literal-next, the mapping of bits and case, flow control, signals, the
// mapping of line ends, and in canonical mode the editing characters; what is left is stored and echoed.
//
// Invariants:
// I1  tail <= line_end <= head <= tail + LDISC_SIZE; in raw mode line_end is not looked at.
// I2  A bit of ends belongs to a byte before line_end, or is stale and cleared before its place is used again.
// I3  In canonical mode an editing character changes only bytes of line_end..head.
// I4  One place is kept for the end of a line, so that a line that is full can always be finished.

#include "ldisc_private.h"

#include <kernel/string.h>

const struct termios termios_default = {
    .iflag = ICRNL | IXON,
    .oflag = OPOST | ONLCR,
    .cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL,
    .lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .cc = {[VINTR] = 3,
           [VQUIT] = 28,
           [VERASE] = 127,
           [VKILL] = 21,
           [VEOF] = 4,
           [VMIN] = 1,
           [VSTART] = 17,
           [VSTOP] = 19,
           [VSUSP] = 26,
           [VREPRINT] = 18,
           [VDISCARD] = 15,
           [VWERASE] = 23,
           [VLNEXT] = 22},
    .input_speed = 115200,
    .output_speed = 115200,
};

// True if c is the character that `which` names; a character set to 0 is switched off.
static bool is_character(const struct ldisc *l, uint8_t c, enum tty_character which) {
    return c != TTY_DISABLED && c == l->termios.cc[which];
}

static bool end_at(const struct ldisc *l, uint64_t at) {
    return l->ends[at % LDISC_SIZE / 8] >> (at % 8) & 1;
}

static void set_end(struct ldisc *l, uint64_t at, bool ends) {
    uint8_t bit = (uint8_t)(1u << (at % 8));

    if (ends)
        l->ends[at % LDISC_SIZE / 8] |= bit;
    else
        l->ends[at % LDISC_SIZE / 8] &= (uint8_t)~bit;
}

void ldisc_init(struct ldisc *l, const struct ldisc_events *events, void *arg) {
    memset(l, 0, sizeof(*l));
    l->termios = termios_default;
    l->events = events;
    l->arg = arg;
}

static void store(struct ldisc *l, uint8_t c) {
    l->bytes[l->head % LDISC_SIZE] = c;
    set_end(l, l->head, false);
    l->head++;
}

static void finish_line(struct ldisc *l, uint8_t c) {
    l->bytes[l->head % LDISC_SIZE] = c;
    set_end(l, l->head, true);
    l->head++;
    l->line_end = l->head;
}

// I4: what a byte that ends no line may fill.
static bool has_room(const struct ldisc *l) {
    return l->head - l->tail < LDISC_SIZE - 1;
}

void ldisc_flush_input(struct ldisc *l) {
    l->tail = l->line_end = l->head;
    l->literal_next = false;
    l->erasing = false;
}

static void set_stopped(struct ldisc *l, bool stopped) {
    if (l->stopped == stopped || l->held)
        return;
    l->stopped = stopped;
    l->events->flow(l->arg, stopped);
}

void ldisc_hold(struct ldisc *l, bool hold) {
    if (l->held == hold)
        return;
    l->held = false;
    set_stopped(l, hold);
    l->held = hold;
}

static void raise_signal(struct ldisc *l, int signal, uint8_t c) {
    if (HAS_I(l, IXON))
        set_stopped(l, false);
    if (!HAS_L(l, NOFLSH)) {
        ldisc_flush_input(l);
        l->echo_tail = l->echo_head;
        l->events->flushed(l->arg);
    }
    if (HAS_L(l, ECHO))
        ldisc_echo_char(l, c);
    l->events->signal(l->arg, signal);
}

// The signal characters. False: c is none.
static bool take_signal(struct ldisc *l, uint8_t c) {
    if (!HAS_L(l, ISIG))
        return false;
    if (is_character(l, c, VINTR))
        raise_signal(l, TTY_SIGINT, c);
    else if (is_character(l, c, VQUIT))
        raise_signal(l, TTY_SIGQUIT, c);
    else if (is_character(l, c, VSUSP))
        raise_signal(l, TTY_SIGTSTP, c);
    else
        return false;
    return true;
}

// STOP and START; IXANY: any byte starts the output again and is still taken as input. False: c is to be looked at further.
static bool take_flow_control(struct ldisc *l, uint8_t c) {
    if (!HAS_I(l, IXON))
        return false;
    if (is_character(l, c, VSTART)) {
        set_stopped(l, false);
        return true;
    }
    if (is_character(l, c, VSTOP)) {
        set_stopped(l, true);
        return true;
    }
    if (l->stopped && HAS_I(l, IXANY))
        set_stopped(l, false);
    return false;
}

// A byte of text: echoed, and stored if the line has room for it (canonical mode alone: raw input waits for room).
static void take_text(struct ldisc *l, uint8_t c) {
    ldisc_finish_erasing(l);
    if (HAS_L(l, ECHO)) {
        if (l->head == l->line_end)
            l->edit_column = l->column;
        ldisc_echo_char(l, c);
    }
    if (!has_room(l))
        return;
    if (c == 0xff && HAS_I(l, PARMRK) && l->head - l->tail < LDISC_SIZE - 2)
        store(l, c);
    store(l, c);
}

static void take_literal_next(struct ldisc *l) {
    l->literal_next = true;
    if (!HAS_L(l, ECHO))
        return;
    ldisc_finish_erasing(l);
    if (HAS_L(l, ECHOCTL)) {
        ldisc_echo_raw(l, '^');
        ldisc_echo_raw(l, '\b');
    }
}

static void take_reprint(struct ldisc *l, uint8_t c) {
    ldisc_finish_erasing(l);
    ldisc_echo_char(l, c);
    ldisc_echo_raw(l, '\n');
    l->edit_column = l->column;
    for (uint64_t at = l->line_end; at < l->head; at++)
        ldisc_echo_char(l, l->bytes[at % LDISC_SIZE]);
}

// The ends of a line: newline, end of file, EOL, EOL2. False: c is none.
static bool take_line_end(struct ldisc *l, uint8_t c) {
    if (c == '\n') {
        if (HAS_L(l, ECHO) || HAS_L(l, ECHONL))
            ldisc_echo_raw(l, '\n');
        finish_line(l, c);
    } else if (is_character(l, c, VEOF)) {
        finish_line(l, TTY_DISABLED);
    } else if (is_character(l, c, VEOL) || (is_character(l, c, VEOL2) && HAS_L(l, IEXTEN))) {
        if (HAS_L(l, ECHO))
            ldisc_echo_char(l, c);
        finish_line(l, c);
    } else {
        return false;
    }
    return true;
}

static void take_canonical(struct ldisc *l, uint8_t c) {
    bool extended = HAS_L(l, IEXTEN);

    if (is_character(l, c, VERASE))
        ldisc_erase(l, LDISC_ERASE_CHARACTER);
    else if (is_character(l, c, VKILL))
        ldisc_erase(l, LDISC_ERASE_LINE);
    else if (extended && is_character(l, c, VWERASE))
        ldisc_erase(l, LDISC_ERASE_WORD);
    else if (extended && is_character(l, c, VLNEXT))
        take_literal_next(l);
    else if (extended && HAS_L(l, ECHO) && is_character(l, c, VREPRINT))
        take_reprint(l, c);
    else if (!take_line_end(l, c))
        take_text(l, c);
}

static uint8_t to_lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static void take_byte(struct ldisc *l, uint8_t c) {
    if (HAS_I(l, ISTRIP))
        c &= 0x7f;
    if (HAS_I(l, IUCLC) && HAS_L(l, IEXTEN))
        c = to_lower(c);
    if (l->literal_next) {
        l->literal_next = false;
        take_text(l, c);
        return;
    }
    if (HAS_L(l, EXTPROC)) { // the other end edits and echoes
        store(l, c);
        return;
    }
    if (take_flow_control(l, c) || take_signal(l, c))
        return;
    if (c == '\r') {
        if (HAS_I(l, IGNCR))
            return;
        if (HAS_I(l, ICRNL))
            c = '\n';
    } else if (c == '\n' && HAS_I(l, INLCR)) {
        c = '\r';
    }
    if (HAS_L(l, ICANON))
        take_canonical(l, c);
    else
        take_text(l, c);
}

// Raw input needs room for a byte and its PARMRK copy. A canonical line that is full swallows text, but full of finished lines it waits.
static bool may_take(const struct ldisc *l) {
    if (HAS_L(l, ICANON) && !HAS_L(l, EXTPROC))
        return l->head == l->tail || l->line_end == l->tail || has_room(l);
    return l->head - l->tail < LDISC_SIZE - 2;
}

size_t ldisc_input(struct ldisc *l, const uint8_t *bytes, size_t n) {
    size_t taken = 0;

    while (taken < n && may_take(l))
        take_byte(l, bytes[taken++]);
    return taken;
}

void ldisc_input_break(struct ldisc *l) {
    if (HAS_I(l, IGNBRK))
        return;
    if (HAS_I(l, BRKINT)) {
        ldisc_flush_input(l);
        l->events->flushed(l->arg);
        l->events->signal(l->arg, TTY_SIGINT);
        return;
    }
    if (HAS_I(l, PARMRK) && l->head - l->tail < LDISC_SIZE - 3) {
        store(l, 0xff);
        store(l, 0);
    }
    if (has_room(l))
        store(l, 0);
}

size_t ldisc_readable(const struct ldisc *l, bool *out_eof) {
    *out_eof = false;
    if (!HAS_L(l, ICANON) || HAS_L(l, EXTPROC))
        return (size_t)(l->head - l->tail);
    if (l->tail == l->line_end)
        return 0;
    uint64_t at = l->tail;
    while (at + 1 < l->line_end && !end_at(l, at))
        at++;
    if (end_at(l, at) && l->bytes[at % LDISC_SIZE] == TTY_DISABLED) {
        *out_eof = at == l->tail;
        return (size_t)(at - l->tail);
    }
    return (size_t)(at + 1 - l->tail);
}

// The end of file at tail is what ended the bytes that were just read, or what a read of no bytes found.
static bool at_own_eof(const struct ldisc *l, size_t taken) {
    if (!HAS_L(l, ICANON) || HAS_L(l, EXTPROC) || l->tail >= l->line_end || !end_at(l, l->tail) ||
        l->bytes[l->tail % LDISC_SIZE] != TTY_DISABLED)
        return false;
    return taken == 0 || !end_at(l, l->tail - 1);
}

size_t ldisc_read(struct ldisc *l, uint8_t *to, size_t n) {
    bool eof;
    size_t taken = MIN(n, ldisc_readable(l, &eof));

    for (size_t i = 0; i < taken; i++)
        to[i] = l->bytes[(l->tail + i) % LDISC_SIZE];
    l->tail += taken;
    if (n > 0 && at_own_eof(l, taken))
        l->tail++;
    if (l->line_end < l->tail)
        l->line_end = l->tail;
    return taken;
}

size_t ldisc_pending(const struct ldisc *l) {
    size_t n = 0;

    if (!HAS_L(l, ICANON) || HAS_L(l, EXTPROC))
        return (size_t)(l->head - l->tail);
    for (uint64_t at = l->tail; at < l->line_end; at++)
        n += !(end_at(l, at) && l->bytes[at % LDISC_SIZE] == TTY_DISABLED);
    return n;
}

void ldisc_set_termios(struct ldisc *l, const struct termios *t) {
    bool was_canonical = HAS_L(l, ICANON);

    l->termios = *t;
    if (was_canonical && !HAS_L(l, ICANON)) {
        l->line_end = l->head;
    } else if (!was_canonical && HAS_L(l, ICANON)) {
        // What came raw is one line that has ended, without an end of its own.
        for (uint64_t at = l->tail; at < l->head; at++)
            set_end(l, at, at + 1 == l->head && l->bytes[at % LDISC_SIZE] != TTY_DISABLED);
        l->line_end = l->head;
        l->erasing = false;
    }
    if (!HAS_L(l, ICANON))
        l->literal_next = false;
    if (!HAS_I(l, IXON))
        set_stopped(l, false);
}
