// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The files of /proc that tell of the machine: processors, load, versions, mounts. See proc_machine.c for memory and devices.
#include "../proc.h"

#include <executive/mount.h>

#include "../system.h"

#include <kernel/boot.h>
#include <kernel/debug.h>
#include <kernel/page.h>
#include <kernel/slab.h>
#include <kernel/time.h>

#define SECOND (1000000000ul)
#define TICK   (10000000ul)

static void show_uptime(struct proc_text *t, const struct proc_node *n) {
    nstime_t now = clock_monotonic(), idle = 0;

    for (unsigned i = 0; i < cpu_count; i++)
        idle += atomic_load_explicit(&cpus[i].idle_ns, memory_order_relaxed);
    proc_print(t, "%lu.%02lu %lu.%02lu\n", now / SECOND, now % SECOND / TICK, idle / SECOND, idle % SECOND / TICK);
}

static void show_loadavg(struct proc_text *t, const struct proc_node *n) {
    uint64_t load[3];
    unsigned running, total;

    sched_load(load, &running, &total);
    for (unsigned i = 0; i < 3; i++)
        proc_print(t, "%lu.%02lu ", load[i] >> 16, (load[i] & 0xffff) * 100 >> 16);
    proc_print(t, "%u/%u %d\n", running, total, linux_pid_last());
}

static void stat_cpu(struct proc_text *t, const char *name, nstime_t busy, nstime_t idle) {
    proc_print(t, "%s %lu 0 0 %lu 0 0 0 0 0 0\n", name, busy / TICK, idle / TICK);
}

static void show_stat(struct proc_text *t, const struct proc_node *n) {
    nstime_t now = clock_monotonic(), idle = 0;
    uint64_t interrupts = 0, load[3];
    unsigned running, total;
    char name[16];

    for (unsigned i = 0; i < cpu_count; i++) {
        idle += atomic_load_explicit(&cpus[i].idle_ns, memory_order_relaxed);
        interrupts += atomic_load_explicit(&cpus[i].counters.interrupts, memory_order_relaxed);
    }
    stat_cpu(t, "cpu ", now * cpu_count > idle ? now * cpu_count - idle : 0, idle);
    for (unsigned i = 0; i < cpu_count; i++) {
        nstime_t own = atomic_load_explicit(&cpus[i].idle_ns, memory_order_relaxed);
        snprintf(name, sizeof(name), "cpu%u", i);
        stat_cpu(t, name, now > own ? now - own : 0, own);
    }
    sched_load(load, &running, &total);
    proc_print(t, "intr %lu\nctxt %lu\nbtime %lu\nprocesses %lu\nprocs_running %u\nprocs_blocked 0\nsoftirq 0\n",
               interrupts, counter_sum(offsetof(struct counters, context_switches)), (clock_wall() - now) / SECOND,
               counter_sum(offsetof(struct counters, forks)) + 1, MAX(running, 1u));
}

static void show_cpuinfo(struct proc_text *t, const struct proc_node *n) {
    char model[64], vendor[16];
    unsigned family, number, stepping;

    linux_arch_cpu_names(vendor, model, &family, &number, &stepping);
    for (unsigned i = 0; i < cpu_count; i++) {
        if (!cpuset_has(&cpu_online, i))
            continue;
        proc_print(
            t, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n",
            i, vendor, family, number, model, stepping);
        proc_print(t,
                   "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\napicid\t\t: %u\ninitial "
                   "apicid\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\nwp\t\t: yes\nflags\t\t:",
                   cpu_count, i, cpu_count, i, i);
        linux_arch_cpu_flags(t, proc_print_word);
        proc_print(t, "\nclflush size\t: %u\ncache_alignment\t: %u\n\n", ARCH_CACHE_LINE, ARCH_CACHE_LINE);
    }
}

void proc_print_word(void *t, const char *word) {
    proc_print(t, " %s", word);
}

static void show_version(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "Linux version %s (%s)\n", LINUX_RELEASE, LINUX_VERSION);
}

static void show_cmdline(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%s\n", boot_info.cmdline);
}

static bool filesystem_show(const struct fs_type *type, void *arg) {
    proc_print(arg, "%s\t%s\n", type->needs_device ? "" : "nodev", type->name);
    return true;
}

