// host-test-sources: kernel/debug/log_ring.c
// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The ring of the log: order, wrapping, loss, limits.

#include "log_ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE  4096
#define SLOTS 64

void assert_failed(const char *expression, const char *file, int line) {
    printf("FAIL assertion %s, %s:%d\n", expression, file, line);
    exit(1);
}

#define CHECK(e)                                                      \
    do {                                                              \
        if (!(e)) {                                                   \
            printf("FAIL %s: %s, line %d\n", __func__, #e, __LINE__); \
            exit(1);                                                  \
        }                                                             \
    } while (0)

static char *bytes;
static uint32_t *starts;

static void setup(struct log_ring *r) {
    free(bytes);
    free(starts);
    bytes = calloc(1, SIZE);
    starts = calloc(SLOTS, sizeof(*starts));
    log_ring_init(r, bytes, SIZE, starts, SLOTS);
}

static void add(struct log_ring *r, unsigned number, size_t length) {
    struct log_record record = {
        .time = number, .level = (uint8_t)(number % 8), .cpu = number % 3, .length = (uint16_t)length};

    memset(record.text, 'a' + (int)(number % 26), length);
    log_ring_add(r, &record);
    CHECK(record.sequence == number);
}

static void check(const struct log_record *record, unsigned number, size_t length) {
    CHECK(record->sequence == number && record->time == number && record->level == number % 8 &&
          record->cpu == number % 3);
    CHECK(record->length == length && strlen(record->text) == length);
    for (size_t i = 0; i < length; i++)
        CHECK(record->text[i] == 'a' + (int)(number % 26));
}

static void records_come_back_in_order(void) {
    struct log_ring r;
    struct log_record out;
    uint64_t sequence = 0, lost;

    setup(&r);
    CHECK(log_ring_read(&r, &sequence, &out, &lost) == INV_ERR_NOT_FOUND);
    for (unsigned i = 0; i < 10; i++)
        add(&r, i, i * 7);
    for (unsigned i = 0; i < 10; i++) {
        CHECK(log_ring_read(&r, &sequence, &out, &lost) == INV_OK && lost == 0);
        check(&out, i, i * 7);
    }
    CHECK(log_ring_read(&r, &sequence, &out, &lost) == INV_ERR_NOT_FOUND && sequence == 10);
}

static void overwritten_records_are_counted_as_lost(void) {
    struct log_ring r;
    struct log_record out;
    uint64_t sequence = 3, lost;

    setup(&r);
    for (unsigned i = 0; i < 1000; i++)
        add(&r, i, i % 200);
    CHECK(log_ring_read(&r, &sequence, &out, &lost) == INV_OK);
    CHECK(lost == r.first - 3 && out.sequence == r.first && sequence == r.first + 1);
    check(&out, (unsigned)r.first, r.first % 200);
    while (log_ring_read(&r, &sequence, &out, &lost) == INV_OK) {
        CHECK(lost == 0);
        check(&out, (unsigned)out.sequence, out.sequence % 200);
    }
    CHECK(sequence == 1000);
}

static void many_short_records_are_limited_by_slots(void) {
    struct log_ring r;

    setup(&r);
    for (unsigned i = 0; i < 500; i++)
        add(&r, i, 0);
    CHECK(r.next - r.first == SLOTS && r.tail - r.head <= SIZE);
}

static void longest_records_fit(void) {
    struct log_ring r;
    struct log_record out;
    size_t longest = sizeof(out.text) - 1;

    setup(&r);
    for (unsigned i = 0; i < 50; i++) {
        uint64_t sequence = i, lost;

        add(&r, i, longest);
        CHECK(log_ring_read(&r, &sequence, &out, &lost) == INV_OK);
        check(&out, i, longest);
    }
}

// The oldest were overwritten before; numbers and contents stay, and the new ring goes on with the next number.
static void records_move_into_a_larger_ring(void) {
    static char large_bytes[4 * SIZE];
    static uint32_t large_starts[4 * SLOTS];
    struct log_ring r, large;
    struct log_record out;
    uint64_t sequence = 0, lost;

    setup(&r);
    for (unsigned i = 0; i < 200; i++)
        add(&r, i, i % 100);
    log_ring_init(&large, large_bytes, sizeof(large_bytes), large_starts, 4 * SLOTS);
    log_ring_move(&r, &large);
    CHECK(large.first == r.first && large.next == 200 && large.first > 0);
    for (unsigned i = 200; i < 240; i++)
        add(&large, i, i % 100);
    for (unsigned i = (unsigned)large.first; i < 240; i++) {
        CHECK(log_ring_read(&large, &sequence, &out, &lost) == INV_OK);
        check(&out, i, i % 100);
    }
    CHECK(log_ring_read(&large, &sequence, &out, &lost) == INV_ERR_NOT_FOUND);
}

int main(void) {
    records_come_back_in_order();
    overwritten_records_are_counted_as_lost();
    many_short_records_are_limited_by_slots();
    longest_records_fit();
    records_move_into_a_larger_ring();
    free(bytes);
    free(starts);
    printf("ok log_ring\n");
    return 0;
}
