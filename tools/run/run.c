// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// invar-run: runs one virtual machine and is, from outside, the program that runs in it: its standard output byte for
// byte, its input, its status. Called by ./invar with everything built.
//
// The guest reports a status on the control port before it powers off. A machine that ends without one has crashed:
// QEMU's own status is of no use, since a triple fault under -no-reboot gives 0 too. Statuses of our own: 2 for what
// could not be started, 124 for the time limit, 125 for a crash.

#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    TAIL_ROOM = 4096,       // of the serial line, for the report of a crash
    POWER_OFF_MS = 5000,    // from the status to the end of the machine
    INTERRUPTS_TO_QUIT = 3, // Ctrl-C pressed so often ends the machine, whatever the program does
    MESSAGES_ROOM = 2048,
    OUTER_STREAMS = 4,
};

struct run {
    struct options options;
    struct machine machine;
    struct control control;
    struct terminal terminal;
    struct relay in, out, err, serial;
    int signals, log;
    int interrupts;
    bool machine_ended, sigpipe_sent;
    long long deadline, power_off_deadline; // milliseconds of the monotonic clock; 0: none
    char log_path[4096];
    char tail[TAIL_ROOM];
    size_t tail_used;
    char messages[MESSAGES_ROOM];
    size_t messages_used;
};

static struct run run;

