// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of names in the booted kernel: walks, changes, mounts, charges, and walks against renames on several processors.

#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/string.h>

#include "inode.h"
#include "selftest_threads.h"
#include "walk.h"

static struct vfs_caller caller(void) {
    return (struct vfs_caller){.fs = fs_context_boot, .token = token_root, .job = &root_job};
}

static bool begin(void) {
    struct vfs_caller c = caller();
    inv_status_t s = vfs_mkdir(&c, AT_FDCWD_, "/selftest", 0755);
    return (s == INV_OK || s == INV_ERR_EXISTS) && vfs_mount(&c, "selftest", "/selftest", "tmpfs", 0, "") == INV_OK;
}

// False if something still holds the mount: a count was lost.
static bool end(void) {
    struct vfs_caller c = caller();
    return vfs_unmount(&c, "/selftest", 0) == INV_OK && vfs_unlink(&c, AT_FDCWD_, "/selftest", true) == INV_OK;
}

static inv_status_t touch(const char *path) {
    struct vfs_caller c = caller();
    struct file *f;
    inv_status_t s = vfs_open(&c, AT_FDCWD_, path, O_CREAT_ | O_EXCL_ | O_WRONLY_, 0644, &f);
    if (s == INV_OK)
        file_put(f);
    return s;
}

static inv_status_t look(const char *path, unsigned walk) {
    struct vfs_caller c = caller();
    struct path p;
    inv_status_t s = vfs_lookup(&c, AT_FDCWD_, path, walk, &p);
    if (s == INV_OK)
        path_put(&p);
    return s;
}

static bool walks_follow_links_dots_and_slashes(void) {
    struct vfs_caller c = caller();
    SELFTEST_CHECK(begin());
    SELFTEST_CHECK(vfs_mkdir(&c, AT_FDCWD_, "/selftest/d", 0755) == INV_OK && touch("/selftest/d/f") == INV_OK);
    SELFTEST_CHECK(vfs_symlink(&c, "d/../d//f", AT_FDCWD_, "/selftest/l") == INV_OK);
    SELFTEST_CHECK(vfs_symlink(&c, "loop", AT_FDCWD_, "/selftest/loop") == INV_OK);
    SELFTEST_CHECK(vfs_symlink(&c, "/selftest/d", AT_FDCWD_, "/selftest/dl") == INV_OK);
    SELFTEST_CHECK(look("/selftest/l", WALK_FOLLOW) == INV_OK && look("//selftest///dl/./f", 0) == INV_OK);
    SELFTEST_CHECK(look("/selftest/l/", 0) == INV_ERR_NOT_DIR && look("/selftest/dl/", 0) == INV_OK);
    SELFTEST_CHECK(look("/selftest/loop", WALK_FOLLOW) == INV_ERR_LOOP && look("/selftest/loop", 0) == INV_OK);
    SELFTEST_CHECK(look("/selftest/d/f/x", 0) == INV_ERR_NOT_DIR && look("/selftest/d/x", 0) == INV_ERR_NOT_FOUND);
    SELFTEST_CHECK(look("/../../selftest/d/f", 0) == INV_OK && look("", 0) == INV_ERR_NOT_FOUND);
    SELFTEST_CHECK(look("/selftest/dl", WALK_FOLLOW | WALK_NO_SYMLINKS) == INV_ERR_LOOP);
    SELFTEST_CHECK(end());
    return true;
}
SELFTEST("files/walks_follow_links_dots_and_slashes", walks_follow_links_dots_and_slashes);

static bool a_removed_name_is_gone_and_its_file_lives_on(void) {
    struct vfs_caller c = caller();
    struct file *f;
    struct io_vector v;
    struct io io;
    char text[4] = "abc";
    size_t done;
    SELFTEST_CHECK(begin());
    SELFTEST_CHECK(vfs_open(&c, AT_FDCWD_, "/selftest/f", O_CREAT_ | O_RDWR_, 0600, &f) == INV_OK);
    SELFTEST_CHECK(vfs_unlink(&c, AT_FDCWD_, "/selftest/f", false) == INV_OK &&
                   look("/selftest/f", 0) == INV_ERR_NOT_FOUND);
    io_init_kernel(&io, &v, text, 3);
    SELFTEST_CHECK(file_write(f, &io, &done) == INV_OK && done == 3 && vfs_path_deleted(&f->path));
    SELFTEST_CHECK(vfs_unmount(&c, "/selftest", 0) == INV_ERR_BUSY);
    SELFTEST_CHECK(touch("/selftest/f") == INV_OK);
    memset(text, 0, sizeof(text));
    SELFTEST_CHECK(file_read_kernel(f, 0, text, sizeof(text), &done) == INV_OK && done == 3 &&
                   strcmp(text, "abc") == 0);
    file_put(f);
    SELFTEST_CHECK(end());
    return true;
}
SELFTEST("files/a_removed_name_is_gone_and_its_file_lives_on", a_removed_name_is_gone_and_its_file_lives_on);

