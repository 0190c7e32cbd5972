// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The line discipline seen from both sides of a pseudo-terminal: what is echoed, what is read, what is sent, for every bit of the settings that has an effect.
#include "pty_pair.h"

static void canonical(void) {
    TYPE("a line", "hello\n");
    say_read("read", slave, 100);
    TYPE("return", "ab\r");
    say_read("read", slave, 100);
    TYPE("erase", "abc\177\177d\n");
    say_read("read", slave, 100);
    TYPE("erase of a control character", "a\001\177b\n");
    say_read("read", slave, 100);
    TYPE("erase of a tab", "a\tb\177\177c\n");
    say_read("read", slave, 100);
    TYPE("erase at the start", "\177\177x\n");
    say_read("read", slave, 100);
    TYPE("word erase", "one two  three\027\027x\n");
    say_read("read", slave, 100);
    TYPE("kill", "one two\025x\n");
    say_read("read", slave, 100);
    TYPE("reprint", "one\022two\n");
    say_read("read", slave, 100);
    TYPE("literal next", "a\026\003b\026\177\n");
    say_read("read", slave, 100);
    TYPE("end of file after text", "text\004");
    say_read("read", slave, 100);
    TYPE("end of file alone", "\004");
    say_poll("poll", slave);
    say_read("read", slave, 100);
    TYPE("two lines", "one\ntwo\n");
    say_read("read in parts", slave, 2);
    say_read("read", slave, 100);
    say_read("read", slave, 100);
    TYPE("a line and an end of file", "abc\004");
    say_read("read exactly the text", slave, 3);
    say_read("read then", slave, 3);
    TYPE("nothing special", "\017\024\n");
    say_read("read", slave, 100);
    character_set(VEOL, ';');
    character_set(VEOL2, '!');
    TYPE("other ends of lines", "one;two!three\n");
    say_read("read", slave, 100);
    say_read("read", slave, 100);
    say_read("read", slave, 100);
    modes(0, 0, 0, 0, 0, IEXTEN);
    TYPE("EOL2 without IEXTEN", "two!\027three\026\n");
    say_read("read", slave, 100);
    modes(0, 0, 0, 0, IEXTEN, 0);
    character_set(VEOL, 0);
    character_set(VEOL2, 0);
    character_set(VERASE, 0);
    TYPE("erase disabled", "a\177b\n");
    say_read("read", slave, 100);
    character_set(VERASE, 127);
}

static void echo(void) {
    modes(0, 0, 0, 0, 0, ECHO);
    TYPE("without ECHO", "a\177b\n");
    say_read("read", slave, 100);
    modes(0, 0, 0, 0, ECHONL, 0);
    TYPE("ECHONL", "abc\n");
    say_read("read", slave, 100);
    modes(0, 0, 0, 0, ECHO, ECHONL | ECHOCTL);
    TYPE("without ECHOCTL", "a\001b\177\177c\n");
    say_read("read", slave, 100);
    modes(0, 0, 0, 0, ECHOCTL, ECHOE);
    TYPE("without ECHOE", "abc\177d\n");
    say_read("read", slave, 100);
    TYPE("kill without ECHOE", "abc\025d\n");
    say_read("read", slave, 100);
    modes(0, 0, 0, 0, ECHOE, ECHOKE);
    TYPE("kill without ECHOKE", "abc\025d\n");
    say_read("read", slave, 100);
    modes(0, 0, 0, 0, 0, ECHOK);
    TYPE("kill without ECHOK", "abc\025d\n");
    say_read("read", slave, 100);
    modes(0, 0, 0, 0, ECHOPRT | ECHOK | ECHOKE, 0);
    TYPE("ECHOPRT", "abc\177\177de\177\n");
    say_read("read", slave, 100);
    TYPE("ECHOPRT, all erased", "ab\177\177");
    TYPE("ECHOPRT, then a line", "c\n");
    say_read("read", slave, 100);
    TYPE("ECHOPRT, word", "ab cd\027x\n");
    say_read("read", slave, 100);
    modes(0, 0, 0, 0, 0, ECHOPRT);
    modes(IUTF8, 0, 0, 0, 0, 0);
    TYPE("IUTF8", "a\303\244\177b\n");
    say_read("read", slave, 100);
    TYPE("IUTF8, three bytes", "\342\202\254\342\202\254\177\n");
    say_read("read", slave, 100);
    modes(0, IUTF8, 0, 0, 0, 0);
    TYPE("without IUTF8", "a\303\244\177b\n");
    say_read("read", slave, 100);
}

