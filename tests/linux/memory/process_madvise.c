// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// process_madvise: which advice it takes, for whom, pieces that stop in the middle, errors and their order.
#include "testing.h"
#include <sys/uio.h>

#ifndef MADV_COLD
#define MADV_COLD    20
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static char *area;
static int pidfd;

static long advise(int fd, const void *v, unsigned long n, int advice, unsigned flags) {
    return syscall(SYS_process_madvise, fd, v, n, advice, flags);
}

static int child(void) {
    pause();
    return 0;
}

static int stranger(void) {
    struct iovec v = {area, PAGE};
    MUST(setresuid(1000, 1000, 1000));
    say_call("by another user", advise(pidfd, &v, 1, MADV_COLD, 0));
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    say_call("by a plain user of himself", advise(self, &v, 1, MADV_COLD, 0));
    return 0;
}

int main(void) {
    area = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 'x', 8 * PAGE);
    munmap(area + 4 * PAGE, PAGE);
    pid_t pid = spawn(child);
    pidfd = MUST((int)syscall(SYS_pidfd_open, pid, 0));
    struct iovec v[] = {{area, PAGE}, {area + 2 * PAGE, 2 * PAGE}, {area + 4 * PAGE, PAGE}, {area, PAGE}};
    say_call("MADV_COLD", advise(pidfd, v, 1, MADV_COLD, 0));
    say_call("MADV_PAGEOUT of two", advise(pidfd, v, 2, MADV_PAGEOUT, 0));
    say_call("MADV_WILLNEED", advise(pidfd, v, 1, MADV_WILLNEED, 0));
    say_call("MADV_COLLAPSE of a page", advise(pidfd, v, 1, MADV_COLLAPSE, 0));
    say_call("a hole in the middle", advise(pidfd, v, 4, MADV_COLD, 0));
    say_call("a hole alone", advise(pidfd, v + 2, 1, MADV_COLD, 0));
    say_call("MADV_DONTNEED", advise(pidfd, v, 1, MADV_DONTNEED, 0));
    say_call("unknown advice", advise(pidfd, v, 1, 99, 0));
    say_call("flags", advise(pidfd, v, 1, MADV_COLD, 1));
    say_call("flags before all", advise(-1, (void *)8, 5000, 99, 1));
    say_call("no pieces", advise(pidfd, v, 0, MADV_COLD, 0));
    say_call("no pieces, unknown advice", advise(pidfd, v, 0, 99, 0));
    say_call("too many pieces", advise(pidfd, v, 1025, MADV_COLD, 0));
    say_call("pieces at a bad address", advise(pidfd, (void *)8, 1, MADV_COLD, 0));
    say_call("pieces at a bad address, closed descriptor", advise(-1, (void *)8, 1, MADV_COLD, 0));
    say_call("closed descriptor", advise(-1, v, 1, MADV_COLD, 0));
    say_call("a descriptor of something else", advise(0, v, 1, MADV_COLD, 0));
    say_call("something else, unknown advice", advise(0, v, 1, 99, 0));
    v[0].iov_base = area + 1;
    say_call("odd address", advise(pidfd, v, 1, MADV_COLD, 0));
    v[0] = (struct iovec){area, 1UL << 63};
    say_call("negative length", advise(pidfd, v, 1, MADV_COLD, 0));
    v[0] = (struct iovec){(void *)(1UL << 63), PAGE};
    say_call("beyond user memory", advise(pidfd, v, 1, MADV_COLD, 0));
    reap(spawn(stranger));
    kill(pid, SIGKILL);
    await_state(pid, 'Z');
    v[0] = (struct iovec){area, PAGE};
    say_call("a zombie", advise(pidfd, v, 1, MADV_COLD, 0));
    reap(pid);
    say_call("one that has gone", advise(pidfd, v, 1, MADV_COLD, 0));
    return 0;
}
