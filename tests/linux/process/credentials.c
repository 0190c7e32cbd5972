// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// User and group ids: reading, dropping, what a process without privilege may no longer do.
#include "testing.h"
#include <grp.h>

static int drop_user(void) {
    uid_t real, effective, saved;
    say_call("setuid(1000)", setuid(1000));
    getresuid(&real, &effective, &saved);
    say("user ids", "%d %d %d", (int)real, (int)effective, (int)saved);
    say_call("setuid(0) afterwards", setuid(0));
    say_call("setuid(1001) afterwards", setuid(1001));
    say_call("setuid(1000) afterwards", setuid(1000));
    say_call("setgid(0) keeps the group", setgid(0));
    say_call("setgid(5) afterwards", setgid(5));
    say_call("setgroups", setgroups(0, NULL));
    say_call("kill of process 1", kill(1, SIGTERM));
    say_call("kill with 0 of process 1", kill(1, 0));
    say_call("chroot", chroot("/"));
    say_call("sethostname", sethostname("x", 1));
    say_call("nice -1", setpriority(PRIO_PROCESS, 0, -1));
    struct rlimit limit = {5000, 5000};
    say_call("raise a hard limit", setrlimit(RLIMIT_NOFILE, &limit));
    return 0;
}

static int swap_ids(void) {
    uid_t real, effective, saved;
    say_call("setresuid(1, 2, 3)", setresuid(1, 2, 3));
    say_call("setresuid(-1, 3, -1)", setresuid((uid_t)-1, 3, (uid_t)-1));
    getresuid(&real, &effective, &saved);
    say("user ids", "%d %d %d", (int)real, (int)effective, (int)saved);
    say_call("setresuid(4, -1, -1)", setresuid(4, (uid_t)-1, (uid_t)-1));
    say_call("setreuid(3, 1)", setreuid(3, 1));
    getresuid(&real, &effective, &saved);
    say("user ids", "%d %d %d", (int)real, (int)effective, (int)saved);
    return 0;
}

static int effective_only(void) {
    file_make("root-file", "x", 0600);
    say_call("seteuid(1000)", seteuid(1000));
    say_ok("open of root's file", open("root-file", O_RDONLY));
    say_call("access uses the real id", access("root-file", R_OK));
    say_call("seteuid(0) back", seteuid(0));
    say_ok("open of root's file", open("root-file", O_RDONLY));
    return 0;
}

static int groups(void) {
    gid_t list[8] = {7, 8, 9};
    say_call("setgroups", setgroups(3, list));
    memset(list, 0, sizeof(list));
    say_call("getgroups", getgroups(8, list));
    say("groups", "%d %d %d", (int)list[0], (int)list[1], (int)list[2]);
    say_call("getgroups with size 0", getgroups(0, NULL));
    say_call("getgroups with a small size", getgroups(2, list));
    say_call("getgroups with a negative size", getgroups(-1, list));
    return 0;
}

int main(void) {
    say("ids", "%d %d %d %d", (int)getuid(), (int)geteuid(), (int)getgid(), (int)getegid());
    say_child("setuid", drop_user);
    say_child("setresuid", swap_ids);
    say_child("seteuid", effective_only);
    say_child("groups", groups);
    say_call("setresuid with -1 everywhere", setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1));
    return 0;
}
