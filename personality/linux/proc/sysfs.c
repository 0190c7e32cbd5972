// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /sys: the part of Linux's sysfs that programs and libraries read to learn about processors, terminals and the kernel. Made from tables as /proc is.
//
// Processors are shown as one package with a core for each: what the machine tells beyond that is not looked at.
#include "../proc.h"

#include <arch/cpu.h>
#include <kernel/boot.h>
#include <kernel/page.h>

#define SYSFS_MAGIC 0x62656572
#define FIRST       2u // position of the first entry of a listing

// --- sets of processors ---

static void show_online(struct proc_text *t, const struct proc_node *n) {
    proc_print_cpus(t, &cpu_online);
    proc_print(t, "\n");
}

static void set_all(cpuset_t *out) {
    *out = (cpuset_t){0};
    for (unsigned i = 0; i < cpu_count; i++)
        cpuset_add(out, i);
}

static void show_possible(struct proc_text *t, const struct proc_node *n) {
    cpuset_t all;

    set_all(&all);
    proc_print_cpus(t, &all);
    proc_print(t, "\n");
}

static void show_offline(struct proc_text *t, const struct proc_node *n) {
    cpuset_t off = {0};

    for (unsigned i = 0; i < cpu_count; i++)
        if (!cpuset_has(&cpu_online, i))
            cpuset_add(&off, i);
    proc_print_cpus(t, &off);
    proc_print(t, "\n");
}

static void show_line_end(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "\n");
}

static void show_kernel_max(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, CONFIG_MAX_CPUS - 1);
}

// --- one processor: node->number is its own ---

static void show_one_mask(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%lx\n", 1ul << n->number % 64);
}

static void show_number(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%d\n", n->number);
}

static void show_all_mask(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%lx\n", cpu_count >= 64 ? ~0ul : (1ul << cpu_count) - 1);
}

static void show_zero(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, 0);
}

static const struct proc_entry topology_children[] = {
    {.name = "core_cpus", .mode = 0444, .show = show_one_mask},
    {.name = "core_cpus_list", .mode = 0444, .show = show_number},
    {.name = "core_id", .mode = 0444, .show = show_number},
    {.name = "core_siblings", .mode = 0444, .show = show_all_mask},
    {.name = "core_siblings_list", .mode = 0444, .show = show_possible},
    {.name = "die_cpus", .mode = 0444, .show = show_all_mask},
    {.name = "die_cpus_list", .mode = 0444, .show = show_possible},
    {.name = "die_id", .mode = 0444, .show = show_zero},
    {.name = "package_cpus", .mode = 0444, .show = show_all_mask},
    {.name = "package_cpus_list", .mode = 0444, .show = show_possible},
    {.name = "physical_package_id", .mode = 0444, .show = show_zero},
    {.name = "thread_siblings", .mode = 0444, .show = show_one_mask},
    {.name = "thread_siblings_list", .mode = 0444, .show = show_number},
    {.name = NULL},
};
static const struct proc_entry processor_children[] = {
    {.name = "topology", .mode = 0755, .kind = PROC_DIRECTORY, .children = topology_children},
    {.name = NULL},
};
static const struct proc_entry processor_entry = {
    .name = "cpu", .mode = 0755, .kind = PROC_DIRECTORY, .children = processor_children};

static inv_status_t cpu_lookup(struct inode *dir, const char *name, size_t length, struct inode **out) {
    const struct proc_entry *e = proc_entry_find(proc_node(dir)->entry->children, name, length);
    int number = 0;

    if (e == NULL) {
        if (length < 4 || memcmp(name, "cpu", 3) != 0 || !proc_number(name + 3, length - 3, &number) ||
            (unsigned)number >= cpu_count)
            return INV_ERR_NOT_FOUND;
        e = &processor_entry;
    }
    *out = proc_inode(dir->superblock, e, NULL, number);
    return *out != NULL ? INV_OK : INV_ERR_NO_MEMORY;
}

