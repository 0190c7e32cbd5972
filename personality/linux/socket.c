// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Sockets: socket, socketpair, bind, listen, accept, connect, names, options, shutdown, sendto, recvfrom. Messages with control data stand in
// socket_message.c. What a socket is, executive/net knows.
#include "sockets.h"

#include "process.h"

#include <kernel/boot.h>

#define TYPE_MASK    0xfu
#define LEVEL_SOCKET 1

// --- what the socket layer asks ---------------------------------------------------------------------------------------

static uint32_t process_number(void) {
    return linux_thread(current_thread()) != NULL ? (uint32_t)linux_current_process()->number : 0;
}

static inv_status_t sockets_init(void) {
    static const struct socket_host_ops ops = {.process_number = process_number};
    socket_register_host(&ops);
    return INV_OK;
}
BOOT_CALL("linux sockets", BOOT_STAGE_PERSONALITY, sockets_init);

// --- arguments --------------------------------------------------------------------------------------------------------

int64_t linux_socket_get(uint64_t fd, struct linux_socket *out) {
    int64_t result = linux_fd(fd, &out->ref);
    if (result != 0)
        return result;
    out->socket = socket_of(out->ref.file);
    if (out->socket != NULL)
        return 0;
    fd_return(&out->ref);
    return -LINUX_ENOTSOCK;
}

int64_t linux_name_get(uint64_t user, int64_t length, uint8_t name[SOCKET_NAME_MAX]) {
    if (length < 0 || length > SOCKET_NAME_MAX)
        return -LINUX_EINVAL;
    return linux_result(arch_copy_from_user(name, (const void user_ptr *)(uintptr_t)user, (size_t)length));
}

int64_t linux_name_put(const uint8_t *name, unsigned length, uint64_t user, uint64_t user_length) {
    uint32_t room;
    if (arch_user_load32((const uint32_t user_ptr *)(uintptr_t)user_length, &room) != INV_OK)
        return -LINUX_EFAULT;
    if ((int32_t)MIN((int64_t)(int32_t)room, (int64_t)length) < 0)
        return -LINUX_EINVAL;
    if (arch_copy_to_user((void user_ptr *)(uintptr_t)user, name, MIN(room, length)) != INV_OK)
        return -LINUX_EFAULT;
    return linux_result(arch_user_store32((uint32_t user_ptr *)(uintptr_t)user_length, length));
}

static bool flags_known(unsigned flags) {
    return (flags & ~(LINUX_SOCK_CLOEXEC | LINUX_SOCK_NONBLOCK)) == 0;
}

// --- making sockets ---------------------------------------------------------------------------------------------------

int64_t linux_socket(struct arch_frame *f) {
    unsigned type = (unsigned)LINUX_ARG(f, 1), flags = type & ~TYPE_MASK;
    struct socket *s;
    struct file *file;
    int fd;
    if (!flags_known(flags))
        return -LINUX_EINVAL;
    inv_status_t status = socket_create(linux_job(), (int)LINUX_ARG(f, 0), (int)(type & TYPE_MASK),
                                        (int)LINUX_ARG(f, 2), &s);
    if (status != INV_OK)
        return linux_result(status);
    status = socket_file_create(s, flags, &file);
    if (status != INV_OK) {
        socket_release(s);
        return linux_result(status);
    }
    status = fd_install(linux_fds(), file, 0, linux_limit(LINUX_RLIMIT_NOFILE), (flags & LINUX_SOCK_CLOEXEC) != 0, &fd);
    if (status != INV_OK) {
        file_put(file);
        return linux_result(status);
    }
    return fd;
}

