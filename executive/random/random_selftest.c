// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of random numbers in the booted kernel: that they come, differ and are spread. They cannot show that nobody can foretell them.

#include <executive/random.h>

#include <kernel/debug.h>
#include <kernel/string.h>

static bool random_reads_differ(void) {
    uint8_t a[400], b[400];

    SELFTEST_CHECK(random_read(a, sizeof(a), 0) == INV_OK && random_seeded());
    SELFTEST_CHECK(random_read(b, sizeof(b), RANDOM_NONBLOCK) == INV_OK);
    SELFTEST_CHECK(memcmp(a, b, sizeof(a)) != 0);
    SELFTEST_CHECK(memcmp(a, a + 200, 200) != 0);
    return true;
}
SELFTEST("random/reads_differ", random_reads_differ);

static bool random_bits_are_spread(void) {
    uint8_t bytes[512];
    unsigned ones = 0;

    random_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < 8 * sizeof(bytes); i++)
        ones += bytes[i / 8] >> (i % 8) & 1;
    SELFTEST_CHECK(ones > 1700 && ones < 2400); // 2048 expected, deviation 32
    return true;
}
SELFTEST("random/bits_are_spread", random_bits_are_spread);

// More than one stock of them, each smaller than a block; then across the border to what is made for itself.
static bool random_small_requests_differ(void) {
    static uint64_t seen[100];
    uint8_t large[40], zero[40] = {0};

    for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
        random_bytes(&seen[i], sizeof(seen[i]));
        for (size_t j = 0; j < i; j++)
            SELFTEST_CHECK(seen[j] != seen[i]);
    }
    for (size_t n = 16; n <= sizeof(large); n++) {
        memset(large, 0, sizeof(large));
        random_bytes(large, n);
        SELFTEST_CHECK(memcmp(large, zero, n - 8) != 0 && memcmp(large + n - 8, zero, 8) != 0);
        SELFTEST_CHECK(n == sizeof(large) || memcmp(large + n, zero, sizeof(large) - n) == 0);
    }
    return true;
}
SELFTEST("random/small_requests_differ", random_small_requests_differ);
