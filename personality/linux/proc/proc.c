// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The file system /proc: inodes from tables, directories, links. See proc.h.
//
// Numbers of inodes: entries of the root and of /proc/sys by their address in the tables; below a process number << 20 | entry; so that the same name has the
// same number however often it is looked up.
#include "../proc.h"

#include <kernel/boot.h>
#include <kernel/slab.h>

#define PROC_MAGIC    0x9fa0
#define PROCESS_FIRST 256u // position of process 0 in the root; of thread 0 in task

static const struct inode_ops directory_ops, fixed_directory_ops, special_ops, link_ops, magic_link_ops, file_inode_ops;

static uint64_t number_of_inode(const struct proc_entry *e, const struct linux_process *p, int number) {
    uint64_t place = ((uint64_t)(uintptr_t)e >> 3) & 0xfffff; // unique: the tables lie within one kernel image

    if (p == NULL)
        return (uint64_t)(uint32_t)number << 21 | 0x100000 | place;
    return ((uint64_t)p->number << 40 | (uint64_t)(uint32_t)number << 20) ^ (place | 1ull << 62);
}

static uint32_t mode_of(const struct proc_entry *e) {
    static const uint32_t type[] = {[PROC_FILE] = MODE_REGULAR,
                                    [PROC_DIRECTORY] = MODE_DIRECTORY,
                                    [PROC_LINK] = MODE_SYMLINK,
                                    [PROC_SPECIAL] = MODE_DIRECTORY};
    return type[e->kind] | e->mode;
}

static void operations_set(struct inode *i, const struct proc_entry *e, const struct linux_process *p) {
    switch (e->kind) {
    case PROC_FILE:
        i->ops = &file_inode_ops;
        i->file_ops = e->file_ops != NULL ? e->file_ops : p != NULL ? &proc_file_ops : &proc_machine_file_ops;
        break;
    case PROC_DIRECTORY:
        i->ops = p != NULL ? &directory_ops : &fixed_directory_ops;
        i->file_ops = &proc_directory_ops;
        break;
    case PROC_SPECIAL:
        i->ops = &special_ops;
        i->file_ops = &proc_directory_ops;
        break;
    case PROC_LINK: i->ops = e->follow != NULL ? &magic_link_ops : &link_ops; break;
    }
}

// What is below a process belongs to who it runs as; if it may not be dumped, to root, but for the directories that everybody may list.
static void owner_of(const struct proc_entry *e, struct linux_process *p, uint32_t *out_uid, uint32_t *out_gid) {
    bool open_directory = (e->kind == PROC_DIRECTORY || e->kind == PROC_SPECIAL) && e->mode == 0555;

    *out_uid = *out_gid = 0;
    if (p == NULL || (atomic_load(&p->dumpable) != 1 && !open_directory))
        return;
    struct token *t = proc_token(p);
    *out_uid = t->euid;
    *out_gid = t->egid;
    object_put(&t->obj);
}

struct inode *proc_inode(struct superblock *sb, const struct proc_entry *entry, struct linux_process *process,
                         int number) {
    struct proc_node *n = kzalloc(sizeof(*n));
    struct inode *i = n != NULL ? inode_alloc(sb, mode_of(entry)) : NULL;

    if (i == NULL) {
        kfree(n);
        return NULL;
    }
    n->entry = entry;
    n->number = number;
    n->process = process;
    if (process != NULL)
        linux_process_get(process);
    i->data = n;
    i->ino = number_of_inode(entry, process, number);
    i->nlink = entry->kind == PROC_FILE || entry->kind == PROC_LINK ? 1 : 2;
    operations_set(i, entry, process);
    uint32_t uid, gid;
    owner_of(entry, process, &uid, &gid);
    i->uid = uid;
    i->gid = gid;
    return i;
}

void proc_inode_delete(struct inode *i) {
    struct proc_node *n = i->data;

    if (n == NULL)
        return;
    if (n->process != NULL)
        linux_process_put(n->process);
    kfree(n);
}

// --- directories by table ---

const struct proc_entry *proc_entry_find(const struct proc_entry *table, const char *name, size_t length) {
    for (const struct proc_entry *e = table; e->name != NULL; e++)
        if (strlen(e->name) == length && memcmp(e->name, name, length) == 0)
            return e;
    return NULL;
}

bool proc_number(const char *name, size_t length, int *out) {
    int n = 0;

    if (length == 0 || length > 9 || (name[0] == '0' && length > 1))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        n = n * 10 + (name[i] - '0');
    }
    *out = n;
    return true;
}

static inv_status_t made(struct inode *i, struct inode **out) {
    *out = i;
    return i != NULL ? INV_OK : INV_ERR_NO_MEMORY;
}

// The entries that are not there in a directory of a process or of a thread.
static unsigned hidden_in(const struct proc_node *n) {
    return n->entry == &proc_task_entry ? PROC_NO_TASK : PROC_TASK_ONLY;
}

