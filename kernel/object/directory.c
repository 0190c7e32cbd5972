// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The namespace: directories of named objects, and links. A walk takes one path component at a time; any other object on the way gets the rest of the path through
// its type's parse procedure, so that devices, files and services are found the same way. Thread context.
//
// Locking: one lock guards all directories (rank DIRECTORY): walks are rare and short; names that are looked up often are cached by those who do.
// A directory holds one pointer of each object named in it; an object has at most one name.
#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/object.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#define COMPONENT_MAX 63 // bytes of one name
#define LINKS_MAX     8  // links followed in one walk

struct link {
    struct object obj;
    char target[]; // absolute path, immutable
};

static struct spinlock namespace_lock = SPINLOCK_INIT(LOCK_RANK_DIRECTORY);
struct directory *namespace_root;
static struct directory *types_directory;

static void directory_delete(struct object *o);
static struct object_type directory_type = {
    .name = "directory",
    .number = INV_OBJECT_DIRECTORY,
    .default_rights = INV_RIGHT_READ | INV_RIGHT_WRITE | INV_RIGHT_GET_INFO | INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER,
    .size = sizeof(struct directory),
    .delete = directory_delete,
};

static void link_delete(struct object *o) {
    object_free(o);
}
static struct object_type link_type = {.name = "link",
                                       .default_rights = INV_RIGHT_READ,
                                       .size = sizeof(struct link) + PAGE_SIZE / 4,
                                       .delete = link_delete};

inv_status_t directory_create(struct job *job, struct directory **out) {
    struct directory *d = kzalloc(sizeof(*d));
    if (d == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&d->obj, &directory_type, job);
    if (status != INV_OK) {
        kfree(d);
        return status;
    }
    list_init(&d->entries);
    *out = d;
    return INV_OK;
}

static void directory_delete(struct object *o) {
    struct directory *d = container_of(o, struct directory, obj);

    while (!list_empty(&d->entries)) // nobody else can reach it any more
        directory_remove(list_first(&d->entries, struct object, directory_node));
    object_free(o);
}

inv_status_t link_create(struct job *job, const char *target, struct object **out) {
    size_t length = strlen(target);
    if (target[0] != '/')
        return INV_ERR_INVALID;
    if (length >= PAGE_SIZE / 4)
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

// The entry of d with the name; NULL if there is none. namespace_lock held.
static struct object *entry_find_locked(struct directory *d, const char *name, size_t length) {
    struct object *o;
    list_for_each(o, &d->entries, directory_node) {
        if (strncmp(o->name, name, length) == 0 && o->name[length] == '\0')
            return o;
    }
    return NULL;
}

inv_status_t directory_insert(struct directory *d, const char *name, struct object *o) {
    size_t length = strlen(name);
    if (length == 0 || strchr(name, '/') != NULL)
        return INV_ERR_INVALID;
    if (length > COMPONENT_MAX)
        return INV_ERR_NAME_TOO_LONG;
    char *copy = kstrdup(name);
    if (copy == NULL)
        return INV_ERR_NO_MEMORY;

    inv_status_t status = INV_OK;
    spin_lock(&namespace_lock);
    if (o->directory != NULL) {
        status = INV_ERR_BAD_STATE;
    } else if (entry_find_locked(d, name, length) != NULL) {
        status = INV_ERR_EXISTS;
    } else {
        object_get(o);
        o->directory = d;
        o->name = copy;
        list_push_back(&d->entries, &o->directory_node);
    }
    spin_unlock(&namespace_lock);
    if (status != INV_OK)
        kfree(copy);
    return status;
}

void directory_remove(struct object *o) {
    char *name = NULL;

    spin_lock(&namespace_lock);
    if (o->directory != NULL) {
        name = o->name;
        o->name = NULL;
        o->directory = NULL;
        list_remove(&o->directory_node);
    }
    spin_unlock(&namespace_lock);
    if (name != NULL) {
        kfree(name);
        object_put(o);
    }
}

// One step from o (counted; the count is used up) along *path, which is advanced. The next object is counted.
static inv_status_t walk_step(struct object *o, const char **path, struct token *who, struct object **out) {
    const char *name = *path;
    inv_status_t status;

    if (o->type != &directory_type) {
        status = o->type->parse != NULL ? o->type->parse(o, name, who, out) : INV_ERR_NOT_DIR;
        *path = name + strlen(name);
        object_put(o);
        return status;
    }
    const char *end = strchr(name, '/');
    size_t length = end != NULL ? (size_t)(end - name) : strlen(name);
    *path = name + length;
    spin_lock(&namespace_lock);
    struct object *next = length <= COMPONENT_MAX
                              ? entry_find_locked(container_of(o, struct directory, obj), name, length)
                              : NULL;
    if (next != NULL)
        object_get(next);
    spin_unlock(&namespace_lock);
    object_put(o);
    *out = next;
    return next != NULL ? INV_OK : INV_ERR_NOT_FOUND;
}

// Bounded recursion: one level for each link followed, at most LINKS_MAX.
static inv_status_t walk(const char *path, struct token *who, unsigned links, struct object **out) {
    struct object *o = &namespace_root->obj;
    inv_status_t status;

    if (path[0] != '/')
        return INV_ERR_INVALID;
    object_get(o);
    for (;;) {
        while (*path == '/')
            path++;
        if (o->type == &link_type) {
            struct object *target;
            status = links < LINKS_MAX ? walk(container_of(o, struct link, obj)->target, who, links + 1, &target)
                                       : INV_ERR_LOOP;
            object_put(o);
            if (status != INV_OK)
                return status;
            o = target;
        }
        if (*path == '\0')
            break;
        status = walk_step(o, &path, who, &o);
        if (status != INV_OK)
            return status;
    }
    *out = o;
    return INV_OK;
}

inv_status_t namespace_lookup(const char *path, struct token *who, struct object **out) {
    return walk(path, who, 0, out);
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
