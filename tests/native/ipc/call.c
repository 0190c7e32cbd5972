// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// call, receive, reply, reply_receive between threads: words, badges, longer messages, handles, errors in order, deadlines, deaths.
#include "testing.h"

#include <invar/message.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inv_handle_t endpoint, connection, reply;

static uint64_t now(void) {
    uint64_t t = 0;
    CHECK_OK(inv_clock_read(INV_CLOCK_MONOTONIC, &t));
    return t;
}

static void make(uint64_t grace, uint64_t badge) {
    CHECK_OK(inv_endpoint_create(test_job, grace, &endpoint));
    CHECK_OK(inv_connection_create(endpoint, test_job, badge, &connection));
    CHECK_OK(inv_reply_create(test_job, 77, &reply));
}

static void unmake(void) {
    inv_handle_close(connection);
    inv_handle_close(reply);
    inv_handle_close(endpoint);
}

// Answers calls until one has label 0: each word grows by one, the label comes back, the badge is in the last word that was not sent.
static void *adder(void *arg) {
    inv_handle_t mine = reply; // another server's may stand there later
    struct inv_message m = {.tag = 0};
    inv_status_t status = inv_receive(endpoint, mine, &m, NULL);
    while (status == INV_OK && INV_TAG_LABEL(m.tag) != 0) {
        if (m.tag & INV_TAG_PACKET) {
            m.tag = 0;
            status = inv_receive(endpoint, mine, &m, NULL);
            continue;
        }
        for (unsigned i = 0; i < INV_MESSAGE_WORDS; i++)
            m.words[i] += i < INV_TAG_LENGTH(m.tag) / 8 ? 1 : 0;
        if (INV_TAG_LENGTH(m.tag) < 64) {
            m.words[7] = m.badge;
            m.tag = INV_TAG(INV_TAG_LABEL(m.tag), 64);
        }
        status = inv_reply_receive(endpoint, mine, &m, NULL);
    }
    if (status == INV_OK) {
        m.tag = 0;
        CHECK_OK(inv_reply(mine, &m, NULL));
    }
    return (void *)(intptr_t)status;
}

static void stop(pthread_t t) {
    struct inv_message m = {.tag = 0};
    void *result;
    CHECK_OK(inv_call(connection, &m, NULL));
    pthread_join(t, &result);
    CHECK(result == NULL);
}

static void words_and_badge_travel(void) {
    pthread_t t;
    make(0, 4711);
    pthread_create(&t, NULL, adder, NULL);
    for (unsigned length = 0; length <= 64; length += 8) {
        for (unsigned turn = 0; turn < 50; turn++) {
            struct inv_message m = {.tag = INV_TAG(length + 1, length)};
            for (unsigned i = 0; i < 8; i++)
                m.words[i] = 100 * turn + i;
            CHECK_OK(inv_call(connection, &m, NULL));
            CHECK(m.tag == INV_TAG(length + 1, 64));
            for (unsigned i = 0; i < length / 8; i++)
                CHECK(m.words[i] == 100 * turn + i + 1);
            for (unsigned i = length / 8; i < 7; i++)
                CHECK(m.words[i] == 0); // what was not sent does not arrive
            if (length < 64)
                CHECK(m.words[7] == 4711);
        }
    }
    stop(t);
    unmake();
}

