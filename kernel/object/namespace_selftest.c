// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of directories, links, security and temporary names in the booted kernel.
#include <kernel/debug.h>
#include <kernel/handle.h>
#include <kernel/job.h>
#include <kernel/namespace.h>
#include <kernel/security.h>
#include <kernel/selftest_threads.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/time.h>

struct named {
    struct object obj;
};
static inv_status_t named_parse(struct object *o, const char *rest, struct token *who, struct object **out);
static void named_delete(struct object *o) {
    object_free(o);
}
static struct object_type named_type = {.name = "named",
                                        .size = 32,
                                        .default_rights = INV_RIGHT_READ | INV_RIGHT_WRITE | INV_RIGHT_GET_INFO,
                                        .delete = named_delete,
                                        .parse = named_parse};
static char parsed[64];

static struct object *named_create(struct job *job) {
    struct named *n = kzalloc(sizeof(*n));
    if (n != NULL && object_init(&n->obj, &named_type, job) != INV_OK) {
        kfree(n);
        n = NULL;
    }
    return n != NULL ? &n->obj : NULL;
}
static inv_status_t named_parse(struct object *o, const char *rest, struct token *who, struct object **out) {
    string_copy(parsed, rest, sizeof(parsed));
    if (strcmp(rest, "none") == 0)
        return INV_ERR_NOT_FOUND;
    object_get(o);
    *out = o;
    return INV_OK;
}
static uint64_t named_live(void) {
    return atomic_load(&named_type.counters.live);
}

// What a walk does at its corners.
static bool walks_end_where_they_should(void) {
    struct directory *root, *sub;
    struct object *o, *link, *found;
    inv_rights_t rights;
    static char path[NAME_PATH_MAX + 2];

    SELFTEST_CHECK(directory_create(&root_job, &root) == INV_OK && directory_create(&root_job, &sub) == INV_OK);
    o = named_create(&root_job);
    SELFTEST_CHECK(o != NULL && directory_insert(root, "sub", &sub->obj) == INV_OK);
    SELFTEST_CHECK(directory_insert(sub, "object", o) == INV_OK);
    SELFTEST_CHECK(link_create(&root_job, "/sub", &link) == INV_OK && directory_insert(root, "link", link) == INV_OK);
    object_put(link);
    static const struct {
        const char *path;
        inv_status_t status;
    } cases[] = {
        {"", INV_OK},
        {"/", INV_OK},
        {"sub/object", INV_OK},
        {"//sub///object//", INV_OK},
        {"link/object", INV_OK},
        {"link", INV_OK},
        {"nothing", INV_ERR_NOT_FOUND},
        {"sub/nothing/object", INV_ERR_NOT_FOUND},
        {"sub/..", INV_ERR_NOT_FOUND},
        {"sub/object/rest/of/it", INV_OK},
        {"sub/object/none", INV_ERR_NOT_FOUND},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        inv_status_t status = namespace_open(root, cases[i].path, token_root, INV_RIGHTS_SAME, &found, &rights);
        SELFTEST_CHECK(status == cases[i].status);
        if (status == INV_OK)
            object_put(found);
    }
    SELFTEST_CHECK(namespace_open(root, "link/object/x//y/", token_root, INV_RIGHT_READ, &found, &rights) == INV_OK);
    SELFTEST_CHECK(found == o && rights == INV_RIGHT_READ && strcmp(parsed, "x//y/") == 0);
    object_put(found);
    SELFTEST_CHECK(namespace_open(root, "sub/object", token_root, INV_RIGHT_EXECUTE, &found, &rights) ==
                   INV_ERR_ACCESS);
    memset(path, '/', NAME_PATH_MAX);
    SELFTEST_CHECK(namespace_open(root, path, token_root, 0, &found, &rights) == INV_OK);
    object_put(found);
    path[NAME_PATH_MAX] = '/';
    SELFTEST_CHECK(namespace_open(root, path, token_root, 0, &found, &rights) == INV_ERR_NAME_TOO_LONG);
    object_path(o, path, sizeof(path));
    SELFTEST_CHECK(strcmp(path, "/sub/object") == 0 && object_path(&root->obj, path, sizeof(path)) == 0);
    object_put(o);
    object_put(&sub->obj);
    object_put(&root->obj);
    SELFTEST_CHECK(named_live() == 0);
    return true;
}
SELFTEST("object/walks_end_where_they_should", walks_end_where_they_should);