static bool charges_are_given_back(void) {
    struct vfs_caller c = caller();
    char name[400];
    dentry_prune(100000);
    epoch_synchronize();
    uint64_t used = root_job.accounts[JOB_MEMORY].used;
    for (int turn = 0; turn < 2; turn++) {
        SELFTEST_CHECK(begin());
        memset(name, 'n', sizeof(name));
        memcpy(name, "/selftest/", 10);
        for (int i = 0; i < 50; i++) {
            snprintf(name + 200, sizeof(name) - 200, "%d", i);
            SELFTEST_CHECK(vfs_mkdir(&c, AT_FDCWD_, name, 0700) == INV_OK);
            SELFTEST_CHECK(look("/selftest/not/there", 0) == INV_ERR_NOT_FOUND);
        }
        SELFTEST_CHECK(end());
    }
    dentry_prune(100000);
    epoch_synchronize();
    SELFTEST_CHECK(root_job.accounts[JOB_MEMORY].used <= used + PAGE_SIZE);
    return true;
}
SELFTEST("files/charges_are_given_back", charges_are_given_back);

static bool a_deep_tree_unmounts_without_recursion(void) {
    struct vfs_caller c = caller();
    struct fs_context *fs;
    struct path p;
    SELFTEST_CHECK(begin());
    SELFTEST_CHECK(fs_context_copy(fs_context_boot, &fs) == INV_OK);
    c.fs = fs;
    SELFTEST_CHECK(vfs_lookup(&c, AT_FDCWD_, "/selftest", 0, &p) == INV_OK && vfs_chdir(&c, &p) == INV_OK);
    path_put(&p);
    for (int i = 0; i < 1000; i++) {
        SELFTEST_CHECK(vfs_mkdir(&c, AT_FDCWD_, "d", 0755) == INV_OK);
        SELFTEST_CHECK(vfs_lookup(&c, AT_FDCWD_, "d", 0, &p) == INV_OK && vfs_chdir(&c, &p) == INV_OK);
        path_put(&p);
    }
    fs_context_put(fs);
    SELFTEST_CHECK(end());
    return true;
}
SELFTEST("files/a_deep_tree_unmounts_without_recursion", a_deep_tree_unmounts_without_recursion);

static bool mounts_stack_and_come_off_in_turn(void) {
    struct vfs_caller c = caller();
    SELFTEST_CHECK(begin() && touch("/selftest/below") == INV_OK);
    SELFTEST_CHECK(vfs_mount(&c, "two", "/selftest", "tmpfs", 0, "") == INV_OK);
    SELFTEST_CHECK(look("/selftest/below", 0) == INV_ERR_NOT_FOUND && touch("/selftest/above") == INV_OK);
    SELFTEST_CHECK(look("/selftest/../selftest/above", 0) == INV_OK);
    SELFTEST_CHECK(vfs_unmount(&c, "/selftest", 0) == INV_OK && look("/selftest/below", 0) == INV_OK);
    SELFTEST_CHECK(vfs_mkdir(&c, AT_FDCWD_, "/selftest/m", 0755) == INV_OK);
    SELFTEST_CHECK(vfs_mount(&c, "/selftest", "/selftest/m", "", MOUNT_BIND, "") == INV_OK);
    SELFTEST_CHECK(look("/selftest/m/below", 0) == INV_OK);
    SELFTEST_CHECK(vfs_unlink(&c, AT_FDCWD_, "/selftest/m", true) == INV_ERR_BUSY);
    SELFTEST_CHECK(vfs_unmount(&c, "/selftest/m", 0) == INV_OK);
    SELFTEST_CHECK(end());
    return true;
}
SELFTEST("files/mounts_stack_and_come_off_in_turn", mounts_stack_and_come_off_in_turn);

// --- against renames --------------------------------------------------------------------------------------------------

#define RACE_TURNS 400
static atomic_bool race_over;
static _Atomic unsigned race_failures;

