// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A terminal, between the files of executive/tty: tty.c (creation, open, read, write, poll), tty_worker.c (input), tty_job.c (sessions and groups), tty_ioctl.c.
#ifndef TTY_TTY_PRIVATE_H
#define TTY_TTY_PRIVATE_H

#include "ldisc.h"

#include <executive/tty.h>
#include <kernel/mutex.h>
#include <kernel/wait.h>

#define TTY_RAW_SIZE   4096u
#define TTY_WRITE_ROOM 64u // free bytes in the driver that make a terminal writable for poll

struct tty {
    _Atomic uint32_t count; // files, sessions and who made it; a device's terminal never falls to 0
    /* immutable after create: */
    const struct tty_driver *driver;
    void *driver_data;
    devno_t number;
    struct character_device device;
    char name[16];
    struct mutex lock; // rank TTY
    /* lock: */
    struct ldisc ldisc;
    struct window_size window;
    struct termios locked; // bits and characters that only the privileged change (TIOCSLCKTRMIOS)
    bool exclusive;
    bool told_to_stop;          // IXOFF: the other end was sent STOP and not yet START
    uint32_t signals;           // bit n: signal n is to be sent to the foreground group when the lock has been dropped
    struct spinlock input_lock; // rank TTY_INPUT, with interrupts off
    /* input_lock: */
    uint32_t raw_head, raw_tail;
    bool raw_break, throttled;
    uint8_t *raw; // TTY_RAW_SIZE bytes; NULL: input does not come from interrupts
    /* atomic, written under the job control lock (tty_job.c): */
    _Atomic int session, foreground; // 0: none
    /* atomic: */
    _Atomic uint32_t hangups;        // files opened before the last one are dead
    _Atomic uint32_t input_changes;  // what readers wait for
    _Atomic uint32_t output_changes; // what writers and drains wait for
    atomic_bool stopped;             // ldisc.stopped, for the driver
    atomic_bool other_end_gone;      // a pseudo-terminal's master was closed
    atomic_bool writing;             // a write is under way: others wait, so that writes are not mixed
    struct waitq readers, writers, write_turn;
    struct async_list async;
    /* the worker's lock: */
    struct list_node work_node;
    bool work_queued;
};

// What file->data is.
struct tty_file {
    struct tty *tty;
    uint32_t hangups;
    bool console; // opened as /dev/console: no job control for reads and writes, survives hangups
};

extern const struct tty_job_ops *tty_job_ops; // NULL before the personality registered

static inline bool tty_hung_up(const struct tty_file *f) {
    return !f->console && f->hangups != atomic_load_explicit(&f->tty->hangups, memory_order_acquire);
}

// Packet mode: what the master hears of. [lock]
static inline void tty_tell(struct tty *t, uint8_t packet_bits) {
    if (t->driver->tell != NULL)
        t->driver->tell(t, packet_bits);
}

// tty.c. A terminal without its node: for who embeds it. One count.
void tty_init(struct tty *t, const char *name, devno_t number, const struct tty_driver *driver, void *driver_data);
// The open of a terminal's file. Takes over a count of t, also when it fails. BUSY (exclusive), NO_MEMORY, what the driver says.
must_check inv_status_t tty_open_file(struct file *file, struct tty *t, bool as_console, bool adopt);
extern const struct file_ops tty_terminal_ops; // of files that tty_open_file opened
void tty_hang_up_line(struct tty *t, bool leader_ends);
// Sends what is echoed to the driver, as far as it has room. [lock]
void tty_push_echo(struct tty *t);
void tty_input_changed(struct tty *t);
void tty_output_changed(struct tty *t);
// Drops the lock, and sends the signals that were raised under it.
void tty_unlock(struct tty *t);
// Waits until all output has left. OK, RESTART.
must_check inv_status_t tty_drain(struct tty *t);

// tty_devices.c
// TIOCCONS: what is written to /dev/console goes to file; asked with /dev/console itself: no longer. NOT_PERMITTED, BAD_FD, BUSY.
must_check inv_status_t tty_console_redirect(struct file *file);
void tty_console_restore(const struct tty *t); // the redirection ends, if it is to t; NULL: wherever it goes
struct file *tty_console_target(void);         // counted, or NULL

// tty_worker.c
inv_status_t tty_worker_start(void);
void tty_schedule(struct tty *t); // any context
void tty_discard_raw(struct tty *t);
// Takes one byte through the discipline as if it had been typed, on the calling thread. May sleep. What does not fit is lost.
void tty_type(struct tty *t, uint8_t byte);
void tty_worker_init(struct tty *t);

// pty.c
inv_status_t pty_start(void);

// tty_job.c
void tty_job_init(void);
// May the current process do this to its terminal from where it stands? OK; RESTART after it was sent the signal; IO if it cannot be stopped.
must_check inv_status_t tty_check_background(struct tty *t, int signal);
// The terminal becomes the controlling one of a session leader that has none, as at open.
void tty_adopt_if_leader(struct tty *t);
must_check inv_status_t tty_set_controlling(struct tty *t, const struct file *file, bool steal);
must_check inv_status_t tty_give_up_controlling(struct tty *t);
must_check inv_status_t tty_get_foreground(struct tty *t, bool from_master, int *out);
must_check inv_status_t tty_set_foreground(struct tty *t, int group);
must_check inv_status_t tty_get_session(struct tty *t, bool from_master, int *out);
bool tty_is_controlling(const struct tty *t);
// A hang-up's part: the session loses the terminal, its leader gets SIGHUP and SIGCONT; with leader_ends, the foreground group SIGHUP.
void tty_let_go_of_session(struct tty *t, bool leader_ends);
bool tty_capable(unsigned capability);
void tty_signal_foreground(struct tty *t, int signal);

// tty_ioctl.c: requests on the terminal itself; from_master: asked at the other end of a pseudo-terminal.
must_check inv_status_t tty_request(struct tty *t, struct file *file, bool from_master, unsigned command,
                                    uint64_t argument);
inv_status_t tty_file_ioctl(struct file *file, unsigned command, uint64_t argument, int64_t *out_result);

void tty_flush_input(struct tty *t);
bool tty_is_file(const struct file *file); // of a terminal, not of a master

// tty_settings.c. NOT_TTY: no such request.
must_check inv_status_t tty_settings_request(struct tty *t, unsigned command, uint64_t argument);
must_check inv_status_t tty_get_window(struct tty *t, uint64_t argument);
must_check inv_status_t tty_set_window(struct tty *t, uint64_t argument);

#endif
