// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The return from a handler restores every register, the flags and the vector state; and takes what the handler
// changed in its context.
#include "testing.h"
#include <ucontext.h>

static volatile int handled;

// Tramples on all that a function may, so that only the signal frame can bring it back.
static void trample(int signal) {
    (void)signal;
    handled++;
    __asm__ volatile("xor %%eax, %%eax; xor %%ecx, %%ecx; xor %%edx, %%edx; xor %%esi, %%esi; xor %%edi, %%edi;"
                     "xor %%r8d, %%r8d; xor %%r9d, %%r9d; xor %%r10d, %%r10d; xor %%r11d, %%r11d;"
                     "pxor %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15; fninit; stc" ::
                         : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm7", "xmm15", "cc");
    unsigned control = 0x7f80;
    __asm__ volatile("ldmxcsr %0" ::"m"(control));
}

// Fills registers, makes the system call kill(pid, SIGUSR1) itself, and counts the registers that are not the same
// afterwards.
static int registers_after_signal(void) {
    uint64_t before[13], after[13];
    for (int i = 0; i < 13; i++) {
        before[i] = 0x1111111111111111UL * (unsigned)(i + 1);
    }
    register uint64_t pid __asm__("rdi") = (uint64_t)getpid();
    register uint64_t number __asm__("rsi") = SIGUSR1;
    uint64_t *from = before, *to = after;
    __asm__ volatile("push %%rbp; push %%rbx; push %[to];"
                     "mov 0(%[from]), %%rbx; mov 8(%[from]), %%rbp; mov 16(%[from]), %%r8; mov 24(%[from]), %%r9;"
                     "mov 32(%[from]), %%r10; mov 40(%[from]), %%r12; mov 48(%[from]), %%r13; mov 56(%[from]), %%r15;"
                     "mov 64(%[from]), %%rdx;"
                     "mov $62, %%eax; syscall;"
                     "pop %%rcx;"
                     "mov %%rbx, 0(%%rcx); mov %%rbp, 8(%%rcx); mov %%r8, 16(%%rcx); mov %%r9, 24(%%rcx);"
                     "mov %%r10, 32(%%rcx); mov %%r12, 40(%%rcx); mov %%r13, 48(%%rcx); mov %%r15, 56(%%rcx);"
                     "mov %%rdx, 64(%%rcx);"
                     "pop %%rbx; pop %%rbp"
                     : "+r"(pid), "+r"(number)
                     : [from] "a"(from), [to] "d"(to)
                     : "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r15", "memory", "cc");
    int wrong = 0;
    for (int i = 0; i < 9; i++) {
        wrong += before[i] != after[i];
    }
    return wrong;
}

static bool vectors_after_signal(void) {
    uint64_t in[6] = {1, 2, 3, 4, 5, 6}, out[6] = {0};
    unsigned control = 0x3f80, control_after = 0;
    unsigned short x87 = 0x0a7f, x87_after = 0;
    long result = 62;
    __asm__ volatile("ldmxcsr %[control]; fldcw %[x87]; movups 0(%[in]), %%xmm0; movups 16(%[in]), %%xmm7; movups "
                     "32(%[in]), %%xmm15;"
                     "syscall;"
                     "movups %%xmm0, 0(%[out]); movups %%xmm7, 16(%[out]); movups %%xmm15, 32(%[out]);"
                     "stmxcsr %[control_after]; fnstcw %[x87_after]; fninit"
                     : "+a"(result), [control_after] "=m"(control_after), [x87_after] "=m"(x87_after)
                     : "D"((long)getpid()),
                       "S"((long)SIGUSR1), [in] "r"(in), [out] "r"(out), [control] "m"(control), [x87] "m"(x87)
                     : "rcx", "r11", "xmm0", "xmm7", "xmm15", "memory");
    unsigned standard = 0x1f80;
    __asm__ volatile("ldmxcsr %0" ::"m"(standard));
    return memcmp(in, out, sizeof(in)) == 0 && control_after == control && x87_after == x87;
}

static void change_context(int signal, siginfo_t *information, void *context) {
    (void)signal;
    (void)information;
    ucontext_t *user = context;
    user->uc_mcontext.gregs[REG_R8] = 0x5555;
    user->uc_mcontext.gregs[REG_RIP] += 2;
    sigaddset(&user->uc_sigmask, SIGTERM);
    handled++;
}

static void bad_context(int signal, siginfo_t *information, void *context) {
    (void)signal;
    (void)information;
    ucontext_t *user = context;
    user->uc_mcontext.gregs[REG_RIP] = (greg_t)0x8000000000000000UL;
}

static void privileged_context(int signal, siginfo_t *information, void *context) {
    (void)signal;
    (void)information;
    ucontext_t *user = context;
    // Selectors of privilege 0, interrupts off, I/O privilege 3: none of them may come through.
    user->uc_mcontext.gregs[REG_EFL] = (user->uc_mcontext.gregs[REG_EFL] & ~0x200) | 0x3000;
    handled++;
}

static int return_to_bad_address(void) {
    struct sigaction action = {.sa_sigaction = bad_context, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    return 0;
}

static int return_with_bad_frame(void) {
    // rt_sigreturn without a frame: the stack pointer leads to what is no frame.
    char *area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    __asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall" ::"r"(area + PAGE - 16) : "memory");
    return 0;
}

static int return_with_zero_frame(void) {
    char *area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    __asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall" ::"r"(area + PAGE) : "memory");
    return 0;
}

int main(void) {
    struct sigaction action = {.sa_handler = trample};
    sigaction(SIGUSR1, &action, NULL);
    say("general registers changed by a handler", "%d", registers_after_signal());
    say_bool("vector and control registers are kept", vectors_after_signal());
    say("handled", "%d", handled);

    action = (struct sigaction){.sa_sigaction = change_context, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, NULL);
    uint64_t r8 = 0;
    __asm__ volatile("xor %%r8d, %%r8d; ud2; mov %%r8, %0" : "=r"(r8)::"r8", "memory");
    say("register changed in the context", "%#lx", (unsigned long)r8);
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    say_bool("mask changed in the context", sigismember(&set, SIGTERM));

    action = (struct sigaction){.sa_sigaction = privileged_context, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    uint64_t flags;
    __asm__ volatile("pushfq; pop %0" : "=r"(flags));
    say("interrupt flag and I/O privilege after trying to change them", "%#lx", (unsigned long)(flags & 0x3200));
    say_child("return to an address that is not canonical", return_to_bad_address);
    say_child("rt_sigreturn at the end of memory", return_with_bad_frame);
    say_child("rt_sigreturn to a frame of zeros", return_with_zero_frame);
    return 0;
}
