// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/PID: its table of entries, and stat, limits, comm and the small ones. The formats are those of proc(5).
#include "../core_file.h"
#include "../proc.h"

#include <kernel/page.h>
#include <kernel/slab.h>

#define TICK 10000000ull // clock ticks of 10 ms

static uint64_t ticks(nstime_t t) {
    return t / TICK;
}

// As it is scheduled now: with what it inherits.
static int priority_of(const struct proc_view *v) {
    if (v->priority > PRIORITY_RT_FIRST)
        return PRIORITY_RT_FIRST - 1 - v->priority;
    return v->policy == 1 || v->policy == 2 ? -1 - v->rt_priority : 20 + v->nice;
}

// The address space's part of stat; zeros for a zombie and for who may not look.
struct memory_view {
    uint64_t size, resident, limit, faults_minor, faults_major, code_start, code_end, stack, data_start, data_end, brk,
        arg_start, arg_end, env_start, env_end;
};

static void memory_view_get(const struct proc_node *n, struct memory_view *m) {
    struct aspace *as = linux_process_aspace(n->process);
    bool inspect = linux_may_inspect(n->process);

    *m = (struct memory_view){.limit = n->process->limits[LINUX_RLIMIT_RSS].current};
    if (as == NULL)
        return;
    mutex_lock(&as->lock);
    m->size = as->mapped_bytes;
    m->resident = atomic_load(&as->resident);
    m->faults_minor = atomic_load(&as->faults_minor);
    m->faults_major = atomic_load(&as->faults_major);
    if (inspect) {
        m->code_start = as->layout.code_start, m->code_end = as->layout.code_end, m->stack = as->layout.stack_start;
        m->data_start = as->layout.data_start, m->data_end = as->layout.data_end, m->brk = as->brk_start;
        m->arg_start = as->layout.arg_start, m->arg_end = as->layout.arg_end;
        m->env_start = as->layout.env_start, m->env_end = as->layout.env_end;
    }
    mutex_unlock(&as->lock);
    aspace_put(as);
}

// PF_* of Linux, as ps reads them: has not executed a program, is going, has a random layout.
static unsigned task_flags(const struct proc_view *v) {
    return (v->has_executed ? 0 : 0x40) | (v->zombie ? 0x4 : 0) | 0x400000;
}

void proc_show_stat(struct proc_text *t, const struct proc_node *n) {
    struct proc_view v;
    struct memory_view m;

    if (proc_view_get(n->process, n->number, &v) != INV_OK)
        return;
    memory_view_get(n, &m);
    proc_print(t, "%d (%s) %c %d %d %d %d %d %u %lu %lu %lu %lu %lu %lu %lu %lu %d %d %u 0 %lu %lu %lu %lu ", v.tid,
               v.name, v.state, v.parent, v.group, v.session, (int)v.terminal, v.foreground, task_flags(&v),
               v.usage.faults_minor + m.faults_minor, v.children.faults_minor, v.usage.faults_major + m.faults_major,
               v.children.faults_major, ticks(v.usage.times.user), ticks(v.usage.times.system),
               ticks(v.children.times.user), ticks(v.children.times.system), priority_of(&v), v.nice, v.threads,
               ticks(v.start_time), m.size, m.resident, m.limit);
    proc_print(t, "%lu %lu %lu 0 0 %lu %lu %lu %lu 0 0 0 %d %u %d %d 0 0 0 ", m.code_start, m.code_end, m.stack,
               v.pending & 0x7fffffff, v.blocked & 0x7fffffff, v.ignored & 0x7fffffff, v.caught & 0x7fffffff,
               v.exit_signal, v.cpu, v.rt_priority, v.policy);
    proc_print(t, "%lu %lu %lu %lu %lu %lu %lu %d\n", m.data_start, m.data_end, m.brk, m.arg_start, m.arg_end,
               m.env_start, m.env_end, linux_may_inspect(n->process) ? v.exit_status : 0);
}

// --- comm ---

static void show_comm(struct proc_text *t, const struct proc_node *n) {
    struct proc_view v;

    if (proc_view_get(n->process, n->number, &v) == INV_OK)
        proc_print(t, "%s\n", v.name);
}

