// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The native calls' way from the frame to their implementations: which process may use them, and the generated entries (abi/idl/core.idl), which look
// handles up, check arguments and make handles of results with what stands here. Called by syscall.c in thread context, interrupts on.
//
// Invariants:
// I1. After an ordinary native call the registers of values hold what the call gives, and zero where it failed or gives nothing.
// I2. Every object that an entry looked up is put again, whatever the call's end.
#include "native.h"

#include <kernel/debug.h>
#include <kernel/handle.h>
#include <kernel/namespace.h>
#include <kernel/native_calls.h>
#include <kernel/process.h>
#include <kernel/region.h>
#include <kernel/trace.h>
#include <kernel/vmo.h>

#define NATIVE_VALUES ARCH_SYSCALL_VALUES

typedef inv_status_t (*native_entry_fn)(const struct arch_frame *frame, uint64_t values[NATIVE_VALUES]);
typedef void (*native_special_fn)(struct arch_frame *frame); // gives its results itself

// --- what the generated entries use ----------------------------------------------------------------------------------------

// The object that the handle in argument number i leads to, counted. BAD_HANDLE, WRONG_TYPE (type NULL: any), ACCESS.
static inv_status_t native_object(const struct arch_frame *frame, unsigned i, const struct object_type *type,
                                  inv_rights_t needed, struct object **out) {
    uint64_t h = arch_syscall_arg(frame, i);

    if (h > UINT32_MAX)
        return INV_ERR_BAD_HANDLE;
    return handle_lookup(&current_process()->handles, (inv_handle_t)h, type, needed, out);
}

static void native_put(struct object *o) {
    if (o != NULL)
        object_put(o);
}

// Turns a result, counted, into a handle; if the call has failed already, or there is no room for a handle, it is put.
static inv_status_t native_handle_out(inv_status_t status, struct object *o, uint64_t *out_value) {
    inv_handle_t h = INV_HANDLE_INVALID;

    if (status == INV_OK)
        status = handle_add(&current_process()->handles, o, o->type->default_rights, &h);
    if (status != INV_OK)
        object_put(o);
    *out_value = h;
    return status;
}

#include "native_entries.inc"

// The policies that a call needs beside INV_JOB_POLICY_NATIVE_CALLS. What only asks, or only ends what the process has itself, needs none.
static const uint32_t native_policies[NATIVE_CALLS] = {
    [NATIVE_PLACE_call] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_reply_receive] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_receive] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_reply] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_endpoint_create] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_connection_create] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_connection_revoke] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_reply_create] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_lease_read] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_lease_write] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_event_create] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_event_signal] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_timer_create] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_timer_set] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_timer_cancel] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_timer_acknowledge] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_endpoint_bind] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_channel_create] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_channel_write] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_channel_read] = INV_JOB_POLICY_IPC_CALLS,
    [NATIVE_PLACE_job_create] = INV_JOB_POLICY_JOB_CALLS,
    [NATIVE_PLACE_job_set_limit] = INV_JOB_POLICY_JOB_CALLS,
    [NATIVE_PLACE_job_set_fault_policy] = INV_JOB_POLICY_JOB_CALLS,
    [NATIVE_PLACE_job_kill] = INV_JOB_POLICY_JOB_CALLS,
    [NATIVE_PLACE_directory_create] = INV_JOB_POLICY_NAME_CALLS,
    [NATIVE_PLACE_directory_insert] = INV_JOB_POLICY_NAME_CALLS,
    [NATIVE_PLACE_directory_remove] = INV_JOB_POLICY_NAME_CALLS,
    [NATIVE_PLACE_directory_list] = INV_JOB_POLICY_NAME_CALLS,
    [NATIVE_PLACE_link_create] = INV_JOB_POLICY_NAME_CALLS,
    [NATIVE_PLACE_object_open] = INV_JOB_POLICY_NAME_CALLS,
    [NATIVE_PLACE_object_set_security] = INV_JOB_POLICY_NAME_CALLS,
    [NATIVE_PLACE_vmo_create] = INV_JOB_POLICY_MEMORY_CALLS,
    [NATIVE_PLACE_vmo_read] = INV_JOB_POLICY_MEMORY_CALLS,
    [NATIVE_PLACE_vmo_write] = INV_JOB_POLICY_MEMORY_CALLS,
    [NATIVE_PLACE_vmo_set_size] = INV_JOB_POLICY_MEMORY_CALLS,
    [NATIVE_PLACE_vmo_clone] = INV_JOB_POLICY_MEMORY_CALLS,
    [NATIVE_PLACE_process_region] = INV_JOB_POLICY_MEMORY_CALLS,
    [NATIVE_PLACE_region_create] = INV_JOB_POLICY_MEMORY_CALLS,
    [NATIVE_PLACE_region_destroy] = INV_JOB_POLICY_MEMORY_CALLS,
    [NATIVE_PLACE_region_map] = INV_JOB_POLICY_MEMORY_CALLS,
    [NATIVE_PLACE_region_unmap] = INV_JOB_POLICY_MEMORY_CALLS,
    [NATIVE_PLACE_region_protect] = INV_JOB_POLICY_MEMORY_CALLS,
};

// --- the dispatch ----------------------------------------------------------------------------------------------------------

static bool place_allowed(const struct job *job, uint64_t place) {
    return place < NATIVE_CALLS && job_allows(job, INV_JOB_POLICY_NATIVE_CALLS | native_policies[place]);
}

bool native_call_allowed(const struct job *job, uint64_t number) {
    return place_allowed(job, number - SYSCALL_NATIVE_BASE);
}

static inv_status_t native_enter(struct arch_frame *frame, uint64_t index) {
    uint64_t values[NATIVE_VALUES] = {0};
    native_entry_fn entry = native_entries[index];
    inv_status_t status = entry(frame, values);

    if (unlikely(status != INV_OK))
        for (unsigned i = 0; i < NATIVE_VALUES; i++)
            values[i] = 0;
    arch_syscall_set_values(frame, values); // I1
    return status;
}

bool native_syscall(struct arch_frame *frame) {
    uint64_t index = arch_syscall_number(frame) - SYSCALL_NATIVE_BASE;

    if (!place_allowed(current_process()->obj.job, index))
        return false;
    if (index < NATIVE_SPECIAL) {
        native_special_fn special = native_special[index];
        if (special == NULL)
            return false;
        special(frame);
        return true;
    }
    counter_add(syscalls, 1);
    trace(syscall_enter, arch_syscall_number(frame), arch_syscall_arg(frame, 0), arch_syscall_arg(frame, 1));
    arch_syscall_set_result(frame, native_enter(frame, index - NATIVE_SPECIAL));
    trace(syscall_exit, arch_syscall_number(frame), arch_syscall_result(frame), 0);
    return true;
}

// --- processes without another personality -----------------------------------------------------------------------------------

static void native_unknown(struct arch_frame *frame) {
    arch_syscall_set_result(frame, INV_ERR_NO_SYSCALL);
}

static void native_exception(struct arch_frame *frame, const struct exception *e) {
    (void)frame;
    (void)e;
    process_kill(current_process());
    thread_exit();
}

const struct personality_ops native_personality = {
    .name = "native",
    .syscall = native_unknown,
    .exception = native_exception,
};
