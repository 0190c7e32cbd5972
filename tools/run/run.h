// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The parts of invar-run, the host program that starts one virtual machine, connects its streams and gives back the
// status of what ran in it.  run.c drives; options.c reads the command line; machine.c starts QEMU; relay.c moves bytes;
// control.c speaks with the guest's init; terminal.c holds the terminal.  One thread, one poll loop, no globals but the
// terminal's saved state.
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Statuses that are not the program's.
enum { STATUS_USAGE = 2, STATUS_TIMEOUT = 124, STATUS_CRASH = 125 };

// --- options.c --------------------------------------------------------------------------------------------------------

// What runs in the machine and where its streams go.
enum mode {
    MODE_SHELL,   // a shell on the serial line, which is the terminal
    MODE_COMMAND, // argv, its streams over the ports
    MODE_PLAIN,   // no ports: the serial line on standard output, until the machine ends
};

struct options {
    enum mode mode;
    const char *kernel, *initrd, *iso, *firmware;
    const char *machine; // "q35" or "microvm"
    const char *append;
    const char *log; // file that keeps the serial line when it is not shown
    const char *memory;
    int processors, timeout_seconds, seed;
    bool quiet, icount, kvm;
    bool ports;      // the guest has ports; an ISO image and MODE_PLAIN have the serial line alone
    const char *gdb; // socket where gdb connects; the machine waits for it
    char **argv;
    int argc;
};

// Reads the command line; on a mistake prints one line and exits with STATUS_USAGE.
void options_read(struct options *o, int argc, char **argv);

// Prints "invar: ..." on standard error as one line.
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

// --- machine.c --------------------------------------------------------------------------------------------------------

enum port { PORT_IN, PORT_OUT, PORT_ERR, PORT_CTL, PORT_SERIAL, PORT_COUNT };

struct machine {
    pid_t pid;
    int port[PORT_COUNT]; // our ends, non-blocking; -1 where the mode has none
    int messages;         // what QEMU says on its standard error
};

// Starts QEMU. Returns false, with errno, when no process or socket could be had.
bool machine_start(struct machine *m, const struct options *o);

// Ends QEMU now, whatever it does, and waits for it.
void machine_kill(struct machine *m);

// --- relay.c ----------------------------------------------------------------------------------------------------------

enum { RELAY_ROOM = 65536, RELAY_PIECE = 4096 };

// Moves bytes from one descriptor to another. Never blocks: an outer descriptor (which others share, so that it cannot
// be made non-blocking) is written only when poll says so and in pieces that a pipe then takes.
struct relay {
    int from, to;   // -1: closed, or nothing to do
    bool to_socket; // `to` is half-closed at the end of input, so that the peer reads what is left first
    bool drop_cr;   // carriage returns before line feeds are left out
    bool broken;    // the reader of `to` is gone: the rest is thrown away
    bool held;      // nothing is written yet: the reader is not there
    bool ended;     // `from` has ended
    size_t head, used;
    char buffer[RELAY_ROOM];
    // Sees (and may change, shorten) what was read, before it is queued; may be NULL.
    size_t (*filter)(void *context, char *data, size_t length);
    void *context;
};

void relay_init(struct relay *r, int from, int to);
// Puts bytes into the queue as if they had been read; drops what does not fit.
void relay_push(struct relay *r, const char *data, size_t length);
// What the relay waits for: fills up to two entries, returns how many.
int relay_poll(const struct relay *r, struct pollfd *fds);
// Moves what can be moved, after poll.
void relay_run(struct relay *r, const struct pollfd *fds, int count);
// True when the input has ended and all of it was written.
bool relay_done(const struct relay *r);

// --- control.c --------------------------------------------------------------------------------------------------------

struct control {
    int fd;
    bool ready;    // the guest's init is there
    bool finished; // the guest has reported a status
    int status;
    size_t length;
    char line[256];
    struct relay out; // what is still to be sent
};

void control_init(struct control *c, int fd);
// Queues what is to be run: environment, window size, then the command or the shell.
void control_start(struct control *c, const struct options *o);
void control_size(struct control *c);
void control_signal(struct control *c, int number);
// Reads what the guest said; call when the descriptor is readable.
void control_read(struct control *c);

// --- terminal.c -------------------------------------------------------------------------------------------------------

// What a key after the leave key asks for.
enum terminal_wish { WISH_NONE, WISH_QUIT };

struct terminal {
    bool escaped; // the leave key was the last one
    enum terminal_wish wish;
};

// Makes the terminal raw until the program ends, however it ends but by SIGKILL. False: standard input is no terminal.
bool terminal_raw(void);
void terminal_restore(void);
// Rows and columns of the terminal; false when there is none.
bool terminal_size(int *rows, int *columns);
// Filter for the keyboard's relay: takes the leave key and what follows out of the stream.
size_t terminal_filter(void *terminal, char *data, size_t length);
