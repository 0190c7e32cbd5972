// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of pipes, descriptor tables and record locks in the booted kernel, with threads against each other.

#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "file.h"
#include "selftest_threads.h"

#define STREAM_BYTES (1u << 20)

struct stream {
    struct file *file;
    uint64_t sum;
    size_t total;
    bool failed;
};

static uint8_t stream_byte(size_t i) {
    return (uint8_t)(i * 2654435761u >> 13);
}

// Pieces of changing length, so that merged, whole and split pages all occur.
static void stream_write(void *arg) {
    struct stream *s = arg;
    uint8_t *buffer = kmalloc(10000);
    for (size_t i = 0, turn = 0; buffer != NULL && i < STREAM_BYTES; turn++) {
        size_t n = MIN((turn * 733) % 9999 + 1, STREAM_BYTES - i), done;
        struct io_vector v;
        struct io io;
        for (size_t k = 0; k < n; k++)
            buffer[k] = stream_byte(i + k);
        io_init_kernel(&io, &v, buffer, n);
        if (file_write(s->file, &io, &done) != INV_OK || done != n) {
            s->failed = true;
            break;
        }
        i += n;
    }
    s->failed = s->failed || buffer == NULL;
    kfree(buffer);
    file_put(s->file);
}

static void stream_read(void *arg) {
    struct stream *s = arg;
    uint8_t *buffer = kmalloc(7001);
    for (size_t turn = 0; buffer != NULL; turn++) {
        size_t n = (turn * 311) % 7000 + 1, done;
        struct io_vector v;
        struct io io;
        io_init_kernel(&io, &v, buffer, n);
        if (file_read(s->file, &io, &done) != INV_OK)
            s->failed = true;
        if (done == 0)
            break;
        for (size_t k = 0; k < done; k++)
            s->failed = s->failed || buffer[k] != stream_byte(s->total + k);
        s->total += done;
    }
    kfree(buffer);
    file_put(s->file);
}

static bool a_pipe_carries_every_byte_in_order(void) {
    struct stream in = {0}, out = {0};
    struct crew crew;
    struct crew_member members[2];
    SELFTEST_CHECK(pipe_create(&root_job, 0, &out.file, &in.file) == INV_OK);
    crew_init(&crew);
    SELFTEST_CHECK(crew_add(&crew, &members[0], stream_read, &out) && crew_add(&crew, &members[1], stream_write, &in));
    crew_wait(&crew);
    SELFTEST_CHECK(!in.failed && !out.failed && out.total == STREAM_BYTES);
    return true;
}
SELFTEST("files/a_pipe_carries_every_byte_in_order", a_pipe_carries_every_byte_in_order);

static inv_status_t move(struct file *f, void *buffer, size_t n, bool write, size_t *out_done) {
    struct io_vector v;
    struct io io;
    io_init_kernel(&io, &v, buffer, n);
    return write ? file_write(f, &io, out_done) : file_read(f, &io, out_done);
}

static bool a_full_pipe_takes_no_more_and_an_empty_one_ends(void) {
    struct file *out, *in;
    static char page[PAGE_SIZE];
    size_t done, sum = 0;
    uint64_t size;
    SELFTEST_CHECK(pipe_create(&root_job, O_NONBLOCK_, &out, &in) == INV_OK);
    SELFTEST_CHECK(move(out, page, 1, false, &done) == INV_ERR_SHOULD_WAIT);
    while (move(in, page, sizeof(page), true, &done) == INV_OK)
        sum += done;
    SELFTEST_CHECK(sum == KIB(64) && (file_poll(in, NULL) & POLL_OUT) == 0 && (file_poll(out, NULL) & POLL_IN) != 0);
    SELFTEST_CHECK(pipe_set_size(out, KIB(32), true, &size) == INV_ERR_BUSY);
    SELFTEST_CHECK(pipe_set_size(out, KIB(65), true, &size) == INV_OK && size == KIB(128));
    SELFTEST_CHECK(move(in, page, 1, true, &done) == INV_OK && done == 1);
    file_put(in);
    for (sum = 0; move(out, page, sizeof(page), false, &done) == INV_OK && done != 0;)
        sum += done;
    SELFTEST_CHECK(sum == KIB(64) + 1 && (file_poll(out, NULL) & POLL_HUP) != 0);
    file_put(out);
    return true;
}
SELFTEST("files/a_full_pipe_takes_no_more_and_an_empty_one_ends", a_full_pipe_takes_no_more_and_an_empty_one_ends);

// --- descriptors ------------------------------------------------------------------------------------------------------

static inv_status_t open_null(struct file **out) {
    struct vfs_caller c = {.fs = fs_context_boot, .token = token_root, .job = &root_job};
    return vfs_open(&c, AT_FDCWD_, "/dev/null", O_RDWR_, 0, out);
}

