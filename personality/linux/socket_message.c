// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// sendmsg, recvmsg, sendmmsg, recvmmsg: messages in pieces, with an address and control data (files, credentials) on the way. Decode and check here; the
// socket's family does the rest.
#include "sockets.h"

#include "process.h"

#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/time.h>

struct linux_msghdr {
    uint64_t name;
    int32_t name_length, pad;
    uint64_t vectors, vector_count, control, control_length;
    uint32_t flags, pad_end;
};
_Static_assert(sizeof(struct linux_msghdr) == 56, "struct msghdr");

struct linux_mmsghdr {
    struct linux_msghdr header;
    uint32_t length, pad;
};
_Static_assert(sizeof(struct linux_mmsghdr) == 64, "struct mmsghdr");

struct linux_cmsghdr {
    uint64_t length;
    int32_t level, type;
};
#define CMSG_ALIGN_(n)      ALIGN_UP((size_t)(n), sizeof(uint64_t))
#define CMSG_LENGTH(n)      (sizeof(struct linux_cmsghdr) + (n))
#define CMSG_ROOM(n)        (sizeof(struct linux_cmsghdr) + CMSG_ALIGN_(n))
#define CONTROL_FAST        64
#define MESSAGES_MAX        1024
#define LEVEL_SOCKET        1
#define CONTROL_RIGHTS      1 // SCM_RIGHTS
#define CONTROL_CREDENTIALS 2

// --- the header -------------------------------------------------------------------------------------------------------

static int64_t header_get(uint64_t user, struct linux_msghdr *h) {
    if (arch_copy_from_user(h, (const void user_ptr *)(uintptr_t)user, sizeof(*h)) != INV_OK)
        return -LINUX_EFAULT;
    if (h->name == 0)
        h->name_length = 0;
    if (h->name_length < 0)
        return -LINUX_EINVAL;
    h->name_length = MIN(h->name_length, (int32_t)SOCKET_NAME_MAX);
    return 0;
}

static int64_t pieces_get(const struct linux_msghdr *h, struct linux_vectors *v) {
    return h->vector_count > LINUX_IOV_MAX ? -LINUX_EMSGSIZE : linux_vectors_get(h->vectors, h->vector_count, v);
}

// --- control data in --------------------------------------------------------------------------------------------------

static int64_t rights_get(const uint8_t *data, size_t size, struct socket_rights **inout) {
    unsigned count = (unsigned)(size / sizeof(int32_t)), had = *inout != NULL ? (*inout)->count : 0;
    struct socket_rights *r;
    if (count == 0)
        return 0;
    if (had + count > SOCKET_RIGHTS_MAX)
        return -LINUX_EINVAL;
    if (socket_rights_create(had + count, &r) != INV_OK)
        return -LINUX_ENOMEM;
    for (unsigned i = 0; i < had; i++) {
        r->files[i] = (*inout)->files[i];
        (*inout)->files[i] = NULL;
    }
    if (*inout != NULL)
        socket_rights_free(*inout);
    *inout = r;
    for (unsigned i = 0; i < count; i++) {
        int32_t fd;
        memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
        if (fd < 0 || fd_get(linux_fds(), fd, &r->files[had + i]) != INV_OK)
            return -LINUX_EBADF;
    }
    return 0;
}

static bool is_one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c) {
    return id == a || id == b || id == c;
}

// Who the sender says that it is: itself, unless it may pass for others.
static int64_t credentials_get(const uint8_t *data, size_t size, struct socket_message *m) {
    const struct token *who = linux_token();
    struct socket_credentials *c = &m->credentials;
    if (size != sizeof(*c))
        return -LINUX_EINVAL;
    memcpy(c, data, sizeof(*c));
    bool self = (int)c->pid == linux_current_process()->number;
    if (!self && !token_capable(who, CAP_SYS_ADMIN))
        return -LINUX_EPERM;
    if (!is_one_of(c->uid, who->uid, who->euid, who->suid) && !token_capable(who, CAP_SETUID))
        return -LINUX_EPERM;
    if (!is_one_of(c->gid, who->gid, who->egid, who->sgid) && !token_capable(who, CAP_SETGID))
        return -LINUX_EPERM;
    if (!self) {
        spin_lock(&linux_tree_lock);
        bool there = linux_pid_find_locked((int)c->pid) != NULL;
        spin_unlock(&linux_tree_lock);
        if (!there)
            return -LINUX_ESRCH;
    }
    if (c->uid == UINT32_MAX || c->gid == UINT32_MAX)
        return -LINUX_EINVAL;
    m->has_credentials = true;
    return 0;
}

