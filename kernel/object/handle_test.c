// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// host-test-sources: kernel/object/handle.c kernel/object/handle_slots.c kernel/object/object.c kernel/object/job.c kernel/sync/spinlock.c
//
// Handle tables and jobs with a failing allocator: a long random run against a plain model, and every charge and pointer given back.
#include <assert.h>
#include <kernel/cpu.h>
#include <kernel/handle.h>
#include <kernel/job.h>
#include <kernel/kspace.h>
#include <kernel/namespace.h>
#include <kernel/security.h>
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
void *kspace_alloc(size_t size, enum page_state state, struct job *job) {
    return kzalloc(size);
}
void kspace_free(void *p) {
    free(p);
}
void slab_free(struct slab_cache *c, void *p) {
    free(p);
}
void mutex_init(struct mutex *m, enum lock_rank rank) {}
void mutex_lock(struct mutex *m) {}
void mutex_unlock(struct mutex *m) {}

// An epoch passes when the test says so, or when the table waits for it.
static struct epoch_node *deferred;
static unsigned synchronized;
void epoch_defer(struct epoch_node *n, void (*fn)(struct epoch_node *)) {
    n->fn = fn;
    n->next = deferred;
    deferred = n;
}
static void epoch_pass(void) {
    struct epoch_node *n = deferred;
    deferred = NULL;
    while (n) {
        struct epoch_node *next = n->next;
        n->fn(n);
        n = next;
    }
}
void epoch_synchronize(void) {
    synchronized++;
    epoch_pass();
}
void trace_record(enum trace_point p, uint64_t a, uint64_t b, uint64_t c) {}
void sched_preempt(void) {}
void host_yield(void) {}
bool arch_is_virtual(void) {
    return false;
}
struct directory *namespace_root;
void directory_remove_temporary(struct object *o) {}
void process_end(struct process *p) {}
void object_set_security(struct object *o, struct security *s) {}
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
    deleted++;
    object_free(o);
}
static void thing_close(struct object *o) {
    closed++;
}
static struct object_type thing_type = {.name = "thing", .size = 64, .delete = thing_delete, .close = thing_close};

#define HANDLES_A_MILLION (HANDLE_SLOTS_MAX - HANDLE_SLOT_FIRST)
#define MODEL             500
static struct {
    inv_handle_t handle;
    struct object *object;
    inv_rights_t rights;
} model[MODEL];

static void step(struct handle_table *t, struct job *job) {
    unsigned i = (unsigned)rand() % MODEL;
    struct object *found;
    if (rand() % 200 == 0)
        epoch_pass();
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
    } else if (rand() % 6 == 0) {
        inv_handle_t h = model[i].handle;
        inv_rights_t rights = (inv_rights_t)rand() & INV_RIGHTS_ALL & (inv_rights_t)rand();
        inv_status_t status = handle_replace(t, h, rights, &model[i].handle);
        if (rights & ~model[i].rights)
            assert(status == INV_ERR_ACCESS);
        else if (status == INV_OK) {
            assert(model[i].handle != h && handle_lookup(t, h, NULL, 0, &found) == INV_ERR_BAD_HANDLE);
            model[i].rights = rights;
        } else
            assert(fail_every && status == INV_ERR_NO_MEMORY);
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
    handle_table_init(&table, job);
    fail_every = failures;
    for (unsigned n = 0; n < 30000; n++)
        step(&table, job);
    handle_table_close_all(&table);
    epoch_pass();
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
    assert(job_create(&root_job, &job) == INV_OK);
    handle_table_init(&table, job);
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
    epoch_pass();
    printf("ok handle/the_job_limits_the_table\n");
}

static struct object *thing_create(void) {
    struct thing *thing = calloc(1, sizeof(*thing));
    assert(thing && object_init(&thing->obj, &thing_type, &root_job) == INV_OK);
    return &thing->obj;
}

