// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Bindings: packets at an endpoint for the signals of objects; once and repeated, coalesced, closed on every side in every order, on several processors.
#include "testing.h"

#include <invar/message.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define MS 1000000ull

static inv_handle_t endpoint, reply, event;

static uint64_t now(void) {
    uint64_t t = 0;
    CHECK_OK(inv_clock_read(INV_CLOCK_MONOTONIC, &t));
    return t;
}

static void make(void) {
    CHECK_OK(inv_endpoint_create(test_job, 0, &endpoint));
    CHECK_OK(inv_reply_create(test_job, 0, &reply));
    CHECK_OK(inv_event_create(test_job, &event));
}

static void unmake(void) {
    inv_handle_close(event);
    inv_handle_close(reply);
    inv_handle_close(endpoint);
}

static inv_handle_t bind(inv_handle_t object, uint32_t signals, uint64_t key, uint32_t mode) {
    inv_handle_t b = INV_HANDLE_INVALID;
    CHECK_OK(inv_endpoint_bind(endpoint, test_job, object, signals, key, mode, &b));
    return b;
}

static inv_status_t receive(struct inv_message *m, uint64_t deadline) {
    struct inv_call_block b = {.deadline = deadline};
    *m = (struct inv_message){.tag = INV_TAG_DEADLINE};
    return inv_receive(endpoint, reply, m, &b);
}

static void expect(uint64_t key, uint64_t count, uint64_t signals) {
    struct inv_message m;
    CHECK_OK(receive(&m, now() + 5000 * MS));
    CHECK((m.tag & INV_TAG_PACKET) != 0 && INV_TAG_LABEL(m.tag) == INV_PACKET_SIGNAL);
    CHECK(m.badge == key);
    CHECK(m.words[0] == count);
    CHECK(m.words[1] == signals);
}

static void expect_none(void) {
    struct inv_message m;
    CHECK_STATUS(receive(&m, now() + 2 * MS), INV_ERR_TIMED_OUT);
}

static void once_is_once(void) {
    make();
    inv_handle_t b = bind(event, INV_SIGNAL_USER_0, 11, INV_BINDING_MODE_ONCE);
    expect_none();
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_1));
    expect_none();
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_0));
    expect(11, 1, INV_SIGNAL_USER_0 | INV_SIGNAL_USER_1);
    CHECK_OK(inv_event_signal(event, INV_SIGNAL_USER_0, 0));
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_0));
    expect_none();
    CHECK_OK(inv_handle_close(b));
    b = bind(event, INV_SIGNAL_USER_0, 12, INV_BINDING_MODE_ONCE); // is set: at once
    expect(12, 1, INV_SIGNAL_USER_0 | INV_SIGNAL_USER_1);
    expect_none();
    CHECK_OK(inv_handle_close(b));
    unmake();
}

static void edges_are_counted_together(void) {
    make();
    inv_handle_t b = bind(event, INV_SIGNAL_USER_0 | INV_SIGNAL_USER_1, 5, INV_BINDING_MODE_REPEAT);
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_0));
    expect(5, 1, INV_SIGNAL_USER_0);
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_0)); // is set: no edge
    expect_none();
    CHECK_OK(inv_event_signal(event, INV_SIGNAL_USER_0, INV_SIGNAL_USER_0)); // set anew
    expect(5, 1, INV_SIGNAL_USER_0);
    for (unsigned i = 0; i < 9; i++)
        CHECK_OK(inv_event_signal(event, INV_SIGNAL_USER_0, INV_SIGNAL_USER_0));
    CHECK_OK(inv_event_signal(event, INV_SIGNAL_USER_0, INV_SIGNAL_USER_1));
    CHECK_OK(inv_event_signal(event, INV_SIGNALS_USER, 0)); // no edge
    expect(5, 10, INV_SIGNAL_USER_0 | INV_SIGNAL_USER_1);   // what was seen, though it is clear now
    expect_none();
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_1));
    expect(5, 1, INV_SIGNAL_USER_1); // nothing of what was received before
    CHECK_OK(inv_handle_close(b));
    unmake();
}

