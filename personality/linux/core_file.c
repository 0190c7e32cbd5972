// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The end of a process that leaves a core file: who stops when, what the file is called, who may write it.
//
//   signal dequeued --> others told to leave, and parked in linux_core_thread_leaves --> file written --> others let go, all leave
//
// Only SIGKILL reaches a process that writes its core file; it ends the writing.
//
// Invariants: lp->core_thread is not NULL exactly while a thread writes; then group_exit is set, and whoever is counted in core_left still has to park.
// Locking: lp->lock for these fields; pattern_lock for the pattern. Everything else in thread context without a lock.
#include "core_file.h"

#include "system.h"

#include <kernel/slab.h>

#define CORE_LIMIT_MINIMUM PAGE_SIZE // less room than a page: no file at all

static struct spinlock pattern_lock = SPINLOCK_INIT(LOCK_RANK_PERSONALITY_SPIN);
static char pattern[CORE_PATTERN_SIZE] = "core"; // pattern_lock
struct linux_tunable linux_core_uses_pid = {0, 0, INT32_MAX};

void linux_core_pattern(char out[CORE_PATTERN_SIZE]) {
    spin_lock(&pattern_lock);
    memcpy(out, pattern, CORE_PATTERN_SIZE);
    spin_unlock(&pattern_lock);
}

int64_t linux_core_pattern_set(const char *text) {
    size_t length = 0;

    if (text[0] == '|')
        return -LINUX_EINVAL;
    while (text[length] != '\0' && text[length] != '\n' && length < CORE_PATTERN_SIZE - 1)
        length++;
    spin_lock(&pattern_lock);
    memset(pattern, 0, sizeof(pattern));
    memcpy(pattern, text, length);
    spin_unlock(&pattern_lock);
    return 0;
}

// --- the name ---

struct name {
    char *text;
    size_t used;
    bool failed;
};

static void name_add(struct name *n, const char *text) {
    size_t length = strlen(text);

    if (n->used + length >= PATH_MAX_BYTES) {
        n->failed = true;
        return;
    }
    memcpy(n->text + n->used, text, length + 1);
    n->used += length;
}

static void name_add_number(struct name *n, uint64_t number) {
    char digits[24];

    snprintf(digits, sizeof(digits), "%lu", number);
    name_add(n, digits);
}

// What others chose: no part of it may lead to another folder.
static void name_add_foreign(struct name *n, const char *text) {
    size_t from = n->used;

    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0) {
        name_add(n, text[1] == '\0' ? "!" : "!.");
        return;
    }
    name_add(n, text[0] == '\0' ? "!" : text);
    for (; from < n->used; from++)
        if (n->text[from] == '/')
            n->text[from] = '!';
}

static void name_add_program(struct name *n, bool whole) {
    struct linux_process *p = linux_current_process();
    struct vfs_caller caller;
    char *buffer = kmalloc(PATH_MAX_BYTES), *start;

    linux_caller(&caller);
    if (buffer != NULL && p->exe != NULL &&
        vfs_path_name(&caller, &p->exe->path, buffer, PATH_MAX_BYTES, &start) == INV_OK) {
        const char *slash = strrchr(start, '/');
        name_add_foreign(n, whole || slash == NULL ? start : slash + 1);
    } else {
        name_add_foreign(n, current_thread()->name);
    }
    kfree(buffer);
}

// One letter behind a per cent sign. True: it was the number of the process.
static bool name_add_special(struct name *n, char letter, int signal) {
    struct linux_process *p = linux_current_process();
    char host[LINUX_NAME_LENGTH];

    switch (letter) {
    case '%': name_add(n, "%"); break;
    case 'p':
    case 'P': name_add_number(n, (uint64_t)p->number); return letter == 'p';
    case 'i':
    case 'I': name_add_number(n, (uint64_t)linux_current()->pid->number); break;
    case 'u': name_add_number(n, linux_token()->uid); break;
    case 'g': name_add_number(n, linux_token()->gid); break;
    case 'd': name_add_number(n, atomic_load(&p->dumpable)); break;
    case 's': name_add_number(n, (uint64_t)signal); break;
    case 't': name_add_number(n, clock_wall() / NSEC_PER_SEC); break;
    case 'c': name_add_number(n, linux_limit(LINUX_RLIMIT_CORE)); break;
    case 'e': name_add_foreign(n, current_thread()->name); break;
    case 'f': name_add_program(n, false); break;
    case 'E': name_add_program(n, true); break;
    case 'h':
        linux_host_name(host);
        name_add_foreign(n, host);
        break;
    default: break; // unknown: nothing
    }
    return false;
}

