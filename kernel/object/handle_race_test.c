// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// host-test-sources: kernel/object/handle.c kernel/object/handle_slots.c kernel/object/object.c kernel/object/job.c kernel/sync/spinlock.c
// host-test-sanitize: thread
//
// One handle table between threads of the host under the thread sanitizer: they add, look, duplicate, replace, move and close at once, while the table grows. The
// epochs are this test's own: a thread's copy of the counter, which it brings up to date between its operations, as processors do.
#include <assert.h>
#include <kernel/cpu.h>
#include <kernel/handle.h>
#include <kernel/job.h>
#include <kernel/kspace.h>
#include <kernel/namespace.h>
#include <kernel/security.h>
#include <kernel/slab.h>
#include <kernel/trace.h>
#define sched_yield c_sched_yield // the kernel has one of its own
#include <pthread.h>
#undef sched_yield
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WORKERS 4
#define ROUNDS  12000
#define SHARED  256
#define OWN     12000

struct host {
    struct cpu cpu;
    _Atomic uint64_t seen; // UINT64_MAX: outside
    pthread_t id;
    unsigned seed;
};
static struct host hosts[WORKERS + 2]; // the last two: the reclaimer and main
static __thread struct host *self;
__thread struct arch_cpu *host_cpu;
_Atomic uint64_t trace_enabled;
struct directory *namespace_root;

static _Atomic uint64_t epoch_now = 1;
static pthread_mutex_t grow_mutex = PTHREAD_MUTEX_INITIALIZER, deferred_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct epoch_node *deferred;
static atomic_bool finished;
static struct handle_table table;
static _Atomic inv_handle_t shared[SHARED];
static _Atomic uint64_t found_count, grown;

static void quiescent(void) {
    assert(host_cpu->preempt_count == 0);
    atomic_store(&self->seen, atomic_load(&epoch_now));
}
void epoch_synchronize(void) {
    uint64_t target = atomic_fetch_add(&epoch_now, 1) + 1;
    atomic_store(&self->seen, UINT64_MAX);
    for (unsigned i = 0; i < ARRAY_SIZE(hosts); i++)
        while (atomic_load(&hosts[i].seen) < target)
            usleep(10);
    quiescent();
}
void epoch_defer(struct epoch_node *n, void (*fn)(struct epoch_node *)) {
    n->fn = fn;
    pthread_mutex_lock(&deferred_mutex);
    n->next = deferred;
    deferred = n;
    pthread_mutex_unlock(&deferred_mutex);
}
static bool epoch_pass(void) {
    pthread_mutex_lock(&deferred_mutex);
    struct epoch_node *n = deferred;
    deferred = NULL;
    pthread_mutex_unlock(&deferred_mutex);
    if (!n)
        return false;
    epoch_synchronize();
    while (n) {
        struct epoch_node *next = n->next;
        n->fn(n);
        n = next;
    }
    return true;
}

void *kmalloc(size_t size) {
    return malloc(size);
}
void *kzalloc(size_t size) {
    return calloc(1, size);
}
void kfree(void *p) {
    free(p);
}
void *kspace_alloc(size_t size, enum page_state state, struct job *job) {
    atomic_fetch_add(&grown, 1);
    return calloc(1, size);
}
void kspace_free(void *p) {
    free(p);
}
void slab_free(struct slab_cache *c, void *p) {
    free(p);
}
void mutex_init(struct mutex *m, enum lock_rank rank) {}
void mutex_lock(struct mutex *m) {
    atomic_store(&self->seen, UINT64_MAX); // who sleeps is no reader
    pthread_mutex_lock(&grow_mutex);
    quiescent();
}
void mutex_unlock(struct mutex *m) {
    pthread_mutex_unlock(&grow_mutex);
}
void trace_record(enum trace_point p, uint64_t a, uint64_t b, uint64_t c) {}
// From the unlock: between two steps of growing the others come in, and an epoch may pass, as a switch is a quiescent point.
void sched_preempt(void) {
    host_cpu->resched_pending = 0;
    atomic_store(&self->seen, UINT64_MAX);
    usleep(200);
    quiescent();
}
void host_yield(void) {
    usleep(0);
}
bool arch_is_virtual(void) {
    return true;
}
void directory_remove_temporary(struct object *o) {}
void process_end(struct process *p) {}
void object_set_security(struct object *o, struct security *s) {}
inv_status_t directory_insert(struct directory *d, const char *name, struct object *o) {
    return INV_OK;
}
void object_type_name(struct object_type *type) {}
void assert_failed(const char *e, const char *file, int line) {
    printf("FAIL %s %s:%d\n", e, file, line);
    abort();
}
void lock_debug_acquire(const void *l, enum lock_rank r, const void *at, bool spinning) {}
void lock_debug_acquire_try(const void *l, enum lock_rank r, const void *at, bool spinning) {}
void lock_debug_release(const void *l, enum lock_rank r) {
    if (l == &table.lock && table.next)
        host_cpu->resched_pending = 1;
}
void lock_debug_may_sleep(const char *file, int line) {}

