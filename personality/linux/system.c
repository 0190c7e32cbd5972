// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls on the machine as a whole: names, memory figures, power, the log, random numbers, barriers, the execution domain.
#include "system.h"
#include "process.h"

#include <arch/usercopy.h>
#include <executive/random.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/platform.h>
#include <kernel/slab.h>

static struct spinlock names_lock = SPINLOCK_INIT(LOCK_RANK_PERSONALITY_SPIN);
/* names_lock: */
static char host_name[LINUX_NAME_LENGTH] = "invar", domain_name[LINUX_NAME_LENGTH] = "(none)";

void linux_host_name(char out[LINUX_NAME_LENGTH]) {
    spin_lock(&names_lock);
    memcpy(out, host_name, LINUX_NAME_LENGTH);
    spin_unlock(&names_lock);
}

void linux_domain_name(char out[LINUX_NAME_LENGTH]) {
    spin_lock(&names_lock);
    memcpy(out, domain_name, LINUX_NAME_LENGTH);
    spin_unlock(&names_lock);
}

void linux_host_name_set(const char *name) {
    spin_lock(&names_lock);
    string_copy(host_name, name, LINUX_NAME_LENGTH);
    spin_unlock(&names_lock);
}

void linux_domain_name_set(const char *name) {
    spin_lock(&names_lock);
    string_copy(domain_name, name, LINUX_NAME_LENGTH);
    spin_unlock(&names_lock);
}

int64_t linux_uname(struct arch_frame *f) {
    struct {
        char system[LINUX_NAME_LENGTH], node[LINUX_NAME_LENGTH], release[LINUX_NAME_LENGTH], version[LINUX_NAME_LENGTH],
            machine[LINUX_NAME_LENGTH], domain[LINUX_NAME_LENGTH];
    } u = {.system = "Linux", .release = LINUX_RELEASE, .version = LINUX_VERSION, .machine = "x86_64"};

    spin_lock(&names_lock);
    memcpy(u.node, host_name, LINUX_NAME_LENGTH);
    memcpy(u.domain, domain_name, LINUX_NAME_LENGTH);
    spin_unlock(&names_lock);
    return arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 0), &u, sizeof(u)) == INV_OK ? 0 : -LINUX_EFAULT;
}

static int64_t name_set(struct arch_frame *f, char *name) {
    int length = (int)LINUX_ARG(f, 1);
    char fresh[LINUX_NAME_LENGTH] = {0};

    if (!token_capable(linux_token(), CAP_SYS_ADMIN))
        return -LINUX_EPERM;
    if (length < 0 || length >= LINUX_NAME_LENGTH)
        return -LINUX_EINVAL;
    if (arch_copy_from_user(fresh, (const void user_ptr *)LINUX_ARG(f, 0), (size_t)length) != INV_OK)
        return -LINUX_EFAULT;
    spin_lock(&names_lock);
    memcpy(name, fresh, LINUX_NAME_LENGTH);
    spin_unlock(&names_lock);
    return 0;
}

int64_t linux_sethostname(struct arch_frame *f) {
    return name_set(f, host_name);
}

int64_t linux_setdomainname(struct arch_frame *f) {
    return name_set(f, domain_name);
}

int64_t linux_sysinfo(struct arch_frame *f) {
    struct {
        int64_t uptime;
        uint64_t loads[3], total, free, shared, buffer, swap_total, swap_free;
        uint16_t processes, pad;
        uint32_t pad2;
        uint64_t high_total, high_free;
        uint32_t unit;
        uint32_t tail;
    } s = {.unit = 1};
    struct page_stats pages;
    unsigned running, total;

    page_get_stats(&pages);
    s.uptime = (int64_t)((clock_monotonic() + NSEC_PER_SEC - 1) / NSEC_PER_SEC);
    sched_load(s.loads, &running, &total);
    s.total = pages.total * PAGE_SIZE;
    s.free = pages.free * PAGE_SIZE;
    s.shared = pages.in_use[PAGE_FILE] * PAGE_SIZE;
    s.processes = (uint16_t)linux_pid_count();
    return arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 0), &s, 112) == INV_OK ? 0 : -LINUX_EFAULT;
}

// --- power ---

#define REBOOT_MAGIC1    0xfee1deadu
#define REBOOT_RESTART   0x01234567u
#define REBOOT_RESTART2  0xa1b2c3d4u
#define REBOOT_HALT      0xcdef0123u
#define REBOOT_CAD_ON    0x89abcdefu
#define REBOOT_CAD_OFF   0x00000000u
#define REBOOT_POWER_OFF 0x4321fedcu

static bool magic2_known(uint32_t m) {
    return m == 672274793u || m == 85072278u || m == 369367448u || m == 537993216u;
}

