// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A generated interface over real calls: client and server threads, messages in registers and in memory, handles with demands, deadlines, raw messages that
// are malformed, and a server that ends. (What the generated code does with any message at all is tested on the host, tools/idlc/interface_test.c.)
#include "testing.h"

#include "interface/sample_client.c"
#include "interface/sample_server.c"

#include <invar/serve.h>
#include <pthread.h>

static struct inv_service service;
static inv_handle_t connection, job;
static pthread_t thread;
static inv_status_t served;
static unsigned longest_count;

static inv_status_t nothing(void *context) {
    uint64_t *badge = context;
    service.stop = *badge == 9; // who has that badge says when to stop
    return INV_OK;
}

static inv_status_t lists(void *context, const char *text, size_t text_length, const uint32_t *numbers,
                          size_t numbers_count, const uint8_t *pairs, size_t pairs_count, char *text2,
                          size_t *text2_length, uint32_t *numbers2, size_t *numbers2_count, uint8_t *pairs2,
                          size_t *pairs2_count) {
    memcpy(text2, text, text_length);
    *text2_length = text_length;
    for (size_t i = 0; i < numbers_count; i++)
        numbers2[i] = numbers[i] + 1;
    *numbers2_count = numbers_count;
    *pairs2_count = 0;
    return pairs_count == 4 ? INV_ERR_NO_SPACE : INV_OK;
}

static inv_status_t handles(void *context, inv_handle_t plain, inv_handle_t memory, const inv_handle_t *more,
                            size_t more_count, inv_handle_t *plain2, inv_handle_t *memory2, inv_handle_t *more2,
                            size_t *more2_count) {
    uint64_t done;
    CHECK_OK(inv_vmo_write(more[0], 0, "served", 6, &done));
    CHECK_STATUS(inv_vmo_write(memory, 0, "x", 1, &done), INV_ERR_ACCESS); // came without the right
    *plain2 = plain;
    *memory2 = memory;
    *more2_count = more_count;
    memcpy(more2, more, more_count * sizeof(*more));
    return INV_OK;
}

static inv_status_t longest(void *context, const char *text, size_t text_length, char *text2, size_t *text2_length) {
    longest_count++;
    for (size_t i = 0; i < text_length; i++)
        text2[i] = (char)(text[i] ^ 1);
    *text2_length = text_length;
    return INV_OK;
}

static const struct inv_sample_server server = {
    .nothing = nothing, .lists = lists, .handles = handles, .longest = longest};

static void request(struct inv_service *s, uint64_t badge, struct inv_parcel *parcel) {
    inv_sample_dispatch(&server, &badge, parcel);
}

static unsigned closed_badge;

static void packet(struct inv_service *s, const struct inv_message *m) {
    if (INV_TAG_LABEL(m->tag) == INV_PACKET_CLOSED)
        closed_badge = (unsigned)m->badge;
    s->stop = closed_badge == 5;
}

static void *serve(void *arg) {
    served = inv_serve(&service);
    return arg;
}

static void start(uint64_t badge) {
    service = (struct inv_service){.request = request, .packet = packet};
    CHECK_OK(inv_endpoint_create(job, 0, &service.endpoint));
    CHECK_OK(inv_connection_create(service.endpoint, job, badge, &connection));
    CHECK_OK(inv_reply_create(job, 1, &service.reply));
    CHECK(pthread_create(&thread, NULL, serve, NULL) == 0);
}

static void stop(void) {
    inv_handle_t last;
    CHECK_OK(inv_connection_create(service.endpoint, job, 9, &last));
    CHECK_OK(inv_sample_nothing(last, INV_DEADLINE_NEVER));
    pthread_join(thread, NULL);
    CHECK_STATUS(served, INV_OK);
    inv_handle_close(last);
    inv_handle_close(connection);
    inv_handle_close(service.reply);
    inv_handle_close(service.endpoint);
}

static void messages_travel(void) {
    static char text[4088], text2[4089];
    uint32_t numbers[7] = {1, 2, 3}, numbers2[7], version = 0;
    uint8_t pairs[8] = {0};
    size_t length, n, m;
    start(1);
    for (unsigned i = 0; i < 100; i++) {
        CHECK_OK(inv_sample_nothing(connection, INV_DEADLINE_NEVER));
        CHECK_OK(inv_sample_lists(connection, INV_DEADLINE_NEVER, "hello", i % 6, numbers, i % 8, pairs, 0, text2,
                                  &length, numbers2, &n, pairs, &m));
        CHECK(length == i % 6 && memcmp(text2, "hello", length) == 0 && n == i % 8 && (n == 0 || numbers2[0] == 2) &&
              m == 0);
    }
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 7);
    for (size_t size = 0; size <= 4088; size += size < 100 ? 1 : 499) {
        CHECK_OK(inv_sample_longest(connection, INV_DEADLINE_NEVER, text, size, text2, &length));
        bool same = length == size;
        for (size_t i = 0; same && i < size; i++)
            same = text2[i] == (char)(text[i] ^ 1);
        CHECK(same);
    }
    CHECK_STATUS(inv_sample_lists(connection, INV_DEADLINE_NEVER, "", 0, numbers, 0, pairs, 4, text2, &length, numbers2,
                                  &n, pairs, &m),
                 INV_ERR_NO_SPACE);
    CHECK_OK(inv_sample_describe(connection, INV_DEADLINE_NEVER, &version));
    CHECK(version == INV_SAMPLE_VERSION);
    stop();
}