static bool descriptors_are_the_lowest_free_numbers(void) {
    struct fd_table *t, *copy;
    struct file *f, *same;
    int fd;
    bool close_on_exec;
    SELFTEST_CHECK(fd_table_create(&root_job, &t) == INV_OK && open_null(&f) == INV_OK);
    for (int i = 0; i < 200; i++) {
        file_get(f);
        SELFTEST_CHECK(fd_install(t, f, 0, 1024, i % 2 == 0, &fd) == INV_OK && fd == i);
    }
    SELFTEST_CHECK(fd_close(t, 7) == INV_OK && fd_close(t, 3) == INV_OK && fd_close(t, 3) == INV_ERR_BAD_FD);
    SELFTEST_CHECK(fd_reserve(t, 0, 1024, false, &fd) == INV_OK && fd == 3 && fd_get(t, 3, &same) == INV_ERR_BAD_FD);
    SELFTEST_CHECK(fd_reserve(t, 5, 1024, false, &fd) == INV_OK && fd == 7);
    fd_unreserve(t, 3);
    fd_unreserve(t, 7);
    SELFTEST_CHECK(fd_reserve(t, 0, 3, false, &fd) == INV_ERR_TOO_MANY_FILES &&
                   fd_reserve(t, 5, 3, false, &fd) == INV_ERR_INVALID);
    file_get(f);
    SELFTEST_CHECK(fd_install_at(t, f, 900, 1024, true) == INV_OK && fd_next(t, 200) == 900 &&
                   fd_table_size(t) == 1024);
    SELFTEST_CHECK(fd_table_copy(t, &root_job, &copy) == INV_OK);
    fd_table_close_on_exec(copy);
    SELFTEST_CHECK(fd_get_flags(copy, 1, &close_on_exec) == INV_OK && !close_on_exec &&
                   fd_get_flags(copy, 2, &close_on_exec) == INV_ERR_BAD_FD);
    fd_table_put(copy);
    fd_table_put(t);
    SELFTEST_CHECK(f->count == 1);
    file_put(f);
    return true;
}
SELFTEST("files/descriptors_are_the_lowest_free_numbers", descriptors_are_the_lowest_free_numbers);

struct descriptor_race {
    struct fd_table *table;
    struct file *file;
    atomic_bool over;
    bool failed;
};

static void race_close(void *arg) {
    struct descriptor_race *r = arg;
    for (int i = 0; i < 4000; i++) {
        int fd;
        file_get(r->file);
        if (fd_install(r->table, r->file, 0, 64, false, &fd) != INV_OK || fd_close(r->table, fd) != INV_OK)
            r->failed = true;
    }
    atomic_store(&r->over, true);
}

static void race_get(void *arg) {
    struct descriptor_race *r = arg;
    while (!atomic_load(&r->over)) {
        struct file *f;
        if (fd_get(r->table, 0, &f) == INV_OK) {
            if (f != r->file)
                r->failed = true;
            file_put(f);
        }
        arch_pause();
    }
}

static bool lookups_beside_closes_get_the_file_or_nothing(void) {
    struct descriptor_race r = {0};
    struct crew crew;
    struct crew_member members[3];
    SELFTEST_CHECK(fd_table_create(&root_job, &r.table) == INV_OK && open_null(&r.file) == INV_OK);
    crew_init(&crew);
    bool started = crew_add(&crew, &members[0], race_get, &r) && crew_add(&crew, &members[1], race_get, &r) &&
                   crew_add(&crew, &members[2], race_close, &r);
    if (!started)
        atomic_store(&r.over, true);
    crew_wait(&crew);
    SELFTEST_CHECK(started && !r.failed && r.file->count == 1);
    file_put(r.file);
    fd_table_put(r.table);
    return true;
}
SELFTEST("files/lookups_beside_closes_get_the_file_or_nothing", lookups_beside_closes_get_the_file_or_nothing);

// --- record locks -----------------------------------------------------------------------------------------------------

static bool record_locks_split_join_and_exclude(void) {
    struct vfs_caller c = {.fs = fs_context_boot, .token = token_root, .job = &root_job};
    struct file *f;
    int me, you;
    struct file_lock_request r = {.type = FILE_LOCK_WRITE, .start = 0, .end = 99, .owner = &me, .pid = 1};
    SELFTEST_CHECK(vfs_open(&c, AT_FDCWD_, "/dev", O_TMPFILE_ | O_RDWR_, 0600, &f) == INV_OK);
    SELFTEST_CHECK(file_lock(f, &r) == INV_OK);
    struct file_lock_request q = {.type = FILE_LOCK_READ, .start = 50, .end = 60, .owner = &you, .pid = 2};
    SELFTEST_CHECK(file_lock(f, &q) == INV_ERR_TRY_AGAIN);
    r = (struct file_lock_request){.type = FILE_LOCK_UNLOCK, .start = 40, .end = 69, .owner = &me};
    SELFTEST_CHECK(file_lock(f, &r) == INV_OK && file_lock(f, &q) == INV_OK);
    q.type = FILE_LOCK_WRITE;
    q.start = 0, q.end = 200;
    file_lock_test(f, &q);
    SELFTEST_CHECK(q.type == FILE_LOCK_WRITE && q.start == 0 && q.end == 39 && q.pid == 1);
    r = (struct file_lock_request){.type = FILE_LOCK_READ, .start = 40, .end = 69, .owner = &me, .pid = 1};
    SELFTEST_CHECK(file_lock(f, &r) == INV_OK); // two readers
    r.start = 0, r.end = 99;
    SELFTEST_CHECK(file_lock(f, &r) == INV_OK); // joins to one
    q = (struct file_lock_request){.type = FILE_LOCK_WRITE, .start = 99, .end = 99, .owner = &you};
    file_lock_test(f, &q);
    SELFTEST_CHECK(q.type == FILE_LOCK_READ && q.start == 0 && q.end == 99);
    file_locks_drop(f, &me, false);
    file_locks_drop(f, &you, false);
    SELFTEST_CHECK(list_empty(&f->inode->locks));
    file_put(f);
    return true;
}
SELFTEST("files/record_locks_split_join_and_exclude", record_locks_split_join_and_exclude);
