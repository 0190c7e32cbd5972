// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/sys: what programs read, and the few values that may be set.
#include "../proc.h"

#include "../core_file.h"
#include "../ipc_files.h"
#include "../system.h"

#include <executive/event.h>
#include <executive/random.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/slab.h>

// --- kernel ---

static void show_hostname(struct proc_text *t, const struct proc_node *n) {
    char name[LINUX_NAME_LENGTH];

    linux_host_name(name);
    proc_print(t, "%s\n", name);
}

static int64_t store_hostname(const struct proc_node *n, char *text) {
    char *end = strchr(text, '\n');

    if (!token_capable(linux_token(), CAP_SYS_ADMIN))
        return -LINUX_EPERM;
    if (end != NULL)
        *end = '\0';
    linux_host_name_set(text);
    return 0;
}

static void show_domainname(struct proc_text *t, const struct proc_node *n) {
    char name[LINUX_NAME_LENGTH];

    linux_domain_name(name);
    proc_print(t, "%s\n", name);
}

static int64_t store_domainname(const struct proc_node *n, char *text) {
    char *end = strchr(text, '\n');

    if (!token_capable(linux_token(), CAP_SYS_ADMIN))
        return -LINUX_EPERM;
    if (end != NULL)
        *end = '\0';
    linux_domain_name_set(text);
    return 0;
}

static void show_arch(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "x86_64\n");
}

static void show_last_pid(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, (uint64_t)linux_pid_last());
}

// Levels: now, of messages without one, the least and the first of the console.
static void show_printk(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%d\t4\t1\t7\n", (int)log_console_level() + 1);
}

static int64_t store_printk(const struct proc_node *n, char *text) {
    const char *end;
    uint64_t level;

    if (string_to_u64(text, &end, 10, &level) != INV_OK || level < 1 || level > 8)
        return -LINUX_EINVAL;
    log_set_console_level((enum log_level)(level - 1));
    return 0;
}

// Who has no number in a file system, or in a message, appears as this one.
static void show_overflow_id(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, 65534);
}

// kernel.sem: four numbers, of which a write sets as many as it has.
static void show_sem(struct proc_text *t, const struct proc_node *n) {
    for (unsigned i = 0; i < ARRAY_SIZE(sem_limits); i++)
        proc_print(t, "%lu%c", atomic_load(&sem_limits[i].value), i + 1 < ARRAY_SIZE(sem_limits) ? '\t' : '\n');
}

static int64_t store_sem(const struct proc_node *n, char *text) {
    const char *at = text;

    for (unsigned i = 0; i < ARRAY_SIZE(sem_limits); i++) {
        uint64_t value;
        while (*at == ' ' || *at == '\t')
            at++;
        if (*at == '\0' || *at == '\n')
            return i > 0 ? 0 : -LINUX_EINVAL;
        if (string_to_u64(at, &at, 10, &value) != INV_OK || value < sem_limits[i].minimum ||
            value > sem_limits[i].maximum)
            return -LINUX_EINVAL;
        atomic_store(&sem_limits[i].value, value);
    }
    return 0;
}

static void show_ostype(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "Linux\n");
}

static void show_osrelease(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%s\n", LINUX_RELEASE);
}

static void show_version(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%s\n", LINUX_VERSION);
}

static void show_ngroups_max(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, TOKEN_MAX_GROUPS);
}

static void show_cap_last_cap(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, CAP_LAST);
}

static void show_zero(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, 0);
}

static void show_one(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, 1);
}

static void show_fifty(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, 50);
}

static void show_two(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, 2);
}

static void show_core_pattern(struct proc_text *t, const struct proc_node *n) {
    char pattern[CORE_PATTERN_SIZE];

    linux_core_pattern(pattern);
    proc_print(t, "%s\n", pattern);
}

static int64_t store_core_pattern(const struct proc_node *n, char *text) {
    return linux_core_pattern_set(text);
}

// --- kernel/random ---

static void uuid_print(struct proc_text *t, const uint8_t b[16]) {
    proc_print(t, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n", b[0], b[1], b[2], b[3],
               b[4], b[5], (b[6] & 0x0f) | 0x40, b[7], (b[8] & 0x3f) | 0x80, b[9], b[10], b[11], b[12], b[13], b[14],
               b[15]);
}