// Two sockets, connected to each other; files for both.
static inv_status_t pair_make(struct arch_frame *f, unsigned type, unsigned flags, struct file *file[2]) {
    int family = (int)LINUX_ARG(f, 0), protocol = (int)LINUX_ARG(f, 2);
    struct socket *a, *b;
    inv_status_t s = socket_create(linux_job(), family, (int)type, protocol, &a);
    if (s != INV_OK)
        return s;
    s = socket_create(linux_job(), family, (int)type, protocol, &b);
    if (s != INV_OK) {
        socket_release(a);
        return s;
    }
    s = a->ops->pair != NULL ? a->ops->pair(a, b) : INV_ERR_OP_NOT_SUPPORTED;
    if (s == INV_OK)
        s = socket_file_create(a, flags, &file[0]);
    if (s != INV_OK) {
        socket_release(a);
        socket_release(b);
        return s;
    }
    s = socket_file_create(b, flags, &file[1]);
    if (s != INV_OK) {
        file_put(file[0]);
        socket_release(b);
    }
    return s;
}

int64_t linux_socketpair(struct arch_frame *f) {
    unsigned type = (unsigned)LINUX_ARG(f, 1), flags = type & ~TYPE_MASK;
    struct fd_table *t = linux_fds();
    uint64_t limit = linux_limit(LINUX_RLIMIT_NOFILE);
    bool close_on_exec = (flags & LINUX_SOCK_CLOEXEC) != 0;
    struct file *file[2];
    int fd[2];
    if (!flags_known(flags))
        return -LINUX_EINVAL;
    inv_status_t s = fd_reserve(t, 0, limit, close_on_exec, &fd[0]);
    if (s != INV_OK)
        return linux_result(s);
    s = fd_reserve(t, 0, limit, close_on_exec, &fd[1]);
    if (s == INV_OK) {
        s = arch_copy_to_user((void user_ptr *)(uintptr_t)LINUX_ARG(f, 3), fd, sizeof(fd));
        if (s == INV_OK)
            s = pair_make(f, type & TYPE_MASK, flags, file);
        if (s == INV_OK) {
            fd_fill(t, fd[0], file[0]);
            fd_fill(t, fd[1], file[1]);
            return 0;
        }
        fd_unreserve(t, fd[1]);
    }
    fd_unreserve(t, fd[0]);
    return linux_result(s);
}

// --- names and connections --------------------------------------------------------------------------------------------

int64_t linux_bind(struct arch_frame *f) {
    uint8_t name[SOCKET_NAME_MAX];
    struct linux_socket s;
    struct vfs_caller caller;
    int64_t length = (int32_t)LINUX_ARG(f, 2), result = linux_socket_get(LINUX_ARG(f, 0), &s);
    if (result != 0)
        return result;
    result = linux_name_get(LINUX_ARG(f, 1), length, name);
    if (result == 0) {
        linux_caller(&caller);
        result = s.socket->ops->bind != NULL
                     ? linux_result(s.socket->ops->bind(s.socket, &caller, name, (unsigned)length))
                     : -LINUX_EOPNOTSUPP;
    }
    linux_socket_return(&s);
    return result;
}

static int64_t connect_file(struct file *file, const uint8_t *name, unsigned length) {
    struct socket *s = socket_of(file);
    struct vfs_caller caller;
    if (s == NULL)
        return -LINUX_ENOTSOCK;
    linux_caller(&caller);
    if (s->ops->connect == NULL)
        return -LINUX_EOPNOTSUPP;
    return linux_result(s->ops->connect(s, &caller, name, length, file_nonblocking(file)));
}

// The address is looked at before it is known whether the file is a socket.
int64_t linux_connect(struct arch_frame *f) {
    uint8_t name[SOCKET_NAME_MAX];
    struct fd_ref r;
    int64_t length = (int32_t)LINUX_ARG(f, 2), result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    result = linux_name_get(LINUX_ARG(f, 1), length, name);
    if (result == 0)
        result = connect_file(r.file, name, (unsigned)length);
    fd_return(&r);
    return result;
}

