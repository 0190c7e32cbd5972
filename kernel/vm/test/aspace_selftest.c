// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of address spaces in the booted kernel: demand paging, copy-on-write, cuts, rights, moves, growing stacks,
// shared objects, quotas. Each test has a job of its own, which must have nothing charged when it is over.

#include "borrow.h"

#include <kernel/debug.h>
#include <kernel/job.h>

#define AT ((vaddr_t)0x10000000)
#define RW (MMU_READ | MMU_WRITE)

static inv_status_t map_at(struct aspace *as, vaddr_t at, uint64_t length, struct vmo *object, unsigned flags) {
    struct map_request r = {.address = at,
                            .length = length,
                            .prot = RW,
                            .max_prot = RW | MMU_EXECUTE,
                            .flags = flags,
                            .place = MAP_AT | MAP_REPLACE,
                            .object = object};
    vaddr_t where;

    return aspace_map(as, &r, &where);
}

// Runs body with a job and an address space of its own, then looks whether all was given back.
static bool with_aspace(bool (*body)(struct job *job, struct aspace *as)) {
    struct job *job;
    struct aspace *as;

    SELFTEST_CHECK(job_create(&root_job, &job) == INV_OK);
    SELFTEST_CHECK(aspace_create(job, &as) == INV_OK);
    bool ok = body(job, as);
    aspace_put(as);
    SELFTEST_CHECK(atomic_load(&job->accounts[JOB_MEMORY].used) == 0);
    object_put(&job->obj);
    return ok;
}

static bool demand_body(struct job *job, struct aspace *as) {
    (void)job;
    SELFTEST_CHECK(word_faults(as, AT));
    SELFTEST_CHECK(map_at(as, AT, 64 * PAGE_SIZE, NULL, 0) == INV_OK);
    SELFTEST_CHECK(word_is(as, AT, 0));
    SELFTEST_CHECK(word_write(as, AT, 7) && word_write(as, AT + 63 * PAGE_SIZE, 8));
    SELFTEST_CHECK(word_is(as, AT, 7) && word_is(as, AT + 63 * PAGE_SIZE, 8) && word_is(as, AT + 9 * PAGE_SIZE, 0));
    SELFTEST_CHECK(word_faults(as, AT + 64 * PAGE_SIZE) && word_faults(as, AT - 4));
    SELFTEST_CHECK(aspace_discard(as, AT, PAGE_SIZE) == INV_OK);
    SELFTEST_CHECK(word_is(as, AT, 0));
    return true;
}
static bool demand(void) {
    return with_aspace(demand_body);
}
SELFTEST("vm/anonymous_memory_reads_zero_and_keeps_writes", demand);

static bool fork_body(struct job *job, struct aspace *parent) {
    struct aspace *child, *grandchild;

    SELFTEST_CHECK(map_at(parent, AT, 80 * PAGE_SIZE, NULL, 0) == INV_OK);
    for (unsigned i = 0; i < 80; i++)
        SELFTEST_CHECK(word_write(parent, AT + i * PAGE_SIZE, i + 1));
    SELFTEST_CHECK(aspace_fork(parent, job, &child) == INV_OK);
    SELFTEST_CHECK(word_is(child, AT + 70 * PAGE_SIZE, 71));
    SELFTEST_CHECK(word_write(child, AT, 1000) && word_is(parent, AT, 1) && word_is(child, AT, 1000));
    SELFTEST_CHECK(word_write(parent, AT + PAGE_SIZE, 2000) && word_is(child, AT + PAGE_SIZE, 2) &&
                   word_is(parent, AT + PAGE_SIZE, 2000));
    SELFTEST_CHECK(aspace_fork(child, job, &grandchild) == INV_OK);
    SELFTEST_CHECK(word_write(child, AT, 3000) && word_is(grandchild, AT, 1000));
    aspace_put(child);
    SELFTEST_CHECK(word_is(grandchild, AT, 1000) && word_is(grandchild, AT + 79 * PAGE_SIZE, 80));
    SELFTEST_CHECK(word_write(grandchild, AT + 79 * PAGE_SIZE, 5) && word_is(parent, AT + 79 * PAGE_SIZE, 80));
    SELFTEST_CHECK(word_write(parent, AT + 79 * PAGE_SIZE, 6) && word_is(grandchild, AT + 79 * PAGE_SIZE, 5));
    aspace_put(grandchild);
    for (unsigned i = 2; i < 79; i++)
        SELFTEST_CHECK(word_is(parent, AT + i * PAGE_SIZE, i + 1) && word_write(parent, AT + i * PAGE_SIZE, i));
    return true;
}
static bool fork_copies(void) {
    return with_aspace(fork_body);
}
SELFTEST("vm/fork_copies_what_either_side_writes", fork_copies);

