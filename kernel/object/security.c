// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Security descriptors: see kernel/security.h. Judging takes no lock; any context but interrupt. The rest: thread context.
//
// Invariants:
// I1. A descriptor belongs to one object; it is read in an epoch, and freed through one when it was replaced.
#include <kernel/job.h>
#include <kernel/security.h>
#include <kernel/slab.h>
#include <kernel/string.h>

static size_t security_bytes(uint32_t number) {
    return sizeof(struct security) + number * sizeof(struct security_entry);
}

static bool entries_are_valid(const struct security_entry *entries, uint32_t number) {
    for (uint32_t i = 0; i < number; i++)
        if (entries[i].who > SECURITY_GROUP || (entries[i].rights & ~INV_RIGHTS_ALL) != 0)
            return false;
    return true;
}

inv_status_t security_create(struct job *job, uint32_t uid, uint32_t gid, const struct security_entry *entries,
                             uint32_t number, struct security **out) {
    if (number > SECURITY_ENTRIES_MAX)
        return INV_ERR_RANGE;
    if (!entries_are_valid(entries, number))
        return INV_ERR_INVALID;
    inv_status_t status = job_charge(job, JOB_MEMORY, security_bytes(number));
    if (status != INV_OK)
        return status;
    struct security *s = kmalloc(security_bytes(number));
    if (s == NULL) {
        job_uncharge(job, JOB_MEMORY, security_bytes(number));
        return INV_ERR_NO_MEMORY;
    }
    object_get(&job->obj);
    *s = (struct security){.job = job, .uid = uid, .gid = gid, .number = number};
    if (number > 0)
        memcpy(s->entries, entries, number * sizeof(*entries));
    *out = s;
    return INV_OK;
}

static void security_reclaim(struct epoch_node *n) {
    kfree(container_of(n, struct security, reclaim));
}

void object_set_security(struct object *o, struct security *s) {
    struct security *old = atomic_exchange_explicit(&o->security, s, memory_order_acq_rel);
    if (old == NULL)
        return;
    struct job *job = old->job;
    job_uncharge(job, JOB_MEMORY, security_bytes(old->number));
    epoch_defer(&old->reclaim, security_reclaim);
    object_put(&job->obj);
}

static bool entry_names(const struct security_entry *e, const struct token *who) {
    switch (e->who) {
    case SECURITY_USER: return e->id == who->euid;
    case SECURITY_GROUP: return e->id == who->egid || token_in_group(who, e->id);
    default: return true;
    }
}

static inv_rights_t security_rights(const struct security *s, const struct token *who) {
    if (who->euid == s->uid)
        return INV_RIGHTS_ALL;
    for (uint32_t i = 0; i < s->number; i++)
        if (entry_names(&s->entries[i], who))
            return s->entries[i].rights;
    return INV_RIGHT_GET_INFO;
}

static inv_rights_t descriptor_rights(struct object *o, const struct token *who) {
    inv_rights_t rights = INV_RIGHT_GET_INFO;

    if (token_capable(who, CAP_DAC_OVERRIDE))
        return INV_RIGHTS_ALL;
    epoch_enter();
    const struct security *s = atomic_load_explicit(&o->security, memory_order_acquire);
    if (s != NULL)
        rights = security_rights(s, who);
    epoch_exit();
    return rights;
}

inv_rights_t object_rights_for(struct object *o, const struct token *who) {
    inv_rights_t rights = descriptor_rights(o, who);

    if (o->type->security != NULL)
        rights = o->type->security(o, who, rights);
    return rights & o->type->default_rights;
}

bool object_security_view(struct object *o, struct security_view *out) {
    epoch_enter();
    const struct security *s = atomic_load_explicit(&o->security, memory_order_acquire);
    if (s != NULL) {
        *out = (struct security_view){.uid = s->uid, .gid = s->gid, .number = s->number};
        memcpy(out->entries, s->entries, s->number * sizeof(s->entries[0]));
    }
    epoch_exit();
    return s != NULL;
}