int64_t linux_listen(struct arch_frame *f) {
    struct linux_socket s;
    int64_t result = linux_socket_get(LINUX_ARG(f, 0), &s);
    if (result != 0)
        return result;
    unsigned backlog = MIN((unsigned)LINUX_ARG(f, 1), (unsigned)socket_limits.backlog_max);
    result = s.socket->ops->listen != NULL ? linux_result(s.socket->ops->listen(s.socket, backlog)) : -LINUX_EOPNOTSUPP;
    linux_socket_return(&s);
    return result;
}

// The connection's file; who it is from is told before anybody else can have it.
static int64_t accept_file(struct file *listener, unsigned flags, uint64_t user, uint64_t user_length,
                           struct file **out) {
    uint8_t name[SOCKET_NAME_MAX];
    struct socket *s = socket_of(listener), *made;
    unsigned length;
    if (s == NULL)
        return -LINUX_ENOTSOCK;
    if (s->ops->accept == NULL)
        return -LINUX_EOPNOTSUPP;
    inv_status_t status = s->ops->accept(s, file_nonblocking(listener), &made);
    if (status != INV_OK)
        return linux_result(status);
    status = socket_file_create(made, flags, out);
    if (status != INV_OK) {
        socket_release(made);
        return linux_result(status);
    }
    int64_t result = 0;
    if (user != 0) {
        result = made->ops->name(made, true, name, &length) == INV_OK ? linux_name_put(name, length, user, user_length)
                                                                      : -LINUX_ECONNABORTED;
        if (result != 0)
            file_put(*out);
    }
    return result;
}

static int64_t accept_flags(struct arch_frame *f, unsigned flags) {
    struct fd_ref r;
    struct file *made = NULL;
    int fd;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &r);
    if (result != 0)
        return result;
    if (!flags_known(flags)) {
        result = -LINUX_EINVAL;
    } else {
        result = linux_result(
            fd_reserve(linux_fds(), 0, linux_limit(LINUX_RLIMIT_NOFILE), (flags & LINUX_SOCK_CLOEXEC) != 0, &fd));
        if (result == 0) {
            result = accept_file(r.file, flags, LINUX_ARG(f, 1), LINUX_ARG(f, 2), &made);
            if (result == 0) {
                fd_fill(linux_fds(), fd, made);
                result = fd;
            } else {
                fd_unreserve(linux_fds(), fd);
            }
        }
    }
    fd_return(&r);
    return result;
}

int64_t linux_accept(struct arch_frame *f) {
    return accept_flags(f, 0);
}

int64_t linux_accept4(struct arch_frame *f) {
    return accept_flags(f, (unsigned)LINUX_ARG(f, 3));
}

static int64_t name_tell(struct arch_frame *f, bool peer) {
    uint8_t name[SOCKET_NAME_MAX];
    struct linux_socket s;
    unsigned length;
    int64_t result = linux_socket_get(LINUX_ARG(f, 0), &s);
    if (result != 0)
        return result;
    result = linux_result(s.socket->ops->name(s.socket, peer, name, &length));
    if (result == 0)
        result = linux_name_put(name, length, LINUX_ARG(f, 1), LINUX_ARG(f, 2));
    linux_socket_return(&s);
    return result;
}

int64_t linux_getsockname(struct arch_frame *f) {
    return name_tell(f, false);
}

int64_t linux_getpeername(struct arch_frame *f) {
    return name_tell(f, true);
}

int64_t linux_shutdown(struct arch_frame *f) {
    struct linux_socket s;
    unsigned how = (unsigned)LINUX_ARG(f, 1);
    int64_t result = linux_socket_get(LINUX_ARG(f, 0), &s);
    if (result != 0)
        return result;
    result = how < SHUTDOWN_BOTH ? linux_result(s.socket->ops->shutdown(s.socket, how + 1)) : -LINUX_EINVAL;
    linux_socket_return(&s);
    return result;
}

// --- options ----------------------------------------------------------------------------------------------------------

