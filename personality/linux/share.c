// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What processes share: unshare, setns, and kcmp, which tells whether two share something. Context: system call.
//
// There are no namespaces: what concerns them gives the errors of a kernel that was built without them.
#include "clone_flags.h"
#include "pidfd.h"

#include <arch/usercopy.h>
#include <executive/event.h>
#include <executive/random.h>

#define UNSHARE_FLAGS                                                                                      \
    (CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM | CLONE_NAMESPACES | \
     CLONE_NEWTIME)

// What implies what: memory and signal actions belong to a whole process, a new user namespace to a thread that shares nothing.
static uint64_t flags_complete(uint64_t flags) {
    if (flags & CLONE_NEWUSER)
        flags |= CLONE_THREAD | CLONE_FS;
    if (flags & CLONE_VM)
        flags |= CLONE_SIGHAND;
    if (flags & CLONE_SIGHAND)
        flags |= CLONE_THREAD;
    if (flags & CLONE_NEWNS)
        flags |= CLONE_FS;
    return flags;
}

static int64_t flags_check(uint64_t flags) {
    struct linux_process *p = linux_current_process();

    if (flags & ~UNSHARE_FLAGS)
        return -LINUX_EINVAL;
    irq_flags_t irq = spin_lock_irq(&p->lock);
    bool threads = p->thread_count > 1;
    spin_unlock_irq(&p->lock, irq);
    if ((flags & CLONE_THREAD) && threads)
        return -LINUX_EINVAL;
    if ((flags & CLONE_SIGHAND) && atomic_load(&p->sighand->count) > 1)
        return -LINUX_EINVAL;
    if ((flags & CLONE_VM) && atomic_load(&current_process()->aspace->obj.pointers) > 1)
        return -LINUX_EINVAL;
    return 0;
}

int64_t linux_unshare(struct arch_frame *f) {
    uint64_t flags = flags_complete(LINUX_ARG(f, 0));
    struct linux_thread *t = linux_current();
    struct fs_context *fs = NULL, *old_fs = t->fs;
    struct fd_table *files = NULL, *old_files = t->files;
    int64_t result = flags_check(flags);

    if (result == 0 && (flags & CLONE_FS) && fs_context_users(t->fs) > 1)
        result = linux_result(fs_context_copy(t->fs, &fs));
    if (result == 0 && (flags & CLONE_FILES) && fd_table_shared(t->files))
        result = linux_result(fd_table_copy(t->files, linux_job(), &files));
    if (result == 0 && (flags & (CLONE_NAMESPACES | CLONE_NEWTIME)))
        result = (flags & CLONE_NEWUSER) || token_capable(linux_token(), CAP_SYS_ADMIN) ? -LINUX_EINVAL : -LINUX_EPERM;
    if (result == 0) {
        irq_flags_t irq = spin_lock_irq(&t->process->lock);
        t->fs = fs != NULL ? fs : t->fs;
        t->files = files != NULL ? files : t->files;
        spin_unlock_irq(&t->process->lock, irq);
        fs = fs != NULL ? old_fs : NULL;
        files = files != NULL ? old_files : NULL;
    }
    if (result == 0 && (flags & CLONE_SYSVSEM))
        linux_sem_exit(t); // as at its end: what is to be undone is, if nobody else shares it
    if (fs != NULL)
        linux_fs_drop(fs);
    if (files != NULL)
        fd_table_put(files);
    return result;
}

// No descriptor stands for a namespace, and no process has one to join.
int64_t linux_setns(struct arch_frame *f) {
    struct file *file;

    if (fd_get(linux_fds(), (int)LINUX_ARG(f, 0), &file) != INV_OK)
        return -LINUX_EBADF;
    file_put(file);
    return -LINUX_EINVAL;
}

// --- kcmp ---

enum { KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM, KCMP_EPOLL_TFD };
#define KCMP_TYPES (KCMP_SYSVSEM + 1)

// 0: the same, 1: the first is less, 2: greater. An order that tells nothing of addresses.
static int64_t compare(unsigned type, const void *a, const void *b) {
    static uint64_t _Atomic secrets[KCMP_TYPES][2];
    uint64_t secret[2];

    for (unsigned i = 0; i < 2; i++) {
        secret[i] = atomic_load(&secrets[type][i]);
        while (secret[i] == 0) {
            uint64_t fresh, expected = 0;
            random_bytes(&fresh, sizeof(fresh));
            (void)atomic_compare_exchange_strong(&secrets[type][i], &expected, fresh | 1);
            secret[i] = atomic_load(&secrets[type][i]);
        }
    }
    uint64_t x = ((uint64_t)a ^ secret[0]) * secret[1], y = ((uint64_t)b ^ secret[0]) * secret[1];
    return x == y ? 0 : x < y ? 1 : 2;
}

