// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Timers: when they fire, what a period counts, what setting, cancelling and closing do to one that is set.
#include "testing.h"

#include <invar/ipc.h>
#include <pthread.h>
#include <stdatomic.h>

#define MS 1000000ull

static uint64_t now(void) {
    uint64_t t = 0;
    CHECK_OK(inv_clock_read(INV_CLOCK_MONOTONIC, &t));
    return t;
}

static inv_status_t wait_fired(inv_handle_t t, uint64_t deadline) {
    uint32_t observed = 0;
    inv_status_t status = inv_object_wait(t, INV_SIGNAL_FIRED, deadline, &observed);
    CHECK(observed == (status == INV_OK ? INV_SIGNAL_FIRED : 0));
    return status;
}

static void fires_once_and_not_early(void) {
    inv_handle_t t;
    uint64_t count;
    CHECK_OK(inv_timer_create(test_job, &t));
    CHECK_STATUS(wait_fired(t, now() + 2 * MS), INV_ERR_TIMED_OUT); // not set
    uint64_t deadline = now() + 5 * MS;
    CHECK_OK(inv_timer_set(t, deadline, 0, 0));
    CHECK_STATUS(wait_fired(t, 0), INV_ERR_TIMED_OUT);
    CHECK_OK(inv_timer_acknowledge(t, &count));
    CHECK(count == 0);
    CHECK_OK(wait_fired(t, INV_DEADLINE_NEVER));
    CHECK(now() >= deadline);
    CHECK_OK(wait_fired(t, 0)); // a level
    CHECK_OK(inv_timer_acknowledge(t, &count));
    CHECK(count == 1);
    CHECK_STATUS(wait_fired(t, now() + 2 * MS), INV_ERR_TIMED_OUT);
    CHECK_OK(inv_timer_set(t, 1, 0, 0)); // in the past
    CHECK_OK(wait_fired(t, now() + 1000 * MS));
    CHECK_OK(inv_timer_set(t, INV_DEADLINE_NEVER, 0, 0)); // clears
    CHECK_STATUS(wait_fired(t, now() + 2 * MS), INV_ERR_TIMED_OUT);
    CHECK_OK(inv_handle_close(t));
}

static void setting_again_and_cancelling_hold(void) {
    inv_handle_t t;
    CHECK_OK(inv_timer_create(test_job, &t));
    CHECK_OK(inv_timer_set(t, now() + 2 * MS, 0, 0));
    uint64_t later = now() + 12 * MS;
    CHECK_OK(inv_timer_set(t, later, 0, 0));
    CHECK_OK(wait_fired(t, INV_DEADLINE_NEVER));
    CHECK(now() >= later);
    CHECK_OK(inv_timer_set(t, now() + 10000 * MS, 0, 0));
    CHECK_OK(inv_timer_set(t, now() + 2 * MS, 0, 0)); // nearer
    CHECK_OK(wait_fired(t, now() + 5000 * MS));
    CHECK_OK(inv_timer_cancel(t));
    CHECK_STATUS(wait_fired(t, 0), INV_ERR_TIMED_OUT); // cleared
    CHECK_OK(inv_timer_set(t, now() + 2 * MS, 0, 0));
    CHECK_OK(inv_timer_cancel(t));
    CHECK_STATUS(wait_fired(t, now() + 6 * MS), INV_ERR_TIMED_OUT);
    CHECK_OK(inv_timer_cancel(t));
    CHECK_OK(inv_handle_close(t));
}

static void periods_are_counted_not_fired(void) {
    inv_handle_t t;
    uint64_t count, begun = now() + 2 * MS, sum = 0;
    CHECK_OK(inv_timer_create(test_job, &t));
    CHECK_OK(inv_timer_set(t, begun, 3 * MS, 0));
    for (unsigned i = 0; i < 5; i++) {
        CHECK_OK(wait_fired(t, INV_DEADLINE_NEVER));
        CHECK_OK(inv_timer_acknowledge(t, &count));
        CHECK(count >= 1);
        sum += count;
        CHECK(now() >= begun + (sum - 1) * 3 * MS);
    }
    CHECK_OK(wait_fired(t, INV_DEADLINE_NEVER));
    uint64_t stop = now() + 10 * MS;
    while (now() < stop) {}
    CHECK_OK(inv_timer_acknowledge(t, &count));
    CHECK(count >= 3);
    // The shortest period there is does not hold the machine.
    CHECK_OK(inv_timer_set(t, now(), 1, 0));
    for (unsigned i = 0; i < 20; i++) {
        CHECK_OK(wait_fired(t, INV_DEADLINE_NEVER));
        CHECK_OK(inv_timer_acknowledge(t, &count));
        CHECK(count >= 1);
    }
    // The greatest values are taken; with that slack it may fire as late as any other timer of the machine.
    CHECK_OK(inv_timer_set(t, now(), INV_TIMER_PERIOD_MAX, INV_TIMER_PERIOD_MAX));
    CHECK_OK(inv_timer_set(t, now(), 0, 20 * MS));
    CHECK_OK(wait_fired(t, now() + 5000 * MS));
    CHECK_OK(inv_handle_close(t));
}