static inv_status_t directory_lookup(struct inode *dir, const char *name, size_t length, struct inode **out) {
    const struct proc_node *n = proc_node(dir);
    const struct proc_entry *e = proc_entry_find(n->entry->children, name, length);
    struct proc_view v;

    if (e == NULL || (e->flags & hidden_in(n)))
        return INV_ERR_NOT_FOUND;
    if (n->process != NULL && proc_view_get(n->process, n->number, &v) != INV_OK)
        return INV_ERR_NOT_FOUND;
    return made(proc_inode(dir->superblock, e, n->process, n->number), out);
}

bool proc_list_table(struct dir_context *c, const struct proc_entry *table, unsigned skip_flags) {
    unsigned index = 0;

    for (const struct proc_entry *e = table; e->name != NULL; e++, index++) {
        if (c->position > 2 + index || (e->flags & skip_flags))
            continue;
        if (!c->emit(c, e->name, strlen(e->name), number_of_inode(e, NULL, 0), (uint8_t)(mode_of(e) >> 12), 3 + index))
            return false;
        c->position = 3 + index;
    }
    return true;
}

static inv_status_t directory_list(struct file *f, struct dir_context *c) {
    const struct proc_node *n = proc_node(f->inode);
    struct proc_view v;

    if (n->process != NULL && proc_view_get(n->process, n->number, &v) != INV_OK)
        return INV_ERR_NOT_FOUND;
    if (!vfs_emit_dots(f, c))
        return INV_OK;
    if (n->entry->kind == PROC_SPECIAL)
        return n->entry->list(f, c);
    (void)proc_list_table(c, n->entry->children, hidden_in(n));
    return INV_OK;
}

static inv_status_t special_lookup(struct inode *dir, const char *name, size_t length, struct inode **out) {
    return proc_node(dir)->entry->lookup(dir, name, length, out);
}

// A cached name below a process is good as long as the process, and the thread, are there. What has to be asked each time (descriptors) is never good.
static bool process_revalidate(struct dentry *d) {
    struct inode *i = dentry_inode(d);
    struct proc_view v;

    if (i == NULL)
        return false;
    const struct proc_node *n = proc_node(i);
    if (n->process == NULL)
        return true; // a fixed entry of the root
    if (n->entry == &proc_descriptor_link || n->entry == &proc_descriptor_info)
        return false;
    if (proc_view_get(n->process, n->number, &v) != INV_OK)
        return false;
    // The owner follows the process's identity.
    uint32_t uid, gid;
    owner_of(n->entry, n->process, &uid, &gid);
    return i->uid == uid && i->gid == gid;
}

static inv_status_t directory_attributes(struct inode *i, struct inode_stat *out) {
    const struct proc_node *n = proc_node(i);

    inode_stat_fill(i, out);
    if (n->process != NULL && strcmp(n->entry->name, "task") == 0) {
        struct proc_view v;
        if (proc_view_get(n->process, 0, &v) == INV_OK)
            out->nlink = 2 + v.threads;
    }
    return INV_OK;
}

// None has create: nothing can be made here, whoever asks, and a name that is not there is NOT_FOUND.
static const struct inode_ops directory_ops = {
    .lookup = directory_lookup, .revalidate = process_revalidate, .getattr = directory_attributes};
static const struct inode_ops fixed_directory_ops = {.lookup = directory_lookup};
static const struct inode_ops special_ops = {
    .lookup = special_lookup, .revalidate = process_revalidate, .getattr = directory_attributes};
static const struct inode_ops file_inode_ops = {.lookup = NULL};
const struct file_ops proc_directory_ops = {.readdir = directory_list};

// --- links ---

static inv_status_t link_text(struct inode *i, char *buffer, size_t size, size_t *out_length) {
    const struct proc_node *n = proc_node(i);

    if ((n->entry->flags & PROC_INSPECT) && n->process != NULL && !linux_may_inspect(n->process))
        return INV_ERR_ACCESS;
    return n->entry->readlink(n, buffer, size, out_length);
}

static inv_status_t link_follow(struct inode *i, struct path_target *out) {
    const struct proc_node *n = proc_node(i);

    if ((n->entry->flags & PROC_INSPECT) && n->process != NULL && !linux_may_inspect(n->process))
        return INV_ERR_ACCESS;
    return n->entry->follow(n, &out->path);
}

static const struct inode_ops link_ops = {.readlink = link_text};
static const struct inode_ops magic_link_ops = {.readlink = link_text, .follow = link_follow};

// --- the root: fixed entries and one directory a process ---

static inv_status_t root_lookup(struct inode *dir, const char *name, size_t length, struct inode **out) {
    const struct proc_entry *e = proc_entry_find(proc_root_entry.children, name, length);
    int number;

    if (e != NULL)
        return made(proc_inode(dir->superblock, e, NULL, 0), out);
    if (!proc_number(name, length, &number) || number == 0)
        return INV_ERR_NOT_FOUND;
    struct linux_process *p = linux_process_of_tid(number);
    if (p == NULL)
        return INV_ERR_NOT_FOUND;
    // A thread's number that is not a process's can be looked up, as in Linux, though it is not listed.
    *out = proc_inode(dir->superblock, p->number == number ? &proc_process_entry : &proc_task_entry, p,
                      p->number == number ? 0 : number);
    linux_process_put(p);
    return made(*out, out);
}

