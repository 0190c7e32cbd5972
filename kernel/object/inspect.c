// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Debugger commands: types and the namespace, one object, handles of a process, the job tree. All processors are stopped, so no lock is taken.
#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/namespace.h>
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

// The namespace: a directory's entries below it. Goes down and up by the entries themselves, so depth costs no stack.
static const struct directory_entry *first_in(const struct object *o) {
    if (o->type != &directory_type)
        return NULL;
    struct rb_node *n = rb_first(&container_of(o, const struct directory, obj)->by_name);
    return n != NULL ? rb_entry(n, struct directory_entry, name_node) : NULL;
}

static const struct directory_entry *next_to(const struct directory_entry *e) {
    struct rb_node *n = rb_next(&e->name_node);
    return n != NULL ? rb_entry(n, struct directory_entry, name_node) : NULL;
}

// Calls fn for each named object until it returns false.
static void for_each_named(bool (*fn)(const struct directory_entry *e, unsigned depth, void *arg), void *arg) {
    const struct directory_entry *e = first_in(&namespace_root->obj);
    unsigned depth = 0;

    while (e != NULL && fn(e, depth, arg)) {
        const struct directory_entry *next = first_in(e->object);
        depth += next != NULL;
        if (next == NULL)
            next = next_to(e);
        while (next == NULL && depth > 0) {
            e = atomic_load(&e->directory->obj.entry);
            next = next_to(e);
            depth--;
        }
        e = next;
    }
}

static bool print_named(const struct directory_entry *e, unsigned depth, void *arg) {
    (void)arg;
    debugger_print("%*s%-24s %6lu %s\n", (int)depth * 2, "", e->name, (unsigned long)e->object->id,
                   e->object->type->name);
    return true;
}

static bool print_type(const struct directory_entry *e, unsigned depth, void *arg) {
    (void)depth;
    (void)arg;
    if (e->object->type != &type_type)
        return true;
    const struct object_type *type = container_of(e->object, const struct object_type, obj);
    debugger_print(
        "%-20s live %lu, most %lu, created %lu\n", type->name, (unsigned long)atomic_load(&type->counters.live),
        (unsigned long)atomic_load(&type->counters.high_water), (unsigned long)atomic_load(&type->counters.created));
    return true;
}

static void command_objects(int argc, const char **argv) {
    (void)argc;
    (void)argv;
    for_each_named(print_type, NULL);
    for_each_named(print_named, NULL);
}
DEBUGGER_COMMAND("objects", "types with their counts, and the namespace", command_objects);

struct search {
    uint64_t id;
    struct object *found;
};

static bool search_named(const struct directory_entry *e, unsigned depth, void *arg) {
    struct search *s = arg;
    (void)depth;
    if (e->object->id == s->id)
        s->found = e->object;
    return s->found == NULL;
}

static bool search_handles(struct thread *t, void *arg) {
    struct search *s = arg;
    const struct handle_table *h = &t->process->handles;
    const union handle_array *a = atomic_load_explicit(&h->array, memory_order_relaxed);

    if (t->obj.id == s->id)
        s->found = &t->obj;
    if (t->process->obj.id == s->id)
        s->found = &t->process->obj;
    for (uint32_t slot = HANDLE_SLOT_FIRST; slot < h->size && s->found == NULL; slot++)
        if (handle_generation(atomic_load_explicit(&a->entries[slot].handle, memory_order_relaxed)) != 0 &&
            a->entries[slot].object->id == s->id)
            s->found = a->entries[slot].object;
    return s->found == NULL;
}

static void command_object(int argc, const char **argv) {
    static char text[2048];
    struct search s = {0};

    if (!parse_id(argc, argv, &s.id)) {
        debugger_print("usage: object ID\n");
        return;
    }
    for_each_named(search_named, &s);
    if (s.found == NULL)
        thread_for_each(search_handles, &s, false);
    if (s.found == NULL) {
        debugger_print("no thread, process, named object or object with a handle has this identity\n");
        return;
    }
    object_describe(s.found, text, sizeof(text));
    debugger_print("%p\n%s", (void *)s.found, text);
}
DEBUGGER_COMMAND("object", "ID: what an object is", command_object);