// A chain of as many links as are followed, and one of one more.
static bool links_are_followed_so_far(void) {
    struct directory *root;
    struct object *link, *found;
    inv_rights_t rights;
    char name[16], target[16];

    SELFTEST_CHECK(directory_create(&root_job, &root) == INV_OK);
    for (unsigned i = 0; i <= NAME_LINKS_MAX; i++) { // link n leads to link n - 1, and 0 to the root
        snprintf(name, sizeof(name), "%u", i);
        snprintf(target, sizeof(target), i == 0 ? "/" : "/%u", i - 1);
        SELFTEST_CHECK(link_create(&root_job, target, &link) == INV_OK && directory_insert(root, name, link) == INV_OK);
        object_put(link);
    }
    snprintf(name, sizeof(name), "%u/%u", NAME_LINKS_MAX - 2, 0);
    SELFTEST_CHECK(namespace_open(root, name, token_root, 0, &found, &rights) == INV_OK && found == &root->obj);
    object_put(found);
    snprintf(name, sizeof(name), "%u/%u", NAME_LINKS_MAX - 2, 1);
    SELFTEST_CHECK(namespace_open(root, name, token_root, 0, &found, &rights) == INV_ERR_LOOP);
    object_put(&root->obj);
    return true;
}
SELFTEST("object/links_are_followed_so_far_and_no_further", links_are_followed_so_far);

static bool rights_are_judged_at_open(void) {
    static const struct security_entry entries[] = {
        {.who = SECURITY_USER, .id = 7, .rights = INV_RIGHT_WRITE},
        {.who = SECURITY_GROUP, .id = 50, .rights = INV_RIGHT_READ | INV_RIGHT_GET_INFO},
    };
    struct directory *root;
    struct token *who;
    struct security *s;
    struct object *o = named_create(&root_job), *found;
    inv_rights_t rights;

    SELFTEST_CHECK(o != NULL && directory_create(&root_job, &root) == INV_OK);
    SELFTEST_CHECK(directory_insert(root, "o", o) == INV_OK && token_clone(token_root, &root_job, &who) == INV_OK);
    who->cap_effective = 0;
    who->euid = 5;
    who->egid = who->fsgid = 5;
    SELFTEST_CHECK(namespace_open(root, "o", who, INV_RIGHT_READ, &found, &rights) == INV_ERR_ACCESS); // the default
    SELFTEST_CHECK(namespace_open(root, "o", who, INV_RIGHTS_SAME, &found, &rights) == INV_OK);
    SELFTEST_CHECK(rights == INV_RIGHT_GET_INFO);
    object_put(found);
    SELFTEST_CHECK(security_create(&root_job, 5, 5, entries, SECURITY_ENTRIES_MAX + 1, &s) == INV_ERR_RANGE);
    SELFTEST_CHECK(security_create(&root_job, 5, 5, entries, 2, &s) == INV_OK);
    object_set_security(o, s);
    static const struct {
        uint32_t uid, gid;
        inv_rights_t rights;
    } cases[] = {{5, 5, INV_RIGHT_READ | INV_RIGHT_WRITE | INV_RIGHT_GET_INFO}, // the owner
                 {7, 50, INV_RIGHT_WRITE},                                      // the first that names him
                 {8, 50, INV_RIGHT_READ | INV_RIGHT_GET_INFO},
                 {8, 8, INV_RIGHT_GET_INFO}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        who->euid = cases[i].uid;
        who->egid = who->fsgid = cases[i].gid;
        SELFTEST_CHECK(namespace_open(root, "o", who, INV_RIGHTS_SAME, &found, &rights) == INV_OK);
        SELFTEST_CHECK(rights == cases[i].rights);
        object_put(found);
    }
    static const struct security_entry nothing = {.who = SECURITY_ANYBODY, .rights = 0};
    SELFTEST_CHECK(security_create(&root_job, 0, 0, &nothing, 1, &s) == INV_OK);
    object_set_security(&root->obj, s); // a directory that others may not look into
    SELFTEST_CHECK(namespace_open(root, "o", who, 0, &found, &rights) == INV_ERR_ACCESS);
    SELFTEST_CHECK(namespace_open(root, "o", token_root, 0, &found, &rights) == INV_OK);
    object_put(found);
    who->cap_effective = 1ull << CAP_DAC_OVERRIDE; // passes by descriptors, but is not the machine's administrator
    SELFTEST_CHECK(namespace_open(namespace_root, "job", who, INV_RIGHTS_SAME, &found, &rights) == INV_OK);
    SELFTEST_CHECK(rights == INV_RIGHT_GET_INFO);
    object_put(found);
    SELFTEST_CHECK(namespace_open(namespace_root, "job", token_root, INV_RIGHT_MANAGE, &found, &rights) == INV_OK);
    object_put(found);
    object_put(&who->obj);
    object_put(o);
    object_put(&root->obj);
    SELFTEST_CHECK(named_live() == 0);
    return true;
}
SELFTEST("object/rights_are_judged_at_open", rights_are_judged_at_open);

