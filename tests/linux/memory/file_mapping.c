// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Mappings of files: private and shared writes, reads and writes of the file beside them, the page at the end, what
// lies beyond, truncation.
#include "testing.h"
#include <setjmp.h>

static sigjmp_buf back;
static volatile int seen_signal, seen_code;
static volatile uintptr_t seen_address;

static void handler(int signal, siginfo_t *information, void *context) {
    (void)context;
    seen_signal = signal;
    seen_code = information->si_code;
    seen_address = (uintptr_t)information->si_addr;
    siglongjmp(back, 1);
}

static void touch(const char *name, char *address) {
    if (sigsetjmp(back, 1) == 0) {
        say(name, "reads %d", *(volatile char *)address);
    } else {
        say(name, "%s code %d address %s", signal_name(seen_signal), seen_code,
            seen_address == (uintptr_t)address ? "right" : "wrong");
    }
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    char buffer[16] = "";
    int fd = MUST(open("f", O_RDWR | O_CREAT, 0644));
    MUST(write(fd, "hello, file", 11));
    char *shared = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    char *second = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    say("shared", "%.11s", shared);
    say("private", "%.11s", private);
    touch("rest of the last page is zero", shared + 100);
    touch("a page beyond the end", shared + PAGE);
    touch("two pages beyond the end", shared + 2 * PAGE);

    shared[0] = 'J';
    pread(fd, buffer, 11, 0);
    say("a shared write is in the file", "%.11s", buffer);
    say("and in another mapping", "%.11s", second);
    say("and in the private one that was not written", "%.11s", private);
    private[1] = 'u';
    pread(fd, buffer, 11, 0);
    say("a private write is not", "%.11s", buffer);
    pwrite(fd, "XYZ", 3, 2);
    say("write shows in the shared mapping", "%.11s", shared);
    say("and not in a private page that was written", "%.11s", private);

    shared[50] = 'z';
    struct stat status;
    fstat(fd, &status);
    say("a write past the end in the last page does not grow the file", "%ld", (long)status.st_size);
    ftruncate(fd, PAGE + 10);
    touch("the page that was beyond the end", shared + PAGE);
    shared[PAGE + 5] = 'q';
    pread(fd, buffer, 1, PAGE + 5);
    say("written there", "%c", buffer[0]);
    ftruncate(fd, 5);
    touch("after shrinking the page is beyond the end again", shared + PAGE);
    touch("the rest of the last page was cleared", shared + 7);
    touch("the private copy keeps its own", private + 1);
    say_call("read into a mapping beyond the end", pread(fd, shared + PAGE, 3, 0));
    close(fd);
    touch("the mapping outlives the descriptor", shared + 1);
    unlink("f");
    touch("and the name", shared + 1);
    say_call("msync", msync(shared, PAGE, MS_SYNC));
    say_call("msync of an odd address", msync(shared + 1, PAGE, MS_SYNC));
    say_call("msync with both kinds", msync(shared, PAGE, MS_SYNC | MS_ASYNC));
    say_call("msync of what is not mapped", msync((void *)0x10000, PAGE, MS_SYNC));

    fd = MUST(open("g", O_RDWR | O_CREAT, 0644));
    MUST(ftruncate(fd, 4 * PAGE));
    MUST(pwrite(fd, "third", 5, 2 * PAGE));
    char *tail = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 2 * PAGE);
    say("mapping at an offset", "%.5s", tail);
    char *zero = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, MUST(open("/dev/zero", O_RDWR)), 0);
    zero[1] = 4;
    say("/dev/zero mapped", "%d %d", zero[0], zero[1]);
    return 0;
}
