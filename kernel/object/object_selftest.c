// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of objects, handles, jobs and the namespace in the booted kernel.
#include <kernel/debug.h>
#include <kernel/handle.h>
#include <kernel/job.h>
#include <kernel/namespace.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/token.h>

static unsigned probe_deleted, probe_closed;
struct probe {
    struct object obj;
};
static void probe_delete(struct object *o) {
    probe_deleted++;
    object_free(o);
}
static void probe_close(struct object *o) {
    (void)o;
    probe_closed++;
}
static struct object_type probe_type = {.name = "probe", .size = 100, .delete = probe_delete, .close = probe_close};

static struct object *probe_create(struct job *job) {
    struct probe *p = kzalloc(sizeof(*p));
    if (p != NULL && object_init(&p->obj, &probe_type, job) != INV_OK) {
        kfree(p);
        p = NULL;
    }
    return p != NULL ? &p->obj : NULL;
}

static bool handles_rights_shrink_and_generations_protect(void) {
    struct handle_table table;
    struct object *o = probe_create(&root_job), *found;
    inv_handle_t h, d, x;

    SELFTEST_CHECK(o != NULL);
    handle_table_init(&table, &root_job);
    SELFTEST_CHECK(handle_add(&table, o, INV_RIGHT_READ | INV_RIGHT_DUPLICATE, &h) == INV_OK);
    SELFTEST_CHECK(handle_lookup(&table, 0, NULL, 0, &found) == INV_ERR_BAD_HANDLE);
    SELFTEST_CHECK(handle_lookup(&table, h + 1, NULL, 0, &found) == INV_ERR_BAD_HANDLE);
    SELFTEST_CHECK(handle_lookup(&table, h, &token_type, INV_RIGHT_WRITE, &found) ==
                   INV_ERR_WRONG_TYPE); // type before right
    SELFTEST_CHECK(handle_lookup(&table, h, &probe_type, INV_RIGHT_WRITE, &found) == INV_ERR_ACCESS);
    SELFTEST_CHECK(handle_duplicate(&table, h, INV_RIGHT_READ | INV_RIGHT_WRITE, &d) == INV_ERR_ACCESS);
    SELFTEST_CHECK(handle_duplicate(&table, h, INV_RIGHT_READ, &d) == INV_OK);
    SELFTEST_CHECK(handle_duplicate(&table, d, INV_RIGHT_READ, &x) == INV_ERR_ACCESS); // the right to duplicate is gone
    SELFTEST_CHECK(handle_close(&table, h) == INV_OK && handle_close(&table, h) == INV_ERR_BAD_HANDLE);
    probe_closed = probe_deleted = 0;
    SELFTEST_CHECK(handle_close(&table, d) == INV_OK && probe_closed == 1 && probe_deleted == 1);
    o = probe_create(&root_job);
    SELFTEST_CHECK(o != NULL && handle_add(&table, o, INV_RIGHT_READ, &x) == INV_OK);
    SELFTEST_CHECK(x != h && x != d && handle_lookup(&table, d, NULL, 0, &found) == INV_ERR_BAD_HANDLE);
    handle_table_close_all(&table);
    SELFTEST_CHECK(probe_closed == 2 && probe_deleted == 2);
    return true;
}
SELFTEST("object/handles_rights_shrink_and_generations_protect", handles_rights_shrink_and_generations_protect);

static bool handle_table_grows_and_pays(void) {
    struct handle_table table;
    struct job *job;
    inv_handle_t h;

    SELFTEST_CHECK(job_create(&root_job, &job) == INV_OK);
    handle_table_init(&table, job);
    job_set_limit(job, JOB_HANDLES, 150);
    for (unsigned i = 0; i < 200; i++) {
        struct object *o = probe_create(NULL);
        SELFTEST_CHECK(o != NULL);
        inv_status_t status = handle_add(&table, o, 0, &h);
        SELFTEST_CHECK(status == (i < 150 ? INV_OK : INV_ERR_QUOTA));
        if (status != INV_OK)
            object_put(o);
    }
    handle_table_close_all(&table);
    SELFTEST_CHECK(job->accounts[JOB_HANDLES].used == 0 && job->accounts[JOB_HANDLES].high_water == 150);
    SELFTEST_CHECK(job->accounts[JOB_MEMORY].used == 0);
    object_put(&job->obj);
    return true;
}
SELFTEST("object/handle_table_grows_and_pays", handle_table_grows_and_pays);

static bool job_charges_whole_chain_or_nothing(void) {
    struct job *parent, *child;

    SELFTEST_CHECK(job_create(&root_job, &parent) == INV_OK && job_create(parent, &child) == INV_OK);
    uint64_t base = parent->accounts[JOB_MEMORY].used;
    job_set_limit(parent, JOB_MEMORY, base + 1000);
    SELFTEST_CHECK(job_charge(child, JOB_MEMORY, 1000) == INV_OK);
    SELFTEST_CHECK(job_charge(child, JOB_MEMORY, 1) == INV_ERR_QUOTA);
    SELFTEST_CHECK(child->accounts[JOB_MEMORY].used == 1000 && parent->accounts[JOB_MEMORY].used == base + 1000);
    SELFTEST_CHECK(job_charge(child, JOB_MEMORY, UINT64_MAX) == INV_ERR_QUOTA); // no overflow
    job_uncharge(child, JOB_MEMORY, 1000);
    SELFTEST_CHECK(child->accounts[JOB_MEMORY].used == 0 && parent->accounts[JOB_MEMORY].used == base);
    object_put(&child->obj);
    object_put(&parent->obj);
    return true;
}
SELFTEST("object/job_charges_whole_chain_or_nothing", job_charges_whole_chain_or_nothing);

static bool namespace_walks_directories_and_links(void) {
    struct directory *d;
    struct object *o, *link, *found;

    SELFTEST_CHECK(namespace_lookup("/types/token", token_root, &found) == INV_OK && found == &token_type.obj);
    object_put(found);
    SELFTEST_CHECK(namespace_lookup("/types/none", token_root, &found) == INV_ERR_NOT_FOUND);
    SELFTEST_CHECK(namespace_lookup("/types/token/x", token_root, &found) == INV_ERR_NOT_DIR);
    SELFTEST_CHECK(namespace_lookup("relative", token_root, &found) == INV_ERR_INVALID);
    o = probe_create(&root_job);
    SELFTEST_CHECK(o != NULL && directory_create(&root_job, &d) == INV_OK);
    SELFTEST_CHECK(directory_insert(namespace_root, "selftest", &d->obj) == INV_OK);
    SELFTEST_CHECK(directory_insert(d, "probe", o) == INV_OK && directory_insert(d, "again", o) == INV_ERR_BAD_STATE);
    SELFTEST_CHECK(link_create(&root_job, "/selftest/loop", &link) == INV_OK &&
                   directory_insert(d, "loop", link) == INV_OK);
    SELFTEST_CHECK(namespace_lookup("/selftest//probe/", token_root, &found) == INV_OK && found == o);
    object_put(found);
    SELFTEST_CHECK(namespace_lookup("/selftest/loop", token_root, &found) == INV_ERR_LOOP);
    probe_deleted = 0;
    object_put(link);
    directory_remove(&d->obj);
    object_put(&d->obj); // the last: what is named in it goes too
    SELFTEST_CHECK(probe_deleted == 0);
    object_put(o);
    SELFTEST_CHECK(probe_deleted == 1);
    return true;
}
SELFTEST("object/namespace_walks_directories_and_links", namespace_walks_directories_and_links);
