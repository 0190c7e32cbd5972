// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What is told of mounts: statfs, and the lines of /proc/PID/mounts and mountinfo. Thread context.

#include <kernel/debug.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include <executive/mount.h>

#include "mount_tree.h"

inv_status_t vfs_statfs(const struct path *p, struct fs_statistics *out) {
    struct superblock *sb = p->dentry->superblock;
    *out = (struct fs_statistics){.magic = sb->magic, .block_size = PAGE_SIZE, .name_max = NAME_MAX_BYTES};
    return sb->type->statfs != NULL ? sb->type->statfs(sb, out) : INV_OK;
}

unsigned vfs_path_mount_flags(const struct path *p) {
    return mount_flags(p->mount);
}

uint32_t mount_number(const struct mount *m) {
    return m->id;
}

// --- one mount --------------------------------------------------------------------------------------------------------

struct flag_name {
    unsigned flag;
    const char *name;
};
static const struct flag_name own_names[] = {{MOUNT_NOSUID, ",nosuid"},          {MOUNT_NODEV, ",nodev"},
                                             {MOUNT_NOEXEC, ",noexec"},          {MOUNT_NOATIME, ",noatime"},
                                             {MOUNT_NODIRATIME, ",nodiratime"},  {MOUNT_RELATIME, ",relatime"},
                                             {MOUNT_NOSYMFOLLOW, ",nosymfollow"}};
static const struct flag_name super_names[] = {{MOUNT_SYNCHRONOUS, ",sync"},
                                               {MOUNT_DIRSYNC, ",dirsync"},
                                               {MOUNT_MANDATORY, ",mand"},
                                               {MOUNT_LAZYTIME, ",lazytime"}};

static void flags_text(char *buffer, size_t size, unsigned flags, const struct flag_name *names, size_t count) {
    size_t used = 0;
    *buffer = 0;
    for (size_t i = 0; i < count; i++)
        if ((flags & names[i].flag) != 0)
            used += string_copy(buffer + used, names[i].name, size - used);
}

// From its file system's root to the mount's.
static bool root_text(const struct mount *m, char *buffer, size_t size, const char **out) {
    char *start = buffer + size - 1;
    bool fits = true;
    *start = 0;
    epoch_enter(); // a rename meanwhile can mix two moments; each part is a name that was
    for (const struct dentry *d = m->root, *parent; fits && (parent = dentry_parent(d)) != d; d = parent) {
        const struct dentry_name *n = atomic_load_explicit(&d->name, memory_order_acquire);
        fits = (size_t)(start - buffer) > n->length;
        if (fits) {
            start -= n->length;
            memcpy(start, dentry_name_text(n), n->length);
            *--start = '/';
        }
    }
    epoch_exit();
    *out = *start != 0 ? start : "/";
    return fits;
}

struct mount_text {
    char path[PATH_MAX_BYTES], root[PATH_MAX_BYTES], own[96], super[256];
};

// The nearest group above m's master of which a member is seen from the caller's root; 0: none.
static uint32_t dominating_group(const struct vfs_caller *c, const struct peer_group *g) {
    for (; g != NULL; g = g->master) {
        struct mount *m;
        list_for_each(m, &g->members, peer_node) {
            struct path root = {.mount = m, .dentry = m->root};
            if (vfs_path_reachable(c, &root))
                return g->id;
        }
    }
    return 0;
}

void mount_describe(struct mount *m, struct mount_description *out) {
    mounts_lock();
    struct mount *parent = m->parent;
    const struct peer_group *master = mount_master(m);
    *out = (struct mount_description){.id = m->id,
                                      .parent_id = parent != NULL ? parent->id : m->id,
                                      .device = m->superblock->device,
                                      .read_only = (m->superblock->flags & MOUNT_READ_ONLY) != 0,
                                      .own_read_only = (m->flags & MOUNT_READ_ONLY) != 0,
                                      .shared = m->group != NULL ? m->group->id : 0,
                                      .master = master != NULL ? master->id : 0,
                                      .unbindable = m->unbindable};
    mounts_unlock();
}

static bool mount_tell(const struct vfs_caller *c, struct mount *m, struct mount_text *text, mount_show_fn fn,
                       void *arg) {
    struct path root = {.mount = m, .dentry = m->root};
    struct mount_description d;
    char *start;
    if (!vfs_path_reachable(c, &root) || vfs_path_name(c, &root, text->path, sizeof(text->path), &start) != INV_OK)
        return true;
    mount_describe(m, &d);
    mounts_lock();
    d.propagate_from = dominating_group(c, mount_master(m));
    mounts_unlock();
    d.source = m->source;
    d.target = start;
    d.type = m->superblock->type->name;
    if (!root_text(m, text->root, sizeof(text->root), &d.root))
        d.root = "/";
    flags_text(text->own, sizeof(text->own), m->flags, own_names, ARRAY_SIZE(own_names));
    flags_text(text->super, sizeof(text->super), m->superblock->flags, super_names, ARRAY_SIZE(super_names));
    d.own_options = text->own;
    d.super_options = text->super;
    size_t used = strlen(text->super);
    d.fs_options = text->super + used + 1;
    text->super[used + 1] = 0;
    if (m->superblock->type->show_options != NULL)
        m->superblock->type->show_options(m->superblock, text->super + used + 1, sizeof(text->super) - used - 1);
    return fn(&d, arg);
}

// The mount that follows the one with number id, counted.
static struct mount *mount_after(uint32_t id) {
    struct mount *m, *found = NULL;
    mounts_lock();
    list_for_each(m, &mounts, node) {
        if (m->id > id && (found == NULL || m->id < found->id) && mount_in_tree(m))
            found = m;
    }
    if (found != NULL)
        mount_get(found); // in the tree: not dead
    mounts_unlock();
    return found;
}

void vfs_for_each_mount(const struct vfs_caller *c, mount_show_fn fn, void *arg) {
    struct mount_text *text = kmalloc(sizeof(*text));
    struct mount *m;
    uint32_t id = 0;
    bool more = text != NULL;
    while (more && (m = mount_after(id)) != NULL) {
        id = m->id;
        more = mount_tell(c, m, text, fn, arg);
        mount_put_unused(m);
    }
    kfree(text);
}

// --- debugger ---------------------------------------------------------------------------------------------------------

static void mounts_print(int argc, const char **argv) {
    const struct mount *m;
    list_for_each(m, &mounts, node) {
        const struct mount *parent = m->parent;
        debugger_print("%3u on %3u  %-10s %-16s count %u writers %d flags %x group %u inodes made %lu\n", m->id,
                       parent != NULL ? parent->id : 0, m->superblock->type->name, m->source, m->count, m->writers,
                       mount_flags(m), m->group != NULL ? m->group->id : 0, (unsigned long)m->superblock->next_ino - 1);
    }
}
DEBUGGER_COMMAND("mounts", "what is mounted where, and who counts it", mounts_print);
