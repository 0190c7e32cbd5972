// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// fork, vfork, clone, clone3: new processes and threads. Context: system call.
//
// Order: flags are checked; everything that can fail is made (core process, core thread, tables, number); then, under the tree lock, it is looked once
// more whether a signal came (then all is thrown away and the call begins anew, so that a signal to a group hits either no new member or all); the rest
// cannot fail.
#include "clone_flags.h"
#include "pidfd.h"

#include <arch/usercopy.h>
#include <kernel/debug.h>

struct clone_request {
    uint64_t flags; // without the signal
    int exit_signal;
    uint64_t stack; // new stack pointer; 0: the caller's
    uint64_t parent_tid, child_tid, tls, pidfd;
    int set_tid; // the number to take; 0: any
};

// What is being made. On failure clone_undo frees what is there.
struct clone_parts {
    struct linux_process *process; // new process; for a thread: the caller's, counted
    struct linux_thread *thread;
    struct process *core;       // new core process, counted; NULL for a thread
    struct thread *core_thread; // counted
    struct linux_pid *pid;
    struct file *pidfd; // reserved as descriptor fd
    int fd;
};

static int64_t flags_check(const struct clone_request *r) {
    uint64_t fl = r->flags;

    if ((fl & (CLONE_NEWNS | CLONE_FS)) == (CLONE_NEWNS | CLONE_FS) ||
        (fl & (CLONE_NEWUSER | CLONE_FS)) == (CLONE_NEWUSER | CLONE_FS))
        return -LINUX_EINVAL;
    if ((fl & CLONE_THREAD) && !(fl & CLONE_SIGHAND))
        return -LINUX_EINVAL;
    if ((fl & CLONE_SIGHAND) && !(fl & CLONE_VM))
        return -LINUX_EINVAL;
    if ((fl & CLONE_PARENT) && linux_current_process()->unkillable)
        return -LINUX_EINVAL;
    if ((fl & CLONE_THREAD) && (fl & (CLONE_NEWUSER | CLONE_NEWPID)))
        return -LINUX_EINVAL;
    // The processor faults when the kernel loads a base outside its address space.
    if ((fl & CLONE_SETTLS) && r->tls >= ARCH_USER_END)
        return -LINUX_EPERM;
    if ((fl & CLONE_PIDFD) && (fl & (CLONE_DETACHED | CLONE_THREAD)))
        return -LINUX_EINVAL;
    if (fl & CLONE_INTO_CGROUP)
        return -LINUX_EBADF; // no descriptor stands for a control group
    // There are no namespaces: refused as by a kernel that was built without them.
    if (fl & (CLONE_NAMESPACES | CLONE_NEWTIME))
        return token_capable(linux_token(), CAP_SYS_ADMIN) || (fl & CLONE_NEWUSER) ? -LINUX_EINVAL : -LINUX_EPERM;
    return 0;
}

static void clone_undo(struct clone_parts *c) {
    if (c->pidfd != NULL) {
        fd_unreserve(linux_fds(), c->fd);
        file_put(c->pidfd);
    }
    if (c->core_thread != NULL) {
        c->core_thread->personality_data = NULL;
        thread_discard(c->core_thread);
    }
    if (c->core != NULL) {
        c->process->process = NULL;
        object_put(&c->core->obj); // its end drops its count of the process
    }
    if (c->pid != NULL) {
        spin_lock(&linux_tree_lock);
        linux_pid_put_locked(c->pid);
        spin_unlock(&linux_tree_lock);
    }
    if (c->thread != NULL)
        linux_thread_free(c->thread);
    if (c->process != NULL)
        linux_process_put(c->process);
}