static long long now_ms(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

// Keeps the newest `room` bytes.
static void keep(char *buffer, size_t room, size_t *used, const char *data, size_t length) {
    if (length > room) {
        data += length - room;
        length = room;
    }
    if (*used + length > room) {
        size_t dropped = *used + length - room;
        memmove(buffer, buffer + dropped, *used - dropped);
        *used -= dropped;
    }
    memcpy(buffer + *used, data, length);
    *used += length;
}

static size_t serial_watch(void *context, char *data, size_t length) {
    struct run *r = context;

    keep(r->tail, TAIL_ROOM, &r->tail_used, data, length);
    return length;
}

static void signals_open(struct run *r) {
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCHLD};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        sigaddset(&set, wanted[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// Where the serial line goes: to standard output when it is what the person came for, to standard error beside a
// command, to the log when only the command's output is wanted.
static int serial_target(struct run *r) {
    if (r->options.mode != MODE_COMMAND) {
        return 1;
    }
    if (!r->options.quiet) {
        return 2;
    }
    if (r->options.log == NULL) {
        return r->log = open("/dev/null", O_WRONLY | O_CLOEXEC);
    }
    snprintf(r->log_path, sizeof(r->log_path), "%s.%d", r->options.log, (int)getpid());
    r->log = open(r->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return r->log >= 0 ? r->log : 2;
}

static void streams_connect(struct run *r) {
    const int *port = r->machine.port;
    bool shell = r->options.mode == MODE_SHELL, command = r->options.mode == MODE_COMMAND;

    relay_init(&r->in, shell || command ? 0 : -1, shell ? port[PORT_SERIAL] : port[PORT_IN]);
    relay_init(&r->out, port[PORT_OUT], 1);
    relay_init(&r->err, port[PORT_ERR], 2);
    relay_init(&r->serial, port[PORT_SERIAL], serial_target(r));
    r->in.to_socket = command;
    r->in.held = shell && r->options.ports; // until init is there: a serial line that is being set up drops what it has
    r->serial.filter = serial_watch;
    r->serial.context = r;
    r->serial.drop_cr = !shell;
    control_init(&r->control, port[PORT_CTL]);
    if (shell && terminal_raw()) {
        r->in.filter = terminal_filter;
        r->in.context = &r->terminal;
        fputs("invar: Ctrl-] q ends the machine, Ctrl-] ? lists the other keys\r\n", stderr);
    }
    if (r->options.ports) {
        control_start(&r->control, &r->options);
    }
}

static void __attribute__((noreturn)) leave(struct run *r, int status) {
    machine_kill(&r->machine);
    terminal_restore();
    // The log of a machine that ended as it should is the last one; that of a crash keeps a name of its own.
    if (r->log_path[0] != '\0' && status != STATUS_CRASH && status != STATUS_TIMEOUT) {
        rename(r->log_path, r->options.log);
    }
    exit(status);
}

static void signal_take(struct run *r, int number) {
    switch (number) {
    case SIGWINCH: control_size(&r->control); break;
    case SIGCHLD:
        if (r->machine.pid > 0 && waitpid(r->machine.pid, NULL, WNOHANG) == r->machine.pid) {
            r->machine.pid = 0;
            r->machine_ended = true;
        }
        break;
    case SIGINT:
        if (r->options.mode == MODE_COMMAND && r->control.ready && ++r->interrupts < INTERRUPTS_TO_QUIT) {
            control_signal(&r->control, SIGINT);
            break;
        }
        leave(r, 128 + SIGINT);
    default: leave(r, 128 + number);
    }
}

static void signals_read(struct run *r) {
    struct signalfd_siginfo info;

    while (read(r->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        signal_take(r, (int)info.ssi_signo);
    }
}

static void messages_read(struct run *r) {
    char piece[512];
    ssize_t n = read(r->machine.messages, piece, sizeof(piece));

    if (n > 0) {
        keep(r->messages, MESSAGES_ROOM, &r->messages_used, piece, (size_t)n);
    } else if (n == 0) {
        close(r->machine.messages);
        r->machine.messages = -1;
    }
}

static int timeout_ms(const struct run *r) {
    long long nearest = 0, now = now_ms();

    if (r->deadline != 0) {
        nearest = r->deadline;
    }
    if (r->power_off_deadline != 0 && (nearest == 0 || r->power_off_deadline < nearest)) {
        nearest = r->power_off_deadline;
    }
    return nearest == 0 ? -1 : nearest <= now ? 0 : (int)(nearest - now < 1000000 ? nearest - now : 1000000);
}

// What follows from what has just been read.
static void consequences(struct run *r) {
    if (r->terminal.wish == WISH_QUIT) {
        fputs("\r\n", stderr);
        leave(r, 0);
    }
    if (r->options.iso != NULL && r->in.ended && r->in.from == 0) {
        relay_push(&r->in, "\004", 1); // the end of piped input is Ctrl-D to the shell
        r->in.from = -1;
    }
    r->in.held = r->in.held && !r->control.ready;
    if (r->out.broken && !r->sigpipe_sent) { // our reader has gone: tell the writer as a pipe would
        control_signal(&r->control, SIGPIPE);
        r->sigpipe_sent = true;
    }
    if (r->control.finished && r->power_off_deadline == 0) {
        r->power_off_deadline = now_ms() + POWER_OFF_MS;
    }
}

static void deadlines(struct run *r) {
    long long now = now_ms();

    if (r->power_off_deadline != 0 && now >= r->power_off_deadline && r->machine.pid > 0) {
        complain("the machine did not power off; stopped");
        machine_kill(&r->machine);
        r->machine_ended = true;
        r->power_off_deadline = 0;
        r->deadline = 0;
    }
    if (r->deadline != 0 && now >= r->deadline && !r->control.finished) {
        terminal_restore();
        complain("time limit of %d s reached; machine stopped%s%s", r->options.timeout_seconds,
                 r->log_path[0] ? "; its serial line: " : "", r->log_path);
        leave(r, STATUS_TIMEOUT);
    }
}

static bool all_done(const struct run *r) {
    return r->machine_ended && relay_done(&r->out) && relay_done(&r->err) && relay_done(&r->serial) &&
           r->control.fd < 0 && r->machine.messages < 0;
}

static void turn(struct run *r) {
    struct relay *relays[OUTER_STREAMS] = {&r->in, &r->out, &r->err, &r->serial};
    struct pollfd fds[2 * OUTER_STREAMS + 4];
    int start[OUTER_STREAMS], count[OUTER_STREAMS], used = 0, fixed;

    for (int i = 0; i < OUTER_STREAMS; i++) {
        start[i] = used;
        count[i] = relay_poll(relays[i], fds + used);
        used += count[i];
    }
    fixed = used;
    fds[used++] = (struct pollfd){.fd = r->signals, .events = POLLIN};
    fds[used++] = (struct pollfd){.fd = r->machine.messages, .events = POLLIN};
    fds[used++] = (struct pollfd){.fd = r->control.fd, .events = POLLIN};
    fds[used++] = (struct pollfd){.fd = r->control.out.used > 0 ? r->control.out.to : -1, .events = POLLOUT};
    if (poll(fds, (nfds_t)used, timeout_ms(r)) < 0 && errno != EINTR) {
        complain("poll: %s", strerror(errno));
        leave(r, STATUS_CRASH);
    }
    for (int i = 0; i < OUTER_STREAMS; i++) {
        relay_run(relays[i], fds + start[i], count[i]);
    }
    if (fds[fixed + 1].revents) {
        messages_read(r);
    }
    if (fds[fixed + 2].revents) {
        control_read(&r->control);
    }
    relay_run(&r->control.out, fds + fixed + 3, 1);
    if (fds[fixed].revents) {
        signals_read(r);
    }
    consequences(r);
    deadlines(r);
}

// The report of a machine that ended without a status.
static int crash_report(const struct run *r) {
    const char *tail = r->tail, *end = r->tail + r->tail_used;

    if (r->tail_used == 0 && r->messages_used > 0) {
        const char *stop = memchr(r->messages, '\n', r->messages_used);
        complain("the machine did not start: %.*s", (int)(stop ? stop - r->messages : (long)r->messages_used),
                 r->messages);
        return STATUS_USAGE;
    }
    complain("the kernel crashed: the machine stopped without a status");
    if (r->log < 0) {
        return STATUS_CRASH; // the serial line was shown as it came
    }
    if (r->log_path[0] != '\0') {
        complain("the end of its serial line (all of it: %s):", r->log_path);
    }
    if (r->tail_used == TAIL_ROOM) {
        const char *line = memchr(tail, '\n', r->tail_used);
        tail = line ? line + 1 : tail;
    }
    for (; tail < end; tail++) {
        if (*tail != '\r') {
            fputc(*tail, stderr);
        }
    }
    return STATUS_CRASH;
}

int main(int argc, char **argv) {
    struct run *r = &run;

    options_read(&r->options, argc, argv);
    r->log = -1;
    signals_open(r);
    if (!machine_start(&r->machine, &r->options)) {
        complain("cannot start QEMU: %s", strerror(errno));
        return STATUS_USAGE;
    }
    if (r->options.timeout_seconds > 0) {
        r->deadline = now_ms() + r->options.timeout_seconds * 1000LL;
    }
    streams_connect(r);
    while (!all_done(r)) {
        turn(r);
    }
    terminal_restore();
    leave(r, r->control.finished ? r->control.status : !r->options.ports && r->tail_used > 0 ? 0 : crash_report(r));
}