static bool cut_body(struct job *job, struct aspace *as) {
    (void)job;
    SELFTEST_CHECK(map_at(as, AT, 10 * PAGE_SIZE, NULL, 0) == INV_OK);
    for (unsigned i = 0; i < 10; i++)
        SELFTEST_CHECK(word_write(as, AT + i * PAGE_SIZE, i + 1));
    SELFTEST_CHECK(aspace_unmap(as, AT + 4 * PAGE_SIZE, 2 * PAGE_SIZE) == INV_OK);
    SELFTEST_CHECK(as->mapping_count == 2 && word_faults(as, AT + 4 * PAGE_SIZE) &&
                   word_faults(as, AT + 5 * PAGE_SIZE));
    SELFTEST_CHECK(word_is(as, AT + 3 * PAGE_SIZE, 4) && word_is(as, AT + 6 * PAGE_SIZE, 7));
    SELFTEST_CHECK(map_at(as, AT + 4 * PAGE_SIZE, 2 * PAGE_SIZE, NULL, 0) == INV_OK);
    SELFTEST_CHECK(word_is(as, AT + 4 * PAGE_SIZE, 0) &&
                   word_is(as, AT + 5 * PAGE_SIZE, 0)); // nothing of before shines through
    SELFTEST_CHECK(aspace_unmap(as, AT, 1 << 30) == INV_OK && as->mapping_count == 0);
    SELFTEST_CHECK(atomic_load(&as->resident) == 0);
    return true;
}
static bool cut(void) {
    return with_aspace(cut_body);
}
SELFTEST("vm/unmap_in_the_middle_leaves_both_ends", cut);

static bool protect_body(struct job *job, struct aspace *as) {
    (void)job;
    SELFTEST_CHECK(map_at(as, AT, 6 * PAGE_SIZE, NULL, 0) == INV_OK);
    SELFTEST_CHECK(word_write(as, AT, 1) && word_write(as, AT + 2 * PAGE_SIZE, 3));
    SELFTEST_CHECK(aspace_protect(as, AT + 2 * PAGE_SIZE, PAGE_SIZE, MMU_READ) == INV_OK && as->mapping_count == 3);
    SELFTEST_CHECK(!word_write(as, AT + 2 * PAGE_SIZE, 9) && word_is(as, AT + 2 * PAGE_SIZE, 3) &&
                   word_write(as, AT + 3 * PAGE_SIZE, 4));
    SELFTEST_CHECK(aspace_protect(as, AT + 2 * PAGE_SIZE, PAGE_SIZE, 0) == INV_OK &&
                   word_faults(as, AT + 2 * PAGE_SIZE));
    SELFTEST_CHECK(aspace_protect(as, AT, 6 * PAGE_SIZE, RW) == INV_OK && as->mapping_count == 1);
    SELFTEST_CHECK(word_is(as, AT + 2 * PAGE_SIZE, 3) && word_write(as, AT + 2 * PAGE_SIZE, 9) &&
                   word_is(as, AT + 2 * PAGE_SIZE, 9));
    SELFTEST_CHECK(aspace_protect(as, AT + 5 * PAGE_SIZE, 2 * PAGE_SIZE, MMU_READ) == INV_ERR_NO_MEMORY &&
                   !word_write(as, AT + 5 * PAGE_SIZE, 1));
    return true;
}
static bool protect(void) {
    return with_aspace(protect_body);
}
SELFTEST("vm/protect_takes_rights_and_gives_them_back", protect);

