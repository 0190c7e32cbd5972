// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Memory across fork: private pages are copied on writing, on either side; shared pages stay shared; also through
// several generations.
#include "testing.h"

enum { PAGES = 64 };

static char *private_area, *shared_area;
static struct gate go, done;

static int sum(const char *area) {
    int total = 0;
    for (int i = 0; i < PAGES; i++) {
        total += area[i * PAGE];
    }
    return total;
}

static void fill(char *area, char value) {
    for (int i = 0; i < PAGES; i++) {
        area[i * PAGE] = value;
    }
}

static int child_writes(void) {
    fill(private_area, 2);
    fill(shared_area, 2);
    return sum(private_area);
}

static int child_reads_late(void) {
    gate_wait(&go);
    return sum(private_area);
}

static int generations(void) {
    for (int depth = 0; depth < 10; depth++) {
        pid_t pid = fork();
        if (pid > 0) {
            int status = reap(pid);
            // The parent's own value is what it was before the child went on.
            _exit(private_area[0] == depth && WIFEXITED(status) ? WEXITSTATUS(status) + 1 : 100);
        }
        private_area[0] = (char)(depth + 1);
    }
    return 0;
}

static int child_maps(void) {
    munmap(private_area, PAGE);
    mprotect(shared_area, PAGE, PROT_NONE);
    return 0;
}

static int write_protected(void) {
    *(volatile char *)private_area = 1;
    return 0;
}

static int call_writes(void) {
    // The kernel itself writes into a page that is shared for copying.
    int fd = MUST(open("/dev/zero", O_RDONLY));
    read(fd, private_area, PAGES * PAGE);
    return sum(private_area);
}

int main(void) {
    go = gate_create();
    done = gate_create();
    private_area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    shared_area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fill(private_area, 1);
    say_child("child writes both", child_writes);
    say("parent's private sum", "%d", sum(private_area));
    say("parent's shared sum", "%d", sum(shared_area));
    pid_t pid = spawn(child_reads_late);
    fill(private_area, 3);
    gate_raise(&go);
    say("child reads after the parent wrote", "%s", status_text(reap(pid)));
    say_child("the kernel writes in the child", call_writes);
    say("parent's private sum", "%d", sum(private_area));
    private_area[0] = 0;
    say_child("ten generations", generations);
    say_child("the child unmaps and protects", child_maps);
    say("the parent's mappings stay", "%d %d", private_area[0], shared_area[0]);
    mprotect(private_area, PAGE, PROT_READ);
    say_child("a read-only page stays read-only in the child", write_protected);

    char *untouched = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid = fork();
    if (pid == 0) {
        untouched[7] = 9;
        _exit(0);
    }
    reap(pid);
    say("shared page first touched by the child", "%d", untouched[7]);
    return 0;
}
