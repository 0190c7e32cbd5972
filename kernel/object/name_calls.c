// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Native calls on names: directories, links, opening by path, security. What each does and which errors it has, in order: abi/idl/core.idl.
#include <arch/usercopy.h>
#include <kernel/namespace.h>
#include <kernel/native_calls.h>
#include <kernel/process.h>
#include <kernel/security.h>
#include <kernel/slab.h>
#include <kernel/string.h>

_Static_assert(INV_NAME_MAX == NAME_COMPONENT_MAX && INV_PATH_MAX == NAME_PATH_MAX, "one length of names");
_Static_assert(INV_SECURITY_WHO_USER == SECURITY_USER && INV_SECURITY_WHO_GROUP == SECURITY_GROUP &&
                   sizeof(struct inv_security_entry) == sizeof(struct security_entry) &&
                   INV_SECURITY_ENTRIES_MAX == SECURITY_ENTRIES_MAX &&
                   INV_SECURITY_BYTES_MAX == SECURITY_ENTRIES_MAX * sizeof(struct security_entry),
               "one form of security");
_Static_assert(sizeof(((struct inv_name_item *)0)->name) == NAME_COMPONENT_MAX + 1, "a name fits its item");

// Who the calling thread acts as; NULL: nobody, who gets nothing by name.
static struct token *caller_token(void) {
    const struct personality_ops *ops = current_process()->ops;
    return ops->token != NULL ? ops->token() : NULL;
}

// A text of size bytes, at most the room of to less one.
static inv_status_t text_in(char *to, const void user_ptr *from, size_t size) {
    inv_status_t status = arch_copy_from_user(to, from, size);
    if (status != INV_OK)
        return status;
    to[size] = '\0';
    return memchr(to, '\0', size) == NULL ? INV_OK : INV_ERR_INVALID;
}

