// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A shared mapping of a file between processes, and a private one across fork.
#include "testing.h"

static volatile int *counter;

static int add(void) {
    for (int i = 0; i < 10000; i++) {
        __atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
    }
    return 0;
}

static int map_and_read(void) {
    int fd = MUST(open("counter", O_RDONLY));
    const int *own = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    return *own == 40000 ? 0 : 1;
}

int main(void) {
    int fd = MUST(open("counter", O_RDWR | O_CREAT, 0644));
    MUST(ftruncate(fd, PAGE));
    counter = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        pids[i] = spawn(add);
    }
    for (int i = 0; i < 4; i++) {
        reap(pids[i]);
    }
    say("four processes counted", "%d", *counter);
    int value = 0;
    pread(fd, &value, sizeof(value), 0);
    say("read gives", "%d", value);
    say_child("a process that maps the file itself sees it", map_and_read);
    volatile int *copy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    pid_t pid = fork();
    if (pid == 0) {
        *copy = 5;
        _exit(*copy);
    }
    say("a child writes its private copy", "%s", status_text(reap(pid)));
    say("the parent's", "%d", *copy);
    return 0;
}