static bool shared_body(struct job *job, struct aspace *a) {
    struct aspace *b;
    struct vmo *v;
    size_t done;
    uint32_t word = 77;

    SELFTEST_CHECK(aspace_create(job, &b) == INV_OK && vmo_create(job, 5 * PAGE_SIZE, &v) == INV_OK);
    SELFTEST_CHECK(map_at(a, AT, 5 * PAGE_SIZE, v, MAPPING_SHARED) == INV_OK &&
                   map_at(b, 2 * AT, 5 * PAGE_SIZE, v, MAPPING_SHARED) == INV_OK);
    SELFTEST_CHECK(word_is(b, 2 * AT + 4 * PAGE_SIZE, 0));
    SELFTEST_CHECK(word_write(a, AT + 4 * PAGE_SIZE, 42) && word_is(b, 2 * AT + 4 * PAGE_SIZE, 42));
    SELFTEST_CHECK(vmo_write(v, PAGE_SIZE, &word, sizeof(word), &done) == INV_OK && done == 4 &&
                   word_is(a, AT + PAGE_SIZE, 77));
    SELFTEST_CHECK(word_write(b, 2 * AT + PAGE_SIZE + 8, 5));
    SELFTEST_CHECK(vmo_resize(v, PAGE_SIZE + 4) == INV_OK);
    SELFTEST_CHECK(word_faults(a, AT + 4 * PAGE_SIZE) && word_faults(b, 2 * AT + 4 * PAGE_SIZE));
    SELFTEST_CHECK(word_is(a, AT + PAGE_SIZE, 77) && word_is(a, AT + PAGE_SIZE + 8, 0)); // the tail was cleared
    SELFTEST_CHECK(word_write(b, 2 * AT + PAGE_SIZE + 12, 6));
    SELFTEST_CHECK(vmo_resize(v, 5 * PAGE_SIZE) == INV_OK);
    SELFTEST_CHECK(word_is(a, AT + 4 * PAGE_SIZE, 0) && word_is(a, AT + PAGE_SIZE + 12, 0) &&
                   word_is(a, AT + PAGE_SIZE, 77));
    SELFTEST_CHECK(vmo_zero_range(v, 0, 2 * PAGE_SIZE) == INV_OK && word_is(a, AT + PAGE_SIZE, 0));
    aspace_put(b);
    vmo_put(v);
    return true;
}
static bool shared(void) {
    return with_aspace(shared_body);
}
SELFTEST("vm/shared_object_is_one_memory_and_shrinks_everywhere", shared);

static bool private_body(struct job *job, struct aspace *as) {
    struct vmo *v;
    size_t done;
    uint32_t word = 1;

    SELFTEST_CHECK(vmo_create(job, 3 * PAGE_SIZE, &v) == INV_OK && vmo_write(v, 0, &word, 4, &done) == INV_OK);
    SELFTEST_CHECK(map_at(as, AT, 4 * PAGE_SIZE, v, 0) == INV_OK && word_is(as, AT, 1));
    word = 2;
    SELFTEST_CHECK(vmo_write(v, 0, &word, 4, &done) == INV_OK && word_is(as, AT, 2)); // not copied yet: sees the object
    SELFTEST_CHECK(word_write(as, AT, 3) && vmo_read(v, 0, &word, 4, &done) == INV_OK && word == 2);
    SELFTEST_CHECK(word_faults(as, AT + 3 * PAGE_SIZE)); // behind the end
    SELFTEST_CHECK(vmo_resize(v, 0) == INV_OK && word_faults(as, AT));
    vmo_put(v);
    return true;
}
static bool private_mapping(void) {
    return with_aspace(private_body);
}
SELFTEST("vm/private_mapping_copies_and_leaves_its_object_alone", private_mapping);

static bool stack_body(struct job *job, struct aspace *as) {
    (void)job;
    as->stack_limit = 64 * PAGE_SIZE;
    SELFTEST_CHECK(map_at(as, AT, 4 * PAGE_SIZE, NULL, MAPPING_GROWSDOWN) == INV_OK);
    SELFTEST_CHECK(word_write(as, AT, 1) && word_write(as, AT - 10 * PAGE_SIZE, 2) &&
                   word_write(as, AT - 60 * PAGE_SIZE, 3));
    SELFTEST_CHECK(word_is(as, AT, 1) && word_is(as, AT - 10 * PAGE_SIZE, 2) && word_is(as, AT - 60 * PAGE_SIZE, 3));
    SELFTEST_CHECK(word_faults(as, AT - 61 * PAGE_SIZE)); // the limit
    as->stack_limit = MIB(8);
    SELFTEST_CHECK(map_at(as, AT - MIB(2), PAGE_SIZE, NULL, 0) == INV_OK);
    SELFTEST_CHECK(word_write(as, AT - MIB(1) + PAGE_SIZE, 4));
    SELFTEST_CHECK(word_faults(as, AT - MIB(1) - PAGE_SIZE)); // would come too near to its neighbour
    return true;
}
static bool stack(void) {
    return with_aspace(stack_body);
}
SELFTEST("vm/stack_grows_to_its_limit_and_keeps_its_gap", stack);

