// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Restart rules of calls on files that block: pipes, fifos, terminals, event files, locks, leases, splice and its kin.
#include "interruption.h"

#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <termios.h>

static void pipe_empty(struct slot *s) {
    int p[2];
    MUST(pipe(p));
    s->a = p[0];
    s->b = p[1];
}
static void pipe_full(struct slot *s) {
    static char block[4096];
    pipe_empty(s);
    MUST(fcntl(s->b, F_SETPIPE_SZ, 4096));
    MUST(write(s->b, block, sizeof(block)));
}
static void put(struct slot *s) {
    MUST(write(s->b, "x", 1));
}
static void drain(struct slot *s) {
    char block[4096];
    MUST(read(s->a, block, sizeof(block)));
}

static long call_read(struct slot *s) {
    char c;
    return read(s->a, &c, 1);
}
static long call_readv(struct slot *s) {
    char c[2];
    struct iovec v[2] = {{c, 1}, {c + 1, 1}};
    return readv(s->a, v, 2);
}
static long call_write(struct slot *s) {
    return write(s->b, "abc", 3);
}
static long call_writev(struct slot *s) {
    struct iovec v[2] = {{"a", 1}, {"bc", 2}};
    return writev(s->b, v, 2);
}
static long call_splice_from(struct slot *s) {
    int p[2];
    MUST(pipe(p));
    return splice(s->a, NULL, p[1], NULL, 10, 0);
}
static long call_splice_to(struct slot *s) {
    int p[2];
    MUST(pipe(p));
    MUST(write(p[1], "abc", 3));
    return splice(p[0], NULL, s->b, NULL, 3, 0);
}
static long call_tee(struct slot *s) {
    int p[2];
    MUST(pipe(p));
    return tee(s->a, p[1], 10, 0);
}
static long call_vmsplice(struct slot *s) {
    struct iovec v = {"abc", 3};
    return vmsplice(s->b, &v, 1, 0);
}
static long call_sendfile(struct slot *s) {
    int file = MUST(open("source", O_RDWR | O_CREAT, 0600));
    MUST(pwrite(file, "abc", 3, 0));
    off_t at = 0;
    return sendfile(s->b, file, &at, 3);
}

static void event_empty(struct slot *s) {
    s->a = MUST(eventfd(0, 0));
}
static void event_full(struct slot *s) {
    s->a = MUST(eventfd(0, 0));
    uint64_t most = UINT64_MAX - 1;
    MUST(write(s->a, &most, 8));
}
static long call_read8(struct slot *s) {
    uint64_t v;
    return read(s->a, &v, 8);
}
static long call_write8(struct slot *s) {
    uint64_t one = 1;
    return write(s->a, &one, 8);
}
static void event_put(struct slot *s) {
    (void)call_write8(s);
}
static void event_take(struct slot *s) {
    (void)call_read8(s);
}
static void timer_make(struct slot *s) {
    s->a = MUST(timerfd_create(CLOCK_MONOTONIC, 0));
}
static void timer_start(struct slot *s) {
    struct itimerspec t = {.it_value = {0, 1}};
    MUST(timerfd_settime(s->a, 0, &t, NULL));
}
static long call_signalfd(struct slot *s) {
    sigset_t set;
    struct signalfd_siginfo info;
    (void)s;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return read(MUST(signalfd(-1, &set, 0)), &info, sizeof(info));
}
static void signal_other(struct slot *s) {
    kill(s->child, SIGUSR2);
}

// --- fifos ---
static void fifo_make(struct slot *s) {
    unlink("fifo");
    unlink("fifo2");
    MUST(mkfifo("fifo", 0600));
    MUST(mkfifo("fifo2", 0600));
    s->memory = NULL;
}
static long call_open_read(struct slot *s) {
    (void)s;
    return open("fifo", O_RDONLY);
}
static long call_open_write(struct slot *s) {
    (void)s;
    return open("fifo2", O_WRONLY);
}
static void open_writer(struct slot *s) {
    s->a = MUST(open("fifo", O_RDWR));
}
static void open_reader(struct slot *s) {
    s->a = MUST(open("fifo2", O_RDWR));
}

