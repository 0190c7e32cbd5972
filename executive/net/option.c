// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Options of level SOL_SOCKET: getsockopt and setsockopt, as Linux checks and rounds them. Called by the personality, thread context. What has no meaning
// for a family is remembered and told, as there.

#include <arch/usercopy.h>
#include <kernel/string.h>

#include "net.h"

enum option {
    SO_DEBUG = 1,
    SO_REUSEADDR,
    SO_TYPE,
    SO_ERROR,
    SO_DONTROUTE,
    SO_BROADCAST,
    SO_SNDBUF,
    SO_RCVBUF,
    SO_KEEPALIVE,
    SO_OOBINLINE,
    SO_NO_CHECK,
    SO_PRIORITY,
    SO_LINGER,
    SO_BSDCOMPAT,
    SO_REUSEPORT,
    SO_PASSCRED,
    SO_PEERCRED,
    SO_RCVLOWAT,
    SO_SNDLOWAT,
    SO_RCVTIMEO_OLD,
    SO_SNDTIMEO_OLD,
    SO_DETACH_FILTER = 27,
    SO_PEERNAME = 28,
    SO_ACCEPTCONN = 30,
    SO_PEERSEC,
    SO_SNDBUFFORCE,
    SO_RCVBUFFORCE,
    SO_PASSSEC,
    SO_MARK = 36,
    SO_PROTOCOL = 38,
    SO_DOMAIN,
    SO_RXQ_OVFL,
    SO_WIFI_STATUS,
    SO_PEEK_OFF,
    SO_NOFCS,
    SO_LOCK_FILTER,
    SO_SELECT_ERR_QUEUE,
    SO_MEMINFO = 55,
    SO_COOKIE = 57,
    SO_PEERGROUPS = 59,
    SO_RCVTIMEO_NEW = 66,
    SO_SNDTIMEO_NEW,
    SO_BUF_LOCK = 72,
};

#define CAP_NET_RAW_    13
#define SIZE_HALF_MAX   (INT32_MAX / 2)
#define TICK            (4 * NSEC_PER_MSEC) // Debian's kernels count these times in ticks of 250 Hz
#define PRIORITY_FREE   6
#define BUFFER_LOCKS    3u
#define NO_FILTER_ERRNO INV_ERR_NOT_FOUND

// Options that are a bit and nothing more; need: setting it takes CAP_NET_ADMIN.
static const struct {
    uint8_t name;
    bool fixed; // may only be told
    uint32_t bit;
} switches[] = {
    {SO_DEBUG, false, SOCKET_DEBUG},
    {SO_REUSEADDR, false, SOCKET_REUSE_ADDRESS},
    {SO_REUSEPORT, false, SOCKET_REUSE_PORT},
    {SO_DONTROUTE, false, SOCKET_DONT_ROUTE},
    {SO_BROADCAST, false, SOCKET_BROADCAST},
    {SO_KEEPALIVE, false, SOCKET_KEEP_ALIVE},
    {SO_OOBINLINE, false, SOCKET_URGENT_INLINE},
    {SO_NO_CHECK, false, SOCKET_NO_CHECK},
    {SO_PASSCRED, false, SOCKET_PASS_CREDENTIALS},
    {SO_PASSSEC, false, SOCKET_PASS_SECURITY},
    {SO_RXQ_OVFL, false, SOCKET_DROP_COUNT},
    {SO_WIFI_STATUS, false, SOCKET_WIFI_STATUS},
    {SO_NOFCS, false, SOCKET_NO_FCS},
    {SO_SELECT_ERR_QUEUE, false, SOCKET_SELECT_ERRORS},
    {SO_LOCK_FILTER, false, SOCKET_FILTER_LOCKED},
};

static uint32_t switch_bit(int name) {
    for (unsigned i = 0; i < ARRAY_SIZE(switches); i++)
        if (switches[i].name == name)
            return switches[i].bit;
    return 0;
}

static void bit_set(struct socket *s, uint32_t bit, bool on) {
    if (on)
        atomic_fetch_or(&s->bits, bit);
    else
        atomic_fetch_and(&s->bits, ~bit);
}

