// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The file system of POSIX message queues: one folder, the same wherever it is mounted, and reached by mq_open without any mount. A queue is a file in it, whose
// text tells its state. See mqueue.c for the calls. Context: thread.
//
// Locking: the folder's inode lock for its list of queues (as file systems have it); mq_lock (mutex, IPC_TABLE) for counts and users, and for what mq_open hands
// to the creation of a file that the walk asks for.
#include "../mqueue.h"

#include <kernel/boot.h>
#include <kernel/slab.h>

#define MQUEUE_MAGIC  0x19800202
#define ENTRY_SIZE    20 // what the folder's size grows by
#define FILE_SIZE     80
#define HARD_MESSAGES 65536
#define HARD_SIZE     (16 << 20)
// What Linux reckons for a message and for a priority in use, beside the text.
#define MESSAGE_BYTES  48
#define PRIORITY_BYTES 48
#define FIRST          2u // position of the first queue in a listing

struct linux_tunable mq_message_default = {.value = 10, .minimum = 1, .maximum = HARD_MESSAGES},
                     mq_message_max = {.value = 10, .minimum = 1, .maximum = HARD_MESSAGES},
                     mq_size_default = {.value = 8192, .minimum = 128, .maximum = HARD_SIZE},
                     mq_size_max = {.value = 8192, .minimum = 128, .maximum = HARD_SIZE},
                     mq_queues_max = {.value = 256, .maximum = INT32_MAX};

struct mq_user {
    struct mq_user *next;
    uint32_t uid;
    unsigned queues;
    uint64_t bytes;
};

// An entry of the folder.
struct entry {
    struct list_node node;
    struct inode *inode; // counted
    uint64_t offset;     // rises, never used again
    uint32_t length;
    char name[];
};

static struct mutex mq_lock;
/* mq_lock: */
static struct mq_user *users;
static unsigned queues;
// What the thread that is in mq_open asks of a new queue.
static struct {
    struct thread *thread;
    const struct mq_attributes *attributes;
} creating;
static struct mutex open_lock; // one mq_open with O_CREAT at a time; before the folder's lock

static struct list_node entries = LIST_INIT(entries); // folder's lock
static uint64_t next_offset = FIRST;
static struct fs_context folder; // where mq_open's walks begin

// --- queues ---

static inv_status_t user_charge_locked(uint32_t uid, uint64_t bytes, uint64_t limit, struct mq_user **out) {
    struct mq_user *u = users;

    while (u != NULL && u->uid != uid)
        u = u->next;
    if (bytes + (u != NULL ? u->bytes : 0) > limit)
        return INV_ERR_TOO_MANY_FILES; // EMFILE
    if (u == NULL) {
        u = kzalloc(sizeof(*u));
        if (u == NULL)
            return INV_ERR_NO_MEMORY;
        u->uid = uid;
        u->next = users;
        users = u;
    }
    u->bytes += bytes;
    u->queues++;
    *out = u;
    return INV_OK;
}

static void user_uncharge_locked(struct mq_user *u, uint64_t bytes) {
    u->bytes -= bytes;
    if (--u->queues > 0)
        return;
    struct mq_user **at = &users;
    while (*at != u)
        at = &(*at)->next;
    *at = u->next;
    kfree(u);
}

static bool attributes_fine(const struct mqueue *q, bool privileged) {
    int64_t most = privileged ? HARD_MESSAGES : (int64_t)atomic_load(&mq_message_max.value);
    int64_t size = privileged ? HARD_SIZE : (int64_t)atomic_load(&mq_size_max.value);

    return q->most > 0 && q->size > 0 && q->most <= most && q->size <= size;
}

static struct mqueue *queue_alloc(const struct mq_attributes *a) {
    if (!ipc_charge(sizeof(struct mqueue)))
        return NULL;
    struct mqueue *q = kzalloc(sizeof(*q));
    if (q == NULL) {
        ipc_uncharge(sizeof(*q));
        return NULL;
    }
    mutex_init(&q->lock, LOCK_RANK_IPC);
    waitq_init(&q->poll);
    list_init(&q->senders);
    list_init(&q->receivers);
    q->most = (int64_t)MIN(atomic_load(&mq_message_default.value), atomic_load(&mq_message_max.value));
    q->size = (int64_t)MIN(atomic_load(&mq_size_default.value), atomic_load(&mq_size_max.value));
    if (a != NULL) {
        q->most = a->most;
        q->size = a->size;
    }
    return q;
}

