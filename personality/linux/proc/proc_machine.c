// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Files of /proc about the machine's memory, devices and drivers. Lists of what this kernel does not have (modules, disks) are there and empty, as on a
// Linux without them. Context: thread.
#include "../proc.h"

#include <executive/device.h>
#include <kernel/boot.h>
#include <kernel/counters.h>
#include <kernel/page.h>
#include <kernel/time.h>

#define KIB_PER_PAGE (PAGE_SIZE / 1024)

static void meminfo_line(struct proc_text *t, const char *name, uint64_t kib) {
    proc_print(t, "%s:%*s%8lu kB\n", name, (int)(15 - MIN(strlen(name), (size_t)15)), "", kib);
}

// Files are in memory: what they hold is shared memory that nothing can reclaim, and is on the lists of anonymous memory.
void proc_show_meminfo(struct proc_text *t, const struct proc_node *n) {
    struct page_stats s;

    page_get_stats(&s);
    uint64_t anonymous = s.in_use[PAGE_ANONYMOUS], file = s.in_use[PAGE_FILE];
    const struct {
        const char *name;
        uint64_t pages;
    } lines[] = {
        {"MemTotal", s.total},
        {"MemFree", s.free},
        {"MemAvailable", s.free > s.reserve ? s.free - s.reserve : 0},
        {"Buffers", 0},
        {"Cached", file},
        {"SwapCached", 0},
        {"Active", anonymous + file},
        {"Inactive", 0},
        {"Active(anon)", anonymous + file},
        {"Inactive(anon)", 0},
        {"Active(file)", 0},
        {"Inactive(file)", 0},
        {"Unevictable", 0},
        {"Mlocked", 0},
        {"SwapTotal", 0},
        {"SwapFree", 0},
        {"Dirty", 0},
        {"Writeback", 0},
        {"AnonPages", anonymous},
        {"Mapped", 0},
        {"Shmem", file},
        {"KReclaimable", 0},
        {"Slab", s.in_use[PAGE_SLAB]},
        {"SReclaimable", 0},
        {"SUnreclaim", s.in_use[PAGE_SLAB]},
        {"KernelStack", s.in_use[PAGE_STACK]},
        {"PageTables", s.in_use[PAGE_TABLE]},
        {"SecPageTables", 0},
        {"NFS_Unstable", 0},
        {"Bounce", 0},
        {"WritebackTmp", 0},
        {"CommitLimit", s.total},
        {"Committed_AS", anonymous + file},
        {"VmallocTotal", 34359738367 / KIB_PER_PAGE},
        {"VmallocUsed", s.in_use[PAGE_KERNEL]},
        {"VmallocChunk", 0},
        {"Percpu", s.in_use[PAGE_PROCESSOR]},
        {"AnonHugePages", 0},
        {"ShmemHugePages", 0},
        {"ShmemPmdMapped", 0},
        {"FileHugePages", 0},
        {"FilePmdMapped", 0},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
        meminfo_line(t, lines[i].name, lines[i].pages * KIB_PER_PAGE);
    proc_print(t, "HugePages_Total:   %5u\nHugePages_Free:    %5u\nHugePages_Rsvd:    %5u\nHugePages_Surp:    %5u\n",
               0u, 0u, 0u, 0u);
    meminfo_line(t, "Hugepagesize", 2048);
    meminfo_line(t, "Hugetlb", 0);
    meminfo_line(t, "DirectMap4k", 0);
    meminfo_line(t, "DirectMap2M", s.total * KIB_PER_PAGE);
}

// The counters that programs look for and that this kernel keeps.
void proc_show_vmstat(struct proc_text *t, const struct proc_node *n) {
    struct page_stats s;

    page_get_stats(&s);
    uint64_t file = s.in_use[PAGE_FILE], anonymous = s.in_use[PAGE_ANONYMOUS];
    const struct {
        const char *name;
        uint64_t value;
    } lines[] = {
        {"nr_free_pages", s.free},
        {"nr_zone_inactive_anon", 0},
        {"nr_zone_active_anon", anonymous + file},
        {"nr_inactive_anon", 0},
        {"nr_active_anon", anonymous + file},
        {"nr_inactive_file", 0},
        {"nr_active_file", 0},
        {"nr_unevictable", 0},
        {"nr_slab_reclaimable", 0},
        {"nr_slab_unreclaimable", s.in_use[PAGE_SLAB]},
        {"nr_anon_pages", anonymous},
        {"nr_file_pages", file},
        {"nr_dirty", 0},
        {"nr_writeback", 0},
        {"nr_shmem", file},
        {"nr_kernel_stack", s.in_use[PAGE_STACK] * KIB_PER_PAGE},
        {"nr_page_table_pages", s.in_use[PAGE_TABLE]},
        {"pgpgin", 0},
        {"pgpgout", 0},
        {"pswpin", 0},
        {"pswpout", 0},
        {"pgfault", counter_sum(offsetof(struct counters, faults))},
        {"pgmajfault", 0},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
        proc_print(t, "%s %lu\n", lines[i].name, lines[i].value);
}

void proc_show_nothing(struct proc_text *t, const struct proc_node *n) {
    (void)t, (void)n;
}

void proc_show_consoles(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "ttyS0                -W- (EC p  )    4:64\n");
}

void proc_show_execdomains(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "0-0\tLinux           \t[kernel]\n");
}