static int64_t control_parse(const uint8_t *bytes, size_t size, struct socket_message *m) {
    struct linux_cmsghdr h;
    int64_t result = 0;
    for (size_t at = 0; result == 0 && size - at >= sizeof(h); at += MIN(CMSG_ALIGN_(h.length), size - at)) {
        memcpy(&h, bytes + at, sizeof(h));
        if (h.length < sizeof(h) || h.length > size - at)
            return -LINUX_EINVAL;
        const uint8_t *data = bytes + at + sizeof(h);
        if (h.level != LEVEL_SOCKET)
            continue;
        if (h.type == CONTROL_RIGHTS)
            result = rights_get(data, h.length - sizeof(h), &m->rights);
        else if (h.type == CONTROL_CREDENTIALS)
            result = credentials_get(data, h.length - sizeof(h), m);
        else
            result = -LINUX_EINVAL;
    }
    return result;
}

static int64_t control_get(const struct linux_msghdr *h, struct socket_message *m) {
    uint8_t fast[CONTROL_FAST], *bytes = fast;
    size_t size = h->control_length;
    int64_t result = 0;
    if (size > INT32_MAX)
        return -LINUX_ENOBUFS;
    if (size == 0)
        return 0;
    if (size > sizeof(fast)) {
        bytes = size < socket_limits.control_max ? kmalloc(size) : NULL;
        if (bytes == NULL)
            return -LINUX_ENOBUFS;
    }
    if (arch_copy_from_user(bytes, (const void user_ptr *)(uintptr_t)h->control, size) != INV_OK)
        result = -LINUX_EFAULT;
    else
        result = control_parse(bytes, size, m);
    if (bytes != fast)
        kfree(bytes);
    return result;
}

// --- sending ----------------------------------------------------------------------------------------------------------

static uint64_t rights_limit(void) {
    if (token_capable(linux_token(), CAP_SYS_RESOURCE) || token_capable(linux_token(), CAP_SYS_ADMIN))
        return UINT64_MAX;
    return linux_limit(LINUX_RLIMIT_NOFILE);
}

// *out_whole: nothing of the message was left behind.
static int64_t message_send(struct linux_socket *s, uint64_t user, unsigned flags, bool *out_whole) {
    uint8_t name[SOCKET_NAME_MAX];
    struct linux_msghdr h;
    struct linux_vectors v;
    struct vfs_caller caller;
    size_t done;
    int64_t result = header_get(user, &h);
    if (result == 0 && h.name_length != 0)
        result = linux_name_get(h.name, h.name_length, name);
    if (result == 0)
        result = pieces_get(&h, &v);
    if (result != 0)
        return result;
    struct socket_message m = {.io = &v.io, .flags = linux_socket_flags(s, flags)};
    if (h.name_length != 0) {
        linux_caller(&caller);
        m.caller = &caller;
        m.name = name;
        m.name_length = (unsigned)h.name_length;
    }
    if (h.control_length != 0) {
        m.rights_limit = rights_limit();
        result = control_get(&h, &m);
    }
    if (result == 0) {
        inv_status_t status = s->socket->ops->send(s->socket, &m, &done);
        result = linux_moved(status, done);
    }
    if (m.rights != NULL)
        socket_rights_free(m.rights);
    *out_whole = v.io.left == 0;
    linux_vectors_free(&v);
    return result;
}

int64_t linux_sendmsg(struct arch_frame *f) {
    unsigned flags = (unsigned)LINUX_ARG(f, 2);
    struct linux_socket s;
    bool whole;
    if ((flags & LINUX_MSG_CMSG_COMPAT) != 0)
        return -LINUX_EINVAL;
    int64_t result = linux_socket_get(LINUX_ARG(f, 0), &s);
    if (result != 0)
        return result;
    result = message_send(&s, LINUX_ARG(f, 1), flags, &whole);
    linux_socket_return(&s);
    return result;
}

int64_t linux_sendmmsg(struct arch_frame *f) {
    unsigned count = MIN((unsigned)LINUX_ARG(f, 2), (unsigned)MESSAGES_MAX), flags = (unsigned)LINUX_ARG(f, 3),
             sent = 0;
    uint64_t user = LINUX_ARG(f, 1);
    struct linux_socket s;
    bool whole = true;
    if ((flags & LINUX_MSG_CMSG_COMPAT) != 0)
        return -LINUX_EINVAL;
    int64_t result = linux_socket_get(LINUX_ARG(f, 0), &s);
    if (result != 0)
        return result;
    while (sent < count && whole) {
        uint64_t at = user + sent * sizeof(struct linux_mmsghdr);
        result = message_send(&s, at, flags, &whole);
        if (result < 0)
            break;
        if (arch_user_store32((uint32_t user_ptr *)(uintptr_t)(at + offsetof(struct linux_mmsghdr, length)),
                              (uint32_t)result) != INV_OK) {
            result = -LINUX_EFAULT;
            break;
        }
        sent++;
    }
    linux_socket_return(&s);
    return sent != 0 || result >= 0 ? sent : result;
}

