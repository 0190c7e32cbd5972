// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// One look at a process or a thread, for stat, status and their like: tree lock and process lock are held together for a moment, and nothing is printed
// under them.
#include "../proc.h"

#include <executive/tty.h>

static char state_of(const struct linux_thread *t) {
    const struct thread *core = t->thread;

    if (t->parked)
        return 'T';
    switch (atomic_load_explicit(&core->sched.state, memory_order_relaxed)) {
    case THREAD_SLEEPING: return core->sched.wait_kind == WAIT_INTERRUPTIBLE ? 'S' : 'D';
    case THREAD_STOPPED: return 'T';
    case THREAD_DEAD: return 'X';
    default: return 'R';
    }
}

static void tree_fill(struct proc_view *v, const struct linux_process *p, struct tty **out_terminal) {
    v->pid = p->number;
    v->parent = atomic_load(&((struct linux_process *)p)->parent_id);
    v->zombie = p->state != LINUX_PROCESS_LIVE;
    v->exit_signal = p->exit_signal;
    v->has_executed = p->has_executed;
    v->children = p->children_usage;
    v->start_time = p->start_time;
    v->foreground = -1;
    if (p->group != NULL) {
        v->group = p->group->pid->number;
        v->session = p->group->session->pid->number;
        *out_terminal = linux_terminal_locked(p);
        if (*out_terminal != NULL)
            tty_get(*out_terminal);
    }
}

static void thread_fill(struct proc_view *v, struct linux_thread *t) {
    v->tid = t->pid != NULL ? t->pid->number : v->pid;
    v->state = state_of(t);
    v->cpu = atomic_load_explicit(&t->thread->sched.cpu, memory_order_relaxed);
    v->affinity = t->thread->sched.affinity;
    v->priority = atomic_load_explicit(&t->thread->sched.priority, memory_order_relaxed);
    v->nice = t->nice;
    v->policy = t->policy;
    v->rt_priority = t->rt_priority;
    v->pending = t->pending.set;
    v->blocked = t->blocked;
    string_copy(v->name, t->thread->name, sizeof(v->name));
}

static void signals_fill(struct proc_view *v, const struct linux_process *p) {
    v->shared_pending = p->pending.set;
    v->queued = p->pid != NULL && p->pid->user != NULL
                    ? atomic_load_explicit(&p->pid->user->signals, memory_order_relaxed)
                    : 0;
    v->queue_limit = p->limits[LINUX_RLIMIT_SIGPENDING].current;
    for (int n = 1; n <= LINUX_SIGNALS; n++) {
        uint64_t handler = signal_handler(p->sighand, n);
        if (handler == LINUX_SIG_IGN)
            v->ignored |= SIGNAL_BIT(n);
        else if (handler != LINUX_SIG_DFL)
            v->caught |= SIGNAL_BIT(n);
    }
}

static struct linux_thread *thread_of_locked(struct linux_process *p, int tid) {
    struct linux_thread *t;

    if (tid == 0)
        return linux_process_thread_locked(p);
    list_for_each(t, &p->threads, node) {
        if (t->pid != NULL && t->pid->number == tid)
            return t;
    }
    return NULL;
}

inv_status_t proc_view_get(struct linux_process *p, int tid, struct proc_view *v) {
    struct tty *terminal = NULL;
    inv_status_t s = INV_OK;

    *v = (struct proc_view){0};
    spin_lock(&linux_tree_lock);
    tree_fill(v, p, &terminal);
    irq_flags_t flags = spin_lock_irq(&p->lock);
    v->threads = p->thread_count;
    v->exit_status = p->exit_status;
    struct linux_thread *t = thread_of_locked(p, tid);
    // The first thread stands for the process. When it has ended before others, it stays as a zombie until they have, too.
    const struct linux_thread *first = linux_process_thread_locked(p);
    bool first_ended = first == NULL || first->pid != p->pid;
    v->threads += first_ended;
    if (t != NULL && !(first_ended && tid == 0)) {
        thread_fill(v, t);
        if (tid != 0) {
            linux_usage_of_thread(t, &v->usage);
            v->start_time = t->start_time;
        }
    } else if (p->state == LINUX_PROCESS_REAPED || (tid != 0 && tid != v->pid)) {
        s = INV_ERR_NOT_FOUND;
    } else {
        v->tid = v->pid;
        // On its way: a zombie is one that can be waited for.
        v->state = p->state == LINUX_PROCESS_LIVE && first == NULL ? 'R' : 'Z';
        string_copy(v->name, p->last_name, sizeof(v->name));
    }
    if (tid == 0 || t == NULL)
        linux_process_usage_locked(p, &v->usage);
    if (p->sighand != NULL)
        signals_fill(v, p);
    spin_unlock_irq(&p->lock, flags);
    spin_unlock(&linux_tree_lock);
    if (terminal != NULL) {
        devno_t d = tty_device_number(terminal);
        uint32_t major = (uint32_t)(d >> 32), minor = (uint32_t)d;
        v->terminal = (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
        v->foreground = tty_foreground_group(terminal);
        tty_put(terminal);
    }
    return s;
}

int proc_child_next(struct linux_process *p, int from) {
    struct linux_process *child;
    int best = 0;

    spin_lock(&linux_tree_lock);
    list_for_each(child, &p->children, sibling) {
        if (child->number > from && (best == 0 || child->number < best))
            best = child->number;
    }
    spin_unlock(&linux_tree_lock);
    return best;
}

bool proc_gone(struct linux_process *p) {
    spin_lock(&linux_tree_lock);
    bool gone = p->state == LINUX_PROCESS_REAPED;
    spin_unlock(&linux_tree_lock);
    return gone;
}

struct token *proc_token(struct linux_process *p) {
    irq_flags_t flags = spin_lock_irq(&p->lock);
    struct token *t = p->token;

    object_get(&t->obj);
    spin_unlock_irq(&p->lock, flags);
    return t;
}

struct fd_table *proc_files(struct linux_process *p, int tid) {
    irq_flags_t flags;
    struct fd_table *files = NULL;

    spin_lock(&linux_tree_lock);
    flags = spin_lock_irq(&p->lock);
    struct linux_thread *t = thread_of_locked(p, tid);
    if (t != NULL && t->files != NULL) {
        files = t->files;
        fd_table_get(files);
    }
    spin_unlock_irq(&p->lock, flags);
    spin_unlock(&linux_tree_lock);
    return files;
}

struct fs_context *proc_fs(struct linux_process *p, int tid) {
    irq_flags_t flags;
    struct fs_context *fs = NULL;

    spin_lock(&linux_tree_lock);
    flags = spin_lock_irq(&p->lock);
    struct linux_thread *t = thread_of_locked(p, tid);
    if (t != NULL && t->fs != NULL) {
        fs = t->fs;
        fs_context_get(fs);
    }
    spin_unlock_irq(&p->lock, flags);
    spin_unlock(&linux_tree_lock);
    return fs;
}

struct file *proc_exe(struct linux_process *p) {
    irq_flags_t flags = spin_lock_irq(&p->lock);
    struct file *f = p->exe;

    if (f != NULL)
        file_get(f);
    spin_unlock_irq(&p->lock, flags);
    return f;
}