static inv_status_t cpu_list(struct file *f, struct dir_context *c) {
    const struct proc_entry *table = proc_node(f->inode)->entry->children;
    unsigned fixed = 0;
    char name[16];

    if (!proc_list_table(c, table, 0))
        return INV_OK;
    while (table[fixed].name != NULL)
        fixed++;
    for (uint64_t i = c->position - FIRST - fixed; i < cpu_count; i++) {
        size_t length = (size_t)snprintf(name, sizeof(name), "cpu%lu", i);
        if (!c->emit(c, name, length, 0x600000 + i, MODE_DIRECTORY >> 12, FIRST + fixed + i + 1))
            return INV_OK;
        c->position = FIRST + fixed + i + 1;
    }
    return INV_OK;
}

static const struct proc_entry cpu_children[] = {
    {.name = "isolated", .mode = 0444, .show = show_line_end},
    {.name = "kernel_max", .mode = 0444, .show = show_kernel_max},
    {.name = "offline", .mode = 0444, .show = show_offline},
    {.name = "online", .mode = 0444, .show = show_online},
    {.name = "possible", .mode = 0444, .show = show_possible},
    {.name = "present", .mode = 0444, .show = show_possible},
    {.name = NULL},
};

// --- memory: one node ---

static void show_node_meminfo(struct proc_text *t, const struct proc_node *n) {
    struct page_stats s;

    page_get_stats(&s);
    proc_print(t, "Node 0 MemTotal:       %8lu kB\nNode 0 MemFree:        %8lu kB\nNode 0 MemUsed:        %8lu kB\n",
               s.total * (PAGE_SIZE / 1024), s.free * (PAGE_SIZE / 1024), (s.total - s.free) * (PAGE_SIZE / 1024));
}

static void show_distance(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, 10);
}

static const struct proc_entry node0_children[] = {
    {.name = "cpulist", .mode = 0444, .show = show_online},
    {.name = "cpumap", .mode = 0444, .show = show_all_mask},
    {.name = "distance", .mode = 0444, .show = show_distance},
    {.name = "meminfo", .mode = 0444, .show = show_node_meminfo},
    {.name = NULL},
};
static const struct proc_entry node_children[] = {
    {.name = "has_cpu", .mode = 0444, .show = show_zero},
    {.name = "has_memory", .mode = 0444, .show = show_zero},
    {.name = "has_normal_memory", .mode = 0444, .show = show_zero},
    {.name = "node0", .mode = 0755, .kind = PROC_DIRECTORY, .children = node0_children},
    {.name = "online", .mode = 0444, .show = show_zero},
    {.name = "possible", .mode = 0444, .show = show_zero},
    {.name = NULL},
};

// --- the kernel, terminals ---

static void show_thp(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "always madvise [never]\n");
}

static void show_one(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, 1);
}

static void show_active_console(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "ttyS0\n");
}

// What a terminal's directory says of it: its place is in the table, its numbers are looked up by name.
static unsigned tty_major(const struct proc_node *n) {
    return n->number >> 8;
}

static void show_dev(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%u:%u\n", tty_major(n), n->number & 0xff);
}

static const struct proc_entry tty_files[] = {
    {.name = "dev", .mode = 0444, .show = show_dev},
    {.name = NULL},
};
static const struct proc_entry console_files[] = {
    {.name = "active", .mode = 0444, .show = show_active_console},
    {.name = "dev", .mode = 0444, .show = show_dev},
    {.name = NULL},
};
static const struct {
    struct proc_entry entry;
    int number; // major << 8 | minor
} terminals[] = {
    {{.name = "console", .mode = 0755, .kind = PROC_DIRECTORY, .children = console_files}, 5 << 8 | 1},
    {{.name = "ptmx", .mode = 0755, .kind = PROC_DIRECTORY, .children = tty_files}, 5 << 8 | 2},
    {{.name = "tty", .mode = 0755, .kind = PROC_DIRECTORY, .children = tty_files}, 5 << 8},
    {{.name = "ttyS0", .mode = 0755, .kind = PROC_DIRECTORY, .children = tty_files}, 4 << 8 | 64},
};

