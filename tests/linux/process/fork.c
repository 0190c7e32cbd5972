// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// fork: return values, exit status, what is copied (memory, descriptors with their shared offset) and what is not.
#include "testing.h"

static int value = 1;
static pid_t parent;

static int child_changes_memory(void) {
    value = 2;
    return value;
}

static int child_sees_parent(void) {
    return getppid() == parent && getpid() != parent ? 0 : 1;
}

static int child_moves_offset(void) {
    char byte;
    return read(10, &byte, 1) == 1 ? byte : 255;
}

static int child_exits_300(void) {
    return 300;
}

int main(void) {
    parent = getpid();
    say_child("child that changes a variable", child_changes_memory);
    say("variable in the parent", "%d", value);
    say_child("getppid in the child is the parent", child_sees_parent);

    file_make("f", "abc", 0644);
    int fd = MUST(open("f", O_RDONLY));
    MUST(dup2(fd, 10));
    say("byte that the child reads", "%c", WEXITSTATUS(reap(spawn(child_moves_offset))));
    char byte = '?';
    say_call("read after the child's read", read(10, &byte, 1));
    say("offset is shared, so the parent reads", "%c", byte);
    say_child("exit status above 255", child_exits_300);

    int many = 0;
    for (int i = 0; i < 50; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(i);
        }
        many += WEXITSTATUS(reap(pid)) == i;
    }
    say("fifty children in turn", "%d right", many);

    pid_t pids[20];
    for (int i = 0; i < 20; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            _exit(i);
        }
    }
    many = 0;
    for (int i = 19; i >= 0; i--) {
        many += WEXITSTATUS(reap(pids[i])) == i;
    }
    say("twenty children at once", "%d right", many);
    say_call("wait with no child left", wait(NULL));
    return 0;
}
