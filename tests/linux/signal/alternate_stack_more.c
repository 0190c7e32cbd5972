// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Corners of the alternate stack: SS_AUTODISARM, sizes, nesting, overflow of it, and who inherits it.
#include "../testing.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif
#define SIZE 65536

static char *area;
static volatile int depth, depth_wanted;

static bool inside(const void *p) {
    return (const char *)p >= area && (const char *)p < area + SIZE;
}

static const char *flags_text(int flags) {
    static char text[64];
    snprintf(text, sizeof(text), "%s%s%s",
             flags & SS_ONSTACK   ? "on"
             : flags & SS_DISABLE ? "disabled"
                                  : "armed",
             (unsigned)flags & SS_AUTODISARM ? ", disarms itself" : "",
             (unsigned)flags & ~(SS_AUTODISARM | SS_ONSTACK | SS_DISABLE) ? ", others" : "");
    return text;
}

static const char *now(void) {
    stack_t s;
    return syscall(SYS_sigaltstack, NULL, &s) == -1 ? error_name(errno) : flags_text(s.ss_flags);
}

static int set(int flags, size_t size) {
    stack_t s = {.ss_sp = area, .ss_flags = flags, .ss_size = size};
    return (int)syscall(SYS_sigaltstack, &s, NULL);
}

static void handler(int signal, siginfo_t *info, void *context) {
    const ucontext_t *u = context;
    char here;
    (void)info;
    say("  handler", "depth %d, on the stack %d, is %s, saved %s", depth, inside(&here), now(),
        flags_text(u->uc_stack.ss_flags));
    if (depth == 0)
        say_ok("  change inside", set((int)SS_AUTODISARM, SIZE));
    if (depth < depth_wanted) {
        depth++;
        raise(signal);
        depth--;
        say("  back at depth", "%d, is %s", depth, now());
    }
}

static void install(int flags) {
    struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | flags};
    MUST(sigaction(SIGUSR1, &a, NULL));
}

static void nested(const char *name, int flags, int wanted) {
    say_ok(name, set(flags, SIZE));
    depth = 0;
    depth_wanted = wanted;
    raise(SIGUSR1);
    say("  afterwards", "%s", now());
    set(SS_DISABLE, 0);
}

static void sizes(void) {
    static const size_t all[] = {0, 1, 1000, 2047, SIZE};
    for (size_t i = 0; i < COUNT(all); i++) {
        char name[32];
        snprintf(name, sizeof(name), "%d bytes", (int)all[i]);
        say_call(name, set(0, all[i]));
    }
    say_call("disabled with a bad size", set(SS_DISABLE, 1));
    say_call("SS_ONSTACK", set(SS_ONSTACK, SIZE));
    say("is", "%s", now());
    say_call("SS_DISABLE and SS_ONSTACK", set(SS_DISABLE | SS_ONSTACK, SIZE));
    say_call("SS_DISABLE and SS_AUTODISARM", set((int)(SS_DISABLE | SS_AUTODISARM), SIZE));
    say("is", "%s", now());
    say_call("4", set(4, SIZE));
    set(SS_DISABLE, 0);
}

static int in_child(void) {
    say("  the child's", "%s", now());
    return 0;
}

static int in_thread(void *argument) {
    (void)argument;
    say("  the thread's", "%s", now());
    return 0;
}

static void inherited(void) {
    static char stack[65536] __attribute__((aligned(16)));
    MUST(set((int)SS_AUTODISARM, SIZE));
    say_child("fork", in_child);
    pid_t pid = MUST(clone(in_thread, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL));
    say("clone with its memory", "%s", status_text(reap(pid)));
    pid = MUST(clone(in_thread, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
    say("clone as vfork does", "%s", status_text(reap(pid)));
    set(SS_DISABLE, 0);
}

// The handler's frame does not fit into what is left of the stack that it is on.
static void deep(int signal) {
    char here[6000];
    memset(here, signal, sizeof(here));
    __asm__ volatile("" ::"r"(here) : "memory");
    raise(signal);
    __asm__ volatile("" ::"r"(here) : "memory");
}
static int overflow(void) {
    struct sigaction a = {.sa_handler = deep, .sa_flags = SA_ONSTACK | SA_NODEFER};
    MUST(set(0, SIZE));
    MUST(sigaction(SIGUSR1, &a, NULL));
    raise(SIGUSR1);
    return 1;
}

static int unmapped(void) {
    install(0);
    MUST(set(0, SIZE));
    MUST(munmap(area, SIZE));
    raise(SIGUSR1);
    return 1;
}

int main(int argc, char **argv) {
    if (argc > 1) {
        say("  after exec", "%s", now());
        return 0;
    }
    area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say("at the start", "%s", now());
    sizes();
    install(0);
    nested("plain", 0, 0);
    nested("plain, nested", 0, 2);
    nested("disarms itself", (int)SS_AUTODISARM, 0);
    nested("disarms itself, with SS_ONSTACK", (int)(SS_AUTODISARM | SS_ONSTACK), 0);
    inherited();
    MUST(set(0, SIZE));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        execl("/proc/self/exe", argv[0], "again", NULL);
        _exit(9);
    }
    say("exec", "%s", status_text(reap(pid)));
    say_child("overflow", overflow);
    say_child("unmapped", unmapped);
    return 0;
}
