// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Names: directory_create, directory_insert, directory_remove, directory_list, link_create, object_open, object_set_security, object_describe: effects, errors, rights;
// and who may open what, as another user.
#define _GNU_SOURCE
#include "testing.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static inv_handle_t root;

static inv_handle_t directory(void) {
    inv_handle_t d;
    CHECK_OK(inv_directory_create(test_job, &d));
    return d;
}
static inv_handle_t vmo(void) {
    inv_handle_t h;
    CHECK_OK(inv_vmo_create(test_job, 4096, 0, &h));
    return h;
}
static inv_status_t insert(inv_handle_t d, inv_handle_t o, const char *name, inv_name_options_t options) {
    return inv_directory_insert(d, o, name, strlen(name), options);
}
static inv_status_t open_rights(inv_handle_t d, const char *path, uint32_t rights, inv_handle_t *out) {
    return inv_object_open(d, path, strlen(path), rights, out);
}
static inv_status_t opens(inv_handle_t d, const char *path) {
    inv_handle_t h;
    inv_status_t status = open_rights(d, path, INV_RIGHTS_SAME, &h);
    if (status == INV_OK)
        inv_handle_close(h);
    return status;
}
static uint64_t identity_of(inv_handle_t h) {
    uint32_t type, rights;
    uint64_t identity = 0;
    CHECK_OK(inv_handle_info(h, &type, &rights, &identity));
    return identity;
}

