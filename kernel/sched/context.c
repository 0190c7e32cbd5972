// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Scheduling contexts, and the scheduler's part of a thread's beginning and end. Thread context.
#include <kernel/assert.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/slab.h>

#include "run_queue.h"

static struct slab_cache context_cache;

static void context_delete(struct object *o) {
    struct sched_context *c = container_of(o, struct sched_context, obj);
    sched_group_put(c->group);
    object_free(o);
}

struct object_type sched_context_type = {
    .name = "scheduling-context",
    .default_rights = INV_RIGHT_GET_INFO | INV_RIGHT_SET_INFO | INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER,
    .size = sizeof(struct sched_context),
    .cache = &context_cache,
    .delete = context_delete,
};

void sched_context_init_boot(void) {
    slab_cache_init(&context_cache, "sched_context", sizeof(struct sched_context), 0);
    object_type_register(&sched_context_type);
}

// A weight is there whatever the class: a thread of any class may inherit the fair class's priority.
uint8_t sched_adopt_params(struct sched_context *c, const struct sched_params *p) {
    c->params = *p;
    if (p->class != SCHED_CLASS_FAIR)
        c->params.weight = p->class == SCHED_CLASS_IDLE ? WEIGHT_MIN : FAIR_WEIGHT_DEFAULT;
    switch (p->class) {
    case SCHED_CLASS_IDLE: return PRIORITY_BATCH;
    case SCHED_CLASS_FAIR: return PRIORITY_FAIR;
    default: return p->priority;
    }
}

inv_status_t sched_thread_init(struct thread *t, const struct sched_params *params, struct job *job) {
    struct sched_context *c = slab_zalloc(&context_cache);
    if (c == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&c->obj, &sched_context_type, job);
    if (status != INV_OK) {
        slab_free(&context_cache, c);
        return status;
    }
    c->group = sched_group_inherit();
    c->owner = c->holder = t;
    t->sched.context = t->sched.own = c;
    list_init(&t->sched.run_node);
    list_init(&t->sched.contended);
    t->sched.base_priority = t->sched.own_priority = sched_adopt_params(c, params);
    t->sched.inherited = 0;
    atomic_init(&t->sched.priority, t->sched.base_priority);
    atomic_init(&t->sched.state, THREAD_NEW);
    atomic_init(&t->sched.cpu, arch_cpu_id());
    atomic_init(&t->sched.on_cpu, false);
    for (unsigned cpu = 0; cpu < CONFIG_MAX_CPUS; cpu++)
        cpuset_add(&t->sched.affinity, cpu);
    return INV_OK;
}

void sched_thread_fini(struct thread *t) {
    DEBUG_ASSERT(!t->sched.queued && list_empty(&t->sched.contended));
    DEBUG_ASSERT(t->sched.own == NULL || t->sched.own->holder == t);
    object_put(&t->sched.own->obj);
    t->sched.context = t->sched.own = NULL;
}
