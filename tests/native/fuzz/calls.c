// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Random ordinary native calls from several threads of several processes, which share their handles and close them under each other: arguments by the table that is
// made of the declarations. Whatever happens, a call gives only a status that its declaration names, and zeros with an error; and when all is closed, all that was
// charged has come back. The seed is printed; "calls SEED" repeats with it.
#define _GNU_SOURCE
#include "testing.h"

#include <invar/call_table.h>
#include <invar/random.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 2, THREADS = 4, TYPES = 16, EACH = 8, POOL = TYPES * EACH, MILLISECONDS = 700 };
enum { JOB_PLACE = INV_OBJECT_JOB * EACH }; // of a job that is never closed
#define BUFFER_BYTES ((size_t)64 << 10)
#define GUARD_BYTES  ((size_t)2 << 30)
#define JOB_BYTES    ((uint64_t)24 << 20)

static _Atomic inv_handle_t pool[POOL]; // EACH of every type
static inv_handle_t outer;              // bounds what all of them use; not in the pool
static char *buffer;                    // nothing is mapped behind it, as far as a size goes
static uint64_t seed, until;
static _Atomic unsigned long calls, successes;
static _Atomic unsigned failures;

static uint64_t now(void) {
    uint64_t time = 0;
    CHECK_OK(inv_clock_read(INV_CLOCK_MONOTONIC, &time));
    return time;
}

static uint64_t any_integer(struct inv_random *r, unsigned bits) {
    static const uint64_t special[] = {
        0, 1, 4095, 4096, 4097, 65536, INV_VMO_SIZE_MAX, INV_VMO_SIZE_MAX + 1, UINT64_MAX, INT64_MAX};
    switch (inv_random_below(r, 8)) {
    case 0: return inv_random_next(r);
    case 1: return special[inv_random_below(r, sizeof(special) / sizeof(special[0]))];
    case 2: return bits < 64 ? inv_random_next(r) >> (64 - bits) : inv_random_next(r);
    default: return inv_random_below(r, bits == 1 ? 2 : 1u << 18);
    }
}

// Mostly one of the wanted type, often of another, sometimes an old one or none.
static uint64_t any_handle(struct inv_random *r, uint64_t type) {
    uint64_t chance = inv_random_below(r, 16);
    if (chance == 0)
        return inv_random_next(r) >> inv_random_below(r, 64);
    if (chance < 4 || type == 0)
        return atomic_load(&pool[inv_random_below(r, POOL)]);
    return atomic_load(&pool[type % TYPES * EACH + inv_random_below(r, EACH)]);
}

static uint64_t argument(struct inv_random *r, const struct inv_call_entry *e, unsigned i) {
    uint64_t detail = e->arguments[i].detail;
    switch (e->arguments[i].kind) {
    case INV_ARGUMENT_NONE: return inv_random_next(r);
    case INV_ARGUMENT_INTEGER: return any_integer(r, (unsigned)detail);
    case INV_ARGUMENT_ENUM: return inv_random_below(r, 8) ? inv_random_below(r, 5) : inv_random_next(r);
    case INV_ARGUMENT_FLAGS: return inv_random_below(r, 8) ? inv_random_next(r) & detail : inv_random_next(r);
    case INV_ARGUMENT_HANDLE: return any_handle(r, detail);
    case INV_ARGUMENT_IN:
    case INV_ARGUMENT_OUT:
        switch (inv_random_below(r, 12)) {
        case 0: return inv_random_below(r, 4096);
        case 1: return UINT64_MAX - inv_random_below(r, 1 << 20);
        default: return (uintptr_t)buffer + inv_random_below(r, BUFFER_BYTES);
        }
    case INV_ARGUMENT_SIZE:
        return inv_random_below(r, 12) ? inv_random_below(r, BUFFER_BYTES) : detail - 1 + inv_random_below(r, 3);
    }
    return 0;
}

static void complain(const struct inv_call_entry *e, const char *what, const struct inv_result *result) {
    if (atomic_fetch_add(&failures, 1) < 10)
        printf("%s: %s: %s, values %llx %llx %llx (seed %llu)\n", e->name, what, inv_status_name(result->status),
               (unsigned long long)result->values[0], (unsigned long long)result->values[1],
               (unsigned long long)result->values[2], (unsigned long long)seed);
}

static void judge(const struct inv_call_entry *e, const struct inv_result *result) {
    unsigned n = (unsigned)-result->status;
    if (result->status > 0 || n >= 128 || !(e->statuses[n / 64] >> n % 64 & 1))
        complain(e, "a status that is not declared", result);
    for (unsigned i = 0; i < 3; i++) {
        if (result->values[i] != 0 && (result->status != INV_OK || i >= e->results))
            complain(e, "a value that should be zero", result);
        if (result->status == INV_OK && (e->handle_results >> i & 1) &&
            (result->values[i] == 0 || result->values[i] > UINT32_MAX))
            complain(e, "no handle", result);
    }
}

