// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// execve and execveat. Order: arguments are copied, the whole new image is made beside the old one (exec_image.c), what the commit needs is reserved;
// then the point of no return: the other threads leave, and the rest cannot fail. Until then every error goes back to the caller with nothing changed.
#include "credentials.h"
#include "exec.h"
#include "posix_timer.h"

#include <kernel/debug.h>
#include <kernel/slab.h>
#include <kernel/trace.h>

#define AT_SYMLINK_NOFOLLOW 0x100u
#define AT_EMPTY_PATH       0x1000u
#define STACK_DEFAULT       (8ull << 20)

// What the commit needs beside the image.
struct exec_reserve {
    struct linux_sighand *sighand; // own copy, if the old one is shared
    struct fd_table *files;        // own copy, if the old one is shared
};

static int64_t reserve_make(struct exec_reserve *r) {
    struct linux_thread *t = linux_current();

    r->sighand = NULL;
    r->files = NULL;
    // Both may be shared with other processes, or with threads that are about to leave; a copy that was not needed costs little.
    if (atomic_load(&t->process->sighand->count) > 1) {
        r->sighand = sighand_create(t->process->sighand);
        if (r->sighand == NULL)
            return -LINUX_ENOMEM;
    }
    if (fd_table_shared(t->files))
        return linux_result(fd_table_copy(t->files, linux_job(), &r->files));
    return 0;
}

static void reserve_free(struct exec_reserve *r) {
    if (r->sighand != NULL)
        sighand_put(r->sighand);
    if (r->files != NULL)
        fd_table_put(r->files);
}

// --- the point of no return ---

// No new thread from now on, and no second exec.
static bool exec_claim(struct linux_process *p) {
    irq_flags_t flags = spin_lock_irq(&p->lock);
    bool claimed = !p->executing && !p->group_exit;

    if (claimed)
        p->executing = true;
    spin_unlock_irq(&p->lock, flags);
    return claimed;
}

// The thread that executes becomes the first one: it takes over the process's number.
static void number_take_over(struct linux_thread *t) {
    struct linux_process *p = t->process;

    spin_lock(&linux_tree_lock);
    if (t->pid != p->pid) {
        struct linux_user *dead = p->pid->user;
        struct linux_pid *own = t->pid;
        irq_flags_t flags = spin_lock_irq(&p->lock);
        p->pid->user = own->user;
        own->user = NULL;
        t->pid = p->pid;
        spin_unlock_irq(&p->lock, flags);
        own->thread = NULL;
        linux_pid_get_locked(p->pid);
        p->pid->thread = t;
        linux_pid_put_locked(own);
        linux_user_put_locked(dead);
    }
    p->has_executed = true;
    p->exit_signal = LINUX_SIGCHLD;
    spin_unlock(&linux_tree_lock);
}

static void signals_reset(struct linux_process *p, struct exec_reserve *r) {
    struct linux_sighand *old = NULL;
    irq_flags_t flags = spin_lock_irq(&p->lock);

    if (r->sighand != NULL) {
        old = p->sighand;
        p->sighand = r->sighand;
        r->sighand = NULL;
    }
    spin_lock(&p->sighand->lock);
    sighand_reset(p->sighand, true);
    spin_unlock(&p->sighand->lock);
    p->executing = false;
    spin_unlock_irq(&p->lock, flags);
    if (old != NULL)
        sighand_put(old);
}

static void files_reset(struct linux_thread *t, struct exec_reserve *r) {
    if (r->files != NULL) {
        struct fd_table *old = t->files;
        irq_flags_t flags = spin_lock_irq(&t->process->lock);
        t->files = r->files;
        spin_unlock_irq(&t->process->lock, flags);
        r->files = NULL;
        fd_table_put(old);
    }
    fd_table_close_on_exec(t->files);
}

static void thread_reset(struct linux_thread *t) {
    t->altstack = (struct linux_altstack){.flags = 2};
    t->clear_child_tid = 0;
    t->robust_list = 0;
    t->restart.fn = NULL;
    memset(&t->trap, 0, sizeof(t->trap));
}

static void names_set(struct linux_process *p, struct exec_image *x) {
    const char *slash = strrchr(x->name, '/');
    struct file *old;

    string_copy(current_thread()->name, slash != NULL ? slash + 1 : x->name, LINUX_COMM_LENGTH);
    string_copy(current_process()->name, current_thread()->name, LINUX_COMM_LENGTH);
    irq_flags_t flags = spin_lock_irq(&p->lock);
    old = p->exe;
    p->exe = x->file;
    spin_unlock_irq(&p->lock, flags);
    x->file = NULL;
    if (old != NULL)
        file_put(old);
}

// A program with another identity than its user's: what that user could trick it with.
static void secure_reset(struct linux_process *p) {
    irq_flags_t flags = spin_lock_irq(&p->lock);

    if (p->limits[LINUX_RLIMIT_STACK].current > STACK_DEFAULT)
        p->limits[LINUX_RLIMIT_STACK].current = STACK_DEFAULT;
    spin_unlock_irq(&p->lock, flags);
    linux_current()->parent_death_signal = 0;
}

