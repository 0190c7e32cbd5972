// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the files on identities and capabilities share: securebits, and the calls of prctl that belong to them.
#ifndef LINUX_CREDENTIALS_H
#define LINUX_CREDENTIALS_H

#include <personality/linux.h>

// capabilities(7), "The securebits flags". The bit above each locks it.
#define SECURE_NOROOT               (1u << 0)
#define SECURE_NO_SETUID_FIXUP      (1u << 2)
#define SECURE_KEEP_CAPS            (1u << 4)
#define SECURE_KEEP_CAPS_LOCKED     (1u << 5)
#define SECURE_NO_CAP_AMBIENT_RAISE (1u << 6)
#define SECURE_ALL_BITS             0x55u
#define SECURE_ALL_LOCKS            (SECURE_ALL_BITS << 1)

// Makes token the current thread's (takes over the count); who gained something is not dumpable any more and has no death signal.
void linux_token_commit(struct token *token);

// prctl's, on the current thread. Each returns a value or an error.
int64_t linux_capability_bound_read(uint64_t cap);             // EINVAL
int64_t linux_capability_bound_drop(uint64_t cap);             // EPERM, EINVAL, ENOMEM
int64_t linux_capability_ambient(uint64_t what, uint64_t cap); // EINVAL, EPERM, ENOMEM
int64_t linux_securebits_set(uint64_t bits);                   // EPERM, ENOMEM
int64_t linux_keep_capabilities(bool keep);                    // EPERM (locked), ENOMEM
int64_t linux_no_new_privileges(void);                         // ENOMEM

#endif