// The same in memory of its own, as a path is too long for a stack.
static inv_status_t path_in(const void user_ptr *from, size_t size, char **out) {
    char *path = kmalloc(size + 1);
    if (path == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = text_in(path, from, size);
    if (status != INV_OK)
        kfree(path);
    else
        *out = path;
    return status;
}

inv_status_t sys_directory_create(struct job *job, struct directory **out_directory) {
    return directory_create(job, out_directory);
}

// The object of a handle that has all rights that its type gives, so that a name makes nobody more than its owner may be. *out is counted.
static inv_status_t object_in_full(inv_handle_t h, struct object **out) {
    inv_rights_t rights;
    inv_status_t status = handle_lookup_rights(&current_process()->handles, h, NULL, 0, out, &rights);
    if (status != INV_OK)
        return status;
    if (rights_include(rights, (*out)->type->default_rights))
        return INV_OK;
    object_put(*out);
    return INV_ERR_ACCESS;
}

// Root's objects need no descriptor: that is the default.
static inv_status_t security_give(struct object *o, const struct token *who) {
    struct security *s;

    if (who->euid == 0 || atomic_load_explicit(&o->security, memory_order_relaxed) != NULL)
        return INV_OK;
    inv_status_t status = security_create(current_process()->obj.job, who->euid, who->egid, NULL, 0, &s);
    if (status == INV_OK)
        object_set_security(o, s);
    return status;
}

inv_status_t sys_directory_insert(struct directory *directory, inv_handle_t object, const void user_ptr *name,
                                  size_t name_size, inv_name_options_t options) {
    char text[NAME_COMPONENT_MAX + 1];
    const struct token *who = caller_token();
    struct object *o;

    inv_status_t status = object_in_full(object, &o);
    if (status != INV_OK)
        return status;
    status = text_in(text, name, name_size);
    if (status == INV_OK)
        status = who != NULL ? security_give(o, who) : INV_ERR_ACCESS;
    if (status == INV_OK)
        status = (options & INV_NAME_OPTION_PERMANENT) != 0 ? directory_insert(directory, text, o)
                                                            : directory_insert_temporary(directory, text, o);
    object_put(o);
    return status;
}

inv_status_t sys_directory_remove(struct directory *directory, const void user_ptr *name, size_t name_size) {
    char text[NAME_COMPONENT_MAX + 1];
    inv_status_t status = text_in(text, name, name_size);
    return status == INV_OK ? directory_remove_name(directory, text) : status;
}

inv_status_t sys_directory_list(struct directory *directory, uint64_t cookie, void user_ptr *items, size_t items_size,
                                uint64_t *out_count, uint64_t *out_next) {
    struct inv_name_item user_ptr *to = items;
    size_t room = items_size / sizeof(*to), count = 0;
    struct directory_item item;
    inv_status_t status = INV_OK;

    while (count < room && status == INV_OK && directory_next(directory, &cookie, &item)) {
        struct inv_name_item out = {.identity = object_identity(item.object),
                                    .type = item.object->type->number,
                                    .length = (uint32_t)strlen(item.name)};
        memcpy(out.name, item.name, out.length);
        object_put(item.object);
        status = arch_copy_to_user(&to[count++], &out, sizeof(out));
    }
    *out_count = count;
    *out_next = cookie;
    return status;
}

inv_status_t sys_link_create(struct directory *directory, struct job *job, const void user_ptr *name, size_t name_size,
                             const void user_ptr *target, size_t target_size) {
    char text[NAME_COMPONENT_MAX + 1], *path;
    const struct token *who = caller_token();
    struct object *link;

    inv_status_t status = text_in(text, name, name_size);
    if (status == INV_OK)
        status = path_in(target, target_size, &path);
    if (status != INV_OK)
        return status;
    status = link_create(job, path, &link);
    kfree(path);
    if (status != INV_OK)
        return status;
    if (who != NULL)
        status = security_give(link, who);
    if (status == INV_OK)
        status = directory_insert(directory, text, link);
    object_put(link);
    return status;
}

inv_status_t sys_object_open(struct directory *directory, const void user_ptr *path, size_t path_size, uint32_t rights,
                             inv_handle_t *out_object) {
    struct token *who = caller_token();
    inv_rights_t granted;
    struct object *o;
    char *text;

    inv_status_t status = path_in(path, path_size, &text);
    if (status != INV_OK)
        return status;
    status = who != NULL ? namespace_open(directory, text, who, rights, &o, &granted) : INV_ERR_ACCESS;
    kfree(text);
    if (status != INV_OK)
        return status;
    status = handle_add(&current_process()->handles, o, granted, out_object);
    if (status != INV_OK)
        object_put(o);
    return status;
}

inv_status_t sys_object_set_security(inv_handle_t object, uint32_t uid, uint32_t gid, const void user_ptr *entries,
                                     size_t entries_size) {
    struct security_entry copy[SECURITY_ENTRIES_MAX];
    const struct token *who = caller_token();
    struct security *s;
    struct object *o;

    inv_status_t status = object_in_full(object, &o);
    if (status != INV_OK)
        return status;
    if (who == NULL || (who->euid != uid && !token_capable(who, CAP_CHOWN)))
        status = INV_ERR_NOT_PERMITTED;
    if (status == INV_OK)
        status = arch_copy_from_user(copy, entries, entries_size);
    if (status == INV_OK && entries_size % sizeof(copy[0]) != 0)
        status = INV_ERR_INVALID;
    if (status == INV_OK)
        status = security_create(current_process()->obj.job, uid, gid, copy, (uint32_t)(entries_size / sizeof(copy[0])),
                                 &s);
    if (status == INV_OK)
        object_set_security(o, s);
    object_put(o);
    return status;
}

inv_status_t sys_object_describe(inv_handle_t object, void user_ptr *text, size_t text_size, uint64_t *out_length) {
    struct object *o;
    inv_status_t status = handle_lookup(&current_process()->handles, object, NULL, INV_RIGHT_GET_INFO, &o);
    if (status != INV_OK)
        return status;
    char *description = kmalloc(INV_DESCRIPTION_MAX);
    status = INV_ERR_NO_MEMORY;
    if (description != NULL) {
        *out_length = object_describe(o, description, INV_DESCRIPTION_MAX);
        status = arch_copy_to_user(text, description, MIN(*out_length, text_size));
    }
    kfree(description);
    object_put(o);
    return status;
}
