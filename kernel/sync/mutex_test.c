// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// host-test-sources: kernel/lib/rbtree.c
// host-test-sanitize: thread
//
// Mutexes between threads of the host, on a small scheduler of this test's own (a condition variable a thread): exclusion and order under the thread
// sanitizer, waiters that give up, inheritance and its end.
#pragma GCC diagnostic ignored "-Wtsan" // fences: the mutex itself needs none
#include <assert.h>
#include <errno.h>
#define sched_yield c_sched_yield // the kernel has one of its own
#include <pthread.h>
#undef sched_yield
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mutex.c"
#include "spinlock.c"

#define THREADS 4
#define ROUNDS  1500

struct host_thread {
    struct cpu cpu;
    struct thread thread;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    pthread_t id;
};
static struct host_thread hosts[THREADS];
__thread struct arch_cpu *host_cpu;
_Atomic uint64_t trace_enabled;

static struct host_thread *host_of(struct thread *t) {
    return container_of(t, struct host_thread, thread);
}
void host_yield(void) {
    usleep(0);
}
bool arch_is_virtual(void) {
    return true;
}
void sched_preempt(void) {}
bool sched_started(void) {
    return true;
}
void trace_record(enum trace_point p, uint64_t a, uint64_t b, uint64_t c) {}
void assert_failed(const char *e, const char *file, int line) {
    printf("FAIL %s %s:%d\n", e, file, line);
    exit(1);
}
void lock_debug_acquire(const void *l, enum lock_rank r, const void *at, bool spinning) {}
void lock_debug_acquire_try(const void *l, enum lock_rank r, const void *at, bool spinning) {}
void lock_debug_release(const void *l, enum lock_rank r) {}
void lock_debug_may_sleep(const char *file, int line) {}
nstime_t platform_clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (nstime_t)t.tv_sec * NSEC_PER_SEC + (nstime_t)t.tv_nsec;
}

// --- the small scheduler ---

static void set_state(struct thread *t, enum thread_state s) {
    struct host_thread *h = host_of(t);
    pthread_mutex_lock(&h->lock);
    atomic_store(&t->sched.state, s);
    pthread_cond_signal(&h->woken);
    pthread_mutex_unlock(&h->lock);
}
void thread_sleep_prepare(enum wait_kind kind) {
    set_state(current_thread(), THREAD_SLEEPING);
}
void thread_sleep_finish(void) {
    set_state(current_thread(), THREAD_RUNNING);
}
inv_status_t thread_sleep(nstime_t deadline) {
    struct host_thread *h = host_of(current_thread());
    struct timespec until = {.tv_sec = (time_t)(deadline / NSEC_PER_SEC), .tv_nsec = (long)(deadline % NSEC_PER_SEC)};
    if (deadline != NSTIME_NEVER && platform_clock_now() >= deadline)
        return INV_ERR_TIMED_OUT;
    pthread_mutex_lock(&h->lock);
    while (atomic_load(&h->thread.sched.state) == THREAD_SLEEPING) {
        if (deadline == NSTIME_NEVER)
            pthread_cond_wait(&h->woken, &h->lock);
        else if (pthread_cond_timedwait(&h->woken, &h->lock, &until) == ETIMEDOUT)
            break;
    }
    pthread_mutex_unlock(&h->lock);
    return INV_OK;
}
bool sched_wake(struct thread *t) {
    set_state(t, THREAD_READY);
    return true;
}
bool sched_boost(struct thread *t, uint8_t priority) {
    uint8_t before = atomic_load(&t->sched.priority);
    t->sched.inherited = priority;
    atomic_store(&t->sched.priority, MAX(t->sched.base_priority, priority));
    return atomic_load(&t->sched.priority) != before;
}
void sched_wanted(struct thread *t, bool wanted) {
    atomic_store(&t->sched.wanted, wanted);
}

// --- tests ---

static struct mutex m;
static unsigned counter; // m
static _Atomic unsigned gave_up;

static void become(unsigned n, uint8_t priority) {
    struct host_thread *h = &hosts[n];
    h->thread.sched.base_priority = priority;
    h->thread.sched.inherited = 0;
    atomic_store(&h->thread.sched.priority, priority);
    atomic_store(&h->thread.sched.on_cpu, true);
    spin_lock_init(&h->thread.lock, LOCK_RANK_THREAD);
    list_init(&h->thread.sched.contended);
    h->cpu.arch.id = n;
    h->cpu.arch.current = &h->thread;
    host_cpu = &h->cpu.arch;
}

static void *worker(void *arg) {
    become((unsigned)(uintptr_t)arg, (uint8_t)(100 + (uintptr_t)arg));
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (i % 3 == 0) {
            if (mutex_lock_killable(&m, platform_clock_now() + (i % 7) * 1000) != INV_OK) {
                atomic_fetch_add(&gave_up, 1);
                continue;
            }
        } else {
            mutex_lock(&m);
        }
        assert(mutex_is_held(&m));
        counter++;
        if (i % 16 == 0)
            usleep(10);
        mutex_unlock(&m);
    }
    spin_lock(&current_thread()->lock);
    assert(!atomic_load(&current_thread()->sched.wanted));
    assert(list_empty(&current_thread()->sched.contended) && !current_thread()->sched.blocked_on);
    spin_unlock(&current_thread()->lock);
    assert(atomic_load(&current_thread()->sched.priority) == current_thread()->sched.base_priority);
    return NULL;
}

static void excludes(void) {
    mutex_init(&m, LOCK_RANK_VMO);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert(pthread_create(&hosts[i].id, NULL, worker, (void *)i) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(hosts[i].id, NULL);
    assert(counter + atomic_load(&gave_up) == THREADS * ROUNDS);
    assert(atomic_load(&m.owner) == 0 && !m.waiters.root);
    printf("ok mutex/excludes_while_waiters_come_and_give_up\n");
}

static void *urgent(void *arg) {
    become(1, 150);
    mutex_lock(&m);
    mutex_unlock(&m);
    return NULL;
}

static void inherits(void) {
    mutex_init(&m, LOCK_RANK_VMO);
    become(0, 100);
    mutex_lock(&m);
    assert(pthread_create(&hosts[1].id, NULL, urgent, NULL) == 0);
    while (atomic_load(&current_thread()->sched.priority) != 150)
        usleep(100);
    mutex_unlock(&m);
    assert(atomic_load(&current_thread()->sched.priority) == 100);
    pthread_join(hosts[1].id, NULL);
    printf("ok mutex/owner_inherits_until_it_unlocks\n");
}

int main(void) {
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_mutex_init(&hosts[i].lock, NULL);
        pthread_cond_init(&hosts[i].woken, NULL);
    }
    excludes();
    inherits();
    return 0;
}
