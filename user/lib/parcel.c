// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Parcels over the message calls: what generated proxies (invar/parcel.h) and servers (invar/serve.h) stand on. A message of at most 64 bytes goes in registers,
// a longer one in the memory of the parcel itself, into which the answer comes as well.
#include <invar/calls.h>
#include <invar/parcel.h>
#include <invar/serve.h>

#define LENGTH_BAD UINT32_MAX // of a parcel that no reader accepts

void inv_parcel_close(struct inv_parcel *parcel) {
    for (uint32_t i = 0; i < parcel->handle_count && i < INV_PARCEL_HANDLES; i++)
        (void)inv_handle_close(parcel->handles[i]);
    parcel->handle_count = 0;
}

inv_status_t inv_parcel_demand(inv_handle_t handle, uint32_t type, inv_rights_t rights) {
    uint32_t is_type, has_rights;
    uint64_t identity;
    inv_status_t status = inv_handle_info(handle, &is_type, &has_rights, &identity);
    if (status == INV_OK && type != 0 && is_type != type)
        status = INV_ERR_WRONG_TYPE;
    if (status == INV_OK && (rights & ~has_rights) != 0)
        status = INV_ERR_ACCESS;
    return status;
}

// --- a parcel and its registers -------------------------------------------------------------------------------------------

// The room for what arrives is the parcel's own memory, from which what is sent has been read by then.
static void block_init(struct inv_call_block *b, struct inv_parcel *parcel, uint64_t deadline) {
    b->deadline = deadline;
    b->message = b->buffer = (uintptr_t)parcel->data;
    b->buffer_size = INV_PARCEL_BYTES;
    b->reserved = 0;
}

static void parcel_load(struct inv_message *m, struct inv_call_block *b, const struct inv_parcel *parcel) {
    m->tag = INV_TAG_WITH(INV_TAG(parcel->label, parcel->length), parcel->handle_count, 0);
    if (parcel->length <= INV_MESSAGE_WORDS_BYTES)
        memcpy(m->words, parcel->data, sizeof(m->words));
    memcpy(b->handles, parcel->handles, sizeof(b->handles));
}

static void parcel_store(struct inv_parcel *parcel, const struct inv_message *m, const struct inv_call_block *b) {
    parcel->label = INV_TAG_LABEL(m->tag);
    parcel->length = INV_TAG_LENGTH(m->tag);
    parcel->handle_count = INV_TAG_HANDLES(m->tag);
    if (parcel->length <= INV_MESSAGE_WORDS_BYTES)
        memcpy(parcel->data, m->words, sizeof(m->words));
    if (parcel->handle_count > 0)
        memcpy(parcel->handles, b->received, sizeof(parcel->handles));
    if (m->tag & (INV_TAG_TRUNCATED | INV_TAG_LOST))
        parcel->length = LENGTH_BAD;
}

inv_status_t inv_parcel_call(inv_handle_t connection, uint64_t deadline, struct inv_parcel *parcel) {
    struct inv_message m = {0};
    struct inv_call_block b;
    block_init(&b, parcel, deadline);
    parcel_load(&m, &b, parcel);
    if (deadline != INV_DEADLINE_NEVER)
        m.tag |= INV_TAG_DEADLINE;
    inv_status_t status = inv_call(connection, &m, &b);
    if (status == INV_OK)
        parcel_store(parcel, &m, &b);
    else
        inv_parcel_close(parcel); // those that have gone are not open any more
    return status;
}

// --- serving ---------------------------------------------------------------------------------------------------------------

// What cannot be sent becomes an answer that says so.
static void answer(struct inv_service *s, struct inv_parcel *parcel) {
    struct inv_message m = {0};
    struct inv_call_block b;
    block_init(&b, parcel, 0);
    parcel_load(&m, &b, parcel);
    inv_status_t status = inv_reply(s->reply, &m, &b);
    if (status == INV_OK)
        return;
    inv_parcel_refuse(parcel, status);
    if (status != INV_ERR_CANCELLED && status != INV_ERR_BAD_STATE) {
        m.tag = INV_TAG(parcel->label, 0);
        (void)inv_reply(s->reply, &m, NULL);
    }
}

// An answer in words alone, which can only fail because the caller has left, goes with the next receive.
static inv_status_t answer_and_receive(struct inv_service *s, struct inv_parcel *parcel, struct inv_message *m,
                                       struct inv_call_block *b) {
    if (parcel->length <= INV_MESSAGE_WORDS_BYTES && parcel->handle_count == 0) {
        parcel_load(m, b, parcel);
        return inv_reply_receive(s->endpoint, s->reply, m, b);
    }
    answer(s, parcel);
    m->tag = 0;
    return inv_receive(s->endpoint, s->reply, m, b);
}

inv_status_t inv_serve(struct inv_service *s) {
    struct inv_parcel parcel;
    struct inv_message m = {0};
    struct inv_call_block b;
    block_init(&b, &parcel, 0);
    inv_status_t status = inv_receive(s->endpoint, s->reply, &m, &b);
    while (status == INV_OK) {
        bool packet = (m.tag & INV_TAG_PACKET) != 0;
        if (!packet) {
            parcel_store(&parcel, &m, &b);
            s->request(s, m.badge, &parcel);
        } else if (s->packet != NULL) {
            s->packet(s, &m);
        }
        if (s->stop) {
            if (!packet)
                answer(s, &parcel);
            return INV_OK;
        }
        if (packet) {
            m.tag = 0;
            status = inv_receive(s->endpoint, s->reply, &m, &b);
        } else {
            status = answer_and_receive(s, &parcel, &m, &b);
        }
    }
    return status;
}
