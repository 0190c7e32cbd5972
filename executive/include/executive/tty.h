// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Terminals (executive/tty): line discipline, terminal state, job control. Drivers are below (struct tty_driver), the personality above (struct tty_job_ops).
#ifndef EXECUTIVE_TTY_H
#define EXECUTIVE_TTY_H

#include <executive/device.h>

struct tty;

// Where the current process stands to a terminal.
struct tty_standing {
    int group, session;
    bool leader;     // of its session
    bool controlled; // it has a controlling terminal
    bool by_this;    // and it is the one asked about
};

// Job control, registered by the personality. Identifiers are its own (pids as the root sees them); tty keeps numbers only. A terminal's session is alive as
// long as the terminal names it, so numbers of groups are looked at within it: one that has been given away since means nothing.
struct tty_job_ops {
    bool (*standing)(const struct tty *t, struct tty_standing *out); // false: not a process that has a group
    struct tty *(*session_terminal)(void);                           // counted: of the current process, or NULL
    void (*take_terminal)(struct tty *t); // becomes the current process's session's; takes over a count
    void (*leave_terminal)(void);         // the current process alone has none any more
    void (*clear_session_terminal)(int session, int old_foreground); // nobody in the session has one any more
    bool (*current_ignores_or_blocks)(int signal);
    bool (*group_is_orphaned)(int group); // current process's group
    // NO_PROCESS: nobody bears the number; NOT_PERMITTED: it is not of the session.
    inv_status_t (*group_in_session)(int group, int session);
    void (*signal_group)(int group, int session,
                         int signal); // any thread context and the input worker; not interrupt context
    void (*signal_session_leader)(int session, int signal);
    bool (*current_capable)(unsigned capability); // CAP_* of kernel/token.h; NULL: never
};
void tty_register_job_ops(const struct tty_job_ops *ops);
// The personality: a session leader with this terminal ends. The terminal is let go; a line hangs up, a pseudo-terminal's foreground group gets SIGHUP.
void tty_session_leader_exit(struct tty *t);
devno_t tty_device_number(struct tty *t);
int tty_foreground_group(struct tty *t);
int tty_file_group(const struct file *f); // the foreground group of a terminal's file, 0: none; -1: it is no terminal's
void tty_get(struct tty *t);              // any context
void tty_put(struct tty *t);              // may sleep
void tty_hangup_self(void);               // vhangup: the current process's terminal

struct termios;

struct tty_driver {
    // Queues bytes for output; returns how many were taken. Thread context, may be called with the tty's lock held; does not sleep.
    size_t (*write)(struct tty *t, const char *text, size_t n);
    size_t (*write_room)(struct tty *t);
    size_t (*output_queued)(struct tty *t);
    void (*flush_output)(struct tty *t);
    void (*set_termios)(struct tty *t); // speed, size, parity changed. NULL: there is no line
    // Optional (NULL): input may come again after tty_input_room() was 0; output may go on after tty_output_stopped(). Thread context.
    void (*unthrottle)(struct tty *t);
    void (*start)(struct tty *t);
    void (*send_break)(struct tty *t, bool on);
    // Of pseudo-terminals: the terminal's lock is held unless said otherwise.
    void (*adjust_termios)(struct tty *t, struct termios *wanted,
                           const struct termios *now); // may correct what is asked
    void (*refill)(struct tty *t);                     // the discipline may have room for more input
    void (*tell)(struct tty *t, uint8_t packet_bits);  // TIOCPKT_* that became true
    inv_status_t (*opened)(struct tty *t);             // one more file. IO
    void (*closed)(struct tty *t);                     // one less
    void (*destroy)(struct tty *t);                    // the last count has gone; lock not held
};
must_check inv_status_t tty_create(const char *name, devno_t number, const struct tty_driver *driver, void *driver_data,
                                   struct tty **out);
void *tty_driver_data(struct tty *t);
void tty_input(struct tty *t, const char *bytes, size_t n); // interrupt context allowed: queued for the discipline
size_t tty_input_room(
    struct tty *t); // how many bytes tty_input would take; 0: driver->unthrottle will be called. Any context
void tty_input_break(struct tty *t);          // the line was in break condition; interrupt context allowed
bool tty_output_stopped(const struct tty *t); // flow control: the driver sends nothing. Any context
struct tty_line {
    uint32_t speed;
    uint8_t bits;
    bool two_stop_bits, parity, odd, receiver_on;
};
void tty_get_line(struct tty *t, struct tty_line *out); // for set_termios
void tty_output_ready(struct tty *t);                   // room came; any context
// TIOCGPTPEER of an open file: the terminal whose master it is, opened with the O_* of flags. NOT_TTY, IO (no master), what opening gives.
must_check inv_status_t tty_open_peer(struct file *file, unsigned flags, struct file **out);
void tty_hangup(struct tty *t);      // line lost; thread context
void tty_set_console(struct tty *t); // what /dev/console is

#endif