// --- control data out -------------------------------------------------------------------------------------------------

struct control {
    uint64_t at, left; // the program's buffer; at 0: none
    unsigned flags;    // to be told
};

static inv_status_t control_header(struct control *c, uint64_t length, int type) {
    struct linux_cmsghdr h = {.length = length, .level = LEVEL_SOCKET, .type = type};
    return arch_copy_to_user((void user_ptr *)(uintptr_t)c->at, &h, sizeof(h));
}

static void control_used(struct control *c, uint64_t room) {
    room = MIN(room, c->left);
    c->at += room;
    c->left -= room;
}

// A bad buffer is nobody's error: what cannot be stored is not there.
static void credentials_put(struct control *c, const struct socket_credentials *who) {
    uint64_t length = CMSG_LENGTH(sizeof(*who));
    if (c->left < sizeof(struct linux_cmsghdr)) {
        c->flags |= MESSAGE_CUT_CONTROL;
        return;
    }
    if (c->left < length) {
        c->flags |= MESSAGE_CUT_CONTROL;
        length = c->left;
    }
    if (control_header(c, length, CONTROL_CREDENTIALS) != INV_OK ||
        arch_copy_to_user((void user_ptr *)(uintptr_t)(c->at + sizeof(struct linux_cmsghdr)), who,
                          length - sizeof(struct linux_cmsghdr)) != INV_OK)
        return;
    control_used(c, CMSG_ROOM(sizeof(*who)));
}

static inv_status_t right_install(struct socket_rights *r, unsigned i, uint64_t user, bool close_on_exec) {
    int fd;
    inv_status_t s = fd_reserve(linux_fds(), 0, linux_limit(LINUX_RLIMIT_NOFILE), close_on_exec, &fd);
    if (s != INV_OK)
        return s;
    s = arch_user_store32((uint32_t user_ptr *)(uintptr_t)user, (uint32_t)fd);
    if (s != INV_OK) {
        fd_unreserve(linux_fds(), fd);
        return s;
    }
    fd_fill(linux_fds(), fd, r->files[i]);
    r->files[i] = NULL;
    return INV_OK;
}

static void rights_put(struct control *c, struct socket_rights *r, bool close_on_exec) {
    uint64_t header = sizeof(struct linux_cmsghdr), data = c->at + header;
    unsigned room = c->at != 0 && c->left > header ? (unsigned)MIN((c->left - header) / sizeof(int32_t), r->count) : 0;
    unsigned i = 0;
    while (i < room && right_install(r, i, data + i * sizeof(int32_t), close_on_exec) == INV_OK)
        i++;
    if (i != 0 && control_header(c, CMSG_LENGTH(i * sizeof(int32_t)), CONTROL_RIGHTS) == INV_OK)
        control_used(c, CMSG_ROOM(i * sizeof(int32_t)));
    if (i < r->count)
        c->flags |= MESSAGE_CUT_CONTROL;
}

static void control_put(struct control *c, const struct socket *s, struct socket_message *m) {
    bool pass = socket_has(s, SOCKET_PASS_CREDENTIALS);
    if (c->at == 0) {
        if (pass || m->rights != NULL)
            c->flags |= MESSAGE_CUT_CONTROL;
        return;
    }
    if (pass)
        credentials_put(c, &m->credentials);
    if (m->rights != NULL)
        rights_put(c, m->rights, (m->flags & LINUX_MSG_CMSG_CLOEXEC) != 0);
}

// --- receiving --------------------------------------------------------------------------------------------------------

// What the program is told beside the bytes.
static int64_t header_put(uint64_t user, const struct linux_msghdr *h, const struct control *c,
                          const struct socket_message *m) {
    uint64_t used = c->at - h->control;
    if (h->name != 0) {
        int64_t result = linux_name_put(m->name, m->name_length, h->name,
                                        user + offsetof(struct linux_msghdr, name_length));
        if (result != 0)
            return result;
    }
    uint32_t flags = m->out_flags | c->flags | (m->flags & LINUX_MSG_CMSG_CLOEXEC);
    if (arch_user_store32((uint32_t user_ptr *)(uintptr_t)(user + offsetof(struct linux_msghdr, flags)), flags) !=
            INV_OK ||
        arch_copy_to_user((void user_ptr *)(uintptr_t)(user + offsetof(struct linux_msghdr, control_length)), &used,
                          sizeof(used)) != INV_OK)
        return -LINUX_EFAULT;
    return 0;
}

