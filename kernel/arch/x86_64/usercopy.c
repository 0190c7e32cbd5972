// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Copies between kernel and user memory: range checks around the instructions of usercopy.S. Contexts: see arch/usercopy.h.
#include "arch_private.h"

#include <arch/mmu.h>
#include <arch/usercopy.h>
#include <kernel/assert.h>
#include <kernel/debug.h>
#include <kernel/lock.h>
#include <kernel/process.h>

size_t user_copy(void *to, const void *from, size_t n);
size_t user_zero(void *to, size_t n);
long user_string(char *to, const char *from, size_t max);
int user_load32(const void *p, uint32_t *out);
int user_load64(const void *p, uint64_t *out);
int user_store32(void *p, uint32_t value);
int user_cmpxchg32(void *p, uint32_t *expected, uint32_t desired);

// Bytes not copied.
static inline size_t user_copy_counted(void *to, const void *from, size_t n) {
    size_t left = user_copy(to, from, n);

    counter_add(bytes_copied, n - left);
    return left;
}

static inline bool user_range(const void *p, size_t n) {
    return (vaddr_t)p <= ARCH_USER_END && n <= ARCH_USER_END - (vaddr_t)p;
}

// What may be copied of n bytes before user space ends.
static inline size_t user_limit(const void *p, size_t n) {
    if ((vaddr_t)p >= ARCH_USER_END)
        return 0;
    return MIN(n, ARCH_USER_END - (vaddr_t)p);
}

inv_status_t arch_copy_from_user(void *to, const void user_ptr *from, size_t n) {
    might_sleep();
    if (unlikely(!user_range(from, n)))
        return INV_ERR_FAULT;
    return likely(user_copy_counted(to, from, n) == 0) ? INV_OK : INV_ERR_FAULT;
}

inv_status_t arch_copy_to_user(void user_ptr *to, const void *from, size_t n) {
    might_sleep();
    if (unlikely(!user_range(to, n)))
        return INV_ERR_FAULT;
    return likely(user_copy_counted(to, from, n) == 0) ? INV_OK : INV_ERR_FAULT;
}

size_t arch_copy_from_user_partial(void *to, const void user_ptr *from, size_t n) {
    size_t limit = user_limit(from, n);

    might_sleep();
    return n - limit + user_copy_counted(to, from, limit);
}

size_t arch_copy_to_user_partial(void user_ptr *to, const void *from, size_t n) {
    size_t limit = user_limit(to, n);

    might_sleep();
    return n - limit + user_copy_counted(to, from, limit);
}

size_t arch_copy_from_user_nofault(void *to, const void user_ptr *from, size_t n) {
    size_t limit = user_limit(from, n);

    DEBUG_ASSERT(!preempt_enabled()); // or the fault handler would go to work
    return n - limit + user_copy_counted(to, from, limit);
}

size_t arch_copy_to_user_nofault(void user_ptr *to, const void *from, size_t n) {
    size_t limit = user_limit(to, n);

    DEBUG_ASSERT(!preempt_enabled());
    return n - limit + user_copy_counted(to, from, limit);
}

inv_status_t arch_zero_user(void user_ptr *to, size_t n) {
    might_sleep();
    if (unlikely(!user_range(to, n)))
        return INV_ERR_FAULT;
    return user_zero(to, n) == 0 ? INV_OK : INV_ERR_FAULT;
}

size_t arch_zero_user_partial(void user_ptr *to, size_t n) {
    size_t limit = user_limit(to, n);

    might_sleep();
    return n - limit + user_zero(to, limit);
}

inv_status_t arch_string_from_user(char *to, const char user_ptr *from, size_t size, size_t *out_length) {
    size_t limit = user_limit(from, size);

    might_sleep();
    long length = user_string(to, from, limit);
    if (length < 0)
        return INV_ERR_FAULT;
    if ((size_t)length == limit) // no NUL: the buffer ended, or user space did
        return limit == size ? INV_ERR_RANGE : INV_ERR_FAULT;
    *out_length = (size_t)length;
    counter_add(bytes_copied, (size_t)length + 1);
    return INV_OK;
}

inv_status_t arch_user_load32(const uint32_t user_ptr *p, uint32_t *out) {
    might_sleep();
    return user_range(p, sizeof(*p)) && user_load32(p, out) == 0 ? INV_OK : INV_ERR_FAULT;
}

inv_status_t arch_user_load64(const uint64_t user_ptr *p, uint64_t *out) {
    might_sleep();
    return user_range(p, sizeof(*p)) && user_load64(p, out) == 0 ? INV_OK : INV_ERR_FAULT;
}

inv_status_t arch_user_store32(uint32_t user_ptr *p, uint32_t value) {
    might_sleep();
    return user_range(p, sizeof(*p)) && user_store32(p, value) == 0 ? INV_OK : INV_ERR_FAULT;
}

inv_status_t arch_user_load32_nofault(const uint32_t user_ptr *p, uint32_t *out) {
    struct arch_thread *t = &current_thread()->arch;

    if (!user_range(p, sizeof(*p)))
        return INV_ERR_FAULT;
    t->fault_depth++;
    atomic_signal_fence(memory_order_seq_cst);
    int failed = user_load32(p, out);
    atomic_signal_fence(memory_order_seq_cst);
    t->fault_depth--;
    return failed ? INV_ERR_FAULT : INV_OK;
}

inv_status_t arch_user_cmpxchg32(uint32_t user_ptr *p, uint32_t *expected, uint32_t desired) {
    might_sleep();
    return user_range(p, sizeof(*p)) && user_cmpxchg32(p, expected, desired) == 0 ? INV_OK : INV_ERR_FAULT;
}

inv_status_t arch_user_cmpxchg32_nofault(uint32_t user_ptr *p, uint32_t *expected, uint32_t desired) {
    struct arch_thread *t = &current_thread()->arch;

    if (!user_range(p, sizeof(*p)))
        return INV_ERR_FAULT;
    t->fault_depth++;
    atomic_signal_fence(memory_order_seq_cst);
    int failed = user_cmpxchg32(p, expected, desired);
    atomic_signal_fence(memory_order_seq_cst);
    t->fault_depth--;
    return failed ? INV_ERR_FAULT : INV_OK;
}