static void show_filesystems(struct proc_text *t, const struct proc_node *n) {
    fs_for_each(filesystem_show, t);
}

static void show_devices(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "Character devices:\n  1 mem\n  4 tty\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n\nBlock devices:\n");
}

static void show_interrupts(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "    ");
    for (unsigned i = 0; i < cpu_count; i++)
        proc_print(t, "       CPU%u", i);
    proc_print(t, "\nALL:");
    for (unsigned i = 0; i < cpu_count; i++)
        proc_print(t, " %10lu", atomic_load_explicit(&cpus[i].counters.interrupts, memory_order_relaxed));
    proc_print(t, "   all interrupts\n");
}

static void show_swaps(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
}

static void slab_show(struct slab_cache *c, void *arg) {
    uint64_t used = atomic_load_explicit(&c->allocated, memory_order_relaxed),
             slabs = atomic_load_explicit(&c->slabs, memory_order_relaxed);
    proc_print(arg, "%-17s %6lu %6lu %6u %4u %4u : tunables 0 0 0 : slabdata %6lu %6lu 0\n", c->name, used,
               slabs * c->per_slab, c->object_size, c->per_slab, 1u << c->order, slabs, slabs);
}

static void show_slabinfo(struct proc_text *t, const struct proc_node *n) {
    proc_print(
        t,
        "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>\n");
    slab_for_each(slab_show, t);
}

// --- mounts ---

// A text in which blanks and backslashes are written as octal numbers.
static void print_mangled(struct proc_text *t, const char *text) {
    for (; *text != 0; text++) {
        if (*text == ' ' || *text == '\t' || *text == '\n' || *text == '\\' || *text == '#')
            proc_print(t, "\\%03o", (unsigned char)*text);
        else
            proc_append(t, text, 1);
    }
    proc_append(t, " ", 1);
}

static bool mount_show(const struct mount_description *d, void *arg) {
    print_mangled(arg, d->source);
    print_mangled(arg, d->target);
    proc_print(arg, "%s %s%s%s%s 0 0\n", d->type, d->read_only || d->own_read_only ? "ro" : "rw", d->super_options,
               d->own_options, d->fs_options);
    return true;
}

static void mounts_of(struct proc_text *t, struct linux_process *p, mount_show_fn fn) {
    struct vfs_caller caller;
    struct fs_context *fs = p != NULL ? proc_fs(p, 0) : NULL;

    linux_caller(&caller);
    if (fs != NULL)
        caller.fs = fs; // as seen from that process's root
    vfs_for_each_mount(&caller, fn, t);
    if (fs != NULL)
        fs_context_put(fs);
}

void proc_show_mounts(struct proc_text *t, const struct proc_node *n) {
    mounts_of(t, n->process, mount_show);
}

static bool mountinfo_show(const struct mount_description *d, void *arg) {
    proc_print(arg, "%u %u %u:%u ", d->id, d->parent_id, (unsigned)(d->device >> 32), (unsigned)d->device);
    print_mangled(arg, d->root);
    print_mangled(arg, d->target);
    proc_print(arg, "%s%s", d->own_read_only ? "ro" : "rw", d->own_options);
    if (d->shared != 0)
        proc_print(arg, " shared:%u", d->shared);
    if (d->master != 0)
        proc_print(arg, " master:%u", d->master);
    if (d->master != 0 && d->propagate_from != 0 && d->propagate_from != d->master)
        proc_print(arg, " propagate_from:%u", d->propagate_from);
    proc_print(arg, "%s - %s ", d->unbindable ? " unbindable" : "", d->type);
    print_mangled(arg, d->source);
    proc_print(arg, "%s%s%s\n", d->read_only ? "ro" : "rw", d->super_options, d->fs_options);
    return true;
}

static bool mountstats_show(const struct mount_description *d, void *arg) {
    proc_print(arg, "device ");
    print_mangled(arg, d->source);
    proc_print(arg, "mounted on ");
    print_mangled(arg, d->target);
    proc_print(arg, "with fstype %s\n", d->type);
    return true;
}

void proc_show_mountstats(struct proc_text *t, const struct proc_node *n) {
    mounts_of(t, n->process, mountstats_show);
}

