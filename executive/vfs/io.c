// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Moves data between kernel memory and what a read or write call named: user or kernel memory, in one piece or several. Called by file systems and
// drivers inside file_ops->read and write; thread context, may fault user pages in, so no spin lock and nothing that a fault needs may be held.

#include <arch/usercopy.h>
#include <executive/vfs.h>
#include <kernel/debug.h>
#include <kernel/string.h>

void io_init_kernel(struct io *io, struct io_vector *v, void *base, size_t n) {
    *v = (struct io_vector){.base = base, .length = n};
    *io = (struct io){.vectors = v, .count = 1, .left = n, .user = false};
}

void io_init_user(struct io *io, struct io_vector *v, void user_ptr *base, size_t n) {
    *v = (struct io_vector){.base = (user_force void *)base, .length = n};
    *io = (struct io){.vectors = v, .count = 1, .left = n, .user = true};
}

static inline void *piece_now(const struct io *io, size_t *out_length) {
    const struct io_vector *v = &io->vectors[io->index];
    *out_length = v->length - io->offset;
    return (char *)v->base + io->offset;
}

static inline void advance(struct io *io, size_t n) {
    io->left -= n;
    io->offset += n;
    while (io->index < io->count && io->offset >= io->vectors[io->index].length) {
        io->offset -= io->vectors[io->index].length;
        io->index++;
    }
}

void *io_piece(struct io *io, size_t *out_length) {
    advance(io, 0); // past empty pieces
    return piece_now(io, out_length);
}

void io_advance(struct io *io, size_t n) {
    advance(io, n);
}

enum direction { TO_PROGRAM, FROM_PROGRAM, ZERO };

// Copies n bytes of one piece; returns how many could not be copied.
static inline size_t piece_copy(bool user, enum direction way, void *piece, void *kernel, size_t n) {
    if (user) {
        void user_ptr *p = (user_force void user_ptr *)piece;
        switch (way) {
        case TO_PROGRAM: return arch_copy_to_user_partial(p, kernel, n);
        case FROM_PROGRAM: return arch_copy_from_user_partial(kernel, p, n);
        default: return arch_zero_user_partial(p, n);
        }
    }
    if (way != ZERO)
        counter_add(bytes_copied, n);
    if (way == TO_PROGRAM)
        memcpy(piece, kernel, n);
    else if (way == FROM_PROGRAM)
        memcpy(kernel, piece, n);
    else
        memset(piece, 0, n);
    return 0;
}

// In its callers, so that each has its own way only.
static inline inv_status_t io_move(struct io *io, enum direction way, char *kernel, size_t n, size_t *out_done) {
    size_t done = 0, missed = 0;
    n = MIN(n, io->left);
    while (done < n && missed == 0) {
        size_t length;
        void *piece = piece_now(io, &length);
        size_t step = MIN(n - done, length);
        missed = piece_copy(io->user, way, piece, way == ZERO ? NULL : kernel + done, step);
        done += step - missed;
        advance(io, step - missed);
    }
    *out_done = done;
    return missed == 0 ? INV_OK : INV_ERR_FAULT;
}

inv_status_t io_to(struct io *io, const void *from, size_t n, size_t *out_done) {
    return io_move(io, TO_PROGRAM, (char *)(uintptr_t)from, n, out_done);
}

inv_status_t io_from(struct io *io, void *to, size_t n, size_t *out_done) {
    return io_move(io, FROM_PROGRAM, to, n, out_done);
}

inv_status_t io_zero(struct io *io, size_t n, size_t *out_done) {
    return io_move(io, ZERO, NULL, n, out_done);
}
