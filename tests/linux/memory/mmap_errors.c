// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// mmap, munmap, mprotect: arguments that are refused, and which error wins where several apply.
#include "testing.h"

static void try_mmap(const char *name, void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    void *result = (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
    if (result == MAP_FAILED) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "ok");
        munmap(result, length);
    }
}

int main(void) {
    const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
    file_make("f", "0123456789", 0644);
    int reader = MUST(open("f", O_RDONLY)), writer = MUST(open("f", O_WRONLY)), both = MUST(open("f", O_RDWR));
    int folder = MUST(open(".", O_RDONLY)), pipes[2];
    MUST(pipe(pipes));
    try_mmap("length 0", NULL, 0, PROT_READ, anonymous, -1, 0);
    try_mmap("length 0 and bad descriptor", NULL, 0, PROT_READ, MAP_PRIVATE, -1, 0);
    try_mmap("length that overflows when rounded", NULL, (size_t)-1, PROT_READ, anonymous, -1, 0);
    try_mmap("length of half the address space", NULL, 1UL << 47, PROT_READ, anonymous, -1, 0);
    try_mmap("neither private nor shared", NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0);
    try_mmap("type of 3 is MAP_SHARED_VALIDATE, not for anonymous memory", NULL, PAGE, PROT_READ, MAP_ANONYMOUS | 3, -1,
             0);
    try_mmap("odd offset of anonymous memory", NULL, PAGE, PROT_READ, anonymous, -1, 100);
    try_mmap("odd offset of a file", NULL, PAGE, PROT_READ, MAP_PRIVATE, reader, 100);
    try_mmap("fixed address that is odd", (void *)0x10000001, PAGE, PROT_READ, anonymous | MAP_FIXED, -1, 0);
    try_mmap("hint that is odd", (void *)0x10000001, PAGE, PROT_READ, anonymous, -1, 0);
    try_mmap("fixed address in kernel space", (void *)0xffff800000000000UL, PAGE, PROT_READ, anonymous | MAP_FIXED, -1,
             0);
    try_mmap("fixed address at the end of user space", (void *)0x7ffffffff000UL, PAGE, PROT_READ, anonymous | MAP_FIXED,
             -1, 0);
    try_mmap("last page of user space", (void *)0x7fffffffe000UL, PAGE, PROT_READ, anonymous | MAP_FIXED, -1, 0);
    try_mmap("hint in kernel space", (void *)0xffff800000000000UL, PAGE, PROT_READ, anonymous, -1, 0);
    try_mmap("bad descriptor", NULL, PAGE, PROT_READ, MAP_PRIVATE, 77, 0);
    try_mmap("descriptor of a folder", NULL, PAGE, PROT_READ, MAP_PRIVATE, folder, 0);
    try_mmap("descriptor of a pipe", NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0);
    try_mmap("write-only file, private read", NULL, PAGE, PROT_READ, MAP_PRIVATE, writer, 0);
    try_mmap("write-only file, shared write", NULL, PAGE, PROT_WRITE, MAP_SHARED, writer, 0);
    try_mmap("read-only file, shared write", NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0);
    try_mmap("read-only file, private write", NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, reader, 0);
    try_mmap("read-only file, shared read", NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    try_mmap("file, shared write", NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, both, 0);
    try_mmap("offset beyond the end of the file", NULL, PAGE, PROT_READ, MAP_PRIVATE, reader, 1 << 20);
    try_mmap("offset and length that overflow", NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, reader, 0x7ffffffffffff000L);

    char *area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, anonymous, -1, 0);
    say_call("munmap of an odd address", munmap(area + 1, PAGE));
    say_call("munmap of length 0", munmap(area, 0));
    say_call("munmap of an odd length", munmap(area, 1));
    say_call("munmap of nothing mapped", munmap((void *)0x10000, PAGE));
    say_call("munmap beyond user space", munmap((void *)0xffff800000000000UL, PAGE));
    say_call("munmap across the end of user space", munmap((void *)0x7ffffffff000UL, 2 * PAGE));
    say_call("mprotect of an odd address", mprotect(area + 1, PAGE, PROT_READ));
    say_call("mprotect of length 0", mprotect(area, 0, PROT_READ));
    say_call("mprotect of what is not mapped", mprotect(area, PAGE, PROT_READ));
    say_call("mprotect that starts mapped and ends unmapped", mprotect(area + 3 * PAGE, 1 << 20, PROT_READ));
    say_call("mprotect with unknown bits", mprotect(area + PAGE, PAGE, 0x40));
    say_call("mprotect that wraps", mprotect(area + PAGE, (size_t)-PAGE, PROT_READ));
    char *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    say_call("mprotect to write of a shared mapping of a read-only file",
             mprotect(shared, PAGE, PROT_READ | PROT_WRITE));
    return 0;
}