static void closing_takes_back(void) {
    make();
    inv_handle_t a = bind(event, INV_SIGNAL_USER_0, 1, INV_BINDING_MODE_REPEAT);
    inv_handle_t b = bind(event, INV_SIGNAL_USER_0, 2, INV_BINDING_MODE_ONCE);
    inv_handle_t c = bind(event, INV_SIGNAL_USER_0, 3, INV_BINDING_MODE_REPEAT), d;
    CHECK_OK(inv_handle_duplicate(c, INV_RIGHTS_SAME, &d));
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_0));
    CHECK_OK(inv_handle_close(a));
    CHECK_OK(inv_handle_close(b));
    CHECK_OK(inv_handle_close(c)); // not the last
    expect(3, 1, INV_SIGNAL_USER_0);
    expect_none();
    CHECK_OK(inv_handle_close(d));
    CHECK_OK(inv_event_signal(event, INV_SIGNAL_USER_0, INV_SIGNAL_USER_0));
    expect_none();
    unmake();
}

static void objects_end(void) {
    make();
    inv_handle_t a = bind(event, INV_SIGNAL_USER_0, 1, INV_BINDING_MODE_ONCE);
    inv_handle_t b = bind(event, INV_SIGNAL_USER_1, 2, INV_BINDING_MODE_REPEAT);
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_0));
    expect(1, 1, INV_SIGNAL_USER_0);
    CHECK_OK(inv_handle_close(event)); // ended, though bindings hold it
    expect(2, 1, INV_SIGNAL_USER_0 | INV_SIGNAL_CLOSED);
    expect_none(); // the first one is spent
    CHECK_OK(inv_handle_close(a));
    CHECK_OK(inv_handle_close(b));
    // the endpoint first
    CHECK_OK(inv_event_create(test_job, &event));
    a = bind(event, INV_SIGNAL_USER_0, 1, INV_BINDING_MODE_REPEAT);
    b = bind(event, INV_SIGNAL_USER_0, 2, INV_BINDING_MODE_REPEAT);
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_0)); // packets wait
    CHECK_OK(inv_handle_close(endpoint));
    CHECK_OK(inv_event_signal(event, INV_SIGNAL_USER_0, INV_SIGNAL_USER_0));
    CHECK_OK(inv_handle_close(a));
    CHECK_OK(inv_handle_close(event));
    CHECK_OK(inv_handle_close(b));
    CHECK_OK(inv_handle_close(reply));
}

static void a_receiver_wakes_for_a_timer(void) {
    inv_handle_t t;
    uint64_t count, deadline = now() + 10 * MS;
    make();
    CHECK_OK(inv_timer_create(test_job, &t));
    inv_handle_t b = bind(t, INV_SIGNAL_FIRED, 9, INV_BINDING_MODE_REPEAT);
    CHECK_OK(inv_timer_set(t, deadline, MS, 0));
    for (unsigned i = 0; i < 5; i++) {
        expect(9, 1, INV_SIGNAL_FIRED);
        CHECK_OK(inv_timer_acknowledge(t, &count));
        CHECK(count >= 1);
    }
    CHECK(now() >= deadline + 4 * MS);
    CHECK_OK(inv_handle_close(t));
    CHECK_OK(inv_handle_close(b));
    unmake();
}