static int64_t message_receive(struct linux_socket *s, uint64_t user, unsigned flags, unsigned *out_flags) {
    uint8_t name[SOCKET_NAME_MAX];
    struct linux_msghdr h;
    struct linux_vectors v;
    size_t done;
    int64_t result = header_get(user, &h);
    if (result == 0)
        result = pieces_get(&h, &v);
    if (result != 0)
        return result;
    struct socket_message m = {.io = &v.io, .flags = linux_socket_flags(s, flags), .name = h.name != 0 ? name : NULL};
    inv_status_t status = s->socket->ops->receive(s->socket, &m, &done);
    result = linux_moved(status, done);
    if (result >= 0) {
        struct control c = {.at = h.control, .left = h.control_length};
        control_put(&c, s->socket, &m);
        int64_t told = header_put(user, &h, &c, &m);
        if (told != 0)
            result = told;
        *out_flags = m.out_flags | c.flags;
    }
    if (m.rights != NULL)
        socket_rights_free(m.rights);
    linux_vectors_free(&v);
    return result;
}

int64_t linux_recvmsg(struct arch_frame *f) {
    unsigned flags = (unsigned)LINUX_ARG(f, 2), told;
    struct linux_socket s;
    if ((flags & LINUX_MSG_CMSG_COMPAT) != 0)
        return -LINUX_EINVAL;
    int64_t result = linux_socket_get(LINUX_ARG(f, 0), &s);
    if (result != 0)
        return result;
    result = message_receive(&s, LINUX_ARG(f, 1), flags, &told);
    linux_socket_return(&s);
    return result;
}

// The number received, or the error if there was none. An error after some is told by the next call.
static int64_t messages_receive(struct linux_socket *s, uint64_t user, unsigned count, unsigned flags,
                                nstime_t deadline) {
    unsigned got = 0, told = 0;
    int64_t result = linux_result(socket_take_error(s->socket));
    if (result != 0)
        return result;
    while (got < count) {
        uint64_t at = user + got * sizeof(struct linux_mmsghdr);
        result = message_receive(s, at, flags & ~LINUX_MSG_WAITFORONE, &told);
        if (result < 0)
            break;
        if (arch_user_store32((uint32_t user_ptr *)(uintptr_t)(at + offsetof(struct linux_mmsghdr, length)),
                              (uint32_t)result) != INV_OK) {
            result = -LINUX_EFAULT;
            break;
        }
        got++;
        if ((flags & LINUX_MSG_WAITFORONE) != 0)
            flags |= MESSAGE_DONT_WAIT;
        if ((deadline != NSTIME_NEVER && clock_monotonic() >= deadline) || (told & MESSAGE_OUT_OF_BAND) != 0)
            break;
    }
    if (result >= 0 || got == 0)
        return got != 0 ? got : MIN(result, (int64_t)0);
    if (result == -LINUX_ECONNRESET)
        s->socket->error = INV_ERR_CONNECTION_RESET;
    return got;
}

int64_t linux_recvmmsg(struct arch_frame *f) {
    unsigned count = MIN((unsigned)LINUX_ARG(f, 2), (unsigned)MESSAGES_MAX), flags = (unsigned)LINUX_ARG(f, 3);
    uint64_t user_timeout = LINUX_ARG(f, 4);
    nstime_t deadline = NSTIME_NEVER, duration;
    struct linux_socket s;
    if ((flags & LINUX_MSG_CMSG_COMPAT) != 0)
        return -LINUX_EINVAL;
    if (user_timeout != 0) {
        int64_t bad = linux_timespec_get(user_timeout, &duration);
        if (bad != 0)
            return bad;
        deadline = deadline_after(duration);
    }
    int64_t result = linux_socket_get(LINUX_ARG(f, 0), &s);
    if (result != 0)
        return result;
    result = messages_receive(&s, LINUX_ARG(f, 1), count, flags, deadline);
    linux_socket_return(&s);
    if (result > 0 && user_timeout != 0) {
        nstime_t now = clock_monotonic(), left = deadline > now ? deadline - now : 0;
        struct linux_timespec ts = {(int64_t)(left / NSEC_PER_SEC), (int64_t)(left % NSEC_PER_SEC)};
        if (arch_copy_to_user((void user_ptr *)(uintptr_t)user_timeout, &ts, sizeof(ts)) != INV_OK)
            return -LINUX_EFAULT;
    }
    return result;
}
