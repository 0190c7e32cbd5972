// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The namespace: links, and the walk along a path, one component at a time; any object on the way that is no directory gets the rest of the path through its type's
// parse procedure, so that devices, files and services are found the same way. Thread context; holds no lock over a procedure.
//
// Bounds: a path has NAME_PATH_MAX bytes, and at most NAME_LINKS_MAX links are followed, each with a path of its own; there is no recursion.
#include <kernel/assert.h>
#include <kernel/handle_number.h>
#include <kernel/job.h>
#include <kernel/namespace.h>
#include <kernel/security.h>
#include <kernel/slab.h>
#include <kernel/string.h>

struct link {
    struct object obj;
    char target[]; // immutable
};

struct directory *namespace_root;
static struct directory *types_directory;

static void link_delete(struct object *o) {
    object_free(o);
}
static size_t link_describe(struct object *o, char *out, size_t size) {
    return (size_t)snprintf(out, size, "target: %s\n", link_target(o));
}
struct object_type link_type = {
    .name = "link",
    .default_rights = INV_RIGHT_READ | INV_RIGHT_GET_INFO | INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER,
    .size = sizeof(struct link) + NAME_PATH_MAX + 1,
    .delete = link_delete,
    .describe = link_describe,
};

inv_status_t link_create(struct job *job, const char *target, struct object **out) {
    size_t length = strlen(target);
    if (target[0] != '/')
        return INV_ERR_INVALID;
    if (length > NAME_PATH_MAX)
        return INV_ERR_NAME_TOO_LONG;
    struct link *l = kzalloc(sizeof(*l) + length + 1);
    if (l == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&l->obj, &link_type, job);
    if (status != INV_OK) {
        kfree(l);
        return status;
    }
    memcpy(l->target, target, length + 1);
    *out = &l->obj;
    return INV_OK;
}

const char *link_target(const struct object *link) {
    return container_of(link, struct link, obj)->target;
}

// A walk under way. The paths to go on with, innermost last: path[0] is the caller's, the others are targets of links that are held meanwhile.
struct walk {
    struct directory *root;
    struct token *who; // NULL: nothing is judged
    struct object *at; // counted
    unsigned depth, links;
    const char *path[NAME_LINKS_MAX + 1];
    struct object *held[NAME_LINKS_MAX + 1]; // counted
};

static void walk_move(struct walk *w, struct object *to) {
    object_put(w->at);
    w->at = to;
}

// At a link: its target comes first.
static inv_status_t walk_follow(struct walk *w) {
    if (w->links++ == NAME_LINKS_MAX)
        return INV_ERR_LOOP;
    w->held[++w->depth] = w->at;
    w->path[w->depth] = link_target(w->at);
    w->at = &w->root->obj;
    object_get(w->at);
    return INV_OK;
}

// One step along the innermost path, which is not at its end.
static inv_status_t walk_step(struct walk *w) {
    const char **path = &w->path[w->depth];
    struct object *next;

    if (w->at->type != &directory_type) {
        inv_status_t status = INV_ERR_NOT_DIR;
        if (w->at->type->parse != NULL)
            status = w->at->type->parse(w->at, *path, w->who, &next);
        if (status == INV_OK)
            walk_move(w, next);
        *path += strlen(*path);
        return status;
    }
    if (w->who != NULL && (object_rights_for(w->at, w->who) & INV_RIGHT_GET_INFO) == 0)
        return INV_ERR_ACCESS;
    const char *end = strchr(*path, '/');
    size_t length = end != NULL ? (size_t)(end - *path) : strlen(*path);
    inv_status_t status = directory_find(container_of(w->at, struct directory, obj), *path, length, &next);
    if (status != INV_OK)
        return status;
    *path += length;
    walk_move(w, next);
    return INV_OK;
}

// *out is counted.
static inv_status_t walk(struct directory *root, const char *path, struct token *who, struct object **out) {
    struct walk w = {.root = root, .who = who, .at = &root->obj, .path = {path}};
    inv_status_t status = strnlen(path, NAME_PATH_MAX + 1) <= NAME_PATH_MAX ? INV_OK : INV_ERR_NAME_TOO_LONG;

    object_get(w.at);
    while (status == INV_OK) {
        while (*w.path[w.depth] == '/')
            w.path[w.depth]++;
        if (w.at->type == &link_type)
            status = walk_follow(&w);
        else if (*w.path[w.depth] != '\0')
            status = walk_step(&w);
        else if (w.depth > 0)
            object_put(w.held[w.depth--]);
        else
            break;
    }
    while (w.depth > 0)
        object_put(w.held[w.depth--]);
    if (status == INV_OK)
        *out = w.at;
    else
        object_put(w.at);
    return status;
}

inv_status_t namespace_lookup(const char *path, struct token *who, struct object **out) {
    (void)who; // the kernel's own
    return path[0] == '/' ? walk(namespace_root, path, NULL, out) : INV_ERR_INVALID;
}

inv_status_t namespace_open(struct directory *root, const char *path, struct token *who, inv_rights_t wanted,
                            struct object **out, inv_rights_t *out_rights) {
    struct object *o, *opened;
    inv_status_t status = walk(root, path, who, &o);
    if (status != INV_OK)
        return status;
    inv_rights_t granted = object_rights_for(o, who);
    inv_rights_t rights = rights_wanted(granted, wanted);
    if (!rights_include(granted, rights)) {
        object_put(o);
        return INV_ERR_ACCESS;
    }
    if (o->type->open != NULL) {
        status = o->type->open(o, who, rights, &opened);
        object_put(o);
        if (status != INV_OK)
            return status;
        o = opened;
    }
    *out = o;
    *out_rights = rights;
    return INV_OK;
}

void object_type_name(struct object_type *type) {
    if (types_directory == NULL)
        return; // before the namespace stands: object_init_boot names the early ones
    ASSERT(directory_insert(types_directory, type->name, &type->obj) == INV_OK);
}

void object_init_boot(void) {
    object_type_register(&type_type);
    object_type_register(&directory_type);
    object_type_register(&link_type);
    // At boot there is memory for three small objects, or there is no machine.
    ASSERT(directory_create(NULL, &namespace_root) == INV_OK);
    ASSERT(directory_create(NULL, &types_directory) == INV_OK);
    ASSERT(directory_insert(namespace_root, "types", &types_directory->obj) == INV_OK);
    ASSERT(directory_insert(types_directory, type_type.name, &type_type.obj) == INV_OK);
    object_type_name(&directory_type);
    object_type_name(&link_type);
}

void namespace_init_boot(void) {
    static const struct security_entry all = {.who = SECURITY_ANYBODY, .rights = INV_RIGHT_READ | INV_RIGHT_GET_INFO};
    struct object *const objects[] = {&namespace_root->obj, &types_directory->obj};
    struct security *s;

    for (unsigned i = 0; i < ARRAY_SIZE(objects); i++) {
        ASSERT(security_create(&root_job, 0, 0, &all, 1, &s) == INV_OK); // at boot there is memory
        object_set_security(objects[i], s);
    }
}
