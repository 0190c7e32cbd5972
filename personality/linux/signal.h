// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Signals inside the personality: actions, queues, sending (signal_send.c), the calls (signal.c), delivery (signal_deliver.c) and frames (arch_x86_64.c).
#ifndef LINUX_SIGNAL_H
#define LINUX_SIGNAL_H

#include "signal_set.h"

#include <kernel/epoch.h>
#include <kernel/list.h>
#include <kernel/lock.h>
#include <kernel/wait.h>
#include <personality/linux.h>

struct linux_process;
struct linux_thread;

#define LINUX_SIG_DFL 0ull
#define LINUX_SIG_IGN 1ull

#define LINUX_SA_NOCLDSTOP 0x00000001ull
#define LINUX_SA_NOCLDWAIT 0x00000002ull
#define LINUX_SA_SIGINFO   0x00000004ull
#define LINUX_SA_RESTORER  0x04000000ull
#define LINUX_SA_ONSTACK   0x08000000ull
#define LINUX_SA_RESTART   0x10000000ull
#define LINUX_SA_NODEFER   0x40000000ull
#define LINUX_SA_RESETHAND 0x80000000ull

#define LINUX_SI_USER       0
#define LINUX_SI_KERNEL     0x80
#define LINUX_SI_QUEUE      (-1)
#define LINUX_SI_TIMER      (-2)
#define LINUX_SI_SIGIO      (-5)
#define LINUX_SI_TKILL      (-6)
#define LINUX_CLD_EXITED    1
#define LINUX_CLD_KILLED    2
#define LINUX_CLD_DUMPED    3
#define LINUX_CLD_STOPPED   5
#define LINUX_CLD_CONTINUED 6

// As user memory has it: handler, flags, restorer, mask (struct kernel_sigaction).
struct linux_sigaction {
    uint64_t handler, flags, restorer;
    linux_sigset_t mask;
};

// Actions, shared by CLONE_SIGHAND. Handlers are also read without the lock, to see whether a signal is ignored.
struct linux_sighand {
    _Atomic uint32_t count;
    struct spinlock lock; // rank SIGNAL_ACTION, interrupts off
    /* lock: */
    struct linux_sigaction actions[LINUX_SIGNALS];
    linux_sigset_t touched; // the others' actions are all zeros: the default, without flags
    /* its own: */
    struct waitq
        signalfd_wait; // who reads or watches a signalfd: woken, all, by each signal that is sent to a process of this table
    _Atomic bool polled; // ever: files may be watched on the queue that outlive it
    struct epoch_node reclaim;
};

// siginfo_t as user memory has it: 128 bytes.
struct linux_siginfo {
    int32_t signo, error, code, pad;
    union {
        struct {
            int32_t pid;
            uint32_t uid;
            union {
                uint64_t value; // sigqueue
                struct {
                    int32_t status, pad;
                    int64_t utime, stime;
                } child;
            };
        } sender;
        struct {
            uint64_t address;
        } fault;
        struct {
            int32_t id, overrun;
            uint64_t value;
        } timer;
        uint64_t words[14];
    };
};
_Static_assert(sizeof(struct linux_siginfo) == 128, "siginfo_t is ABI");

struct linux_posix_timer;
struct linux_sigqueue {
    struct list_node node; // empty: in no queue
    struct linux_siginfo info;
    struct linux_posix_timer *timer; // whose the entry is; NULL: freed when its signal is taken
    struct linux_user *user;         // charged: the real user of who it was sent to
};

struct linux_pending {
    linux_sigset_t set;
    struct list_node queue; // linux_sigqueue.node
};

// Which of the fields of siginfo_t a signal with this code carries.
enum siginfo_kind {
    SIGINFO_SENDER,
    SIGINFO_QUEUE,
    SIGINFO_TIMER,
    SIGINFO_CHILD,
    SIGINFO_FAULT,
    SIGINFO_POLL,
    SIGINFO_CALL
};
enum siginfo_kind siginfo_kind(int signal, int code);

// --- signal_queue.c: all with lp->lock held ---
void signal_pending_init(struct linux_pending *p);
// Removes all signals of set from p.
void signal_pending_discard(struct linux_pending *p, linux_sigset_t set);
// Takes the next signal that is not in blocked out of the thread's own or the process's pending. 0: none.
int signal_dequeue(struct linux_thread *t, linux_sigset_t blocked, struct linux_siginfo *out);
// Makes the signal pending for the thread, or for the process (t NULL). False: the user's queued signals are at the limit or memory is out, and nothing was
// added; must_queue false: then it is pending without its information.
must_check bool signal_enqueue(struct linux_process *lp, struct linux_thread *t, const struct linux_siginfo *info,
                               bool must_queue);
// Sets or clears the thread's work bit by what is pending for it. Own thread: clears too.
void signal_recalculate(struct linux_thread *t, bool own);

// --- signal_send.c ---
void siginfo_from_user(struct linux_siginfo *out, int signal, int code); // from the current process: pid and uid
void siginfo_from_kernel(struct linux_siginfo *out, int signal);
// Any context; takes lp->lock. 0 or -EAGAIN (queue full: only for codes < 0 of real-time signals).
int64_t signal_send_process(struct linux_process *p, const struct linux_siginfo *info);
// t is live and cannot go: it is the current thread's, or the tree lock is held.
int64_t signal_send_thread(struct linux_thread *t, const struct linux_siginfo *info);
// A fault of the current thread: cannot be ignored or blocked; then the process dies of it.
void signal_force(const struct linux_siginfo *info);
void signal_force_segv(void); // SIGSEGV from the kernel: a frame could not be built or read
// Every process of a group: the number that were there. Tree lock held.
struct linux_group;
unsigned signal_send_group_locked(struct linux_group *g, const struct linux_siginfo *info);
bool signal_ignored_locked(struct linux_process *p, int signal); // by action: lp->lock held
uint64_t signal_handler(const struct linux_sighand *h, int signal);

// --- signal_action.c ---
struct linux_sighand *sighand_create(const struct linux_sighand *from); // a copy (NULL: all default). NULL: no memory
void sighand_get(struct linux_sighand *h);
void sighand_put(struct linux_sighand *h);
// exec and CLONE_CLEAR_SIGHAND: handlers become default; ignored ones stay, or go too.
void sighand_reset(struct linux_sighand *h, bool keep_ignored);

// Sets the alternate stack of the current thread, whose stack pointer is sp. EPERM (on it now), EINVAL, ENOMEM (too small).
struct linux_altstack;
int64_t linux_altstack_set(const struct linux_altstack *s, uint64_t sp);

// --- signal_deliver.c ---
void linux_user_return(struct arch_frame *frame);
void signal_set_blocked(linux_sigset_t set); // of the current thread; never SIGKILL, SIGSTOP

// --- arch_x86_64.c ---
// Builds the frame for a handler and points the registers at it. mask: what to restore. False: the stack cannot be written.
bool linux_arch_signal_frame(struct arch_frame *f, const struct linux_sigaction *a, const struct linux_siginfo *info,
                             linux_sigset_t mask);

#endif
