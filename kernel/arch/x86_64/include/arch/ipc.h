// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The registers of the four message calls in a user frame (abi/include/invar/ipc.h). Every architecture supplies the same names.
#ifndef ARCH_IPC_H
#define ARCH_IPC_H

#include <arch/frame.h>

static inline uint64_t arch_ipc_handles(const struct arch_frame *f) {
    return f->rdi;
}
static inline uint64_t arch_ipc_tag(const struct arch_frame *f) {
    return f->rsi;
}
static inline vaddr_t arch_ipc_block(const struct arch_frame *f) {
    return f->r15;
}
// The words that a message of length bytes (at most 64) needs go from one frame to the other, where the rest become zero.
static always_inline void arch_ipc_words_copy(struct arch_frame *to, const struct arch_frame *from, unsigned length) {
    to->rdx = length > 0 ? from->rdx : 0;
    to->r10 = length > 8 ? from->r10 : 0;
    to->r8 = length > 16 ? from->r8 : 0;
    to->r9 = length > 24 ? from->r9 : 0;
    to->rbx = length > 32 ? from->rbx : 0;
    to->r12 = length > 40 ? from->r12 : 0;
    to->r13 = length > 48 ? from->r13 : 0;
    to->r14 = length > 56 ? from->r14 : 0;
}
// The first two words, and zeros.
static inline void arch_ipc_words_set(struct arch_frame *f, uint64_t word0, uint64_t word1) {
    f->rdx = word0;
    f->r10 = word1;
    f->r8 = f->r9 = f->rbx = f->r12 = f->r13 = f->r14 = 0;
}
static inline void arch_ipc_set_tag(struct arch_frame *f, uint64_t tag) {
    f->rsi = tag;
}
static inline void arch_ipc_result(struct arch_frame *f, int64_t status, uint64_t badge, uint64_t tag) {
    f->rax = (uint64_t)status;
    f->rdi = badge;
    f->rsi = tag;
}

#endif
