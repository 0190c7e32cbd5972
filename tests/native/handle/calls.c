// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// handle_close, handle_duplicate, handle_replace, handle_info: effects, errors, rights.
#include "testing.h"

static void close_once(void) {
    inv_handle_t h;
    uint32_t type, rights;
    uint64_t identity;
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_PROCESS, &h));
    CHECK(h != INV_HANDLE_INVALID);
    CHECK_OK(inv_handle_close(h));
    CHECK_STATUS(inv_handle_close(h), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_handle_close(INV_HANDLE_INVALID), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_handle_close(UINT32_MAX), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_handle_info(h, &type, &rights, &identity), INV_ERR_BAD_HANDLE);
    CHECK(type == 0 && rights == 0 && identity == 0);
}

static void info_tells_type_rights_and_identity(void) {
    inv_handle_t process, again, vmo;
    uint32_t type, rights;
    uint64_t first, second, third;
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_PROCESS, &process));
    CHECK_OK(inv_handle_info(process, &type, &rights, &first));
    CHECK(type == INV_OBJECT_PROCESS && first != 0);
    CHECK((rights & INV_RIGHT_DUPLICATE) && (rights & ~(uint32_t)INV_RIGHTS_ALL) == 0);
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_PROCESS, &again));
    CHECK_OK(inv_handle_info(again, &type, &rights, &second));
    CHECK(again != process && second == first);
    CHECK_OK(inv_vmo_create(test_job, 1, 0, &vmo));
    CHECK_OK(inv_handle_info(vmo, &type, &rights, &third));
    CHECK(type == INV_OBJECT_VMO && third != first);
    CHECK_OK(inv_handle_info(test_job, &type, &rights, &third));
    CHECK(type == INV_OBJECT_JOB);
    inv_handle_close(process);
    inv_handle_close(again);
    inv_handle_close(vmo);
}

static void duplicates_have_fewer_rights(void) {
    inv_handle_t vmo, less, copy;
    CHECK_OK(inv_vmo_create(test_job, 1, 0, &vmo));
    CHECK_OK(inv_handle_duplicate(vmo, INV_RIGHT_READ | INV_RIGHT_DUPLICATE, &less));
    CHECK(less != vmo && handle_rights(less) == (INV_RIGHT_READ | INV_RIGHT_DUPLICATE));
    CHECK_OK(inv_handle_duplicate(less, INV_RIGHTS_SAME, &copy));
    CHECK(handle_rights(copy) == (INV_RIGHT_READ | INV_RIGHT_DUPLICATE));
    CHECK_STATUS(inv_handle_duplicate(less, INV_RIGHT_WRITE, &copy), INV_ERR_ACCESS);
    CHECK(copy == INV_HANDLE_INVALID);
    CHECK_STATUS(inv_handle_duplicate(less, 1u << 30, &copy), INV_ERR_ACCESS); // no such right
    CHECK_OK(inv_handle_duplicate(less, 0, &copy));
    CHECK(handle_rights(copy) == 0);
    CHECK_STATUS(inv_handle_duplicate(copy, 0, &less), INV_ERR_ACCESS);
    CHECK_STATUS(inv_handle_duplicate(handle_stale(), 0, &less), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_handle_duplicate(handle_stale(), 1u << 30, &less), INV_ERR_BAD_HANDLE);
}

static void replacing_closes_the_old_one(void) {
    inv_handle_t vmo, fresh, bare;
    uint64_t size;
    CHECK_OK(inv_vmo_create(test_job, 77, 0, &vmo));
    CHECK_OK(inv_handle_replace(vmo, INV_RIGHT_GET_INFO, &fresh));
    CHECK(fresh != vmo && handle_rights(fresh) == INV_RIGHT_GET_INFO);
    CHECK_STATUS(inv_handle_close(vmo), INV_ERR_BAD_HANDLE);
    CHECK_OK(inv_vmo_get_size(fresh, &size));
    CHECK(size == 77);
    CHECK_STATUS(inv_handle_replace(fresh, INV_RIGHT_GET_INFO | INV_RIGHT_READ, &bare), INV_ERR_ACCESS);
    CHECK(bare == INV_HANDLE_INVALID);
    CHECK_OK(inv_vmo_get_size(fresh, &size)); // stayed as it was
    CHECK_OK(inv_handle_replace(fresh, INV_RIGHTS_SAME, &bare));
    CHECK(handle_rights(bare) == INV_RIGHT_GET_INFO);
    CHECK_STATUS(inv_handle_replace(fresh, 0, &vmo), INV_ERR_BAD_HANDLE);
    CHECK_OK(inv_handle_close(bare));
}

static void last_close_gives_everything_back(void) {
    inv_handle_t job, vmo[20];
    CHECK_OK(inv_job_create(test_job, &job));
    for (unsigned round = 0; round < 50; round++) {
        CHECK_OK(inv_job_set_limit(job, INV_JOB_RESOURCE_MEMORY, 64 << 10));
        for (unsigned i = 0; i < 20; i++) {
            CHECK_OK(inv_vmo_create(job, 4096, 0, &vmo[i]));
        }
        for (unsigned i = 0; i < 20; i++)
            CHECK_OK(inv_handle_close(vmo[i]));
    }
    CHECK_OK(inv_handle_close(job));
}

int main(void) {
    test_begin();
    close_once();
    info_tells_type_rights_and_identity();
    duplicates_have_fewer_rights();
    replacing_closes_the_old_one();
    last_close_gives_everything_back();
    return test_end();
}