static int64_t store_comm(const struct proc_node *n, char *text) {
    struct linux_process *p = n->process;
    char *end = strchr(text, '\n');

    if (p != linux_current_process())
        return -LINUX_EINVAL;
    if (end != NULL)
        *end = '\0';
    spin_lock(&linux_tree_lock);
    irq_flags_t flags = spin_lock_irq(&p->lock);
    struct linux_thread *t, *found = n->number == 0 ? linux_process_thread_locked(p) : NULL;
    list_for_each(t, &p->threads, node) {
        if (n->number != 0 && t->pid != NULL && t->pid->number == n->number)
            found = t;
    }
    if (found != NULL)
        string_copy(found->thread->name, text, LINUX_COMM_LENGTH);
    spin_unlock_irq(&p->lock, flags);
    spin_unlock(&linux_tree_lock);
    return 0;
}

// --- limits ---

static void limit_print(struct proc_text *t, uint64_t v) {
    if (v == LINUX_RLIM_INFINITY)
        proc_print(t, "%-20s ", "unlimited");
    else
        proc_print(t, "%-20lu ", v);
}

static void show_limits(struct proc_text *t, const struct proc_node *n) {
    static const struct {
        const char *name, *unit;
    } names[LINUX_RLIM_COUNT] = {
        {"Max cpu time", "seconds"},    {"Max file size", "bytes"},      {"Max data size", "bytes"},
        {"Max stack size", "bytes"},    {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
        {"Max processes", "processes"}, {"Max open files", "files"},     {"Max locked memory", "bytes"},
        {"Max address space", "bytes"}, {"Max file locks", "locks"},     {"Max pending signals", "signals"},
        {"Max msgqueue size", "bytes"}, {"Max nice priority", ""},       {"Max realtime priority", ""},
        {"Max realtime timeout", "us"},
    };
    struct linux_rlimit limits[LINUX_RLIM_COUNT];
    irq_flags_t flags = spin_lock_irq(&n->process->lock);

    memcpy(limits, n->process->limits, sizeof(limits));
    spin_unlock_irq(&n->process->lock, flags);
    proc_print(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (unsigned i = 0; i < LINUX_RLIM_COUNT; i++) {
        proc_print(t, "%-25s ", names[i].name);
        limit_print(t, limits[i].current);
        limit_print(t, limits[i].maximum);
        proc_print(t, "%-10s\n", names[i].unit);
    }
}

// --- small ones ---

static void show_oom_score_adj(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%d\n", atomic_load(&n->process->oom_score_adj));
}

static int64_t store_oom_score_adj(const struct proc_node *n, char *text) {
    bool negative = *text == '-';
    const char *end;
    uint64_t value;

    if (string_to_u64(text + (negative ? 1 : 0), &end, 10, &value) != INV_OK || (*end != '\0' && *end != '\n') ||
        value > 1000)
        return -LINUX_EINVAL;
    int fresh = negative ? -(int)value : (int)value;
    if (fresh < atomic_load(&n->process->oom_score_adj) && !token_capable(linux_token(), CAP_SYS_RESOURCE))
        return -LINUX_EACCES;
    atomic_store(&n->process->oom_score_adj, fresh);
    return 0;
}

// Two thirds of a thousand, as Linux scales it, and of that the share of memory which the process has, moved by what was set.
static void show_oom_score(struct proc_text *t, const struct proc_node *n) {
    struct aspace *as = linux_process_aspace(n->process);
    struct page_stats pages;
    int64_t points = 0, adjustment = atomic_load(&n->process->oom_score_adj);

    page_get_stats(&pages);
    if (as != NULL) {
        points = (int64_t)(atomic_load(&as->resident) + atomic_load(&as->arch.table_pages));
        aspace_put(as);
    }
    points += adjustment * (int64_t)pages.total / 1000;
    points = (1000 + points * 1000 / (int64_t)pages.total) * 2 / 3;
    proc_print(t, "%ld\n", adjustment == -1000 ? 0 : MAX(points, 0));
}

// The scale before oom_score_adj: -17 (never) to 15. Both are one value.
static void show_oom_adj(struct proc_text *t, const struct proc_node *n) {
    int adj = atomic_load(&n->process->oom_score_adj);

    proc_print(t, "%d\n", adj == 1000 ? 15 : adj * 17 / 1000);
}

static int64_t store_oom_adj(const struct proc_node *n, char *text) {
    bool negative = *text == '-';
    uint64_t value;

    if (!proc_parse_number(text + (negative ? 1 : 0), &value) || value > 17 || (!negative && value > 15))
        return -LINUX_EINVAL;
    int fresh = !negative && value == 15 ? 1000 : (negative ? -(int)value : (int)value) * 1000 / 17;
    if (fresh < atomic_load(&n->process->oom_score_adj) && !token_capable(linux_token(), CAP_SYS_RESOURCE))
        return -LINUX_EACCES;
    atomic_store(&n->process->oom_score_adj, fresh);
    return 0;
}

static void show_children(struct proc_text *t, const struct proc_node *n) {
    if (n->number != n->process->number)
        return; // children are the first thread's
    for (int child = proc_child_next(n->process, 0); child != 0; child = proc_child_next(n->process, child))
        proc_print(t, "%d ", child);
}

static void show_root_cpuset(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "/\n");
}

// There is one user namespace, which maps all numbers to themselves.
static void show_id_map(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%10u %10u %10u\n", 0u, 0u, UINT32_MAX);
}

static void show_setgroups(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "allow\n");
}