int64_t linux_reboot(struct arch_frame *f) {
    if (!token_capable(linux_token(), CAP_SYS_BOOT))
        return -LINUX_EPERM;
    if ((uint32_t)LINUX_ARG(f, 0) != REBOOT_MAGIC1 || !magic2_known((uint32_t)LINUX_ARG(f, 1)))
        return -LINUX_EINVAL;
    switch ((uint32_t)LINUX_ARG(f, 2)) {
    case REBOOT_CAD_ON:
    case REBOOT_CAD_OFF: return 0; // no key combination restarts this machine
    case REBOOT_RESTART:
    case REBOOT_RESTART2: log_write(LOG_NOTICE, "linux", "restarting"); platform_reset();
    case REBOOT_HALT: // a halted machine under an emulator would stay for ever: it is switched off as well
    case REBOOT_POWER_OFF: log_write(LOG_NOTICE, "linux", "power off"); platform_power_off();
    default: return -LINUX_EINVAL;
    }
}

// --- the log ---

enum {
    SYSLOG_CLOSE,
    SYSLOG_OPEN,
    SYSLOG_READ,
    SYSLOG_READ_ALL,
    SYSLOG_READ_CLEAR,
    SYSLOG_CLEAR,
    SYSLOG_CONSOLE_OFF,
    SYSLOG_CONSOLE_ON,
    SYSLOG_CONSOLE_LEVEL,
    SYSLOG_SIZE_UNREAD,
    SYSLOG_SIZE_BUFFER
};

struct linux_tunable linux_log_restricted = {.value = 1, .maximum = 1};
static _Atomic uint64_t log_cleared_at; // first record that READ_ALL shows

// One record as syslog gives it: "<level>[seconds] text\n". Returns its length.
static size_t record_format(const struct log_record *r, char *out, size_t size) {
    int n = snprintf(out, size, "<%u>[%5lu.%06lu] %.*s\n", r->level, (unsigned long)(r->time / NSEC_PER_SEC),
                     (unsigned long)(r->time % NSEC_PER_SEC / NSEC_PER_USEC), (int)r->length, r->text);
    return MIN((size_t)n, size - 1);
}

struct log_line {
    struct log_record record;
    char text[600];
};

// Copies records from *sequence on, as many as fit whole. Bytes, or an error.
static int64_t log_copy(uint64_t *sequence, uint64_t user, size_t size) {
    struct log_line *line = kmalloc(sizeof(*line));
    size_t done = 0;
    int64_t result = 0;

    if (line == NULL)
        return -LINUX_ENOMEM;
    for (;;) {
        uint64_t lost, at = *sequence;
        if (log_read(&at, &line->record, &lost) != INV_OK)
            break;
        size_t n = record_format(&line->record, line->text, sizeof(line->text));
        if (n > size - done)
            break;
        if (arch_copy_to_user((void user_ptr *)(user + done), line->text, n) != INV_OK) {
            result = -LINUX_EFAULT;
            break;
        }
        *sequence = at;
        done += n;
    }
    kfree(line);
    return result != 0 && done == 0 ? result : (int64_t)done;
}

// The last records that fit into size bytes: the first of them is found by measuring.
static uint64_t log_tail_start(size_t size) {
    uint64_t at = MAX(log_first_sequence(), atomic_load(&log_cleared_at)), first = at, lost;
    struct log_line *line = kmalloc(sizeof(*line));
    size_t total = 0;

    if (line == NULL)
        return at;
    while (log_read(&at, &line->record, &lost) == INV_OK)
        total += record_format(&line->record, line->text, sizeof(line->text));
    at = first;
    while (total > size && log_read(&at, &line->record, &lost) == INV_OK) {
        total -= record_format(&line->record, line->text, sizeof(line->text));
        first = at;
    }
    kfree(line);
    return first;
}

static int64_t log_read_next(uint64_t user, size_t size) {
    static _Atomic uint64_t position; // one reader's place for the whole machine, as in Linux
    uint64_t at = atomic_load(&position);
    inv_status_t s;

    WAIT_EVENT(log_waitq(), log_next_sequence() > at, WAIT_INTERRUPTIBLE, NSTIME_NEVER, s);
    if (s != INV_OK)
        return -LINUX_ERESTARTSYS;
    int64_t result = log_copy(&at, user, size);
    atomic_store(&position, at);
    return result;
}

