// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/PID: its table of entries, and stat, status, limits, comm and the small ones. The formats are those of proc(5).
#include "proc.h"

#include <kernel/slab.h>

#define TICK 10000000ull // clock ticks of 10 ms

static uint64_t ticks(nstime_t t) {
    return t / TICK;
}

static int priority_of(const struct proc_view *v) {
    return v->policy == 1 || v->policy == 2 ? -1 - v->rt_priority : 20 + v->nice;
}

// The address space's part of stat; zeros for a zombie and for who may not look.
struct memory_view {
    uint64_t size, resident, limit, code_start, code_end, stack, data_start, data_end, brk, arg_start, arg_end,
        env_start, env_end;
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
    if (inspect) {
        m->code_start = as->layout.code_start, m->code_end = as->layout.code_end, m->stack = as->layout.stack_start;
        m->data_start = as->layout.data_start, m->data_end = as->layout.data_end, m->brk = as->brk_start;
        m->arg_start = as->layout.arg_start, m->arg_end = as->layout.arg_end;
        m->env_start = as->layout.env_start, m->env_end = as->layout.env_end;
    }
    mutex_unlock(&as->lock);
    aspace_put(as);
}

void proc_show_stat(struct proc_text *t, const struct proc_node *n) {
    struct proc_view v;
    struct memory_view m;

    if (proc_view_get(n->process, n->number, &v) != INV_OK)
        return;
    memory_view_get(n, &m);
    proc_print(t, "%d (%s) %c %d %d %d %d %d 0 %lu 0 %lu 0 %lu %lu %lu %lu %d %d %u 0 %lu %lu %lu %lu ", v.tid, v.name,
               v.state, v.parent, v.group, v.session, (int)v.terminal, v.foreground, v.usage.faults_minor,
               v.usage.faults_major, ticks(v.usage.times.user), ticks(v.usage.times.system),
               ticks(v.children.times.user), ticks(v.children.times.system), priority_of(&v), v.nice, v.threads,
               ticks(v.start_time), m.size, m.resident, m.limit);
    proc_print(t, "%lu %lu %lu 0 0 %lu %lu %lu %lu 0 0 0 %d %u %d %d 0 0 0 ", m.code_start, m.code_end, m.stack,
               v.pending & 0x7fffffff, v.blocked & 0x7fffffff, v.ignored & 0x7fffffff, v.caught & 0x7fffffff,
               v.exit_signal, v.cpu, v.rt_priority, v.policy);
    proc_print(t, "%lu %lu %lu %lu %lu %lu %lu %d\n", m.data_start, m.data_end, m.brk, m.arg_start, m.arg_end,
               m.env_start, m.env_end, linux_may_inspect(n->process) ? v.exit_status : 0);
}

static const char *state_name(char c) {
    switch (c) {
    case 'R': return "R (running)";
    case 'S': return "S (sleeping)";
    case 'D': return "D (disk sleep)";
    case 'T': return "T (stopped)";
    case 'Z': return "Z (zombie)";
    default: return "X (dead)";
    }
}

static void status_identity(struct proc_text *t, struct linux_process *p) {
    struct token *k = proc_token(p);

    proc_print(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", k->uid, k->euid, k->suid, k->fsuid, k->gid, k->egid,
               k->sgid, k->fsgid);
    struct fd_table *files = proc_files(p, 0);
    proc_print(t, "FDSize:\t%d\nGroups:\t", files != NULL ? 64 : 0);
    if (files != NULL)
        fd_table_put(files);
    for (uint32_t i = 0; i < token_group_count(k); i++)
        proc_print(t, "%u ", k->groups->ids[i]);
    proc_print(t, "\n");
    object_put(&k->obj);
}

static void status_capabilities(struct proc_text *t, struct linux_process *p) {
    struct token *k = proc_token(p);

    proc_print(t,
               "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\nNoNewPrivs:\t%"
               "d\nSeccomp:\t0\n",
               k->cap_inheritable, k->cap_permitted, k->cap_effective, k->cap_bounding, k->cap_ambient,
               k->no_new_privs);
    object_put(&k->obj);
}

