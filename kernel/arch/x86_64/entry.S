// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Entry to the kernel from user mode and from itself: exceptions, interrupts, non-maskable interrupts, system calls; and
// the one way back to user mode. Every entry builds a struct arch_frame (arch/frame.h).
//
//   user:  the frame lies at the top of the thread's kernel stack (TSS.rsp0 and gs:CPU_KERNEL_SP are the same address)
//   kernel: the frame lies on the stack that was in use
//   interrupt: as above, then the handler runs on the processor's interrupt stack (unless it is there already)
//   NMI, double fault, machine check, debug: on stacks of their own (IST), as they may come before SWAPGS. What GS holds
//   is found out from its base (users cannot set it to a kernel address: CR4.FSGSBASE stays clear). A debug exception
//   from user mode moves to the thread's stack at once.
//
// Invariants:
//   I1 in kernel mode outside the first and last instructions here, GS is the kernel's.
//   I2 SYSRET is used only for a frame that it restores exactly (rcx = rip, r11 = rflags, canonical rip, user selectors,
//      no TF or RF); everything else leaves by IRET.
//   I3 interrupts are off from the last look at user_work and resched_pending until user mode.
// Side-channel mitigations: their places are marked "mitigation:"; none is active yet (CAVEATS.md).

#include <arch/vectors.h>

#define FRAME_SIZE   176
#define FRAME_R15    0
#define FRAME_R14    8
#define FRAME_R13    16
#define FRAME_R12    24
#define FRAME_RBP    32
#define FRAME_RBX    40
#define FRAME_R11    48
#define FRAME_R10    56
#define FRAME_R9     64
#define FRAME_R8     72
#define FRAME_RAX    80
#define FRAME_RCX    88
#define FRAME_RDX    96
#define FRAME_RSI    104
#define FRAME_RDI    112
#define FRAME_VECTOR 120
#define FRAME_ERROR  128
#define FRAME_RIP    136
#define FRAME_CS     144
#define FRAME_RFLAGS 152
#define FRAME_RSP    160
#define FRAME_SS     168

    .macro push_registers
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    .endm

    .macro pop_registers_but_rcx_r11_rdi
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    .endm

    .macro pop_registers
    pop_registers_but_rcx_r11_rdi
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    .endm

// Closes user memory, which a user copy that was interrupted had opened. Patched out without SMAP (features.c).
    .macro close_user_memory
9999:
    clac
    .pushsection .smap_sites, "a"
    .quad 9999b
    .popsection
    .endm

    .text

// --- system calls ---
    .balign 64
    .globl entry_syscall
    .type entry_syscall, @function
entry_syscall:
    swapgs
    movq %rsp, %gs:CPU_USER_SP
    movq %gs:CPU_KERNEL_SP, %rsp                // mitigation: page-table switch, branch history
    cmpq $SYSCALL_NATIVE, %rax
    jae .Lsyscall_native
.Lsyscall_push:
    pushq $SELECTOR_USER_DATA
    pushq %gs:CPU_USER_SP
    pushq %r11
    pushq $SELECTOR_USER_CODE
    pushq %rcx
    pushq %rax
    pushq $0x100                                // ARCH_VECTOR_SYSCALL
    push_registers
.Lsyscall_ordinary:
    xorl %ebp, %ebp                             // ends the chain of frames
    sti
    movq %rsp, %rdi
    call syscall_dispatch
.Lsyscall_exit:
    cli
.Lsyscall_leave:
    movq %gs:CPU_CURRENT, %rax
    movl offset_thread_user_work(%rax), %ecx
    orl %gs:CPU_RESCHED, %ecx
    jnz .Lsyscall_work
    // I2
    movq FRAME_RIP(%rsp), %rcx
    movq FRAME_RFLAGS(%rsp), %r11
    cmpq %rcx, FRAME_RCX(%rsp)
    jne .Lleave_by_iret
    cmpq %r11, FRAME_R11(%rsp)
    jne .Lleave_by_iret
    cmpq $SELECTOR_USER_CODE, FRAME_CS(%rsp)
    jne .Lleave_by_iret
    testl $0x10100, %r11d                       // RF, TF
    jnz .Lleave_by_iret
    movq %rcx, %rax
    shrq $47, %rax
    jnz .Lleave_by_iret
    pop_registers_but_rcx_r11_rdi
    addq $8, %rsp
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    addq $8, %rsp
    popq %rdx
    popq %rsi
    popq %rdi
    movq FRAME_RSP - FRAME_VECTOR(%rsp), %rsp   // mitigation: buffers of the processor
    swapgs
    sysretq
