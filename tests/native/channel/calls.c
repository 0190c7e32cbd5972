// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Channels: messages and handles in order, bounds, signals, quotas, closing of either end at every step, errors in order, four processors at once.
#include "testing.h"

#include <invar/ipc.h>
#include <invar/message.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define MS 1000000ull

static inv_handle_t a, b;

static uint64_t now(void) {
    uint64_t t = 0;
    CHECK_OK(inv_clock_read(INV_CLOCK_MONOTONIC, &t));
    return t;
}

static void make(void) {
    CHECK_OK(inv_channel_create(test_job, &a, &b));
}

static void unmake(void) {
    CHECK_OK(inv_handle_close(a));
    CHECK_OK(inv_handle_close(b));
}

static uint32_t signals_of(inv_handle_t h) {
    uint32_t observed = 0;
    (void)inv_object_wait(h, INV_SIGNALS_ALL, 0, &observed);
    return observed;
}

static inv_status_t write_bytes(inv_handle_t h, const void *data, size_t n) {
    return inv_channel_write(h, data, n, NULL, 0);
}

static inv_status_t read_bytes(inv_handle_t h, void *data, size_t room, uint32_t *size) {
    uint32_t handles = 9;
    inv_status_t status = inv_channel_read(h, data, room, NULL, 0, size, &handles);
    CHECK(handles == 0);
    return status;
}

static void messages_come_in_order_and_whole(void) {
    static char sent[INV_CHANNEL_MESSAGE_MAX], got[INV_CHANNEL_MESSAGE_MAX + 8];
    uint32_t size;
    make();
    for (unsigned i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 7 + 1);
    CHECK(signals_of(a) == INV_SIGNAL_WRITABLE && signals_of(b) == INV_SIGNAL_WRITABLE);
    for (unsigned n = 0; n <= sizeof(sent); n = 2 * n + 1 > sizeof(sent) && n < sizeof(sent) ? sizeof(sent) : 2 * n + 1)
        CHECK_OK(write_bytes(a, sent, n));
    CHECK(signals_of(b) == (INV_SIGNAL_READABLE | INV_SIGNAL_WRITABLE) && signals_of(a) == INV_SIGNAL_WRITABLE);
    for (unsigned n = 0; n <= sizeof(sent);
         n = 2 * n + 1 > sizeof(sent) && n < sizeof(sent) ? sizeof(sent) : 2 * n + 1) {
        memset(got, 0, sizeof(got));
        if (n > 0)
            CHECK_STATUS(read_bytes(b, got, n - 1, &size), INV_ERR_RANGE); // it stays
        CHECK_OK(read_bytes(b, got, sizeof(sent), &size));
        CHECK(size == n && memcmp(got, sent, n) == 0 && got[n] == 0);
    }
    CHECK_STATUS(read_bytes(b, got, sizeof(sent), &size), INV_ERR_SHOULD_WAIT);
    CHECK_STATUS(read_bytes(a, got, sizeof(sent), &size), INV_ERR_SHOULD_WAIT); // not one's own
    CHECK(signals_of(b) == INV_SIGNAL_WRITABLE);
    CHECK_OK(write_bytes(b, "ab", 2)); // the other way
    CHECK_OK(read_bytes(a, got, 2, &size));
    CHECK(size == 2 && got[0] == 'a' && got[1] == 'b');
    unmake();
}

static void queues_are_bounded(void) {
    char c;
    uint32_t size;
    make();
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < INV_CHANNEL_MESSAGES; i++) {
            CHECK(signals_of(a) & INV_SIGNAL_WRITABLE);
            c = (char)i;
            CHECK_OK(write_bytes(a, &c, 1));
        }
        CHECK(signals_of(a) == 0);
        CHECK_STATUS(write_bytes(a, &c, 1), INV_ERR_SHOULD_WAIT);
        CHECK_OK(write_bytes(b, &c, 1)); // the other way has its own
        CHECK_OK(read_bytes(a, &c, 1, &size));
        for (unsigned i = 0; i < INV_CHANNEL_MESSAGES; i++) {
            CHECK_OK(read_bytes(b, &c, 1, &size));
            CHECK(c == (char)i && (signals_of(a) & INV_SIGNAL_WRITABLE));
        }
        CHECK_STATUS(read_bytes(b, &c, 1, &size), INV_ERR_SHOULD_WAIT);
    }
    unmake();
}

