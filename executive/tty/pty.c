// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Pseudo-terminals (pty(7)): the pair, and the driver that it is to its terminal. What is written at the master goes through the line discipline on the
// writer's own thread, and waits in a ring when the discipline has no room; what the terminal sends waits in another for the master to read. Thread context.
//
// Life of a pair, and who counts it: the master's file, from the open of ptmx to its last close; each open slave; the session that the terminal controls; the
// inode of the name /dev/pts/N. The name goes with the master. Then slaves are hung up and see end of file.
//
//            open ptmx                    unlock, open slave            last slave closed
//   (none) ------------> locked, no slave -----------------> in use ------------------------> left: master reads EIO
//                                                              ^                                    |
//                                                              +------------ open slave ------------+
//
// Invariants:
// I1  Bytes wait in input only if the discipline had no room for them, or is stopped from taking them by what is before them.
// I2  Rings hold their first size always, so that room for a byte comes whenever the other side reads.
// Locking: tty.lock for both sides. No lock but it is held when waiters are woken.

#include "pty.h"

#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#define PIECE 256

void pty_master_readable(struct pty *p) {
    atomic_fetch_add_explicit(&p->master_input_changes, 1, memory_order_release);
    if (waitq_active(&p->master_readers))
        waitq_wake(&p->master_readers, UINT32_MAX, POLL_IN | POLL_RDNORM | (p->status != 0 ? POLL_PRI : 0));
    async_notify(&p->master_async, ASYNC_IN);
}

void pty_master_writable(struct pty *p) {
    atomic_fetch_add_explicit(&p->master_output_changes, 1, memory_order_release);
    if (waitq_active(&p->master_writers))
        waitq_wake(&p->master_writers, UINT32_MAX, POLL_OUT | POLL_WRNORM);
}

void pty_feed(struct pty *p) {
    uint8_t piece[PIECE];
    bool taken = false;

    for (size_t n; (n = byte_ring_peek(&p->input, piece, sizeof(piece))) > 0;) {
        size_t done = ldisc_input(&p->tty.ldisc, piece, n);
        byte_ring_drop(&p->input, done);
        taken |= done > 0;
        if (done < n)
            break;
    }
    tty_push_echo(&p->tty);
    if (taken) {
        byte_ring_trim(&p->input);
        pty_master_writable(p);
    }
}

// --- the driver below the terminal, with its lock held ---

static size_t pty_write(struct tty *t, const char *text, size_t n) {
    struct pty *p = pty_of(t);
    size_t taken = byte_ring_put(&p->output, (const uint8_t *)text, n);

    if (taken > 0)
        pty_master_readable(p);
    return taken;
}

static size_t pty_write_room(struct tty *t) {
    return t->ldisc.stopped ? 0 : byte_ring_room(&pty_of(t)->output, PIECE);
}

static size_t pty_output_queued(struct tty *t) {
    (void)t; // what was written has been sent: the master has it
    return 0;
}

static void pty_tell(struct tty *t, uint8_t bits) {
    struct pty *p = pty_of(t);

    if (!p->packet)
        return;
    if (bits & (TIOCPKT_STOP | TIOCPKT_START))
        p->status &= (uint8_t) ~(TIOCPKT_STOP | TIOCPKT_START);
    if (bits & (TIOCPKT_DOSTOP | TIOCPKT_NOSTOP))
        p->status &= (uint8_t) ~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
    p->status |= bits;
    pty_master_readable(p);
}

static void pty_flush_output(struct tty *t) {
    byte_ring_truncate(&pty_of(t)->output, PTY_SETTLED);
    pty_tell(t, TIOCPKT_FLUSHWRITE);
}

static bool usual_flow_control(const struct termios *t) {
    return (t->iflag & IXON) != 0 && t->cc[VSTOP] == 'S' - '@' && t->cc[VSTART] == 'Q' - '@';
}