.Lsyscall_work:
    movq %rsp, %rdi
    call entry_exit_work
    jmp .Lsyscall_exit

// Calls between threads: the fast path (kernel/sched/call_fast.c), with interrupts off still. It leaves by context_leave_fast, through another thread's frame,
// or returns, having done nothing. The frame has what that needs: what the program does not get back, and what is known from how it came in, is filled in
// when another way is taken (complete_frame). Callee-saved registers are not kept: the frame has them.
    .macro complete_frame
    movq $SELECTOR_USER_DATA, FRAME_SS(%rsp)
    movq $SELECTOR_USER_CODE, FRAME_CS(%rsp)
    movq $0x100, FRAME_VECTOR(%rsp)             // ARCH_VECTOR_SYSCALL
    movq FRAME_RIP(%rsp), %rcx
    movq %rcx, FRAME_RCX(%rsp)
    movq FRAME_RFLAGS(%rsp), %rcx
    movq %rcx, FRAME_R11(%rsp)
    .endm

.Lsyscall_native:
    cmpq $SYSCALL_REPLY_RECEIVE, %rax
    ja .Lsyscall_push
    leaq -FRAME_SIZE(%rsp), %rsp
    movq %r11, FRAME_RFLAGS(%rsp)
    movq %gs:CPU_USER_SP, %r11
    movq %rcx, FRAME_RIP(%rsp)
    movq %r11, FRAME_RSP(%rsp)
    movq %rax, FRAME_ERROR(%rsp)
    movq %rdi, FRAME_RDI(%rsp)
    movq %rsi, FRAME_RSI(%rsp)
    movq %rdx, FRAME_RDX(%rsp)
    movq %r8, FRAME_R8(%rsp)
    movq %r9, FRAME_R9(%rsp)
    movq %r10, FRAME_R10(%rsp)
    movq %rbx, FRAME_RBX(%rsp)
    movq %rbp, FRAME_RBP(%rsp)
    movq %r12, FRAME_R12(%rsp)
    movq %r13, FRAME_R13(%rsp)
    movq %r14, FRAME_R14(%rsp)
    movq %r15, FRAME_R15(%rsp)
    je 1f
    call ipc_fast_call
    jmp 2f
1:  call ipc_fast_reply_receive
2:  complete_frame
    movq FRAME_ERROR(%rsp), %rcx
    movq %rcx, FRAME_RAX(%rsp)
    jmp .Lsyscall_ordinary
    .size entry_syscall, . - entry_syscall

// The end of the fast path, jumped to by arch_call_leave (arch/call_fast.h), which has released the thread that was left: to user mode through the frame of
// the current thread, which SYSCALL made, with status OK; badge and tag stand in it, and the words unless the tag's length is 0: then they are zeros. rsp is
// the end of the frame, ecx says whether there is work to do first.
// I2: rcx and r11 are taken from where rip and rflags stand, and rip, behind an instruction of the user's, is below ARCH_USER_END (offsets.c).
    .balign 64
    .globl context_leave_fast
    .type context_leave_fast, @function
context_leave_fast:
    orl %gs:CPU_RESCHED, %ecx
    jnz .Lfast_complete
    movq FRAME_RFLAGS - FRAME_SIZE(%rsp), %r11
    testl $0x10100, %r11d                       // RF, TF
    jnz .Lfast_complete
    movq FRAME_RSI - FRAME_SIZE(%rsp), %rsi
    testl %esi, %esi
    jnz .Lfast_words
    xorl %edx, %edx
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    xorl %ebx, %ebx
    xorl %r12d, %r12d
    xorl %r13d, %r13d
    xorl %r14d, %r14d
.Lfast_leave:
    xorl %eax, %eax
    movq FRAME_RDI - FRAME_SIZE(%rsp), %rdi
    movq FRAME_R15 - FRAME_SIZE(%rsp), %r15
    movq FRAME_RBP - FRAME_SIZE(%rsp), %rbp
    movq FRAME_RIP - FRAME_SIZE(%rsp), %rcx
    movq FRAME_RSP - FRAME_SIZE(%rsp), %rsp                  // mitigation: buffers of the processor
    swapgs
    sysretq