// Descriptors, place in the tree, token, mask: shared or copied.
static int64_t thread_state_copy(const struct clone_request *r, struct linux_thread *t) {
    struct linux_thread *me = linux_current();
    inv_status_t s = INV_OK;
    int64_t result = linux_sem_clone(t, (r->flags & CLONE_SYSVSEM) != 0);

    if (result != 0)
        return result;

    t->token = me->token;
    object_get(&t->token->obj);
    if (r->flags & CLONE_FILES) {
        t->files = me->files;
        fd_table_get(t->files);
    } else {
        s = fd_table_copy(me->files, linux_job(), &t->files);
    }
    if (s == INV_OK && (r->flags & CLONE_FS)) {
        if (!fs_context_join(me->fs))
            return -LINUX_EAGAIN;
        t->fs = me->fs;
        fs_context_get(t->fs);
    } else if (s == INV_OK) {
        s = fs_context_copy(me->fs, &t->fs);
    }
    t->blocked = me->blocked;
    t->io_priority = me->io_priority;
    t->mempolicy = me->mempolicy;
    t->nice = me->nice;
    t->memory_failure = me->memory_failure;
    t->io_flusher = me->io_flusher;
    t->timer_slack = t->timer_slack_default = me->timer_slack;
    t->policy = me->policy;
    t->rt_priority = me->rt_priority;
    // The alternate stack is inherited unless the memory is shared (but vfork's child has it).
    if (!(r->flags & CLONE_VM) || (r->flags & CLONE_VFORK))
        t->altstack = me->altstack;
    t->clear_child_tid = r->flags & CLONE_CHILD_CLEARTID ? r->child_tid : 0;
    t->set_child_tid = r->flags & CLONE_CHILD_SETTID ? r->child_tid : 0;
    return s == INV_OK ? 0 : linux_result(s);
}

static int64_t sighand_copy(const struct clone_request *r, struct linux_process *p) {
    struct linux_sighand *from = linux_current_process()->sighand;

    if (r->flags & CLONE_SIGHAND) {
        sighand_get(from);
        p->sighand = from;
        return 0;
    }
    p->sighand = sighand_create(from);
    if (p->sighand == NULL)
        return -LINUX_ENOMEM;
    if (r->flags & CLONE_CLEAR_SIGHAND)
        sighand_reset(p->sighand, true);
    return 0;
}

// The core's process with the shared or forked address space.
static int64_t process_make(const struct clone_request *r, struct clone_parts *c) {
    struct process *me = current_process();
    struct aspace *as;
    inv_status_t s;

    c->process = linux_process_alloc(linux_current_process());
    if (c->process == NULL)
        return -LINUX_ENOMEM;
    c->process->token = linux_token();
    object_get(&c->process->token->obj);
    c->process->exit_signal = signal_valid((uint64_t)r->exit_signal) ? r->exit_signal : 0;
    int64_t result = sighand_copy(r, c->process);
    if (result != 0)
        return result;
    if (r->flags & CLONE_VM) {
        as = me->aspace;
        aspace_get(as);
    } else if ((s = aspace_fork(me->aspace, linux_job(), &as)) != INV_OK) {
        return linux_result(s);
    }
    s = process_create(linux_job(), as, &linux_ops, me->name, &c->core);
    if (s != INV_OK) {
        aspace_put(as);
        return s == INV_ERR_QUOTA ? -LINUX_EAGAIN : linux_result(s);
    }
    linux_process_get(c->process);
    c->core->personality_data = c->process;
    c->process->process = c->core;
    return 0;
}

// Scheduling: class and weight are inherited, the processor set too.
static inv_status_t sched_inherit(struct linux_thread *t, struct thread *child) {
    struct sched_params params;

    sched_get_params(current_thread(), &params);
    linux_sched_reset(t, &params);
    inv_status_t s = sched_set_params(child, &params);
    return s == INV_OK ? sched_set_affinity(child, &current_thread()->sched.affinity) : s;
}