static void handles_travel(void) {
    inv_handle_t vmo, plain, memory, more[1], plain2, memory2, more2[3];
    size_t count;
    uint64_t done;
    char buffer[6];
    start(1);
    CHECK_OK(inv_vmo_create(job, 4096, 0, &vmo));
    CHECK_OK(inv_handle_duplicate(job, INV_RIGHTS_SAME, &plain));
    memory = handle_without(vmo, INV_RIGHT_WRITE);
    CHECK_OK(inv_handle_duplicate(vmo, INV_RIGHTS_SAME, &more[0]));
    CHECK_OK(
        inv_sample_handles(connection, INV_DEADLINE_NEVER, plain, memory, more, 1, &plain2, &memory2, more2, &count));
    CHECK(count == 1 && (handle_rights(memory2) & INV_RIGHT_WRITE) == 0);
    CHECK_STATUS(inv_handle_close(memory), INV_ERR_BAD_HANDLE); // it was moved
    CHECK_OK(inv_vmo_read(vmo, 0, buffer, 6, &done));
    CHECK(memcmp(buffer, "served", 6) == 0);
    // the demands: a vmo, with READ and MAP
    inv_handle_t bare = handle_without(vmo, INV_RIGHT_MAP);
    CHECK_STATUS(
        inv_sample_handles(connection, INV_DEADLINE_NEVER, plain2, bare, NULL, 0, &plain, &memory, more2, &count),
        INV_ERR_ACCESS);
    CHECK_STATUS(inv_handle_close(bare), INV_ERR_BAD_HANDLE); // gone in any case
    CHECK_OK(inv_handle_duplicate(job, INV_RIGHTS_SAME, &plain));
    CHECK_OK(inv_handle_duplicate(job, INV_RIGHTS_SAME, &bare));
    CHECK_STATUS(
        inv_sample_handles(connection, INV_DEADLINE_NEVER, plain, bare, NULL, 0, &plain, &memory, more2, &count),
        INV_ERR_WRONG_TYPE);
    CHECK_OK(inv_handle_close(memory2));
    inv_handle_close(vmo);
    stop();
}

static void raw(uint32_t label, uint32_t length, inv_status_t expected) {
    struct inv_message m = {.tag = INV_TAG(label, length)};
    CHECK_OK(inv_call(connection, &m, NULL));
    CHECK_STATUS((inv_status_t)INV_TAG_LABEL(m.tag), expected);
    CHECK(INV_TAG_LENGTH(m.tag) == 0);
}

static void malformed_messages_are_answered(void) {
    start(1);
    raw(INV_SAMPLE_NOTHING, 0, INV_OK);
    raw(INV_SAMPLE_NOTHING, 8, INV_ERR_BAD_MESSAGE);
    raw(INV_SAMPLE_NOTHING, 3, INV_ERR_BAD_MESSAGE);
    raw(INV_SAMPLE_LISTS, 8, INV_ERR_BAD_MESSAGE);
    raw(INV_SAMPLE_SCALARS, 64, INV_ERR_NOT_SUPPORTED); // not in this server's table
    raw(INV_SAMPLE_READ, 0, INV_ERR_NOT_SUPPORTED);     // by a ring alone
    raw(0, 0, INV_ERR_NOT_SUPPORTED);
    raw(UINT32_MAX, 0, INV_ERR_NOT_SUPPORTED);
    CHECK(longest_count > 0);
    stop();
}

static void packets_reach_the_server(void) {
    inv_handle_t other;
    start(5);
    CHECK_OK(inv_connection_create(service.endpoint, job, 6, &other));
    CHECK_OK(inv_handle_close(other));
    CHECK_OK(inv_sample_nothing(connection, INV_DEADLINE_NEVER)); // it goes on after the packet
    CHECK_OK(inv_handle_close(connection));
    pthread_join(thread, NULL);
    CHECK_STATUS(served, INV_OK);
    CHECK(closed_badge == 5);
    inv_handle_close(service.reply);
    inv_handle_close(service.endpoint);
}

static void deadlines_and_ends_are_told(void) {
    inv_handle_t endpoint, nobody;
    uint64_t now;
    CHECK_OK(inv_endpoint_create(job, 0, &endpoint));
    CHECK_OK(inv_connection_create(endpoint, job, 3, &nobody));
    CHECK_OK(inv_clock_read(INV_CLOCK_MONOTONIC, &now));
    CHECK_STATUS(inv_sample_nothing(nobody, now + 20000000), INV_ERR_TIMED_OUT);
    CHECK_OK(inv_handle_close(endpoint));
    CHECK_STATUS(inv_sample_nothing(nobody, INV_DEADLINE_NEVER), INV_ERR_PEER_GONE);
    CHECK_OK(inv_handle_close(nobody));
    CHECK_STATUS(inv_sample_nothing(nobody, INV_DEADLINE_NEVER), INV_ERR_BAD_HANDLE);
    service = (struct inv_service){.endpoint = nobody};
    CHECK_STATUS(inv_serve(&service), INV_ERR_BAD_HANDLE);
}

int main(void) {
    test_begin();
    job = test_job;
    messages_travel();
    handles_travel();
    malformed_messages_are_answered();
    packets_reach_the_server();
    deadlines_and_ends_are_told();
    return test_end();
}
