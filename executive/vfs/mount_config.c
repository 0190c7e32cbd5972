// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A file system that is being set up, or set up anew, step by step through a descriptor: options come one by one, then it is made or reconfigured. What was
// wrong with them can be read from the descriptor, message by message. Called by the personality. Thread context.
//
//    PARAMETERS ──create──► MADE ──mount──► RESTING ──option, reconfigure──► RECONFIGURING ──reconfigure──► RESTING
//         └──── fails ────► FAILED ◄──────────────────── fails ────────────────────┘       (a picked one begins as RECONFIGURING)
//
// Invariants: I1. superblock is NULL only in PARAMETERS and in FAILED after it; it is held active.
// Locking: lock (VFS_RENAME, never together with a rename; over the mounts' lock) for everything. No user copy under it.

#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include <executive/mount_fd.h>

#include "file.h"
#include "mount_call.h"

#define LOG_MESSAGES 8
#define VALUE_SIZE   256
#define MESSAGE_SIZE (VALUE_SIZE + 64)

enum phase { PARAMETERS, MADE, RESTING, RECONFIGURING, FAILED };

struct config {
    /* immutable: */
    const struct fs_type *type;
    struct job *job; // charged; counted
    struct mutex lock;
    /* lock: */
    enum phase phase;
    unsigned flags, mask; // MOUNT_SUPER_FLAGS that are set, and that were told
    struct superblock *superblock;
    size_t used;
    unsigned log_head, log_tail;
    bool has_source;
    char source[VALUE_SIZE];
    char options[PAGE_SIZE];
    char log[LOG_MESSAGES][MESSAGE_SIZE];
};

static const struct file_ops config_ops;

// --- lives ------------------------------------------------------------------------------------------------------------

static void config_free(struct config *c) {
    if (c->superblock != NULL)
        superblock_put(c->superblock);
    job_uncharge(c->job, JOB_MEMORY, sizeof(*c));
    object_put(&c->job->obj);
    kfree(c);
}

static struct config *config_alloc(const struct fs_type *type) {
    struct job *job = vfs_current_job();
    if (job_charge(job, JOB_MEMORY, sizeof(struct config)) != INV_OK)
        return NULL;
    struct config *c = kzalloc(sizeof(*c));
    if (c == NULL) {
        job_uncharge(job, JOB_MEMORY, sizeof(*c));
        return NULL;
    }
    object_get(&job->obj);
    c->job = job;
    c->type = type;
    mutex_init(&c->lock, LOCK_RANK_VFS_RENAME);
    return c;
}

static inv_status_t config_file(struct config *c, struct file **out) {
    inv_status_t s = file_create_anonymous("anon_inode:[fscontext]", &config_ops, c, O_RDWR_, 0600, out);
    if (s != INV_OK)
        config_free(c);
    return s;
}

inv_status_t mount_config_open(const char *type_name, struct file **out) {
    const struct fs_type *type = fs_find(type_name);
    if (type == NULL)
        return INV_ERR_NO_DEVICE;
    struct config *c = config_alloc(type);
    return c != NULL ? config_file(c, out) : INV_ERR_NO_MEMORY;
}

inv_status_t mount_config_pick(const struct path *p, struct file **out) {
    struct superblock *sb = p->mount->superblock;
    if (!vfs_path_is_mount(p))
        return INV_ERR_INVALID;
    struct config *c = config_alloc(sb->type);
    if (c == NULL)
        return INV_ERR_NO_MEMORY;
    atomic_fetch_add_explicit(&sb->active, 1, memory_order_relaxed); // p's mount keeps it active meanwhile
    c->superblock = sb;
    c->phase = RECONFIGURING;
    return config_file(c, out);
}

static void config_release(struct file *f) {
    config_free(f->data);
}

bool mount_config_is(const struct file *f) {
    return f->ops == &config_ops;
}

bool mount_config_checks(const struct file *f) {
    const struct config *c = f->data;
    return c->type->check_option != NULL;
}

// --- the log ----------------------------------------------------------------------------------------------------------

