// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Security descriptors (kernel/object/security.c): who gets which rights when an object is opened by name. Judged once, at open: the handle carries the rights
// from then on. A descriptor is immutable; another one is put in its place.
//
// Without a descriptor, root gets all, and everybody else may look. With one: root and the owner get all; else the first entry that names the caller decides;
// and where none does, the caller may look (GET_INFO).
#ifndef KERNEL_SECURITY_H
#define KERNEL_SECURITY_H

#include <kernel/object.h>
#include <kernel/token.h>

#define SECURITY_ENTRIES_MAX 16

enum security_who { SECURITY_ANYBODY, SECURITY_USER, SECURITY_GROUP };
struct security_entry {
    uint32_t who; // enum security_who
    uint32_t id;  // of the user or group
    inv_rights_t rights;
};
struct security {
    struct epoch_node reclaim;
    struct job *job; // charged; counted
    uint32_t uid, gid;
    uint32_t number;
    struct security_entry entries[];
};

// RANGE (too many entries), INVALID (an entry of unknown kind, or with unknown rights), QUOTA, NO_MEMORY.
must_check inv_status_t security_create(struct job *job, uint32_t uid, uint32_t gid,
                                        const struct security_entry *entries, uint32_t number, struct security **out);
// s is taken over; NULL: back to the default. May sleep.
void object_set_security(struct object *o, struct security *s);
// What a caller may get, out of what the type has (its default rights).
inv_rights_t object_rights_for(struct object *o, const struct token *who);
struct security_view {
    uint32_t uid, gid, number;
    struct security_entry entries[SECURITY_ENTRIES_MAX];
};
// A copy; false: the object has no descriptor.
bool object_security_view(struct object *o, struct security_view *out);

#endif
