// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Debugger commands of the memory system: memory, slabs, mappings. The machine is stopped: nothing is locked, and what
// is half changed is shown as it is.

#include "mapping.h"

#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/memory.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>

static void print_owner(const char *owner, uint64_t kib, void *arg) {
    debugger_print("%-22s %8lu KiB\n", owner, kib);
}

static void command_memory(int argc, const char **argv) {
    struct page_stats s;

    (void)argc;
    (void)argv;
    page_get_stats(&s);
    debugger_print("pages: %lu total, %lu free, %lu kept for the kernel\n", s.total, s.free, s.reserve);
    memory_for_each_owner(print_owner, NULL);
    debugger_print("root job: %lu KiB charged\n", atomic_load(&root_job.accounts[JOB_MEMORY].used) / 1024);
}
DEBUGGER_COMMAND("memory", "physical memory by owner", command_memory);

static void print_cache(struct slab_cache *c, void *arg) {
    (void)arg;
    debugger_print("%-16s %6u %6lu %5lu %4lu KiB\n", c->name, c->object_size, atomic_load(&c->allocated),
                   atomic_load(&c->slabs), atomic_load(&c->slabs) * (PAGE_SIZE << c->order) / 1024);
}

static void command_slabs(int argc, const char **argv) {
    (void)argc;
    (void)argv;
    debugger_print("cache             bytes    out slabs\n");
    slab_for_each(print_cache, NULL);
}
DEBUGGER_COMMAND("slabs", "object caches", command_slabs);

static void print_mapping(const struct mapping *m) {
    debugger_print("  %012lx-%012lx %c%c%c%c %s%s anon %lu\n", m->start, m->end, m->prot & MMU_READ ? 'r' : '-',
                   m->prot & MMU_WRITE ? 'w' : '-', m->prot & MMU_EXECUTE ? 'x' : '-',
                   m->flags & MAPPING_SHARED ? 's' : 'p',
                   m->label    ? m->label
                   : m->object ? "object"
                               : "zeros",
                   m->flags & MAPPING_GROWSDOWN ? " stack" : "", m->anon ? atomic_load(&m->anon->resident) : 0);
}

static bool print_process(struct thread *t, void *arg) {
    static const struct aspace *last;
    const char *wanted = arg;
    struct aspace *as = t->process->aspace;

    if (!as || as == last || (wanted && strcmp(wanted, t->process->name) != 0))
        return true;
    last = as;
    debugger_print("%s: %u mappings, %lu pages resident\n", t->process->name, as->mapping_count,
                   atomic_load(&as->resident));
    for (struct rb_node *n = rb_first(&as->mappings); n; n = rb_next(n))
        print_mapping(rb_entry(n, struct mapping, node));
    return true;
}

static void command_mappings(int argc, const char **argv) {
    thread_for_each(print_process, argc > 1 ? (void *)(uintptr_t)argv[1] : NULL, false);
}
DEBUGGER_COMMAND("mappings", "address spaces: mappings [PROCESS NAME]", command_mappings);
