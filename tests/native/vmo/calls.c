// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// vmo_create, vmo_read, vmo_write, vmo_get_size, vmo_set_size, vmo_clone: effects, errors, rights.
#include "testing.h"

#include <sys/mman.h>

static inv_handle_t vmo;
static char buffer[3 * 4096];

static void create_errors(void) {
    inv_handle_t h, bare = handle_without(test_job, INV_RIGHT_MANAGE);
    CHECK_STATUS(inv_vmo_create(handle_stale(), 1, 0, &h), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_vmo_create(vmo, 1, 0, &h), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_vmo_create(bare, UINT64_MAX, ~0u, &h), INV_ERR_ACCESS);
    CHECK_STATUS(inv_vmo_create(test_job, 1, INV_VMO_OPTIONS_ALL + 1, &h), INV_ERR_INVALID);
    CHECK_STATUS(inv_vmo_create(test_job, INV_VMO_SIZE_MAX + 1, 0, &h), INV_ERR_RANGE);
    CHECK(h == INV_HANDLE_INVALID);
    CHECK_OK(inv_vmo_create(test_job, INV_VMO_SIZE_MAX, 0, &h));
    CHECK_OK(inv_handle_close(h));
    CHECK_OK(inv_vmo_create(test_job, 0, 0, &h));
    CHECK_OK(inv_handle_close(h));
    inv_handle_close(bare);
}

static void reads_zeros_then_what_was_written(void) {
    uint64_t done;
    memset(buffer, 1, sizeof(buffer));
    CHECK_OK(inv_vmo_read(vmo, 0, buffer, sizeof(buffer), &done));
    CHECK(done == 10000 && buffer[0] == 0 && buffer[9999] == 0 && buffer[10000] == 1);
    CHECK_OK(inv_vmo_write(vmo, 4090, "across the edge", 15, &done));
    CHECK(done == 15);
    CHECK_OK(inv_vmo_read(vmo, 4090, buffer, 15, &done));
    CHECK(done == 15 && memcmp(buffer, "across the edge", 15) == 0);
}

static void copies_end_where_the_object_ends(void) {
    uint64_t done;
    CHECK_OK(inv_vmo_write(vmo, 9990, buffer, 100, &done));
    CHECK(done == 10);
    CHECK_OK(inv_vmo_write(vmo, 10000, buffer, 100, &done));
    CHECK(done == 0);
    CHECK_OK(inv_vmo_read(vmo, UINT64_MAX, buffer, 100, &done));
    CHECK(done == 0);
    CHECK_OK(inv_vmo_read(vmo, 0, NULL, 0, &done));
    CHECK(done == 0);
}

static void copy_errors(void) {
    uint64_t done;
    char *hole = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(hole + 4096, 4096);
    inv_handle_t no_read = handle_without(vmo, INV_RIGHT_READ), no_write = handle_without(vmo, INV_RIGHT_WRITE);
    CHECK_STATUS(inv_vmo_read(handle_stale(), 0, buffer, 1, &done), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_vmo_read(test_job, 0, buffer, 1, &done), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_vmo_read(no_read, 0, NULL, SIZE_MAX, &done), INV_ERR_ACCESS);
    CHECK_STATUS(inv_vmo_read(vmo, 0, NULL, INV_VMO_COPY_MAX + 1, &done), INV_ERR_RANGE);
    CHECK_STATUS(inv_vmo_read(vmo, 0, NULL, 1, &done), INV_ERR_FAULT);
    CHECK_STATUS(inv_vmo_read(vmo, 0, (void *)0xffff800000000000, 1, &done), INV_ERR_FAULT);
    CHECK_STATUS(inv_vmo_read(vmo, 0, hole + 4000, 200, &done), INV_ERR_FAULT);
    CHECK(done == 0);
    CHECK_STATUS(inv_vmo_write(INV_HANDLE_INVALID, 0, buffer, 1, &done), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_vmo_write(test_job, 0, buffer, 1, &done), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_vmo_write(no_write, 0, NULL, SIZE_MAX, &done), INV_ERR_ACCESS);
    CHECK_STATUS(inv_vmo_write(vmo, 0, NULL, INV_VMO_COPY_MAX + 1, &done), INV_ERR_RANGE);
    CHECK_STATUS(inv_vmo_write(vmo, 0, hole + 4000, 200, &done), INV_ERR_FAULT);
    CHECK_OK(inv_vmo_read(no_write, 0, buffer, 1, &done));
    CHECK_OK(inv_vmo_write(no_read, 0, buffer, 1, &done));
    inv_handle_close(no_read);
    inv_handle_close(no_write);
    munmap(hole, 4096);
}

static void a_write_is_charged_to_the_objects_job(void) {
    inv_handle_t job, h;
    uint64_t done;
    CHECK_OK(inv_job_create(test_job, &job));
    CHECK_OK(inv_vmo_create(job, 1 << 20, 0, &h));
    CHECK_OK(inv_job_set_limit(job, INV_JOB_RESOURCE_MEMORY, 9000));
    CHECK_STATUS(inv_vmo_write(h, 0, buffer, sizeof(buffer), &done), INV_ERR_NO_MEMORY);
    CHECK_OK(inv_job_set_limit(job, INV_JOB_RESOURCE_MEMORY, UINT64_MAX));
    CHECK_OK(inv_vmo_write(h, 0, buffer, sizeof(buffer), &done));
    CHECK(done == sizeof(buffer));
    inv_handle_close(h);
    inv_handle_close(job);
}

