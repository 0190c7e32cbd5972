// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What all sockets have in common: families, files, the credentials of peers. Called by the personality's calls and through file_ops, in thread context.
//
// Invariants: I1. A socket has at most one file in its life; s->file is set before the file can be reached.
// Locking: s->lock for the peer's credentials; what is atomic is atomic.

#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/string.h>

#include "net.h"

static const struct socket_family *families[SOCKET_FAMILIES];
static const struct socket_host_ops *host;

#define SEND_SIZE_DEFAULT 212992u
#define DATAGRAMS_DEFAULT 10u
#define BACKLOG_DEFAULT   4096u
#define CONTROL_MAX       20480u

struct socket_limits socket_limits = {.send_default = SEND_SIZE_DEFAULT,
                                      .send_max = SEND_SIZE_DEFAULT,
                                      .receive_default = SEND_SIZE_DEFAULT,
                                      .receive_max = SEND_SIZE_DEFAULT,
                                      .backlog_max = BACKLOG_DEFAULT,
                                      .control_max = CONTROL_MAX,
                                      .datagram_queue = DATAGRAMS_DEFAULT};

void socket_family_register(const struct socket_family *family) {
    families[family->number] = family;
}

void socket_register_host(const struct socket_host_ops *ops) {
    host = ops;
}

// --- life -------------------------------------------------------------------------------------------------------------

inv_status_t socket_init(struct socket *s, const struct socket_ops *ops, int family, int type, struct job *job,
                         size_t size) {
    inv_status_t status = job_charge(job, JOB_MEMORY, size);
    if (status != INV_OK)
        return status;
    object_get(&job->obj);
    s->ops = ops;
    s->family = family;
    s->type = type;
    s->job = job;
    s->send_size = (int32_t)socket_limits.send_default;
    s->receive_size = (int32_t)socket_limits.receive_default;
    s->receive_least = 1;
    s->peek_at = -1;
    async_list_init(&s->async, false);
    spin_lock_init(&s->lock, LOCK_RANK_SOCKET);
    return INV_OK;
}

void socket_fini(struct socket *s, size_t size) {
    if (s->peer_token != NULL)
        object_put(&s->peer_token->obj);
    job_uncharge(s->job, JOB_MEMORY, size);
    object_put(&s->job->obj);
}

inv_status_t socket_create(struct job *job, int family, int type, int protocol, struct socket **out) {
    if (family < 0 || family >= SOCKET_FAMILIES)
        return INV_ERR_NO_FAMILY;
    if (type < 0 || type >= SOCKET_TYPES)
        return INV_ERR_INVALID;
    if (families[family] == NULL)
        return INV_ERR_NO_FAMILY;
    return families[family]->create(job, type, protocol, out);
}

inv_status_t socket_wait_status(inv_status_t s, nstime_t deadline) {
    if (s == INV_ERR_TIMED_OUT)
        return INV_ERR_SHOULD_WAIT;
    if (s == INV_ERR_INTERRUPTED)
        return deadline == NSTIME_NEVER ? INV_ERR_RESTART : INV_ERR_INTERRUPTED;
    return s;
}

// --- peers ------------------------------------------------------------------------------------------------------------

static uint32_t process_number(void) {
    return host != NULL ? host->process_number() : 0;
}

void socket_credentials_now(struct socket_credentials *out) {
    struct token *who = vfs_current_token();
    *out = (struct socket_credentials){.pid = process_number(), .uid = who->uid, .gid = who->gid};
}

// Takes over token's count.
static void peer_set(struct socket *s, struct token *token, uint32_t pid) {
    spin_lock(&s->lock);
    struct token *old = s->peer_token;
    s->peer_token = token;
    s->peer_pid = pid;
    spin_unlock(&s->lock);
    if (old != NULL)
        object_put(&old->obj);
}

void socket_peer_set(struct socket *s) {
    struct token *who = vfs_current_token();
    object_get(&who->obj);
    peer_set(s, who, process_number());
}

