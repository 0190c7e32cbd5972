// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// host-test-sources:
// host-test-sanitize: thread
//
// Spin locks between threads of the host, in turn and not in turn: the thread sanitizer sees whether they order what they guard.
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "spinlock.c"

#define THREADS 4
#define ROUNDS  3000

static struct cpu test_cpus[THREADS];
__thread struct arch_cpu *host_cpu;
static bool virtual_machine;

void host_yield(void) {
    usleep(0);
}
bool arch_is_virtual(void) {
    return virtual_machine;
}
void sched_preempt(void) {}
void assert_failed(const char *e, const char *file, int line) {
    printf("FAIL %s %s:%d\n", e, file, line);
    exit(1);
}
void lock_debug_acquire(const void *l, enum lock_rank r, const void *at, bool spinning) {}
void lock_debug_acquire_try(const void *l, enum lock_rank r, const void *at, bool spinning) {}
void lock_debug_release(const void *l, enum lock_rank r) {}

static struct spinlock lock = SPINLOCK_INIT(LOCK_RANK_DEVICE);
static unsigned counter, tries; // lock

static void *worker(void *arg) {
    host_cpu = &((struct cpu *)arg)->arch;
    host_cpu->id = (uint32_t)((struct cpu *)arg - test_cpus);
    for (unsigned i = 0; i < ROUNDS; i++) {
        irq_flags_t flags = spin_lock_irq(&lock);
        assert(host_cpu->irq_off && host_cpu->preempt_count == 1 && spin_is_held(&lock));
        counter++;
        spin_unlock_irq(&lock, flags);
        if (spin_try_lock(&lock)) {
            tries++;
            spin_unlock(&lock);
        }
        assert(!host_cpu->irq_off && host_cpu->preempt_count == 0);
    }
    return NULL;
}

static void run(const char *name) {
    pthread_t threads[THREADS];
    counter = tries = 0;
    for (unsigned i = 0; i < THREADS; i++)
        assert(pthread_create(&threads[i], NULL, worker, &test_cpus[i]) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert(counter == THREADS * ROUNDS && tries > 0);
    printf("ok spinlock/%s\n", name);
}

int main(void) {
    spin_init_boot();
    run("excludes_in_turn");
    virtual_machine = true;
    spin_init_boot();
    run("excludes_out_of_turn");
    // 16-bit tickets wrap: more rounds than tickets, alone
    host_cpu = &test_cpus[0].arch;
    for (unsigned i = 0; i < 70000; i++) {
        spin_lock(&lock);
        spin_unlock(&lock);
    }
    printf("ok spinlock/tickets_wrap\n");
    return 0;
}