// INVALID, with a reason; the oldest one goes when there are too many.
static inv_status_t printf_like(2, 3) invalid(struct config *c, const char *format, ...) {
    va_list args;
    char *text = c->log[c->log_head++ % LOG_MESSAGES];
    if (c->log_head - c->log_tail > LOG_MESSAGES)
        c->log_tail++;
    va_start(args, format);
    size_t used = string_copy(text, "e ", MESSAGE_SIZE);
    vsnprintf(text + used, MESSAGE_SIZE - used - 1, format, args);
    va_end(args);
    string_copy(text + strlen(text), "\n", 2);
    return INV_ERR_INVALID;
}

// One message a read, as a whole; one that is too long for the buffer stays.
static inv_status_t config_read(struct file *f, struct io *io, uint64_t *position, size_t *out_done) {
    struct config *c = f->data;
    char text[MESSAGE_SIZE];
    mutex_lock(&c->lock);
    inv_status_t s = c->log_head == c->log_tail ? INV_ERR_NO_DATA : INV_OK;
    if (s == INV_OK) {
        string_copy(text, c->log[c->log_tail % LOG_MESSAGES], sizeof(text));
        s = strlen(text) > io->left ? INV_ERR_MESSAGE_SIZE : INV_OK;
    }
    if (s == INV_OK)
        c->log_tail++;
    mutex_unlock(&c->lock);
    if (s != INV_OK)
        return s;
    return io_to(io, text, strlen(text), out_done);
}

static const struct file_ops config_ops = {.read = config_read, .release = config_release};

// --- options ----------------------------------------------------------------------------------------------------------

static const struct {
    const char *set, *clear;
    unsigned flag;
} super_options[] = {{"dirsync", NULL, MOUNT_DIRSYNC},
                     {"lazytime", "nolazytime", MOUNT_LAZYTIME},
                     {"mand", "nomand", MOUNT_MANDATORY},
                     {"ro", "rw", MOUNT_READ_ONLY},
                     {"sync", "async", MOUNT_SYNCHRONOUS}};

// The options that every file system has.
static bool set_super(struct config *c, const char *key) {
    for (size_t i = 0; i < ARRAY_SIZE(super_options); i++) {
        bool set = strcmp(key, super_options[i].set) == 0;
        if (!set && (super_options[i].clear == NULL || strcmp(key, super_options[i].clear) != 0))
            continue;
        c->flags = (c->flags & ~super_options[i].flag) | (set ? super_options[i].flag : 0);
        c->mask |= super_options[i].flag;
        return true;
    }
    return false;
}

static inv_status_t set_source(struct config *c, enum mount_option_kind kind, const char *value) {
    if (kind != MOUNT_OPTION_STRING)
        return invalid(c, "Non-string source");
    if (c->has_source)
        return invalid(c, "Multiple sources");
    c->has_source = true;
    string_copy(c->source, value, sizeof(c->source));
    return INV_OK;
}

// The option joins the text that the file system gets in the end.
static inv_status_t option_keep(struct config *c, const char *key, const char *value) {
    size_t length = strlen(key) + (value != NULL ? strlen(value) + 1 : 0);
    if (c->used + length + 2 > sizeof(c->options))
        return invalid(c, "VFS: Legacy: Cumulative options too large");
    if (strchr(key, ',') != NULL || (value != NULL && strchr(value, ',') != NULL))
        return invalid(c, "VFS: Legacy: Option '%s' contained comma", key);
    int n = snprintf(c->options + c->used, sizeof(c->options) - c->used, "%s%s%s%s", c->used != 0 ? "," : "", key,
                     value != NULL ? "=" : "", value != NULL ? value : "");
    c->used += (size_t)n;
    return INV_OK;
}

