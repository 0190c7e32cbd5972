// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The line discipline, with input typed by TIOCSTI: lines, erase, kill, end of file, literal next, signals, raw
// reads, carriage returns.
#include "testing.h"
#include <sys/ioctl.h>
#include <termios.h>

static int fd;
static volatile int taken;

static void handler(int signal) {
    taken = signal;
}

// The signal that a key has sent, once.
static int await_taken(void) {
    for (int tries = 0; tries < 5000 && taken == 0; tries++) {
        sleep_ms(1);
    }
    int signal = taken;
    taken = 0;
    return signal;
}

static void type(const char *keys, size_t length) {
    for (size_t i = 0; i < length; i++) {
        MUST(ioctl(fd, TIOCSTI, keys + i));
    }
}

#define TYPE(keys) type(keys, sizeof(keys) - 1)

// Reads once and prints what came, control characters as ^X.
static void show(const char *name, size_t size) {
    char buffer[256], text[600];
    size_t at = 0;
    ssize_t n = read(fd, buffer, size);
    if (n == -1) {
        say(name, "%s", error_name(errno));
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        at += (size_t)sprintf(text + at, buffer[i] >= ' ' && buffer[i] < 127 ? "%c" : "^%c",
                              buffer[i] >= ' ' && buffer[i] < 127 ? buffer[i] : buffer[i] ^ 64);
    }
    text[at] = 0;
    say(name, "%d \"%s\"", (int)n, text);
}

int main(void) {
    struct termios kept, settings;
    fd = MUST(open("/dev/console", O_RDWR | O_NOCTTY));
    MUST(ioctl(fd, TIOCSCTTY, 1));
    MUST(tcgetattr(fd, &kept));
    settings = kept;
    settings.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fd, TCSAFLUSH, &settings);
    fcntl(fd, F_SETFL, O_NONBLOCK);

    TYPE("hello");
    show("a line without its end", 100);
    TYPE(" world\n");
    show("a line", 100);
    TYPE("one\ntwo\n");
    int count = 0;
    ioctl(fd, FIONREAD, &count);
    say("FIONREAD", "%d", count);
    show("two lines, the first", 100);
    show("the second", 100);
    TYPE("abcdef\n");
    show("a line in parts", 4);
    show("the rest", 100);
    TYPE("abX\177c\n");
    show("erase", 100);
    TYPE("\177\177a\n");
    show("erase at the start", 100);
    TYPE("lost\025kept\n");
    show("kill", 100);
    TYPE("one two\027three\n");
    show("word erase", 100);
    TYPE("a\026\003b\n");
    show("literal next", 100);
    TYPE("part\004");
    show("end of file after some", 100);
    TYPE("\004");
    show("end of file alone", 100);
    TYPE("after\r");
    show("carriage return is a line end", 100);
    TYPE("\xc3\xa4\177x\n");
    show("erase of a byte without IUTF8", 100);

    signal(SIGINT, handler);
    signal(SIGQUIT, handler);
    signal(SIGTSTP, handler);
    TYPE("gone\003");
    say("interrupt key", "%s", signal_name(await_taken()));
    TYPE("fresh\n");
    show("what was typed before it is flushed", 100);
    TYPE("\034");
    say("quit key", "%s", signal_name(await_taken()));
    TYPE("\032");
    say("suspend key", "%s", signal_name(await_taken()));
    settings.c_lflag &= ~(tcflag_t)ISIG;
    tcsetattr(fd, TCSANOW, &settings);
    TYPE("\003x\n");
    show("without ISIG", 100);
    say("signal", "%d", taken);

    settings.c_lflag |= NOFLSH | ISIG;
    tcsetattr(fd, TCSANOW, &settings);
    TYPE("kept\003\n");
    await_taken();
    show("with NOFLSH", 100);
    settings.c_lflag &= ~(tcflag_t)(NOFLSH | ICANON);
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    tcsetattr(fd, TCSANOW, &settings);
    TYPE("a");
    show("raw, one key", 100);
    TYPE("b\177\025\004\r");
    show("raw, special keys", 100);
    show("raw, nothing typed", 100);
    fcntl(fd, F_SETFL, 0);
    settings.c_cc[VMIN] = 3;
    tcsetattr(fd, TCSANOW, &settings);
    TYPE("xyz12");
    show("raw, three at least", 100);
    settings.c_cc[VMIN] = 0;
    settings.c_cc[VTIME] = 0;
    tcsetattr(fd, TCSANOW, &settings);
    show("raw, none at least", 100);
    TYPE("more");
    struct pollfd wanted = {fd, POLLIN, 0};
    int ready = poll(&wanted, 1, 0);
    say("poll", "%d %#x", ready, (unsigned)wanted.revents);
    show("raw, in parts", 2);
    tcflush(fd, TCIFLUSH);
    show("after a flush of the input", 100);

    settings.c_iflag &= ~(tcflag_t)ICRNL;
    settings.c_iflag |= INLCR;
    tcsetattr(fd, TCSANOW, &settings);
    TYPE("\r\n");
    show("without ICRNL, with INLCR", 100);
    settings.c_iflag = (kept.c_iflag & ~(tcflag_t)ICRNL) | IGNCR;
    tcsetattr(fd, TCSANOW, &settings);
    TYPE("a\rb");
    show("with IGNCR", 100);
    settings.c_iflag = kept.c_iflag | ISTRIP | IUCLC;
    settings.c_lflag |= IEXTEN;
    tcsetattr(fd, TCSANOW, &settings);
    TYPE("\301BC");
    show("with ISTRIP and IUCLC", 100);

    // What is typed before a switch to line mode, and the longest line.
    tcsetattr(fd, TCSAFLUSH, &kept);
    settings = kept;
    settings.c_lflag &= ~(tcflag_t)ECHO;
    settings.c_iflag |= IUTF8;
    tcsetattr(fd, TCSANOW, &settings);
    TYPE("\xc3\xa4\177x\n");
    show("erase of a letter with IUTF8", 100);
    settings.c_cc[VEOL] = ';';
    tcsetattr(fd, TCSANOW, &settings);
    TYPE("first;second\n");
    show("another line end", 100);
    show("the next", 100);
    static char longest[5000];
    memset(longest, 'z', sizeof(longest));
    type(longest, sizeof(longest));
    TYPE("\n");
    ssize_t n = read(fd, longest, sizeof(longest));
    say("longest line", "%d, ends with %d", (int)n, longest[n > 0 ? n - 1 : 0]);
    tcsetattr(fd, TCSAFLUSH, &kept);
    return 0;
}
