// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the tests of pseudo-terminals share: a pair, its settings, and printing what comes out of either side.
#ifndef TESTS_LINUX_TTY_PTY_PAIR_H
#define TESTS_LINUX_TTY_PTY_PAIR_H

#include "../testing.h"
#include <sys/ioctl.h>
#include <termios.h>

static int master MAYBE_UNUSED = -1, slave MAYBE_UNUSED = -1;

static MAYBE_UNUSED void pair_name(char name[32]) {
    unsigned number;
    MUST(ioctl(master, TIOCGPTN, &number));
    snprintf(name, 32, "/dev/pts/%u", number);
}

static MAYBE_UNUSED void pair_open(int flags) {
    char name[32];
    int lock = 0;
    master = MUST(open("/dev/ptmx", O_RDWR | O_NOCTTY | flags));
    MUST(ioctl(master, TIOCSPTLCK, &lock));
    pair_name(name);
    slave = MUST(open(name, O_RDWR | O_NOCTTY | flags));
}

static MAYBE_UNUSED void pair_close(void) {
    close(slave);
    close(master);
    master = slave = -1;
}

// Changes flags of the slave: set, then cleared.
static MAYBE_UNUSED void modes(tcflag_t input_on, tcflag_t input_off, tcflag_t output_on, tcflag_t output_off,
                               tcflag_t local_on, tcflag_t local_off) {
    struct termios t;
    MUST(tcgetattr(slave, &t));
    t.c_iflag = (t.c_iflag | input_on) & ~input_off;
    t.c_oflag = (t.c_oflag | output_on) & ~output_off;
    t.c_lflag = (t.c_lflag | local_on) & ~local_off;
    MUST(tcsetattr(slave, TCSANOW, &t));
}

static MAYBE_UNUSED void character_set(int which, int value) {
    struct termios t;
    MUST(tcgetattr(slave, &t));
    t.c_cc[which] = (cc_t)value;
    MUST(tcsetattr(slave, TCSANOW, &t));
}

// A line of text from bytes: control characters as ^X, others that are not printable as <xx>.
static MAYBE_UNUSED const char *visible(const char *bytes, ssize_t n) {
    static char text[2048];
    size_t at = 0;
    for (ssize_t i = 0; i < n && at < sizeof(text) - 8; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < ' ' || c == 127) {
            at += (size_t)sprintf(text + at, "^%c", c ^ 64);
        } else if (c > 127) {
            at += (size_t)sprintf(text + at, "<%02x>", c);
        } else {
            text[at++] = (char)c;
        }
    }
    text[at] = 0;
    return text;
}

// Is there something to be read within the time? Hands what the other side wrote over, where a kernel does that later.
static MAYBE_UNUSED bool ready(int fd, int milliseconds) {
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, milliseconds) == 1 && (p.revents & POLLIN);
}

// Reads once, if there is something, and prints it.
static MAYBE_UNUSED void say_read(const char *name, int fd, size_t size) {
    static char buffer[8192];
    if (!ready(fd, 60)) {
        struct pollfd p = {fd, POLLIN, 0};
        if (poll(&p, 1, 0) == 0) {
            say(name, "nothing");
            return;
        }
    }
    errno = 0;
    ssize_t n = read(fd, buffer, size < sizeof(buffer) ? size : sizeof(buffer));
    if (n < 0) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "%d \"%s\"", (int)n, visible(buffer, n));
    }
}

// Prints what has come out at the master, until nothing more comes.
static MAYBE_UNUSED void say_sent(const char *name) {
    char text[4096];
    ssize_t length = 0, more;
    while (length < (ssize_t)sizeof(text) && ready(master, 14) &&
           (more = read(master, text + length, sizeof(text) - (size_t)length)) > 0) {
        length += more;
    }
    say(name, "\"%s\"", visible(text, length));
}

// Types at the master; prints what is echoed.
static MAYBE_UNUSED void type(const char *name, const char *keys, size_t n) {
    char what[128];
    if (write(master, keys, n) != (ssize_t)n) {
        say(name, "write: %s", error_name(errno));
        return;
    }
    snprintf(what, sizeof(what), "%s, echo", name);
    say_sent(what);
}
#define TYPE(name, keys) type(name, keys, sizeof(keys) - 1)

static MAYBE_UNUSED void say_poll(const char *name, int fd) {
    struct pollfd p = {fd, POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLWRNORM, 0};
    poll(&p, 1, 0);
    say(name, "events%s%s%s%s%s%s%s", p.revents & POLLIN ? " in" : "", p.revents & POLLPRI ? " pri" : "",
        p.revents & POLLOUT ? " out" : "", p.revents & POLLERR ? " err" : "", p.revents & POLLHUP ? " hup" : "",
        p.revents & POLLRDNORM ? " rdnorm" : "", p.revents & POLLWRNORM ? " wrnorm" : "");
}

#endif