static inv_status_t option_check(struct config *c, enum mount_option_kind kind, const char *key, const char *value) {
    const char *name = c->type->name;
    if (kind == MOUNT_OPTION_OTHER) { // of which no file system here knows one: what kind does it want?
        inv_status_t s = c->type->check_option(key, NULL);
        return s == INV_ERR_NOT_FOUND ? s
               : s == INV_OK          ? invalid(c, "%s: Unexpected value for '%s'", name, key)
                                      : invalid(c, "%s: Bad value for '%s'", name, key);
    }
    if (value != NULL && *value == 0 && c->type->check_option(key, NULL) == INV_ERR_INVALID)
        return invalid(c, "%s: Bad value for '%s'", name, key);
    switch (c->type->check_option(key, value)) {
    case INV_OK: return INV_OK;
    case INV_ERR_NOT_FOUND: return INV_ERR_NOT_FOUND;
    case INV_ERR_WRONG_TYPE: return invalid(c, "%s: Unexpected value for '%s'", name, key);
    default: return invalid(c, "%s: Bad value for '%s'", name, key);
    }
}

static inv_status_t set_locked(struct config *c, enum mount_option_kind kind, const char *key, const char *value) {
    if (c->phase == RESTING)
        c->phase = RECONFIGURING;
    if (c->phase != PARAMETERS && c->phase != RECONFIGURING)
        return INV_ERR_BUSY;
    if (set_super(c, key))
        return INV_OK;
    inv_status_t s = INV_ERR_NOT_FOUND;
    if (c->type->check_option != NULL)
        s = option_check(c, kind, key, value);
    if (s == INV_ERR_NOT_FOUND && strcmp(key, "source") == 0)
        return set_source(c, kind, value);
    if (s == INV_ERR_NOT_FOUND && c->type->check_option != NULL)
        return invalid(c, "%s: Unknown parameter '%s'", c->type->name, key);
    return s == INV_OK || s == INV_ERR_NOT_FOUND ? option_keep(c, key, value) : s;
}

inv_status_t mount_config_set(struct file *f, enum mount_option_kind kind, const char *key, const char *value) {
    struct config *c = f->data;
    mutex_lock(&c->lock);
    inv_status_t s = set_locked(c, kind, key, value);
    mutex_unlock(&c->lock);
    return s;
}

// --- what is done with them -------------------------------------------------------------------------------------------

inv_status_t mount_config_create(struct file *f) {
    struct config *c = f->data;
    inv_status_t s = INV_ERR_BUSY;
    mutex_lock(&c->lock);
    if (c->phase == RESTING)
        c->phase = RECONFIGURING;
    if (c->phase == PARAMETERS) {
        s = superblock_create(c->type, c->has_source ? c->source : "none", c->flags, c->options, &c->superblock);
        c->phase = s == INV_OK ? MADE : FAILED;
    }
    mutex_unlock(&c->lock);
    return s;
}

// Options of the next reconfiguration begin anew. The mask does not: a flag that was told once is off in the next unless it is told again, as on Linux.
static void options_forget(struct config *c) {
    c->flags = 0;
    c->used = 0;
    c->options[0] = 0;
    c->has_source = false;
    c->phase = RESTING;
}

inv_status_t mount_config_reconfigure(struct file *f) {
    struct config *c = f->data;
    inv_status_t s = INV_ERR_BUSY;
    mutex_lock(&c->lock);
    if (c->phase == RESTING)
        c->phase = RECONFIGURING;
    if (c->phase == RECONFIGURING) {
        mounts_lock();
        s = superblock_reconfigure(c->superblock, c->flags, c->mask, c->options);
        mounts_unlock();
        if (s == INV_OK)
            options_forget(c);
        else
            c->phase = FAILED;
    }
    mutex_unlock(&c->lock);
    return s;
}

inv_status_t mount_config_mount(struct file *f, unsigned own_flags, struct file **out) {
    struct config *c = f->data;
    inv_status_t s = INV_ERR_BUSY;
    mutex_lock(&c->lock);
    if (c->superblock == NULL) {
        s = INV_ERR_INVALID;
    } else if (c->phase == MADE) {
        s = mount_open_new(c->superblock, c->has_source ? c->source : "none", own_flags, out);
        if (s == INV_OK)
            options_forget(c);
    }
    mutex_unlock(&c->lock);
    return s;
}