// A handle that was made takes a place in the pool; what was there is closed.
static void keep(struct inv_random *r, inv_handle_t h) {
    uint32_t type = 0, rights;
    uint64_t identity;
    (void)inv_handle_info(h, &type, &rights, &identity); // another thread may have closed it already
    uint64_t place = type % TYPES * EACH + inv_random_below(r, EACH);
    if (place == JOB_PLACE)
        place++;
    inv_handle_t old = atomic_exchange(&pool[place], h);
    if (old != INV_HANDLE_INVALID)
        (void)inv_handle_close(old); // may have been closed, or replaced
}

// Calls that are not made at random, and why.
static const char *const left_out[] = {
    "bootstrap",                          // would lead out of the pool
    "object_wait",    "object_wait_many", // until a deadline that may be never
    "region_create",  "region_map",
    "region_unmap",   "region_protect", // what is mapped outlives the handles, and may be the program itself
    "region_destroy",
    "channel_write", // two channels with an end of the other in a message keep each other (CAVEATS.md)
};

// The two jobs are not closed.
static bool is_left_out(const struct inv_call_entry *e, const uint64_t *a) {
    for (unsigned i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
        if (strcmp(e->name, left_out[i]) == 0)
            return true;
    bool closes = strcmp(e->name, "handle_close") == 0 || strcmp(e->name, "handle_replace") == 0;
    return closes && (a[0] == atomic_load(&pool[JOB_PLACE]) || a[0] == outer);
}

static void *caller(void *number) {
    struct inv_random r = {seed * 1000003 + (uintptr_t)number};
    while (now() < until) {
        const struct inv_call_entry *e = &inv_call_table[inv_random_below(&r, INV_CALL_TABLE_SIZE)];
        uint64_t a[6];
        for (unsigned i = 0; i < 6; i++)
            a[i] = argument(&r, e, i);
        if (is_left_out(e, a))
            continue;
        struct inv_result result = inv_syscall6(e->number, a[0], a[1], a[2], a[3], a[4], a[5]);
        atomic_fetch_add(&calls, 1);
        judge(e, &result);
        if (result.status != INV_OK)
            continue;
        atomic_fetch_add(&successes, 1);
        for (unsigned i = 0; i < 3; i++) {
            if (e->handle_results >> i & 1)
                keep(&r, (inv_handle_t)result.values[i]);
        }
    }
    return NULL;
}

static void pool_begin(void) {
    inv_handle_t job;
    CHECK_OK(inv_job_create(test_job, &outer));
    CHECK_OK(inv_job_set_limit(outer, INV_JOB_RESOURCE_MEMORY, JOB_BYTES));
    CHECK_OK(inv_job_create(outer, &job));
    CHECK_OK(inv_handle_close(test_job)); // nobody comes by the root job by chance
    atomic_store(&pool[JOB_PLACE], job);
}

// The machine may be short of pages for a moment (NO_MEMORY, where a charge that stayed would be QUOTA): most likely what was closed is freed a little later.
static inv_status_t write_patiently(inv_handle_t vmo, uint64_t offset) {
    inv_status_t status = INV_OK;
    uint64_t done;
    for (unsigned turn = 0; turn < 1000; turn++) {
        status = inv_vmo_write(vmo, offset, buffer, 1, &done);
        if (status != INV_ERR_NO_MEMORY)
            break;
        usleep(2000);
    }
    return status;
}

// Nothing is left that pays: the outer job can spend nearly all it may.
static void all_has_come_back(void) {
    inv_handle_t vmo;
    uint64_t size = JOB_BYTES - (2 << 20);
    for (unsigned i = 0; i < POOL; i++)
        (void)inv_handle_close(atomic_load(&pool[i]));
    CHECK_OK(inv_vmo_create(outer, size, 0, &vmo));
    for (uint64_t offset = 0; offset < size; offset += 4096)
        CHECK_OK(write_patiently(vmo, offset));
    CHECK_OK(inv_handle_close(vmo));
    CHECK_OK(inv_handle_close(outer));
}

static int process(unsigned number) {
    pthread_t threads[THREADS];
    test_begin();
    buffer = mmap(NULL, BUFFER_BYTES + GUARD_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(buffer != MAP_FAILED && mprotect(buffer, BUFFER_BYTES, PROT_READ | PROT_WRITE) == 0);
    pool_begin();
    until = now() + MILLISECONDS * UINT64_C(1000000);
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, caller, (void *)(uintptr_t)(number * THREADS + i)) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    all_has_come_back();
    printf("process %u: %lu calls, %lu of them good, seed %llu\n", number, calls, successes, (unsigned long long)seed);
    CHECK(failures == 0 && successes > 500 && successes < calls);
    return test_end();
}

int main(int count, char **arguments) {
    int status, failed = 0;
    seed = count > 1 ? strtoull(arguments[1], NULL, 0) : now();
    for (unsigned i = 0; i < PROCESSES; i++) {
        if (fork() == 0)
            exit(process(i));
    }
    while (wait(&status) > 0)
        failed |= status;
    return failed != 0;
}
