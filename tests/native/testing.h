// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Native tests. A program begins with test_begin, which gets it the handle of its job, states with CHECK and CHECK_STATUS what must be so, and returns
// test_end(). All that does not hold is printed; one such line fails the test. They run as root in the root job of a machine of their own.
//
// For each call: what it does, each of its errors, each right missing (handle_without), and the order where two errors are possible.
#ifndef NATIVE_TESTING_H
#define NATIVE_TESTING_H

#include <invar/calls.h>
#include <invar/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned test_failures;
static inv_handle_t test_job;

#define CHECK(condition)                                                   \
    do {                                                                   \
        if (!(condition)) {                                                \
            printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            test_failures++;                                               \
        }                                                                  \
    } while (0)

#define CHECK_STATUS(call, expected)                                                                                \
    do {                                                                                                            \
        inv_status_t status_ = (call);                                                                              \
        if (status_ != (expected)) {                                                                                \
            printf("%s:%d: %s: %s, expected %s\n", __FILE__, __LINE__, #call, inv_status_name(status_), #expected); \
            test_failures++;                                                                                        \
        }                                                                                                           \
    } while (0)

#define CHECK_OK(call) CHECK_STATUS(call, INV_OK)

static inline void test_begin(void) {
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_JOB, &test_job));
}

static inline int test_end(void) {
    return test_failures > 0;
}

// A duplicate of h that lacks rights.
static inline inv_handle_t handle_without(inv_handle_t h, inv_rights_t rights) {
    inv_handle_t duplicate = INV_HANDLE_INVALID;
    uint32_t type, had = 0;
    uint64_t identity;
    CHECK_OK(inv_handle_info(h, &type, &had, &identity));
    CHECK((had & rights) == rights); // else the test would show nothing
    CHECK_OK(inv_handle_duplicate(h, had & ~rights, &duplicate));
    return duplicate;
}

static inline inv_rights_t handle_rights(inv_handle_t h) {
    uint32_t type, rights = 0;
    uint64_t identity;
    CHECK_OK(inv_handle_info(h, &type, &rights, &identity));
    return rights;
}

// A number that was a handle, and is none now.
static inline inv_handle_t handle_stale(void) {
    inv_handle_t h = INV_HANDLE_INVALID;
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_PROCESS, &h));
    CHECK_OK(inv_handle_close(h));
    return h;
}

#endif