static void size_changes_if_it_may(void) {
    inv_handle_t h, no_info = handle_without(vmo, INV_RIGHT_GET_INFO), no_write;
    uint64_t size, done;
    CHECK_OK(inv_vmo_get_size(vmo, &size));
    CHECK(size == 10000);
    CHECK_STATUS(inv_vmo_get_size(no_info, &size), INV_ERR_ACCESS);
    CHECK(size == 0);
    CHECK_STATUS(inv_vmo_get_size(test_job, &size), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_vmo_get_size(handle_stale(), &size), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_vmo_set_size(vmo, 1), INV_ERR_BAD_STATE); // was not created so
    CHECK_STATUS(inv_vmo_set_size(vmo, INV_VMO_SIZE_MAX + 1), INV_ERR_RANGE);
    CHECK_OK(inv_vmo_create(test_job, 4096, INV_VMO_OPTION_RESIZABLE, &h));
    no_write = handle_without(h, INV_RIGHT_WRITE);
    CHECK_STATUS(inv_vmo_set_size(no_write, UINT64_MAX), INV_ERR_ACCESS);
    CHECK_STATUS(inv_vmo_set_size(test_job, 1), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_vmo_set_size(INV_HANDLE_INVALID, 1), INV_ERR_BAD_HANDLE);
    CHECK_OK(inv_vmo_write(h, 0, "abc", 3, &done));
    CHECK_OK(inv_vmo_set_size(h, 2));
    CHECK_OK(inv_vmo_set_size(h, 5));
    CHECK_OK(inv_vmo_read(h, 0, buffer, 100, &done));
    CHECK(done == 5 && memcmp(buffer, "ab\0\0\0", 5) == 0);
    inv_handle_close(h);
    inv_handle_close(no_write);
    inv_handle_close(no_info);
}

static void clones_are_apart(void) {
    inv_handle_t clone, h;
    uint64_t done, size;
    CHECK_OK(inv_vmo_create(test_job, 8192, INV_VMO_OPTION_RESIZABLE, &h));
    CHECK_OK(inv_vmo_write(h, 4096, "before", 6, &done));
    CHECK_OK(inv_vmo_clone(h, test_job, 4096, 5000, &clone));
    CHECK_OK(inv_vmo_write(h, 4096, "after!", 6, &done));
    CHECK_OK(inv_vmo_read(clone, 0, buffer, 6, &done));
    CHECK(done == 6 && memcmp(buffer, "before", 6) == 0);
    CHECK_OK(inv_vmo_write(clone, 0, "clone!", 6, &done));
    CHECK_OK(inv_vmo_read(h, 4096, buffer, 6, &done));
    CHECK(memcmp(buffer, "after!", 6) == 0);
    CHECK_OK(inv_vmo_read(clone, 4096, buffer, 904, &done));
    CHECK(done == 904 && buffer[0] == 0 && buffer[903] == 0); // behind the source's end
    CHECK_OK(inv_vmo_get_size(clone, &size));
    CHECK(size == 5000);
    CHECK_OK(inv_vmo_set_size(clone, 1));
    inv_handle_close(clone);
    CHECK_OK(inv_vmo_clone(vmo, test_job, 0, 4096, &clone));
    CHECK_STATUS(inv_vmo_set_size(clone, 1), INV_ERR_BAD_STATE);
    inv_handle_close(clone);
    inv_handle_close(h);
}

static void clone_errors(void) {
    inv_handle_t clone, no_read = handle_without(vmo, INV_RIGHT_READ),
                        no_manage = handle_without(test_job, INV_RIGHT_MANAGE);
    inv_handle_t job;
    CHECK_STATUS(inv_vmo_clone(handle_stale(), test_job, 0, 1, &clone), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_vmo_clone(test_job, test_job, 0, 1, &clone), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_vmo_clone(no_read, test_job, 0, 1, &clone), INV_ERR_ACCESS);
    CHECK_STATUS(inv_vmo_clone(vmo, handle_stale(), 0, 1, &clone), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_vmo_clone(vmo, vmo, 0, 1, &clone), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_vmo_clone(vmo, no_manage, 1, 1, &clone), INV_ERR_ACCESS);
    CHECK_STATUS(inv_vmo_clone(vmo, test_job, 1, 1, &clone), INV_ERR_INVALID);
    CHECK_STATUS(inv_vmo_clone(vmo, test_job, 4096, UINT64_MAX, &clone), INV_ERR_INVALID);
    CHECK_STATUS(inv_vmo_clone(vmo, test_job, 0, INV_VMO_SIZE_MAX + 1, &clone), INV_ERR_RANGE);
    CHECK_OK(inv_job_create(test_job, &job));
    CHECK_OK(inv_job_set_limit(job, INV_JOB_RESOURCE_MEMORY, 0));
    CHECK_STATUS(inv_vmo_clone(vmo, job, 0, 1, &clone), INV_ERR_QUOTA);
    CHECK(clone == INV_HANDLE_INVALID);
    inv_handle_close(job);
    inv_handle_close(no_read);
    inv_handle_close(no_manage);
}

int main(void) {
    test_begin();
    CHECK_OK(inv_vmo_create(test_job, 10000, 0, &vmo));
    create_errors();
    reads_zeros_then_what_was_written();
    copies_end_where_the_object_ends();
    copy_errors();
    a_write_is_charged_to_the_objects_job();
    size_changes_if_it_may();
    clones_are_apart();
    clone_errors();
    return test_end();
}