// --- setting ----------------------------------------------------------------------------------------------------------

static void send_size_set(struct socket *s, int32_t value) {
    s->send_size = MAX(value * 2, (int32_t)NET_SEND_LEAST);
    bit_set(s, SOCKET_LOCKED_SEND, true);
    if (s->ops->room_changed != NULL)
        s->ops->room_changed(s);
}

static void receive_size_set(struct socket *s, int32_t value) {
    s->receive_size = MAX(value * 2, (int32_t)NET_RECEIVE_LEAST);
    bit_set(s, SOCKET_LOCKED_RECEIVE, true);
}

// A size as setsockopt takes it: unsigned where a limit is known, so that a negative one is that limit.
static int32_t size_limited(int32_t value, uint32_t most) {
    return (int32_t)MIN(MIN((uint32_t)value, most), (uint32_t)SIZE_HALF_MAX);
}

static int32_t size_forced(int32_t value) {
    return MIN(MAX(value, 0), SIZE_HALF_MAX);
}

static inv_status_t priority_set(struct socket *s, int32_t value, const struct token *who) {
    if ((value < 0 || value > PRIORITY_FREE) && !token_capable(who, CAP_NET_ADMIN) && !token_capable(who, CAP_NET_RAW_))
        return INV_ERR_NOT_PERMITTED;
    s->priority = value;
    return INV_OK;
}

static inv_status_t linger_set(struct socket *s, uint64_t address, int length) {
    int32_t linger[2];
    if ((size_t)length < sizeof(linger))
        return INV_ERR_INVALID;
    if (arch_copy_from_user(linger, (const void user_ptr *)(uintptr_t)address, sizeof(linger)) != INV_OK)
        return INV_ERR_FAULT;
    bit_set(s, SOCKET_LINGER, linger[0] != 0);
    if (linger[0] != 0)
        s->linger = linger[1];
    return INV_OK;
}

static inv_status_t time_set(_Atomic nstime_t *to, uint64_t address, int length) {
    int64_t tv[2];
    if ((size_t)length < sizeof(tv))
        return INV_ERR_INVALID;
    if (arch_copy_from_user(tv, (const void user_ptr *)(uintptr_t)address, sizeof(tv)) != INV_OK)
        return INV_ERR_FAULT;
    if (tv[1] < 0 || tv[1] >= 1000000)
        return INV_ERR_DOMAIN;
    if (tv[0] < 0) {
        *to = 1; // no time at all
        return INV_OK;
    }
    if (tv[0] >= (int64_t)(INT64_MAX / NSEC_PER_SEC)) {
        *to = 0;
        return INV_OK;
    }
    *to = (uint64_t)tv[0] * NSEC_PER_SEC + ((uint64_t)tv[1] * NSEC_PER_USEC + TICK - 1) / TICK * TICK;
    return INV_OK;
}

