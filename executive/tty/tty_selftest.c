// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of terminals in the booted kernel: the way from a driver's interrupt through the worker and the discipline to a reader, the four rules by which raw reads
// end, and output back to the driver. The driver is the test's own; files are opened as the name space would do it.

#include "tty_private.h"

#include <kernel/debug.h>
#include <kernel/string.h>
#include <kernel/time.h>

#define TEST_NUMBER DEVNO(241, 0)
#define SENT_SIZE   256

static struct tty *tty;
static char sent[SENT_SIZE];
static size_t sent_length, sent_limit;

static size_t test_write(struct tty *t, const char *text, size_t n) {
    size_t taken = MIN(n, sent_limit - sent_length);

    (void)t;
    memcpy(sent + sent_length, text, taken);
    sent_length += taken;
    return taken;
}

static size_t test_write_room(struct tty *t) {
    (void)t;
    return sent_limit - sent_length;
}

static size_t test_output_queued(struct tty *t) {
    (void)t;
    return 0;
}

static void test_nothing(struct tty *t) {
    (void)t;
}

static const struct tty_driver test_driver = {.write = test_write,
                                              .write_room = test_write_room,
                                              .output_queued = test_output_queued,
                                              .flush_output = test_nothing,
                                              .set_termios = test_nothing};

// Opens the test's terminal, in its default state and empty.
static bool open_fresh(struct file *file, uint32_t flags) {
    if (tty == NULL && tty_create("selftest", TEST_NUMBER, &test_driver, NULL, &tty) != INV_OK)
        return false;
    tty_discard_raw(tty);
    mutex_lock(&tty->lock);
    ldisc_init(&tty->ldisc, tty->ldisc.events, tty);
    tty->told_to_stop = false;
    tty_unlock(tty);
    sent_length = 0;
    sent_limit = SENT_SIZE;
    memset(file, 0, sizeof(*file));
    file->flags = O_RDWR_ | O_NOCTTY_ | flags;
    return character_device_open(TEST_NUMBER, file) == INV_OK;
}

static void set_raw(uint8_t minimum, uint8_t time) {
    mutex_lock(&tty->lock);
    struct termios t = tty->ldisc.termios;
    t.lflag = 0;
    t.cc[VMIN] = minimum;
    t.cc[VTIME] = time;
    ldisc_set_termios(&tty->ldisc, &t);
    tty_unlock(tty);
}

static inv_status_t read_some(struct file *file, char *to, size_t n, size_t *out_done) {
    struct io_vector vector;
    struct io io;
    uint64_t position = 0;

    io_init_kernel(&io, &vector, to, n);
    return file->ops->read(file, &io, &position, out_done);
}

static inv_status_t write_some(struct file *file, const char *text, size_t *out_done) {
    struct io_vector vector;
    struct io io;
    uint64_t position = 0;

    io_init_kernel(&io, &vector, (void *)(uintptr_t)text, strlen(text));
    return file->ops->write(file, &io, &position, out_done);
}

static void nap(void) {
    inv_status_t status = thread_sleep_until(deadline_after(NSEC_PER_MSEC), WAIT_UNINTERRUPTIBLE);
    (void)status;
}

// The worker is through with the piece that it was at.
static void settle_worker(void) {
    mutex_lock(&tty->lock);
    tty_unlock(tty);
}

static bool asked_to_stop(void) {
    mutex_lock(&tty->lock);
    bool asked = tty->told_to_stop;
    tty_unlock(tty);
    return asked;
}

// Waits until the worker has taken what was typed.
static void settle(void) {
    for (int i = 0; i < 1000 && tty_input_room(tty) < TTY_RAW_SIZE; i++)
        nap();
    settle_worker();
}

static bool terminal_line_reaches_its_reader(void) {
    struct file file;
    char text[16];
    size_t done;

    SELFTEST_CHECK(open_fresh(&file, 0));
    tty_input(tty, "helo\177lo\r", 8);
    SELFTEST_CHECK(read_some(&file, text, sizeof(text), &done) == INV_OK && done == 6 &&
                   memcmp(text, "hello\n", 6) == 0);
    settle();
    SELFTEST_CHECK(sent_length == 11 && memcmp(sent, "helo\b \blo\r\n", 11) == 0);
    SELFTEST_CHECK(file.ops->poll(&file, NULL) == (POLL_OUT | POLL_WRNORM));
    tty_input(tty, "\004", 1);
    SELFTEST_CHECK(read_some(&file, text, sizeof(text), &done) == INV_OK && done == 0);
    file.ops->release(&file);
    return true;
}
SELFTEST("tty/line_reaches_its_reader", terminal_line_reaches_its_reader);

static bool terminal_reads_do_not_wait_when_told(void) {
    struct file file;
    char text[16];
    size_t done;

    SELFTEST_CHECK(open_fresh(&file, O_NONBLOCK_));
    SELFTEST_CHECK(read_some(&file, text, sizeof(text), &done) == INV_ERR_SHOULD_WAIT);
    tty_input(tty, "part", 4);
    settle();
    SELFTEST_CHECK(read_some(&file, text, sizeof(text), &done) == INV_ERR_SHOULD_WAIT);
    file.ops->release(&file);
    return true;
}
SELFTEST("tty/reads_do_not_wait_when_told", terminal_reads_do_not_wait_when_told);

