// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Random numbers (executive/random).
#ifndef EXECUTIVE_RANDOM_H
#define EXECUTIVE_RANDOM_H

#include <kernel/types.h>

#define RANDOM_NONBLOCK (1u << 0) // SHOULD_WAIT before the first seed instead of waiting
#define RANDOM_INSECURE (1u << 1) // never waits
must_check inv_status_t random_read(void *to, size_t n, unsigned flags); // OK, SHOULD_WAIT, INTERRUPTED. Thread context
void random_bytes(void *to, size_t n);                                   // never waits, any context: ASLR, hash seeds
void random_mix(const void *data, size_t n, unsigned entropy_bits);      // any context
// Something happened now whose moment nobody can foretell (an interrupt of a device): cheap, any context. what: any number that tells sources apart.
void random_event(uint32_t what);
bool random_seeded(void);
bool random_reseed(void); // every generator takes a new key from the pool at its next use. False: there is no seed yet
// What is woken when the seed has come, for poll.
struct waitq *random_seed_waitq(void);

#endif