// Checks the attributes and charges the user. mq_lock held.
static inv_status_t queue_admit_locked(struct mqueue *q, const struct token *who) {
    if (queues >= atomic_load(&mq_queues_max.value) && !token_capable(who, CAP_SYS_RESOURCE))
        return INV_ERR_NO_SPACE;
    if (!attributes_fine(q, token_capable(who, CAP_SYS_RESOURCE)))
        return INV_ERR_INVALID;
    uint64_t most = (uint64_t)q->most;
    q->reserved = most * ((uint64_t)q->size + MESSAGE_BYTES) + MIN(most, (uint64_t)MQ_PRIORITY_MAX) * PRIORITY_BYTES;
    inv_status_t s = user_charge_locked(who->uid, q->reserved, linux_limit(LINUX_RLIMIT_MSGQUEUE), &q->user);
    queues += s == INV_OK;
    return s;
}

static void queue_free(struct mqueue *q) {
    struct rb_node *n;

    while ((n = rb_first(&q->messages)) != NULL) {
        rb_remove(&q->messages, n);
        mq_message_free(rb_entry(n, struct mq_message, node));
    }
    if (q->notify != NULL)
        linux_process_put(q->notify);
    if (q->user != NULL) {
        mutex_lock(&mq_lock);
        user_uncharge_locked(q->user, q->reserved);
        queues--;
        mutex_unlock(&mq_lock);
    }
    ipc_uncharge(sizeof(*q));
    kfree(q);
}

static void inode_delete(struct inode *i) {
    if (i->data != NULL)
        queue_free(i->data);
}

// --- the folder ---

static const struct inode_ops folder_ops, queue_ops;

static struct entry *entry_find(const char *name, size_t length) {
    struct entry *e;

    list_for_each(e, &entries, node) {
        if (e->length == length && memcmp(e->name, name, length) == 0)
            return e;
    }
    return NULL;
}

static inv_status_t folder_lookup(struct inode *dir, const char *name, size_t length, struct inode **out) {
    struct entry *e = entry_find(name, length);

    (void)dir;
    if (e == NULL)
        return INV_ERR_NOT_FOUND;
    inode_get(e->inode);
    *out = e->inode;
    return INV_OK;
}

static inv_status_t queue_inode(struct inode *dir, uint32_t mode, struct token *who, struct inode **out) {
    mutex_lock(&mq_lock);
    const struct mq_attributes *a = creating.thread == current_thread() ? creating.attributes : NULL;
    struct mqueue *q = queue_alloc(a);
    inv_status_t s = q != NULL ? queue_admit_locked(q, who) : INV_ERR_NO_MEMORY;
    mutex_unlock(&mq_lock);
    struct inode *i = s == INV_OK ? inode_alloc(dir->superblock, mode) : NULL;
    if (i == NULL) {
        if (q != NULL)
            queue_free(q);
        return s != INV_OK ? s : INV_ERR_NO_MEMORY;
    }
    i->data = q;
    i->ops = &queue_ops;
    i->file_ops = &mqueue_file_ops;
    i->uid = who->fsuid;
    i->gid = who->fsgid;
    *out = i;
    return INV_OK;
}

static inv_status_t folder_create(struct inode *dir, const char *name, size_t length, uint32_t mode, devno_t rdev,
                                  struct token *who, struct inode **out) {
    if ((mode & MODE_FMT) != MODE_REGULAR)
        return INV_ERR_NOT_PERMITTED;
    if (!ipc_charge(sizeof(struct entry) + length))
        return INV_ERR_NO_MEMORY;
    struct entry *e = kmalloc(sizeof(*e) + length);
    inv_status_t s = e != NULL ? queue_inode(dir, mode, who, out) : INV_ERR_NO_MEMORY;
    if (s != INV_OK) {
        kfree(e);
        ipc_uncharge(sizeof(struct entry) + length);
        return s;
    }
    memcpy(e->name, name, length);
    e->length = (uint32_t)length;
    e->inode = *out;
    e->offset = next_offset++;
    inode_get(*out);
    list_push_back(&entries, &e->node);
    dir->mtime = dir->ctime = (*out)->ctime;
    return INV_OK;
}