static void an_object_is_found_by_its_name(void) {
    inv_handle_t d = directory(), sub = directory(), o = vmo(), found, bare;
    CHECK_OK(insert(d, sub, "sub", INV_NAME_OPTION_PERMANENT));
    CHECK_OK(insert(sub, o, "o", 0));
    CHECK_OK(open_rights(d, "sub/o", INV_RIGHT_READ, &found));
    CHECK(identity_of(found) == identity_of(o) && handle_rights(found) == INV_RIGHT_READ);
    CHECK_OK(inv_handle_close(found));
    CHECK_OK(open_rights(d, "", INV_RIGHTS_SAME, &found));
    CHECK(identity_of(found) == identity_of(d));
    CHECK_OK(inv_handle_close(found));
    CHECK_STATUS(opens(d, "sub/none"), INV_ERR_NOT_FOUND);
    CHECK_STATUS(opens(d, "sub/o/x"), INV_ERR_NOT_DIR);
    CHECK_STATUS(inv_object_open(d, "s\0b", 3, 0, &found), INV_ERR_INVALID);
    CHECK_STATUS(inv_object_open(d, NULL, 3, 0, &found), INV_ERR_FAULT);
    CHECK_STATUS(inv_object_open(d, "x", INV_PATH_MAX + 1, 0, &found), INV_ERR_RANGE);
    bare = handle_without(d, INV_RIGHT_GET_INFO);
    CHECK_STATUS(opens(bare, "sub"), INV_ERR_ACCESS);
    CHECK_STATUS(opens(o, "sub"), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(opens(handle_stale(), "sub"), INV_ERR_BAD_HANDLE);
    CHECK_OK(inv_handle_close(o)); // the name was temporary
    CHECK_STATUS(opens(d, "sub/o"), INV_ERR_NOT_FOUND);
    CHECK_OK(inv_handle_close(sub)); // this one was not
    CHECK_OK(opens(d, "sub"));
    inv_handle_close(bare);
    inv_handle_close(d);
}

static void names_are_checked(void) {
    inv_handle_t d = directory(), o = vmo(), other = vmo(), bare;
    char longest[64];
    memset(longest, 'n', sizeof(longest));
    CHECK_STATUS(insert(d, o, "", 0), INV_ERR_INVALID);
    CHECK_STATUS(insert(d, o, ".", 0), INV_ERR_INVALID);
    CHECK_STATUS(insert(d, o, "..", 0), INV_ERR_INVALID);
    CHECK_STATUS(insert(d, o, "a/b", 0), INV_ERR_INVALID);
    CHECK_STATUS(inv_directory_insert(d, o, "a\0b", 3, 0), INV_ERR_INVALID);
    CHECK_STATUS(inv_directory_insert(d, o, NULL, 3, 0), INV_ERR_FAULT);
    CHECK_STATUS(inv_directory_insert(d, o, longest, 64, 0), INV_ERR_RANGE);
    CHECK_STATUS(insert(d, o, "x", 1u << 31), INV_ERR_INVALID);
    CHECK_OK(inv_directory_insert(d, o, longest, 63, 0));
    CHECK_STATUS(insert(d, o, "again", 0), INV_ERR_BAD_STATE);
    CHECK_OK(inv_directory_remove(d, longest, 63));
    CHECK_STATUS(inv_directory_remove(d, longest, 63), INV_ERR_NOT_FOUND);
    CHECK_OK(insert(d, o, "o", 0));
    CHECK_STATUS(insert(d, other, "o", 0), INV_ERR_EXISTS);
    CHECK_STATUS(insert(d, d, "d", 0), INV_ERR_LOOP);
    bare = handle_without(other, INV_RIGHT_WRITE); // a name would give more than this handle has
    CHECK_STATUS(insert(d, bare, "bare", 0), INV_ERR_ACCESS);
    CHECK_STATUS(insert(d, handle_stale(), "stale", 0), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(insert(o, other, "x", 0), INV_ERR_WRONG_TYPE);
    inv_handle_close(bare);
    bare = handle_without(d, INV_RIGHT_WRITE);
    CHECK_STATUS(insert(bare, other, "x", 0), INV_ERR_ACCESS);
    CHECK_STATUS(inv_directory_remove(bare, "o", 1), INV_ERR_ACCESS);
    inv_handle_close(bare);
    inv_handle_t sub = directory();
    CHECK_OK(insert(sub, other, "inside", 0));
    CHECK_OK(insert(d, sub, "sub", 0));
    CHECK_STATUS(inv_directory_remove(d, "sub", 3), INV_ERR_NOT_EMPTY);
    CHECK_OK(inv_directory_remove(sub, "inside", 6));
    CHECK_OK(inv_directory_remove(d, "sub", 3));
    inv_handle_close(sub);
    inv_handle_close(o);
    inv_handle_close(other);
    inv_handle_close(d);
}

static void a_directory_is_listed(void) {
    enum { COUNT = 50 };
    inv_handle_t d = directory(), o[COUNT], bare = handle_without(d, INV_RIGHT_READ);
    struct inv_name_item items[8];
    uint64_t count, cookie = 0;
    unsigned seen = 0;
    char name[16];
    for (unsigned i = 0; i < COUNT; i++) {
        o[i] = vmo();
        snprintf(name, sizeof(name), "%u", i);
        CHECK_OK(insert(d, o[i], name, 0));
    }
    do {
        CHECK_OK(inv_directory_list(d, cookie, items, sizeof(items) + 1, &count, &cookie));
        for (uint64_t i = 0; i < count; i++, seen++) {
            snprintf(name, sizeof(name), "%u", seen);
            CHECK(strcmp((const char *)items[i].name, name) == 0 && items[i].length == strlen(name));
            CHECK(seen < COUNT && items[i].identity == identity_of(o[seen]) && items[i].type == INV_OBJECT_VMO);
        }
    } while (count > 0);
    CHECK(seen == COUNT);
    CHECK_OK(inv_directory_list(d, 0, items, sizeof(items[0]) - 1, &count, &cookie));
    CHECK(count == 0);
    CHECK_STATUS(inv_directory_list(d, 0, NULL, sizeof(items), &count, &cookie), INV_ERR_FAULT);
    CHECK_STATUS(inv_directory_list(d, 0, items, INV_NAME_LIST_MAX + 1, &count, &cookie), INV_ERR_RANGE);
    CHECK_STATUS(inv_directory_list(bare, 0, items, sizeof(items), &count, &cookie), INV_ERR_ACCESS);
    for (unsigned i = 0; i < COUNT; i++)
        inv_handle_close(o[i]);
    CHECK_OK(inv_directory_list(d, 0, items, sizeof(items), &count, &cookie));
    CHECK(count == 0);
    inv_handle_close(bare);
    inv_handle_close(d);
}

static void links_lead_on(void) {
    inv_handle_t d = directory(), o = vmo(), found;
    CHECK_OK(insert(d, o, "o", 0));
    CHECK_OK(inv_link_create(d, test_job, "link", 4, "/o", 2));
    CHECK_OK(open_rights(d, "link", 0, &found));
    CHECK(identity_of(found) == identity_of(o));
    CHECK_OK(inv_handle_close(found));
    CHECK_STATUS(inv_link_create(d, test_job, "link", 4, "/o", 2), INV_ERR_EXISTS);
    CHECK_STATUS(inv_link_create(d, test_job, "x", 1, "o", 1), INV_ERR_INVALID);
    CHECK_OK(inv_link_create(d, test_job, "loop", 4, "/loop", 5));
    CHECK_STATUS(opens(d, "loop"), INV_ERR_LOOP);
    CHECK_OK(inv_link_create(d, test_job, "nowhere", 7, "/none", 5));
    CHECK_STATUS(opens(d, "nowhere"), INV_ERR_NOT_FOUND);
    inv_handle_t bare = handle_without(test_job, INV_RIGHT_MANAGE);
    CHECK_STATUS(inv_link_create(d, bare, "y", 1, "/o", 2), INV_ERR_ACCESS);
    inv_handle_close(bare);
    inv_handle_close(o);
    inv_handle_close(d);
}

// As user 1000, in a process of its own: what the namespace gives.
static void as_another_user(void) {
    inv_handle_t ns, h, mine, bare;
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_NAMESPACE, &ns));
    CHECK((handle_rights(ns) & INV_RIGHT_WRITE) == 0);
    CHECK_STATUS(open_rights(ns, "test/default", INV_RIGHT_READ, &h), INV_ERR_ACCESS);
    CHECK_OK(open_rights(ns, "test/default", INV_RIGHTS_SAME, &h));
    CHECK(handle_rights(h) == INV_RIGHT_GET_INFO);
    inv_handle_close(h);
    CHECK_OK(open_rights(ns, "test/given", INV_RIGHT_READ | INV_RIGHT_DUPLICATE, &h));
    CHECK_STATUS(open_rights(ns, "test/given", INV_RIGHT_WRITE, &bare), INV_ERR_ACCESS);
    CHECK_STATUS(inv_object_set_security(h, 1000, 1000, NULL, 0), INV_ERR_ACCESS); // it has not all rights
    inv_handle_close(h);
    CHECK_STATUS(opens(ns, "test/closed/inside"), INV_ERR_ACCESS);
    CHECK_OK(open_rights(ns, "test/mine", INV_RIGHTS_SAME, &mine));
    CHECK_STATUS(inv_object_set_security(mine, 0, 0, NULL, 0), INV_ERR_NOT_PERMITTED);
    CHECK_OK(inv_object_set_security(mine, 1000, 7, NULL, 0));
    inv_handle_close(mine);
    inv_handle_close(ns);
}

