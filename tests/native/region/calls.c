// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Address regions: mapping by right, places, nesting, ends; each error in order.
#include "testing.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define RW   (INV_MAP_PROTECTION_READ | INV_MAP_PROTECTION_WRITE)

static inv_handle_t process, root;

static sigjmp_buf back;
static void fault(int s) {
    siglongjmp(back, s);
}

// The signal that an access ends with, 0: none.
static int access_ends(volatile char *at, bool write) {
    int s = sigsetjmp(back, 1);
    if (s != 0)
        return s;
    if (write)
        *at = 1;
    else
        (void)*at;
    return 0;
}

static inv_handle_t vmo_of(uint64_t pages) {
    inv_handle_t vmo;
    CHECK_OK(inv_vmo_create(test_job, pages * PAGE, INV_VMO_OPTION_RESIZABLE, &vmo));
    return vmo;
}

static void mapping_shares_the_object(void) {
    inv_handle_t vmo = vmo_of(4);
    uint64_t a, b, done;
    char bytes[4];
    CHECK_OK(inv_region_map(root, vmo, 0, 4 * PAGE, INV_REGION_ANYWHERE, RW, &a));
    CHECK_OK(inv_region_map(root, vmo, PAGE, 2 * PAGE, INV_REGION_ANYWHERE, INV_MAP_PROTECTION_READ, &b));
    memcpy((char *)a + PAGE, "abcd", 4);
    CHECK(memcmp((char *)b, "abcd", 4) == 0);
    CHECK_OK(inv_vmo_read(vmo, PAGE, bytes, 4, &done));
    CHECK(done == 4 && memcmp(bytes, "abcd", 4) == 0);
    CHECK(access_ends((char *)b, true) == SIGSEGV);
    CHECK_OK(inv_region_protect(root, b, 2 * PAGE, RW));
    CHECK(access_ends((char *)b, true) == 0);
    CHECK_OK(inv_region_unmap(root, b, 2 * PAGE));
    CHECK(access_ends((char *)b, false) == SIGSEGV);
    CHECK_OK(inv_vmo_set_size(vmo, PAGE));
    CHECK(access_ends((char *)a + PAGE, false) == SIGBUS);
    CHECK_OK(inv_region_unmap(root, a, 4 * PAGE));
    CHECK_OK(inv_region_unmap(root, a, 4 * PAGE)); // nothing there: nothing happens
    inv_handle_close(vmo);
}

static void rights_bound_what_is_mapped(void) {
    inv_handle_t vmo = vmo_of(1);
    uint64_t a;
    CHECK_STATUS(inv_region_map(root, handle_without(vmo, INV_RIGHT_MAP), 0, PAGE, INV_REGION_ANYWHERE, RW, &a),
                 INV_ERR_ACCESS);
    CHECK_STATUS(inv_region_map(root, handle_without(vmo, INV_RIGHT_WRITE), 0, PAGE, INV_REGION_ANYWHERE, RW, &a),
                 INV_ERR_ACCESS);
    CHECK_STATUS(inv_region_map(root, handle_without(vmo, INV_RIGHT_READ), 0, PAGE, INV_REGION_ANYWHERE, RW, &a),
                 INV_ERR_ACCESS);
    CHECK_STATUS(inv_region_map(root, handle_without(vmo, INV_RIGHT_EXECUTE), 0, PAGE, INV_REGION_ANYWHERE,
                                INV_MAP_PROTECTION_READ | INV_MAP_PROTECTION_EXECUTE, &a),
                 INV_ERR_ACCESS);
    CHECK_OK(inv_region_map(root, handle_without(vmo, INV_RIGHT_WRITE), 0, PAGE, INV_REGION_ANYWHERE,
                            INV_MAP_PROTECTION_READ, &a));
    CHECK_STATUS(inv_region_protect(root, a, PAGE, RW), INV_ERR_ACCESS); // also later
    CHECK(mprotect((void *)a, PAGE, PROT_READ | PROT_WRITE) == -1);      // and by the Linux call
    CHECK_OK(inv_region_unmap(root, a, PAGE));
    CHECK_STATUS(inv_region_map(handle_without(root, INV_RIGHT_MAP), vmo, 0, PAGE, INV_REGION_ANYWHERE, RW, &a),
                 INV_ERR_ACCESS);
    // code runs where it may
    static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; // mov $42, %eax; ret
    uint64_t done;
    CHECK_OK(inv_vmo_write(vmo, 0, code, sizeof(code), &done));
    CHECK_OK(inv_region_map(root, vmo, 0, PAGE, INV_REGION_ANYWHERE,
                            INV_MAP_PROTECTION_READ | INV_MAP_PROTECTION_EXECUTE, &a));
    CHECK(((int (*)(void))a)() == 42);
    CHECK_OK(inv_region_unmap(root, a, PAGE));
    inv_handle_close(vmo);
}