static inv_status_t tty_lookup(struct inode *dir, const char *name, size_t length, struct inode **out) {
    for (unsigned i = 0; i < ARRAY_SIZE(terminals); i++) {
        const struct proc_entry *e = &terminals[i].entry;
        if (strlen(e->name) != length || memcmp(e->name, name, length) != 0)
            continue;
        *out = proc_inode(dir->superblock, e, NULL, terminals[i].number);
        return *out != NULL ? INV_OK : INV_ERR_NO_MEMORY;
    }
    return INV_ERR_NOT_FOUND;
}

static inv_status_t tty_list(struct file *f, struct dir_context *c) {
    for (uint64_t i = c->position - FIRST; i < ARRAY_SIZE(terminals); i++) {
        const char *name = terminals[i].entry.name;
        if (!c->emit(c, name, strlen(name), 0x700000 + i, MODE_DIRECTORY >> 12, FIRST + i + 1))
            return INV_OK;
        c->position = FIRST + i + 1;
    }
    return INV_OK;
}

#define FOLDER(word, table) \
    { .name = word, .mode = 0755, .kind = PROC_DIRECTORY, .children = table }
static const struct proc_entry nothing[] = {{.name = NULL}};
static const struct proc_entry class_children[] = {
    FOLDER("block", nothing),
    FOLDER("mem", nothing),
    FOLDER("net", nothing),
    {.name = "tty", .mode = 0755, .kind = PROC_SPECIAL, .lookup = tty_lookup, .list = tty_list},
    {.name = NULL},
};
static const struct proc_entry thp_children[] = {{.name = "enabled", .mode = 0444, .show = show_thp}, {.name = NULL}};
static const struct proc_entry mm_children[] = {
    FOLDER("hugepages", nothing), FOLDER("transparent_hugepage", thp_children), {.name = NULL}};
static const struct proc_entry kernel_children[] = {
    {.name = "fscaps", .mode = 0444, .show = show_one},
    FOLDER("mm", mm_children),
    {.name = "profiling", .mode = 0444, .show = show_zero},
    {.name = NULL},
};
static const struct proc_entry system_children[] = {
    {.name = "cpu",
     .mode = 0755,
     .kind = PROC_SPECIAL,
     .children = cpu_children,
     .lookup = cpu_lookup,
     .list = cpu_list},
    FOLDER("node", node_children),
    {.name = NULL},
};
static const struct proc_entry devices_children[] = {
    FOLDER("system", system_children), FOLDER("virtual", nothing), {.name = NULL}};
static const struct proc_entry dev_children[] = {FOLDER("block", nothing), FOLDER("char", nothing), {.name = NULL}};
static const struct proc_entry fs_children[] = {
    {.name = "cgroup", .mode = 0555, .kind = PROC_DIRECTORY, .children = nothing}, {.name = NULL}};
static const struct proc_entry root_children[] = {
    FOLDER("block", nothing),
    FOLDER("bus", nothing),
    FOLDER("class", class_children),
    FOLDER("dev", dev_children),
    FOLDER("devices", devices_children),
    FOLDER("firmware", nothing),
    FOLDER("fs", fs_children),
    FOLDER("kernel", kernel_children),
    FOLDER("module", nothing),
    {.name = NULL},
};
static const struct proc_entry root_entry = {
    .name = "/", .mode = 0555, .kind = PROC_DIRECTORY, .children = root_children};

static inv_status_t sysfs_mount(const struct fs_type *type, const char *source, unsigned flags, const char *options,
                                struct superblock *sb) {
    (void)type, (void)source, (void)flags, (void)options;
    return proc_super_make(sb, &root_entry, SYSFS_MAGIC);
}

static struct fs_type sysfs_type = {.name = "sysfs",
                                    .uncached = true,
                                    .mount = sysfs_mount,
                                    .inode_delete = proc_inode_delete,
                                    .check_option = fs_takes_no_option};

static inv_status_t sysfs_init(void) {
    fs_register(&sysfs_type);
    return INV_OK;
}
BOOT_CALL("sysfs", BOOT_STAGE_EXECUTIVE, sysfs_init);