static void input(void) {
    modes(0, ICRNL, 0, 0, 0, 0);
    TYPE("without ICRNL", "a\rb\n");
    say_read("read", slave, 100);
    modes(INLCR, 0, 0, 0, 0, 0);
    TYPE("INLCR", "a\nb");
    say_read("read", slave, 100);
    modes(ICRNL, 0, 0, 0, 0, 0);
    TYPE("INLCR and ICRNL", "c\rd\n");
    say_read("read", slave, 100);
    modes(IGNCR, INLCR, 0, 0, 0, 0);
    tcflush(slave, TCIFLUSH);
    TYPE("IGNCR", "a\rb\n");
    say_read("read", slave, 100);
    modes(IUCLC, IGNCR, 0, 0, 0, 0);
    TYPE("IUCLC", "Hello WORLD\n");
    say_read("read", slave, 100);
    modes(0, 0, 0, 0, 0, IEXTEN);
    TYPE("IUCLC without IEXTEN", "Hello\n");
    say_read("read", slave, 100);
    modes(ISTRIP, IUCLC, 0, 0, IEXTEN, 0);
    TYPE("ISTRIP", "a\341b\n");
    say_read("read", slave, 100);
    modes(PARMRK, ISTRIP, 0, 0, 0, 0);
    TYPE("PARMRK", "a\377b\n");
    say_read("read", slave, 100);
    modes(ISTRIP, 0, 0, 0, 0, 0);
    TYPE("PARMRK and ISTRIP", "a\377b\n");
    say_read("read", slave, 100);
    modes(0, ISTRIP | PARMRK, 0, 0, 0, 0);
    modes(IGNBRK | IGNPAR | INPCK, 0, 0, 0, 0, 0);
    TYPE("IGNBRK, IGNPAR, INPCK", "a\001b\n");
    say_read("read", slave, 100);
    modes(0, IGNBRK | IGNPAR | INPCK, 0, 0, 0, 0);
}

static void output_say(const char *name, const char *text) {
    write(slave, text, strlen(text));
    say_sent(name);
}

static void output(void) {
    output_say("OPOST, ONLCR", "a\nb\r\nc\t\1\n");
    modes(0, 0, OCRNL, 0, 0, 0);
    output_say("OCRNL", "a\rb\n");
    modes(0, 0, ONOCR, OCRNL, 0, 0);
    output_say("ONOCR", "\rab\r\r\n");
    modes(0, 0, ONLRET, ONOCR, 0, 0);
    output_say("ONLRET", "a\nb\n");
    modes(0, 0, OCRNL, 0, 0, 0);
    output_say("ONLRET and OCRNL", "a\rb\n");
    modes(0, 0, ONOCR, OCRNL | ONLCR, 0, 0);
    output_say("ONLRET and ONOCR without ONLCR", "ab\n\rc\n");
    modes(0, 0, XTABS | ONLCR, ONOCR | ONLRET, 0, 0);
    output_say("XTABS", "a\tb\n\tc\bd\te\n");
    modes(0, 0, OLCUC, XTABS, 0, 0);
    output_say("OLCUC", "Hello World\n");
    TYPE("OLCUC", "echo\n");
    say_read("read", slave, 100);
    modes(0, 0, OFILL | OFDEL | NLDLY | CRDLY | BSDLY | VTDLY | FFDLY, OLCUC, 0, 0);
    output_say("delays", "a\n\b\v\f\r");
    modes(0, 0, 0, OPOST | OFILL | OFDEL | NLDLY | CRDLY | BSDLY | VTDLY | FFDLY, 0, 0);
    output_say("without OPOST", "a\nb\r\t\n");
    TYPE("echo without OPOST", "a\n");
    say_read("read", slave, 100);
    modes(0, 0, OPOST, 0, 0, 0);
}