void proc_show_tty_drivers(struct proc_text *t, const struct proc_node *n) {
    static const struct {
        const char *name, *node;
        unsigned major;
        const char *minors, *type;
    } drivers[] = {
        {"/dev/tty", "/dev/tty", 5, "      0", "system:/dev/tty"},
        {"/dev/console", "/dev/console", 5, "      1", "system:console"},
        {"/dev/ptmx", "/dev/ptmx", 5, "      2", "system"},
        {"serial", "/dev/ttyS", 4, "64-95", "serial"},
        {"pty_slave", "/dev/pts", 136, "0-1048575", "pty:slave"},
        {"pty_master", "/dev/ptm", 128, "0-1048575", "pty:master"},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(drivers); i++)
        proc_print(t, "%-20s %-13s %3u %s %s\n", drivers[i].name, drivers[i].node, drivers[i].major, drivers[i].minors,
                   drivers[i].type);
}

void proc_show_tty_ldiscs(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "n_tty       0\n");
}

// All work outside threads is done in interrupts themselves or by kernel threads: the kinds are listed, and never happen.
void proc_show_softirqs(struct proc_text *t, const struct proc_node *n) {
    static const char *const kinds[] = {"HI",       "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
                                        "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU"};

    proc_print(t, "                    ");
    for (unsigned i = 0; i < cpu_count; i++)
        proc_print(t, "CPU%-8u", i);
    proc_print(t, "\n");
    for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
        proc_print(t, "%12s:", kinds[k]);
        for (unsigned i = 0; i < cpu_count; i++)
            proc_print(t, " %10u", 0u);
        proc_print(t, "\n");
    }
}

// /proc/kmsg is the device's twin: a program that opens it reads the log as records.
static inv_status_t kmsg_open(struct inode *inode, struct file *f) {
    struct token *who = linux_token();

    (void)inode;
    if (!token_capable(who, CAP_SYSLOG) && !token_capable(who, CAP_SYS_ADMIN))
        return INV_ERR_NOT_PERMITTED;
    return character_device_open(DEVNO(1, 11), f);
}
const struct file_ops proc_kmsg_ops = {.open = kmsg_open};

// --- namespaces: there is one of each kind ---

static inv_status_t namespace_link(const struct proc_node *n, char *buffer, size_t size, size_t *out_length) {
    static const struct {
        const char *name, *type;
        unsigned number; // as the first ones of Linux are numbered
    } all[] = {
        {"cgroup", "cgroup", 4026531835u}, {"ipc", "ipc", 4026531839u},
        {"mnt", "mnt", 4026531841u},       {"net", "net", 4026531840u},
        {"pid", "pid", 4026531836u},       {"pid_for_children", "pid", 4026531836u},
        {"time", "time", 4026531834u},     {"time_for_children", "time", 4026531834u},
        {"user", "user", 4026531837u},     {"uts", "uts", 4026531838u},
    };
    char text[40];

    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        if (strcmp(all[i].name, n->entry->name) != 0)
            continue;
        *out_length = MIN((size_t)snprintf(text, sizeof(text), "%s:[%u]", all[i].type, all[i].number), size);
        memcpy(buffer, text, *out_length);
        return INV_OK;
    }
    return INV_ERR_NOT_FOUND;
}

#define NAMESPACE(word) \
    { .name = word, .mode = 0777, .kind = PROC_LINK, .flags = PROC_INSPECT, .readlink = namespace_link }
const struct proc_entry proc_ns_children[] = {
    NAMESPACE("cgroup"), NAMESPACE("ipc"),
    NAMESPACE("mnt"),    NAMESPACE("net"),
    NAMESPACE("pid"),    NAMESPACE("pid_for_children"),
    NAMESPACE("time"),   NAMESPACE("time_for_children"),
    NAMESPACE("user"),   NAMESPACE("uts"),
    {.name = NULL},
};