static void handles_move(void) {
    inv_handle_t sent[8], got[8];
    uint32_t size, count, type, rights;
    uint64_t identities[8], identity;
    make();
    for (unsigned n = 1; n <= 8; n++) {
        for (unsigned i = 0; i < n; i++) {
            CHECK_OK(inv_vmo_create(test_job, 1, 0, &sent[i]));
            CHECK_OK(inv_handle_info(sent[i], &type, &rights, &identities[i]));
        }
        CHECK_OK(inv_channel_write(a, "x", 1, sent, 4 * n));
        for (unsigned i = 0; i < n; i++)
            CHECK_STATUS(inv_handle_close(sent[i]), INV_ERR_BAD_HANDLE);
        char c;
        CHECK_STATUS(inv_channel_read(b, &c, 1, got, 4 * n - 4, &size, &count), INV_ERR_RANGE);
        CHECK_OK(inv_channel_read(b, &c, 1, got, n == 5 ? 32 : 4 * n, &size, &count));
        CHECK(size == 1 && count == n);
        for (unsigned i = 0; i < n; i++) {
            CHECK_OK(inv_handle_info(got[i], &type, &rights, &identity));
            CHECK(identity == identities[i]);
            CHECK_OK(inv_handle_close(got[i]));
        }
    }
    // What is not read is closed with the end that would have read it.
    inv_handle_t event, watched;
    CHECK_OK(inv_event_create(test_job, &event));
    inv_handle_t endpoint, reply;
    CHECK_OK(inv_endpoint_create(test_job, 0, &endpoint));
    CHECK_OK(inv_reply_create(test_job, 0, &reply));
    CHECK_OK(inv_endpoint_bind(endpoint, test_job, event, INV_SIGNAL_USER_0, 3, INV_BINDING_MODE_ONCE, &watched));
    CHECK_OK(inv_channel_write(a, NULL, 0, &event, 4));
    CHECK_OK(inv_handle_close(b));
    struct inv_call_block block = {.deadline = now() + 5000 * MS};
    struct inv_message m = {.tag = INV_TAG_DEADLINE};
    CHECK_OK(inv_receive(endpoint, reply, &m, &block));
    CHECK(m.badge == 3 && m.words[1] == INV_SIGNAL_CLOSED);
    CHECK_OK(inv_handle_close(watched));
    CHECK_OK(inv_handle_close(endpoint));
    CHECK_OK(inv_handle_close(reply));
    CHECK_OK(inv_handle_close(a));
}

static void closing_is_told_after_what_was_written(void) {
    char c = 'z';
    uint32_t size, observed;
    make();
    CHECK_OK(write_bytes(a, &c, 1));
    CHECK_OK(inv_handle_close(a));
    CHECK(signals_of(b) == (INV_SIGNAL_READABLE | INV_SIGNAL_PEER_CLOSED));
    CHECK_STATUS(write_bytes(b, &c, 1), INV_ERR_PEER_GONE);
    c = 0;
    CHECK_OK(read_bytes(b, &c, 1, &size));
    CHECK(c == 'z' && signals_of(b) == INV_SIGNAL_PEER_CLOSED);
    CHECK_STATUS(read_bytes(b, &c, 1, &size), INV_ERR_PEER_GONE);
    CHECK_OK(inv_object_wait(b, INV_SIGNAL_READABLE | INV_SIGNAL_PEER_CLOSED, INV_DEADLINE_NEVER, &observed));
    CHECK(observed == INV_SIGNAL_PEER_CLOSED);
    CHECK_OK(inv_handle_close(b));
}

static void who_writes_pays(void) {
    inv_handle_t job;
    CHECK_OK(inv_job_create(test_job, &job));
    CHECK_OK(inv_job_set_limit(job, INV_JOB_RESOURCE_MEMORY, 1));
    CHECK_STATUS(inv_channel_create(job, &a, &b), INV_ERR_QUOTA);
    CHECK(a == INV_HANDLE_INVALID && b == INV_HANDLE_INVALID);
    CHECK_OK(inv_job_set_limit(job, INV_JOB_RESOURCE_MEMORY, 1000));
    unsigned n = 0;
    inv_handle_t ends[20];
    while (n < 20 && inv_channel_create(job, &ends[n], &ends[n + 1]) == INV_OK)
        n += 2;
    CHECK(n > 0 && n < 20);
    unsigned first = n;
    while (n > 0)
        CHECK_OK(inv_handle_close(ends[--n]));
    while (n < 20 && inv_channel_create(job, &ends[n], &ends[n + 1]) == INV_OK)
        n += 2;
    CHECK(n == first); // all was given back
    while (n > 0)
        CHECK_OK(inv_handle_close(ends[--n]));
    CHECK_OK(inv_handle_close(job));
}

