// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Locks on files as text: /proc/locks, and the lines of a descriptor's fdinfo. What many change meanwhile is told in pieces, each of one moment.
#include "../proc.h"

#define AT_ONCE 16u

static void print_kind(struct proc_text *t, const struct file_lock_description *d) {
    switch (d->kind) {
    case FILE_LOCK_KIND_RECORD: proc_print(t, "POSIX  ADVISORY  "); break;
    case FILE_LOCK_KIND_DESCRIPTION: proc_print(t, "OFDLCK ADVISORY  "); break;
    case FILE_LOCK_KIND_FLOCK: proc_print(t, "FLOCK  ADVISORY  "); break;
    case FILE_LOCK_KIND_LEASE: proc_print(t, "LEASE  %s", d->breaking ? "BREAKING  " : "ACTIVE    "); break;
    }
}

static void print_lock(struct proc_text *t, const struct file_lock_description *d) {
    static const char *const types[] = {
        [FILE_LOCK_READ] = "READ", [FILE_LOCK_WRITE] = "WRITE", [FILE_LOCK_UNLOCK] = "UNLCK"};
    bool ranged = d->kind == FILE_LOCK_KIND_RECORD || d->kind == FILE_LOCK_KIND_DESCRIPTION;

    proc_print(t, "%u: %s", d->number, d->blocked ? "-> " : "");
    print_kind(t, d);
    proc_print(t, "%s %d %02x:%02x:%lu ", types[d->type], (int)d->pid, (unsigned)(d->device >> 32), (unsigned)d->device,
               d->ino);
    if (ranged && d->end != INT64_MAX)
        proc_print(t, "%lu %lu\n", d->start, d->end);
    else
        proc_print(t, "%lu EOF\n", ranged ? d->start : 0);
}

void proc_print_locks(struct proc_text *t, const char *head, const struct file *f, const void *table) {
    struct file_lock_description some[AT_ONCE];
    unsigned from = 0, count;

    do {
        count = file_lock_describe(f, table, from, some, AT_ONCE);
        for (unsigned i = 0; i < count; i++) {
            proc_print(t, "%s", head);
            print_lock(t, &some[i]);
        }
        from += count;
    } while (count == AT_ONCE && !t->failed);
}

void proc_show_locks(struct proc_text *t, const struct proc_node *n) {
    proc_print_locks(t, "", NULL, NULL);
}
