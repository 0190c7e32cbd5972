// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/invar: what this kernel tells of itself and Linux has no file for. Each file is lines of words, for programs; names keep their meaning.
//
//   counters   "NAME VALUE": events since boot over all processors (kernel/counters.h)
#include "proc.h"

#include <kernel/counters.h>

static void counter_show(const char *name, uint64_t value, void *arg) {
    proc_print(arg, "%s %lu\n", name, value);
}

static void show_counters(struct proc_text *t, const struct proc_node *n) {
    counter_for_each(counter_show, t);
}

const struct proc_entry proc_invar_children[] = {
    {.name = "counters", .mode = 0444, .show = show_counters},
    {.name = NULL},
};