void proc_show_mountinfo(struct proc_text *t, const struct proc_node *n) {
    mounts_of(t, n->process, mountinfo_show);
}

// --- links ---

static inv_status_t text_copy(const char *text, char *buffer, size_t size, size_t *out_length) {
    *out_length = MIN(strlen(text), size);
    memcpy(buffer, text, *out_length);
    return INV_OK;
}

static inv_status_t self_link(const struct proc_node *n, char *buffer, size_t size, size_t *out_length) {
    char text[16];

    snprintf(text, sizeof(text), "%d", linux_current_process()->number);
    return text_copy(text, buffer, size, out_length);
}

static inv_status_t thread_self_link(const struct proc_node *n, char *buffer, size_t size, size_t *out_length) {
    char text[40];

    snprintf(text, sizeof(text), "%d/task/%d", linux_current_process()->number, linux_current()->pid->number);
    return text_copy(text, buffer, size, out_length);
}

static inv_status_t mounts_link(const struct proc_node *n, char *buffer, size_t size, size_t *out_length) {
    return text_copy("self/mounts", buffer, size, out_length);
}

static inv_status_t net_link(const struct proc_node *n, char *buffer, size_t size, size_t *out_length) {
    return text_copy("self/net", buffer, size, out_length);
}

static const struct proc_entry tty_children[] = {
    {.name = "drivers", .mode = 0444, .show = proc_show_tty_drivers},
    {.name = "ldiscs", .mode = 0444, .show = proc_show_tty_ldiscs},
    {.name = NULL},
};

const struct proc_entry proc_root_children[] = {
    {.name = "cmdline", .mode = 0444, .show = show_cmdline},
    {.name = "consoles", .mode = 0444, .show = proc_show_consoles},
    {.name = "cpuinfo", .mode = 0444, .show = show_cpuinfo},
    {.name = "devices", .mode = 0444, .show = show_devices},
    {.name = "diskstats", .mode = 0444, .show = proc_show_nothing},
    {.name = "execdomains", .mode = 0444, .show = proc_show_execdomains},
    {.name = "filesystems", .mode = 0444, .show = show_filesystems},
    {.name = "interrupts", .mode = 0444, .show = show_interrupts},
    {.name = "invar", .mode = 0555, .kind = PROC_DIRECTORY, .children = proc_invar_children},
    {.name = "kmsg", .mode = 0400, .file_ops = &proc_kmsg_ops},
    {.name = "loadavg", .mode = 0444, .show = show_loadavg},
    {.name = "locks", .mode = 0444, .show = proc_show_locks},
    {.name = "meminfo", .mode = 0444, .show = proc_show_meminfo},
    {.name = "misc", .mode = 0444, .show = proc_show_nothing},
    {.name = "modules", .mode = 0444, .show = proc_show_nothing},
    {.name = "mounts", .mode = 0777, .kind = PROC_LINK, .readlink = mounts_link},
    {.name = "net", .mode = 0777, .kind = PROC_LINK, .readlink = net_link},
    {.name = "partitions", .mode = 0444, .show = proc_show_nothing},
    {.name = "self", .mode = 0777, .kind = PROC_LINK, .readlink = self_link},
    {.name = "slabinfo", .mode = 0400, .show = show_slabinfo},
    {.name = "softirqs", .mode = 0444, .show = proc_show_softirqs},
    {.name = "stat", .mode = 0444, .show = show_stat},
    {.name = "swaps", .mode = 0444, .show = show_swaps},
    {.name = "sys", .mode = 0555, .kind = PROC_DIRECTORY, .children = proc_sys_children},
    {.name = "sysvipc", .mode = 0555, .kind = PROC_DIRECTORY, .children = proc_sysvipc_children},
    {.name = "thread-self", .mode = 0777, .kind = PROC_LINK, .readlink = thread_self_link},
    {.name = "tty", .mode = 0555, .kind = PROC_DIRECTORY, .children = tty_children},
    {.name = "uptime", .mode = 0444, .show = show_uptime},
    {.name = "version", .mode = 0444, .show = show_version},
    {.name = "vmstat", .mode = 0444, .show = proc_show_vmstat},
    {.name = NULL},
};
