// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Terminals (executive/tty): line discipline, terminal state, job control. Drivers are below (struct tty_driver), the personality above (struct tty_job_ops).
#ifndef EXECUTIVE_TTY_H
#define EXECUTIVE_TTY_H

#include <executive/device.h>

struct tty;

// Job control, registered by the personality. Identifiers are its own (pids as the root sees them); tty keeps numbers only.
struct tty_job_ops {
    int (*current_pid)(void);
    int (*current_group)(void);
    int (*current_session)(void);
    bool (*current_is_session_leader)(void);
    struct tty *(*session_terminal)(void);       // controlling terminal of the current session, or NULL
    void (*set_session_terminal)(struct tty *t); // for the current session (NULL: none)
    bool (*current_ignores_or_blocks)(int signal);
    bool (*group_is_orphaned)(int group); // current process's group
    bool (*group_exists)(int group);
    bool (*group_in_session)(int group, int session);
    void (*signal_group)(int group, int signal); // any thread context and the input worker; not interrupt context
    void (*signal_session_leader)(int session, int signal);
    void (*clear_session_terminal)(int session);  // hangup, or the leader ended
    bool (*current_capable)(unsigned capability); // CAP_* of kernel/token.h; NULL: never
};
void tty_register_job_ops(const struct tty_job_ops *ops);
// The personality: a session leader with this terminal has ended: SIGHUP and SIGCONT to the foreground group, terminal let go.
void tty_session_leader_exit(struct tty *t);
devno_t tty_device_number(struct tty *t);
int tty_foreground_group(struct tty *t);

struct tty_driver {
    // Queues bytes for output; returns how many were taken. Thread context, may be called with the tty's lock held; does not sleep.
    size_t (*write)(struct tty *t, const char *text, size_t n);
    size_t (*write_room)(struct tty *t);
    size_t (*output_queued)(struct tty *t);
    void (*flush_output)(struct tty *t);
    void (*set_termios)(struct tty *t); // speed, size, parity changed
    // Optional (NULL): input may come again after tty_input_room() was 0; output may go on after tty_output_stopped(). Thread context.
    void (*unthrottle)(struct tty *t);
    void (*start)(struct tty *t);
    void (*send_break)(struct tty *t, bool on);
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
void tty_hangup(struct tty *t);                         // line lost; thread context
void tty_set_console(struct tty *t);                    // what /dev/console is

#endif