static bool remap_body(struct job *job, struct aspace *as) {
    vaddr_t to;

    (void)job;
    SELFTEST_CHECK(map_at(as, AT, 8 * PAGE_SIZE, NULL, 0) == INV_OK);
    for (unsigned i = 0; i < 8; i++)
        SELFTEST_CHECK(word_write(as, AT + i * PAGE_SIZE, i + 1));
    SELFTEST_CHECK(aspace_remap(as, AT, 8 * PAGE_SIZE, 16 * PAGE_SIZE, 0, 0, &to) == INV_OK && to == AT &&
                   word_write(as, AT + 15 * PAGE_SIZE, 16));
    SELFTEST_CHECK(map_at(as, AT + 16 * PAGE_SIZE, PAGE_SIZE, NULL, MAPPING_SHARED * 0 + MAPPING_DONTFORK) == INV_OK);
    SELFTEST_CHECK(aspace_remap(as, AT, 16 * PAGE_SIZE, 32 * PAGE_SIZE, 0, 0, &to) == INV_ERR_NO_MEMORY);
    SELFTEST_CHECK(aspace_remap(as, AT + 4 * PAGE_SIZE, 4 * PAGE_SIZE, 8 * PAGE_SIZE, REMAP_MAY_MOVE, 0, &to) ==
                       INV_OK &&
                   to != AT);
    SELFTEST_CHECK(word_is(as, to, 5) && word_is(as, to + 3 * PAGE_SIZE, 8) && word_is(as, to + 4 * PAGE_SIZE, 0) &&
                   word_write(as, to + 4 * PAGE_SIZE, 3));
    SELFTEST_CHECK(word_faults(as, AT + 4 * PAGE_SIZE) && word_is(as, AT + 3 * PAGE_SIZE, 4) &&
                   word_is(as, AT + 8 * PAGE_SIZE, 0));
    SELFTEST_CHECK(word_is(as, AT + 15 * PAGE_SIZE, 16));
    SELFTEST_CHECK(aspace_remap(as, to, 8 * PAGE_SIZE, PAGE_SIZE, REMAP_MAY_MOVE | REMAP_FIXED, 4 * AT, &to) ==
                       INV_OK &&
                   to == 4 * AT && word_is(as, to, 5));
    return true;
}
static bool remap(void) {
    return with_aspace(remap_body);
}
SELFTEST("vm/remap_grows_moves_and_shrinks", remap);

static bool brk_body(struct job *job, struct aspace *as) {
    (void)job;
    as->brk_start = as->brk = AT + 100;
    SELFTEST_CHECK(aspace_set_brk(as, AT + 3 * PAGE_SIZE, UINT64_MAX) == AT + 3 * PAGE_SIZE &&
                   word_write(as, AT + 2 * PAGE_SIZE, 1));
    SELFTEST_CHECK(aspace_set_brk(as, AT + 30 * PAGE_SIZE, UINT64_MAX) == AT + 30 * PAGE_SIZE &&
                   as->mapping_count == 1);
    SELFTEST_CHECK(word_is(as, AT + 2 * PAGE_SIZE, 1) && word_write(as, AT + 29 * PAGE_SIZE, 2));
    SELFTEST_CHECK(aspace_set_brk(as, AT + 5 * PAGE_SIZE, UINT64_MAX) == AT + 5 * PAGE_SIZE &&
                   word_faults(as, AT + 29 * PAGE_SIZE));
    SELFTEST_CHECK(aspace_set_brk(as, AT + 30 * PAGE_SIZE, UINT64_MAX) == AT + 30 * PAGE_SIZE &&
                   word_is(as, AT + 29 * PAGE_SIZE, 0));
    SELFTEST_CHECK(aspace_set_brk(as, AT + 40 * PAGE_SIZE, 4 * PAGE_SIZE) == AT + 30 * PAGE_SIZE &&
                   aspace_set_brk(as, AT, 0) == AT + 30 * PAGE_SIZE);
    return true;
}
static bool brk(void) {
    return with_aspace(brk_body);
}
SELFTEST("vm/program_break_moves_both_ways", brk);

