// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// host-test-sources: kernel/object/handle.c kernel/object/object.c kernel/object/job.c kernel/sync/spinlock.c
//
// Handle tables and jobs with a failing allocator: a long random run against a plain model, and every charge and pointer given back.
#include <assert.h>
#include <kernel/cpu.h>
#include <kernel/handle.h>
#include <kernel/job.h>
#include <kernel/slab.h>
#include <kernel/trace.h>
#include <stdio.h>
#include <stdlib.h>

static struct cpu test_cpu;
__thread struct arch_cpu *host_cpu = &test_cpu.arch;
_Atomic uint64_t trace_enabled;
static unsigned fail_every, allocations;

void *kmalloc(size_t size) {
    return fail_every && ++allocations % fail_every == 0 ? NULL : malloc(size);
}
void *kzalloc(size_t size) {
    return fail_every && ++allocations % fail_every == 0 ? NULL : calloc(1, size);
}
void kfree(void *p) {
    free(p);
}
void trace_record(enum trace_point p, uint64_t a, uint64_t b, uint64_t c) {}
void sched_preempt(void) {}
void host_yield(void) {}
bool arch_is_virtual(void) {
    return false;
}
struct directory *namespace_root;
inv_status_t directory_insert(struct directory *d, const char *name, struct object *o) {
    return INV_OK;
}
void debugger_print(const char *format, ...) {}
void object_type_name(struct object_type *type) {}
void assert_failed(const char *e, const char *file, int line) {
    printf("FAIL %s %s:%d\n", e, file, line);
    exit(1);
}
void lock_debug_acquire(const void *l, enum lock_rank r, const void *at, bool spinning) {}
void lock_debug_acquire_try(const void *l, enum lock_rank r, const void *at, bool spinning) {}
void lock_debug_release(const void *l, enum lock_rank r) {}
void lock_debug_may_sleep(const char *file, int line) {}

struct thing {
    struct object obj;
};
static unsigned deleted, closed;
static void thing_delete(struct object *o) {
    object_fini(o);
    free(o);
    deleted++;
}
static void thing_close(struct object *o) {
    closed++;
}
static struct object_type thing_type = {.name = "thing", .size = 64, .delete = thing_delete, .close = thing_close};

#define MODEL 500
static struct {
    inv_handle_t handle;
    struct object *object;
    inv_rights_t rights;
} model[MODEL];

static void step(struct handle_table *t, struct job *job) {
    unsigned i = (unsigned)rand() % MODEL;
    struct object *found;
    if (!model[i].object) {
        struct thing *thing = calloc(1, sizeof(*thing));
        assert(thing && object_init(&thing->obj, &thing_type, job) == INV_OK);
        inv_rights_t rights = (inv_rights_t)rand() & INV_RIGHTS_ALL;
        if (handle_add(t, &thing->obj, rights, &model[i].handle) != INV_OK) {
            object_put(&thing->obj);
            return;
        }
        model[i].object = &thing->obj;
        model[i].rights = rights;
    } else if (rand() % 3 == 0) {
        inv_handle_t h = model[i].handle;
        assert(handle_close(t, h) == INV_OK);
        assert(handle_close(t, h) == INV_ERR_BAD_HANDLE);
        assert(handle_lookup(t, h, NULL, 0, &found) == INV_ERR_BAD_HANDLE);
        model[i].object = NULL;
    } else {
        inv_rights_t wanted = (inv_rights_t)rand() & INV_RIGHTS_ALL & (inv_rights_t)rand();
        inv_status_t status = handle_lookup(t, model[i].handle, &thing_type, wanted, &found);
        assert(status == ((wanted & ~model[i].rights) ? INV_ERR_ACCESS : INV_OK));
        if (status == INV_OK) {
            assert(found == model[i].object);
            object_put(found);
        }
    }
}

static void random_run(unsigned failures) {
    struct handle_table table;
    struct job *job;
    fail_every = 0;
    assert(job_create(&root_job, &job) == INV_OK);
    assert(handle_table_init(&table, job) == INV_OK);
    fail_every = failures;
    for (unsigned n = 0; n < 30000; n++)
        step(&table, job);
    handle_table_close_all(&table);
    for (unsigned i = 0; i < MODEL; i++)
        model[i].object = NULL;
    assert(atomic_load(&thing_type.counters.live) == 0);
    for (unsigned r = 0; r < JOB_RESOURCE_COUNT; r++)
        assert(atomic_load(&job->accounts[r].used) == 0);
    object_put(&job->obj);
    printf("ok handle/random_run_%s\n", failures ? "with_failing_allocations" : "agrees_with_a_model");
}

static void limits(void) {
    struct handle_table table;
    struct job *job;
    inv_handle_t h;
    struct thing *thing = calloc(1, sizeof(*thing));
    fail_every = 0;
    assert(thing && object_init(&thing->obj, &thing_type, NULL) == INV_OK);
    assert(job_create(&root_job, &job) == INV_OK && handle_table_init(&table, job) == INV_OK);
    job_set_limit(job, JOB_HANDLES, 2);
    for (unsigned i = 0; i < 2; i++) {
        object_get(&thing->obj);
        assert(handle_add(&table, &thing->obj, INV_RIGHT_DUPLICATE | INV_RIGHT_READ, &h) == INV_OK && h != 0);
    }
    assert(handle_add(&table, &thing->obj, 0, &h) == INV_ERR_QUOTA);
    assert(handle_close(&table, h) == INV_OK);
    assert(handle_close(&table, 0) == INV_ERR_BAD_HANDLE && handle_close(&table, 0xffffffff) == INV_ERR_BAD_HANDLE);
    handle_table_close_all(&table);
    object_put(&thing->obj);
    object_put(&job->obj);
    printf("ok handle/the_job_limits_the_table\n");
}

int main(void) {
    srand(1);
    job_init_boot();
    random_run(0);
    random_run(2);
    limits();
    return 0;
}