static void errors(void) {
    inv_handle_t vmo = vmo_of(1), region;
    uint64_t a;
    CHECK_STATUS(inv_region_map(handle_stale(), vmo, 0, PAGE, 0, RW, &a), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_region_map(vmo, vmo, 0, PAGE, 0, RW, &a), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_region_map(root, handle_stale(), 0, PAGE, 0, RW, &a), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_region_map(root, root, 0, PAGE, 0, RW, &a), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_region_map(root, vmo, 0, PAGE, 0, RW | INV_MAP_PROTECTION_EXECUTE, &a), INV_ERR_INVALID);
    CHECK_STATUS(inv_region_map(root, vmo, 0, 0, 0, RW, &a), INV_ERR_INVALID);
    CHECK_STATUS(inv_region_map(root, vmo, 0, 100, 0, RW, &a), INV_ERR_INVALID);
    CHECK_STATUS(inv_region_map(root, vmo, 1, PAGE, 0, RW, &a), INV_ERR_INVALID);
    CHECK_STATUS(inv_region_map(root, vmo, -PAGE, 2 * PAGE, 0, RW, &a), INV_ERR_INVALID);
    CHECK_STATUS(inv_region_map(root, vmo, 0, PAGE, 1, RW, &a), INV_ERR_INVALID);
    CHECK_STATUS(inv_region_map(root, vmo, 0, PAGE, 1ul << 48, RW, &a), INV_ERR_RANGE);
    CHECK_STATUS(inv_region_unmap(root, 1ul << 60, PAGE), INV_ERR_RANGE);
    CHECK_STATUS(inv_region_unmap(root, 0, 0), INV_ERR_INVALID);
    CHECK_STATUS(inv_region_protect(root, 1ul << 45, PAGE, RW), INV_ERR_NOT_FOUND);
    CHECK_STATUS(inv_region_destroy(root), INV_ERR_INVALID);
    CHECK_STATUS(inv_region_create(root, INV_REGION_ANYWHERE, 0, &region, &a), INV_ERR_INVALID);
    CHECK_STATUS(inv_region_create(root, INV_REGION_ANYWHERE, 1ul << 60, &region, &a), INV_ERR_NO_MEMORY);
    CHECK_STATUS(inv_region_create(handle_without(root, INV_RIGHT_MANAGE), 0, PAGE, &region, &a), INV_ERR_ACCESS);
    CHECK_STATUS(inv_process_region(handle_without(process, INV_RIGHT_MANAGE), &region), INV_ERR_ACCESS);
    inv_handle_close(vmo);
}

