// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// pipe and pipe2.

#include "files.h"

static int64_t make_pipe(uint64_t user, unsigned flags) {
    struct file *file[2];
    int fd[2];
    if ((flags & ~(O_CLOEXEC_ | O_NONBLOCK_ | O_DIRECT_)) != 0)
        return -LINUX_EINVAL;
    struct fd_table *t = linux_fds();
    struct token *who = linux_token();
    uint64_t limit = linux_limit(LINUX_RLIMIT_NOFILE);
    bool close_on_exec = (flags & O_CLOEXEC_) != 0;
    inv_status_t s = pipe_create(current_process()->obj.job, flags, &file[0], &file[1]);
    if (s != INV_OK)
        return linux_result(s);
    file[0]->inode->uid = who->fsuid;
    file[0]->inode->gid = who->fsgid;
    s = fd_reserve(t, 0, limit, close_on_exec, &fd[0]);
    if (s == INV_OK) {
        s = fd_reserve(t, 0, limit, close_on_exec, &fd[1]);
        if (s == INV_OK) {
            s = arch_copy_to_user((void user_ptr *)(uintptr_t)user, fd, sizeof(fd));
            if (s == INV_OK) {
                fd_fill(t, fd[0], file[0]);
                fd_fill(t, fd[1], file[1]);
                return 0;
            }
            fd_unreserve(t, fd[1]);
        }
        fd_unreserve(t, fd[0]);
    }
    file_put(file[0]);
    file_put(file[1]);
    return linux_result(s);
}

int64_t linux_pipe(struct arch_frame *f) {
    return make_pipe(LINUX_ARG(f, 0), 0);
}

int64_t linux_pipe2(struct arch_frame *f) {
    return make_pipe(LINUX_ARG(f, 0), (unsigned)LINUX_ARG(f, 1));
}