static int64_t thread_make(struct arch_frame *f, const struct clone_request *r, struct clone_parts *c) {
    struct arch_frame frame = *f;
    inv_status_t s;

    c->thread = linux_thread_alloc(c->process);
    if (c->thread == NULL)
        return -LINUX_ENOMEM;
    int64_t result = thread_state_copy(r, c->thread);
    if (result != 0)
        return result;
    linux_arch_clone_frame(&frame, r->stack);
    s = thread_create_user(c->core != NULL ? c->core : current_process(), &frame, current_thread()->name,
                           &c->core_thread);
    if (s != INV_OK)
        return s == INV_ERR_QUOTA || s == INV_ERR_BAD_STATE ? -LINUX_EAGAIN : linux_result(s);
    c->core_thread->sched.slack = c->thread->timer_slack;
    s = sched_inherit(c->thread, c->core_thread);
    if (s != INV_OK)
        return linux_result(s);
    linux_arch_clone_thread(c->core_thread, (r->flags & CLONE_SETTLS) != 0, r->tls);
    return 0;
}

static int64_t number_make(const struct clone_request *r, struct clone_parts *c) {
    if (r->set_tid != 0)
        return linux_pid_alloc_exact(r->set_tid, &c->pid);
    c->pid = linux_pid_alloc();
    return c->pid == NULL ? -LINUX_EAGAIN : 0;
}

// The descriptor for the new process: told to the caller before the process exists, so that nothing can fail after it does.
static int64_t pidfd_make(const struct clone_request *r, struct clone_parts *c) {
    struct file *file;

    if (!(r->flags & CLONE_PIDFD))
        return 0;
    int64_t result = linux_pidfd_create(c->process, 0, &file);
    if (result != 0)
        return result;
    inv_status_t s = fd_reserve(linux_fds(), 0, linux_limit(LINUX_RLIMIT_NOFILE), true, &c->fd);
    if (s != INV_OK) {
        file_put(file);
        return linux_result(s);
    }
    c->pidfd = file;
    return arch_user_store32((uint32_t user_ptr *)r->pidfd, (uint32_t)c->fd) == INV_OK ? 0 : -LINUX_EFAULT;
}

// The new thread becomes visible to signals. False: the process is ending or executing a program.
static bool thread_attach_locked(struct linux_process *p, struct linux_thread *t) {
    irq_flags_t flags = spin_lock_irq(&p->lock);
    bool possible = !p->group_exit && !p->executing;

    if (possible) {
        list_push_back(&p->threads, &t->node);
        p->thread_count++;
        if (p->stop_requested || t->set_child_tid != 0)
            atomic_fetch_or(&t->thread->user_work, THREAD_WORK_PERSONALITY);
    }
    spin_unlock_irq(&p->lock, flags);
    return possible;
}

static void process_attach_locked(const struct clone_request *r, struct linux_process *p) {
    struct linux_process *me = linux_current_process();
    struct linux_process *parent = r->flags & CLONE_PARENT ? me->parent : me;

    if (r->flags & CLONE_PARENT)
        p->exit_signal = me->exit_signal;
    p->parent = parent;
    p->parent_thread = r->flags & CLONE_PARENT ? me->parent_thread : linux_current();
    if (p->parent_thread != NULL)
        p->parent_thread->children++;
    p->parent_id = parent->number;
    list_push_back(&parent->children, &p->sibling);
    list_push_back(&linux_processes, &p->all_node);
    linux_group_join_locked(p, me->group);
    p->terminal_turn = me->terminal_turn;
    p->state = LINUX_PROCESS_LIVE;
}

// Under the tree lock: nothing here fails but for the last look at signals.
static int64_t clone_commit(const struct clone_request *r, struct clone_parts *c) {
    struct linux_process *p = c->process;
    int64_t result = -LINUX_ERESTARTNOINTR;

    c->thread->thread = c->core_thread;
    c->thread->pid = c->pid;
    spin_lock(&linux_tree_lock);
    if (linux_signal_pending())
        goto out;
    if (c->core != NULL) {
        p->pid = c->pid;
        p->number = c->pid->number;
    }
    c->pid->user = linux_current()->pid->user; // before it can be sent signals
    if (!thread_attach_locked(p, c->thread)) {
        c->pid->user = NULL;
        goto out;
    }
    c->pid->thread = c->thread;
    linux_user_charge_locked(c->pid->user);
    if (c->core != NULL) {
        c->pid->process = p;
        linux_pid_get_locked(c->pid); // process and thread: a user each
        process_attach_locked(r, p);
    }
    c->core_thread->personality_data = c->thread;
    result = c->pid->number;
out:
    spin_unlock(&linux_tree_lock);
    return result;
}