static void errors_come_in_order(void) {
    char c = 0;
    uint32_t size, count;
    inv_handle_t bare, vmo, two[2];
    make();
    CHECK_STATUS(inv_channel_create(handle_stale(), &two[0], &two[1]), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_channel_create(a, &two[0], &two[1]), INV_ERR_WRONG_TYPE);
    bare = handle_without(test_job, INV_RIGHT_MANAGE);
    CHECK_STATUS(inv_channel_create(bare, &two[0], &two[1]), INV_ERR_ACCESS);
    CHECK_OK(inv_handle_close(bare));
    CHECK_STATUS(inv_channel_write(handle_stale(), &c, 5000, NULL, 3), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_channel_write(test_job, &c, 5000, NULL, 3), INV_ERR_WRONG_TYPE);
    bare = handle_without(a, INV_RIGHT_WRITE);
    CHECK_STATUS(inv_channel_write(bare, &c, 5000, NULL, 3), INV_ERR_ACCESS);
    CHECK_OK(inv_handle_close(bare));
    CHECK_STATUS(inv_channel_write(a, &c, INV_CHANNEL_MESSAGE_MAX + 1, NULL, 3), INV_ERR_RANGE);
    CHECK_STATUS(inv_channel_write(a, &c, 1, two, 36), INV_ERR_RANGE);
    CHECK_STATUS(inv_channel_write(a, (void *)8, 1, two, 3), INV_ERR_INVALID);
    CHECK_STATUS(inv_channel_write(a, (void *)8, 1, NULL, 0), INV_ERR_FAULT);
    CHECK_STATUS(inv_channel_write(a, &c, 1, (void *)8, 4), INV_ERR_FAULT);
    CHECK_OK(inv_vmo_create(test_job, 1, 0, &vmo));
    two[0] = vmo;
    two[1] = handle_stale();
    CHECK_STATUS(inv_channel_write(a, (void *)8, 1, two, 8), INV_ERR_BAD_HANDLE);
    two[1] = vmo; // twice
    CHECK_STATUS(inv_channel_write(a, &c, 1, two, 8), INV_ERR_BAD_HANDLE);
    two[1] = bare = handle_without(vmo, INV_RIGHT_TRANSFER);
    CHECK_STATUS(inv_channel_write(a, (void *)8, 1, two, 8), INV_ERR_ACCESS);
    CHECK_OK(inv_handle_close(bare));
    two[1] = a;
    CHECK_STATUS(inv_channel_write(a, &c, 1, two, 8), INV_ERR_INVALID);
    two[1] = b;
    CHECK_STATUS(inv_channel_write(a, &c, 1, two, 8), INV_ERR_INVALID);
    CHECK_OK(inv_handle_close(vmo)); // still here: nothing was taken
    CHECK_STATUS(read_bytes(b, &c, 1, &size), INV_ERR_SHOULD_WAIT);
    CHECK_STATUS(inv_channel_read(handle_stale(), &c, 5000, two, 3, &size, &count), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_channel_read(test_job, &c, 5000, two, 3, &size, &count), INV_ERR_WRONG_TYPE);
    bare = handle_without(b, INV_RIGHT_READ);
    CHECK_STATUS(inv_channel_read(bare, &c, 5000, two, 3, &size, &count), INV_ERR_ACCESS);
    CHECK_OK(inv_handle_close(bare));
    CHECK_STATUS(inv_channel_read(b, &c, 5000, two, 3, &size, &count), INV_ERR_RANGE);
    CHECK_STATUS(inv_channel_read(b, &c, 1, two, 3, &size, &count), INV_ERR_INVALID);
    CHECK_OK(write_bytes(a, &c, 1));
    CHECK_STATUS(inv_channel_read(b, (void *)8, 1, two, 8, &size, &count), INV_ERR_FAULT);
    CHECK(size == 0 && count == 0);
    CHECK_STATUS(read_bytes(b, &c, 1, &size), INV_ERR_SHOULD_WAIT); // it is gone
    CHECK_OK(inv_vmo_create(test_job, 1, 0, &vmo));
    CHECK_OK(inv_channel_write(a, &c, 1, &vmo, 4));
    CHECK_STATUS(inv_channel_read(b, &c, 1, (void *)8, 4, &size, &count), INV_ERR_FAULT);
    CHECK(size == 0 && count == 0);
    unmake();
}