// What a thread has of the kind: an address to be compared, not used. File: the descriptor, counted in *out_file.
static int64_t subject_of(int tid, unsigned type, int fd, const void **out, struct file **out_file) {
    struct fd_table *files = NULL;
    int64_t result = -LINUX_ESRCH;

    *out = NULL;
    spin_lock(&linux_tree_lock);
    struct linux_thread *t = linux_thread_find_locked(tid);
    if (t != NULL) {
        irq_flags_t flags = spin_lock_irq(&t->process->lock);
        const struct process *core = t->process->process;
        const void *const subjects[KCMP_TYPES] = {
            NULL, core != NULL ? core->aspace : NULL, t->files, t->fs, t->process->sighand, NULL, t->undo};
        *out = subjects[type];
        files = type == KCMP_FILE ? t->files : NULL;
        if (files != NULL)
            fd_table_get(files);
        spin_unlock_irq(&t->process->lock, flags);
        result = 0;
    }
    spin_unlock(&linux_tree_lock);
    if (result == 0 && type == KCMP_FILE) {
        result = files != NULL ? linux_result(fd_get(files, fd, out_file)) : -LINUX_EBADF;
        *out = result == 0 ? *out_file : NULL;
    }
    if (files != NULL)
        fd_table_put(files);
    return result;
}

static int64_t may_compare(int tid) {
    struct linux_process *p = linux_process_of_tid(tid);

    if (p == NULL || tid == 0) {
        if (p != NULL)
            linux_process_put(p);
        return -LINUX_ESRCH;
    }
    bool allowed = linux_may_attach(p);
    linux_process_put(p);
    return allowed ? 0 : -LINUX_EPERM;
}

// A descriptor of the first with what a set of the second watches under a number: the slot says which set, which number, and which of several of that number.
static int64_t compare_watched(int tid1, int tid2, int fd, uint64_t user) {
    struct {
        uint32_t epoll, target, skip;
    } slot;
    struct file *file = NULL, *epoll = NULL;
    const void *a, *b;

    if (arch_copy_from_user(&slot, (const void user_ptr *)user, sizeof(slot)) != INV_OK)
        return -LINUX_EFAULT;
    int64_t result = subject_of(tid1, KCMP_FILE, fd, &a, &file);
    if (result == 0)
        result = subject_of(tid2, KCMP_FILE, (int)slot.epoll, &b, &epoll);
    if (result == 0 && !epoll_is(epoll))
        result = -LINUX_EINVAL;
    if (result == 0) {
        b = epoll_target(epoll, (int)slot.target, slot.skip);
        result = b != NULL ? compare(KCMP_FILE, a, b) : -LINUX_ENOENT;
    }
    if (file != NULL)
        file_put(file);
    if (epoll != NULL)
        file_put(epoll);
    return result;
}

int64_t linux_kcmp(struct arch_frame *f) {
    int tid1 = (int)LINUX_ARG(f, 0), tid2 = (int)LINUX_ARG(f, 1);
    unsigned type = (unsigned)LINUX_ARG(f, 2);
    struct file *file1 = NULL, *file2 = NULL;
    const void *a, *b;
    int64_t first = may_compare(tid1), second = may_compare(tid2);

    if (first == -LINUX_ESRCH || second == -LINUX_ESRCH)
        return -LINUX_ESRCH;
    if (first != 0 || second != 0)
        return -LINUX_EPERM;
    if (type == KCMP_EPOLL_TFD)
        return compare_watched(tid1, tid2, (int)LINUX_ARG(f, 3), LINUX_ARG(f, 4));
    if (type >= KCMP_TYPES)
        return -LINUX_EINVAL;
    int64_t result = subject_of(tid1, type, (int)LINUX_ARG(f, 3), &a, &file1);
    if (result == 0)
        result = subject_of(tid2, type, (int)LINUX_ARG(f, 4), &b, &file2);
    if (result == 0)
        result = compare(type, a, b);
    if (file1 != NULL)
        file_put(file1);
    if (file2 != NULL)
        file_put(file2);
    return result;
}