static void longer_messages_travel_in_memory(void) {
    static char sent[INV_MESSAGE_MAX], room[INV_MESSAGE_MAX], echo[INV_MESSAGE_MAX];
    for (unsigned i = 0; i < sizeof(sent); i++)
        sent[i] = (char)(i * 7 + 3);
    make(0, 1);
    pid_t child = -1;
    (void)child;
    static struct inv_call_block server_block;
    server_block.buffer = (uint64_t)room;
    server_block.buffer_size = sizeof(room);
    server_block.message = (uint64_t)room;
    pthread_t t;
    void *echoes(void *arg) {
        struct inv_message m = {.tag = 0};
        CHECK_OK(inv_receive(endpoint, reply, &m, &server_block));
        while (INV_TAG_LABEL(m.tag) != 0)
            CHECK_OK(inv_reply_receive(endpoint, reply, &m, &server_block));
        CHECK_OK(inv_reply(reply, &m, NULL));
        return NULL;
    }
    pthread_create(&t, NULL, echoes, NULL);
    for (unsigned n = 65; n <= INV_MESSAGE_MAX; n += 1 + n / 3) {
        struct inv_call_block b = {.message = (uint64_t)sent, .buffer = (uint64_t)echo, .buffer_size = sizeof(echo)};
        struct inv_message m = {.tag = INV_TAG(5, n)};
        memset(echo, 0, sizeof(echo));
        memset(room, 0, sizeof(room));
        CHECK_OK(inv_call(connection, &m, &b));
        CHECK(m.tag == INV_TAG(5, n));
        CHECK(memcmp(sent, echo, n) == 0 && (n == sizeof(echo) || echo[n] == 0));
        b.buffer_size = 10;
        m.tag = INV_TAG(5, n);
        memset(echo, 0, sizeof(echo));
        CHECK_OK(inv_call(connection, &m, &b));
        CHECK(m.tag == (INV_TAG(5, n) | INV_TAG_TRUNCATED) && memcmp(sent, echo, 10) == 0 && echo[10] == 0);
    }
    struct inv_call_block bad = {.message = 8};
    struct inv_message m = {.tag = INV_TAG(5, 100)};
    CHECK_STATUS(inv_call(connection, &m, &bad), INV_ERR_FAULT);
    stop(t);
    unmake();
}

static void handles_move(void) {
    make(0, 1);
    static struct inv_call_block server_block;
    memset(&server_block, 0, sizeof(server_block));
    pthread_t t;
    void *swaps(void *arg) {
        struct inv_message m = {.tag = 0};
        CHECK_OK(inv_receive(endpoint, reply, &m, &server_block));
        while (INV_TAG_LABEL(m.tag) != 0) {
            unsigned n = INV_TAG_HANDLES(m.tag);
            for (unsigned i = 0; i < n; i++)
                server_block.handles[i] = server_block.received[n - 1 - i];
            CHECK_OK(inv_reply_receive(endpoint, reply, &m, &server_block));
        }
        CHECK_OK(inv_reply(reply, &m, NULL));
        return NULL;
    }
    pthread_create(&t, NULL, swaps, NULL);
    for (unsigned n = 1; n <= INV_MESSAGE_HANDLES; n++) {
        struct inv_call_block b = {0};
        uint64_t identities[INV_MESSAGE_HANDLES], identity;
        uint32_t type, rights;
        for (unsigned i = 0; i < n; i++) {
            CHECK_OK(inv_vmo_create(test_job, 1, 0, &b.handles[i]));
            CHECK_OK(inv_handle_info(b.handles[i], &type, &rights, &identities[i]));
        }
        struct inv_message m = {.tag = INV_TAG_WITH(INV_TAG(1, 0), n, 0)};
        CHECK_OK(inv_call(connection, &m, &b));
        CHECK(INV_TAG_HANDLES(m.tag) == n);
        for (unsigned i = 0; i < n; i++) {
            CHECK_STATUS(inv_handle_close(b.handles[i]), INV_ERR_BAD_HANDLE); // it moved
            CHECK_OK(inv_handle_info(b.received[i], &type, &rights, &identity));
            CHECK(identity == identities[n - 1 - i]);
            CHECK_OK(inv_handle_close(b.received[i]));
        }
    }
    // all or none
    struct inv_call_block b = {0};
    CHECK_OK(inv_vmo_create(test_job, 1, 0, &b.handles[0]));
    b.handles[1] = handle_stale();
    struct inv_message m = {.tag = INV_TAG_WITH(INV_TAG(1, 0), 2, 0)};
    CHECK_STATUS(inv_call(connection, &m, &b), INV_ERR_BAD_HANDLE);
    inv_handle_t bare = handle_without(b.handles[0], INV_RIGHT_TRANSFER);
    b.handles[1] = bare;
    m.tag = INV_TAG_WITH(INV_TAG(1, 0), 2, 0);
    CHECK_STATUS(inv_call(connection, &m, &b), INV_ERR_ACCESS);
    CHECK_OK(inv_handle_close(b.handles[0]));
    CHECK_OK(inv_handle_close(bare));
    stop(t);
    unmake();
}