static void flow(void) {
    fcntl(slave, F_SETFL, O_NONBLOCK);
    TYPE("stop", "\023");
    say_poll("slave stopped", slave);
    say_call("write stopped", write(slave, "abc", 3));
    TYPE("typed stopped", "xy\n");
    TYPE("start", "\021");
    say_poll("slave started", slave);
    say_call("write started", write(slave, "abc", 3));
    say_sent("sent");
    say_read("read", slave, 100);
    modes(IXANY, 0, 0, 0, 0, 0);
    TYPE("stop", "\023");
    TYPE("any key", "k\n");
    say_call("write", write(slave, "abc", 3));
    say_sent("sent");
    say_read("read", slave, 100);
    TYPE("stop", "\023");
    modes(0, IXON | IXANY, 0, 0, 0, 0);
    say_call("write, IXON off", write(slave, "abc", 3));
    say_sent("sent");
    TYPE("stop without IXON", "\023\021\n");
    say_read("read", slave, 100);
    modes(IXON, 0, 0, 0, 0, 0);
    say_call("TCOOFF", tcflow(slave, TCOOFF));
    say_call("write", write(slave, "abc", 3));
    TYPE("start does not help", "\021");
    say_call("write", write(slave, "abc", 3));
    say_call("TCOON", tcflow(slave, TCOON));
    say_call("write", write(slave, "abc", 3));
    say_sent("sent");
    say_call("TCIOFF", tcflow(slave, TCIOFF));
    say_sent("sent");
    say_call("TCION", tcflow(slave, TCION));
    say_sent("sent");
    say_call("an unknown action", tcflow(slave, 9));
    say_call("TCOOFF of the master", tcflow(master, TCOOFF));
    fcntl(master, F_SETFL, O_NONBLOCK);
    say_call("write at the master", write(master, "q", 1));
    say_call("TCOON of the master", tcflow(master, TCOON));
    say_call("write at the master", write(master, "q\n", 2));
    say_sent("echo");
    say_read("read", slave, 100);
    fcntl(slave, F_SETFL, 0);
    fcntl(master, F_SETFL, 0);
}

static void raw(void) {
    modes(0, 0, 0, 0, 0, ICANON | ECHO);
    TYPE("raw", "a\177\025\004\n");
    say_read("read", slave, 100);
    modes(0, 0, 0, 0, ECHO, 0);
    TYPE("raw with echo", "a\177\n\001");
    say_read("read", slave, 100);
    modes(0, 0, 0, 0, 0, ECHO);
    character_set(VMIN, 3);
    write(master, "ab", 2);
    say_poll("two of three", slave);
    write(master, "c", 1);
    ready(slave, 1000);
    say_poll("three of three", slave);
    character_set(VTIME, 1);
    say_read("read", slave, 100);
    write(master, "ab", 2);
    ready(slave, 1000);
    say_poll("VMIN 3, VTIME 1, two there", slave);
    int64_t start = now_ms();
    say_read("read", slave, 100);
    say_bool("after a tenth of a second", now_ms() - start >= 90);
    character_set(VMIN, 0);
    start = now_ms();
    say("VMIN 0, VTIME 1", "%zd", read(slave, &start, 0) + read(slave, (char[4]){0}, 4));
    character_set(VTIME, 0);
    say("VMIN 0, VTIME 0", "%zd", read(slave, (char[4]){0}, 4));
    fcntl(slave, F_SETFL, O_NONBLOCK);
    say_call("VMIN 0 without blocking", read(slave, (char[4]){0}, 4));
    character_set(VMIN, 1);
    say_call("VMIN 1 without blocking", read(slave, (char[4]){0}, 4));
    fcntl(slave, F_SETFL, 0);
    write(master, "one\ntwo", 7);
    ready(slave, 1000);
    modes(0, 0, 0, 0, ICANON, 0);
    say_poll("canonical again", slave);
    int count = 0;
    ioctl(slave, FIONREAD, &count);
    say("FIONREAD", "%d", count);
    say_read("read", slave, 100);
    say_read("read", slave, 100);
    write(master, "unfinished", 10);
    sleep_ms(20);
    modes(0, 0, 0, 0, 0, ICANON);
    say_read("raw in the middle of a line", slave, 100);
    modes(0, 0, 0, 0, ICANON | EXTPROC | ECHO, 0);
    TYPE("EXTPROC", "a\177b\003\n");
    say_read("read", slave, 100);
    modes(0, 0, 0, 0, 0, EXTPROC);
}