.Lfast_words:
    movq FRAME_RDX - FRAME_SIZE(%rsp), %rdx
    movq FRAME_R8 - FRAME_SIZE(%rsp), %r8
    movq FRAME_R9 - FRAME_SIZE(%rsp), %r9
    movq FRAME_R10 - FRAME_SIZE(%rsp), %r10
    movq FRAME_RBX - FRAME_SIZE(%rsp), %rbx
    movq FRAME_R12 - FRAME_SIZE(%rsp), %r12
    movq FRAME_R13 - FRAME_SIZE(%rsp), %r13
    movq FRAME_R14 - FRAME_SIZE(%rsp), %r14
    jmp .Lfast_leave
.Lfast_complete:
    leaq -FRAME_SIZE(%rsp), %rsp
    complete_frame
    xorl %eax, %eax
    xorl %ebp, %ebp
    movq %rax, FRAME_RAX(%rsp)
    cmpl $0, FRAME_RSI(%rsp)
    jne .Lsyscall_leave
    movq %rax, FRAME_RDX(%rsp)
    movq %rax, FRAME_R8(%rsp)
    movq %rax, FRAME_R9(%rsp)
    movq %rax, FRAME_R10(%rsp)
    movq %rax, FRAME_RBX(%rsp)
    movq %rax, FRAME_R12(%rsp)
    movq %rax, FRAME_R13(%rsp)
    movq %rax, FRAME_R14(%rsp)
    jmp .Lsyscall_leave
    .size context_leave_fast, . - context_leave_fast

// A thread that the fast path left without a stack is switched to: rax is the thread that ran before. What context_switch_stacks popped for it stands in
// context_parked.
    .balign 16
    .globl context_unpark
    .type context_unpark, @function
context_unpark:
    movq %gs:CPU_KERNEL_SP, %rsp
    leaq -FRAME_SIZE(%rsp), %rsp
    complete_frame
    movq %rax, %rdi
    call sched_first_run
    sti
    movq %rsp, %rdi
    call ipc_resume
    jmp .Lsyscall_exit
    .size context_unpark, . - context_unpark

    .section .rodata
    .balign 16
    .globl context_parked
    .type context_parked, @object
context_parked:
    .quad 0, 0, 0, 0, 0, 0, context_unpark      // r15 r14 r13 r12 rbx rbp, and where to go on
    .size context_parked, . - context_parked
    .text

// SYSCALL from 32-bit code: no such interface.
    .balign 16
    .globl entry_syscall_compat
entry_syscall_compat:
    movl $-38, %eax
    sysretl

// --- the way back to user mode: the frame is at rsp ---
    .globl entry_return_to_user
    .type entry_return_to_user, @function
entry_return_to_user:
    cli
    movq %gs:CPU_CURRENT, %rax
    movl offset_thread_user_work(%rax), %ecx
    orl %gs:CPU_RESCHED, %ecx
    jz .Lleave_by_iret
    movq %rsp, %rdi
    call entry_exit_work
    jmp entry_return_to_user
.Lleave_by_iret:
    pop_registers
    addq $16, %rsp
    swapgs
    iretq
    .size entry_return_to_user, . - entry_return_to_user

    .globl arch_return_to_user
    .type arch_return_to_user, @function
arch_return_to_user:
    movq %gs:CPU_KERNEL_SP, %rax                // the same on every processor that this thread may move to
    leaq -FRAME_SIZE(%rax), %rsp
    xorl %ebp, %ebp
    jmp entry_return_to_user
    .size arch_return_to_user, . - arch_return_to_user

// --- exceptions: error code and vector are pushed ---
    .balign 16
    .type entry_exception, @function
entry_exception:
    cld
    close_user_memory
    testb $3, 24(%rsp)
    jz 1f
    swapgs
1:  push_registers
.Lexception_on_thread_stack:
    testb $3, FRAME_CS(%rsp)
    jz 2f
    xorl %ebp, %ebp
    movq %rsp, %rdi
    call exception_entry
    jmp entry_return_to_user
2:  movq %rsp, %rdi
    call exception_entry
    pop_registers
    addq $16, %rsp
    iretq
    .size entry_exception, . - entry_exception

// --- interrupts: 0 and vector are pushed ---
    .balign 16
    .type entry_interrupt, @function