static inv_status_t folder_unlink(struct inode *dir, const char *name, size_t length, struct inode *target) {
    struct entry *e = entry_find(name, length);

    if (e == NULL || e->inode != target)
        return INV_ERR_NOT_FOUND;
    list_remove(&e->node);
    target->nlink--;
    dir->mtime = dir->ctime = target->ctime = timestamp_now();
    inode_put(target);
    ipc_uncharge(sizeof(*e) + e->length);
    kfree(e);
    return INV_OK;
}

static inv_status_t folder_list(struct file *f, struct dir_context *c) {
    struct entry *e;

    if (!vfs_emit_dots(f, c))
        return INV_OK;
    list_for_each(e, &entries, node) {
        if (e->offset < c->position)
            continue;
        if (!c->emit(c, e->name, e->length, e->inode->ino, MODE_REGULAR >> 12, e->offset + 1))
            break;
        c->position = e->offset + 1;
    }
    return INV_OK;
}

static inv_status_t folder_attributes(struct inode *i, struct inode_stat *out) {
    struct entry *e;

    mutex_lock(&i->lock);
    inode_stat_fill(i, out);
    out->size = 0;
    list_for_each(e, &entries, node)
        out->size += ENTRY_SIZE;
    mutex_unlock(&i->lock);
    return INV_OK;
}

static inv_status_t queue_attributes(struct inode *i, struct inode_stat *out) {
    mutex_lock(&i->lock);
    inode_stat_fill(i, out);
    out->size = FILE_SIZE;
    mutex_unlock(&i->lock);
    return INV_OK;
}

static const struct inode_ops folder_ops = {
    .lookup = folder_lookup, .create = folder_create, .unlink = folder_unlink, .getattr = folder_attributes};
static const struct inode_ops queue_ops = {.getattr = queue_attributes};
static const struct file_ops folder_file_ops = {.readdir = folder_list};

// --- a queue as a file ---

static inv_status_t queue_read(struct file *f, struct io *io, uint64_t *position, size_t *out_done) {
    struct mqueue *q = mqueue_of(f->inode);
    char text[FILE_SIZE + 48];

    *out_done = 0;
    mutex_lock(&q->lock);
    int length = snprintf(text, sizeof(text), "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", q->bytes,
                          q->notify != NULL ? q->notify_kind : 0,
                          q->notify != NULL && q->notify_kind == 0 ? q->notify_signal : 0,
                          q->notify != NULL ? q->notify->number : 0);
    mutex_unlock(&q->lock);
    if (*position >= (uint64_t)length)
        return INV_OK;
    inv_status_t s = io_to(io, text + *position, MIN(io->left, (size_t)length - *position), out_done);
    *position += *out_done;
    return s;
}

static inv_status_t queue_seek(struct file *f, int64_t offset, int whence, uint64_t *out_position) {
    return file_seek_in(f, FILE_SIZE, offset, whence, out_position);
}

static unsigned queue_poll(struct file *f, struct poll_set *set) {
    struct mqueue *q = mqueue_of(f->inode);

    poll_add(set, &q->poll);
    mutex_lock(&q->lock);
    unsigned mask = (q->count > 0 ? POLL_IN | POLL_RDNORM : 0) | (q->count < q->most ? POLL_OUT | POLL_WRNORM : 0);
    mutex_unlock(&q->lock);
    return mask;
}

struct linux_process *mqueue_notify_clear_locked(struct mqueue *q) {
    struct linux_process *p = q->notify;

    q->notify = NULL;
    return p;
}

