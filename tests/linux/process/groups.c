// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Supplementary groups: as many as Linux has (65536), their order, their errors, whom they belong to (one thread), and that files are opened by them.
#include "testing.h"

#include <grp.h>
#include <pthread.h>

#define GROUPS_MAX 65536

static gid_t many[GROUPS_MAX + 1], seen[GROUPS_MAX + 1];

static long set(long n, const gid_t *list) {
    return syscall(SYS_setgroups, n, list);
}
static long get(long n, gid_t *list) {
    return syscall(SYS_getgroups, n, list);
}

static void show(const char *name) {
    char text[200] = "";
    long n = get(16, seen);
    for (long i = 0; i < n; i++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), " %u", (unsigned)seen[i]);
    }
    say(name, "%ld:%s", n, text);
}

static void *thread_sets(void *unused) {
    (void)unused;
    gid_t list[] = {99};
    set(1, list);
    return NULL;
}

static int by_group(void) {
    gid_t list[] = {3000, 500, 77777, 12};
    file_make("shared", "x", 0060);
    MUST(chown("shared", 0, 77777));
    MUST(set(4, list));
    MUST(setresgid(1000, 1000, 1000));
    MUST(setresuid(1000, 1000, 1000));
    say_ok("open by a supplementary group", open("shared", O_RDONLY));
    say_call("setgroups without the capability", set(4, list));
    say_call("setgroups without the capability, too many", set(GROUPS_MAX + 1, list));
    show("groups are kept over the change of user");
    return 0;
}

static int not_by_group(void) {
    MUST(set(0, NULL));
    MUST(setresgid(1000, 1000, 1000));
    MUST(setresuid(1000, 1000, 1000));
    say_ok("open without the group", open("shared", O_RDONLY));
    return 0;
}

static int last_of_many(void) {
    MUST(setresuid(1000, 1000, 1000));
    say_call("groups of a child", get(0, NULL));
    say_ok("open by the last of all", open("last", O_RDONLY));
    return 0;
}

int main(void) {
    gid_t unordered[] = {9, 3, 4000000000u, 3, 0, 7};
    gid_t none[] = {1, (gid_t)-1};
    pthread_t thread;

    say_call("setgroups of none", set(0, NULL));
    show("none");
    say_call("setgroups", set(6, unordered));
    show("sorted");
    say_call("getgroups, too small", get(5, seen));
    say_call("getgroups, size 0", get(0, NULL));
    say_call("getgroups, size -1", get(-1, seen));
    say_call("getgroups at a bad address", get(6, (gid_t *)8));
    say_call("setgroups at a bad address", set(1, (gid_t *)8));
    say_call("setgroups with -1", set(2, none));
    show("unchanged");
    say_call("setgroups, size -1", set(-1, unordered));
    say_call("setgroups, one too many", set(GROUPS_MAX + 1, many));
    MUST(pthread_create(&thread, NULL, thread_sets, NULL));
    pthread_join(thread, NULL);
    show("another thread's are its own");
    for (unsigned i = 0; i < GROUPS_MAX; i++) {
        many[i] = (i * 40503u) % GROUPS_MAX + 100000;
    }
    say_call("setgroups of 65536", set(GROUPS_MAX, many));
    say_call("getgroups of 65536", get(GROUPS_MAX, seen));
    bool sorted = true;
    for (unsigned i = 0; i < GROUPS_MAX; i++) {
        sorted = sorted && seen[i] == 100000 + i;
    }
    say_bool("all are there, in order", sorted);
    file_make("last", "x", 0040);
    MUST(chown("last", 0, 100000 + GROUPS_MAX - 1));
    say_child("child", last_of_many);
    say_call("setgroups of none", set(0, NULL));
    say_call("getgroups", get(GROUPS_MAX, seen));
    say_child("a file's group", by_group);
    say_child("not its group", not_by_group);
    return 0;
}
