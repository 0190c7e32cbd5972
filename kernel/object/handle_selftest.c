// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of the handle table in the booted kernel: all processors on one table, its growth, and its memory.
#include <kernel/debug.h>
#include <kernel/handle.h>
#include <kernel/job.h>
#include <kernel/selftest_threads.h>
#include <kernel/slab.h>
#include <kernel/time.h>

#define WORKERS_MAX 16
#define SHARED      128
#define OWN         1500

// Every handle of a tagged object has the rights of its tag.
struct tagged {
    struct object obj;
    inv_rights_t rights;
};
static void tagged_delete(struct object *o) {
    container_of(o, struct tagged, obj)->rights = UINT32_MAX; // what is read after an epoch's end would show
    object_free(o);
}
static struct object_type tagged_type = {.name = "tagged", .size = sizeof(struct tagged), .delete = tagged_delete};

static struct handle_table *table; // of the run
static _Atomic inv_handle_t shared[SHARED];
static _Atomic uint32_t faults, finds;
static nstime_t race_end;

static struct object *tagged_create(struct job *job, inv_rights_t rights) {
    struct tagged *o = kzalloc(sizeof(*o));
    if (o != NULL && object_init(&o->obj, &tagged_type, job) != INV_OK) {
        kfree(o);
        return NULL;
    }
    if (o == NULL)
        return NULL;
    o->rights = rights;
    return &o->obj;
}

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static inv_handle_t race_add(uint32_t *random) {
    inv_rights_t rights = INV_RIGHT_DUPLICATE | (next_random(random) & INV_RIGHTS_ALL);
    struct object *o = tagged_create(NULL, rights);
    inv_handle_t h;
    if (o == NULL)
        return INV_HANDLE_INVALID;
    if (handle_add(table, o, rights, &h) == INV_OK)
        return h;
    object_put(o);
    return INV_HANDLE_INVALID;
}

static void race_publish(uint32_t *random, inv_handle_t h) {
    inv_handle_t old = atomic_exchange(&shared[next_random(random) % SHARED], h);
    if (old != INV_HANDLE_INVALID && handle_close(table, old) != INV_OK)
        atomic_fetch_add(&faults, 1);
}

static void race_look(inv_handle_t h) {
    struct object *o;
    inv_rights_t rights;

    epoch_enter();
    const struct handle_entry *e = handle_find(table, h);
    if (e != NULL) {
        const struct tagged *tagged = container_of(e->object, struct tagged, obj);
        if (tagged->rights != handle_word_rights(e->word) && tagged->rights != UINT32_MAX)
            atomic_fetch_add(&faults, 1);
        if (e->object->type != &tagged_type)
            atomic_fetch_add(&faults, 1);
    }
    epoch_exit();
    if (handle_lookup_rights(table, h, &tagged_type, 0, &o, &rights) != INV_OK)
        return;
    if (container_of(o, struct tagged, obj)->rights != rights)
        atomic_fetch_add(&faults, 1);
    atomic_fetch_add(&finds, 1);
    object_put(o);
}

static void race_worker(void *arg) {
    uint32_t random = (uint32_t)(uintptr_t)arg * 7919 + 1;
    inv_handle_t x;

    while (clock_monotonic() < race_end) {
        inv_handle_t h = atomic_load(&shared[next_random(&random) % SHARED]);
        switch (next_random(&random) % 8) {
        case 0:
            if ((x = race_add(&random)) != INV_HANDLE_INVALID)
                race_publish(&random, x);
            break;
        case 1:
            if (handle_duplicate(table, h, INV_RIGHTS_SAME, &x) == INV_OK)
                race_publish(&random, x);
            break;
        case 2:
            h = atomic_exchange(&shared[next_random(&random) % SHARED], INV_HANDLE_INVALID);
            if (h != INV_HANDLE_INVALID && handle_replace(table, h, INV_RIGHTS_SAME, &x) == INV_OK)
                race_publish(&random, x);
            break;
        default: race_look(h);
        }
    }
}

// The table grows several times meanwhile, and takes its memory from kmalloc first, then from pages.
static bool processors_race_on_one_table(void) {
    struct thread *workers[WORKERS_MAX];
    unsigned count = MIN(cpu_count, (unsigned)WORKERS_MAX);
    struct handle_table storage;
    struct job *job;
    uint32_t random = 77;
    bool ok = true;

    SELFTEST_CHECK(job_create(&root_job, &job) == INV_OK);
    handle_table_init(&storage, job);
    table = &storage;
    atomic_store(&faults, 0);
    atomic_store(&finds, 0);
    for (unsigned i = 0; i < SHARED; i++)
        atomic_store(&shared[i], race_add(&random));
    uint64_t created = atomic_load(&tagged_type.counters.live);
    race_end = clock_monotonic() + SELFTEST_BUDGET;
    for (unsigned i = 0; i < count; i++)
        workers[i] = selftest_thread(race_worker, (void *)(uintptr_t)i, PRIORITY_FAIR, selftest_cpu(i));
    for (unsigned i = 0; i < OWN; i++)
        if (race_add(&random) == INV_HANDLE_INVALID)
            ok = false;
    ok &= selftest_join_array(workers, count);
    handle_table_close_all(&storage);
    epoch_synchronize();
    SELFTEST_CHECK(ok && atomic_load(&faults) == 0 && atomic_load(&finds) > 0);
    SELFTEST_CHECK(created == SHARED && atomic_load(&tagged_type.counters.live) == 0);
    SELFTEST_CHECK(atomic_load(&job->accounts[JOB_HANDLES].used) == 0);
    SELFTEST_CHECK(atomic_load(&job->accounts[JOB_MEMORY].used) == 0);
    object_put(&job->obj);
    return true;
}
SELFTEST("object/processors_race_on_one_handle_table", processors_race_on_one_table);

// The table of a process that ends while another thread puts handles into it: none stays behind.
static void adder(void *arg) {
    uint32_t random = (uint32_t)(uintptr_t)arg;
    while (race_add(&random) != INV_HANDLE_INVALID)
        ;
}

static bool nothing_is_opened_in_a_dead_table(void) {
    struct job *job;

    SELFTEST_CHECK(job_create(&root_job, &job) == INV_OK);
    for (unsigned round = 0; round < 8; round++) {
        struct handle_table storage;
        handle_table_init(&storage, job);
        table = &storage;
        struct thread *t = selftest_thread(adder, (void *)(uintptr_t)round, PRIORITY_FAIR, selftest_cpu(1));
        selftest_sleep(round * 300 * NSEC_PER_USEC);
        handle_table_close_all(&storage);
        SELFTEST_CHECK(selftest_join(t));
        SELFTEST_CHECK(atomic_load(&job->accounts[JOB_HANDLES].used) == 0 && storage.used == 0);
        SELFTEST_CHECK(atomic_load(&job->accounts[JOB_MEMORY].used) == 0);
        SELFTEST_CHECK(atomic_load(&tagged_type.counters.live) == 0);
    }
    object_put(&job->obj);
    return true;
}
SELFTEST("object/nothing_is_opened_in_a_dead_handle_table", nothing_is_opened_in_a_dead_table);