// Two writers, two readers: each message arrives once, and each writer's in order.
enum { EACH = 2000 };
static atomic_uint received;
static void *writer(void *arg) {
    uint32_t observed, value[2] = {(uint32_t)(uintptr_t)arg, 0};
    while (value[1] < EACH) {
        inv_status_t status = write_bytes(a, value, sizeof(value));
        if (status == INV_ERR_SHOULD_WAIT) {
            CHECK_OK(inv_object_wait(a, INV_SIGNAL_WRITABLE, now() + 10000 * MS, &observed));
            continue;
        }
        CHECK_OK(status);
        value[1]++;
    }
    return NULL;
}

static void *reader(void *arg) {
    uint32_t observed, size, value[2], last[2] = {0, 0};
    for (;;) {
        inv_status_t status = read_bytes(b, value, sizeof(value), &size);
        if (status == INV_ERR_PEER_GONE)
            return NULL;
        if (status == INV_ERR_SHOULD_WAIT) {
            CHECK_OK(inv_object_wait(b, INV_SIGNAL_READABLE | INV_SIGNAL_PEER_CLOSED, now() + 10000 * MS, &observed));
            continue;
        }
        CHECK(status == INV_OK && size == 8 && value[0] < 2 && value[1] + 1 > last[value[0]]);
        last[value[0]] = value[1] + 1;
        received++;
    }
}

static void nothing_is_lost_on_four_processors(void) {
    pthread_t t[4];
    make();
    for (uintptr_t i = 0; i < 2; i++) {
        pthread_create(&t[i], NULL, writer, (void *)i);
        pthread_create(&t[2 + i], NULL, reader, NULL);
    }
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
    CHECK_OK(inv_handle_close(a));
    pthread_join(t[2], NULL);
    pthread_join(t[3], NULL);
    CHECK(received == 2 * EACH);
    CHECK_OK(inv_handle_close(b));
}

// Both ends are closed while both are used.
static void *hammer(void *arg) {
    inv_handle_t h = arg ? a : b, v, got[8];
    uint32_t size, count;
    char c;
    for (;;) {
        CHECK_OK(inv_vmo_create(test_job, 1, 0, &v));
        inv_status_t status = inv_channel_write(h, &c, 1, &v, 4);
        if (status != INV_OK)
            CHECK_OK(inv_handle_close(v)); // not taken
        if (status != INV_OK && status != INV_ERR_SHOULD_WAIT) {
            CHECK(status == INV_ERR_PEER_GONE || status == INV_ERR_BAD_HANDLE);
            return NULL;
        }
        if (inv_channel_read(h, &c, 1, got, 32, &size, &count) == INV_OK && count == 1)
            CHECK_OK(inv_handle_close(got[0]));
    }
}

static void ends_die_in_use(void) {
    for (unsigned round = 0; round < 20; round++) {
        pthread_t t[4];
        make();
        for (uintptr_t i = 0; i < 4; i++)
            pthread_create(&t[i], NULL, hammer, (void *)(i & 1));
        usleep(3000);
        CHECK_OK(inv_handle_close(round & 1 ? a : b));
        if (round & 2)
            CHECK_OK(inv_handle_close(round & 1 ? b : a));
        for (unsigned i = 0; i < 4; i++)
            pthread_join(t[i], NULL);
        if (!(round & 2))
            CHECK_OK(inv_handle_close(round & 1 ? b : a));
    }
}

int main(void) {
    test_begin();
    messages_come_in_order_and_whole();
    queues_are_bounded();
    handles_move();
    closing_is_told_after_what_was_written();
    who_writes_pays();
    errors_come_in_order();
    nothing_is_lost_on_four_processors();
    ends_die_in_use();
    return test_end();
}