static void show_uuid(struct proc_text *t, const struct proc_node *n) {
    uint8_t b[16];

    random_bytes(b, sizeof(b));
    uuid_print(t, b);
}

static void show_boot_id(struct proc_text *t, const struct proc_node *n) {
    static uint8_t b[16];
    static _Atomic uint32_t state; // 0: not made, 1: being made, 2: made
    uint32_t expected = 0;

    if (atomic_compare_exchange_strong(&state, &expected, 1)) {
        random_bytes(b, sizeof(b));
        atomic_store(&state, 2);
    }
    while (atomic_load(&state) != 2)
        arch_pause();
    uuid_print(t, b);
}

static void show_entropy(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, random_seeded() ? 256 : 0);
}

static void show_poolsize(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, 256);
}

// --- fs, vm ---

static void show_limit_files(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, 1u << 20);
}

// Objects out of a slab cache.
struct slab_count {
    const char *name;
    uint64_t used;
};

static void slab_look(struct slab_cache *c, void *arg) {
    struct slab_count *count = arg;

    if (strcmp(c->name, count->name) == 0)
        count->used += atomic_load_explicit(&c->allocated, memory_order_relaxed);
}

static uint64_t slab_used(const char *name) {
    struct slab_count count = {.name = name};

    slab_for_each(slab_look, &count);
    return count.used;
}

static void show_file_nr(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%lu\t0\t%u\n", slab_used("file"), 1u << 20);
}

static void show_inode_nr(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%lu\t0\n", slab_used("inode"));
}

static void show_inode_state(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%lu\t0\t0\t0\t0\t0\t0\n", slab_used("inode"));
}

static void show_dentry_state(struct proc_text *t, const struct proc_node *n) {
    proc_print(t, "%lu\t0\t45\t0\t0\t0\n", slab_used("dentry"));
}

// Numbers that are kept below the personality: what binds them is the same for all.
static const struct {
    const char *name;
    _Atomic uint64_t *value;
} kept_numbers[] = {
    {"max_user_watches", &epoll_user_watches_max},
    {"pipe-user-pages-hard", &vfs_pipe_limits.user_pages_hard},
    {"pipe-user-pages-soft", &vfs_pipe_limits.user_pages_soft},
};

static _Atomic uint64_t *kept_number(const struct proc_node *n) {
    unsigned i = 0;

    while (strcmp(kept_numbers[i].name, n->entry->name) != 0)
        i++;
    return kept_numbers[i].value;
}

static void show_kept(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, atomic_load(kept_number(n)));
}

static int64_t store_kept(const struct proc_node *n, char *text) {
    uint64_t value;

    if (!proc_parse_number(text, &value) || value > INT64_MAX)
        return -LINUX_EINVAL;
    atomic_store(kept_number(n), value);
    return 0;
}

static void show_pipe_max_size(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, atomic_load(&vfs_pipe_limits.max_size));
}

// As a size of a pipe: rounded up to a power of two of pages.
static int64_t store_pipe_max_size(const struct proc_node *n, char *text) {
    uint64_t value;

    if (!proc_parse_number(text, &value) || value > UINT32_MAX || (value = pipe_size_rounded(value)) == 0)
        return -LINUX_EINVAL;
    atomic_store(&vfs_pipe_limits.max_size, value);
    return 0;
}

static void show_lease_break_time(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, atomic_load(&file_lease_break_seconds));
}

static int64_t store_lease_break_time(const struct proc_node *n, char *text) {
    const char *end;
    uint64_t seconds;

    if (string_to_u64(text, &end, 10, &seconds) != INV_OK || (*end != '\0' && *end != '\n') || seconds > INT32_MAX)
        return -LINUX_EINVAL;
    atomic_store(&file_lease_break_seconds, (uint32_t)seconds);
    return 0;
}

static void show_mmap_min_addr(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, 65536);
}

static void show_max_map_count(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, ASPACE_MAX_MAPPINGS);
}

