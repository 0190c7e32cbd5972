// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Native calls on x86-64, included by <invar/syscall.h>. rax: number in, status out. Arguments: rdi rsi rdx r10 r8 r9. Values: rdx r10 r8, written by every call.
// rcx and r11 are lost; all else is kept. Memory may have changed.
#ifndef INVAR_SYSCALL_X86_64_H
#define INVAR_SYSCALL_X86_64_H

static inline struct inv_result inv_syscall3(uint64_t number, uint64_t a, uint64_t b, uint64_t c) {
    register uint64_t r10 __asm__("r10");
    register uint64_t r8 __asm__("r8");
    __asm__ volatile("syscall" : "+a"(number), "+d"(c), "=r"(r10), "=r"(r8) : "D"(a), "S"(b) : "rcx", "r11", "memory");
    return (struct inv_result){(inv_status_t)number, {c, r10, r8}};
}

static inline struct inv_result inv_syscall0(uint64_t number) {
    uint64_t rdx;
    register uint64_t r10 __asm__("r10");
    register uint64_t r8 __asm__("r8");
    __asm__ volatile("syscall" : "+a"(number), "=d"(rdx), "=r"(r10), "=r"(r8) : : "rcx", "r11", "memory");
    return (struct inv_result){(inv_status_t)number, {rdx, r10, r8}};
}

static inline struct inv_result inv_syscall1(uint64_t number, uint64_t a) {
    uint64_t rdx;
    register uint64_t r10 __asm__("r10");
    register uint64_t r8 __asm__("r8");
    __asm__ volatile("syscall" : "+a"(number), "=d"(rdx), "=r"(r10), "=r"(r8) : "D"(a) : "rcx", "r11", "memory");
    return (struct inv_result){(inv_status_t)number, {rdx, r10, r8}};
}

static inline struct inv_result inv_syscall2(uint64_t number, uint64_t a, uint64_t b) {
    uint64_t rdx;
    register uint64_t r10 __asm__("r10");
    register uint64_t r8 __asm__("r8");
    __asm__ volatile("syscall"
                     : "+a"(number), "=d"(rdx), "=r"(r10), "=r"(r8)
                     : "D"(a), "S"(b)
                     : "rcx", "r11", "memory");
    return (struct inv_result){(inv_status_t)number, {rdx, r10, r8}};
}

static inline struct inv_result inv_syscall4(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8");
    __asm__ volatile("syscall" : "+a"(number), "+d"(c), "+r"(r10), "=r"(r8) : "D"(a), "S"(b) : "rcx", "r11", "memory");
    return (struct inv_result){(inv_status_t)number, {c, r10, r8}};
}

static inline struct inv_result inv_syscall5(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                                             uint64_t e) {
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "+a"(number), "+d"(c), "+r"(r10), "+r"(r8) : "D"(a), "S"(b) : "rcx", "r11", "memory");
    return (struct inv_result){(inv_status_t)number, {c, r10, r8}};
}

static inline struct inv_result inv_syscall6(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                                             uint64_t e, uint64_t f) {
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "+a"(number), "+d"(c), "+r"(r10), "+r"(r8)
                     : "D"(a), "S"(b), "r"(r9)
                     : "rcx", "r11", "memory");
    return (struct inv_result){(inv_status_t)number, {c, r10, r8}};
}

#endif
