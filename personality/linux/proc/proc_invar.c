// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/invar: what this kernel tells of itself and Linux has no file for. Each file is lines of words, for programs; names keep their meaning.
//
//   boot       "stage NAME CYCLE": the ends of the stages of boot in order, by the processor's counter since reset; the last is first_user_instruction
//   counters   "NAME VALUE": events since boot over all processors (kernel/counters.h)
//   memory     "OWNER KIB": memory by owner. Owners first, "free" the last of them, then "total", their sum; then parts of owners, "OWNER.PART KIB", which
//              are not in the sum: the largest slab caches (kernel/memory.h, docs/memory-accounting.md)
//   objects    "CACHE COUNT BYTES": each object cache, how many of its objects somebody has, and the size of one
//   accounts   "RESOURCE USED": what is charged to the root job, which pays for all: bytes, threads, processes, handles
//   jobs       "ID PARENT DEPTH POLICIES" and for each resource "USED MOST LIMIT", "-" for none: all jobs, parents first
#include "../proc.h"

#include <kernel/boot.h>
#include <kernel/counters.h>
#include <kernel/job.h>
#include <kernel/memory.h>
#include <kernel/slab.h>

static void counter_show(const char *name, uint64_t value, void *arg) {
    proc_print(arg, "%s %lu\n", name, value);
}

static void show_counters(struct proc_text *t, const struct proc_node *n) {
    counter_for_each(counter_show, t);
}

static void show_boot(struct proc_text *t, const struct proc_node *n) {
    const char *name;
    uint64_t cycles;

    for (unsigned mark = 0; mark < BOOT_MARK_COUNT; mark++)
        if (boot_mark_get((enum boot_mark)mark, &name, &cycles))
            proc_print(t, "stage %s %lu\n", name, cycles);
}

static void owner_show(const char *owner, uint64_t kib, void *arg) {
    proc_print(arg, "%s %lu\n", owner, kib);
}

static void show_memory(struct proc_text *t, const struct proc_node *n) {
    memory_for_each_owner(owner_show, t);
}

static void cache_show(struct slab_cache *c, void *arg) {
    proc_print(arg, "%s %lu %u\n", c->name, slab_in_use(c), c->object_size);
}

static void show_objects(struct proc_text *t, const struct proc_node *n) {
    slab_for_each(cache_show, t);
}

static void show_accounts(struct proc_text *t, const struct proc_node *n) {
    static const char *const names[JOB_RESOURCE_COUNT] = {"memory", "threads", "processes", "handles"};

    for (unsigned r = 0; r < JOB_RESOURCE_COUNT; r++)
        proc_print(t, "%s %lu\n", names[r], atomic_load(&root_job.accounts[r].used));
}

static void show_jobs(struct proc_text *t, const struct proc_node *n) {
    for (struct job *j = job_tree_next(&root_job, NULL); j != NULL; j = job_tree_next(&root_job, j)) {
        proc_print(t, "%lu %lu %u %x", object_identity(&j->obj),
                   j->parent != NULL ? object_identity(&j->parent->obj) : 0, j->depth, atomic_load(&j->policies));
        for (unsigned r = 0; r < JOB_RESOURCE_COUNT; r++) {
            uint64_t limit = atomic_load(&j->accounts[r].limit);
            proc_print(t, " %lu %lu", atomic_load(&j->accounts[r].used), atomic_load(&j->accounts[r].high_water));
            proc_print(t, limit != UINT64_MAX ? " %lu" : " -", limit);
        }
        proc_print(t, "\n");
    }
}

const struct proc_entry proc_invar_children[] = {
    {.name = "accounts", .mode = 0444, .show = show_accounts},
    {.name = "boot", .mode = 0444, .show = show_boot},
    {.name = "counters", .mode = 0444, .show = show_counters},
    {.name = "memory", .mode = 0444, .show = show_memory},
    {.name = "jobs", .mode = 0444, .show = show_jobs},
    {.name = "objects", .mode = 0444, .show = show_objects},
    {.name = NULL},
};