static void status_memory(struct proc_text *t, struct linux_process *p) {
    struct aspace *as = linux_process_aspace(p);

    if (as == NULL)
        return;
    mutex_lock(&as->lock);
    uint64_t size = as->mapped_bytes >> 10, resident = atomic_load(&as->resident) * 4,
             peak = atomic_load(&as->resident_peak) * 4;
    uint64_t locked = as->locked_bytes >> 10,
             data = (as->layout.data_end - as->layout.data_start + as->brk - as->brk_start) >> 10;
    uint64_t code = (as->layout.code_end - as->layout.code_start) >> 10,
             tables = atomic_load(&as->arch.table_pages) * 4;
    mutex_unlock(&as->lock);
    aspace_put(as);
    proc_print(
        t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t%8u kB\nVmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n",
        size, size, locked, 0u, peak, resident);
    proc_print(t,
               "VmData:\t%8lu kB\nVmStk:\t%8u kB\nVmExe:\t%8lu kB\nVmLib:\t%8u kB\nVmPTE:\t%8lu kB\nVmSwap:\t%8u kB\n",
               data, 132u, code, 0u, tables, 0u);
}

void proc_show_status(struct proc_text *t, const struct proc_node *n) {
    struct linux_process *p = n->process;
    struct proc_view v;

    if (proc_view_get(p, n->number, &v) != INV_OK)
        return;
    struct fs_context *fs = proc_fs(p, n->number);
    proc_print(t, "Name:\t%s\n", v.name);
    if (fs != NULL) {
        proc_print(t, "Umask:\t%04o\n", atomic_load(&fs->umask));
        fs_context_put(fs);
    }
    proc_print(t, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", state_name(v.state), v.pid,
               v.tid, v.parent);
    status_identity(t, p);
    proc_print(t, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", v.pid, v.tid, v.group, v.session);
    status_memory(t, p);
    proc_print(t,
               "Threads:\t%u\nSigQ:\t%u/"
               "%lu\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
               v.threads, v.queued, v.queue_limit, v.pending, v.shared_pending, v.blocked, v.ignored, v.caught);
    status_capabilities(t, p);
    proc_print(t, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t0-%u\n", cpu_count >= 64 ? ~0ul : (1ul << cpu_count) - 1,
               cpu_count - 1);
    proc_print(t, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", v.usage.switches_voluntary,
               v.usage.switches_forced);
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

static void show_oom_score(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%d\n", MAX(atomic_load(&n->process->oom_score_adj), 0));
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

static void show_io(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
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

// --- the table ---

static const struct proc_entry process_children[] = {
    {.name = "auxv", .mode = 0400, .flags = PROC_INSPECT, .show = proc_show_auxv},
    {.name = "cgroup", .mode = 0444, .show = show_cgroup},
    {.name = "cmdline", .mode = 0444, .show = proc_show_cmdline},
    {.name = "comm", .mode = 0644, .show = show_comm, .store = store_comm},
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
    {.name = "fdinfo", .mode = 0500, .kind = PROC_SPECIAL, .lookup = proc_fdinfo_lookup, .list = proc_fd_list},
    {.name = "io", .mode = 0400, .flags = PROC_INSPECT, .show = show_io},
    {.name = "limits", .mode = 0444, .show = show_limits},
    {.name = "loginuid", .mode = 0444, .show = show_loginuid},
    {.name = "maps", .mode = 0444, .flags = PROC_INSPECT, .show = proc_show_maps},
    {.name = "mountinfo", .mode = 0444, .flags = PROC_AT_OPEN, .show = proc_show_mountinfo},
    {.name = "mounts", .mode = 0444, .flags = PROC_AT_OPEN, .show = proc_show_mounts},
    {.name = "oom_score", .mode = 0444, .show = show_oom_score},
    {.name = "oom_score_adj", .mode = 0644, .show = show_oom_score_adj, .store = store_oom_score_adj},
    {.name = "personality", .mode = 0400, .flags = PROC_INSPECT, .show = show_personality},
    {.name = "root",
     .mode = 0777,
     .kind = PROC_LINK,
     .flags = PROC_INSPECT,
     .follow = root_follow,
     .readlink = followed_text},
    {.name = "schedstat", .mode = 0444, .show = show_schedstat},
    {.name = "stat", .mode = 0444, .show = proc_show_stat},
    {.name = "statm", .mode = 0444, .show = proc_show_statm},
    {.name = "status", .mode = 0444, .show = proc_show_status},
    {.name = "task",
     .mode = 0555,
     .kind = PROC_SPECIAL,
     .flags = PROC_NO_TASK,
     .lookup = proc_task_lookup,
     .list = proc_task_list},
    {.name = "wchan", .mode = 0444, .show = show_wchan},
    {.name = NULL},
};

const struct proc_entry proc_process_entry = {
    .name = "process", .mode = 0555, .kind = PROC_DIRECTORY, .children = process_children};
const struct proc_entry proc_task_entry = {
    .name = "thread", .mode = 0555, .kind = PROC_DIRECTORY, .children = process_children};