static bool temporary_names_go_with_the_last_handle(void) {
    struct handle_table table;
    struct directory *d;
    struct object *temporary = named_create(&root_job), *permanent = named_create(&root_job), *found;
    inv_handle_t h[3];

    handle_table_init(&table, &root_job);
    SELFTEST_CHECK(temporary != NULL && permanent != NULL && directory_create(&root_job, &d) == INV_OK);
    SELFTEST_CHECK(handle_add(&table, temporary, INV_RIGHT_DUPLICATE, &h[0]) == INV_OK);
    SELFTEST_CHECK(handle_duplicate(&table, h[0], 0, &h[1]) == INV_OK);
    SELFTEST_CHECK(handle_add(&table, permanent, 0, &h[2]) == INV_OK);
    SELFTEST_CHECK(directory_insert_temporary(d, "temporary", temporary) == INV_OK);
    SELFTEST_CHECK(directory_insert(d, "permanent", permanent) == INV_OK);
    SELFTEST_CHECK(handle_close(&table, h[0]) == INV_OK && directory_find(d, "temporary", 9, &found) == INV_OK);
    object_put(found);
    SELFTEST_CHECK(handle_close(&table, h[1]) == INV_OK);
    SELFTEST_CHECK(directory_find(d, "temporary", 9, &found) == INV_ERR_NOT_FOUND && named_live() == 1);
    SELFTEST_CHECK(handle_close(&table, h[2]) == INV_OK && named_live() == 1);
    SELFTEST_CHECK(directory_remove_name(d, "permanent") == INV_OK && named_live() == 0);
    SELFTEST_CHECK(directory_remove_name(d, "permanent") == INV_ERR_NOT_FOUND);
    handle_table_close_all(&table);
    object_put(&d->obj);
    return true;
}
SELFTEST("object/temporary_names_go_with_the_last_handle", temporary_names_go_with_the_last_handle);

#define MANY 3000
// A large directory: each name is found and listed once, also while others come and go; nothing stays charged.
static bool a_large_directory_is_listed_by_cookie(void) {
    struct directory *d;
    struct directory_item item;
    struct job *job;
    uint64_t cookie = 0;
    char name[16];
    unsigned count = 0;

    SELFTEST_CHECK(job_create(&root_job, &job) == INV_OK && directory_create(job, &d) == INV_OK);
    for (unsigned i = 0; i < MANY; i++) {
        struct object *o = named_create(job);
        snprintf(name, sizeof(name), "%u", i * 7919 % MANY);
        SELFTEST_CHECK(o != NULL && directory_insert(d, name, o) == INV_OK);
        object_put(o);
    }
    while (directory_next(d, &cookie, &item)) {
        snprintf(name, sizeof(name), "%u", count * 7919 % MANY);
        SELFTEST_CHECK(strcmp(item.name, name) == 0);
        object_put(item.object);
        if (count % 2 == 0)
            SELFTEST_CHECK(directory_remove_name(d, item.name) == INV_OK);
        count++;
    }
    SELFTEST_CHECK(count == MANY && atomic_load(&d->count) == MANY / 2 && named_live() == MANY / 2);
    object_put(&d->obj);
    SELFTEST_CHECK(named_live() == 0 && atomic_load(&job->accounts[JOB_MEMORY].used) == 0);
    object_put(&job->obj);
    return true;
}
SELFTEST("object/a_large_directory_is_listed_by_cookie", a_large_directory_is_listed_by_cookie);