// The slack of one thread: its own, or another's with the right to change its scheduling.
static struct linux_thread *slack_thread_locked(const struct proc_node *n) {
    struct linux_thread *t;

    list_for_each(t, &n->process->threads, node) {
        if (t->pid != NULL && t->pid->number == (n->number != 0 ? n->number : n->process->number))
            return t;
    }
    return NULL;
}

static bool slack_permitted(const struct proc_node *n) {
    int number = n->number != 0 ? n->number : n->process->number;

    return linux_current()->pid->number == number || token_capable(linux_token(), CAP_SYS_NICE);
}

static void show_timer_slack(struct proc_text *t, const struct proc_node *n) {
    uint64_t slack = 0;

    spin_lock(&linux_tree_lock);
    irq_flags_t flags = spin_lock_irq(&n->process->lock);
    struct linux_thread *thread = slack_permitted(n) ? slack_thread_locked(n) : NULL;
    if (thread != NULL)
        slack = thread->timer_slack;
    spin_unlock_irq(&n->process->lock, flags);
    spin_unlock(&linux_tree_lock);
    if (thread != NULL)
        proc_show_number(t, slack);
}

static int64_t store_timer_slack(const struct proc_node *n, char *text) {
    int64_t result = -LINUX_ESRCH;
    uint64_t slack;

    if (!proc_parse_number(text, &slack))
        return -LINUX_EINVAL;
    if (!slack_permitted(n))
        return -LINUX_EPERM;
    spin_lock(&linux_tree_lock);
    irq_flags_t flags = spin_lock_irq(&n->process->lock);
    struct linux_thread *t = slack_thread_locked(n);
    if (t != NULL) {
        t->timer_slack = slack != 0 ? slack : t->timer_slack_default;
        result = 0;
    }
    spin_unlock_irq(&n->process->lock, flags);
    spin_unlock(&linux_tree_lock);
    return result;
}

static void show_wchan(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "0"); // not told: as a kernel without the right to see it answers
}

static void show_personality(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%08x\n", atomic_load(&n->process->personality));
}

static void show_loginuid(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "4294967295");
}

static void show_cgroup(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "0::/\n");
}