// Every handle of a thing has the rights that the thing says: a reader that sees others sees the rights of another object.
struct thing {
    struct object obj;
    inv_rights_t rights;
};
static void thing_delete(struct object *o) {
    object_free(o);
}
static struct object_type thing_type = {.name = "thing", .size = 64, .delete = thing_delete};

static unsigned chance(unsigned n) {
    return (unsigned)rand_r(&self->seed) % n;
}

static inv_handle_t add(void) {
    struct thing *thing = calloc(1, sizeof(*thing));
    inv_handle_t h;
    assert(thing && object_init(&thing->obj, &thing_type, &root_job) == INV_OK);
    thing->rights = INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER | chance(INV_RIGHTS_ALL + 1);
    assert(handle_add(&table, &thing->obj, thing->rights, &h) == INV_OK);
    return h;
}

static void look(inv_handle_t h) {
    struct object *o;
    inv_rights_t rights;
    epoch_enter();
    const struct handle_entry *e = handle_find(&table, h);
    if (e && chance(8) == 0)
        usleep(100); // the others go on: nothing of what was found may change
    if (e)
        assert(container_of(e->object, struct thing, obj)->rights == handle_word_rights(e->word));
    epoch_exit();
    if (handle_lookup_rights(&table, h, &thing_type, 0, &o, &rights) == INV_OK) {
        assert(container_of(o, struct thing, obj)->rights == rights);
        atomic_fetch_add(&found_count, 1);
        object_put(o);
    }
}

// What is put into the place of another handle closes that: a handle stands in one place alone, but for those that are about to be closed.
static void publish(inv_handle_t h) {
    inv_handle_t old = atomic_exchange(&shared[chance(SHARED)], h);
    if (old)
        assert(handle_close(&table, old) == INV_OK);
}

static void move(inv_handle_t h) {
    struct handle_transfer transfer;
    assert(handle_reserve(&table, 1) == INV_OK);
    if (handle_take(&table, &h, 1, INV_RIGHT_TRANSFER, &transfer) == INV_OK)
        publish(handle_install(&table, transfer.object, transfer.rights));
    else
        handle_unreserve(&table, 1);
}

static void *work(void *arg) {
    self = arg;
    host_cpu = &self->cpu.arch;
    quiescent();
    for (unsigned n = 0; n < ROUNDS; n++) {
        inv_handle_t h = atomic_load(&shared[chance(SHARED)]), x;
        switch (chance(10)) {
        case 0: publish(add()); break;
        case 1:
            if (handle_duplicate(&table, h, INV_RIGHTS_SAME, &x) == INV_OK)
                publish(x);
            break;
        case 2:
            h = atomic_exchange(&shared[chance(SHARED)], 0); // this thread's alone to end
            if (h && handle_replace(&table, h, INV_RIGHTS_SAME, &x) == INV_OK)
                publish(x);
            break;
        case 3:
            h = atomic_exchange(&shared[chance(SHARED)], 0);
            if (h)
                move(h);
            break;
        default: look(h);
        }
        quiescent();
    }
    atomic_store(&self->seen, UINT64_MAX);
    return NULL;
}

static void *reclaim(void *arg) {
    self = arg;
    host_cpu = &self->cpu.arch;
    quiescent();
    while (!atomic_load(&finished)) {
        epoch_pass();
        atomic_store(&self->seen, UINT64_MAX);
        usleep(100);
        quiescent();
    }
    atomic_store(&self->seen, UINT64_MAX);
    return NULL;
}

int main(void) {
    self = &hosts[WORKERS + 1];
    host_cpu = &self->cpu.arch;
    for (unsigned i = 0; i < ARRAY_SIZE(hosts); i++) {
        hosts[i].cpu.arch.id = i;
        hosts[i].seed = i + 1;
        atomic_store(&hosts[i].seen, UINT64_MAX);
    }
    job_init_boot();
    handle_table_init(&table, &root_job);
    for (unsigned i = 0; i <= WORKERS; i++)
        assert(pthread_create(&hosts[i].id, NULL, i < WORKERS ? work : reclaim, &hosts[i]) == 0);
    for (unsigned i = 0; i < OWN; i++) { // fills the table meanwhile: it grows under all of them
        static inv_handle_t own[OWN];
        quiescent();
        own[i] = add();
        unsigned k = chance(i + 1);
        if (i % 3 == 0 && own[k]) {
            assert(handle_close(&table, own[k]) == INV_OK);
            own[k] = 0;
        }
    }
    atomic_store(&self->seen, UINT64_MAX);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(hosts[i].id, NULL);
    atomic_store(&finished, true);
    pthread_join(hosts[WORKERS].id, NULL);
    handle_table_close_all(&table);
    while (epoch_pass())
        ;
    assert(found_count > 0 && grown > 0);
    assert(atomic_load(&thing_type.counters.live) == 0 && atomic_load(&root_job.accounts[JOB_HANDLES].used) == 0);
    assert(atomic_load(&root_job.accounts[JOB_MEMORY].used) == 0);
    printf("ok handle/threads_race_on_one_table\n");
    return 0;
}