// The four cases of VMIN and VTIME (POSIX.1, section 11.1.7).
static bool terminal_raw_reads_end_by_count_and_time(void) {
    struct file file;
    char text[16];
    size_t done;

    SELFTEST_CHECK(open_fresh(&file, 0));
    set_raw(0, 0);
    SELFTEST_CHECK(read_some(&file, text, sizeof(text), &done) == INV_OK && done == 0);
    set_raw(0, 1);
    nstime_t start = clock_monotonic();
    SELFTEST_CHECK(read_some(&file, text, sizeof(text), &done) == INV_OK && done == 0);
    SELFTEST_CHECK(clock_monotonic() - start >= 100 * NSEC_PER_MSEC);
    tty_input(tty, "a", 1);
    SELFTEST_CHECK(read_some(&file, text, sizeof(text), &done) == INV_OK && done == 1);
    set_raw(3, 0);
    tty_input(tty, "abc", 3);
    SELFTEST_CHECK(read_some(&file, text, sizeof(text), &done) == INV_OK && done == 3);
    tty_input(tty, "ab", 2);
    SELFTEST_CHECK(read_some(&file, text, 2, &done) == INV_OK && done == 2);
    set_raw(5, 1);
    tty_input(tty, "xy", 2);
    start = clock_monotonic();
    SELFTEST_CHECK(read_some(&file, text, sizeof(text), &done) == INV_OK && done == 2);
    SELFTEST_CHECK(clock_monotonic() - start >= 100 * NSEC_PER_MSEC);
    file.ops->release(&file);
    return true;
}
SELFTEST("tty/raw_reads_end_by_count_and_time", terminal_raw_reads_end_by_count_and_time);

static bool terminal_output_is_processed_and_bounded(void) {
    struct file file;
    size_t done;

    SELFTEST_CHECK(open_fresh(&file, O_NONBLOCK_));
    SELFTEST_CHECK(write_some(&file, "one\ntwo\n", &done) == INV_OK && done == 8);
    SELFTEST_CHECK(sent_length == 10 && memcmp(sent, "one\r\ntwo\r\n", 10) == 0);
    sent_limit = sent_length + 8; // room for one byte and its expansion
    SELFTEST_CHECK(write_some(&file, "abc", &done) == INV_OK && done == 1);
    SELFTEST_CHECK(write_some(&file, "bc", &done) == INV_ERR_SHOULD_WAIT);
    file.ops->release(&file);
    return true;
}
SELFTEST("tty/output_is_processed_and_bounded", terminal_output_is_processed_and_bounded);

#define PAUSE_PIECES (2 * 4096 / 256 - 1) // fill the discipline's buffer and all but the end of the raw ring

// IXOFF: a line that nobody reads asks the other end to stop, and to go on once it was read.
static bool terminal_asks_a_fast_writer_to_pause(void) {
    struct file file;
    char text[256];
    size_t done;

    SELFTEST_CHECK(open_fresh(&file, O_NONBLOCK_));
    set_raw(1, 0);
    mutex_lock(&tty->lock);
    tty->ldisc.termios.iflag |= IXOFF;
    tty_unlock(tty);
    memset(text, 'k', sizeof(text));
    for (int i = 0; i < PAUSE_PIECES; i++) {
        for (int tries = 0; tries < 1000 && tty_input_room(tty) < sizeof(text); tries++)
            nap();
        tty_input(tty, text, sizeof(text));
    }
    for (int tries = 0; tries < 1000 && !(tty_input_room(tty) < TTY_RAW_SIZE / 4 && asked_to_stop()); tries++)
        nap(); // the worker may be late, and may have asked before
    SELFTEST_CHECK(sent_length % 2 == 1 && sent[sent_length - 1] == 'S' - '@');
    size_t all = 0;
    for (int tries = 0; tries < 10000 && all < PAUSE_PIECES * sizeof(text); all += done, tries++) {
        if (read_some(&file, text, sizeof(text), &done) != INV_OK)
            nap();
    }
    SELFTEST_CHECK(all == PAUSE_PIECES * sizeof(text));
    for (int tries = 0; tries < 1000 && asked_to_stop(); tries++)
        nap();
    SELFTEST_CHECK(sent_length % 2 == 0 && sent[sent_length - 1] == 'Q' - '@');
    file.ops->release(&file);
    return true;
}
SELFTEST("tty/asks_a_fast_writer_to_pause", terminal_asks_a_fast_writer_to_pause);

static bool terminal_hangup_ends_its_files(void) {
    struct file file;
    char text[16];
    size_t done;

    SELFTEST_CHECK(open_fresh(&file, 0));
    tty_hangup(tty);
    SELFTEST_CHECK(read_some(&file, text, sizeof(text), &done) == INV_OK && done == 0);
    SELFTEST_CHECK(write_some(&file, "x", &done) == INV_ERR_IO);
    SELFTEST_CHECK((file.ops->poll(&file, NULL) & POLL_HUP) != 0);
    file.ops->release(&file);
    return true;
}
SELFTEST("tty/hangup_ends_its_files", terminal_hangup_ends_its_files);
