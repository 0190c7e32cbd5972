// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Row beside the scored ones: a byte through a pseudo-terminal to another process, and back.
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

// Sends every byte back, plus one, until the other side has gone.
static int pty_echo(void *argument) {
    int slave = *(int *)argument;
    char byte;
    while (read(slave, &byte, 1) == 1 && byte != 'q') {
        byte++;
        if (write(slave, &byte, 1) != 1)
            return 1;
    }
    return byte != 'q';
}

static uint64_t pty_batch(unsigned n, void *argument) {
    int master = *(int *)argument;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < n; i++) {
        char sent = (char)('0' + i % 10), back = 0;
        bench_check(write(master, &sent, 1) == 1 && read(master, &back, 1) == 1 && back == sent + 1);
    }
    return bench_now() - begin;
}

static int slave_open(int master) {
    unsigned number;
    int lock = 0;
    char path[32];
    if (ioctl(master, TIOCSPTLCK, &lock) != 0 || ioctl(master, TIOCGPTN, &number) != 0)
        bench_none_or_fail("pseudo-terminal");
    snprintf(path, sizeof path, "/dev/pts/%u", number);
    int slave = open(path, O_RDWR | O_NOCTTY);
    if (slave < 0)
        bench_none_or_fail("/dev/pts");
    return slave;
}

static void pty_rtt_run(void) {
    struct termios raw;
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    if (master < 0)
        bench_none_or_fail("/dev/ptmx");
    int slave = slave_open(master);
    bench_check(tcgetattr(slave, &raw) == 0);
    cfmakeraw(&raw);
    bench_check(tcsetattr(slave, TCSANOW, &raw) == 0);
    pid_t child = bench_child(pty_echo, &slave);
    bench_settle(pty_batch, &master, 200);
    bench_batches(pty_batch, &master, 200, 21);
    bench_check(write(master, "q", 1) == 1);
    bench_reap(child);
    close(slave);
    close(master);
}
BENCH_ROW(pty_rtt, BENCH_SHOWN, BENCH_PER_OPERATION, "pseudo-terminal round trip, two processes, 1 byte, raw",
          pty_rtt_run);