entry_interrupt:
    cld
    close_user_memory
    testb $3, 24(%rsp)
    jz 1f
    swapgs
1:  push_registers
    movq %rsp, %rdi
    movq %rsp, %rbx
    testb $3, FRAME_CS(%rsp)
    jz 2f
    xorl %ebp, %ebp
2:  incl %gs:CPU_PREEMPT
    incl %gs:CPU_IRQ_DEPTH
    cmpl $1, %gs:CPU_IRQ_DEPTH
    jne 3f
    movq %gs:CPU_IRQ_STACK, %rsp
3:  call interrupt_entry
    movq %rbx, %rsp
    decl %gs:CPU_IRQ_DEPTH
    decl %gs:CPU_PREEMPT
    testb $3, FRAME_CS(%rsp)
    jnz entry_return_to_user
    // back to the kernel: may this processor switch threads?
    cmpl $0, %gs:CPU_PREEMPT
    jne 4f
    cmpl $0, %gs:CPU_RESCHED
    je 4f
    call sched_preempt_interrupt
4:  pop_registers
    addq $16, %rsp
    iretq
    .size entry_interrupt, . - entry_interrupt

// --- entries that cannot know what GS holds ---
// NMI, double fault, machine check: run on their own stack to the end.
    .balign 16
    .type entry_paranoid, @function
entry_paranoid:
    cld
    close_user_memory
    push_registers
    xorl %ebx, %ebx
    movl $0xc0000101, %ecx                      // MSR_GS_BASE
    rdmsr
    testl %edx, %edx
    js 1f
    swapgs
    movl $1, %ebx
1:  movq %rsp, %rdi
    call exception_paranoid
    testl %ebx, %ebx
    jz 2f
    swapgs
2:  pop_registers
    addq $16, %rsp
    iretq
    .size entry_paranoid, . - entry_paranoid

// Debug: from user mode it becomes an ordinary exception on the thread's stack.
    .balign 16
    .type entry_debug, @function
entry_debug:
    testb $3, 24(%rsp)
    jz entry_paranoid
    cld
    close_user_memory
    swapgs
    movq %rax, %gs:CPU_SCRATCH
    movq %rsp, %rax
    movq %gs:CPU_KERNEL_SP, %rsp
    pushq 48(%rax)                              // ss
    pushq 40(%rax)                              // rsp
    pushq 32(%rax)                              // rflags
    pushq 24(%rax)                              // cs
    pushq 16(%rax)                              // rip
    pushq 8(%rax)                               // error
    pushq (%rax)                                // vector
    movq %gs:CPU_SCRATCH, %rax
    push_registers
    jmp .Lexception_on_thread_stack
    .size entry_debug, . - entry_debug

// --- the 256 stubs, 16 bytes each ---
    .macro stub vector
    .balign 16
    .if \vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21 || \vector == 29 || \vector == 30
    .else
    pushq $0
    .endif
    pushq $\vector
    .if \vector == VECTOR_DEBUG
    jmp entry_debug
    .elseif \vector == VECTOR_NMI || \vector == VECTOR_DOUBLE_FAULT || \vector == VECTOR_MACHINE_CHECK
    jmp entry_paranoid
    .elseif \vector < 32
    jmp entry_exception
    .else
    jmp entry_interrupt
    .endif
    .endm

    .balign 16
    .globl entry_stubs
entry_stubs:
    .altmacro
    .set i, 0
    .rept 256
    stub %i
    .set i, i + 1
    .endr
    .noaltmacro

// --- thread switch ---
// struct thread *context_switch_stacks(uint64_t *save_sp /*rdi*/, uint64_t load_sp /*rsi*/, struct thread *prev /*rdx*/)
    .balign 16
    .globl context_switch_stacks
    .type context_switch_stacks, @function
context_switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    movq %rdx, %rax
    ret
    .size context_switch_stacks, . - context_switch_stacks

// First step of a thread (arch_thread_init put entry into r12, its argument into rbx): rax is the thread that ran before.
    .globl context_first_run
    .type context_first_run, @function
context_first_run:
    movq %rax, %rdi
    call sched_first_run
    sti
    movq %rbx, %rdi
    call *%r12
    ud2
    .size context_first_run, . - context_first_run

    .section .note.GNU-stack, "", @progbits
