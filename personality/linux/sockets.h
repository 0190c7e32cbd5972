// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the socket calls share: descriptors that are sockets, addresses in and out.
#ifndef LINUX_SOCKETS_H
#define LINUX_SOCKETS_H

#include "files.h"

#include <executive/net.h>

#define LINUX_SOL_SOCKET       1
#define LINUX_SOCK_NONBLOCK    O_NONBLOCK_
#define LINUX_SOCK_CLOEXEC     O_CLOEXEC_
#define LINUX_MSG_WAITFORONE   0x10000u
#define LINUX_MSG_CMSG_CLOEXEC 0x40000000u
#define LINUX_MSG_CMSG_COMPAT  0x80000000u

// A socket for the length of the call; fd_return(&out->ref) when done. EBADF, ENOTSOCK.
struct linux_socket {
    struct fd_ref ref;
    struct socket *socket;
};
int64_t linux_socket_get(uint64_t fd, struct linux_socket *out);
static inline void linux_socket_return(struct linux_socket *s) {
    fd_return(&s->ref);
}
// MSG_DONTWAIT if the file does not block.
static inline unsigned linux_socket_flags(const struct linux_socket *s, uint64_t flags) {
    return (unsigned)flags | (file_nonblocking(s->ref.file) ? MESSAGE_DONT_WAIT : 0);
}
// An address of the program. EINVAL, EFAULT.
int64_t linux_name_get(uint64_t user, int64_t length, uint8_t name[SOCKET_NAME_MAX]);
// An address for the program: as much as *user_length has room for, and how long it is. EFAULT, EINVAL.
int64_t linux_name_put(const uint8_t *name, unsigned length, uint64_t user, uint64_t user_length);

#endif