// --- locks: the test's own process has them ---
static void flock_hold(struct slot *s) {
    s->a = MUST(open("flock", O_RDWR | O_CREAT, 0600));
    MUST(flock(s->a, LOCK_EX));
}
static long call_flock(struct slot *s) {
    (void)s;
    return flock(MUST(open("flock", O_RDWR)), LOCK_EX);
}
static void flock_drop(struct slot *s) {
    MUST(flock(s->a, LOCK_UN));
}
static struct flock whole(int type) {
    return (struct flock){.l_type = (short)type, .l_whence = SEEK_SET};
}
static void record_hold(struct slot *s) {
    struct flock l = whole(F_WRLCK);
    s->a = MUST(open("record", O_RDWR | O_CREAT, 0600));
    MUST(fcntl(s->a, F_SETLK, &l));
}
static long call_record(struct slot *s) {
    struct flock l = whole(F_WRLCK);
    return fcntl(s->a, F_SETLKW, &l);
}
static void record_drop(struct slot *s) {
    struct flock l = whole(F_UNLCK);
    MUST(fcntl(s->a, F_SETLK, &l));
}
static void description_hold(struct slot *s) {
    struct flock l = whole(F_WRLCK);
    s->a = MUST(open("description", O_RDWR | O_CREAT, 0600));
    MUST(fcntl(s->a, F_OFD_SETLK, &l));
}
static long call_description(struct slot *s) {
    struct flock l = whole(F_WRLCK);
    (void)s;
    return fcntl(MUST(open("description", O_RDWR)), F_OFD_SETLKW, &l);
}
static void description_drop(struct slot *s) {
    struct flock l = whole(F_UNLCK);
    MUST(fcntl(s->a, F_OFD_SETLK, &l));
}
static void lease_hold(struct slot *s) {
    signal(SIGIO, SIG_IGN);
    close(MUST(open("lease", O_RDWR | O_CREAT, 0600)));
    s->a = MUST(open("lease", O_RDONLY));
    MUST(fcntl(s->a, F_SETLEASE, F_RDLCK));
}
static long call_lease(struct slot *s) {
    (void)s;
    return open("lease", O_WRONLY);
}
static void lease_drop(struct slot *s) {
    MUST(fcntl(s->a, F_SETLEASE, F_UNLCK));
}

// --- terminals ---
static void terminal_make(struct slot *s) {
    struct termios t;
    char name[64];
    int number, off = 0;
    s->b = MUST(open("/dev/ptmx", O_RDWR | O_NOCTTY));
    MUST(ioctl(s->b, TIOCSPTLCK, &off));
    MUST(ioctl(s->b, TIOCGPTN, &number));
    snprintf(name, sizeof(name), "/dev/pts/%d", number);
    s->a = MUST(open(name, O_RDWR | O_NOCTTY));
    MUST(tcgetattr(s->a, &t));
    cfmakeraw(&t);
    MUST(tcsetattr(s->a, TCSANOW, &t));
}
static void terminal_stopped(struct slot *s) {
    terminal_make(s);
    MUST(ioctl(s->a, TCXONC, TCOOFF));
}
static long call_terminal_write(struct slot *s) {
    return write(s->a, "abc", 3);
}
static void terminal_start(struct slot *s) {
    MUST(ioctl(s->a, TCXONC, TCOON));
}
static long call_master_read(struct slot *s) {
    char c;
    return read(s->b, &c, 1);
}
static void slave_put(struct slot *s) {
    MUST(write(s->a, "x", 1));
}

static const struct blocking calls[] = {
    {"read of a pipe", pipe_empty, call_read, put, false},
    {"readv of a pipe", pipe_empty, call_readv, put, false},
    {"write to a pipe", pipe_full, call_write, drain, false},
    {"writev to a pipe", pipe_full, call_writev, drain, false},
    {"splice from a pipe", pipe_empty, call_splice_from, put, false},
    {"splice to a pipe", pipe_full, call_splice_to, drain, false},
    {"tee", pipe_empty, call_tee, put, false},
    {"vmsplice", pipe_full, call_vmsplice, drain, false},
    {"sendfile to a pipe", pipe_full, call_sendfile, drain, false},
    {"read of an eventfd", event_empty, call_read8, event_put, false},
    {"write to an eventfd", event_full, call_write8, event_take, false},
    {"read of a timerfd", timer_make, call_read8, timer_start, false},
    {"read of a signalfd", NULL, call_signalfd, signal_other, false},
    {"open of a fifo for reading", fifo_make, call_open_read, open_writer, true},
    {"open of a fifo for writing", NULL, call_open_write, open_reader, true},
    {"flock", flock_hold, call_flock, flock_drop, false},
    {"F_SETLKW", record_hold, call_record, record_drop, false},
    {"F_OFD_SETLKW", description_hold, call_description, description_drop, false},
    {"open of a leased file", lease_hold, call_lease, lease_drop, true},
    {"read of a terminal", terminal_make, call_read, put, false},
    {"write to a stopped terminal", terminal_stopped, call_terminal_write, terminal_start, false},
    {"read of a pseudo-terminal's master", terminal_make, call_master_read, slave_put, false},
};

int main(void) {
    interruption_all(calls, COUNT(calls));
    return 0;
}
