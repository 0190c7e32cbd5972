// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A planted bug, for judges that look for leaks: of the cache that the command line's planted_leak=NAME names, one object in 64 that is freed is lost.
// Debug builds only. Any context; nothing is locked.

#include "page_check.h"

#include <kernel/boot.h>
#include <kernel/log.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#define LOST_ONE_IN 64u

static _Atomic(struct slab_cache *) leaking;
static _Atomic unsigned freed;

bool slab_check_leak(const struct slab_cache *c) {
    if (likely(c != atomic_load_explicit(&leaking, memory_order_relaxed)))
        return false;
    return atomic_fetch_add_explicit(&freed, 1, memory_order_relaxed) % LOST_ONE_IN == 0;
}

static void choose(struct slab_cache *c, void *name) {
    if (strcmp(c->name, name) == 0)
        atomic_store_explicit(&leaking, c, memory_order_relaxed);
}

static inv_status_t planted_leak_start(void) {
    char name[32];

    if (!boot_option("planted_leak", name, sizeof(name)))
        return INV_OK;
    slab_for_each(choose, name);
    if (atomic_load_explicit(&leaking, memory_order_relaxed) == NULL)
        log_warning("debug", "planted_leak: no cache is called %s", name);
    else
        log_info("debug", "one object of %s in %u is lost", name, LOST_ONE_IN);
    return INV_OK;
}
BOOT_CALL("planted leak", BOOT_STAGE_PERSONALITY, planted_leak_start);