// Until the child executes a program or ends. A kill lets the parent go.
static void vfork_wait(struct linux_process *child) {
    inv_status_t s;

    WAIT_EVENT(&child->vfork_wait, !atomic_load(&child->vfork_pending), WAIT_KILLABLE, NSTIME_NEVER, s);
    (void)s;
}

static int64_t clone_try(struct arch_frame *f, const struct clone_request *r) {
    struct clone_parts c = {0};
    int64_t result = flags_check(r);

    if (result != 0)
        return result;
    if (!linux_user_may_clone())
        return -LINUX_EAGAIN;
    if (r->flags & CLONE_THREAD) {
        c.process = linux_current_process();
        linux_process_get(c.process);
    } else {
        result = process_make(r, &c);
    }
    if (result == 0)
        result = thread_make(f, r, &c);
    if (result == 0)
        result = number_make(r, &c);
    if (result == 0)
        result = pidfd_make(r, &c);
    if (result == 0) {
        if ((r->flags & CLONE_VFORK) && c.core != NULL)
            atomic_store(&c.process->vfork_pending, true);
        result = clone_commit(r, &c);
    }
    if (result < 0) {
        clone_undo(&c);
        return result;
    }
    if (c.pidfd != NULL)
        fd_fill(linux_fds(), c.fd, c.pidfd);
    if (r->flags & CLONE_PARENT_SETTID)
        (void)!arch_user_store32((uint32_t user_ptr *)r->parent_tid, (uint32_t)result);
    if (c.core != NULL)
        linux_process_get(c.process); // the first count is the tree's now, and it may end as soon as it runs
    if (c.core != NULL && linux_limit(LINUX_RLIMIT_CPU) != LINUX_RLIM_INFINITY)
        linux_cpu_limit_watch(c.process);
    if (c.core != NULL && linux_policy_realtime(linux_current()->policy))
        linux_rt_limit_watch(c.process);
    counter_add(forks, 1);
    thread_start(c.core_thread);
    object_put(&c.core_thread->obj);
    if ((r->flags & CLONE_VFORK) && c.core != NULL)
        vfork_wait(c.process);
    linux_process_put(c.process);
    return result;
}

// As long as the policy of exhaustion finds memory by ending somebody, a clone does not fail for want of it.
static int64_t clone_do(struct arch_frame *f, const struct clone_request *r) {
    unsigned tries = 0;
    int64_t result;

    do
        result = clone_try(f, r);
    while (result == -LINUX_ENOMEM && memory_relieve(&tries, false));
    return result;
}

int64_t linux_fork(struct arch_frame *f) {
    struct clone_request r = {.exit_signal = LINUX_SIGCHLD};
    return clone_do(f, &r);
}

int64_t linux_vfork(struct arch_frame *f) {
    struct clone_request r = {.flags = CLONE_VM | CLONE_VFORK, .exit_signal = LINUX_SIGCHLD};
    return clone_do(f, &r);
}

int64_t linux_clone(struct arch_frame *f) {
    uint64_t fl = (uint32_t)LINUX_ARG(f, 0);
    struct clone_request r = {.flags = fl & ~CLONE_SIGNAL_MASK,
                              .exit_signal = (int)(fl & CLONE_SIGNAL_MASK),
                              .stack = LINUX_ARG(f, 1),
                              .parent_tid = LINUX_ARG(f, 2),
                              .pidfd = LINUX_ARG(f, 2),
                              .child_tid = LINUX_ARG(f, 3),
                              .tls = LINUX_ARG(f, 4)};
    if ((r.flags & CLONE_PIDFD) && (r.flags & CLONE_PARENT_SETTID)) // they would share an address
        return -LINUX_EINVAL;
    return clone_do(f, &r);
}