// Of the process: with what its reaped children had. Nothing goes to a disk.
static void show_io(struct proc_text *t, const struct proc_node *n) {
    struct proc_view v;

    if (proc_view_get(n->process, n->number, &v) != INV_OK)
        return;
    if (n->number == 0)
        linux_usage_add(&v.usage, &v.children);
    proc_print(t, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\n", v.usage.io.bytes_read, v.usage.io.bytes_written,
               v.usage.io.reads, v.usage.io.writes);
    proc_print(t, "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
}

static void show_schedstat(struct proc_text *t, const struct proc_node *n) {
    struct proc_view v;

    if (proc_view_get(n->process, n->number, &v) == INV_OK)
        proc_print(t, "%lu 0 %lu\n", v.usage.times.user + v.usage.times.system,
                   v.usage.switches_voluntary + v.usage.switches_forced);
}

// --- links ---

inv_status_t proc_path_text(const struct path *p, char *buffer, size_t size, size_t *out_length) {
    char *text = kmalloc(PATH_MAX_BYTES + 16), *start;
    struct vfs_caller caller;

    if (text == NULL)
        return INV_ERR_NO_MEMORY;
    linux_caller(&caller);
    inv_status_t s = vfs_path_name(&caller, p, text, PATH_MAX_BYTES + 16, &start);
    if (s == INV_OK) {
        *out_length = MIN(strlen(start), size);
        memcpy(buffer, start, *out_length);
    }
    kfree(text);
    return s;
}

static inv_status_t exe_follow(const struct proc_node *n, struct path *out) {
    struct file *f = proc_exe(n->process);

    if (f == NULL)
        return INV_ERR_NOT_FOUND;
    *out = f->path;
    path_get(out);
    file_put(f);
    return INV_OK;
}

static inv_status_t place_follow(const struct proc_node *n, struct path *out, bool root) {
    struct fs_context *fs = proc_fs(n->process, n->number);

    if (fs == NULL)
        return INV_ERR_NOT_FOUND;
    spin_lock(&fs->lock);
    *out = root ? fs->root : fs->cwd;
    path_get(out);
    spin_unlock(&fs->lock);
    fs_context_put(fs);
    return INV_OK;
}

static inv_status_t cwd_follow(const struct proc_node *n, struct path *out) {
    return place_follow(n, out, false);
}

static inv_status_t root_follow(const struct proc_node *n, struct path *out) {
    return place_follow(n, out, true);
}

static inv_status_t followed_text(const struct proc_node *n, char *buffer, size_t size, size_t *out_length) {
    struct path p;
    inv_status_t s = n->entry->follow(n, &p);

    if (s != INV_OK)
        return s;
    s = proc_path_text(&p, buffer, size, out_length);
    path_put(&p);
    return s;
}

static void show_core_filter(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%08x\n", atomic_load(&n->process->core_filter));
}

static int64_t store_core_filter(const struct proc_node *n, char *text) {
    const char *end;
    uint64_t value;

    if (string_to_u64(text, &end, 0, &value) != INV_OK || (*end != '\0' && *end != '\n') || value > UINT32_MAX)
        return -LINUX_EINVAL;
    atomic_store(&n->process->core_filter, (uint32_t)value & CORE_FILTER_ALL);
    return 0;
}

// --- the table ---

static const struct proc_entry process_children[] = {
    {.name = "auxv", .mode = 0400, .flags = PROC_INSPECT, .show = proc_show_auxv},
    {.name = "cgroup", .mode = 0444, .show = show_cgroup},
    {.name = "children", .mode = 0444, .flags = PROC_TASK_ONLY, .show = show_children},
    {.name = "clear_refs", .mode = 0200, .store = proc_store_clear_refs},
    {.name = "cmdline", .mode = 0444, .show = proc_show_cmdline},
    {.name = "comm", .mode = 0644, .show = show_comm, .store = store_comm},
    {.name = "coredump_filter",
     .mode = 0644,
     .flags = PROC_NO_TASK,
     .show = show_core_filter,
     .store = store_core_filter},
    {.name = "cpuset", .mode = 0444, .show = show_root_cpuset},
    {.name = "cwd",
     .mode = 0777,
     .kind = PROC_LINK,
     .flags = PROC_INSPECT,
     .follow = cwd_follow,
     .readlink = followed_text},
    {.name = "environ", .mode = 0400, .flags = PROC_INSPECT, .show = proc_show_environ},
    {.name = "exe",
     .mode = 0777,
     .kind = PROC_LINK,
     .flags = PROC_INSPECT,
     .follow = exe_follow,
     .readlink = followed_text},
    {.name = "fd", .mode = 0500, .kind = PROC_SPECIAL, .lookup = proc_fd_lookup, .list = proc_fd_list},
    {.name = "fdinfo", .mode = 0555, .kind = PROC_SPECIAL, .lookup = proc_fdinfo_lookup, .list = proc_fd_list},
    {.name = "gid_map", .mode = 0644, .show = show_id_map},
    {.name = "io", .mode = 0400, .flags = PROC_INSPECT | PROC_AT_READ, .show = show_io},
    {.name = "limits", .mode = 0444, .show = show_limits},
    {.name = "loginuid", .mode = 0444, .show = show_loginuid},
    {.name = "maps", .mode = 0444, .flags = PROC_INSPECT, .show = proc_show_maps},
    {.name = "mem", .mode = 0600, .file_ops = &proc_mem_ops},
    {.name = "mountinfo", .mode = 0444, .flags = PROC_AT_OPEN, .show = proc_show_mountinfo},
    {.name = "mounts", .mode = 0444, .flags = PROC_AT_OPEN, .show = proc_show_mounts},
    {.name = "mountstats", .mode = 0400, .flags = PROC_AT_OPEN | PROC_NO_TASK, .show = proc_show_mountstats},
    {.name = "net", .mode = 0555, .kind = PROC_DIRECTORY, .children = proc_net_children},
    {.name = "ns", .mode = 0511, .kind = PROC_DIRECTORY, .children = proc_ns_children},
    {.name = "oom_adj", .mode = 0644, .show = show_oom_adj, .store = store_oom_adj},
    {.name = "oom_score", .mode = 0444, .show = show_oom_score},
    {.name = "oom_score_adj", .mode = 0644, .show = show_oom_score_adj, .store = store_oom_score_adj},
    {.name = "pagemap", .mode = 0400, .file_ops = &proc_pagemap_ops},
    {.name = "personality", .mode = 0400, .flags = PROC_INSPECT | PROC_AT_READ, .show = show_personality},
    {.name = "projid_map", .mode = 0644, .show = show_id_map},
    {.name = "root",
     .mode = 0777,
     .kind = PROC_LINK,
     .flags = PROC_INSPECT,
     .follow = root_follow,
     .readlink = followed_text},
    {.name = "sched", .mode = 0444, .show = proc_show_sched},
    {.name = "schedstat", .mode = 0444, .show = show_schedstat},
    {.name = "sessionid", .mode = 0444, .show = show_loginuid},
    {.name = "setgroups", .mode = 0644, .show = show_setgroups},
    {.name = "smaps", .mode = 0444, .flags = PROC_INSPECT, .show = proc_show_smaps},
    {.name = "smaps_rollup", .mode = 0444, .flags = PROC_INSPECT | PROC_NO_TASK, .show = proc_show_smaps_rollup},
    {.name = "stat", .mode = 0444, .show = proc_show_stat},
    {.name = "statm", .mode = 0444, .show = proc_show_statm},
    {.name = "status", .mode = 0444, .show = proc_show_status},
    {.name = "task",
     .mode = 0555,
     .kind = PROC_SPECIAL,
     .flags = PROC_NO_TASK,
     .lookup = proc_task_lookup,
     .list = proc_task_list},
    {.name = "timerslack_ns",
     .mode = 0666,
     .flags = PROC_NO_TASK,
     .show = show_timer_slack,
     .store = store_timer_slack},
    {.name = "uid_map", .mode = 0644, .show = show_id_map},
    {.name = "wchan", .mode = 0444, .show = show_wchan},
    {.name = NULL},
};

const struct proc_entry proc_process_entry = {
    .name = "process", .mode = 0555, .kind = PROC_DIRECTORY, .children = process_children};
const struct proc_entry proc_task_entry = {
    .name = "thread", .mode = 0555, .kind = PROC_DIRECTORY, .children = process_children};
