// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// job_create, job_set_limit, job_restrict: effects, errors, rights.
#include "testing.h"

#include <sys/mount.h>
#include <sys/stat.h>

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

static void a_killed_job_makes_nothing(void) {
    inv_handle_t job, child, none, bare;
    CHECK_OK(inv_job_create(test_job, &job));
    CHECK_OK(inv_job_create(job, &child));
    bare = handle_without(job, INV_RIGHT_MANAGE);
    CHECK_STATUS(inv_job_kill(bare), INV_ERR_ACCESS);
    CHECK_STATUS(inv_job_kill(process), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_job_kill(handle_stale()), INV_ERR_BAD_HANDLE);
    CHECK_OK(inv_job_kill(job));
    CHECK_OK(inv_job_kill(job));
    CHECK_STATUS(inv_job_create(job, &none), INV_ERR_BAD_STATE);
    CHECK_STATUS(inv_job_create(child, &none), INV_ERR_BAD_STATE);
    inv_handle_close(bare);
    inv_handle_close(child);
    inv_handle_close(job);
}

static void jobs_are_not_endlessly_deep(void) {
    inv_handle_t job[40];
    unsigned depth = 0;
    inv_status_t status = INV_OK;
    for (inv_handle_t parent = test_job; depth < 40; parent = job[depth++])
        if ((status = inv_job_create(parent, &job[depth])) != INV_OK)
            break;
    CHECK(status == INV_ERR_RANGE && depth > 16);
    while (depth > 0)
        inv_handle_close(job[--depth]);
}

static void usage_is_told(void) {
    inv_handle_t job, vmo, bare;
    uint64_t used, limit, most;
    CHECK_OK(inv_job_create(test_job, &job));
    CHECK_OK(inv_job_set_limit(job, INV_JOB_RESOURCE_MEMORY, 1 << 20));
    CHECK_OK(inv_vmo_create(job, 8192, 0, &vmo));
    CHECK_OK(inv_vmo_write(vmo, 0, "x", 1, &used));
    CHECK_OK(inv_job_get_usage(job, INV_JOB_RESOURCE_MEMORY, &used, &limit, &most));
    CHECK(used >= 4096 && limit == 1 << 20 && most >= used);
    CHECK_OK(inv_handle_close(vmo));
    uint64_t before = used, peak = most;
    CHECK_OK(inv_job_get_usage(job, INV_JOB_RESOURCE_MEMORY, &used, &limit, &most));
    CHECK(used < before && most == peak);
    CHECK_STATUS(inv_job_get_usage(job, 4, &used, &limit, &most), INV_ERR_INVALID);
    bare = handle_without(job, INV_RIGHT_GET_INFO);
    CHECK_STATUS(inv_job_get_usage(bare, 0, &used, &limit, &most), INV_ERR_ACCESS);
    inv_handle_close(bare);
    bare = handle_without(job, INV_RIGHT_MANAGE);
    CHECK_STATUS(inv_job_set_fault_policy(bare, INV_JOB_FAULT_KILL_JOB), INV_ERR_ACCESS);
    CHECK_STATUS(inv_job_set_fault_policy(job, 3), INV_ERR_INVALID);
    CHECK_OK(inv_job_set_fault_policy(job, INV_JOB_FAULT_KILL_JOB));
    inv_handle_close(bare);
    inv_handle_close(job);
}

static void proc_shows_the_tree(void) {
    unsigned long id, parent, depth, policies, used, most, limit, seen = 0;
    inv_handle_t job;
    uint32_t type, rights;
    uint64_t own, above;
    char line[512];
    CHECK_OK(inv_job_create(test_job, &job));
    CHECK_OK(inv_job_set_limit(job, INV_JOB_RESOURCE_MEMORY, 12345));
    CHECK_OK(inv_handle_info(job, &type, &rights, &own));
    CHECK_OK(inv_handle_info(test_job, &type, &rights, &above));
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL); // it may be there
    FILE *f = fopen("/proc/invar/jobs", "r");
    CHECK(f != NULL);
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "%lu %lu %lu %lx %lu %lu %lu", &id, &parent, &depth, &policies, &used, &most, &limit) == 7 &&
            id == own)
            seen += parent == above && policies == INV_JOB_POLICIES_ALL && limit == 12345 && most >= used;
    CHECK(seen == 1);
    if (f)
        fclose(f);
    inv_handle_close(job);
}

int main(void) {
    test_begin();
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_PROCESS, &process));
    create_needs_manage();
    limits_bind_at_every_level();
    set_limit_errors();
    restrict_errors();
    a_killed_job_makes_nothing();
    jobs_are_not_endlessly_deep();
    usage_is_told();
    proc_shows_the_tree();
    return test_end();
}