// A process that closes one of its descriptors of the queue is told no more.
static void queue_flush(struct file *f, const void *owner) {
    struct mqueue *q = mqueue_of(f->inode);
    struct linux_process *dropped = NULL;

    (void)owner;
    if (current_thread()->personality_data == NULL)
        return;
    mutex_lock(&q->lock);
    if (q->notify == linux_current_process())
        dropped = mqueue_notify_clear_locked(q);
    mutex_unlock(&q->lock);
    if (dropped != NULL)
        linux_process_put(dropped);
}

const struct file_ops mqueue_file_ops = {
    .read = queue_read, .seek = queue_seek, .poll = queue_poll, .flush = queue_flush};

// --- for the calls ---

// A plain name: no path. EACCES, as Linux says it.
static bool name_plain(const char *name) {
    return strchr(name, '/') == NULL && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

// Who asks, in the folder of queues.
static void folder_caller(struct vfs_caller *c, struct fs_context *fs) {
    linux_caller(c);
    *fs = folder;
    fs->umask = atomic_load(&c->fs->umask);
    c->fs = fs;
}

int64_t mqueue_open(const char *name, unsigned flags, uint32_t mode, const struct mq_attributes *attributes,
                    struct file **out) {
    struct fs_context fs;
    struct vfs_caller caller;
    bool create = (flags & O_CREAT_) != 0;

    if (!name_plain(name))
        return -LINUX_EACCES;
    if ((flags & O_ACCMODE_) == O_ACCMODE_)
        return -LINUX_EINVAL;
    folder_caller(&caller, &fs);
    if (create) {
        mutex_lock(&open_lock);
        mutex_lock(&mq_lock);
        creating.thread = current_thread();
        creating.attributes = attributes;
        mutex_unlock(&mq_lock);
    }
    inv_status_t s = vfs_open(&caller, AT_FDCWD_, name, flags & (O_ACCMODE_ | O_CREAT_ | O_EXCL_ | O_NONBLOCK_), mode,
                              out);
    if (create) {
        mutex_lock(&mq_lock);
        creating.thread = NULL;
        mutex_unlock(&mq_lock);
        mutex_unlock(&open_lock);
    }
    return linux_result(s);
}

int64_t mqueue_unlink(const char *name) {
    struct fs_context fs;
    struct vfs_caller caller;

    if (!name_plain(name))
        return -LINUX_EACCES;
    folder_caller(&caller, &fs);
    return linux_result(vfs_unlink(&caller, AT_FDCWD_, name, false));
}

// --- mounting ---

static inv_status_t mqueue_mount(const struct fs_type *type, const char *source, unsigned flags, const char *options,
                                 struct superblock *sb) {
    (void)type, (void)source, (void)flags, (void)options;
    sb->magic = MQUEUE_MAGIC;
    sb->block_size = PAGE_SIZE;
    struct inode *root = inode_alloc(sb, MODE_DIRECTORY | MODE_STICKY | 0777);
    if (root == NULL)
        return INV_ERR_NO_MEMORY;
    root->ops = &folder_ops;
    root->file_ops = &folder_file_ops;
    root->nlink = 2;
    sb->root = dentry_make_root(root);
    return sb->root != NULL ? INV_OK : INV_ERR_NO_MEMORY;
}

static struct fs_type mqueue_type = {
    .name = "mqueue", .mount = mqueue_mount, .inode_delete = inode_delete, .check_option = fs_takes_no_option};

static inv_status_t mqueue_init(void) {
    mutex_init(&mq_lock, LOCK_RANK_IPC_TABLE);
    mutex_init(&open_lock, LOCK_RANK_PERSONALITY_TREE);
    fs_register(&mqueue_type);
    inv_status_t s = vfs_mount_apart(&mqueue_type, &folder.root);
    if (s != INV_OK)
        return s;
    folder.cwd = folder.root;
    path_get(&folder.cwd);
    spin_lock_init(&folder.lock, LOCK_RANK_VFS_SPIN);
    folder.count = 1;
    return INV_OK;
}
BOOT_CALL("message queue files", BOOT_STAGE_DEVICE, mqueue_init);
