// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// lease_read, lease_write: what a caller lends with a call, and no longer than it.
#include "testing.h"

#include <invar/message.h>
#include <pthread.h>
#include <sys/mman.h>

#define PAGE 4096ul

static inv_handle_t endpoint, connection, reply;
static struct inv_call_block lent;
static uint32_t lent_count;
static inv_status_t client_status;

static void *client(void *arg) {
    struct inv_message m = {.tag = INV_TAG_WITH(INV_TAG(1, 0), 0, lent_count)};
    client_status = inv_call(connection, &m, &lent);
    return NULL;
}

static pthread_t begin(uint32_t count) {
    struct inv_message m = {.tag = 0};
    pthread_t t;
    lent_count = count;
    pthread_create(&t, NULL, client, NULL);
    CHECK_OK(inv_receive(endpoint, reply, &m, NULL));
    CHECK(INV_TAG_LEASES(m.tag) == count);
    return t;
}

static void end(pthread_t t) {
    struct inv_message m = {.tag = 0};
    CHECK_OK(inv_reply(reply, &m, NULL));
    pthread_join(t, NULL);
    CHECK(client_status == INV_OK);
}

static void lend(unsigned i, void *at, uint64_t length, uint32_t rights) {
    lent.leases[i] = (struct inv_lease){.address = (uint64_t)at, .length = length, .rights = rights};
}

static void bytes_move_both_ways(void) {
    static char theirs[3 * PAGE], mine[3 * PAGE];
    uint64_t done;
    for (unsigned i = 0; i < sizeof(theirs); i++)
        theirs[i] = (char)(i * 13 + 1);
    lend(0, theirs + 5, 2 * PAGE, INV_RIGHT_READ);
    lend(1, theirs + 100, 50, INV_RIGHT_READ | INV_RIGHT_WRITE);
    pthread_t t = begin(2);
    CHECK_OK(inv_lease_read(reply, 0, 0, mine, sizeof(mine), &done));
    CHECK(done == 2 * PAGE && memcmp(mine, theirs + 5, done) == 0);
    CHECK_OK(inv_lease_read(reply, 0, 2 * PAGE - 3, mine, 100, &done));
    CHECK(done == 3);
    CHECK_OK(inv_lease_read(reply, 0, 2 * PAGE, mine, 100, &done));
    CHECK(done == 0);
    CHECK_OK(inv_lease_read(reply, 0, UINT64_MAX, mine, 100, &done));
    CHECK(done == 0);
    CHECK_OK(inv_lease_write(reply, 1, 40, "0123456789abcdef", 16, &done));
    CHECK(done == 10 && memcmp(theirs + 140, "0123456789", 10) == 0 && theirs[150] == (char)(150 * 13 + 1));
    CHECK_STATUS(inv_lease_write(reply, 0, 0, "x", 1, &done), INV_ERR_ACCESS);
    CHECK_STATUS(inv_lease_read(reply, 2, 0, mine, 1, &done), INV_ERR_RANGE);
    CHECK_STATUS(inv_lease_read(handle_without(reply, INV_RIGHT_RECEIVE), 0, 0, mine, 1, &done), INV_ERR_ACCESS);
    CHECK_STATUS(inv_lease_read(endpoint, 0, 0, mine, 1, &done), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_lease_read(reply, 0, 0, (void *)8, 1, &done), INV_ERR_FAULT);
    end(t);
    CHECK_STATUS(inv_lease_read(reply, 0, 0, mine, 1, &done), INV_ERR_BAD_STATE);
}

static void memory_that_is_not_there(void) {
    uint64_t done;
    char byte = 0;
    char *area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *room = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 'a', PAGE);
    mprotect(area + PAGE, PAGE, PROT_NONE);
    mprotect(area + 2 * PAGE, PAGE, PROT_READ);
    munmap(area + 3 * PAGE, PAGE);
    lend(0, area, 4 * PAGE, INV_RIGHT_READ | INV_RIGHT_WRITE);
    pthread_t t = begin(1);
    CHECK_OK(inv_lease_read(reply, 0, PAGE - 10, room, 20, &done)); // room was never touched
    CHECK(done == 10 && room[9] == 'a' && room[10] == 0);
    CHECK_STATUS(inv_lease_read(reply, 0, PAGE, &byte, 1, &done), INV_ERR_NOT_PRESENT);
    CHECK_OK(inv_lease_read(reply, 0, 2 * PAGE, room, 10, &done)); // never touched: zeros
    CHECK(done == 10 && room[0] == 0);
    CHECK_STATUS(inv_lease_write(reply, 0, 2 * PAGE, &byte, 1, &done), INV_ERR_NOT_PRESENT);
    CHECK_STATUS(inv_lease_read(reply, 0, 3 * PAGE, &byte, 1, &done), INV_ERR_NOT_PRESENT);
    end(t);
}

