// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// RDSEED and RDRAND (Intel SDM volume 1, section 7.3.17). A source that gives the same value again and again is broken, and taken for absent.
#include <arch/random.h>
#include <arch/x86.h>

#define TRIES            16
#define LEAF1_ECX_RDRAND (1u << 30)
#define LEAF7_EBX_RDSEED (1u << 18)

static bool rdseed(uint64_t *out) {
    bool ok;
    __asm__ volatile("rdseed %0" : "=r"(*out), "=@ccc"(ok));
    return ok;
}

static bool rdrand(uint64_t *out) {
    bool ok;
    __asm__ volatile("rdrand %0" : "=r"(*out), "=@ccc"(ok));
    return ok;
}

static bool try_source(bool (*source)(uint64_t *out), uint64_t *out) {
    uint64_t first, second;
    unsigned tries = 0;

    while (!source(&first)) {
        if (++tries == TRIES)
            return false;
    }
    while (!source(&second)) {
        if (++tries == TRIES)
            return false;
    }
    *out = second;
    return first != second;
}

bool arch_random_seed(uint64_t *out) {
    if ((cpuid_if_present(7, 0).ebx & LEAF7_EBX_RDSEED) && try_source(rdseed, out))
        return true;
    return (cpuid_if_present(1, 0).ecx & LEAF1_ECX_RDRAND) && try_source(rdrand, out);
}