struct clone_args { // clone3's, version 2
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static int64_t clone3_check(const struct clone_args *a) {
    if (a->set_tid_size > 32 || (a->set_tid == 0) != (a->set_tid_size == 0))
        return -LINUX_EINVAL;
    if ((a->exit_signal & ~CLONE_SIGNAL_MASK) != 0 || (a->exit_signal != 0 && !signal_valid(a->exit_signal)))
        return -LINUX_EINVAL;
    if ((a->flags & CLONE_INTO_CGROUP) && a->cgroup > INT32_MAX)
        return -LINUX_EINVAL;
    return 0;
}

static int64_t clone3_flags_check(const struct clone_args *a) {
    if (a->flags & ~(0xffffffffull | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP) ||
        (a->flags & (CLONE_DETACHED | (CLONE_SIGNAL_MASK & ~CLONE_NEWTIME))))
        return -LINUX_EINVAL;
    if ((a->flags & CLONE_SIGHAND) && (a->flags & CLONE_CLEAR_SIGHAND))
        return -LINUX_EINVAL;
    if ((a->flags & (CLONE_THREAD | CLONE_PARENT)) && a->exit_signal != 0)
        return -LINUX_EINVAL;
    if ((a->stack == 0) != (a->stack_size == 0) || a->stack + a->stack_size < a->stack ||
        a->stack + a->stack_size > ARCH_USER_END)
        return -LINUX_EINVAL;
    if ((a->flags & CLONE_PIDFD) && (a->flags & CLONE_PARENT_SETTID) && a->pidfd == a->parent_tid)
        return -LINUX_EINVAL;
    return 0;
}

// A number of one's own choice is a privilege of who restores processes.
static int64_t set_tid_check(const struct clone_args *a, int number) {
    if (a->set_tid_size == 0)
        return 0;
    if (a->set_tid_size > 1 || number < 1 || number >= LINUX_PID_MAX)
        return -LINUX_EINVAL;
    return token_capable(linux_token(), CAP_CHECKPOINT) || token_capable(linux_token(), CAP_SYS_ADMIN) ? 0
                                                                                                       : -LINUX_EPERM;
}

int64_t linux_clone3(struct arch_frame *f) {
    uint64_t user = LINUX_ARG(f, 0), size = LINUX_ARG(f, 1);
    struct clone_args a;
    int number = 0;

    if (size > PAGE_SIZE)
        return -LINUX_E2BIG;
    if (size < 64)
        return -LINUX_EINVAL;
    int64_t result = linux_struct_get(&a, sizeof(a), user, size);
    if (result == 0)
        result = clone3_check(&a);
    if (result == 0 && a.set_tid_size != 0 &&
        arch_user_load32((const uint32_t user_ptr *)a.set_tid, (uint32_t *)&number) != INV_OK)
        result = -LINUX_EFAULT;
    if (result == 0)
        result = clone3_flags_check(&a);
    if (result == 0)
        result = set_tid_check(&a, number);
    if (result != 0)
        return result;
    struct clone_request r = {.flags = a.flags,
                              .exit_signal = (int)a.exit_signal,
                              .stack = a.stack + a.stack_size,
                              .parent_tid = a.parent_tid,
                              .child_tid = a.child_tid,
                              .tls = a.tls,
                              .pidfd = a.pidfd,
                              .set_tid = number};
    return clone_do(f, &r);
}

int64_t linux_set_tid_address(struct arch_frame *f) {
    linux_current()->clear_child_tid = LINUX_ARG(f, 0);
    return linux_current()->pid->number;
}