static void security_is_judged_at_open(void) {
    const struct inv_security_entry given = {INV_SECURITY_WHO_USER, 1000, INV_RIGHT_READ | INV_RIGHT_DUPLICATE},
                                    nobody = {INV_SECURITY_WHO_ANYBODY, 0, 0}, bad = {7, 0, 0}, much = {0, 0, 1u << 30};
    inv_handle_t d = directory(), o[4] = {vmo(), vmo(), directory(), vmo()}, inside = vmo();
    static const char *const names[] = {"default", "given", "closed", "mine"};
    CHECK_STATUS(inv_object_set_security(o[1], 0, 0, &bad, sizeof(bad)), INV_ERR_INVALID);
    CHECK_STATUS(inv_object_set_security(o[1], 0, 0, &much, sizeof(much)), INV_ERR_INVALID);
    CHECK_STATUS(inv_object_set_security(o[1], 0, 0, &given, sizeof(given) - 1), INV_ERR_INVALID);
    CHECK_STATUS(inv_object_set_security(o[1], 0, 0, NULL, sizeof(given)), INV_ERR_FAULT);
    CHECK_STATUS(inv_object_set_security(handle_stale(), 0, 0, NULL, 0), INV_ERR_BAD_HANDLE);
    CHECK_OK(inv_object_set_security(o[1], 0, 0, &given, sizeof(given)));
    CHECK_OK(inv_object_set_security(o[2], 0, 0, &nobody, sizeof(nobody)));
    CHECK_OK(inv_object_set_security(o[3], 1000, 1000, NULL, 0));
    CHECK_OK(insert(o[2], inside, "inside", 0));
    for (unsigned i = 0; i < 4; i++)
        CHECK_OK(insert(d, o[i], names[i], 0));
    CHECK_OK(insert(root, d, "test", 0));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        CHECK(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0);
        as_another_user();
        fflush(stdout);
        _exit(test_failures > 0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    for (unsigned i = 0; i < 4; i++)
        inv_handle_close(o[i]);
    inv_handle_close(inside);
    inv_handle_close(d);
    CHECK_STATUS(opens(root, "test"), INV_ERR_NOT_FOUND); // all of it was temporary
}

static void an_object_describes_itself(void) {
    inv_handle_t d = directory(), bare = handle_without(d, INV_RIGHT_GET_INFO);
    char text[INV_DESCRIPTION_MAX], line[64];
    uint64_t length = 0, more;
    CHECK_OK(insert(root, d, "described", 0));
    CHECK_OK(inv_object_describe(d, text, sizeof(text) - 1, &length));
    text[length] = '\0';
    snprintf(line, sizeof(line), "type: directory\nid: %lu\npath: /described\n", (unsigned long)identity_of(d));
    CHECK(strncmp(text, line, strlen(line)) == 0 && strstr(text, "\nhandles: 2\n") && strstr(text, "\nentries: 0\n"));
    CHECK_OK(inv_object_describe(d, text, 1, &more));
    CHECK(more == length);
    CHECK_STATUS(inv_object_describe(bare, text, 1, &more), INV_ERR_ACCESS);
    CHECK_STATUS(inv_object_describe(d, NULL, 100, &more), INV_ERR_FAULT);
    CHECK_STATUS(inv_object_describe(handle_stale(), text, 100, &more), INV_ERR_BAD_HANDLE);
    inv_handle_close(bare);
    inv_handle_close(d);
}

int main(void) {
    test_begin();
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_NAMESPACE, &root));
    an_object_is_found_by_its_name();
    names_are_checked();
    a_directory_is_listed();
    links_lead_on();
    security_is_judged_at_open();
    an_object_describes_itself();
    return test_end();
}
