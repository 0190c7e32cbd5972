// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A pseudo-terminal: a terminal whose line is a file, the master. Between pty.c (the pair's life, and the driver below the terminal) and pty_master.c (the
// master's file).
#ifndef TTY_PTY_H
#define TTY_PTY_H

#include "byte_ring.h"
#include "tty_private.h"

#include <executive/devpts.h>

// As much of the output as the other end is thought to have taken in already: a flush does not reach it.
#define PTY_SETTLED 4095u

struct pty {
    struct tty tty; // the slave; its lock and its count are the pair's
    /* tty.lock: */
    struct byte_ring input;  // written at the master, and the discipline had no room for it
    struct byte_ring output; // written to the terminal or echoed, and not yet read at the master
    unsigned slaves;         // files of the terminal
    bool slave_left;         // the last of them was closed, and none opened since
    bool locked;             // no slave may be opened (TIOCSPTLCK)
    bool master_open;
    bool master_hung_up, master_exclusive;
    bool master_stopped; // TCXONC at the master: what is written there waits
    bool packet;         // TIOCPKT
    uint8_t status;      // TIOCPKT_* to be told
    struct devpts_node *node;
    /* atomic: */
    _Atomic uint32_t master_input_changes, master_output_changes; // what its readers and writers wait for
    struct waitq master_readers, master_writers;
    struct async_list master_async;
    struct job *job; // charged; counted
};

static inline struct pty *pty_of(struct tty *t) {
    return container_of(t, struct pty, tty);
}

// pty.c. A pair without a name: one count, for the master. NO_MEMORY.
must_check inv_status_t pty_create(struct pty **out);
// The discipline takes what it has room for, of the input that waits. [lock]
void pty_feed(struct pty *p);
// There is something new for the master to read, or to learn.
void pty_master_readable(struct pty *p);
void pty_master_writable(struct pty *p);

// pty_master.c
inv_status_t pty_master_ioctl(struct file *file, unsigned command, uint64_t argument, int64_t *out_result);
extern const struct file_ops pty_master_ops;
inv_status_t pty_master_open(struct inode *inode, struct file *file); // of /dev/ptmx

#endif
