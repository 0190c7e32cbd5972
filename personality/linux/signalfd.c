// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// signalfd: signals read from a descriptor. A read takes those that are pending for the reading thread and its process and are in the file's set; what
// is pending for somebody else the file does not show, whoever made it. Context: system call; poll also from epoll.
//
// Who waits stands on the queue of the process's table of actions (signal.h), which sending wakes. The table may end before a file that an epoll watches:
// its last wake says so (POLL_FREE).
#include "files.h"
#include "process.h"

#include <arch/usercopy.h>
#include <executive/event.h>

struct signal_file {
    _Atomic linux_sigset_t set; // what it shows
    struct job *job;            // charged; counted
};

// As user memory has it.
struct signalfd_siginfo {
    uint32_t signo;
    int32_t error, code;
    uint32_t pid, uid;
    int32_t fd;
    uint32_t tid, band, overrun, trapno;
    int32_t status, integer;
    uint64_t pointer, utime, stime, address;
    uint16_t address_lsb, pad2;
    int32_t syscall;
    uint64_t call_address;
    uint32_t arch;
    uint8_t pad[28];
};
_Static_assert(sizeof(struct signalfd_siginfo) == 128, "signalfd_siginfo is ABI");

static void info_fill(struct signalfd_siginfo *out, const struct linux_siginfo *in) {
    *out = (struct signalfd_siginfo){.signo = (uint32_t)in->signo, .error = in->error, .code = in->code};
    switch (siginfo_kind(in->signo, in->code)) {
    case SIGINFO_TIMER:
        out->tid = (uint32_t)in->timer.id;
        out->overrun = (uint32_t)in->timer.overrun;
        out->pointer = in->timer.value;
        out->integer = (int32_t)in->timer.value;
        break;
    case SIGINFO_POLL:
        out->band = (uint32_t)in->words[0];
        out->fd = (int32_t)in->words[1];
        break;
    case SIGINFO_FAULT: out->address = in->fault.address; break;
    case SIGINFO_CHILD:
        out->pid = (uint32_t)in->sender.pid;
        out->uid = in->sender.uid;
        out->status = in->sender.child.status;
        out->utime = (uint64_t)in->sender.child.utime;
        out->stime = (uint64_t)in->sender.child.stime;
        break;
    case SIGINFO_QUEUE:
        out->pid = (uint32_t)in->sender.pid;
        out->uid = in->sender.uid;
        out->pointer = in->sender.value;
        out->integer = (int32_t)in->sender.value;
        break;
    case SIGINFO_CALL:
        out->call_address = in->words[0];
        out->syscall = (int32_t)in->words[1];
        out->arch = (uint32_t)(in->words[1] >> 32);
        break;
    case SIGINFO_SENDER:
        out->pid = (uint32_t)in->sender.pid;
        out->uid = in->sender.uid;
        break;
    }
}

// --- file operations ---

static linux_sigset_t pending_of(const struct linux_thread *t) {
    return *(const volatile linux_sigset_t *)&t->pending.set |
           *(const volatile linux_sigset_t *)&t->process->pending.set;
}

static int take(struct linux_thread *t, linux_sigset_t set, struct linux_siginfo *out) {
    if (!(pending_of(t) & set))
        return 0;
    irq_flags_t flags = spin_lock_irq(&t->process->lock);
    int signal = signal_dequeue(t, ~set, out);
    signal_recalculate(t, true);
    spin_unlock_irq(&t->process->lock, flags);
    return signal;
}

// The first signal is waited for, if the file waits at all.
static inv_status_t take_first(struct file *file, struct linux_thread *t, linux_sigset_t set,
                               struct linux_siginfo *out) {
    struct signal_file *s = file->data;
    inv_status_t status;

    while (take(t, set, out) == 0) {
        if (file_nonblocking(file))
            return INV_ERR_SHOULD_WAIT;
        WAIT_EVENT(&t->process->sighand->signalfd_wait, (pending_of(t) & atomic_load(&s->set)) != 0, WAIT_INTERRUPTIBLE,
                   NSTIME_NEVER, status);
        if (status != INV_OK)
            return INV_ERR_RESTART;
        set = atomic_load(&s->set);
    }
    return INV_OK;
}