static void show_min_free(struct proc_text *t, const struct proc_node *n) {
    struct page_stats s;

    page_get_stats(&s);
    proc_show_number(t, s.reserve * (PAGE_SIZE / 1024));
}

// The four that guard shared folders: fs/protected_*.
static _Atomic int *protection_of(const struct proc_node *n, int *out_most) {
    const char *what = n->entry->name + sizeof("protected_") - 1;

    *out_most = *what == 'f' || *what == 'r' ? 2 : 1;
    return *what == 'f'   ? &vfs_protection.fifos
           : *what == 'r' ? &vfs_protection.regular
           : *what == 's' ? &vfs_protection.symlinks
                          : &vfs_protection.hardlinks;
}

static void show_protected(struct proc_text *t, const struct proc_node *n) {
    int most;

    proc_show_number(t, (uint64_t)atomic_load(protection_of(n, &most)));
}

static int64_t store_protected(const struct proc_node *n, char *text) {
    const char *end;
    uint64_t value;
    int most;
    _Atomic int *to = protection_of(n, &most);

    while (*text == ' ' || *text == '\t' || *text == '\n')
        text++;
    if (string_to_u64(text, &end, 0, &value) != INV_OK || (*end != 0 && *end != '\n' && *end != ' ') ||
        value > (uint64_t)most)
        return -LINUX_EINVAL;
    atomic_store(to, (int)value);
    return 0;
}