static inv_status_t number_set(struct socket *s, int name, int32_t value, const struct token *who) {
    bool admin = token_capable(who, CAP_NET_ADMIN);
    switch (name) {
    case SO_TYPE:
    case SO_PROTOCOL:
    case SO_DOMAIN:
    case SO_ERROR: return INV_ERR_NO_OPTION;
    case SO_SNDBUF: send_size_set(s, size_limited(value, socket_limits.send_max)); return INV_OK;
    case SO_RCVBUF: receive_size_set(s, size_limited(value, socket_limits.receive_max)); return INV_OK;
    case SO_SNDBUFFORCE:
    case SO_RCVBUFFORCE:
        if (!admin)
            return INV_ERR_NOT_PERMITTED;
        (name == SO_SNDBUFFORCE ? send_size_set : receive_size_set)(s, size_forced(value));
        return INV_OK;
    case SO_PRIORITY: return priority_set(s, value, who);
    case SO_BSDCOMPAT: return INV_OK;
    case SO_RCVLOWAT: s->receive_least = value < 0 ? INT32_MAX : MAX(value, 1); return INV_OK;
    case SO_MARK:
        if (!admin && !token_capable(who, CAP_NET_RAW_))
            return INV_ERR_NOT_PERMITTED;
        s->mark = (uint32_t)value;
        return INV_OK;
    case SO_DETACH_FILTER: return socket_has(s, SOCKET_FILTER_LOCKED) ? INV_ERR_NOT_PERMITTED : NO_FILTER_ERRNO;
    case SO_PEEK_OFF: return s->ops->peek_offset != NULL ? s->ops->peek_offset(s, value) : INV_ERR_OP_NOT_SUPPORTED;
    case SO_BUF_LOCK:
        if (((uint32_t)value & ~BUFFER_LOCKS) != 0)
            return INV_ERR_INVALID;
        bit_set(s, SOCKET_LOCKED_SEND, (value & 1) != 0);
        bit_set(s, SOCKET_LOCKED_RECEIVE, (value & 2) != 0);
        return INV_OK;
    default: break;
    }
    uint32_t bit = switch_bit(name);
    if (bit == 0)
        return INV_ERR_NO_OPTION;
    if (bit == SOCKET_REUSE_PORT && value != 0 && s->family == SOCKET_FAMILY_UNIX)
        return INV_ERR_OP_NOT_SUPPORTED;
    if (bit == SOCKET_DEBUG && value != 0 && !admin)
        return INV_ERR_ACCESS;
    if (bit == SOCKET_FILTER_LOCKED && socket_has(s, bit) && value == 0)
        return INV_ERR_NOT_PERMITTED;
    bit_set(s, bit, value != 0);
    return INV_OK;
}

inv_status_t socket_option_set(struct socket *s, int name, uint64_t address, int length, struct token *who) {
    uint32_t value;
    if ((size_t)length < sizeof(value))
        return INV_ERR_INVALID;
    if (arch_user_load32((const uint32_t user_ptr *)(uintptr_t)address, &value) != INV_OK)
        return INV_ERR_FAULT;
    switch (name) {
    case SO_LINGER: return linger_set(s, address, length);
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW: return time_set(&s->receive_time, address, length);
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW: return time_set(&s->send_time, address, length);
    default: return number_set(s, name, (int32_t)value, who);
    }
}

// --- telling ----------------------------------------------------------------------------------------------------------

struct answer {
    uint64_t address, length_address;
    int32_t room;
};

static inv_status_t length_put(const struct answer *a, uint32_t length) {
    return arch_user_store32((uint32_t user_ptr *)(uintptr_t)a->length_address, length);
}

// As much of it as there is room for.
static inv_status_t answer_put(const struct answer *a, const void *value, size_t size) {
    size_t n = MIN((size_t)a->room, size);
    if (arch_copy_to_user((void user_ptr *)(uintptr_t)a->address, value, n) != INV_OK)
        return INV_ERR_FAULT;
    return length_put(a, (uint32_t)n);
}

static inv_status_t peer_credentials(struct socket *s, const struct answer *a) {
    struct socket_credentials c = {.pid = 0, .uid = UINT32_MAX, .gid = UINT32_MAX};
    struct token *token = socket_peer_get(s, &c.pid);
    if (token != NULL) {
        c.uid = token->euid;
        c.gid = token->egid;
        object_put(&token->obj);
    }
    return answer_put(a, &c, sizeof(c));
}

static inv_status_t peer_groups(struct socket *s, const struct answer *a) {
    uint32_t pid;
    struct token *token = socket_peer_get(s, &pid);
    if (token == NULL)
        return INV_ERR_NO_DATA;
    size_t size = token_group_count(token) * sizeof(uint32_t);
    inv_status_t status;
    if ((size_t)a->room < size) {
        status = length_put(a, (uint32_t)size);
        if (status == INV_OK)
            status = INV_ERR_RANGE;
    } else {
        status = answer_put(a, token->groups != NULL ? token->groups->ids : NULL, size);
    }
    object_put(&token->obj);
    return status;
}

static inv_status_t peer_name(struct socket *s, const struct answer *a) {
    uint8_t name[SOCKET_NAME_MAX];
    unsigned length;
    memset(name, 0, sizeof(name));
    if (s->ops->name(s, true, name, &length) != INV_OK)
        return INV_ERR_NOT_CONNECTED;
    if (length < (unsigned)a->room)
        return INV_ERR_INVALID;
    return answer_put(a, name, (size_t)a->room);
}