int64_t linux_setsockopt(struct arch_frame *f) {
    struct linux_socket s;
    int length = (int)LINUX_ARG(f, 4);
    if (length < 0)
        return -LINUX_EINVAL;
    int64_t result = linux_socket_get(LINUX_ARG(f, 0), &s);
    if (result != 0)
        return result;
    if ((int)LINUX_ARG(f, 1) != LINUX_SOL_SOCKET)
        result = -LINUX_EOPNOTSUPP; // no family has options of its own yet
    else
        result = linux_result(
            socket_option_set(s.socket, (int)LINUX_ARG(f, 2), LINUX_ARG(f, 3), length, linux_token()));
    linux_socket_return(&s);
    return result;
}

int64_t linux_getsockopt(struct arch_frame *f) {
    struct linux_socket s;
    int64_t result = linux_socket_get(LINUX_ARG(f, 0), &s);
    if (result != 0)
        return result;
    if ((int)LINUX_ARG(f, 1) != LINUX_SOL_SOCKET)
        result = -LINUX_EOPNOTSUPP;
    else
        result = linux_result(socket_option_get(s.socket, (int)LINUX_ARG(f, 2), LINUX_ARG(f, 3), LINUX_ARG(f, 4)));
    linux_socket_return(&s);
    return result;
}

// --- bytes ------------------------------------------------------------------------------------------------------------

int64_t linux_sendto(struct arch_frame *f) {
    uint64_t base = LINUX_ARG(f, 1), n = MIN(LINUX_ARG(f, 2), (uint64_t)LINUX_IO_MAX), user_name = LINUX_ARG(f, 4);
    uint8_t name[SOCKET_NAME_MAX];
    struct vfs_caller caller;
    struct linux_socket s;
    struct io_vector v;
    struct io io;
    size_t done;
    if (!linux_range_is_user(base, n))
        return -LINUX_EFAULT;
    int64_t result = linux_socket_get(LINUX_ARG(f, 0), &s);
    if (result != 0)
        return result;
    io_init_user(&io, &v, (void user_ptr *)(uintptr_t)base, n);
    struct socket_message m = {.io = &io, .flags = linux_socket_flags(&s, LINUX_ARG(f, 3))};
    if (user_name != 0) {
        int64_t length = (int32_t)LINUX_ARG(f, 5);
        result = linux_name_get(user_name, length, name);
        linux_caller(&caller);
        m.caller = &caller;
        m.name = name;
        m.name_length = (unsigned)length;
    }
    if (result == 0) {
        inv_status_t status = s.socket->ops->send(s.socket, &m, &done);
        result = linux_moved(status, done);
    }
    linux_socket_return(&s);
    return result;
}

int64_t linux_recvfrom(struct arch_frame *f) {
    uint64_t base = LINUX_ARG(f, 1), n = MIN(LINUX_ARG(f, 2), (uint64_t)LINUX_IO_MAX), user_name = LINUX_ARG(f, 4);
    uint8_t name[SOCKET_NAME_MAX];
    struct linux_socket s;
    struct io_vector v;
    struct io io;
    size_t done;
    if (!linux_range_is_user(base, n))
        return -LINUX_EFAULT;
    int64_t result = linux_socket_get(LINUX_ARG(f, 0), &s);
    if (result != 0)
        return result;
    io_init_user(&io, &v, (void user_ptr *)(uintptr_t)base, n);
    struct socket_message m = {
        .io = &io, .flags = linux_socket_flags(&s, LINUX_ARG(f, 3)), .name = user_name != 0 ? name : NULL};
    inv_status_t status = s.socket->ops->receive(s.socket, &m, &done);
    if (unlikely(m.rights != NULL))
        socket_rights_free(m.rights);
    result = linux_moved(status, done);
    if (result >= 0 && user_name != 0) {
        int64_t told = linux_name_put(name, m.name_length, user_name, LINUX_ARG(f, 5));
        if (told != 0)
            result = told;
    }
    linux_socket_return(&s);
    return result;
}
