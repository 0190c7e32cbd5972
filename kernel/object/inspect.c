// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Debugger commands: handles of a process, the job tree. All processors are stopped, so no lock is taken.
#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/string.h>

static bool parse_id(int argc, const char **argv, uint64_t *out) {
    return argc == 2 && string_to_u64(argv[1], NULL, 0, out) == INV_OK;
}

static bool print_handles(struct thread *t, void *arg) {
    if (t->id != *(uint64_t *)arg)
        return true;
    const struct handle_table *h = &t->process->handles;
    debugger_print("process %p (%.16s): %u handles, %u slots\n", (void *)t->process, t->process->name, h->used,
                   h->size);
    const union handle_array *a = atomic_load_explicit(&h->array, memory_order_relaxed);
    for (uint32_t slot = HANDLE_SLOT_FIRST; slot < h->size; slot++) {
        const struct handle_entry *e = &a->entries[slot];
        inv_handle_t number = atomic_load_explicit(&e->handle, memory_order_relaxed);
        if (handle_generation(number) != 0)
            debugger_print("    %08x %-12s %p rights %03x\n", number, e->object->type->name, (void *)e->object,
                           handle_word_rights(e->word));
    }
    return true;
}

static void command_handles(int argc, const char **argv) {
    uint64_t id;
    if (parse_id(argc, argv, &id))
        thread_for_each(print_handles, &id, false);
    else
        debugger_print("usage: handles THREAD (of its process)\n");
}
DEBUGGER_COMMAND("handles", "THREAD: handles of its process", command_handles);

static struct job *next_sibling(const struct job *job) {
    const struct job *parent = job->parent;
    if (!parent || job->child_node.next == &parent->children)
        return NULL;
    return list_entry(job->child_node.next, struct job, child_node);
}

static void print_job(const struct job *job, unsigned depth) {
    const struct job_account *a = job->accounts;
    debugger_print("%*s%p memory %lu KiB (most %lu), threads %lu, processes %lu, handles %lu\n", (int)depth * 2, "",
                   (const void *)job, (unsigned long)(atomic_load(&a[JOB_MEMORY].used) >> 10),
                   (unsigned long)(atomic_load(&a[JOB_MEMORY].high_water) >> 10),
                   (unsigned long)atomic_load(&a[JOB_THREADS].used), (unsigned long)atomic_load(&a[JOB_PROCESSES].used),
                   (unsigned long)atomic_load(&a[JOB_HANDLES].used));
}

static void command_jobs(int argc, const char **argv) {
    const struct job *job = &root_job;
    unsigned depth = 0;
    while (job) {
        print_job(job, depth);
        if (!list_empty(&job->children)) {
            job = list_first(&job->children, struct job, child_node);
            depth++;
            continue;
        }
        const struct job *next = next_sibling(job);
        while (!next && job->parent) {
            job = job->parent;
            depth--;
            next = next_sibling(job);
        }
        job = next;
    }
}
DEBUGGER_COMMAND("jobs", "the job tree and what is charged to it", command_jobs);