static bool quota_body(struct job *job, struct aspace *as) {
    struct exception e;
    unsigned pages = 0;

    SELFTEST_CHECK(map_at(as, AT, 1000 * PAGE_SIZE, NULL, 0) == INV_OK);
    job_set_limit(job, JOB_MEMORY, 64 * PAGE_SIZE);
    while (pages < 1000 && aspace_fault(as, AT + pages * PAGE_SIZE, FAULT_WRITE | FAULT_USER, &e) == INV_OK)
        pages++;
    SELFTEST_CHECK(pages > 30 && pages < 64);
    SELFTEST_CHECK(aspace_fault(as, AT + pages * PAGE_SIZE, FAULT_WRITE | FAULT_USER, &e) == INV_ERR_NO_MEMORY);
    SELFTEST_CHECK(aspace_unmap(as, AT, 8 * PAGE_SIZE) == INV_OK);
    SELFTEST_CHECK(aspace_fault(as, AT + pages * PAGE_SIZE, FAULT_WRITE | FAULT_USER, &e) == INV_OK);
    return true;
}
static bool quota(void) {
    return with_aspace(quota_body);
}
SELFTEST("vm/faults_stop_at_the_quota_of_the_job", quota);

static bool placement_body(struct job *job, struct aspace *as) {
    struct map_request r = {.length = 3 * PAGE_SIZE, .prot = RW, .max_prot = RW};
    vaddr_t at[40], again;

    (void)job;
    for (unsigned i = 0; i < 40; i++) {
        r.flags = i % 2 ? MAPPING_DONTFORK : 0; // so that neighbours do not merge
        SELFTEST_CHECK(aspace_map(as, &r, &at[i]) == INV_OK);
        SELFTEST_CHECK(at[i] == as->mmap_top - (i + 1) * 3 * PAGE_SIZE);
    }
    SELFTEST_CHECK(as->mapping_count == 40 && aspace_unmap(as, at[7], 3 * PAGE_SIZE) == INV_OK);
    SELFTEST_CHECK(aspace_map(as, &r, &again) == INV_OK && again == at[7]); // the hole is filled first
    r.place = MAP_AT;
    r.address = at[3];
    SELFTEST_CHECK(aspace_map(as, &r, &again) == INV_ERR_EXISTS);
    return true;
}
static bool placement(void) {
    return with_aspace(placement_body);
}
SELFTEST("vm/mappings_go_down_and_fill_holes", placement);

static bool tables_body(struct job *job, struct aspace *as) {
    uint32_t tables = atomic_load(&as->arch.table_pages);

    (void)job;
    for (uint64_t offset = 0; offset < GIB(2);
         offset += MIB(8)) // a whole gigabyte at once would be refused on a small machine
        SELFTEST_CHECK(map_at(as, AT + offset, MIB(8), NULL, 0) == INV_OK);
    SELFTEST_CHECK(as->mapping_count == 1);
    for (uint64_t offset = 0; offset < GIB(2); offset += MIB(64))
        SELFTEST_CHECK(word_write(as, AT + offset, 1));
    SELFTEST_CHECK(atomic_load(&as->arch.table_pages) > tables + 30);
    SELFTEST_CHECK(aspace_unmap(as, AT, GIB(1)) == INV_OK && word_is(as, AT + GIB(1), 1));
    SELFTEST_CHECK(aspace_unmap(as, AT + GIB(1), GIB(1)) == INV_OK);
    SELFTEST_CHECK(atomic_load(&as->arch.table_pages) <= tables + 4 &&
                   as->charged_tables == atomic_load(&as->arch.table_pages));
    return true;
}
static bool tables(void) {
    return with_aspace(tables_body);
}
SELFTEST("vm/empty_page_tables_are_given_back", tables);

static bool duplicate_over_itself_body(struct job *job, struct aspace *as) {
    struct vmo *v;
    vaddr_t at;

    SELFTEST_CHECK(vmo_create(job, 2 * PAGE_SIZE, &v) == INV_OK);
    SELFTEST_CHECK(map_at(as, AT, 2 * PAGE_SIZE, v, MAPPING_SHARED) == INV_OK);
    vmo_put(v);
    SELFTEST_CHECK(aspace_remap(as, AT, 0, 2 * PAGE_SIZE, REMAP_MAY_MOVE | REMAP_FIXED, AT, &at) == INV_ERR_INVALID);
    SELFTEST_CHECK(as->mapping_count == 1 && word_is(as, AT, 0));
    return true;
}
static bool duplicate_over_itself(void) {
    return with_aspace(duplicate_over_itself_body);
}
SELFTEST("vm/duplicate_over_its_own_source_is_refused", duplicate_over_itself);