static void errors_come_in_order(void) {
    struct inv_message m = {.tag = 0};
    make(0, 1);
    CHECK_STATUS(inv_call(handle_stale(), &m, NULL), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_call(endpoint, &m, NULL), INV_ERR_WRONG_TYPE);
    m.tag = INV_TAG(0, 65); // no block, but the right is missing first
    CHECK_STATUS(inv_call(handle_without(connection, INV_RIGHT_CALL), &m, NULL), INV_ERR_ACCESS);
    m.tag = INV_TAG(0, 65);
    CHECK_STATUS(inv_call(connection, &m, NULL), INV_ERR_INVALID);
    m.tag = INV_TAG(0, 4097);
    CHECK_STATUS(inv_call(connection, &m, NULL), INV_ERR_RANGE);
    m.tag = INV_TAG_PACKET;
    CHECK_STATUS(inv_call(connection, &m, NULL), INV_ERR_INVALID);
    m.tag = INV_TAG_WITH(0, 9, 0);
    CHECK_STATUS(inv_call(connection, &m, NULL), INV_ERR_INVALID);
    m.tag = INV_TAG_DEADLINE;
    CHECK_STATUS(inv_call(connection, &m, NULL), INV_ERR_INVALID);
    m.tag = 0;
    CHECK_STATUS(inv_receive(connection, reply, &m, NULL), INV_ERR_WRONG_TYPE);
    m.tag = 0;
    CHECK_STATUS(inv_receive(endpoint, endpoint, &m, NULL), INV_ERR_WRONG_TYPE);
    m.tag = 0;
    CHECK_STATUS(inv_receive(handle_without(endpoint, INV_RIGHT_RECEIVE), reply, &m, NULL), INV_ERR_ACCESS);
    m.tag = 0;
    CHECK_STATUS(inv_receive(endpoint, handle_without(reply, INV_RIGHT_RECEIVE), &m, NULL), INV_ERR_ACCESS);
    m.tag = 1;
    CHECK_STATUS(inv_receive(endpoint, reply, &m, NULL), INV_ERR_INVALID);
    m.tag = 0;
    CHECK_STATUS(inv_reply(reply, &m, NULL), INV_ERR_BAD_STATE);
    CHECK_STATUS(inv_reply(connection, &m, NULL), INV_ERR_WRONG_TYPE);
    unmake();
}

static void a_deadline_ends_a_wait(void) {
    struct inv_call_block b = {0};
    struct inv_message m = {.tag = INV_TAG_DEADLINE};
    make(0, 1);
    uint64_t begin = now();
    b.deadline = begin + 20000000;
    CHECK_STATUS(inv_call(connection, &m, &b), INV_ERR_TIMED_OUT);
    CHECK(now() >= b.deadline);
    m.tag = INV_TAG_DEADLINE;
    b.deadline = now() + 5000000;
    CHECK_STATUS(inv_receive(endpoint, reply, &m, &b), INV_ERR_TIMED_OUT);
    CHECK(now() >= b.deadline);
    unmake();
}

static uint64_t client_deadline;
static inv_status_t client_status;
static void *timed_client(void *arg) {
    struct inv_call_block b = {.deadline = client_deadline};
    struct inv_message m = {.tag = INV_TAG(3, 0) | INV_TAG_DEADLINE};
    client_status = inv_call(connection, &m, &b);
    return NULL;
}