static const struct proc_entry random_children[] = {
    {.name = "boot_id", .mode = 0444, .show = show_boot_id},
    {.name = "entropy_avail", .mode = 0444, .show = show_entropy},
    {.name = "poolsize", .mode = 0444, .show = show_poolsize},
    {.name = "uuid", .mode = 0444, .show = show_uuid},
    {.name = NULL},
};
static const struct proc_entry kernel_children[] = {
    {.name = "arch", .mode = 0444, .show = show_arch},
    {.name = "cap_last_cap", .mode = 0444, .show = show_cap_last_cap},
    {.name = "core_pattern", .mode = 0644, .show = show_core_pattern, .store = store_core_pattern},
    {.name = "core_pipe_limit", .mode = 0444, .show = show_zero},
    {.name = "core_uses_pid", .mode = 0644, .number = &linux_core_uses_pid},
    {.name = "dmesg_restrict", .mode = 0644, .number = &linux_log_restricted},
    {.name = "domainname", .mode = 0644, .show = show_domainname, .store = store_domainname},
    {.name = "hostname", .mode = 0644, .show = show_hostname, .store = store_hostname},
    {.name = "modules_disabled", .mode = 0444, .show = show_one},
    {.name = "msgmax", .mode = 0644, .number = &msg_max},
    {.name = "msgmnb", .mode = 0644, .number = &msg_bytes_max},
    {.name = "msgmni", .mode = 0644, .number = &msg_queues_max},
    {.name = "ngroups_max", .mode = 0444, .show = show_ngroups_max},
    {.name = "ns_last_pid", .mode = 0444, .show = show_last_pid},
    {.name = "osrelease", .mode = 0444, .show = show_osrelease},
    {.name = "ostype", .mode = 0444, .show = show_ostype},
    {.name = "overflowgid", .mode = 0444, .show = show_overflow_id},
    {.name = "overflowuid", .mode = 0444, .show = show_overflow_id},
    {.name = "pid_max", .mode = 0644, .number = &linux_pid_limit},
    {.name = "printk", .mode = 0644, .show = show_printk, .store = store_printk},
    {.name = "random", .mode = 0555, .kind = PROC_DIRECTORY, .children = random_children},
    {.name = "randomize_va_space", .mode = 0444, .show = show_two},
    {.name = "sem", .mode = 0644, .show = show_sem, .store = store_sem},
    {.name = "shmall", .mode = 0644, .number = &shm_all},
    {.name = "shmmax", .mode = 0644, .number = &shm_max},
    {.name = "shmmni", .mode = 0644, .number = &shm_count_max},
    {.name = "shm_rmid_forced", .mode = 0444, .show = show_zero},
    {.name = "tainted", .mode = 0444, .show = show_zero},
    {.name = "threads-max", .mode = 0644, .number = &linux_thread_limit},
    {.name = "version", .mode = 0444, .show = show_version},
    {.name = NULL},
};
static const struct proc_entry mqueue_children[] = {
    {.name = "msg_default", .mode = 0644, .number = &mq_message_default},
    {.name = "msg_max", .mode = 0644, .number = &mq_message_max},
    {.name = "msgsize_default", .mode = 0644, .number = &mq_size_default},
    {.name = "msgsize_max", .mode = 0644, .number = &mq_size_max},
    {.name = "queues_max", .mode = 0644, .number = &mq_queues_max},
    {.name = NULL},
};
static const struct proc_entry epoll_children[] = {
    {.name = "max_user_watches", .mode = 0644, .show = show_kept, .store = store_kept},
    {.name = NULL},
};
static const struct proc_entry fs_children[] = {
    {.name = "dentry-state", .mode = 0444, .show = show_dentry_state},
    {.name = "epoll", .mode = 0555, .kind = PROC_DIRECTORY, .children = epoll_children},
    {.name = "file-max", .mode = 0444, .show = show_limit_files},
    {.name = "file-nr", .mode = 0444, .show = show_file_nr},
    {.name = "inode-nr", .mode = 0444, .show = show_inode_nr},
    {.name = "inode-state", .mode = 0444, .show = show_inode_state},
    {.name = "lease-break-time", .mode = 0644, .show = show_lease_break_time, .store = store_lease_break_time},
    {.name = "mqueue", .mode = 0555, .kind = PROC_DIRECTORY, .children = mqueue_children},
    {.name = "nr_open", .mode = 0644, .number = &linux_descriptor_limit},
    {.name = "overflowgid", .mode = 0444, .show = show_overflow_id},
    {.name = "overflowuid", .mode = 0444, .show = show_overflow_id},
    {.name = "pipe-max-size", .mode = 0644, .show = show_pipe_max_size, .store = store_pipe_max_size},
    {.name = "pipe-user-pages-hard", .mode = 0644, .show = show_kept, .store = store_kept},
    {.name = "pipe-user-pages-soft", .mode = 0644, .show = show_kept, .store = store_kept},
    {.name = "protected_fifos", .mode = 0644, .show = show_protected, .store = store_protected},
    {.name = "protected_hardlinks", .mode = 0644, .show = show_protected, .store = store_protected},
    {.name = "protected_regular", .mode = 0644, .show = show_protected, .store = store_protected},
    {.name = "protected_symlinks", .mode = 0644, .show = show_protected, .store = store_protected},
    {.name = "suid_dumpable", .mode = 0444, .show = show_zero},
    {.name = NULL},
};
static const struct proc_entry vm_children[] = {
    {.name = "legacy_va_layout", .mode = 0444, .show = show_zero},
    {.name = "max_map_count", .mode = 0444, .show = show_max_map_count},
    {.name = "min_free_kbytes", .mode = 0444, .show = show_min_free},
    {.name = "mmap_min_addr", .mode = 0444, .show = show_mmap_min_addr},
    {.name = "nr_hugepages", .mode = 0444, .show = show_zero},
    {.name = "oom_kill_allocating_task", .mode = 0444, .show = show_zero},
    {.name = "overcommit_kbytes", .mode = 0444, .show = show_zero},
    {.name = "overcommit_memory", .mode = 0444, .show = show_zero},
    {.name = "overcommit_ratio", .mode = 0444, .show = show_fifty},
    {.name = "panic_on_oom", .mode = 0444, .show = show_zero},
    {.name = "swappiness", .mode = 0444, .show = show_zero},
    {.name = NULL},
};
const struct proc_entry proc_sys_children[] = {
    {.name = "fs", .mode = 0555, .kind = PROC_DIRECTORY, .children = fs_children},
    {.name = "kernel", .mode = 0555, .kind = PROC_DIRECTORY, .children = kernel_children},
    {.name = "net", .mode = 0555, .kind = PROC_DIRECTORY, .children = proc_sys_net_children},
    {.name = "vm", .mode = 0555, .kind = PROC_DIRECTORY, .children = vm_children},
    {.name = NULL},
};