static void limits(void) {
    static char line[8192];
    int count = 0;
    modes(0, 0, 0, 0, ICANON, ECHO);
    memset(line, 'x', sizeof(line));
    line[4500] = 'y';
    line[5000] = '\n';
    say_call("a line of 5000", write(master, line, 5001));
    ready(slave, 1000);
    ioctl(slave, FIONREAD, &count);
    say("readable", "%d", count);
    ssize_t n = read(slave, line, sizeof(line));
    say("read", "%zd ends with %s", n, visible(line + n - 3, 3));
    modes(IMAXBEL, 0, 0, 0, 0, 0);
    memset(line, 'x', sizeof(line));
    write(master, line, 4200);
    say_sent("IMAXBEL");
    tcflush(slave, TCIOFLUSH);
    modes(0, IMAXBEL, 0, 0, ECHO, 0);
}

static void queues(void) {
    int count = -1;
    TYPE("typed", "ab\ncd");
    say_call("FIONREAD", ioctl(slave, FIONREAD, &count));
    say("canonical", "%d", count);
    say_call("TIOCOUTQ", ioctl(slave, TIOCOUTQ, &count));
    say("output", "%d", count);
    write(slave, "12345", 5);
    ready(master, 1000);
    ioctl(master, FIONREAD, &count);
    say("at the master", "%d", count);
    ioctl(master, TIOCOUTQ, &count);
    say("its output", "%d", count);
    say_call("flush input", tcflush(slave, TCIFLUSH));
    ioctl(slave, FIONREAD, &count);
    say("input", "%d", count);
    TYPE("goes on", "ef\n");
    say_read("read", slave, 100);
    write(slave, "12345", 5);
    ready(master, 1000);
    say_call("flush output", tcflush(slave, TCOFLUSH));
    say_sent("what was sent has been sent");
    write(slave, "12345", 5);
    ready(master, 1000);
    say_call("flush input of the master", tcflush(master, TCIFLUSH));
    say_sent("read");
    say_call("flush of no queue", tcflush(slave, 3));
    say_call("flush of no queue of the master", tcflush(master, 3));
    say_call("tcdrain", tcdrain(slave));
    say_call("tcdrain of the master", tcdrain(master));
    int64_t start = now_ms();
    say_call("tcsendbreak", tcsendbreak(slave, 0));
    say_call("TCSBRKP", ioctl(slave, TCSBRKP, 30));
    say_bool("took no time", now_ms() - start < 2000);
    say_call("TIOCSBRK", ioctl(slave, TIOCSBRK));
    say_call("TIOCCBRK", ioctl(slave, TIOCCBRK));
    say_call("FIONREAD at a bad address", ioctl(slave, FIONREAD, 8));
    say_call("TIOCOUTQ at a bad address", ioctl(slave, TIOCOUTQ, 8));
    say_call("lseek", lseek(slave, 0, SEEK_SET));
    say_call("pread", pread(slave, &count, 1, 0));
    say_call("fsync", fsync(slave));
    say_call("ftruncate", ftruncate(slave, 0));
    say_call("write of nothing", write(slave, "", 0));
    say_call("write from a bad address", write(slave, (void *)8, 4));
    say_call("write from a bad address at the master", write(master, (void *)8, 4));
}

int main(void) {
    alarm(15);
    pair_open(0);
    canonical();
    echo();
    input();
    output();
    flow();
    raw();
    limits();
    queues();
    pair_close();
    return 0;
}
