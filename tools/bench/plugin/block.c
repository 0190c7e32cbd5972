// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The table of blocks and the map of ranges. Translation calls in, from several threads when the machine has several processors.
#include "block.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1 << 16 };

static struct block *buckets[BUCKETS];
static uint32_t blocks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct range {
    uint64_t start, end;
    enum range_kind kind;
} * ranges;
static size_t range_count;

// --- ranges -----------------------------------------------------------------------------------------------------------

static enum range_kind kind_of(const char *name) {
    static const char *const names[] = {[RANGE_NONE] = "",
                                        [RANGE_IDLE] = "idle",
                                        [RANGE_EXCEPTION] = "exception",
                                        [RANGE_INTERRUPT] = "interrupt",
                                        [RANGE_THREAD] = "thread",
                                        [RANGE_PROGRAM] = "program",
                                        [RANGE_CLOCK] = "clock"};

    for (size_t i = RANGE_IDLE; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum range_kind)i;
        }
    }
    return RANGE_NONE;
}

static int range_compare(const void *a, const void *b) {
    const struct range *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

static bool range_add(const char *text) {
    struct range r;
    char kind[16];

    if (sscanf(text, "%" SCNx64 " %" SCNx64 " %15s", &r.start, &r.end, kind) != 3) {
        return false;
    }
    r.kind = kind_of(kind);
    if (r.kind == RANGE_NONE || r.end <= r.start) {
        return false;
    }
    struct range *more = realloc(ranges, (range_count + 1) * sizeof(*ranges));
    if (more == NULL) {
        return false;
    }
    ranges = more;
    ranges[range_count++] = r;
    return true;
}

bool ranges_read(const char *path) {
    char text[128];
    FILE *file = fopen(path, "r");

    if (file == NULL) {
        fprintf(stderr, "bench plugin: %s: %s\n", path, strerror(errno));
        return false;
    }
    while (fgets(text, sizeof(text), file) != NULL) {
        if (!range_add(text)) {
            fprintf(stderr, "bench plugin: %s: not START END KIND: %s", path, text);
            fclose(file);
            return false;
        }
    }
    fclose(file);
    qsort(ranges, range_count, sizeof(*ranges), range_compare);
    return true;
}

enum range_kind range_find(uint64_t address) {
    size_t low = 0, high = range_count; // the last range that starts at or below lies in [low - 1, high)

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ranges[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && address < ranges[low - 1].end ? ranges[low - 1].kind : RANGE_NONE;
}

// --- blocks -----------------------------------------------------------------------------------------------------------

void block_lock(void) {
    pthread_mutex_lock(&lock);
}

void block_unlock(void) {
    pthread_mutex_unlock(&lock);
}

struct block *block_get(uint64_t start, uint32_t n, uint64_t hash, bool *out_new) {
    struct block **bucket = &buckets[(start ^ start >> 16 ^ hash) % BUCKETS];

    for (struct block *b = *bucket; b != NULL; b = b->next) {
        if (b->start == start && b->seen == n && b->hash == hash) {
            *out_new = false;
            return b;
        }
    }
    struct block *b = calloc(1, sizeof(*b) + n * sizeof(b->offset[0]));
    if (b == NULL) {
        return NULL;
    }
    b->start = start;
    b->n = b->seen = n;
    b->hash = hash;
    b->index = blocks++;
    b->kernel = (int64_t)start < 0;
    b->kind = range_find(start);
    b->next = *bucket;
    *bucket = b;
    *out_new = true;
    return b;
}

void block_cut(const struct block *b) {
    struct block *writable = (struct block *)b; // of the table, where none is constant

    writable->cut = false;
    writable->n--;
    writable->end = b->start + b->offset[b->n];
}

int block_find(const struct block *b, uint64_t address) {
    if (address < b->start || address >= b->end) {
        return -1;
    }
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->start + b->offset[i] == address) {
            return (int)i;
        }
    }
    return -1;
}