// The caller's deadline passes while it is served: the server learns of it; the caller leaves when the grace is over, and a late reply finds it gone.
static void a_served_caller_leaves_after_its_grace(void) {
    struct inv_message m = {.tag = 0};
    inv_handle_t second;
    pthread_t t;
    make(50000000, 1);
    CHECK_OK(inv_reply_create(test_job, 78, &second));
    client_deadline = now() + 20000000;
    pthread_create(&t, NULL, timed_client, NULL);
    CHECK_OK(inv_receive(endpoint, reply, &m, NULL));
    CHECK(INV_TAG_LABEL(m.tag) == 3);
    m.tag = 0;
    CHECK_STATUS(inv_receive(endpoint, reply, &m, NULL), INV_ERR_BAD_STATE);
    m.tag = 0;
    CHECK_OK(inv_receive(endpoint, second, &m, NULL));
    CHECK(m.tag == (INV_TAG(INV_PACKET_UNBLOCK, 16) | INV_TAG_PACKET) && m.badge == 77 && m.words[0] == 1);
    CHECK(now() >= client_deadline);
    pthread_join(t, NULL);
    CHECK(now() >= client_deadline + 50000000);
    CHECK(client_status == INV_ERR_TIMED_OUT);
    m.tag = 0;
    CHECK_STATUS(inv_reply(reply, &m, NULL), INV_ERR_CANCELLED);
    CHECK_STATUS(inv_reply(reply, &m, NULL), INV_ERR_BAD_STATE);
    // answered within the grace, the call is answered
    client_deadline = now() + 20000000;
    pthread_create(&t, NULL, timed_client, NULL);
    m.tag = 0;
    CHECK_OK(inv_receive(endpoint, reply, &m, NULL));
    m.tag = 0;
    CHECK_OK(inv_receive(endpoint, second, &m, NULL));
    CHECK(m.tag & INV_TAG_PACKET);
    m.tag = 0;
    CHECK_OK(inv_reply(reply, &m, NULL));
    pthread_join(t, NULL);
    CHECK(client_status == INV_OK);
    inv_handle_close(second);
    unmake();
}

static void *plain_client(void *arg) {
    struct inv_message m = {.tag = INV_TAG(9, 0)};
    client_status = inv_call(connection, &m, NULL);
    return NULL;
}

static void a_dropped_reply_is_peer_gone(void) {
    struct inv_message m = {.tag = 0};
    pthread_t t;
    make(0, 1);
    pthread_create(&t, NULL, plain_client, NULL);
    CHECK_OK(inv_receive(endpoint, reply, &m, NULL));
    CHECK_OK(inv_handle_close(reply));
    pthread_join(t, NULL);
    CHECK(client_status == INV_ERR_PEER_GONE);
    unmake();
}

static void a_closed_endpoint_is_peer_gone(void) {
    struct inv_message m = {.tag = 0};
    pthread_t t;
    make(0, 1);
    pthread_create(&t, NULL, plain_client, NULL);
    usleep(20000); // queued, most likely; else it finds it closed, which is the same to it
    CHECK_OK(inv_handle_close(endpoint));
    pthread_join(t, NULL);
    CHECK(client_status == INV_ERR_PEER_GONE);
    m.tag = 0;
    CHECK_STATUS(inv_call(connection, &m, NULL), INV_ERR_PEER_GONE);
    unmake();
    make(0, 1);
    pthread_create(&t, NULL, adder, NULL);
    usleep(20000);
    CHECK_OK(inv_handle_close(endpoint));
    void *result;
    pthread_join(t, &result);
    CHECK((intptr_t)result == INV_ERR_PEER_GONE || (intptr_t)result == INV_ERR_BAD_HANDLE);
    unmake();
}