static inv_status_t signal_read(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct signal_file *s = file->data;
    struct linux_thread *t = linux_current();
    struct linux_siginfo info;
    struct signalfd_siginfo out;
    size_t done;

    (void)position;
    *out_done = 0;
    if (io->left < sizeof(out))
        return INV_ERR_INVALID;
    linux_sigset_t set = atomic_load(&s->set);
    inv_status_t status = take_first(file, t, set, &info);
    while (status == INV_OK) {
        info_fill(&out, &info);
        status = io_to(io, &out, sizeof(out), &done);
        if (done != sizeof(out))
            break;
        *out_done += sizeof(out);
        if (io->left < sizeof(out) || take(t, set, &info) == 0)
            break;
    }
    return *out_done != 0 ? INV_OK : status;
}

static unsigned signal_poll(struct file *file, struct poll_set *set) {
    struct signal_file *s = file->data;
    struct linux_thread *t = linux_current();

    if (set != NULL) {
        atomic_store_explicit(&t->process->sighand->polled, true, memory_order_relaxed);
        poll_add(set, &t->process->sighand->signalfd_wait);
    }
    return (pending_of(t) & atomic_load(&s->set)) != 0 ? POLL_IN : 0;
}

static void signal_release(struct file *file) {
    struct signal_file *s = file->data;
    event_memory_put(s, sizeof(*s), s->job);
}

static void signal_show(struct file *file, struct text_sink *sink) {
    struct signal_file *s = file->data;
    text_sink_print(sink, "sigmask:\t%016lx\n", (unsigned long)atomic_load(&s->set));
}

static const struct file_ops signal_ops = {
    .read = signal_read, .seek_ignored = true, .poll = signal_poll, .release = signal_release, .show = signal_show};

// --- calls ---

static int64_t create(linux_sigset_t set, unsigned flags) {
    struct job *job;
    struct file *f;
    struct signal_file *s = event_memory_get(sizeof(*s), &job);

    if (s == NULL)
        return -LINUX_ENOMEM;
    s->job = job;
    atomic_init(&s->set, set);
    inv_status_t status = file_create_anonymous("anon_inode:[signalfd]", &signal_ops, s,
                                                O_RDWR_ | (flags & O_NONBLOCK_), 0600, &f);
    if (status != INV_OK) {
        event_memory_put(s, sizeof(*s), job);
        return linux_result(status);
    }
    return linux_fd_give(f, (flags & O_CLOEXEC_) != 0);
}

static int64_t change(uint64_t fd, linux_sigset_t set) {
    struct fd_ref file;
    int64_t result = linux_fd(fd, &file);

    if (result != 0)
        return result;
    if (file.file->ops == &signal_ops) {
        struct signal_file *s = file.file->data;
        atomic_store(&s->set, set);
        waitq_wake(&linux_current_process()->sighand->signalfd_wait, UINT32_MAX, 0);
        result = (int)fd;
    } else {
        result = -LINUX_EINVAL;
    }
    fd_return(&file);
    return result;
}

static int64_t signal_file(struct arch_frame *f, unsigned flags) {
    linux_sigset_t set;

    if (LINUX_ARG(f, 2) != sizeof(set))
        return -LINUX_EINVAL;
    if (arch_user_load64((const uint64_t user_ptr *)LINUX_ARG(f, 1), &set) != INV_OK)
        return -LINUX_EFAULT;
    if (flags & ~(O_CLOEXEC_ | O_NONBLOCK_))
        return -LINUX_EINVAL;
    set &= ~SIGNAL_SET_KERNEL;
    return (int)LINUX_ARG(f, 0) == -1 ? create(set, flags) : change(LINUX_ARG(f, 0), set);
}

int64_t linux_signalfd(struct arch_frame *f) {
    return signal_file(f, 0);
}

int64_t linux_signalfd4(struct arch_frame *f) {
    return signal_file(f, (unsigned)LINUX_ARG(f, 3));
}