// Every pair of slot and generation is another number; none is 0, or that of a slot without a generation.
static void numbers(void) {
    static const uint32_t slots[] = {0, 1, 2, 15, 16, 4095, HANDLE_SLOTS_MAX - 1};
    for (unsigned s = 0; s < ARRAY_SIZE(slots); s++) {
        uint32_t generation = 0;
        for (unsigned n = 0; n < 4095; n++) {
            generation = handle_generation_after(generation);
            inv_handle_t h = handle_number(slots[s], generation);
            assert(generation == n + 1 && handle_slot(h) == slots[s] && handle_generation(h) == generation);
            assert((h & handle_mask(HANDLE_SLOTS_MAX)) == slots[s] * 16 && h != handle_number(slots[s], 0) && h != 0);
            uint32_t word = handle_word(INV_RIGHTS_ALL, generation);
            assert(handle_word_rights(word) == INV_RIGHTS_ALL && handle_word_generation(word) == generation);
            assert(rights_include(word, INV_RIGHT_READ) && !rights_include(handle_word(0, generation), INV_RIGHT_READ));
        }
        assert(handle_generation_after(generation) == 1);
    }
    printf("ok handle/numbers_tell_slot_and_generation\n");
}

// No number that is not open is found: every one of a small table, and around the edges of all.
static void nothing_but_open_handles_is_found(void) {
    struct handle_table table;
    inv_handle_t open[20];
    struct object *found;
    handle_table_init(&table, &root_job);
    for (uint32_t h = 0; h < 1 << 16; h++)
        assert(handle_close(&table, h << 16 | h) == INV_ERR_BAD_HANDLE &&
               handle_close(&table, h) == INV_ERR_BAD_HANDLE);
    for (unsigned i = 0; i < 20; i++)
        assert(handle_add(&table, thing_create(), 0, &open[i]) == INV_OK);
    for (unsigned i = 0; i < 20; i += 2)
        assert(handle_close(&table, open[i]) == INV_OK);
    unsigned count = 0;
    for (uint32_t generation = 0; generation < 4096; generation++)
        for (uint32_t slot = 0; slot < 2048; slot++)
            if (handle_lookup(&table, handle_number(slot, generation), NULL, 0, &found) == INV_OK) {
                object_put(found);
                count++;
            }
    assert(count == 10);
    handle_table_close_all(&table);
    epoch_pass();
    printf("ok handle/nothing_but_open_handles_is_found\n");
}

static void slots_wait_for_an_epoch(void) {
    struct handle_table table;
    inv_handle_t first, h;
    handle_table_init(&table, &root_job);
    assert(handle_add(&table, thing_create(), 0, &first) == INV_OK && handle_close(&table, first) == INV_OK);
    for (unsigned n = 0; n < 1000; n++) { // no epoch passes: the slot stays unused, however many are opened
        assert(handle_add(&table, thing_create(), 0, &h) == INV_OK && handle_slot(h) != handle_slot(first));
        assert(handle_close(&table, h) == INV_OK);
    }
    assert(synchronized == 0);
    for (unsigned n = 0; n < 20000; n++)
        assert(handle_add(&table, thing_create(), 0, &h) == INV_OK && handle_close(&table, h) == INV_OK);
    assert(synchronized > 0 && table.size <= 16384); // it waits, rather than grow without end
    bool again = false;
    for (unsigned n = 0; n < 20000 && !again; n++) {
        assert(handle_add(&table, thing_create(), 0, &h) == INV_OK && handle_close(&table, h) == INV_OK);
        again = handle_slot(h) == handle_slot(first);
    }
    assert(again && h != first);
    handle_table_close_all(&table);
    epoch_pass();
    assert(atomic_load(&thing_type.counters.live) == 0);
    printf("ok handle/slots_wait_for_an_epoch\n");
}

static void a_million(void) {
    struct handle_table table;
    struct job *job;
    static inv_handle_t h[HANDLES_A_MILLION];
    struct object *o = thing_create(), *found;
    inv_handle_t none;
    assert(job_create(&root_job, &job) == INV_OK);
    handle_table_init(&table, job);
    for (unsigned i = 0; i < HANDLES_A_MILLION; i++) {
        object_get(o);
        assert(handle_add(&table, o, INV_RIGHT_READ, &h[i]) == INV_OK);
    }
    assert(handle_add(&table, o, 0, &none) == INV_ERR_NO_MEMORY);
    assert(job->accounts[JOB_HANDLES].used == HANDLES_A_MILLION && job->accounts[JOB_MEMORY].used == 16u << 20);
    for (unsigned i = 0; i < HANDLES_A_MILLION; i += 9973) {
        assert(handle_lookup(&table, h[i], &thing_type, INV_RIGHT_READ, &found) == INV_OK && found == o);
        object_put(found);
    }
    assert(handle_close(&table, h[77]) == INV_OK); // full but for one that waits: the table waits for it
    object_get(o);
    assert(handle_add(&table, o, 0, &none) == INV_OK && handle_slot(none) == handle_slot(h[77]));
    handle_table_close_all(&table);
    epoch_pass();
    assert(atomic_load(&o->pointers) == 1 && atomic_load(&o->handles) == 0);
    assert(job->accounts[JOB_HANDLES].used == 0 && job->accounts[JOB_MEMORY].used == 0);
    object_put(o);
    object_put(&job->obj);
    epoch_pass();
    printf("ok handle/a_million_handles\n");
}