static int process_next(int from) {
    spin_lock(&linux_tree_lock);
    int n = linux_process_next_locked(from);
    spin_unlock(&linux_tree_lock);
    return n;
}

static inv_status_t root_list(struct file *f, struct dir_context *c) {
    char name[12];

    if (!proc_list_table(c, proc_root_entry.children, 0))
        return INV_OK;
    int from = c->position >= PROCESS_FIRST ? (int)(c->position - PROCESS_FIRST) : 1;
    for (int n = process_next(from); n != 0; n = process_next(n + 1)) {
        size_t length = (size_t)snprintf(name, sizeof(name), "%d", n);
        if (!c->emit(c, name, length, 0x200000ull + (unsigned)n, MODE_DIRECTORY >> 12, PROCESS_FIRST + (unsigned)n + 1))
            return INV_OK;
        c->position = PROCESS_FIRST + (unsigned)n + 1;
    }
    return INV_OK;
}

// --- task: one directory a thread ---

inv_status_t proc_task_lookup(struct inode *dir, const char *name, size_t length, struct inode **out) {
    const struct proc_node *n = proc_node(dir);
    struct proc_view v;
    int number;

    if (!proc_number(name, length, &number) || number == 0 || proc_view_get(n->process, number, &v) != INV_OK)
        return INV_ERR_NOT_FOUND;
    return made(proc_inode(dir->superblock, &proc_task_entry, n->process, number), out);
}

static int thread_next(struct linux_process *p, int from) {
    struct linux_thread *t;
    int best = 0;

    spin_lock(&linux_tree_lock);
    irq_flags_t flags = spin_lock_irq(&p->lock);
    list_for_each(t, &p->threads, node) {
        if (t->pid != NULL && t->pid->number >= from && (best == 0 || t->pid->number < best))
            best = t->pid->number;
    }
    // The first thread stays, as a zombie, when it has ended before others; and the process's number stands for it in the end.
    if (p->state != LINUX_PROCESS_REAPED && p->number >= from && (best == 0 || p->number < best))
        best = p->number;
    spin_unlock_irq(&p->lock, flags);
    spin_unlock(&linux_tree_lock);
    return best;
}

inv_status_t proc_task_list(struct file *f, struct dir_context *c) {
    const struct proc_node *n = proc_node(f->inode);
    char name[12];
    int from = c->position >= PROCESS_FIRST ? (int)(c->position - PROCESS_FIRST) : 1;

    for (int tid = thread_next(n->process, from); tid != 0; tid = thread_next(n->process, tid + 1)) {
        size_t length = (size_t)snprintf(name, sizeof(name), "%d", tid);
        if (!c->emit(c, name, length, 0x300000ull + (unsigned)tid, MODE_DIRECTORY >> 12,
                     PROCESS_FIRST + (unsigned)tid + 1))
            return INV_OK;
        c->position = PROCESS_FIRST + (unsigned)tid + 1;
    }
    return INV_OK;
}

const struct proc_entry proc_root_entry = {.name = "/",
                                           .mode = 0555,
                                           .kind = PROC_SPECIAL,
                                           .children = proc_root_children,
                                           .lookup = root_lookup,
                                           .list = root_list};

// --- the file system ---

static inv_status_t proc_mount(const struct fs_type *type, const char *source, unsigned flags, const char *options,
                               struct superblock *sb) {
    (void)type, (void)source, (void)flags, (void)options;
    return proc_super_make(sb, &proc_root_entry, PROC_MAGIC);
}

inv_status_t proc_super_make(struct superblock *sb, const struct proc_entry *entry, uint64_t magic) {
    sb->magic = magic;
    sb->block_size = magic == PROC_MAGIC ? 1024 : PAGE_SIZE; // as stat tells it
    struct inode *root = proc_inode(sb, entry, NULL, 0);
    if (root == NULL)
        return INV_ERR_NO_MEMORY;
    root->ino = 1;
    sb->root = dentry_make_root(root);
    return sb->root != NULL ? INV_OK : INV_ERR_NO_MEMORY;
}

static inv_status_t proc_statfs(struct superblock *sb, struct fs_statistics *out) {
    (void)sb;
    *out = (struct fs_statistics){.magic = PROC_MAGIC, .block_size = PAGE_SIZE, .name_max = NAME_MAX_BYTES};
    return INV_OK;
}

static struct fs_type proc_type = {.name = "proc",
                                   .uncached = true,
                                   .mount = proc_mount,
                                   .inode_delete = proc_inode_delete,
                                   .statfs = proc_statfs,
                                   .check_option = fs_takes_no_option};

static inv_status_t proc_init(void) {
    fs_register(&proc_type);
    return INV_OK;
}
BOOT_CALL("proc", BOOT_STAGE_EXECUTIVE, proc_init);