static void regions_nest_and_end(void) {
    inv_handle_t vmo = vmo_of(16), outer, inner, deep, next;
    uint64_t base, a, b, c;
    CHECK_OK(inv_region_create(root, INV_REGION_ANYWHERE, 16 * PAGE, &outer, &base));
    CHECK(access_ends((char *)base, false) == SIGSEGV);
    CHECK_OK(inv_region_map(outer, vmo, 0, 2 * PAGE, 4 * PAGE, RW, &a));
    CHECK(a == base + 4 * PAGE && access_ends((char *)a, true) == 0);
    CHECK_STATUS(inv_region_map(outer, vmo, 0, 2 * PAGE, 5 * PAGE, RW, &b), INV_ERR_EXISTS);
    CHECK_STATUS(inv_region_map(outer, vmo, 0, 2 * PAGE, 15 * PAGE, RW, &b), INV_ERR_RANGE);
    CHECK_OK(inv_region_create(outer, 8 * PAGE, 4 * PAGE, &inner, &b));
    CHECK(b == base + 8 * PAGE);
    CHECK_OK(inv_region_map(inner, vmo, 0, 4 * PAGE, INV_REGION_ANYWHERE, RW, &c));
    CHECK(c == b);
    CHECK_STATUS(inv_region_map(inner, vmo, 0, PAGE, INV_REGION_ANYWHERE, RW, &c), INV_ERR_NO_MEMORY);
    CHECK_STATUS(inv_region_unmap(inner, base, PAGE), INV_ERR_RANGE); // not its own
    // what is unmapped in a region stays set aside: the Linux calls do not put anything there
    CHECK_OK(inv_region_unmap(outer, a, 2 * PAGE));
    CHECK(access_ends((char *)a, false) == SIGSEGV);
    CHECK(mmap((void *)a, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED);
    CHECK_STATUS(inv_region_protect(outer, a, PAGE, RW), INV_ERR_ACCESS);
    CHECK_OK(inv_region_destroy(inner));
    CHECK(access_ends((char *)b, false) == SIGSEGV);
    CHECK_STATUS(inv_region_map(inner, vmo, 0, PAGE, INV_REGION_ANYWHERE, RW, &c), INV_ERR_BAD_STATE);
    CHECK_STATUS(inv_region_destroy(inner), INV_ERR_BAD_STATE);
    CHECK_OK(inv_region_map(outer, vmo, 0, 16 * PAGE, 0, RW, &c)); // all of it is free again
    CHECK_OK(inv_region_unmap(outer, base, 16 * PAGE));
    // sixteen deep and no deeper; the end of one is the end of all within
    inv_handle_t at = outer;
    for (unsigned depth = 2; depth <= 16; depth++) {
        CHECK_OK(inv_region_create(at, 0, PAGE, &deep, &a));
        at = deep;
    }
    CHECK_STATUS(inv_region_create(at, 0, PAGE, &next, &a), INV_ERR_RANGE);
    CHECK_OK(inv_region_map(at, vmo, 0, PAGE, 0, RW, &a));
    CHECK(a == base && access_ends((char *)a, true) == 0);
    CHECK_OK(inv_region_destroy(outer));
    CHECK(access_ends((char *)a, false) == SIGSEGV);
    CHECK_STATUS(inv_region_map(at, vmo, 0, PAGE, 0, RW, &a), INV_ERR_BAD_STATE);
    inv_handle_close(vmo);
}

// Terabytes cost nothing until they are touched.
static void large_objects(void) {
    inv_handle_t vmo;
    uint64_t a, size = 4ul << 40;
    CHECK_OK(inv_vmo_create(test_job, size, 0, &vmo));
    CHECK_OK(inv_region_map(root, vmo, 0, size, INV_REGION_ANYWHERE, RW, &a));
    for (uint64_t at = 0; at < size; at += 1ul << 37)
        CHECK(access_ends((char *)a + at, true) == 0);
    CHECK_OK(inv_region_unmap(root, a, size));
    inv_handle_close(vmo);
}

int main(void) {
    test_begin();
    signal(SIGSEGV, fault);
    signal(SIGBUS, fault);
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_PROCESS, &process));
    CHECK_OK(inv_process_region(process, &root));
    mapping_shares_the_object();
    rights_bound_what_is_mapped();
    errors();
    regions_nest_and_end();
    large_objects();
    return test_end();
}
