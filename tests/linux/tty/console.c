// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The terminal of the console as a device: isatty, settings, window size, controlling terminal, foreground group, and
// what is no terminal.
#include "testing.h"
#include <sys/ioctl.h>
#include <termios.h>

static void show(const struct termios *settings) {
    say("control characters", "intr %d quit %d erase %d kill %d eof %d susp %d start %d stop %d min %d time %d",
        settings->c_cc[VINTR], settings->c_cc[VQUIT], settings->c_cc[VERASE], settings->c_cc[VKILL],
        settings->c_cc[VEOF], settings->c_cc[VSUSP], settings->c_cc[VSTART], settings->c_cc[VSTOP],
        settings->c_cc[VMIN], settings->c_cc[VTIME]);
    say("local modes", "icanon %d isig %d echo %d echoe %d echok %d iexten %d tostop %d",
        !!(settings->c_lflag & ICANON), !!(settings->c_lflag & ISIG), !!(settings->c_lflag & ECHO),
        !!(settings->c_lflag & ECHOE), !!(settings->c_lflag & ECHOK), !!(settings->c_lflag & IEXTEN),
        !!(settings->c_lflag & TOSTOP));
    say("input and output modes", "icrnl %d ixon %d opost %d onlcr %d", !!(settings->c_iflag & ICRNL),
        !!(settings->c_iflag & IXON), !!(settings->c_oflag & OPOST), !!(settings->c_oflag & ONLCR));
}

static int other_group(void) {
    setpgid(0, 0);
    int fd = open("/dev/tty", O_RDWR);
    struct termios settings;
    say_bool("a background group reads settings", tcgetattr(fd, &settings) == 0);
    signal(SIGTTOU, SIG_IGN);
    say_call("and sets them with SIGTTOU ignored", tcsetattr(fd, TCSANOW, &settings));
    say_call("takes the foreground with SIGTTOU ignored", tcsetpgrp(fd, getpgrp()));
    say_bool("has it", tcgetpgrp(fd) == getpgrp());
    return 0;
}

static int stopped_by_setting(void) {
    setpgid(0, 0);
    struct termios settings;
    int fd = open("/dev/tty", O_RDWR);
    tcgetattr(fd, &settings);
    tcsetattr(fd, TCSANOW, &settings);
    return 0;
}

static int stopped_by_reading(void) {
    char byte;
    setpgid(0, 0);
    int fd = open("/dev/tty", O_RDWR);
    return (int)read(fd, &byte, 1);
}

static int refused_reading(void) {
    char byte;
    setpgid(0, 0);
    signal(SIGTTIN, SIG_IGN);
    int fd = open("/dev/tty", O_RDWR);
    return read(fd, &byte, 1) == -1 ? errno : 0;
}

static int stopped_by_writing(void) {
    setpgid(0, 0);
    int fd = open("/dev/tty", O_RDWR);
    return (int)write(fd, "", 0) + (int)write(fd, "\r", 1);
}

static int no_terminal(void) {
    setsid();
    say_call("/dev/tty in a new session", open("/dev/tty", O_RDWR));
    int fd = MUST(open("/dev/console", O_RDWR | O_NOCTTY));
    say_call("TIOCGPGRP of another session's terminal", tcgetpgrp(fd));
    say_call("TIOCSCTTY of another session's terminal", ioctl(fd, TIOCSCTTY, 0));
    return 0;
}

static void stopped(const char *name, int (*function)(void)) {
    int status = 0;
    pid_t pid = spawn(function);
    waitpid(pid, &status, WUNTRACED);
    say(name, "%s", status_text(status));
    if (WIFSTOPPED(status)) {
        kill(pid, SIGKILL);
        reap(pid);
    }
}

