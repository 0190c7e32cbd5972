// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Descriptors of processes: pidfd_open, pidfd_send_signal, pidfd_getfd, and what clone and waitid ask of them. Context: system call.
//
// A descriptor counts the process, not its number: the number is free for others as soon as the process is reaped, and from then on the descriptor
// stands for nobody (ESRCH). It is readable once the process has ended, reaped or not.
#include "pidfd.h"

#include <arch/usercopy.h>

#define PIDFD_NONBLOCK O_NONBLOCK_

static struct linux_process *process_of(struct file *f) {
    return f->data;
}

static void pidfd_release(struct file *f) {
    linux_process_put(process_of(f));
}

static unsigned pidfd_poll(struct file *f, struct poll_set *set) {
    struct linux_process *p = process_of(f);

    poll_add(set, &p->end_wait);
    spin_lock(&linux_tree_lock);
    bool ended = p->state >= LINUX_PROCESS_ZOMBIE;
    spin_unlock(&linux_tree_lock);
    return ended ? POLL_IN | POLL_RDNORM : 0;
}

static void pidfd_show(struct file *f, struct text_sink *sink) {
    const struct linux_process *p = process_of(f);

    spin_lock(&linux_tree_lock);
    int number = p->state == LINUX_PROCESS_REAPED ? -1 : p->number;
    spin_unlock(&linux_tree_lock);
    text_sink_print(sink, "Pid:\t%d\nNSpid:\t%d\n", number, number);
}

static const struct file_ops pidfd_ops = {.release = pidfd_release, .poll = pidfd_poll, .show = pidfd_show};

int64_t linux_pidfd_create(struct linux_process *p, unsigned flags, struct file **out) {
    int64_t result = linux_result(
        file_create_anonymous("anon_inode:[pidfd]", &pidfd_ops, p, O_RDWR_ | flags, 0600, out));

    if (result == 0)
        linux_process_get(p);
    return result;
}

struct linux_process *linux_pidfd_process(struct file *f) {
    if (f->ops != &pidfd_ops)
        return NULL;
    linux_process_get(process_of(f));
    return process_of(f);
}

int64_t linux_pidfd_get(int fd, bool *out_nonblocking, struct linux_process **out) {
    struct file *f;

    if (fd_get(linux_fds(), fd, &f) != INV_OK)
        return -LINUX_EBADF;
    *out = linux_pidfd_process(f);
    *out_nonblocking = file_nonblocking(f);
    file_put(f);
    return *out != NULL ? 0 : -LINUX_EBADF;
}

// Counted. ESRCH; EINVAL: a thread that is not its process's first.
static int64_t leader_find(int pid, struct linux_process **out) {
    int64_t result = -LINUX_ESRCH;

    spin_lock(&linux_tree_lock);
    const struct linux_pid *n = linux_pid_find_locked(pid);
    *out = n != NULL ? n->process : NULL;
    if (*out != NULL) {
        linux_process_get(*out);
        result = 0;
    } else if (n != NULL) {
        result = -LINUX_EINVAL;
    }
    spin_unlock(&linux_tree_lock);
    return result;
}

int64_t linux_pidfd_open(struct arch_frame *f) {
    int pid = (int)LINUX_ARG(f, 0), fd;
    unsigned flags = (unsigned)LINUX_ARG(f, 1);
    struct linux_process *p;
    struct file *file;

    if ((flags & ~PIDFD_NONBLOCK) || pid <= 0)
        return -LINUX_EINVAL;
    int64_t result = leader_find(pid, &p);
    if (result != 0)
        return result;
    result = linux_pidfd_create(p, flags, &file);
    linux_process_put(p);
    if (result != 0)
        return result;
    inv_status_t s = fd_install(linux_fds(), file, 0, linux_limit(LINUX_RLIMIT_NOFILE), true, &fd);
    if (s == INV_OK)
        return fd;
    file_put(file);
    return linux_result(s);
}

static int64_t info_get(uint64_t user, int signal, const struct linux_process *p, struct linux_siginfo *out) {
    if (user == 0) {
        siginfo_from_user(out, signal, LINUX_SI_USER);
        return 0;
    }
    if (arch_copy_from_user(out, (const void user_ptr *)user, sizeof(*out)) != INV_OK)
        return -LINUX_EFAULT;
    if (out->signo != signal)
        return -LINUX_EINVAL;
    // Nobody may pass for the kernel, or for kill and tkill, but to itself.
    if (p != linux_current_process() && (out->code >= 0 || out->code == LINUX_SI_TKILL))
        return -LINUX_EPERM;
    return 0;
}

int64_t linux_pidfd_send_signal(struct arch_frame *f) {
    struct linux_process *p;
    struct linux_siginfo info;
    bool nonblocking;

    if ((unsigned)LINUX_ARG(f, 3) != 0)
        return -LINUX_EINVAL;
    int64_t result = linux_pidfd_get((int)LINUX_ARG(f, 0), &nonblocking, &p);
    if (result != 0)
        return result;
    result = info_get(LINUX_ARG(f, 2), (int)LINUX_ARG(f, 1), p, &info);
    if (result == 0) {
        spin_lock(&linux_tree_lock);
        result = p->state == LINUX_PROCESS_REAPED ? -LINUX_ESRCH : linux_signal_process_locked(p, &info);
        spin_unlock(&linux_tree_lock);
    }
    linux_process_put(p);
    return result;
}

// A descriptor of the process's first thread, counted.
static int64_t descriptor_take(struct linux_process *p, int fd, struct file **out) {
    struct fd_table *files = NULL;

    spin_lock(&linux_tree_lock);
    bool live = p->state == LINUX_PROCESS_LIVE;
    spin_unlock(&linux_tree_lock);
    if (!live)
        return -LINUX_ESRCH;
    if (!linux_may_attach(p))
        return -LINUX_EPERM;
    irq_flags_t flags = spin_lock_irq(&p->lock);
    struct linux_thread *t = linux_process_thread_locked(p);
    if (t != NULL && t->files != NULL) {
        files = t->files;
        fd_table_get(files);
    }
    spin_unlock_irq(&p->lock, flags);
    if (files == NULL)
        return -LINUX_EBADF;
    int64_t result = linux_result(fd_get(files, fd, out));
    fd_table_put(files);
    return result;
}

int64_t linux_pidfd_getfd(struct arch_frame *f) {
    struct linux_process *p;
    struct file *file;
    bool nonblocking;
    int fd;

    if ((unsigned)LINUX_ARG(f, 2) != 0)
        return -LINUX_EINVAL;
    int64_t result = linux_pidfd_get((int)LINUX_ARG(f, 0), &nonblocking, &p);
    if (result != 0)
        return result;
    result = descriptor_take(p, (int)LINUX_ARG(f, 1), &file);
    linux_process_put(p);
    if (result != 0)
        return result;
    inv_status_t s = fd_install(linux_fds(), file, 0, linux_limit(LINUX_RLIMIT_NOFILE), true, &fd);
    if (s == INV_OK)
        return fd;
    file_put(file);
    return linux_result(s);
}