static void exec_commit(struct exec_image *x, struct exec_reserve *r, struct arch_frame *f) {
    struct linux_thread *t = linux_current();
    struct linux_process *p = t->process;
    const struct token *fresh = x->token, *old = t->token;
    bool private = !x->readable || fresh->euid != fresh->uid || fresh->egid != fresh->gid || fresh->euid != old->euid ||
                   fresh->egid != old->egid || fresh->fsuid != old->fsuid || fresh->fsgid != old->fsgid ||
                   (fresh->cap_permitted & ~old->cap_permitted);

    if (private)
        atomic_store(&p->dumpable, 0); // before anybody can see the new memory
    if (x->secure)
        secure_reset(p);
    linux_futex_pi_exit(t);
    linux_futex_pi_begin(t);
    number_take_over(t);
    if (t->robust_list != 0)
        linux_robust_list_exit(t);
    linux_memory_account(p, current_process()->aspace);
    process_set_aspace(current_process(), x->aspace);
    handle_table_clear(&current_process()->handles); // they were given to the program that was
    x->aspace = NULL;
    linux_vfork_done(p);
    linux_posix_timers_end(p);
    signals_reset(p, r);
    files_reset(t, r);
    thread_reset(t);
    names_set(p, x);
    linux_token_commit(x->token);
    x->token = NULL;
    atomic_store(&p->dumpable, !private);
    atomic_store(&p->personality, x->personality);
    atomic_store(&p->barriers, 0);
    linux_arch_exec_reset();
    arch_frame_init_user(f, x->entry, x->sp);
    linux_arch_call_resolved(f);
    counter_add(execs, 1);
    trace(exec, p->number, 0, 0);
}

struct exec_call {
    int dirfd;
    const char *path, *name; // name: what AT_EXECFN and the scripts' interpreters are told
    unsigned walk;
    uint64_t argv, envp;
};

// How many threads of this process have the file-system context as their own. Its lock is held.
static uint32_t threads_with(struct fs_context *fs) {
    struct linux_process *p = linux_current_process();
    struct linux_thread *t;
    uint32_t n = 0;
    irq_flags_t flags = spin_lock_irq(&p->lock);

    list_for_each(t, &p->threads, node)
        n += t->fs == fs;
    spin_unlock_irq(&p->lock, flags);
    return n;
}

static int64_t exec_do(const struct exec_call *c, struct arch_frame *f) {
    struct linux_process *p = linux_current_process();
    struct vfs_caller caller;
    struct exec_strings strings;
    struct exec_reserve reserve = {0};
    struct exec_image x = {.process = p, .caller = &caller, .strings = &strings, .name = c->name};
    bool began;

    if (!linux_user_may_execute())
        return -LINUX_EAGAIN;
    linux_caller(&caller);
    x.unsafe = !fs_context_exec_begin(caller.fs, threads_with, &began);
    exec_strings_init(&strings, caller.job, linux_limit(LINUX_RLIMIT_STACK));
    int64_t result = exec_strings_from_user(&strings, c->argv, c->envp);
    if (result == 0)
        result = exec_image_make(&x, c->dirfd, c->path, c->walk);
    if (result == 0)
        result = reserve_make(&reserve);
    if (result == 0 && !exec_claim(p))
        result = -LINUX_EAGAIN; // another thread was faster: this one is about to leave
    if (result == 0) {
        // From here on the other threads are going: the way back is closed.
        if (process_single_thread(current_process()) == INV_OK)
            exec_commit(&x, &reserve, f);
        else
            result = -LINUX_EINTR; // the process is being killed
    }
    if (began)
        fs_context_exec_end(caller.fs);
    exec_strings_free(&strings);
    exec_image_free(&x);
    reserve_free(&reserve);
    return result;
}

int64_t linux_execve(struct arch_frame *f) {
    struct linux_path path;
    int64_t result = linux_path_get(LINUX_ARG(f, 0), false, &path);

    if (result != 0)
        return result;
    struct exec_call c = {AT_FDCWD_, path.text, path.text, WALK_FOLLOW, LINUX_ARG(f, 1), LINUX_ARG(f, 2)};
    result = exec_do(&c, f);
    linux_path_put(&path);
    return result;
}

// The name that a program started through a descriptor is told: /dev/fd/N, or /dev/fd/N/path.
static char *descriptor_name(int fd, const char *path) {
    size_t size = strlen(path) + 32;
    char *name = kmalloc(size);

    if (name != NULL)
        snprintf(name, size, path[0] != '\0' ? "/dev/fd/%d/%s" : "/dev/fd/%d", fd, path);
    return name;
}

int64_t linux_execveat(struct arch_frame *f) {
    unsigned flags = (unsigned)LINUX_ARG(f, 4);
    int dirfd = (int)LINUX_ARG(f, 0);
    struct linux_path path;
    char *name = NULL;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -LINUX_EINVAL;
    int64_t result = linux_path_get(LINUX_ARG(f, 1), (flags & AT_EMPTY_PATH) != 0, &path);
    if (result != 0)
        return result;
    if (dirfd != AT_FDCWD_ && path.text[0] != '/') {
        name = descriptor_name(dirfd, path.text);
        if (name == NULL) {
            linux_path_put(&path);
            return -LINUX_ENOMEM;
        }
    }
    struct exec_call c = {dirfd,
                          path.text,
                          name != NULL ? name : path.text,
                          (flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW) |
                              (flags & AT_EMPTY_PATH ? WALK_EMPTY_PATH : 0),
                          LINUX_ARG(f, 2),
                          LINUX_ARG(f, 3)};
    result = exec_do(&c, f);
    kfree(name);
    linux_path_put(&path);
    return result;
}
