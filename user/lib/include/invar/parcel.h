// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Messages of interfaces: what generated proxies and dispatchers are written with (docs/interface-language.md, "Messages"). A parcel is a message in memory; a
// writer appends to one, a reader takes it apart. Both remember the first thing that did not fit and do nothing harmful from then on, so that generated code
// asks once, at the end.
#ifndef INVAR_PARCEL_H
#define INVAR_PARCEL_H

#include <invar/base.h>
#include <invar/ipc.h>
#include <string.h>

#define INV_PARCEL_BYTES   ((uint32_t)INV_MESSAGE_MAX)
#define INV_PARCEL_HANDLES ((uint32_t)INV_MESSAGE_HANDLES)

struct inv_parcel {
    uint32_t label;  // of a request: interface << 16 | operation; of an answer: the status
    uint32_t length; // bytes of data, a multiple of 8
    uint32_t handle_count;
    uint32_t unused;
    inv_handle_t handles[INV_PARCEL_HANDLES];
    uint64_t data[INV_PARCEL_BYTES / 8];
};

// --- what carries them (libinvar, or a test) --------------------------------------------------------------------------

// Sends a request through a connection and waits for the answer, which takes its place, until deadline (ns on the monotonic clock, or INV_DEADLINE_NEVER). The handles
// in the request are gone in any case; those in the answer are the caller's. An error is one of the way; the server's own is the answer's label.
inv_status_t inv_parcel_call(inv_handle_t connection, uint64_t deadline, struct inv_parcel *parcel);
// Closes the handles of a parcel, which has none then.
void inv_parcel_close(struct inv_parcel *parcel);
// Whether a handle that arrived is what the interface demands: WRONG_TYPE (type 0: any), ACCESS.
inv_status_t inv_parcel_demand(inv_handle_t handle, uint32_t type, inv_rights_t rights);

// An answer that is nothing but a status; handles that are still in the parcel are closed.
static inline void inv_parcel_refuse(struct inv_parcel *parcel, inv_status_t status) {
    inv_parcel_close(parcel);
    parcel->label = (uint32_t)status;
    parcel->length = 0;
}

// --- writing -------------------------------------------------------------------------------------------------------------

struct inv_writer {
    struct inv_parcel *parcel;
    bool bad;
};

static inline void inv_put_begin(struct inv_writer *w, struct inv_parcel *parcel, uint32_t label) {
    w->parcel = parcel;
    w->bad = false;
    parcel->label = label;
    parcel->length = parcel->handle_count = parcel->unused = 0;
}

// Bytes, and zeros up to a multiple of 8.
static inline void inv_put_bytes(struct inv_writer *w, const void *from, size_t n) {
    size_t padded = (n + 7) & ~(size_t)7;
    if (w->bad || n > INV_PARCEL_BYTES || padded > INV_PARCEL_BYTES - w->parcel->length) {
        w->bad = true;
        return;
    }
    if (n == 0)
        return;
    char *to = (char *)w->parcel->data + w->parcel->length;
    memset(to + padded - 8, 0, 8);
    memcpy(to, from, n);
    w->parcel->length += (uint32_t)padded;
}

static inline void inv_put_word(struct inv_writer *w, uint64_t word) {
    inv_put_bytes(w, &word, sizeof(word));
}

// The number of elements that follow; 0 instead, if there are more than max.
static inline size_t inv_put_count(struct inv_writer *w, size_t count, size_t max) {
    w->bad |= count > max;
    inv_put_word(w, count);
    return w->bad ? 0 : count;
}

static inline void inv_put_handle(struct inv_writer *w, inv_handle_t handle) {
    if (w->parcel->handle_count < INV_PARCEL_HANDLES)
        w->parcel->handles[w->parcel->handle_count++] = handle;
    else
        w->bad = true;
}

// --- reading -------------------------------------------------------------------------------------------------------------

struct inv_reader {
    const struct inv_parcel *parcel;
    uint32_t at, handle; // the next byte, the next handle
    bool bad;
};

static inline void inv_get_begin(struct inv_reader *r, const struct inv_parcel *parcel) {
    *r = (struct inv_reader){.parcel = parcel};
    r->bad = parcel->length > INV_PARCEL_BYTES || parcel->length % 8 != 0 || parcel->handle_count > INV_PARCEL_HANDLES;
}

static inline void inv_get_check(struct inv_reader *r, bool good) {
    r->bad |= !good;
}

// Bytes, with the zeros that must stand behind them; zeros when they are not there.
static inline void inv_get_bytes(struct inv_reader *r, void *to, size_t n) {
    size_t padded = (n + 7) & ~(size_t)7;
    const char *from = (const char *)r->parcel->data + r->at;
    if (r->bad || n > INV_PARCEL_BYTES || padded > r->parcel->length - r->at) {
        r->bad = true;
        memset(to, 0, n);
        return;
    }
    for (size_t i = n; i < padded; i++)
        r->bad |= from[i] != 0;
    if (n > 0)
        memcpy(to, from, n);
    r->at += (uint32_t)padded;
}

static inline uint64_t inv_get_word(struct inv_reader *r) {
    uint64_t word = 0;
    inv_get_bytes(r, &word, sizeof(word));
    return word;
}

// A number of bits (8 to 64) without or with sign, that stands in a word of its own.
static inline uint64_t inv_get_unsigned(struct inv_reader *r, unsigned bits) {
    uint64_t word = inv_get_word(r);
    inv_get_check(r, bits == 64 || word >> bits == 0);
    return word;
}
static inline int64_t inv_get_signed(struct inv_reader *r, unsigned bits) {
    int64_t word = (int64_t)inv_get_word(r);
    inv_get_check(r, bits == 64 || (word >= -(INT64_C(1) << (bits - 1)) && word < INT64_C(1) << (bits - 1)));
    return word;
}

// The number of elements that follow; 0 when it is more than max.
static inline size_t inv_get_count(struct inv_reader *r, size_t max) {
    uint64_t count = inv_get_word(r);
    inv_get_check(r, count <= max);
    return r->bad ? 0 : (size_t)count;
}

static inline inv_handle_t inv_get_handle(struct inv_reader *r) {
    if (r->bad || r->handle >= r->parcel->handle_count) {
        r->bad = true;
        return INV_HANDLE_INVALID;
    }
    return r->parcel->handles[r->handle++];
}

// All was there and nothing else.
static inline bool inv_get_end(const struct inv_reader *r) {
    return !r->bad && r->at == r->parcel->length && r->handle == r->parcel->handle_count;
}

// The status in an answer. One that is an error carries nothing else.
static inline inv_status_t inv_parcel_status(const struct inv_parcel *parcel) {
    inv_status_t status = (inv_status_t)parcel->label;
    if (status > 0 || (status != INV_OK && (parcel->length != 0 || parcel->handle_count != 0)))
        return INV_ERR_BAD_MESSAGE;
    return status;
}

// --- operations, for tools ---------------------------------------------------------------------------------------------------

struct inv_operation {
    const char *name; // NULL: reserved
    uint32_t number;
    bool submit; // by a ring; else by a call
};

struct inv_interface {
    const char *name;
    uint32_t number, version, operation_count;
    const struct inv_operation *operations;
};

#define INV_OPERATION_DESCRIBE 0xffffu // of every interface: answers its version

#endif
