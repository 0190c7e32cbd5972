// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// sigaltstack: handlers on their own stack, the states it reports, its errors, and a stack overflow that is caught.
#include "testing.h"
#include <setjmp.h>

static char area[64 * 1024];
static volatile bool on_area;
static volatile int flags_inside, errno_inside;
static sigjmp_buf back;

static bool is_on_area(const void *address) {
    return (const char *)address >= area && (const char *)address < area + sizeof(area);
}

static void handler(int signal) {
    (void)signal;
    char here;
    stack_t stack;
    on_area = is_on_area(&here);
    sigaltstack(NULL, &stack);
    flags_inside = stack.ss_flags;
    stack.ss_flags = SS_DISABLE;
    errno_inside = sigaltstack(&stack, NULL) == -1 ? errno : 0;
}

static void overflow_handler(int signal) {
    char here;
    on_area = is_on_area(&here);
    siglongjmp(back, signal);
}

__attribute__((noinline)) static int recurse(int depth) {
    volatile char frame[4096];
    frame[0] = (char)depth;
    return depth < 1 << 30 ? recurse(depth + 1) + frame[0] : 0;
}

static void show(const char *name) {
    say(name, "on the alternate stack %d, flags inside %d, change inside %s", on_area, flags_inside,
        errno_inside ? error_name(errno_inside) : "ok");
}

int main(void) {
    stack_t stack = {.ss_sp = area, .ss_size = sizeof(area)}, old;
    sigaltstack(NULL, &old);
    say("at the start", "flags %d", old.ss_flags);
    say_call("set", sigaltstack(&stack, NULL));
    sigaltstack(NULL, &old);
    say("read back", "flags %d, size %d, address %s", old.ss_flags, (int)old.ss_size,
        old.ss_sp == area ? "right" : "wrong");
    struct sigaction action = {.sa_handler = handler, .sa_flags = 0};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    show("handler without SA_ONSTACK");
    sigaltstack(&stack, NULL);
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    show("handler with SA_ONSTACK");

    stack_t small = {.ss_sp = area, .ss_size = 100};
    say_call("too small", syscall(SYS_sigaltstack, &small, NULL));
    stack_t odd = {.ss_sp = area, .ss_size = sizeof(area), .ss_flags = 0x40};
    say_call("unknown flag", syscall(SYS_sigaltstack, &odd, NULL));
    say_call("bad address", syscall(SYS_sigaltstack, (void *)8, NULL));
    stack.ss_flags = SS_DISABLE;
    say_call("disable", sigaltstack(&stack, NULL));
    raise(SIGUSR1);
    show("handler after disabling");

    stack.ss_flags = 0;
    sigaltstack(&stack, NULL);
    action.sa_handler = overflow_handler;
    sigaction(SIGSEGV, &action, NULL);
    struct rlimit limit = {256 * 1024, 256 * 1024};
    setrlimit(RLIMIT_STACK, &limit);
    int signal = sigsetjmp(back, 1);
    if (signal == 0) {
        recurse(0);
    }
    say("stack overflow", "%s, handler on the alternate stack %d", signal_name(signal), on_area);
    return 0;
}