static void errors_come_in_order(void) {
    inv_handle_t b = 7, bare;
    make();
    CHECK_STATUS(inv_endpoint_bind(handle_stale(), event, event, 0, 0, 9, &b), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_endpoint_bind(event, event, event, 0, 0, 9, &b), INV_ERR_WRONG_TYPE);
    bare = handle_without(endpoint, INV_RIGHT_MANAGE);
    CHECK_STATUS(inv_endpoint_bind(bare, event, event, 0, 0, 9, &b), INV_ERR_ACCESS);
    CHECK_OK(inv_handle_close(bare));
    CHECK_STATUS(inv_endpoint_bind(endpoint, handle_stale(), event, 0, 0, 9, &b), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_endpoint_bind(endpoint, event, event, 0, 0, 9, &b), INV_ERR_WRONG_TYPE);
    bare = handle_without(test_job, INV_RIGHT_MANAGE);
    CHECK_STATUS(inv_endpoint_bind(endpoint, bare, event, 0, 0, 9, &b), INV_ERR_ACCESS);
    CHECK_OK(inv_handle_close(bare));
    CHECK_STATUS(inv_endpoint_bind(endpoint, test_job, handle_stale(), 0, 0, 9, &b), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_endpoint_bind(endpoint, test_job, endpoint, 0, 0, 9, &b), INV_ERR_WRONG_TYPE);
    bare = handle_without(event, INV_RIGHT_WAIT);
    CHECK_STATUS(inv_endpoint_bind(endpoint, test_job, bare, 0, 0, 9, &b), INV_ERR_ACCESS);
    CHECK_OK(inv_handle_close(bare));
    CHECK_STATUS(inv_endpoint_bind(endpoint, test_job, event, 0, 0, 0, &b), INV_ERR_INVALID);
    CHECK_STATUS(inv_endpoint_bind(endpoint, test_job, event, 1u << 23, 0, 0, &b), INV_ERR_INVALID);
    CHECK_STATUS(inv_endpoint_bind(endpoint, test_job, event, INV_SIGNAL_USER_0, 0, 2, &b), INV_ERR_INVALID);
    CHECK(b == INV_HANDLE_INVALID);
    CHECK_OK(inv_job_create(test_job, &bare));
    CHECK_OK(inv_job_set_limit(bare, INV_JOB_RESOURCE_MEMORY, 1));
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_0));
    CHECK_STATUS(inv_endpoint_bind(endpoint, bare, event, INV_SIGNAL_USER_0, 0, 0, &b), INV_ERR_QUOTA);
    expect_none(); // an error has no effect
    CHECK_OK(inv_handle_close(bare));
    unmake();
}

// Four threads: one receives, one signals, two bind and close; then the sides die in every order while the others go on.
static atomic_bool over;
static atomic_uint arrived;
static inv_handle_t events[2];

static void *receiver(void *arg) {
    inv_status_t status = INV_OK;
    while (!over || status == INV_OK) {
        struct inv_message m;
        status = receive(&m, now() + 2 * MS);
        if (status != INV_OK && status != INV_ERR_TIMED_OUT)
            break;
        if (status == INV_OK) {
            CHECK(m.words[0] > 0 && m.words[1] != 0 && (m.badge == 100 || m.badge == 101 || m.badge == 55));
            arrived++;
        }
    }
    return NULL;
}

static void *signaller(void *arg) {
    while (!over)
        for (unsigned i = 0; i < 2; i++)
            (void)inv_event_signal(events[i], INV_SIGNAL_USER_0, INV_SIGNAL_USER_0); // it may be closed
    return NULL;
}

static void *binder(void *arg) {
    unsigned i = (unsigned)(uintptr_t)arg;
    while (!over) {
        inv_handle_t b;
        if (inv_endpoint_bind(endpoint, test_job, events[i], INV_SIGNAL_USER_0, 100 + i, i, &b) == INV_OK)
            CHECK_OK(inv_handle_close(b));
    }
    return NULL;
}

static void sides_die_in_any_order(void) {
    for (unsigned round = 0; round < 12; round++) {
        pthread_t t[4];
        make();
        over = false;
        arrived = 0;
        events[0] = event;
        CHECK_OK(inv_event_create(test_job, &events[1]));
        inv_handle_t kept = bind(events[0], INV_SIGNAL_USER_0, 55, INV_BINDING_MODE_REPEAT);
        pthread_create(&t[0], NULL, receiver, NULL);
        pthread_create(&t[1], NULL, signaller, NULL);
        pthread_create(&t[2], NULL, binder, (void *)0);
        pthread_create(&t[3], NULL, binder, (void *)1);
        for (unsigned i = 0; i < 5000 && arrived == 0; i++)
            usleep(1000);
        usleep(5000);
        if (round % 4 == 1)
            CHECK_OK(inv_handle_close(endpoint));
        if (round % 4 == 2)
            CHECK_OK(inv_handle_close(events[0]));
        if (round % 4 == 3)
            CHECK_OK(inv_handle_close(kept));
        usleep(5000);
        over = true;
        for (unsigned i = 0; i < 4; i++)
            pthread_join(t[i], NULL);
        CHECK(arrived > 0);
        if (round % 4 != 3)
            CHECK_OK(inv_handle_close(kept));
        inv_handle_close(events[1]);
        if (round % 4 == 2)
            event = handle_stale();
        unmake();
    }
}

int main(void) {
    test_begin();
    once_is_once();
    edges_are_counted_together();
    closing_takes_back();
    objects_end();
    a_receiver_wakes_for_a_timer();
    errors_come_in_order();
    sides_die_in_any_order();
    return test_end();
}
