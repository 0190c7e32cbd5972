// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Trace points: see kernel/trace.h. One ring a processor, written by that processor alone in any context (NMI too) and read when it is stopped, or by
// readers that accept a torn record at the edge. The rings are allocated by trace_init, once; without memory tracing stays off.
//
// Invariants:
// I1  An entry belongs to the context that took its index with one atomic addition; a nested interrupt takes the next one.
// I2  trace_enabled is zero until the ring of every processor is there.

#include <kernel/trace.h>

#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/process.h>
#include <kernel/string.h>
#include <kernel/time.h>

#ifndef CONFIG_TRACE_RING_ENTRIES
#define CONFIG_TRACE_RING_ENTRIES 256
#endif
#define ENTRIES_SMALL 64ull // with less memory than MEMORY_SOME
#define MEMORY_SOME   MIB(64)

struct trace_entry {
    nstime_t time;
    uint32_t point;
    uint32_t thread; // low half of the id
    uint64_t a, b, c;
};

struct trace_ring {
    _Atomic uint64_t next;
    struct trace_entry *entries;
};

_Atomic uint64_t trace_enabled;
static struct trace_ring rings[CONFIG_MAX_CPUS];
static uint64_t ring_entries = CONFIG_TRACE_RING_ENTRIES; // immutable after trace_init; a power of two
STATIC_ASSERT(TRACE_COUNT <= 64, "one bit a point");
STATIC_ASSERT((CONFIG_TRACE_RING_ENTRIES & (CONFIG_TRACE_RING_ENTRIES - 1)) == 0, "indexes are masked");

static const struct {
    const char *name, *format;
} points[TRACE_COUNT] = {
#define TRACE_POINT(name, format) {#name, format},
    TRACE_POINT_LIST(TRACE_POINT)
#undef TRACE_POINT
};

void trace_record(enum trace_point p, uint64_t a, uint64_t b, uint64_t c) {
    struct trace_ring *r = &rings[arch_cpu_id()];
    struct thread *t = current_thread();

    if (r->entries == NULL)
        return;
    uint64_t index = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
    r->entries[index & (ring_entries - 1)] = (struct trace_entry){
        .time = clock_monotonic(), .point = p, .thread = t != NULL ? (uint32_t)t->id : 0, .a = a, .b = b, .c = c};
}

static bool rings_allocate(void) {
    size_t bytes = ring_entries * sizeof(struct trace_entry);
    unsigned order = 0;

    while ((PAGE_SIZE << order) < bytes)
        order++;
    for (unsigned i = 0; i < cpu_count; i++) {
        if (rings[i].entries != NULL)
            continue;
        struct page *page = order <= PAGE_MAX_ORDER ? page_alloc(order, PAGE_ZERO, PAGE_TRACE, NULL) : NULL;
        if (page == NULL)
            return false;
        rings[i].entries = page_to_virt(page);
    }
    return true;
}

static bool name_matches(const char *wanted, size_t n, const char *name) {
    return strlen(name) == n && strncmp(wanted, name, n) == 0;
}

// The bits of a name of length n; 0 if there is none.
static uint64_t points_named(const char *name, size_t n) {
    if (name_matches(name, n, "all"))
        return UINT64_MAX >> (64 - TRACE_COUNT);
    for (unsigned i = 0; i < TRACE_COUNT; i++) {
        if (name_matches(name, n, points[i].name))
            return 1ull << i;
    }
    return 0;
}

static bool rings_ready(void) {
    for (unsigned i = 0; i < cpu_count; i++) {
        if (rings[i].entries == NULL)
            return false;
    }
    return cpu_count > 0;
}

inv_status_t trace_enable(const char *name, bool on) {
    uint64_t bits = points_named(name, strlen(name));

    if (bits == 0)
        return INV_ERR_NOT_FOUND;
    if (on && !rings_ready())
        return INV_ERR_NO_MEMORY;
    if (on)
        atomic_fetch_or_explicit(&trace_enabled, bits, memory_order_relaxed);
    else
        atomic_fetch_and_explicit(&trace_enabled, ~bits, memory_order_relaxed);
    return INV_OK;
}