static void transfers_are_all_or_none(void) {
    struct handle_table from, to;
    struct handle_transfer moved[8];
    inv_handle_t h[8], twice[2], x;
    handle_table_init(&from, &root_job);
    handle_table_init(&to, &root_job);
    closed = 0;
    for (unsigned i = 0; i < 8; i++)
        assert(handle_add(&from, thing_create(), i < 7 ? INV_RIGHT_TRANSFER | INV_RIGHT_READ : 0, &h[i]) == INV_OK);
    assert(handle_take(&from, h, 8, INV_RIGHT_TRANSFER, moved) == INV_ERR_ACCESS && from.used == 8);
    twice[0] = twice[1] = h[0];
    assert(handle_take(&from, twice, 2, INV_RIGHT_TRANSFER, moved) == INV_ERR_BAD_HANDLE && from.used == 8);
    assert(handle_reserve(&to, 7) == INV_OK && handle_take(&from, h, 7, INV_RIGHT_TRANSFER, moved) == INV_OK);
    assert(from.used == 1 && closed == 0);
    for (unsigned i = 0; i < 5; i++) {
        x = handle_install(&to, moved[i].object, moved[i].rights);
        struct object *found;
        assert(handle_lookup(&to, x, &thing_type, INV_RIGHT_READ, &found) == INV_OK && found == moved[i].object);
        object_put(found);
    }
    handle_table_close_all(&to); // the receiver dies before the sixth arrives
    assert(closed == 5 && handle_install(&to, moved[5].object, 0) == INV_HANDLE_INVALID && closed == 6);
    handle_unreserve(&to, 1);
    handle_transfer_drop(&moved[6], 1);
    assert(closed == 7 && handle_reserve(&to, 1) == INV_ERR_BAD_STATE);
    handle_table_close_all(&from);
    epoch_pass();
    assert(atomic_load(&thing_type.counters.live) == 0 && atomic_load(&root_job.accounts[JOB_HANDLES].used) == 0);
    printf("ok handle/transfers_are_all_or_none\n");
}

static void handles_are_listed(void) {
    struct handle_table table;
    struct handle_info info;
    inv_handle_t h[600];
    uint32_t cursor = 0;
    handle_table_init(&table, &root_job);
    assert(!handle_table_next(&table, &cursor, &info));
    for (unsigned i = 0; i < 600; i++)
        assert(handle_add(&table, thing_create(), (inv_rights_t)i & INV_RIGHTS_ALL, &h[i]) == INV_OK);
    for (unsigned i = 1; i < 600; i += 2)
        assert(handle_close(&table, h[i]) == INV_OK);
    cursor = 0;
    for (unsigned i = 0; i < 600; i += 2) {
        assert(handle_table_next(&table, &cursor, &info) && info.handle == h[i] && info.rights == i);
        object_put(info.object);
    }
    assert(!handle_table_next(&table, &cursor, &info));
    handle_table_clear(&table); // and it can be used on
    assert(table.used == 0 && handle_add(&table, thing_create(), 0, h) == INV_OK);
    handle_table_close_all(&table);
    epoch_pass();
    printf("ok handle/handles_are_listed\n");
}

int main(void) {
    srand(1);
    job_init_boot();
    numbers();
    nothing_but_open_handles_is_found();
    slots_wait_for_an_epoch();
    a_million();
    transfers_are_all_or_none();
    handles_are_listed();
    random_run(0);
    random_run(2);
    limits();
    return 0;
}
