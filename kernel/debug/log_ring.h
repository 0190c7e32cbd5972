// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The memory of the log: records of variable length in a ring of bytes, found by their sequence number in constant time. Pure data structure without
// a lock: log.c serialises the calls; host tests use it as it is.
#ifndef DEBUG_LOG_RING_H
#define DEBUG_LOG_RING_H

#include <kernel/log.h>

struct log_ring {
    char *bytes;          // size bytes, given by the owner
    uint32_t *starts;     // slots offsets: record n begins at starts[n % slots] % size
    uint32_t size, slots; // powers of two; size at least 4 * sizeof(struct log_record)
    uint64_t head, tail;  // byte offsets of the oldest record and of the next one; never wrap (64 bits)
    uint64_t first, next; // sequence numbers of the oldest record and of the next one
};

void log_ring_init(struct log_ring *r, char *bytes, uint32_t size, uint32_t *starts, uint32_t slots);
// Copies all records, with their numbers, into to, which was just initialised; the oldest are lost if they do not fit.
void log_ring_move(const struct log_ring *from, struct log_ring *to);
// Appends a record, overwriting the oldest ones as needed. record->sequence is set; text beyond record->length is not looked at.
void log_ring_add(struct log_ring *r, struct log_record *record);
// Reads the record with *sequence, or the oldest newer one, whose text is NUL-terminated in out; *sequence becomes the number after it. *out_lost is
// the number of records between the one asked for and the one found. NOT_FOUND: there is none yet.
must_check inv_status_t log_ring_read(const struct log_ring *r, uint64_t *sequence, struct log_record *out,
                                      uint64_t *out_lost);

#endif
