// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Processor faults: which signal, si_code and si_addr each one gives; with the signal blocked or ignored the process
// is killed.
#include "testing.h"
#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf back;
static volatile uintptr_t seen_address;
static volatile int seen_code, seen_trap;
static volatile unsigned long seen_error;

static void handler(int signal, siginfo_t *information, void *context) {
    ucontext_t *user = context;
    seen_address = (uintptr_t)information->si_addr;
    seen_code = information->si_code;
    seen_trap = (int)user->uc_mcontext.gregs[REG_TRAPNO];
    // Of a page fault's error code the first bit depends on what was touched before.
    seen_error = (unsigned long)user->uc_mcontext.gregs[REG_ERR] & (seen_trap == 14 ? ~1UL : ~0UL);
    siglongjmp(back, signal);
}

static char *readable, *none, *data;
static volatile uintptr_t fault_at;

static void read_null(void) {
    fault_at = 0;
    *(volatile char *)0;
}

static void write_low(void) {
    fault_at = 0x123;
    *(volatile char *)0x123 = 1;
}

static void write_read_only(void) {
    fault_at = (uintptr_t)readable + 5;
    ((volatile char *)readable)[5] = 1;
}

static void read_none(void) {
    fault_at = (uintptr_t)none + 9;
    ((volatile char *)none)[9];
}

static void read_kernel(void) {
    fault_at = 0xffffffff80000000UL;
    *(volatile char *)0xffffffff80000000UL;
}

static void read_not_canonical(void) {
    fault_at = 0;
    *(volatile char *)0x8000000000000000UL;
}

static void execute_data(void) {
    fault_at = (uintptr_t)data;
    ((void (*)(void))data)();
}

static void execute_null(void) {
    fault_at = 0;
    void (*volatile function)(void) = NULL;
    function();
}

static void write_text(void) {
    fault_at = (uintptr_t)execute_null;
    *(volatile char *)(uintptr_t)execute_null = 1;
}

static void divide(void) {
    fault_at = 1;
    __asm__ volatile("xor %%edx, %%edx; xor %%ecx, %%ecx; mov $1, %%eax; div %%ecx" ::: "eax", "ecx", "edx");
}

static void overflow_division(void) {
    fault_at = 1;
    __asm__ volatile("mov $0x80000000, %%eax; mov $-1, %%ecx; cltd; idiv %%ecx" ::: "eax", "ecx", "edx");
}

static void illegal(void) {
    fault_at = 1;
    __asm__ volatile("ud2");
}

static void breakpoint(void) {
    fault_at = 0;
    __asm__ volatile("int3");
}

static void privileged(void) {
    fault_at = 0;
    __asm__ volatile("cli");
}

static void halt(void) {
    fault_at = 0;
    __asm__ volatile("hlt");
}

static void port(void) {
    fault_at = 0;
    __asm__ volatile("in $0x60, %%al" ::: "eax");
}

static void software_interrupt(void) {
    fault_at = 0;
    __asm__ volatile("int $0x21");
}

static void unaligned_sse(void) {
    fault_at = 0;
    static char area[64] __attribute__((aligned(16)));
    __asm__ volatile("movaps %%xmm0, (%0)" ::"r"(area + 1) : "memory");
}

static void single_step(void) {
    fault_at = 1;
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; pushfq; andl $~0x100, (%%rsp); popfq" ::
                         : "memory", "cc");
}

static const struct {
    const char *name;
    void (*function)(void);
} faults[] = {
    {"read of address 0", read_null},
    {"write of a low address", write_low},
    {"write of a read-only page", write_read_only},
    {"read of a page without rights", read_none},
    {"read of a kernel address", read_kernel},
    {"read of an address that is not canonical", read_not_canonical},
    {"execution of data", execute_data},
    {"execution of address 0", execute_null},
    {"write of the program's text", write_text},
    {"division by zero", divide},
    {"division that overflows", overflow_division},
    {"undefined instruction", illegal},
    {"breakpoint", breakpoint},
    {"privileged instruction cli", privileged},
    {"privileged instruction hlt", halt},
    {"port instruction", port},
    {"software interrupt without a gate", software_interrupt},
    {"unaligned SSE store", unaligned_sse},
    {"single step", single_step},
};

static size_t current;

static int fault_blocked(void) {
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    faults[current].function();
    return 0;
}

static int fault_ignored(void) {
    signal(SIGSEGV, SIG_IGN);
    faults[current].function();
    return 0;
}

static int fault_default(void) {
    signal(SIGSEGV, SIG_DFL);
    signal(SIGFPE, SIG_DFL);
    signal(SIGILL, SIG_DFL);
    faults[current].function();
    return 0;
}

static void second_fault(int signal) {
    (void)signal;
    *(volatile char *)4 = 1;
}

static int fault_in_handler(void) {
    signal(SIGSEGV, second_fault);
    *(volatile char *)0 = 1;
    return 0;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    for (size_t i = 0; i < COUNT(signals); i++) {
        sigaction(signals[i], &action, NULL);
    }
    readable = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    data = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    data[0] = (char)0xc3;
    for (size_t i = 0; i < COUNT(faults); i++) {
        int signal = sigsetjmp(back, 1);
        if (signal == 0) {
            faults[i].function();
        }
        // The address is compared where the fault has one of its own; for an instruction it is only said whether
        // there is one.
        const char *address = fault_at == 1              ? (seen_address ? "of the code" : "zero")
                              : seen_address == fault_at ? "right"
                                                         : "wrong";
        if (faults[i].function == single_step || faults[i].function == breakpoint) {
            address = "not compared";
        }
        say(faults[i].name, "%s code %d address %s trap %d error %#lx", signal == 0 ? "none" : signal_name(signal),
            seen_code, address, seen_trap, seen_error);
    }
    current = 1;
    say_child("with all signals blocked", fault_blocked);
    say_child("with SIGSEGV ignored", fault_ignored);
    say_child("by default", fault_default);
    say_child("a fault in the handler of the fault", fault_in_handler);
    current = 9;
    say_child("division by zero by default", fault_default);
    current = 11;
    say_child("undefined instruction by default", fault_default);
    return 0;
}
