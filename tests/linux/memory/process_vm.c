// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// process_vm_readv and process_vm_writev: pieces, transfers that stop in the middle, rights, errors and their order.
#include "testing.h"
#include <sys/uio.h>

static char *area;
static pid_t other;
static struct gate ready, go;

static ssize_t get(pid_t pid, const struct iovec *l, unsigned long nl, const struct iovec *r, unsigned long nr,
                   unsigned long flags) {
    return syscall(SYS_process_vm_readv, pid, l, nl, r, nr, flags);
}
static ssize_t put(pid_t pid, const struct iovec *l, unsigned long nl, const struct iovec *r, unsigned long nr,
                   unsigned long flags) {
    return syscall(SYS_process_vm_writev, pid, l, nl, r, nr, flags);
}

static int close_nothing_child(void) {
    return 0;
}

static int child(void) {
    strcpy(area, "child's memory");
    strcpy(area + 2 * PAGE, "read only");
    mprotect(area + 2 * PAGE, PAGE, PROT_READ);
    mprotect(area + 3 * PAGE, PAGE, PROT_NONE);
    gate_raise(&ready);
    gate_wait(&go);
    say("the child has", "%s", area);
    return 0;
}

static void transfers(void) {
    static char here[8 * PAGE];
    struct iovec l = {here, 14}, r = {area, 14};
    say_call("read", get(other, &l, 1, &r, 1, 0));
    say("is", "%.14s", here);
    struct iovec many[] = {{here, 3}, {here + 10, 0}, {here + 20, 100}}, far[] = {{area + 8, 2}, {area + 10, 4}};
    say_call("pieces of other sizes", get(other, many, 3, far, 2, 0));
    say("are", "%.3s %.3s", here, here + 20);
    l.iov_len = 5;
    r.iov_len = 100;
    say_call("the shorter side counts", get(other, &l, 1, &r, 1, 0));
    strcpy(here, "written");
    l.iov_len = r.iov_len = 8;
    say_call("write", put(other, &l, 1, &r, 1, 0));
    l.iov_len = r.iov_len = 4 * PAGE;
    say_call("read up to what may not be read", get(other, &l, 1, &r, 1, 0));
    r.iov_base = area + 3 * PAGE;
    say_call("read of what may not be read", get(other, &l, 1, &r, 1, 0));
    r.iov_base = area + PAGE;
    say_call("write up to what may not be written", put(other, &l, 1, &r, 1, 0));
    r.iov_base = area + 2 * PAGE;
    say_call("write of what may not be written", put(other, &l, 1, &r, 1, 0));
    struct iovec two[] = {{area, 8}, {area + 3 * PAGE, 8}, {area, 8}};
    say_call("a bad piece in the middle", get(other, &l, 1, two, 3, 0));
    r = (struct iovec){(void *)8, 8};
    say_call("a bad address there", get(other, &l, 1, &r, 1, 0));
    r = (struct iovec){(void *)(1UL << 63), 8};
    say_call("an address beyond user memory there", get(other, &l, 1, &r, 1, 0));
    r = (struct iovec){area, 8};
    l = (struct iovec){(void *)8, 8};
    say_call("a bad address here", get(other, &l, 1, &r, 1, 0));
    l = (struct iovec){(void *)(1UL << 63), 8};
    say_call("an address beyond user memory here", get(other, &l, 1, &r, 1, 0));
    char *two_pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(two_pages + PAGE, PAGE);
    l = (struct iovec){two_pages, 2 * PAGE};
    r = (struct iovec){area, 2 * PAGE};
    say_call("here one page only", get(other, &l, 1, &r, 1, 0));
}

static void errors(void) {
    static char here[64];
    struct iovec l = {here, 8}, r = {area, 8}, empty = {here, 0};
    say_call("flags", get(other, &l, 1, &r, 1, 1));
    say_call("flags before all", get(-1, (void *)8, 5000, (void *)8, 5000, 1));
    say_call("no such process", get(32767, &l, 1, &r, 1, 0));
    say_call("pid 0", get(0, &l, 1, &r, 1, 0));
    say_call("pid -1", get(-1, &l, 1, &r, 1, 0));
    say_call("nothing here, no such process", get(32767, &empty, 1, &r, 1, 0));
    say_call("nothing there, no such process", get(32767, &l, 1, &empty, 1, 0));
    say_call("no pieces here", get(other, NULL, 0, &r, 1, 0));
    say_call("no pieces there", get(other, &l, 1, NULL, 0, 0));
    say_call("no pieces here, bad pieces there", get(other, NULL, 0, (void *)8, 1, 0));
    say_call("too many here", get(other, &l, 1025, &r, 1, 0));
    say_call("too many there", get(other, &l, 1, &r, 1025, 0));
    say_call("pieces here at a bad address", get(other, (void *)8, 1, &r, 1, 0));
    say_call("pieces there at a bad address", get(other, &l, 1, (void *)8, 1, 0));
    struct iovec negative = {area, 1UL << 63};
    say_call("a negative length here", get(other, &negative, 1, &r, 1, 0));
    say_call("a negative length there", get(other, &l, 1, &negative, 1, 0));
    strcpy(here, "self");
    char to[8] = "";
    struct iovec self_l = {to, 5}, self_r = {here, 5};
    say_call("oneself", get(getpid(), &self_l, 1, &self_r, 1, 0));
    say("is", "%s", to);
    pid_t zombie = spawn(close_nothing_child);
    await_state(zombie, 'Z');
    say_call("a zombie", get(zombie, &l, 1, &r, 1, 0));
    reap(zombie);
}

static int stranger(void) {
    char here[16];
    struct iovec l = {here, 8}, r = {area, 8};
    MUST(setresuid(1000, 1000, 1000));
    say_call("another user", get(other, &l, 1, &r, 1, 0));
    return 0;
}

int main(void) {
    ready = gate_create();
    go = gate_create();
    area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    other = spawn(child);
    gate_wait(&ready);
    transfers();
    errors();
    reap(spawn(stranger));
    gate_raise(&go);
    reap(other);
    return 0;
}