// The directory d goes to and fro between a and b; f is always in it, and it is always in one of the two.
static void race_rename(void *arg) {
    struct vfs_caller c = caller();
    for (int i = 0; i < RACE_TURNS; i++) {
        if (vfs_rename(&c, AT_FDCWD_, "/selftest/a/d", AT_FDCWD_, "/selftest/b/d", 0) != INV_OK ||
            vfs_rename(&c, AT_FDCWD_, "/selftest/b/d", AT_FDCWD_, "/selftest/a/d", 0) != INV_OK)
            atomic_fetch_add(&race_failures, 1);
    }
    atomic_store(&race_over, true);
}

static void race_walk(void *arg) {
    while (!atomic_load(&race_over)) {
        inv_status_t a = look("/selftest/a/d/f", 0), b = look("/selftest/b/d/f", 0);
        if ((a != INV_OK && a != INV_ERR_NOT_FOUND) || (b != INV_OK && b != INV_ERR_NOT_FOUND))
            atomic_fetch_add(&race_failures, 1);
        if (look("/selftest/a/d/../../keep", 0) == INV_ERR_NOT_DIR || look("/selftest/keep", 0) != INV_OK)
            atomic_fetch_add(&race_failures, 1);
    }
}

static void race_names(void *arg) {
    struct vfs_caller c = caller();
    while (!atomic_load(&race_over)) {
        if (vfs_mkdir(&c, AT_FDCWD_, "/selftest/x", 0755) == INV_OK) {
            (void)!vfs_rename(&c, AT_FDCWD_, "/selftest/x", AT_FDCWD_, "/selftest/a/d/x", 0);
            (void)!vfs_rename(&c, AT_FDCWD_, "/selftest/b/d/x", AT_FDCWD_, "/selftest/x", 0);
        }
        (void)!vfs_unlink(&c, AT_FDCWD_, "/selftest/x", true);
        (void)!vfs_unlink(&c, AT_FDCWD_, "/selftest/a/d/x", true);
        (void)!vfs_unlink(&c, AT_FDCWD_, "/selftest/b/d/x", true);
        dentry_prune(4);
    }
}

static bool walks_beside_renames_see_one_tree_or_the_other(void) {
    struct vfs_caller c = caller();
    struct crew crew;
    struct crew_member members[4];
    SELFTEST_CHECK(begin());
    SELFTEST_CHECK(vfs_mkdir(&c, AT_FDCWD_, "/selftest/a", 0755) == INV_OK &&
                   vfs_mkdir(&c, AT_FDCWD_, "/selftest/b", 0755) == INV_OK);
    SELFTEST_CHECK(vfs_mkdir(&c, AT_FDCWD_, "/selftest/a/d", 0755) == INV_OK && touch("/selftest/a/d/f") == INV_OK &&
                   touch("/selftest/keep") == INV_OK);
    race_over = false;
    race_failures = 0;
    crew_init(&crew);
    bool started = crew_add(&crew, &members[0], race_walk, NULL) && crew_add(&crew, &members[1], race_walk, NULL) &&
                   crew_add(&crew, &members[2], race_names, NULL) && crew_add(&crew, &members[3], race_rename, NULL);
    if (!started)
        atomic_store(&race_over, true);
    crew_wait(&crew);
    SELFTEST_CHECK(started && race_failures == 0);
    SELFTEST_CHECK(look("/selftest/a/d/f", 0) == INV_OK);
    SELFTEST_CHECK(end());
    return true;
}
SELFTEST("files/walks_beside_renames_see_one_tree_or_the_other", walks_beside_renames_see_one_tree_or_the_other);

// --- unmount against the pruner ---------------------------------------------------------------------------------------

static void race_prune(void *arg) {
    while (!atomic_load(&race_over))
        dentry_prune(8);
}

static void race_mount(void *arg) {
    for (int i = 0; i < 150; i++) {
        if (!begin() || touch("/selftest/one") != INV_OK || look("/selftest/none", 0) != INV_ERR_NOT_FOUND || !end())
            atomic_fetch_add(&race_failures, 1);
    }
    atomic_store(&race_over, true);
}

static bool an_unmount_leaves_names_to_the_pruner_that_has_them(void) {
    struct crew crew;
    struct crew_member members[3];
    race_over = false;
    race_failures = 0;
    crew_init(&crew);
    bool started = crew_add(&crew, &members[0], race_prune, NULL) && crew_add(&crew, &members[1], race_prune, NULL) &&
                   crew_add(&crew, &members[2], race_mount, NULL);
    if (!started)
        atomic_store(&race_over, true);
    crew_wait(&crew);
    SELFTEST_CHECK(started && race_failures == 0);
    return true;
}
SELFTEST("files/an_unmount_leaves_names_to_the_pruner_that_has_them",
         an_unmount_leaves_names_to_the_pruner_that_has_them);
