// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The native call bootstrap: how a program that was not started with handles comes by its first one (abi/idl/core.idl). It is the only authority that
// does not come from a handle; a job that takes INV_JOB_POLICY_BOOTSTRAP away has none of it.
#include <kernel/namespace.h>
#include <kernel/native_calls.h>
#include <kernel/process.h>

static bool may_administer(const struct process *p) {
    const struct token *token = p->ops->token != NULL ? p->ops->token() : NULL;
    return token != NULL && token_capable(token, CAP_SYS_ADMIN);
}

inv_status_t sys_bootstrap(inv_bootstrap_kind_t kind, inv_handle_t *out_first) {
    struct process *p = current_process();
    bool administrator = may_administer(p);
    struct object *o = &p->obj;
    inv_rights_t refused = 0;

    if (!job_allows(p->obj.job, INV_JOB_POLICY_BOOTSTRAP) || (kind == INV_BOOTSTRAP_KIND_JOB && !administrator))
        return INV_ERR_NOT_PERMITTED;
    if (kind == INV_BOOTSTRAP_KIND_JOB) {
        o = &p->obj.job->obj;
    } else if (kind == INV_BOOTSTRAP_KIND_NAMESPACE) {
        o = &namespace_root->obj;
        refused = administrator ? 0 : INV_RIGHT_WRITE;
    }
    object_get(o);
    inv_status_t status = handle_add(&p->handles, o, o->type->default_rights & ~refused, out_first);
    if (status != INV_OK)
        object_put(o);
    return status;
}