static inv_status_t time_get(nstime_t t, const struct answer *a) {
    int64_t tv[2] = {(int64_t)(t / NSEC_PER_SEC), (int64_t)(t % NSEC_PER_SEC / NSEC_PER_USEC)};
    return answer_put(a, tv, sizeof(tv));
}

static inv_status_t linger_get(struct socket *s, const struct answer *a) {
    int32_t linger[2] = {socket_has(s, SOCKET_LINGER), s->linger};
    return answer_put(a, linger, sizeof(linger));
}

static inv_status_t memory_get(struct socket *s, const struct answer *a) {
    uint32_t words[9] = {0, (uint32_t)s->receive_size, s->ops->queued_out(s), (uint32_t)s->send_size};
    return answer_put(a, words, sizeof(words));
}

static inv_status_t cookie_get(struct socket *s, const struct answer *a) {
    uint64_t cookie = s->ino;
    return (size_t)a->room < sizeof(cookie) ? INV_ERR_INVALID : answer_put(a, &cookie, sizeof(cookie));
}

static int32_t error_number(struct socket *s) {
    // The statuses that a socket may have pending, as the numbers that programs know.
    switch (socket_take_error(s)) {
    case INV_OK: return 0;
    case INV_ERR_CONNECTION_RESET: return 104;
    case INV_ERR_PIPE: return 32;
    default: return 5;
    }
}

static inv_status_t number_get(struct socket *s, int name, int32_t *out) {
    switch (name) {
    case SO_TYPE: *out = s->type; return INV_OK;
    case SO_DOMAIN: *out = s->family; return INV_OK;
    case SO_PROTOCOL: *out = s->protocol; return INV_OK;
    case SO_ERROR: *out = error_number(s); return INV_OK;
    case SO_SNDBUF: *out = s->send_size; return INV_OK;
    case SO_RCVBUF: *out = s->receive_size; return INV_OK;
    case SO_PRIORITY: *out = s->priority; return INV_OK;
    case SO_BSDCOMPAT: *out = 0; return INV_OK;
    case SO_RCVLOWAT: *out = s->receive_least; return INV_OK;
    case SO_SNDLOWAT: *out = 1; return INV_OK;
    case SO_ACCEPTCONN: *out = s->ops->listening(s); return INV_OK;
    case SO_MARK: *out = (int32_t)s->mark; return INV_OK;
    case SO_PEEK_OFF: *out = s->peek_at; return s->ops->peek_offset != NULL ? INV_OK : INV_ERR_OP_NOT_SUPPORTED;
    case SO_BUF_LOCK:
        *out = (socket_has(s, SOCKET_LOCKED_SEND) ? 1 : 0) | (socket_has(s, SOCKET_LOCKED_RECEIVE) ? 2 : 0);
        return INV_OK;
    default: break;
    }
    uint32_t bit = switch_bit(name);
    *out = socket_has(s, bit);
    return bit != 0 ? INV_OK : INV_ERR_NO_OPTION;
}

inv_status_t socket_option_get(struct socket *s, int name, uint64_t address, uint64_t length_address) {
    struct answer a = {.address = address, .length_address = length_address};
    uint32_t room;
    int32_t value;
    if (arch_user_load32((const uint32_t user_ptr *)(uintptr_t)length_address, &room) != INV_OK)
        return INV_ERR_FAULT;
    a.room = (int32_t)room;
    if (a.room < 0)
        return INV_ERR_INVALID;
    switch (name) {
    case SO_LINGER: return linger_get(s, &a);
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW: return time_get(s->receive_time, &a);
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW: return time_get(s->send_time, &a);
    case SO_PEERCRED: return peer_credentials(s, &a);
    case SO_PEERGROUPS: return peer_groups(s, &a);
    case SO_PEERNAME: return peer_name(s, &a);
    case SO_MEMINFO: return memory_get(s, &a);
    case SO_COOKIE: return cookie_get(s, &a);
    default: break;
    }
    inv_status_t status = number_get(s, name, &value);
    return status == INV_OK ? answer_put(&a, &value, sizeof(value)) : status;
}
