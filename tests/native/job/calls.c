// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// job_create, job_set_limit, job_restrict: effects, errors, rights.
#include "testing.h"

static inv_handle_t process;

static void create_needs_manage(void) {
    inv_handle_t job, bare = handle_without(test_job, INV_RIGHT_MANAGE);
    CHECK_STATUS(inv_job_create(bare, &job), INV_ERR_ACCESS);
    CHECK(job == INV_HANDLE_INVALID);
    CHECK_STATUS(inv_job_create(process, &job), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_job_create(handle_stale(), &job), INV_ERR_BAD_HANDLE);
    inv_handle_close(bare);
}

static void limits_bind_at_every_level(void) {
    inv_handle_t parent, child, vmo;
    CHECK_OK(inv_job_create(test_job, &parent));
    CHECK_OK(inv_job_create(parent, &child));
    CHECK_OK(inv_job_set_limit(parent, INV_JOB_RESOURCE_MEMORY, 0));
    CHECK_STATUS(inv_vmo_create(child, 1, 0, &vmo), INV_ERR_QUOTA);
    CHECK(vmo == INV_HANDLE_INVALID);
    CHECK_STATUS(inv_job_create(child, &vmo), INV_ERR_QUOTA);
    CHECK_OK(inv_job_set_limit(parent, INV_JOB_RESOURCE_MEMORY, UINT64_MAX));
    CHECK_OK(inv_vmo_create(child, 1, 0, &vmo));
    CHECK_OK(inv_handle_close(child)); // the object below keeps its job
    CHECK_OK(inv_handle_close(parent));
    uint64_t done;
    CHECK_OK(inv_vmo_write(vmo, 0, "x", 1, &done));
    CHECK_OK(inv_handle_close(vmo));
}

static void set_limit_errors(void) {
    inv_handle_t job, bare;
    CHECK_OK(inv_job_create(test_job, &job));
    bare = handle_without(job, INV_RIGHT_MANAGE);
    CHECK_STATUS(inv_job_set_limit(bare, INV_JOB_RESOURCE_MEMORY, 1), INV_ERR_ACCESS);
    CHECK_STATUS(inv_job_set_limit(process, INV_JOB_RESOURCE_MEMORY, 1), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_job_set_limit(handle_stale(), 99, 1), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_job_set_limit(bare, 99, 1), INV_ERR_ACCESS);
    CHECK_STATUS(inv_job_set_limit(job, 4, 1), INV_ERR_INVALID);
    for (inv_job_resource_t r = INV_JOB_RESOURCE_MEMORY; r <= INV_JOB_RESOURCE_HANDLES; r++)
        CHECK_OK(inv_job_set_limit(job, r, 0));
    inv_handle_close(bare);
    inv_handle_close(job);
}

static void restrict_errors(void) {
    inv_handle_t job, bare;
    CHECK_OK(inv_job_create(test_job, &job));
    bare = handle_without(job, INV_RIGHT_MANAGE);
    CHECK_STATUS(inv_job_restrict(bare, INV_JOB_POLICY_BOOTSTRAP), INV_ERR_ACCESS);
    CHECK_STATUS(inv_job_restrict(process, INV_JOB_POLICY_BOOTSTRAP), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_job_restrict(INV_HANDLE_INVALID, INV_JOB_POLICY_BOOTSTRAP), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_job_restrict(job, 1u << 31), INV_ERR_INVALID);
    CHECK_OK(inv_job_restrict(job, 0));
    CHECK_OK(inv_job_restrict(job, INV_JOB_POLICIES_ALL));
    CHECK_OK(inv_job_restrict(job, INV_JOB_POLICIES_ALL));
    inv_handle_close(bare);
    inv_handle_close(job);
}

int main(void) {
    test_begin();
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_PROCESS, &process));
    create_needs_manage();
    limits_bind_at_every_level();
    set_limit_errors();
    restrict_errors();
    return test_end();
}
