// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Copies between kernel and user memory. They check that the range lies in user space, open and close SMAP, and survive any fault that the fault handler
// cannot resolve (exception table). May sleep (page faults): no spin lock held, unless the _nofault forms are used, which fail at once on a page that
// is not present. All return OK or FAULT.
#ifndef ARCH_USERCOPY_H
#define ARCH_USERCOPY_H

#include <kernel/types.h>

must_check inv_status_t arch_copy_from_user(void *to, const void user_ptr *from, size_t n);
must_check inv_status_t arch_copy_to_user(void user_ptr *to, const void *from, size_t n);
// Bytes that could NOT be copied (a partial copy stops exactly at the first bad page): for read and write, which report short counts.
size_t arch_copy_from_user_partial(void *to, const void user_ptr *from, size_t n);
size_t arch_copy_to_user_partial(void user_ptr *to, const void *from, size_t n);
// The same with preemption disabled: they stop at the first page that is not present.
size_t arch_copy_from_user_nofault(void *to, const void user_ptr *from, size_t n);
size_t arch_copy_to_user_nofault(void user_ptr *to, const void *from, size_t n);
must_check inv_status_t arch_zero_user(void user_ptr *to, size_t n);
size_t arch_zero_user_partial(void user_ptr *to, size_t n);
// Copies a string of at most size bytes with its NUL; *out_length without the NUL. FAULT, or RANGE when no NUL came within size bytes.
must_check inv_status_t arch_string_from_user(char *to, const char user_ptr *from, size_t size, size_t *out_length);
must_check inv_status_t arch_user_load32(const uint32_t user_ptr *p, uint32_t *out);
must_check inv_status_t arch_user_load64(const uint64_t user_ptr *p, uint64_t *out);
must_check inv_status_t arch_user_store32(uint32_t user_ptr *p, uint32_t value);
must_check inv_status_t arch_user_load32_nofault(const uint32_t user_ptr *p, uint32_t *out);
// *p == *expected ? *p = desired : *expected = *p; one atomic step. The old value is in *expected in either case.
must_check inv_status_t arch_user_cmpxchg32(uint32_t user_ptr *p, uint32_t *expected, uint32_t desired);
must_check inv_status_t arch_user_cmpxchg32_nofault(uint32_t user_ptr *p, uint32_t *expected, uint32_t desired);

#endif
