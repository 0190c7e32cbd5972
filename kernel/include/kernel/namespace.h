// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The namespace (kernel/object/directory.c, namespace.c): directories of named objects, links, and the walk along a path. Any object with a parse procedure
// continues a path in its own way. A process's root is the directory that it has a handle to: nothing leads above it. Thread context.
#ifndef KERNEL_NAMESPACE_H
#define KERNEL_NAMESPACE_H

#include <kernel/object.h>
#include <kernel/rbtree.h>

#define NAME_COMPONENT_MAX 63   // bytes of one name
#define NAME_PATH_MAX      1023 // bytes of a path, of a link's target
#define NAME_LINKS_MAX     16   // links followed in one walk
#define NAME_DEPTH_MAX     64   // directories above a directory when it is named, and in a path that is shown

// A directory holds one pointer of each object named in it. An object has at most one name.
struct directory {
    struct object obj;
    struct spinlock lock; // rank DIRECTORY
    /* lock: */
    struct rb_tree by_name, by_cookie;
    uint64_t last_cookie;
    /* atomic, written under lock: */
    _Atomic uint32_t count;
    struct directory *next_dying; // directory_delete
};
struct directory_entry {
    struct rb_node name_node, cookie_node; // directory's lock
    struct epoch_node reclaim;
    struct directory *directory; // not counted: its memory outlives the entry by an epoch
    struct object *object;       // counted
    uint64_t cookie;             // rises with each name that is put into the directory
    bool permanent;
    char name[]; // immutable
};
struct directory_item {
    struct object *object; // counted
    char name[NAME_COMPONENT_MAX + 1];
};

extern struct directory *namespace_root;
extern struct object_type directory_type, link_type;

must_check inv_status_t directory_create(struct job *job, struct directory **out);
// Names o, which has no name. A permanent name stays until it is removed; a temporary one goes with the last handle of o. INVALID (the name is empty, "." or "..", or
// has a '/'), NAME_TOO_LONG, LOOP (o is a directory, and d stands in it, or too deep), BAD_STATE (o has a name), EXISTS, QUOTA, NO_MEMORY. The entry is charged to the
// job of o.
must_check inv_status_t directory_insert(struct directory *d, const char *name, struct object *o);
must_check inv_status_t directory_insert_temporary(struct directory *d, const char *name, struct object *o);
// Takes o's name away, if it has one. May sleep.
void directory_remove(struct object *o);
// By name. NOT_FOUND, NOT_EMPTY (a directory with entries). May sleep.
must_check inv_status_t directory_remove_name(struct directory *d, const char *name);
// The object of a name, links not followed; counted. NOT_FOUND.
must_check inv_status_t directory_find(struct directory *d, const char *name, size_t length, struct object **out);
// Whether o stands in d under this name now.
bool directory_holds(struct directory *d, const struct object *o, const char *name, size_t length);
// The first entry whose cookie is above *cookie (begin with 0), which is advanced. False: there are no more. Names come in the order in which they were
// given; those that come or go meanwhile may be seen or not, all others are seen once.
must_check bool directory_next(struct directory *d, uint64_t *cookie, struct directory_item *out);
// The path from the root to o, as far as it has one: "/a/b"; "" if o has no name. Cut to size. Returns its length.
size_t object_path(struct object *o, char *out, size_t size);
// From object_handle_put: o has lost its last handle.
void directory_remove_temporary(struct object *o);

// A link: a walk that reaches it goes on at target, a path that begins at the root of the walk ("/..."). INVALID, NAME_TOO_LONG, NO_MEMORY, QUOTA. *out has one pointer.
must_check inv_status_t link_create(struct job *job, const char *target, struct object **out);
const char *link_target(const struct object *link); // lives as long as the link

// Walks from root and judges: each directory passed has to be visible to who (GET_INFO), and the object found to grant wanted (INV_RIGHTS_SAME: whatever it
// grants). *out is counted, *out_rights is what its handle gets. NAME_TOO_LONG, NOT_FOUND, NOT_DIR, ACCESS, LOOP, and what parse and open procedures say.
must_check inv_status_t namespace_open(struct directory *root, const char *path, struct token *who, inv_rights_t wanted,
                                       struct object **out, inv_rights_t *out_rights);
// For the kernel itself: from the root, the path begins with '/' (else INVALID), nothing is judged and nothing opened.
must_check inv_status_t namespace_lookup(const char *path, struct token *who, struct object **out);
void object_type_name(struct object_type *type); // object manager's own: names the type in /types
void object_init_boot(void);                     // after slab_init
void namespace_init_boot(void);                  // after job_init_boot: lets everybody list the kernel's directories

#endif