#define DEEP 5000
// Directories in directories: none in itself; and a chain far deeper than any stack ends in a loop.
static bool directories_form_a_forest(void) {
    struct directory *a, *b, *top = NULL;

    SELFTEST_CHECK(directory_create(&root_job, &a) == INV_OK && directory_create(&root_job, &b) == INV_OK);
    SELFTEST_CHECK(directory_insert(a, "self", &a->obj) == INV_ERR_LOOP);
    SELFTEST_CHECK(directory_insert(a, "b", &b->obj) == INV_OK);
    SELFTEST_CHECK(directory_insert(b, "a", &a->obj) == INV_ERR_LOOP);
    SELFTEST_CHECK(directory_insert(b, "b", &b->obj) == INV_ERR_LOOP);
    SELFTEST_CHECK(directory_insert(b, "..", &a->obj) == INV_ERR_INVALID);
    struct object *o = named_create(NULL);
    SELFTEST_CHECK(o != NULL && directory_insert(b, "o", o) == INV_OK);
    SELFTEST_CHECK(directory_remove_name(a, "b") == INV_ERR_NOT_EMPTY);
    object_put(o);
    object_put(&b->obj);
    object_put(&a->obj);
    SELFTEST_CHECK(named_live() == 0);
    uint64_t live = atomic_load(&directory_type.counters.live);
    for (unsigned i = 0; i < DEEP; i++) { // each time the chain comes below a new top
        struct directory *d;
        SELFTEST_CHECK(directory_create(&root_job, &d) == INV_OK);
        if (top != NULL) {
            SELFTEST_CHECK(directory_insert(d, "d", &top->obj) == INV_OK);
            object_put(&top->obj);
        }
        top = d;
    }
    object_put(&top->obj);
    SELFTEST_CHECK(atomic_load(&directory_type.counters.live) == live);
    return true;
}
SELFTEST("object/directories_form_a_forest_of_any_depth", directories_form_a_forest);

static struct directory *race_directory;
static nstime_t race_end;
static _Atomic uint32_t race_faults;

static void name_racer(void *arg) {
    unsigned random = (unsigned)(uintptr_t)arg * 31 + 1;
    struct object *o = named_create(NULL), *found;
    char name[8];

    while (o != NULL && clock_monotonic() < race_end) {
        random = random * 1664525 + 1013904223;
        snprintf(name, sizeof(name), "%u", random >> 29);
        switch ((random >> 20) % 3) {
        case 0: {
            inv_status_t status = directory_insert(race_directory, name, o);
            if (status != INV_OK && status != INV_ERR_EXISTS && status != INV_ERR_BAD_STATE)
                atomic_fetch_add(&race_faults, 1);
            break;
        }
        case 1: directory_remove(o); break;
        default:
            if (directory_find(race_directory, name, strlen(name), &found) != INV_OK)
                break;
            if (found->type != &named_type)
                atomic_fetch_add(&race_faults, 1);
            if ((random & 1) != 0)
                directory_remove(found);
            object_put(found);
        }
    }
    if (o != NULL) {
        directory_remove(o);
        object_put(o);
    }
}

static bool processors_race_on_one_directory(void) {
    struct thread *t[8];
    unsigned count = MIN(cpu_count, (unsigned)ARRAY_SIZE(t));

    SELFTEST_CHECK(directory_create(&root_job, &race_directory) == INV_OK);
    atomic_store(&race_faults, 0);
    race_end = clock_monotonic() + SELFTEST_BUDGET;
    for (unsigned i = 0; i < count; i++)
        t[i] = selftest_thread(name_racer, (void *)(uintptr_t)i, PRIORITY_FAIR, selftest_cpu(i));
    SELFTEST_CHECK(selftest_join_array(t, count) && atomic_load(&race_faults) == 0);
    SELFTEST_CHECK(atomic_load(&race_directory->count) == 0 && named_live() == 0);
    object_put(&race_directory->obj);
    return true;
}
SELFTEST("object/processors_race_on_one_directory", processors_race_on_one_directory);