void trace_init(void) {
    char list[256];
    uint64_t bits = 0;

    if (boot_info.ram_bytes < MEMORY_SOME)
        ring_entries = MIN(ring_entries, ENTRIES_SMALL);
    if (!rings_allocate()) {
        log_warning("trace", "no memory for the rings: tracing is off");
        return;
    }
    if (!boot_option("trace", list, sizeof(list)))
        return;
    for (const char *p = list; *p != '\0';) {
        const char *comma = strchr(p, ',');
        size_t n = comma != NULL ? (size_t)(comma - p) : strlen(p);
        uint64_t named = points_named(p, n);

        if (named == 0)
            log_warning("trace", "no point is called %.*s", (int)n, p);
        bits |= named;
        p += n + (comma != NULL);
    }
    atomic_fetch_or_explicit(&trace_enabled, bits, memory_order_relaxed);
}

// The oldest entry of all rings that is newer than positions say; advances the position of its ring.
static const struct trace_entry *entry_next(uint64_t positions[], unsigned *out_cpu) {
    const struct trace_entry *oldest = NULL;

    for (unsigned i = 0; i < cpu_count; i++) {
        uint64_t next = atomic_load_explicit(&rings[i].next, memory_order_relaxed);
        if (rings[i].entries == NULL || positions[i] >= next)
            continue;
        const struct trace_entry *e = &rings[i].entries[positions[i] & (ring_entries - 1)];
        if (oldest == NULL || e->time < oldest->time) {
            oldest = e;
            *out_cpu = i;
        }
    }
    if (oldest != NULL)
        positions[*out_cpu]++;
    return oldest;
}

static void print_entry(const struct trace_entry *e, unsigned cpu) {
    debugger_print("[%5lu.%09lu] %u %5u %-16s ", (unsigned long)(e->time / NSEC_PER_SEC),
                   (unsigned long)(e->time % NSEC_PER_SEC), cpu, e->thread,
                   e->point < TRACE_COUNT ? points[e->point].name : "?");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (e->point < TRACE_COUNT)
        debugger_print(points[e->point].format, e->a, e->b, e->c);
#pragma GCC diagnostic pop
    debugger_print("\n");
}

static void trace_print(uint64_t count) {
    uint64_t positions[CONFIG_MAX_CPUS];
    unsigned cpu = 0;

    for (unsigned i = 0; i < cpu_count; i++) {
        uint64_t next = atomic_load_explicit(&rings[i].next, memory_order_relaxed);
        positions[i] = next - MIN(next, MIN(count, ring_entries));
    }
    for (const struct trace_entry *e; (e = entry_next(positions, &cpu)) != NULL;)
        print_entry(e, cpu);
}

static void trace_print_points(void) {
    for (unsigned i = 0; i < TRACE_COUNT; i++)
        debugger_print("%-18s %s\n", points[i].name,
                       atomic_load_explicit(&trace_enabled, memory_order_relaxed) >> i & 1 ? "on" : "off");
}

static void command_trace(int argc, const char **argv) {
    uint64_t count = 40;

    if (argc == 1) {
        trace_print(count);
    } else if (argc == 2 && strcmp(argv[1], "points") == 0) {
        trace_print_points();
    } else if (argc == 3 && (strcmp(argv[1], "on") == 0 || strcmp(argv[1], "off") == 0)) {
        inv_status_t status = trace_enable(argv[2], argv[1][1] == 'n');
        if (status == INV_ERR_NOT_FOUND)
            debugger_print("no point is called %s\n", argv[2]);
        else if (status != INV_OK)
            debugger_print("there are no rings\n");
    } else if (argc == 2 && debugger_number(argv[1], 0, &count)) {
        trace_print(count);
    } else {
        debugger_print("usage: trace [COUNT | points | on NAME | off NAME]\n");
    }
}
DEBUGGER_COMMAND("trace", "[COUNT | points | on NAME | off NAME]: the newest entries of each processor, in order",
                 command_trace);

static bool trace_records_when_on(void) {
    uint64_t before = atomic_load_explicit(&trace_enabled, memory_order_relaxed), sum = 0, after = 0;

    for (unsigned i = 0; i < cpu_count; i++)
        sum += atomic_load_explicit(&rings[i].next, memory_order_relaxed);
    SELFTEST_CHECK(trace_enable("exec", true) == INV_OK);
    for (int i = 0; i < 3; i++)
        trace(exec, i, 0, 0);
    SELFTEST_CHECK(trace_enable("exec", false) == INV_OK);
    for (unsigned i = 0; i < cpu_count; i++)
        after += atomic_load_explicit(&rings[i].next, memory_order_relaxed);
    atomic_store_explicit(&trace_enabled, before, memory_order_relaxed);
    SELFTEST_CHECK(after >= sum + 3);
    SELFTEST_CHECK(trace_enable("no such point", true) == INV_ERR_NOT_FOUND);
    return true;
}
SELFTEST("debug/trace_records_when_on", trace_records_when_on);
