// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// host-test-sources: kernel/vm/vmo_slots.c
//
// Host test of slot tables against a plain array: random stores, removals and clones over several tables; every page's
// count must equal the tables that a walk finds it in, through shared nodes, and all memory must come back at the end.

#include "../vmo_slots.h"

#include <kernel/job.h>
#include <kernel/slab.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLES 4
#define PAGES  5000u // of the model: indexes below this, and the same number at a far place
#define FAR    (1ull << 30)

struct page *page_array;
uint64_t page_array_base, page_array_length;
static long live_nodes, live_pages, charged, fail_in = -1;

void assert_failed(const char *e, const char *file, int line) {
    printf("FAIL %s %s:%d\n", e, file, line);
    exit(1);
}
#define CHECK(e) ((e) ? (void)0 : assert_failed(#e, __FILE__, __LINE__))

void slab_cache_init(struct slab_cache *c, const char *name, size_t object_size, size_t align) {
    c->object_size = (uint32_t)object_size;
}
void *slab_alloc(struct slab_cache *c) {
    if (fail_in >= 0 && fail_in-- == 0)
        return NULL;
    live_nodes++;
    return malloc(c->object_size);
}
void slab_free(struct slab_cache *c, void *p) {
    live_nodes--;
    free(p);
}
inv_status_t job_charge(struct job *job, enum job_resource r, uint64_t amount) {
    charged += (long)amount;
    return INV_OK;
}
void job_uncharge(struct job *job, enum job_resource r, uint64_t amount) {
    charged -= (long)amount;
}
void page_get(struct page *p) {
    p->count++;
}
void page_put(struct page *p) {
    CHECK(p->count > 0);
    if (--p->count == 0) {
        live_pages--;
        free(p);
    }
}
static struct page *page_new(void) {
    struct page *p = calloc(1, sizeof(*p));
    p->count = 1;
    live_pages++;
    return p;
}

static struct job job;
static struct slot_table table[TABLES];
static struct page *model[TABLES][2 * PAGES];

static uint64_t place_of(unsigned i) {
    return i < PAGES ? i : FAR + (i - PAGES);
}

static void compare(unsigned t) {
    bool exclusive;

    for (unsigned i = 0; i < 2 * PAGES; i++)
        CHECK(slots_lookup(&table[t], place_of(i), &exclusive) == model[t][i] &&
              slots_peek(&table[t], place_of(i)) == model[t][i]);
    uint64_t index = 0, expected = 0;
    for (struct page *p; (p = slots_next(&table[t], index, UINT64_MAX, &index)); index++, expected++) {
        unsigned i = (unsigned)(index < PAGES ? index : index - FAR + PAGES);
        CHECK(model[t][i] == p);
    }
    unsigned count = 0;
    for (unsigned i = 0; i < 2 * PAGES; i++)
        count += model[t][i] != NULL;
    CHECK(count == expected);
}

static void step_store(unsigned t) {
    unsigned i = (unsigned)rand() % (2 * PAGES);
    struct slot_place place;
    bool exclusive;

    if (!slots_prepare(&table[t], place_of(i), &job, &place))
        return;
    CHECK(slots_at(&place) == model[t][i]);
    model[t][i] = page_new();
    struct page *old = slots_store(&place, model[t][i]);
    if (old)
        page_put(old);
    CHECK(slots_lookup(&table[t], place_of(i), &exclusive) == model[t][i] && exclusive);
}

static void step_remove(unsigned t) {
    unsigned first = (unsigned)rand() % (2 * PAGES), n = rand() % 3 ? (unsigned)rand() % 50 : (unsigned)rand() % PAGES,
             gone = 0;
    unsigned last = MIN(first + n, first < PAGES ? PAGES - 1 : 2 * PAGES - 1);
    uint64_t removed;

    for (unsigned i = first; i <= last; i++)
        gone += model[t][i] != NULL;
    if (slots_remove(&table[t], place_of(first), place_of(last), &job, &removed) != INV_OK)
        return;
    CHECK(removed == gone);
    for (unsigned i = first; i <= last; i++)
        model[t][i] = NULL;
}

static void step_clone(unsigned t) {
    unsigned to = (t + 1 + (unsigned)rand() % (TABLES - 1)) % TABLES;

    slots_release(&table[to]);
    slots_share(&table[t], &table[to]);
    memcpy(model[to], model[t], sizeof(model[t]));
}

static void window(unsigned t) {
    struct page *out[16];
    unsigned first = (unsigned)rand() % (PAGES - 16);

    slots_window(&table[t], first, 16, out);
    for (unsigned i = 0; i < 16; i++)
        CHECK(out[i] == model[t][first + i]);
    slots_peek_window(&table[t], first, 16, out);
    for (unsigned i = 0; i < 16; i++)
        CHECK(out[i] == model[t][first + i]);
}

static void random_steps(bool failures) {
    for (unsigned step = 0; step < 30000; step++) {
        unsigned t = (unsigned)rand() % TABLES, kind = (unsigned)rand() % 100;
        fail_in = failures && rand() % 4 == 0 ? rand() % 4 : -1;
        if (kind < 90)
            step_store(t);
        else if (kind < 97)
            step_remove(t);
        else
            step_clone(t);
        window(t);
        if (step % 500 == 0)
            for (unsigned i = 0; i < TABLES; i++)
                compare(i);
    }
    fail_in = -1;
    for (unsigned t = 0; t < TABLES; t++) {
        compare(t);
        slots_release(&table[t]);
    }
    memset(model, 0, sizeof(model));
    CHECK(live_nodes == 0 && live_pages == 0 && charged == 0);
}

int main(void) {
    slots_init_boot();
    random_steps(false);
    printf("ok vmo_slots/tables_share_and_copy\n");
    random_steps(true);
    printf("ok vmo_slots/a_failed_step_changes_nothing\n");
    return 0;
}