static void errors_come_in_order(void) {
    inv_handle_t t, bare, job;
    uint64_t count = 7;
    CHECK_OK(inv_timer_create(test_job, &t));
    bare = handle_without(t, INV_RIGHT_SIGNAL);
    CHECK_STATUS(inv_timer_set(handle_stale(), 0, UINT64_MAX, 0), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_timer_set(test_job, 0, UINT64_MAX, 0), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_timer_set(bare, 0, UINT64_MAX, 0), INV_ERR_ACCESS);
    CHECK_STATUS(inv_timer_set(t, 0, INV_TIMER_PERIOD_MAX + 1, 0), INV_ERR_RANGE);
    CHECK_STATUS(inv_timer_set(t, 0, 0, INV_TIMER_PERIOD_MAX + 1), INV_ERR_RANGE);
    CHECK_STATUS(wait_fired(t, now() + 2 * MS), INV_ERR_TIMED_OUT); // nothing was set
    CHECK_STATUS(inv_timer_cancel(handle_stale()), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_timer_cancel(test_job), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_timer_cancel(bare), INV_ERR_ACCESS);
    CHECK_STATUS(inv_timer_acknowledge(handle_stale(), &count), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_timer_acknowledge(test_job, &count), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_timer_acknowledge(bare, &count), INV_ERR_ACCESS);
    CHECK(count == 0);
    CHECK_STATUS(inv_event_signal(t, 0, INV_SIGNAL_USER_0), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_timer_create(t, &job), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_timer_create(handle_stale(), &job), INV_ERR_BAD_HANDLE);
    inv_handle_t weak = handle_without(test_job, INV_RIGHT_MANAGE);
    CHECK_STATUS(inv_timer_create(weak, &job), INV_ERR_ACCESS);
    CHECK_OK(inv_handle_close(weak));
    CHECK_OK(inv_job_create(test_job, &job));
    CHECK_OK(inv_job_set_limit(job, INV_JOB_RESOURCE_MEMORY, 1));
    CHECK_STATUS(inv_timer_create(job, &weak), INV_ERR_QUOTA);
    CHECK_OK(inv_handle_close(job));
    CHECK_OK(inv_handle_close(bare));
    CHECK_OK(inv_handle_close(t));
}

// Several processors set, cancel, acknowledge and close timers that fire all the time.
static inv_handle_t shared;
static atomic_bool over;
static void *disturb(void *arg) {
    unsigned seed = (unsigned)(uintptr_t)arg;
    uint64_t count;
    while (!over) {
        seed = seed * 1103515245 + 12345;
        switch (seed >> 16 & 3) {
        case 0: CHECK_OK(inv_timer_set(shared, now() + (seed >> 18 & 0xffff), seed & 0xfff, seed & 0xff)); break;
        case 1: CHECK_OK(inv_timer_cancel(shared)); break;
        case 2: CHECK_OK(inv_timer_acknowledge(shared, &count)); break;
        default: {
            inv_handle_t own;
            CHECK_OK(inv_timer_create(test_job, &own));
            CHECK_OK(inv_timer_set(own, now() + (seed >> 18 & 0x3fff), 1, 0));
            CHECK_OK(inv_handle_close(own));
        }
        }
    }
    return NULL;
}

static void races_leave_a_timer_that_works(void) {
    pthread_t t[4];
    CHECK_OK(inv_timer_create(test_job, &shared));
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, disturb, (void *)(i + 1));
    uint64_t end = now() + 300 * MS;
    while (now() < end)
        (void)wait_fired(shared, now() + MS);
    over = true;
    for (unsigned i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    uint64_t deadline = now() + 3 * MS;
    CHECK_OK(inv_timer_set(shared, deadline, 0, 0));
    CHECK_OK(wait_fired(shared, now() + 5000 * MS));
    CHECK(now() >= deadline);
    CHECK_OK(inv_timer_set(shared, now() + 3 * MS, 0, 0));
    CHECK_OK(inv_timer_cancel(shared));
    CHECK_STATUS(wait_fired(shared, now() + 6 * MS), INV_ERR_TIMED_OUT);
    CHECK_OK(inv_handle_close(shared));
}

// One processor's handler is under way for a deadline that another has just put off: FIRED does not come early.
static atomic_uint turn;
static void *set_near(void *arg) {
    for (unsigned i = 0; i < 1500; i++) {
        while (turn != 2 * i) {}
        CHECK_OK(inv_timer_set(shared, now() + 2000, 0, 0));
        turn = 2 * i + 1;
    }
    return NULL;
}

static void a_late_handler_is_ignored(void) {
    pthread_t t;
    CHECK_OK(inv_timer_create(test_job, &shared));
    pthread_create(&t, NULL, set_near, NULL);
    for (unsigned i = 0; i < 1500; i++) {
        while (turn != 2 * i + 1) {}
        for (volatile unsigned delay = 0; delay < i % 500 * 4; delay++) {}
        CHECK_OK(inv_timer_set(shared, now() + 1000000 * MS, 0, 0));
        for (volatile unsigned delay = 0; delay < 3000; delay++) {}
        CHECK_STATUS(wait_fired(shared, 0), INV_ERR_TIMED_OUT);
        turn = 2 * i + 2;
    }
    pthread_join(t, NULL);
    CHECK_OK(inv_handle_close(shared));
}

int main(void) {
    test_begin();
    fires_once_and_not_early();
    setting_again_and_cancelling_hold();
    periods_are_counted_not_fired();
    errors_come_in_order();
    races_leave_a_timer_that_works();
    a_late_handler_is_ignored();
    return test_end();
}