int main(void) {
    struct termios settings, kept;
    struct winsize size = {30, 90, 0, 0}, old;
    say_call("/dev/tty without a terminal", open("/dev/tty", O_RDWR));
    int fd = MUST(open("/dev/console", O_RDWR | O_NOCTTY));
    say_bool("the console is a terminal", isatty(fd));
    say_call("TIOCSCTTY", ioctl(fd, TIOCSCTTY, 1));
    say_ok("/dev/tty", open("/dev/tty", O_RDWR));
    say_bool("its session is ours", tcgetsid(fd) == getsid(0));
    say_bool("the foreground group is ours", tcgetpgrp(fd) == getpgrp());

    MUST(tcgetattr(fd, &kept));
    show(&kept);
    settings = kept;
    settings.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    settings.c_cc[VMIN] = 0;
    settings.c_cc[VTIME] = 1;
    say_call("raw input", tcsetattr(fd, TCSANOW, &settings));
    MUST(tcgetattr(fd, &settings));
    say("reads back", "icanon %d echo %d min %d time %d", !!(settings.c_lflag & ICANON), !!(settings.c_lflag & ECHO),
        settings.c_cc[VMIN], settings.c_cc[VTIME]);
    char byte;
    int64_t start = now_ms();
    say_call("read with VTIME 1 and nothing typed", read(fd, &byte, 1));
    say_bool("waited a tenth of a second", now_ms() - start >= 90);
    settings.c_cc[VTIME] = 0;
    tcsetattr(fd, TCSAFLUSH, &settings);
    say_call("read with VTIME 0", read(fd, &byte, 1));
    say_call("back to what it was", tcsetattr(fd, TCSADRAIN, &kept));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    say_call("read without blocking", read(fd, &byte, 1));
    fcntl(fd, F_SETFL, 0);
    struct pollfd wanted = {fd, POLLIN | POLLOUT, 0};
    int ready = poll(&wanted, 1, 0);
    say("poll", "%d %#x", ready, (unsigned)wanted.revents);

    ioctl(fd, TIOCGWINSZ, &old);
    say_call("TIOCSWINSZ", ioctl(fd, TIOCSWINSZ, &size));
    MUST(ioctl(fd, TIOCGWINSZ, &size));
    say("window size", "%d %d", size.ws_row, size.ws_col);
    ioctl(fd, TIOCSWINSZ, &old);

    say_child("a background group", other_group);
    signal(SIGTTOU, SIG_IGN);
    say_call("back in the foreground", tcsetpgrp(fd, getpgrp()));
    signal(SIGTTOU, SIG_DFL);
    say_call("foreground to no group", tcsetpgrp(fd, 999999));
    say_call("foreground to a negative group", ioctl(fd, TIOCSPGRP, &(int){-1}));
    stopped("settings from the background", stopped_by_setting);
    stopped("reading from the background", stopped_by_reading);
    say("reading from the background with SIGTTIN ignored", "%s",
        error_name(WEXITSTATUS(reap(spawn(refused_reading)))));
    stopped("writing from the background without TOSTOP", stopped_by_writing);
    settings = kept;
    settings.c_lflag |= TOSTOP;
    tcsetattr(fd, TCSANOW, &settings);
    stopped("writing from the background with TOSTOP", stopped_by_writing);
    tcsetattr(fd, TCSANOW, &kept);
    say_child("another session", no_terminal);

    say_call("TCGETS of a pipe", ioctl(STDOUT_FILENO, TCGETS, &settings));
    say_call("TIOCGWINSZ of /dev/null", ioctl(STDIN_FILENO, TIOCGWINSZ, &size));
    say_call("TCGETS at a bad address", ioctl(fd, TCGETS, 8));
    say_call("unknown request", ioctl(fd, 0x54ff, 0));
    say_call("tcflush with an unknown queue", tcflush(fd, 9));
    say_call("tcdrain", tcdrain(fd));
    say_call("lseek", lseek(fd, 0, SEEK_CUR));
    signal(SIGHUP, SIG_IGN);
    say_call("TIOCNOTTY", ioctl(fd, TIOCNOTTY));
    say_call("/dev/tty afterwards", open("/dev/tty", O_RDWR));
    return 0;
}
