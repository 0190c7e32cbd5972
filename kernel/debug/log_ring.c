// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// See log_ring.h. A record is a header and its text, padded to 8 bytes; it may wrap at the end of the ring, so that no byte is wasted and each copy is
// made of at most two pieces.
//
// Invariants:
// I1  tail - head <= size, and next - first <= slots: whatever would exceed one of them first drops the oldest record.
// I2  The records first to next - 1 are whole: record n lies at starts[n % slots], and ends where record n + 1 begins.

#include "log_ring.h"

#include <kernel/assert.h>
#include <kernel/string.h>

struct ring_header {
    nstime_t time;
    uint32_t cpu;
    uint16_t length;
    uint8_t level;
    uint8_t reserved;
};
STATIC_ASSERT(sizeof(struct ring_header) % 8 == 0, "records stay aligned to 8 bytes");

static uint32_t record_span(uint32_t length) {
    return ALIGN_UP((uint32_t)sizeof(struct ring_header) + length, 8u);
}

static void ring_copy_in(struct log_ring *r, uint64_t at, const void *from, uint32_t n) {
    uint32_t offset = (uint32_t)at & (r->size - 1);
    uint32_t piece = MIN(n, r->size - offset);

    memcpy(r->bytes + offset, from, piece);
    memcpy(r->bytes, (const char *)from + piece, n - piece);
}

static void ring_copy_out(const struct log_ring *r, uint64_t at, void *to, uint32_t n) {
    uint32_t offset = (uint32_t)at & (r->size - 1);
    uint32_t piece = MIN(n, r->size - offset);

    memcpy(to, r->bytes + offset, piece);
    memcpy((char *)to + piece, r->bytes, n - piece);
}

static void ring_drop_oldest(struct log_ring *r) {
    struct ring_header header;

    ring_copy_out(r, r->head, &header, sizeof(header));
    r->head += record_span(header.length);
    r->first++;
}

void log_ring_init(struct log_ring *r, char *bytes, uint32_t size, uint32_t *starts, uint32_t slots) {
    *r = (struct log_ring){.bytes = bytes, .starts = starts, .size = size, .slots = slots};
}

void log_ring_add(struct log_ring *r, struct log_record *record) {
    struct ring_header header = {
        .time = record->time, .cpu = record->cpu, .length = record->length, .level = record->level};
    uint32_t span = record_span(record->length);

    while (r->tail - r->head + span > r->size || r->next - r->first >= r->slots)
        ring_drop_oldest(r);
    record->sequence = r->next;
    r->starts[r->next & (r->slots - 1)] = (uint32_t)r->tail & (r->size - 1);
    ring_copy_in(r, r->tail, &header, sizeof(header));
    ring_copy_in(r, r->tail + sizeof(header), record->text, record->length);
    r->tail += span;
    r->next++;
}

void log_ring_move(const struct log_ring *from, struct log_ring *to) {
    static struct log_record record; // large for a stack; one caller, once
    uint64_t sequence = from->first, lost;

    to->first = to->next = from->first;
    while (log_ring_read(from, &sequence, &record, &lost) == INV_OK)
        log_ring_add(to, &record);
}

inv_status_t log_ring_read(const struct log_ring *r, uint64_t *sequence, struct log_record *out, uint64_t *out_lost) {
    uint64_t wanted = MAX(*sequence, r->first);
    struct ring_header header;

    if (wanted >= r->next)
        return INV_ERR_NOT_FOUND;
    *out_lost = wanted - *sequence;
    uint32_t at = r->starts[wanted & (r->slots - 1)];
    ring_copy_out(r, at, &header, sizeof(header));
    uint16_t length = MIN(header.length, (uint16_t)(sizeof(out->text) - 1));
    out->sequence = wanted;
    out->time = header.time;
    out->level = header.level;
    out->cpu = header.cpu;
    out->length = length;
    ring_copy_out(r, at + sizeof(header), out->text, length);
    out->text[length] = '\0';
    *sequence = wanted + 1;
    return INV_OK;
}