int64_t linux_syslog(struct arch_frame *f) {
    int what = (int)LINUX_ARG(f, 0), size = (int)LINUX_ARG(f, 2);
    bool allowed = token_capable(linux_token(), CAP_SYSLOG) || token_capable(linux_token(), CAP_SYS_ADMIN);
    uint64_t at;

    bool open = atomic_load(&linux_log_restricted.value) == 0 &&
                (what == SYSLOG_READ_ALL || what == SYSLOG_SIZE_BUFFER);
    if (!allowed && !open)
        return -LINUX_EPERM;
    switch (what) {
    case SYSLOG_CLOSE:
    case SYSLOG_OPEN: return 0;
    case SYSLOG_READ:
    case SYSLOG_READ_ALL:
    case SYSLOG_READ_CLEAR: {
        if (LINUX_ARG(f, 1) == 0 || size < 0)
            return -LINUX_EINVAL;
        if (size == 0)
            return 0;
        if (what == SYSLOG_READ)
            return log_read_next(LINUX_ARG(f, 1), (size_t)size);
        at = log_tail_start((size_t)size);
        int64_t result = log_copy(&at, LINUX_ARG(f, 1), (size_t)size);
        if (what == SYSLOG_READ_CLEAR && result >= 0)
            atomic_store(&log_cleared_at, log_next_sequence());
        return result;
    }
    case SYSLOG_CLEAR: atomic_store(&log_cleared_at, log_next_sequence()); return 0;
    case SYSLOG_CONSOLE_OFF: log_set_console_level(LOG_EMERGENCY); return 0;
    case SYSLOG_CONSOLE_ON: log_set_console_level(LOG_INFO); return 0;
    case SYSLOG_CONSOLE_LEVEL:
        if (size < 1 || size > 8)
            return -LINUX_EINVAL;
        log_set_console_level((enum log_level)(size - 1));
        return 0;
    case SYSLOG_SIZE_UNREAD: return 0;
    case SYSLOG_SIZE_BUFFER: return CONFIG_LOG_RING_KB * 1024;
    default: return -LINUX_EINVAL;
    }
}

// --- random numbers ---

#define GRND_NONBLOCK 1u
#define GRND_RANDOM   2u
#define GRND_INSECURE 4u

int64_t linux_getrandom(struct arch_frame *f) {
    uint64_t user = LINUX_ARG(f, 0), size = MIN(LINUX_ARG(f, 1), (uint64_t)INT32_MAX & PAGE_MASK), done = 0;
    unsigned flags = (unsigned)LINUX_ARG(f, 2);
    uint8_t block[256];

    if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
        return -LINUX_EINVAL;
    if ((flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
        return -LINUX_EINVAL;
    while (done < size) {
        size_t n = MIN(size - done, sizeof(block));
        inv_status_t s = random_read(
            block, n, (flags & GRND_NONBLOCK ? RANDOM_NONBLOCK : 0) | (flags & GRND_INSECURE ? RANDOM_INSECURE : 0));
        if (s != INV_OK)
            return done > 0 ? (int64_t)done : s == INV_ERR_INTERRUPTED ? -LINUX_ERESTARTSYS : linux_result(s);
        size_t left = arch_copy_to_user_partial((void user_ptr *)(user + done), block, n);
        done += n - left;
        if (left != 0)
            return done > 0 ? (int64_t)done : -LINUX_EFAULT;
        if (linux_signal_pending() && done < size)
            return (int64_t)done;
    }
    return (int64_t)done;
}

// --- execution domain ---

int64_t linux_personality(struct arch_frame *f) {
    struct linux_process *p = linux_current_process();
    uint32_t fresh = (uint32_t)LINUX_ARG(f, 0), old = atomic_load(&p->personality);

    if (fresh != 0xffffffffu)
        atomic_store(&p->personality, fresh);
    return old;
}

// --- memory barriers ---

enum {
    MEMBARRIER_QUERY = 0,
    MEMBARRIER_GLOBAL = 1,
    MEMBARRIER_GLOBAL_EXPEDITED = 2,
    MEMBARRIER_REGISTER_GLOBAL = 4,
    MEMBARRIER_PRIVATE = 8,
    MEMBARRIER_REGISTER_PRIVATE = 16,
    MEMBARRIER_PRIVATE_SYNC_CORE = 32,
    MEMBARRIER_REGISTER_SYNC_CORE = 64,
    MEMBARRIER_KNOWN = 127
};

static void barrier(void *arg) {
    (void)arg;
    atomic_thread_fence(memory_order_seq_cst);
}

// One barrier serves all: an interrupt on every processor, whose return also makes it see changed instructions. What is private needs to be registered first.
int64_t linux_membarrier(struct arch_frame *f) {
    struct linux_process *p = linux_current_process();
    int command = (int)LINUX_ARG(f, 0);

    if ((unsigned)LINUX_ARG(f, 1) != 0)
        return -LINUX_EINVAL;
    switch (command) {
    case MEMBARRIER_QUERY: return MEMBARRIER_KNOWN;
    case MEMBARRIER_REGISTER_GLOBAL:
    case MEMBARRIER_REGISTER_PRIVATE:
    case MEMBARRIER_REGISTER_SYNC_CORE: atomic_fetch_or(&p->barriers, (uint32_t)command); return 0;
    case MEMBARRIER_PRIVATE:
    case MEMBARRIER_PRIVATE_SYNC_CORE:
        if (!(atomic_load(&p->barriers) & (uint32_t)command << 1))
            return -LINUX_EPERM;
        break;
    case MEMBARRIER_GLOBAL:
    case MEMBARRIER_GLOBAL_EXPEDITED: break;
    default: return -LINUX_EINVAL;
    }
    atomic_thread_fence(memory_order_seq_cst);
    if (cpu_count > 1)
        cpu_call(NULL, barrier, NULL);
    return 0;
}

// Restartable sequences are not there; every start of a program asks, so the answer is given without a line in the log.
int64_t linux_rseq(struct arch_frame *f) {
    return -LINUX_ENOSYS;
}