static void what_cannot_be_lent(void) {
    struct inv_message m = {.tag = INV_TAG_WITH(INV_TAG(1, 0), 0, 1)};
    CHECK_STATUS(inv_call(connection, &m, NULL), INV_ERR_INVALID);
    lend(0, &m, 8, 0);
    m.tag = INV_TAG_WITH(INV_TAG(1, 0), 0, 1);
    CHECK_STATUS(inv_call(connection, &m, &lent), INV_ERR_INVALID);
    lend(0, &m, 8, INV_RIGHT_MAP);
    m.tag = INV_TAG_WITH(INV_TAG(1, 0), 0, 1);
    CHECK_STATUS(inv_call(connection, &m, &lent), INV_ERR_INVALID);
    lend(0, (void *)0x7ffffffff000, 1ul << 40, INV_RIGHT_READ);
    m.tag = INV_TAG_WITH(INV_TAG(1, 0), 0, 1);
    CHECK_STATUS(inv_call(connection, &m, &lent), INV_ERR_RANGE);
    m.tag = INV_TAG_WITH(INV_TAG(1, 0), 0, 5);
    CHECK_STATUS(inv_call(connection, &m, &lent), INV_ERR_INVALID);
}

// A caller that leaves at its deadline while a server uses its lease: once the call has ended, nothing of it changes any more.
static volatile int caller_out;
static char shared[PAGE];
static void *leaver(void *arg) {
    for (unsigned i = 0; i < 200; i++) {
        struct inv_call_block b = {0};
        struct inv_message m = {.tag = INV_TAG_WITH(INV_TAG(1, 0), 0, 1) | INV_TAG_DEADLINE};
        uint64_t now;
        inv_clock_read(INV_CLOCK_MONOTONIC, &now);
        b.deadline = now + 100000 + i * 1000;
        b.leases[0] = (struct inv_lease){.address = (uint64_t)shared, .length = PAGE, .rights = INV_RIGHT_WRITE};
        inv_status_t status = inv_call(connection, &m, &b);
        CHECK(status == INV_ERR_TIMED_OUT || status == INV_OK);
        memset(shared, 0, PAGE);
        for (unsigned turn = 0; turn < 20; turn++)
            for (unsigned j = 0; j < PAGE; j += 64)
                CHECK(((volatile char *)shared)[j] == 0);
    }
    caller_out = 1;
    struct inv_message m = {.tag = INV_TAG(7, 0)};
    CHECK_OK(inv_call(connection, &m, NULL));
    return NULL;
}

static void no_lease_outlives_its_call(void) {
    static char full[PAGE];
    struct inv_message m = {.tag = 0};
    pthread_t t;
    uint64_t done;
    memset(full, 'x', PAGE);
    pthread_create(&t, NULL, leaver, NULL);
    for (;;) {
        m.tag = 0;
        CHECK_OK(inv_receive(endpoint, reply, &m, NULL));
        if (m.tag & INV_TAG_PACKET)
            continue;
        if (INV_TAG_LABEL(m.tag) == 7)
            break;
        while (inv_lease_write(reply, 0, 0, full, PAGE, &done) == INV_OK)
            ;
        m.tag = 0;
        CHECK_STATUS(inv_reply(reply, &m, NULL), INV_ERR_CANCELLED);
    }
    m.tag = 0;
    CHECK_OK(inv_reply(reply, &m, NULL));
    pthread_join(t, NULL);
}

int main(void) {
    test_begin();
    CHECK_OK(inv_endpoint_create(test_job, 0, &endpoint));
    CHECK_OK(inv_connection_create(endpoint, test_job, 1, &connection));
    CHECK_OK(inv_reply_create(test_job, 1, &reply));
    bytes_move_both_ways();
    memory_that_is_not_there();
    what_cannot_be_lent();
    no_lease_outlives_its_call();
    return test_end();
}
