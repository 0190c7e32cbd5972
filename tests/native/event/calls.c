// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Events: what can be set and cleared, by whom, and what it costs its job.
#include "testing.h"

static uint32_t signals_of(inv_handle_t h) {
    uint32_t observed = 0;
    inv_status_t status = inv_object_wait(h, INV_SIGNALS_ALL, 0, &observed);
    CHECK(status == INV_OK || (status == INV_ERR_TIMED_OUT && observed == 0));
    return observed;
}

static void signals_are_set_and_cleared(void) {
    inv_handle_t e;
    CHECK_OK(inv_event_create(test_job, &e));
    CHECK(signals_of(e) == 0);
    CHECK_OK(inv_event_signal(e, 0, INV_SIGNAL_USER_0 | INV_SIGNAL_USER_7));
    CHECK(signals_of(e) == (INV_SIGNAL_USER_0 | INV_SIGNAL_USER_7));
    CHECK_OK(inv_event_signal(e, INV_SIGNAL_USER_0, INV_SIGNAL_USER_3));
    CHECK(signals_of(e) == (INV_SIGNAL_USER_3 | INV_SIGNAL_USER_7));
    CHECK_OK(inv_event_signal(e, INV_SIGNALS_USER, INV_SIGNAL_USER_1)); // clear comes first
    CHECK(signals_of(e) == INV_SIGNAL_USER_1);
    CHECK_OK(inv_event_signal(e, INV_SIGNAL_USER_1, INV_SIGNAL_USER_1));
    CHECK(signals_of(e) == INV_SIGNAL_USER_1);
    CHECK_OK(inv_event_signal(e, 0, 0));
    CHECK(signals_of(e) == INV_SIGNAL_USER_1);
    CHECK_OK(inv_event_signal(e, INV_SIGNALS_USER, 0));
    CHECK(signals_of(e) == 0);
    CHECK_OK(inv_handle_close(e));
}

static void errors_come_in_order(void) {
    inv_handle_t e, bare, job;
    CHECK_OK(inv_event_create(test_job, &e));
    CHECK_STATUS(inv_event_signal(handle_stale(), INV_SIGNAL_FIRED, 0), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_event_signal(test_job, INV_SIGNAL_FIRED, 0), INV_ERR_WRONG_TYPE);
    bare = handle_without(e, INV_RIGHT_SIGNAL);
    CHECK_STATUS(inv_event_signal(bare, INV_SIGNAL_FIRED, 0), INV_ERR_ACCESS);
    CHECK_STATUS(inv_event_signal(e, 0, INV_SIGNAL_CLOSED), INV_ERR_INVALID);
    CHECK_STATUS(inv_event_signal(e, INV_SIGNAL_FIRED, INV_SIGNAL_USER_0), INV_ERR_INVALID);
    CHECK_STATUS(inv_event_signal(e, 0, 1u << 23), INV_ERR_INVALID);
    CHECK(signals_of(e) == 0); // nothing of it happened
    CHECK(handle_rights(e) ==
          (INV_RIGHT_WAIT | INV_RIGHT_SIGNAL | INV_RIGHT_GET_INFO | INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER));
    CHECK_OK(inv_handle_close(bare));
    CHECK_STATUS(inv_event_create(handle_stale(), &bare), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_event_create(e, &bare), INV_ERR_WRONG_TYPE);
    job = handle_without(test_job, INV_RIGHT_MANAGE);
    CHECK_STATUS(inv_event_create(job, &bare), INV_ERR_ACCESS);
    CHECK_OK(inv_handle_close(job));
    CHECK_OK(inv_handle_close(e));
}

static void a_job_pays(void) {
    inv_handle_t job, e[200];
    unsigned n = 0;
    inv_status_t status = INV_OK;
    CHECK_OK(inv_job_create(test_job, &job));
    CHECK_OK(inv_job_set_limit(job, INV_JOB_RESOURCE_MEMORY, 16384));
    for (unsigned round = 0, first = 0; round < 3; round++) {
        for (n = 0; n < 200; n++)
            if ((status = inv_event_create(job, &e[n])) != INV_OK)
                break;
        CHECK(status == INV_ERR_QUOTA && n > 20);
        CHECK(round == 0 || n == first);
        first = n;
        while (n > 0)
            CHECK_OK(inv_handle_close(e[--n]));
    }
    CHECK_OK(inv_handle_close(job));
}

int main(void) {
    test_begin();
    signals_are_set_and_cleared();
    errors_come_in_order();
    a_job_pays();
    return test_end();
}