static void a_revoked_connection_is_peer_gone(void) {
    struct inv_message m = {.tag = 0};
    inv_handle_t copy;
    pthread_t t;
    make(0, 1);
    CHECK_OK(inv_handle_duplicate(connection, INV_RIGHTS_SAME, &copy));
    pthread_create(&t, NULL, plain_client, NULL);
    usleep(20000);
    CHECK_STATUS(inv_connection_revoke(handle_without(copy, INV_RIGHT_MANAGE)), INV_ERR_ACCESS);
    CHECK_OK(inv_connection_revoke(copy));
    pthread_join(t, NULL);
    CHECK(client_status == INV_ERR_PEER_GONE);
    CHECK_STATUS(inv_call(copy, &m, NULL), INV_ERR_PEER_GONE);
    inv_handle_close(copy);
    unmake();
}

// A client process that is killed while it is served does not wait for the server, whatever the grace.
static void a_killed_caller_leaves_at_once(void) {
    struct inv_message m = {.tag = 0};
    int up[2];
    make(10000000000, 1);
    CHECK(pipe(up) == 0);
    pid_t child = fork();
    if (child == 0) { // handles are not inherited: it serves itself
        inv_handle_t job;
        pthread_t t;
        inv_bootstrap(INV_BOOTSTRAP_KIND_JOB, &job);
        test_job = job;
        make(10000000000, 1);
        pthread_create(&t, NULL, plain_client, NULL);
        inv_receive(endpoint, reply, &m, NULL);
        CHECK(write(up[1], "x", 1) == 1);
        for (;;)
            pause();
    }
    char c;
    CHECK(read(up[0], &c, 1) == 1);
    uint64_t begin = now();
    kill(child, SIGKILL);
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(now() - begin < 5000000000);
    close(up[0]);
    close(up[1]);
    unmake();
}

static void the_last_handle_of_a_connection_is_told(void) {
    struct inv_message m = {.tag = 0};
    inv_handle_t other;
    make(0, 1);
    CHECK_OK(inv_connection_create(endpoint, test_job, 99, &other));
    CHECK_OK(inv_handle_close(other));
    CHECK_OK(inv_receive(endpoint, reply, &m, NULL));
    CHECK(m.tag == (INV_TAG(INV_PACKET_CLOSED, 16) | INV_TAG_PACKET) && m.badge == 99 && m.words[0] == 1);
    unmake();
}

// Four threads call two servers at one endpoint: no answer is lost, or goes to another.
static void *many_calls(void *arg) {
    uint64_t me = (uintptr_t)arg;
    for (uint64_t i = 0; i < 20000; i++) {
        struct inv_message m = {.tag = INV_TAG(1, 16), .words = {me, i}};
        CHECK_OK(inv_call(connection, &m, NULL));
        CHECK(m.words[0] == me + 1 && m.words[1] == i + 1);
    }
    return NULL;
}

static void many_callers_and_servers(void) {
    pthread_t clients[4], servers[2];
    make(0, 5);
    inv_handle_t first = reply;
    pthread_create(&servers[0], NULL, adder, NULL);
    usleep(20000); // it has named its reply object
    CHECK_OK(inv_reply_create(test_job, 2, &reply));
    pthread_create(&servers[1], NULL, adder, NULL);
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&clients[i], NULL, many_calls, (void *)(i * 1000));
    for (unsigned i = 0; i < 4; i++)
        pthread_join(clients[i], NULL);
    struct inv_message m = {.tag = 0};
    CHECK_OK(inv_call(connection, &m, NULL));
    m.tag = 0;
    CHECK_OK(inv_call(connection, &m, NULL));
    pthread_join(servers[0], NULL);
    pthread_join(servers[1], NULL);
    inv_handle_close(first);
    unmake();
}

int main(void) {
    test_begin();
    words_and_badge_travel();
    longer_messages_travel_in_memory();
    handles_move();
    errors_come_in_order();
    a_deadline_ends_a_wait();
    a_served_caller_leaves_after_its_grace();
    a_dropped_reply_is_peer_gone();
    a_closed_endpoint_is_peer_gone();
    a_revoked_connection_is_peer_gone();
    a_killed_caller_leaves_at_once();
    the_last_handle_of_a_connection_is_told();
    many_callers_and_servers();
    return test_end();
}