void socket_peer_copy(struct socket *s, struct socket *from) {
    uint32_t pid;
    struct token *token = socket_peer_get(from, &pid);
    peer_set(s, token, pid);
}

struct token *socket_peer_get(struct socket *s, uint32_t *out_pid) {
    spin_lock(&s->lock);
    struct token *token = s->peer_token;
    if (token != NULL)
        object_get(&token->obj);
    *out_pid = s->peer_pid;
    spin_unlock(&s->lock);
    return token;
}

// Under s->lock the file's memory is there, though its end may have begun.
static struct file *file_counted(struct socket *s) {
    spin_lock(&s->lock);
    struct file *f = s->file;
    uint32_t n = f != NULL ? atomic_load_explicit(&f->count, memory_order_relaxed) : 0;
    while (n != 0 &&
           !atomic_compare_exchange_weak_explicit(&f->count, &n, n + 1, memory_order_acquire, memory_order_relaxed))
        ;
    spin_unlock(&s->lock);
    return n != 0 ? f : NULL;
}

void socket_urgent(struct socket *s) {
    struct file *f = file_counted(s);
    if (f == NULL)
        return;
    file_owner_signal(f, 0, ASYNC_URGENT);
    file_put(f);
    async_notify(&s->async, ASYNC_PRIORITY);
}

// --- the file ---------------------------------------------------------------------------------------------------------

static unsigned message_flags(const struct file *file) {
    return file_nonblocking(file) ? MESSAGE_DONT_WAIT : 0;
}

static inv_status_t file_receive(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct socket *s = file->data;
    struct socket_message m = {.io = io, .flags = message_flags(file)};
    *out_done = 0;
    if (io->left == 0)
        return INV_OK;
    inv_status_t status = s->ops->receive(s, &m, out_done);
    if (m.rights != NULL)
        socket_rights_free(m.rights);
    return status;
}

static inv_status_t file_send(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct socket *s = file->data;
    struct socket_message m = {.io = io, .flags = message_flags(file)};
    *out_done = 0;
    return s->ops->send(s, &m, out_done);
}

static unsigned file_ready(struct file *file, struct poll_set *set) {
    struct socket *s = file->data;
    return s->ops->poll(s, set);
}

static inv_status_t file_command(struct file *file, unsigned command, uint64_t argument, int64_t *out_result) {
    struct socket *s = file->data;
    return s->ops->ioctl != NULL ? s->ops->ioctl(s, command, argument, out_result) : INV_ERR_NOT_TTY;
}

static void file_release(struct file *file) {
    struct socket *s = file->data;
    spin_lock(&s->lock);
    s->file = NULL;
    spin_unlock(&s->lock);
    s->ops->release(s);
}

static struct async_list *file_async(struct file *file) {
    return &((struct socket *)file->data)->async;
}

static void file_show(struct file *file, struct text_sink *sink) {
    struct socket *s = file->data;
    if (s->ops->show != NULL)
        s->ops->show(s, sink);
}

static const struct file_ops socket_file_ops = {
    .read = file_receive,
    .write = file_send,
    .poll = file_ready,
    .ioctl = file_command,
    .release = file_release,
    .async = file_async,
    .show = file_show,
};

struct socket *socket_of(struct file *f) {
    return f->ops == &socket_file_ops ? f->data : NULL;
}

inv_status_t socket_file_create(struct socket *s, uint32_t flags, struct file **out) {
    struct token *who = vfs_current_token();
    struct file *f;
    inv_status_t status = file_create_anonymous("socket", &socket_file_ops, s, O_RDWR_ | (flags & O_NONBLOCK_),
                                                MODE_SOCKET | 0777, &f);
    if (status != INV_OK)
        return status;
    f->inode->uid = who->fsuid;
    f->inode->gid = who->fsgid;
    s->file = f;
    s->ino = f->inode->ino;
    *out = f;
    return INV_OK;
}
