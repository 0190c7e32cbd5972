// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The stack: it grows when it is touched, up to RLIMIT_STACK; beyond that the process is killed; a guard gap stays
// free below it.
#include "testing.h"

static size_t wanted;

__attribute__((noinline)) static size_t use_stack(size_t left) {
    volatile char frame[4000];
    frame[0] = (char)left;
    frame[3999] = 1;
    return left < 4000 ? 1 : use_stack(left - 4000) + (size_t)frame[3999];
}

static int use_wanted(void) {
    return use_stack(wanted) > 0 ? 0 : 1;
}

static int jump_far(void) {
    // A frame of 2 MiB whose far end is touched first: on Linux the stack grows to wherever it is touched within its
    // limit.
    volatile char *here = __builtin_frame_address(0);
    here[-(2 << 20)] = 1;
    return here[-(2 << 20)];
}

static int alloca_far(void) {
    volatile char *area = __builtin_alloca(3 << 20);
    area[0] = 7;
    return area[0];
}

static int execute_small_stack(void) {
    struct rlimit limit = {256 << 10, RLIM_INFINITY};
    setrlimit(RLIMIT_STACK, &limit);
    char *const argv[] = {(char *)"x", (char *)"1000000", NULL};
    execv("/proc/self/exe", argv);
    return 1;
}

static int call_with_stack_buffer(void) {
    // A system call writes below all that was touched so far: the kernel grows the stack as the program would.
    volatile char *here = __builtin_frame_address(0);
    char *low = (char *)here - (1 << 20);
    int fd = MUST(open("/dev/zero", O_RDONLY));
    return read(fd, low, 100) == 100 ? 0 : errno;
}

int main(int argc, char **argv) {
    if (argc > 1) {
        wanted = (size_t)atol(argv[1]);
        return use_wanted();
    }
    wanted = 4 << 20;
    say_child("4 MiB of 8", use_wanted);
    wanted = 9 << 20;
    say_child("9 MiB of 8", use_wanted);
    say_child("touch 2 MiB below", jump_far);
    say_child("array of 3 MiB", alloca_far);
    say_child("a call's buffer far below", call_with_stack_buffer);
    struct rlimit limit = {16 << 20, RLIM_INFINITY};
    setrlimit(RLIMIT_STACK, &limit);
    say_child("9 MiB after raising the limit to 16", use_wanted);
    limit.rlim_cur = 1 << 20;
    setrlimit(RLIMIT_STACK, &limit);
    wanted = 2 << 20;
    say_child("2 MiB after lowering the limit to 1", use_wanted);
    say_child("a program with a stack of 256 KiB that uses 1 MB", execute_small_stack);
    return 0;
}
