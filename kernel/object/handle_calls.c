// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Native calls on handles. What each does and which errors it has, in order: abi/idl/core.idl.
#include <kernel/native_calls.h>
#include <kernel/process.h>

static struct handle_table *own_handles(void) {
    return &current_process()->handles;
}

inv_status_t sys_handle_close(inv_handle_t h) {
    return handle_close(own_handles(), h);
}

inv_status_t sys_handle_duplicate(inv_handle_t h, uint32_t rights, inv_handle_t *out_duplicate) {
    return handle_duplicate(own_handles(), h, rights, out_duplicate);
}

inv_status_t sys_handle_replace(inv_handle_t h, uint32_t rights, inv_handle_t *out_replacement) {
    return handle_replace(own_handles(), h, rights, out_replacement);
}

inv_status_t sys_handle_info(inv_handle_t h, uint32_t *out_type, uint32_t *out_rights, uint64_t *out_identity) {
    struct object *o;
    inv_status_t status = handle_lookup_rights(own_handles(), h, NULL, 0, &o, out_rights);

    if (status != INV_OK)
        return status;
    *out_type = o->type->number;
    *out_identity = object_identity(o);
    object_put(o);
    return INV_OK;
}