// No line, so no choice of parity and size; and the master hears of the settings that it may have to act by.
static void pty_adjust_termios(struct tty *t, struct termios *wanted, const struct termios *now) {
    bool flow = usual_flow_control(wanted);

    if (flow != usual_flow_control(now))
        pty_tell(t, flow ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP);
    if ((wanted->lflag | now->lflag) & EXTPROC)
        pty_tell(t, TIOCPKT_IOCTL);
    wanted->cflag = (wanted->cflag & ~(CSIZE | PARENB)) | CS8 | CREAD;
}

static void pty_start_output(struct tty *t) {
    tty_output_changed(t);
}

static void pty_refill(struct tty *t) {
    pty_feed(pty_of(t));
}

static inv_status_t pty_opened(struct tty *t) {
    struct pty *p = pty_of(t);

    if (!p->master_open || p->locked)
        return INV_ERR_IO;
    p->slaves++;
    p->slave_left = false;
    return INV_OK;
}

static void pty_closed(struct tty *t) {
    struct pty *p = pty_of(t);

    if (--p->slaves > 0)
        return;
    p->slave_left = true;
    p->packet = p->packet && p->master_open;
    atomic_fetch_add_explicit(&p->master_input_changes, 1, memory_order_release);
    waitq_wake(&p->master_readers, UINT32_MAX, POLL_HUP);
}

static void pty_destroy(struct tty *t) {
    struct pty *p = pty_of(t);
    struct job *job = p->job;

    byte_ring_destroy(&p->input);
    byte_ring_destroy(&p->output);
    kfree(p);
    job_uncharge(job, JOB_MEMORY, sizeof(struct pty));
    object_put(&job->obj);
}

static const struct tty_driver pty_driver = {.write = pty_write,
                                             .write_room = pty_write_room,
                                             .output_queued = pty_output_queued,
                                             .flush_output = pty_flush_output,
                                             .adjust_termios = pty_adjust_termios,
                                             .start = pty_start_output,
                                             .refill = pty_refill,
                                             .tell = pty_tell,
                                             .opened = pty_opened,
                                             .closed = pty_closed,
                                             .destroy = pty_destroy};

// --- the pair ---

inv_status_t pty_create(struct pty **out) {
    struct job *job = current_process()->obj.job;

    if (job == NULL)
        job = &root_job;
    if (job_charge(job, JOB_MEMORY, sizeof(struct pty)) != INV_OK)
        return INV_ERR_NO_MEMORY;
    struct pty *p = kzalloc(sizeof(*p));
    if (p == NULL) {
        job_uncharge(job, JOB_MEMORY, sizeof(*p));
        return INV_ERR_NO_MEMORY;
    }
    object_get(&job->obj);
    p->job = job;
    waitq_init(&p->master_readers);
    waitq_init(&p->master_writers);
    async_list_init(&p->master_async, false);
    p->locked = p->master_open = true;
    tty_init(&p->tty, "pts", 0, &pty_driver, p);
    p->tty.ldisc.termios.cflag = B38400 | CS8 | CREAD;
    p->tty.ldisc.termios.input_speed = p->tty.ldisc.termios.output_speed = 38400;
    if (byte_ring_init(&p->input, job) != INV_OK || byte_ring_init(&p->output, job) != INV_OK) {
        tty_put(&p->tty);
        return INV_ERR_NO_MEMORY;
    }
    *out = p;
    return INV_OK;
}

static inv_status_t slave_open(struct inode *inode, struct file *file) {
    struct pty *p = inode->data;

    tty_get(&p->tty);
    return tty_open_file(file, &p->tty, false, true);
}

static void slave_inode_gone(void *data) {
    struct pty *p = data;

    tty_put(&p->tty);
}

static const struct file_ops slave_node_ops = {.open = slave_open};
static const struct devpts_driver devpts_driver = {.ops = &slave_node_ops, .put = slave_inode_gone};

static const struct file_ops ptmx_ops = {.open = pty_master_open};
static struct character_device ptmx_device = {.number = DEVNO(5, 2), .name = "ptmx", .mode = 0666, .ops = &ptmx_ops};

inv_status_t pty_start(void) {
    devpts_register_driver(&devpts_driver);
    return character_device_register(&ptmx_device);
}
