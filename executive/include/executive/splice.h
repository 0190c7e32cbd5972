// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Data that goes through pipes without passing a program's memory (executive/vfs/splice.c): pages are moved from pipe to pipe, lent by files that keep theirs in
// memory, or copied where neither is possible. All in thread context, may sleep, no locks held.
//
// Every function moves at most n bytes and returns when it has moved some and would have to wait; *out_done counts also when an error is returned (who has
// moved something reports that). nonblocking: SHOULD_WAIT instead of waiting for a pipe; the other file's own flags decide about it. Files are open as needed
// for the direction. Common errors, in this order: PIPE (nobody reads; SIGPIPE was raised), SHOULD_WAIT, RESTART (a signal came), NO_MEMORY, those of the file.
#ifndef EXECUTIVE_SPLICE_H
#define EXECUTIVE_SPLICE_H

#include <executive/vfs.h>

// May data go from or to the file so? (Not to ask about pipes.)
bool splice_readable(const struct file *f);
bool splice_writable(const struct file *f);
// in and out are different pipes. OK with 0: nobody writes in any more.
must_check inv_status_t splice_pipes(struct file *in, struct file *out, size_t n, bool nonblocking, size_t *out_done);
// The same, and what was moved stays in `in` as well.
must_check inv_status_t splice_tee(struct file *in, struct file *out, size_t n, bool nonblocking, size_t *out_done);
// From a file, at *position (ignored by streams), which moves on. INVALID: it cannot be read so.
must_check inv_status_t splice_to_pipe(struct file *in, uint64_t *position, struct file *out, size_t n,
                                       bool nonblocking, size_t *out_done);
// To a file. INVALID: it cannot be written so.
must_check inv_status_t splice_from_pipe(struct file *in, struct file *out, uint64_t *position, size_t n,
                                         bool nonblocking, size_t *out_done);
// From memory: a page of it begins a page of the pipe. FAULT.
must_check inv_status_t splice_memory_to_pipe(struct io *io, struct file *out, bool nonblocking, size_t *out_done);
// To memory. FAULT.
must_check inv_status_t splice_pipe_to_memory(struct file *in, struct io *io, bool nonblocking, size_t *out_done);

#endif
