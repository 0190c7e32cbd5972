// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The native calls that make and change endpoints, connections and replies (abi/idl/core.idl). Thread context; objects are counted by the caller, results
// for him.
#include "ipc_internal.h"

#include <kernel/native_calls.h>

#define GRACE_MAX (10 * NSEC_PER_SEC)

inv_status_t sys_endpoint_create(struct job *job, uint64_t grace, struct endpoint **out_endpoint) {
    if (grace > GRACE_MAX)
        return INV_ERR_RANGE;
    return endpoint_create(job, grace, out_endpoint);
}

inv_status_t sys_connection_create(struct endpoint *endpoint, struct job *job, uint64_t badge,
                                   struct connection **out_connection) {
    return connection_create(job, endpoint, badge, out_connection);
}

inv_status_t sys_connection_revoke(struct connection *connection) {
    connection_revoke(connection);
    return INV_OK;
}

inv_status_t sys_reply_create(struct job *job, uint64_t key, struct reply **out_reply) {
    return reply_create(job, key, out_reply);
}
