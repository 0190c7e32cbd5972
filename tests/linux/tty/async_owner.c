// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// O_ASYNC on a terminal that nobody owns: its foreground group becomes the owner, or who asked where there is none; an owner that was chosen stays.
#include "testing.h"

#include <sys/ioctl.h>

static volatile int told;

static void on_signal(int signal) {
    (void)signal;
    told++;
}

static int open_pair(int *out_master) {
    int unlock = 0, number;
    char name[32];
    *out_master = MUST(open("/dev/ptmx", O_RDWR | O_NOCTTY));
    MUST(ioctl(*out_master, TIOCSPTLCK, &unlock));
    MUST(ioctl(*out_master, TIOCGPTN, &number));
    snprintf(name, sizeof(name), "/dev/pts/%d", number);
    return MUST(open(name, O_RDWR | O_NOCTTY));
}

static void turn_on(int fd) {
    MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
}

static void owner(const char *name, int fd) {
    int who = fcntl(fd, F_GETOWN);
    say(name, "%s",
        who == 0            ? "nobody"
        : who == getpid()   ? "this process"
        : who == -getpgrp() ? "its group"
                            : "another");
}

static int in_session(void) {
    int master, slave, on = 1;
    MUST(setsid());
    signal(SIGIO, on_signal);
    slave = open_pair(&master);
    owner("at first", slave);
    turn_on(slave);
    owner("no foreground group: the slave", slave);
    turn_on(master);
    owner("the master", master);
    MUST(fcntl(slave, F_SETFL, fcntl(slave, F_GETFL) & ~O_ASYNC));
    owner("turned off", slave);
    close(slave);
    close(master);
    say("told of the slave's end", "%d", told);
    slave = open_pair(&master);
    MUST(ioctl(slave, TIOCSCTTY, 0));
    MUST(ioctl(slave, FIOASYNC, &on));
    owner("with a foreground group", slave);
    MUST(write(master, "x\n", 2));
    for (int i = 0; i < 500 && told == 0; i++) {
        sleep_ms(2);
    }
    say_bool("it is told", told > 0);
    int second = MUST(open("/dev/tty", O_RDWR));
    MUST(fcntl(second, F_SETOWN, getpid()));
    turn_on(second);
    owner("an owner that was chosen", second);
    return 0;
}

int main(void) {
    say_child("session", in_session);
    int p[2];
    MUST(pipe(p));
    turn_on(p[0]);
    owner("a pipe", p[0]);
    return 0;
}
