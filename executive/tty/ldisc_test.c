// host-test-sources: executive/tty/ldisc.c executive/tty/ldisc_output.c
// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The line discipline, by what goes in and what comes out: canonical and raw input, editing and its picture, signals, flow control, output processing, limits.

#include "ldisc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ldisc l;
static char signals[32];
static unsigned output_flushes, flow_changes;

static void on_signal(void *arg, int signal) {
    size_t n = strlen(signals);

    (void)arg;
    snprintf(signals + n, sizeof(signals) - n, "%d ", signal);
}

static void on_flush(void *arg) {
    (void)arg;
    output_flushes++;
}

static void on_flow(void *arg, bool stopped) {
    (void)arg;
    (void)stopped;
    flow_changes++;
}

static const struct ldisc_events events = {.signal = on_signal, .flushed = on_flush, .flow = on_flow};

#define CHECK(e)                                                      \
    do {                                                              \
        if (!(e)) {                                                   \
            printf("FAIL %s: %s, line %d\n", __func__, #e, __LINE__); \
            exit(1);                                                  \
        }                                                             \
    } while (0)

static void setup(void) {
    ldisc_init(&l, &events, NULL);
    signals[0] = '\0';
    output_flushes = flow_changes = 0;
}

static size_t type(const char *text) {
    return ldisc_input(&l, (const uint8_t *)text, strlen(text));
}

static const char *echoed(void) {
    static char text[LDISC_ECHO_SIZE + 1];

    text[ldisc_echo_take(&l, (uint8_t *)text, LDISC_ECHO_SIZE)] = '\0';
    return text;
}

// Reads once; "-" when there is nothing, "EOF" at the end of file.
static const char *got(size_t n) {
    static char text[LDISC_SIZE + 1];
    bool eof;
    size_t readable = ldisc_readable(&l, &eof);

    if (readable == 0 && !eof)
        return "-";
    text[ldisc_read(&l, (uint8_t *)text, n)] = '\0';
    return eof ? "EOF" : text;
}

static const char *printed(const char *text) {
    static char out[512];
    size_t n;

    CHECK(ldisc_output(&l, (const uint8_t *)text, strlen(text), (uint8_t *)out, sizeof(out) - 1, &n) == strlen(text));
    out[n] = '\0';
    return out;
}

#define IS(value, text) CHECK(strcmp(value, text) == 0)

static void set(uint32_t *flags, uint32_t on, uint32_t off) {
    struct termios t = l.termios;
    uint32_t *field = (uint32_t *)((char *)&t + ((char *)flags - (char *)&l.termios));

    *field = (*field | on) & ~off;
    ldisc_set_termios(&l, &t);
}

static void lines_are_read_one_by_one(void) {
    setup();
    type("one\rtwo\nthr");
    IS(echoed(), "one\r\ntwo\r\nthr");
    CHECK(ldisc_pending(&l) == 8);
    IS(got(100), "one\n");
    IS(got(2), "tw");
    IS(got(100), "o\n");
    IS(got(100), "-");
    type("ee\n");
    IS(got(100), "three\n");
}

static void end_of_file_ends_a_read(void) {
    setup();
    type("\004");
    IS(got(10), "EOF");
    IS(got(10), "-");
    type("abc\004def\n");
    IS(got(10), "abc");
    IS(got(10), "def\n");
    type("abc\004\004x\n");
    IS(got(3), "abc"); // the first end of file goes with its bytes
    IS(got(10), "EOF");
    IS(got(10), "x\n");
    type("line\n\004next\n");
    IS(got(10), "line\n");
    IS(got(10), "EOF"); // not the line's own: it had a newline
    IS(got(10), "next\n");
    type("ab\004");
    CHECK(ldisc_pending(&l) == 2);
    IS(got(1), "a");
    IS(got(1), "b");
    IS(got(1), "-");
    IS(echoed(), "abcdef\r\nabcx\r\nline\r\nnext\r\nab");
}

static void other_line_ends(void) {
    struct termios t;

    setup();
    t = l.termios;
    t.cc[VEOL] = ';';
    t.cc[VEOL2] = '!';
    ldisc_set_termios(&l, &t);
    type("a;b!c\n");
    IS(got(10), "a;");
    IS(got(10), "b!");
    IS(got(10), "c\n");
}

static void editing_changes_the_line_and_shows_it(void) {
    setup();
    type("abx\177c\n");
    IS(echoed(), "abx\b \bc\r\n");
    IS(got(10), "abc\n");
    type("one two_3 \027X\n");
    IS(echoed(), "one two_3 \b \b\b \b\b \b\b \b\b \b\b \bX\r\n");
    IS(got(20), "one X\n");
    type("junk\025ok\n");
    IS(echoed(), "junk\b \b\b \b\b \b\b \bok\r\n");
    IS(got(10), "ok\n");
    type("\177\027\025");
    IS(echoed(), "");
    type("a\001\177b\n");
    IS(echoed(), "a^A\b \b\b \bb\r\n");
    IS(got(10), "ab\n");
    type("ab\tc\177\177d\n");
    IS(echoed(), "ab\tc\b \b\b\b\b\b\b\bd\r\n");
    IS(got(10), "abd\n");
}

static void editing_never_reaches_into_finished_lines(void) {
    setup();
    type("done\n\177\177\027\025x\n");
    IS(got(10), "done\n");
    IS(got(10), "x\n");
}

static void utf8_is_erased_by_the_character(void) {
    setup();
    set(&l.termios.iflag, IUTF8, 0);
    type("a\xc3\xa9\177\n");
    IS(echoed(), "a\xc3\xa9\b \b\r\n");
    IS(got(10), "a\n");
}

static void literal_next_takes_away_the_meaning(void) {
    setup();
    type("a\026\003\026\004\026\n\n");
    IS(signals, "");
    IS(echoed(), "a^\b^C^\b^D^\b^J\r\n");
    IS(got(20), "a\003\004\n\n");
}

static void reprint_shows_the_line_again(void) {
    setup();
    type("abc\022");
    IS(echoed(), "abc^R\r\nabc");
}

static void plain_erase_and_kill_are_echoed_as_themselves(void) {
    setup();
    set(&l.termios.lflag, 0, ECHOE | ECHOKE);
    type("ab\177\n");
    IS(echoed(), "ab^?\r\n");
    type("ab\025\n");
    IS(echoed(), "ab^U\r\n\r\n");
    setup();
    set(&l.termios.lflag, ECHOPRT, 0);
    type("abc\177\177d\n");
    IS(echoed(), "abc\\cb/d\r\n");
    IS(got(10), "ad\n");
}

static void echo_can_be_off(void) {
    setup();
    set(&l.termios.lflag, 0, ECHO);
    type("secret\177\n");
    IS(echoed(), "");
    IS(got(10), "secre\n");
    set(&l.termios.lflag, ECHONL, 0);
    type("secret\n");
    IS(echoed(), "\r\n");
}

static void signals_flush_unless_told_not_to(void) {
    setup();
    type("abc\003");
    IS(signals, "2 ");
    IS(echoed(), "^C");
    CHECK(output_flushes == 1);
    type("x\034\032");
    IS(signals, "2 3 20 ");
    type("y\n");
    IS(got(10), "y\n");
    setup();
    set(&l.termios.lflag, NOFLSH, 0);
    type("ab\003c\n");
    CHECK(output_flushes == 0);
    IS(got(10), "abc\n");
    setup();
    set(&l.termios.lflag, 0, ISIG);
    type("\003\n");
    IS(signals, "");
    IS(got(10), "\003\n");
}

static void flow_control_stops_and_starts(void) {
    setup();
    type("\023");
    CHECK(l.stopped && flow_changes == 1);
    type("a");
    CHECK(l.stopped);
    type("\021");
    CHECK(!l.stopped && flow_changes == 2);
    type("\023\003");
    CHECK(!l.stopped); // a signal lets the output go on
    set(&l.termios.iflag, IXANY, 0);
    type("\023z\n");
    CHECK(!l.stopped);
    IS(got(10), "z\n");
    set(&l.termios.iflag, 0, IXON | IXANY);
    type("\023\n");
    IS(got(10), "\023\n");
}

static void input_mapping(void) {
    setup();
    set(&l.termios.iflag, IGNCR, 0);
    type("a\rb\n");
    IS(got(10), "ab\n");
    set(&l.termios.iflag, INLCR, IGNCR | ICRNL);
    set(&l.termios.lflag, 0, ICANON);
    type("a\rb\n");
    IS(got(10), "a\rb\r");
    set(&l.termios.iflag, IUCLC | ISTRIP, 0);
    type("A\xc2z");
    IS(got(10), "abz");
}

static void raw_input_is_there_at_once(void) {
    setup();
    set(&l.termios.lflag, 0, ICANON | ECHO | ISIG | IEXTEN);
    set(&l.termios.iflag, 0, ICRNL | IXON);
    type("a\003\004\r\177\023");
    IS(echoed(), "");
    IS(got(3), "a\003\004");
    IS(got(10), "\r\177\023");
    IS(got(10), "-");
}

static void change_of_mode_keeps_input(void) {
    setup();
    type("part");
    IS(got(10), "-");
    set(&l.termios.lflag, 0, ICANON);
    IS(got(2), "pa");
    set(&l.termios.lflag, ICANON, 0);
    IS(got(10), "rt");
    type("\177x\n");
    IS(got(10), "x\n");
}

static void full_lines_can_be_ended(void) {
    char *big = malloc(2 * LDISC_SIZE + 1);

    setup();
    set(&l.termios.lflag, 0, ECHO);
    memset(big, 'k', 2 * LDISC_SIZE);
    big[2 * LDISC_SIZE] = '\0';
    CHECK(type(big) == 2 * LDISC_SIZE); // swallowed
    CHECK(type("\n") == 1);
    CHECK(type("more") == 0); // full of finished lines: waits for a reader
    CHECK(strlen(got(2 * LDISC_SIZE)) == LDISC_SIZE);
    CHECK(type("more\n") == 5);
    IS(got(10), "more\n");
    set(&l.termios.lflag, 0, ICANON);
    CHECK(type(big) == LDISC_SIZE - 2); // raw: nothing is lost
    CHECK(type(big) == 0);
    CHECK(strlen(got(100)) == 100);
    CHECK(type(big) == 100);
    free(big);
}

static void output_processing(void) {
    char small[9];
    size_t n;

    setup();
    IS(printed("a\nb\tc\r"), "a\r\nb\tc\r");
    set(&l.termios.oflag, XTABS, 0);
    IS(printed("ab\tc\n"), "ab      c\r\n");
    set(&l.termios.oflag, OCRNL | ONOCR, ONLCR);
    IS(printed("x\r"), "x\n");
    set(&l.termios.oflag, OLCUC, 0);
    IS(printed("up"), "UP");
    set(&l.termios.oflag, 0, OPOST);
    IS(printed("a\n\t"), "a\n\t");
    setup();
    CHECK(ldisc_output(&l, (const uint8_t *)"\n\n\n", 3, (uint8_t *)small, 9, &n) == 1 &&
          n == 2); // an expansion is never cut
    CHECK(ldisc_output(&l, (const uint8_t *)"\n", 1, (uint8_t *)small, 1, &n) == 0 && n == 0);
}

static void break_conditions(void) {
    setup();
    set(&l.termios.lflag, 0, ICANON);
    ldisc_input_break(&l);
    CHECK(ldisc_pending(&l) == 1);
    set(&l.termios.iflag, IGNBRK, 0);
    ldisc_input_break(&l);
    CHECK(ldisc_pending(&l) == 1);
    set(&l.termios.iflag, BRKINT, IGNBRK);
    ldisc_input_break(&l);
    IS(signals, "2 ");
    CHECK(ldisc_pending(&l) == 0);
    set(&l.termios.iflag, PARMRK, BRKINT);
    ldisc_input_break(&l);
    CHECK(ldisc_pending(&l) == 3);
}

// Whatever comes in, in whatever mode: the invariants of ldisc.c hold, and nothing is touched that the sanitizers guard.
static void anything_may_be_typed(void) {
    uint32_t seed = 12345;

    setup();
    for (unsigned i = 0; i < 300000; i++) {
        uint8_t byte, out[64];
        size_t n;

        seed = seed * 1664525 + 1013904223;
        byte = (uint8_t)(seed >> 24);
        if (byte >= 32 && byte < 64)
            byte &= 31; // many control characters
        ldisc_input(&l, &byte, 1);
        CHECK(l.tail <= l.head && l.head - l.tail <= LDISC_SIZE && l.line_end <= l.head);
        CHECK(!(l.termios.lflag & ICANON) || l.tail <= l.line_end);
        if (seed % 41 == 0)
            (void)got(seed >> 20 & 63);
        if (seed % 53 == 0)
            ldisc_echo_take(&l, out, sizeof(out));
        if (seed % 997 == 0) {
            struct termios t = l.termios;
            t.lflag = seed >> 7;
            t.iflag = seed >> 11;
            t.oflag = seed >> 5;
            ldisc_set_termios(&l, &t);
        }
        ldisc_output(&l, &byte, 1, out, sizeof(out), &n);
    }
}

int main(void) {
    lines_are_read_one_by_one();
    end_of_file_ends_a_read();
    other_line_ends();
    editing_changes_the_line_and_shows_it();
    editing_never_reaches_into_finished_lines();
    utf8_is_erased_by_the_character();
    literal_next_takes_away_the_meaning();
    reprint_shows_the_line_again();
    plain_erase_and_kill_are_echoed_as_themselves();
    echo_can_be_off();
    signals_flush_unless_told_not_to();
    flow_control_stops_and_starts();
    input_mapping();
    raw_input_is_there_at_once();
    change_of_mode_keeps_input();
    full_lines_can_be_ended();
    output_processing();
    break_conditions();
    anything_may_be_typed();
    printf("ok ldisc\n");
    return 0;
}
