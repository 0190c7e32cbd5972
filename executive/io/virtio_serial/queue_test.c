// host-test-sources: executive/io/virtio_serial/queue.c
// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The split queue against a device that the test plays, honest and hostile.

#include "virtio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 8

#define CHECK(e)                                                      \
    do {                                                              \
        if (!(e)) {                                                   \
            printf("FAIL %s: %s, line %d\n", __func__, #e, __LINE__); \
            exit(1);                                                  \
        }                                                             \
    } while (0)

static struct virtq q;
static void *memory;

void assert_failed(const char *expression, const char *file, int line) {
    printf("FAIL assertion %s, %s:%d\n", expression, file, line);
    exit(1);
}

static void setup(void) {
    free(memory);
    memory = aligned_alloc(VIRTQ_BYTES, VIRTQ_BYTES);
    memset(memory, 0, VIRTQ_BYTES);
    virtq_init(&q, 0, SIZE, memory, 0x10000);
}

static void device_uses(uint32_t id, uint32_t length) {
    uint16_t index = q.used->index;

    q.used->ring[index % SIZE].id = id;
    q.used->ring[index % SIZE].length = length;
    q.used->index = (uint16_t)(index + 1);
}

static void buffers_come_back_with_their_lengths(void) {
    unsigned id;
    uint32_t length;

    setup();
    for (unsigned round = 0; round < 100000; round++) {
        unsigned sent = round % SIZE;

        CHECK(virtq_post(&q, sent, 0x2000 + sent, 100, true));
        CHECK(q.available->ring[(uint16_t)(q.available->index - 1) % SIZE] == sent);
        CHECK(!virtq_pending(&q) && virtq_take(&q, &id, &length) == VIRTQ_NOTHING);
        device_uses(sent, round % 101);
        CHECK(virtq_pending(&q) && virtq_take(&q, &id, &length) == VIRTQ_TAKEN && id == sent && length == round % 101);
    }
}

static void device_may_finish_in_any_order(void) {
    unsigned id;
    uint32_t length;

    setup();
    for (unsigned i = 0; i < SIZE; i++)
        CHECK(virtq_post(&q, i, 0x2000, 10, false));
    for (unsigned i = SIZE; i-- > 0;)
        device_uses(i, 0);
    for (unsigned i = SIZE; i-- > 0;)
        CHECK(virtq_take(&q, &id, &length) == VIRTQ_TAKEN && id == i && length == 0);
}

static void expect_broken(void) {
    unsigned id;
    uint32_t length;

    CHECK(virtq_take(&q, &id, &length) == VIRTQ_BROKEN);
    CHECK(virtq_take(&q, &id, &length) == VIRTQ_BROKEN);
}

static void impossible_reports_break_the_queue(void) {
    unsigned id;
    uint32_t length;

    setup(); // an index that is none
    CHECK(virtq_post(&q, 0, 0x2000, 10, true));
    device_uses(SIZE, 0);
    expect_broken();
    setup(); // an index far beyond any memory
    device_uses(UINT32_MAX, 0);
    expect_broken();
    setup(); // a buffer that it does not have
    CHECK(virtq_post(&q, 0, 0x2000, 10, true));
    device_uses(1, 0);
    expect_broken();
    setup(); // the same buffer twice
    CHECK(virtq_post(&q, 0, 0x2000, 10, true));
    device_uses(0, 1);
    device_uses(0, 1);
    CHECK(virtq_take(&q, &id, &length) == VIRTQ_TAKEN);
    expect_broken();
    setup(); // more bytes than the buffer has
    CHECK(virtq_post(&q, 0, 0x2000, 10, true));
    device_uses(0, 11);
    expect_broken();
    setup(); // more elements than there can be
    CHECK(virtq_post(&q, 0, 0x2000, 10, true));
    q.used->index = SIZE + 1;
    expect_broken();
}

static void device_says_whether_to_notify(void) {
    setup();
    CHECK(virtq_post(&q, 0, 0x2000, 10, true));
    q.used->flags = 1;
    CHECK(!virtq_post(&q, 1, 0x2000, 10, true));
    virtq_want_interrupts(&q, false);
    CHECK(q.available->flags == 1);
    virtq_want_interrupts(&q, true);
    CHECK(q.available->flags == 0);
}

int main(void) {
    buffers_come_back_with_their_lengths();
    device_may_finish_in_any_order();
    impossible_reports_break_the_queue();
    device_says_whether_to_notify();
    free(memory);
    printf("ok virtio_queue\n");
    return 0;
}
