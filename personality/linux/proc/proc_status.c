// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/PID/status and sched: the lines that Linux 6.1 prints and that mean something here, in its order. Context: thread.
#include "../proc.h"

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
    proc_print(t, "FDSize:\t%u\nGroups:\t", files != NULL ? fd_table_size(files) : 0);
    if (files != NULL)
        fd_table_put(files);
    for (uint32_t i = 0; i < token_group_count(k); i++)
        proc_print(t, i > 0 ? " %u" : "%u", k->groups->ids[i]);
    proc_print(t, " \n");
    object_put(&k->obj);
}

static void status_capabilities(struct proc_text *t, struct linux_process *p) {
    struct token *k = proc_token(p);

    proc_print(t,
               "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\nNoNewPrivs:\t%"
               "d\nSeccomp:\t0\nSeccomp_filters:\t0\n",
               k->cap_inheritable, k->cap_permitted, k->cap_effective, k->cap_bounding, k->cap_ambient,
               k->no_new_privs);
    object_put(&k->obj);
}

static void status_memory(struct proc_text *t, struct linux_process *p) {
    struct aspace *as = linux_process_aspace(p);
    struct proc_areas areas;
    struct proc_pages pages;

    if (as == NULL)
        return;
    proc_areas_sum(as, &areas);
    proc_pages_count(as, &pages);
    mutex_lock(&as->lock);
    uint64_t size = as->mapped_bytes >> 10, resident = (pages.anonymous + pages.file) >> 10,
             peak = MAX(atomic_load(&as->resident_peak) * (PAGE_SIZE / 1024), resident),
             locked = as->locked_bytes >> 10;
    uint64_t code = ALIGN_UP(as->layout.code_end, PAGE_SIZE) - ALIGN_DOWN(as->layout.code_start, PAGE_SIZE),
             tables = atomic_load(&as->arch.table_pages) * (PAGE_SIZE / 1024);
    uint64_t size_peak = atomic_load(&as->mapped_peak) >> 10;
    mutex_unlock(&as->lock);
    aspace_put(as);
    code = MIN(code, areas.code * PAGE_SIZE);
    proc_print(
        t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t%8u kB\nVmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n",
        size_peak, size, locked, 0u, peak, resident);
    proc_print(t, "RssAnon:\t%8lu kB\nRssFile:\t%8u kB\nRssShmem:\t%8lu kB\n", pages.anonymous >> 10, 0u,
               pages.file >> 10);
    proc_print(t, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\n",
               areas.data * (PAGE_SIZE / 1024), areas.stack * (PAGE_SIZE / 1024), code >> 10,
               (areas.code * PAGE_SIZE - code) >> 10);
    proc_print(t, "VmPTE:\t%8lu kB\nVmSwap:\t%8u kB\nHugetlbPages:\t%8u kB\nCoreDumping:\t0\nTHP_enabled:\t0\n", tables,
               0u, 0u);
}

static void status_processors(struct proc_text *t, const cpuset_t *set) {
    uint64_t mask = 0;

    for (unsigned i = 0; i < cpu_count && i < 64; i++)
        mask |= cpuset_has(set, i) ? 1ull << i : 0;
    proc_print(t, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", mask);
    proc_print_cpus(t, set);
    proc_print(t, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
}

// A name with what would break the line written as in C.
static void name_escaped(struct proc_text *t, const char *name) {
    for (; *name != '\0'; name++) {
        if (*name == '\n' || *name == '\\')
            proc_print(t, *name == '\n' ? "\\n" : "\\\\");
        else
            proc_append(t, name, 1);
    }
}

void proc_show_status(struct proc_text *t, const struct proc_node *n) {
    struct linux_process *p = n->process;
    struct proc_view v;

    if (proc_view_get(p, n->number, &v) != INV_OK)
        return;
    struct fs_context *fs = proc_fs(p, n->number);
    proc_print(t, "Name:\t");
    name_escaped(t, v.name);
    proc_print(t, "\n");
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
               "Threads:\t%u\nSigQ:\t%lu/"
               "%lu\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
               v.threads, v.queued, v.queue_limit, v.pending, v.shared_pending, v.blocked, v.ignored, v.caught);
    status_capabilities(t, p);
    status_processors(t, v.zombie ? &cpu_online : &v.affinity);
    proc_print(t, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", v.usage.switches_voluntary,
               v.usage.switches_forced);
}

void proc_show_sched(struct proc_text *t, const struct proc_node *n) {
    struct proc_view v;

    if (proc_view_get(n->process, n->number, &v) != INV_OK)
        return;
    nstime_t runtime = v.usage.times.user + v.usage.times.system;
    proc_print(t, "%s (%d, #threads: %u)\n-------------------------------------------------------------------\n",
               v.name, v.tid, v.threads);
    proc_print(t, "%-45s:%14lu.%06lu\n", "se.sum_exec_runtime", runtime / 1000000, runtime % 1000000);
    proc_print(t, "%-45s:%21lu\n%-45s:%21lu\n%-45s:%21lu\n", "nr_switches",
               v.usage.switches_voluntary + v.usage.switches_forced, "nr_voluntary_switches",
               v.usage.switches_voluntary, "nr_involuntary_switches", v.usage.switches_forced);
    proc_print(t, "%-45s:%21d\n%-45s:%21d\n", "policy", v.policy, "prio",
               v.policy == 1 || v.policy == 2 ? 99 - v.rt_priority : 120 + v.nice);
}