static bool name_make(struct name *n, int signal) {
    char text[CORE_PATTERN_SIZE];
    bool has_pid = false;

    linux_core_pattern(text);
    n->text[0] = '\0';
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '%') {
            name_add(n, (char[2]){*at, '\0'});
            continue;
        }
        if (*++at == '\0')
            break;
        has_pid |= name_add_special(n, *at, signal);
    }
    if (!has_pid && atomic_load(&linux_core_uses_pid.value) != 0) {
        name_add(n, ".");
        name_add_number(n, (uint64_t)linux_current_process()->number);
    }
    return !n->failed && n->used > 0;
}

// --- the file ---

// A fresh file of one's own: never one that somebody else made, or that has another name.
static bool file_acceptable(const struct file *f) {
    const struct inode *i = f->inode;
    uint32_t mode = atomic_load(&i->mode);

    return (mode & 0170000) == 0100000 && i->nlink == 1 && (mode & 0677) == 0600 &&
           atomic_load(&i->uid) == linux_token()->fsuid;
}

static struct file *file_open(int signal) {
    struct name n = {.text = kmalloc(PATH_MAX_BYTES)};
    struct vfs_caller caller;
    struct file *f = NULL;

    if (n.text == NULL)
        return NULL;
    linux_caller(&caller);
    if (name_make(&n, signal)) {
        (void)!vfs_unlink(&caller, AT_FDCWD_, n.text, false);
        if (vfs_open(&caller, AT_FDCWD_, n.text, O_CREAT_ | O_EXCL_ | O_RDWR_ | O_NOFOLLOW_, 0600, &f) != INV_OK)
            f = NULL;
    }
    kfree(n.text);
    if (f != NULL && !file_acceptable(f)) {
        file_put(f);
        f = NULL;
    }
    return f;
}

// --- the other threads ---

void linux_core_thread_leaves(struct linux_thread *t) {
    struct linux_process *p = t->process;
    bool counted;
    inv_status_t s;

    irq_flags_t flags = spin_lock_irq(&p->lock);
    counted = p->core_thread != NULL && p->core_thread != t;
    if (counted)
        p->core_left--;
    else
        t->leaving = true; // too late to be in a core file
    spin_unlock_irq(&p->lock, flags);
    if (!counted)
        return;
    waitq_wake(&p->stop_wait, UINT32_MAX, 0);
    // Bounded by the writer, whom SIGKILL stops.
    WAIT_EVENT(&p->stop_wait, *(struct linux_thread *volatile *)&p->core_thread == NULL, WAIT_UNINTERRUPTIBLE,
               NSTIME_NEVER, s);
    (void)s;
    flags = spin_lock_irq(&p->lock);
    t->leaving = true;
    spin_unlock_irq(&p->lock, flags);
}

void linux_core_kill_locked(struct linux_process *p) {
    if (p->core_thread != NULL)
        thread_set_work(p->core_thread->thread, THREAD_WORK_KILL);
}

// The process ends from here on, the current thread last. lp->lock held.
static void others_stop_locked(struct linux_process *p, struct linux_thread *me, int signal) {
    struct linux_thread *t;

    linux_process_end_locked(p, signal);
    // The writer goes on: what made it leave is taken back.
    atomic_fetch_and(&me->thread->user_work, ~THREAD_WORK_KILL);
    p->core_thread = me;
    p->core_left = 0;
    list_for_each(t, &p->threads, node)
        p->core_left += t != me && !t->leaving;
}

static bool write_file(const struct linux_siginfo *info) {
    uint64_t limit = linux_limit(LINUX_RLIMIT_CORE);
    struct file *f;
    bool written;

    if (limit < CORE_LIMIT_MINIMUM)
        return false;
    f = file_open(info->signo);
    if (f == NULL)
        return false;
    written = linux_core_write(f, info, limit);
    file_put(f);
    return written;
}

void linux_core_dump(struct linux_process *p, const struct linux_siginfo *info, irq_flags_t *flags) {
    struct linux_thread *me = linux_current();
    bool written = false;
    inv_status_t s;

    // Nobody to be told: a program that hides its memory, one that begins another.
    if (p->executing || atomic_load(&p->dumpable) != 1) {
        linux_process_end_locked(p, info->signo);
        return;
    }
    others_stop_locked(p, me, info->signo);
    spin_unlock_irq(&p->lock, *flags);
    WAIT_EVENT(&p->stop_wait, *(volatile unsigned *)&p->core_left == 0, WAIT_KILLABLE, NSTIME_NEVER, s);
    if (s == INV_OK)
        written = write_file(info);
    *flags = spin_lock_irq(&p->lock);
    if (written && !thread_killed(me->thread))
        p->exit_status |= 0x80;
    p->core_thread = NULL;
    spin_unlock_irq(&p->lock, *flags);
    waitq_wake(&p->stop_wait, UINT32_MAX, 0);
    *flags = spin_lock_irq(&p->lock);
}
