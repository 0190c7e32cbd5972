// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /dev/kmsg: the kernel's log for programs, with the semantics of Linux's Documentation/ABI/testing/dev-kmsg. A read gives one record, "priority,sequence,
// microseconds,-;text\n"; PIPE tells once that records were overwritten before they could be read; a write adds a record. Thread context.
//
// An open file's data is its cursor, an atomic sequence number: two readers of one description never get the same record.

#include <executive/device.h>

#include <kernel/boot.h>
#include <kernel/log.h>
#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/wait.h>

#define KMSG_NUMBER   DEVNO(1, 11)
#define FACILITY_USER 1u
#define LEVEL_DEFAULT LOG_WARNING
#define PRIORITY_MAX  255u
#define WHENCE_SET    0
#define WHENCE_END    2
#define WHENCE_DATA   3
#define KMSG_TEXT     sizeof(((struct log_record *)0)->text)
#define KMSG_LINE     (64 + 4 * KMSG_TEXT) // prefix, and every byte escaped

struct kmsg_cursor {
    _Atomic uint64_t sequence;
};

static inv_status_t kmsg_open(struct inode *inode, struct file *file) {
    struct kmsg_cursor *cursor = kzalloc(sizeof(*cursor));

    (void)inode;
    if (cursor == NULL)
        return INV_ERR_NO_MEMORY;
    atomic_init(&cursor->sequence, log_first_sequence());
    file->data = cursor;
    return INV_OK;
}

static void kmsg_release(struct file *file) {
    kfree(file->data);
}

// Unprintable bytes and backslashes become \xNN, so that a record is one line.
static size_t kmsg_escape(char *to, const char *text, size_t n) {
    size_t length = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte < ' ' || byte >= 127 || byte == '\\')
            length += (size_t)snprintf(to + length, 5, "\\x%02x", byte);
        else
            to[length++] = (char)byte;
    }
    return length;
}

static size_t kmsg_format(char *line, const struct log_record *record) {
    size_t n = (size_t)snprintf(line, 64, "%u,%lu,%lu,-;", record->level, (unsigned long)record->sequence,
                                (unsigned long)(record->time / NSEC_PER_USEC));

    n += kmsg_escape(line + n, record->text, record->length);
    line[n++] = '\n';
    return n;
}

struct kmsg_read {
    struct log_record record;
    char line[KMSG_LINE];
};

static inv_status_t kmsg_wait(uint64_t sequence) {
    inv_status_t status;

    WAIT_EVENT(log_waitq(), log_next_sequence() > sequence, WAIT_INTERRUPTIBLE, NSTIME_NEVER, status);
    return status == INV_ERR_INTERRUPTED ? INV_ERR_RESTART : status;
}

// Takes the next record for this cursor and copies its line out.
static inv_status_t kmsg_take(struct kmsg_cursor *cursor, struct kmsg_read *r, struct io *io, size_t *out_done) {
    uint64_t before = atomic_load_explicit(&cursor->sequence, memory_order_relaxed), after = before, lost = 0;
    inv_status_t status = log_read(&after, &r->record, &lost);

    if (status != INV_OK)
        return INV_ERR_SHOULD_WAIT;
    if (lost > 0) {
        atomic_compare_exchange_strong(&cursor->sequence, &before, log_first_sequence());
        return INV_ERR_PIPE;
    }
    size_t n = kmsg_format(r->line, &r->record);
    if (n > io->left)
        return INV_ERR_INVALID;
    if (!atomic_compare_exchange_strong(&cursor->sequence, &before, after))
        return INV_ERR_TRY_AGAIN;
    return io_to(io, r->line, n, out_done);
}

static inv_status_t kmsg_read(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct kmsg_cursor *cursor = file->data;
    struct kmsg_read *r = kmalloc(sizeof(*r));
    inv_status_t status;

    (void)position;
    *out_done = 0;
    if (r == NULL)
        return INV_ERR_NO_MEMORY;
    do {
        status = kmsg_take(cursor, r, io, out_done);
        if (status == INV_ERR_SHOULD_WAIT && !file_nonblocking(file)) {
            status = kmsg_wait(atomic_load_explicit(&cursor->sequence, memory_order_relaxed));
            status = status == INV_OK ? INV_ERR_TRY_AGAIN : status;
        }
    } while (status == INV_ERR_TRY_AGAIN);
    kfree(r);
    return status;
}

// "<N>text": the priority N, facility and level; the level alone belongs to the user facility. Returns where the text begins.
static const char *kmsg_priority(const char *line, unsigned *out) {
    const char *end;
    uint64_t priority;

    *out = FACILITY_USER << 3 | LEVEL_DEFAULT;
    if (line[0] != '<' || string_to_u64(line + 1, &end, 10, &priority) != INV_OK || *end != '>' ||
        priority > PRIORITY_MAX)
        return line;
    *out = priority >> 3 != 0 ? (unsigned)priority : FACILITY_USER << 3 | (unsigned)priority;
    return end + 1;
}

static inv_status_t kmsg_write(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    char line[KMSG_TEXT + 8];
    size_t n = MIN(io->left, sizeof(line) - 1), all = io->left;
    unsigned priority;

    (void)file;
    (void)position;
    *out_done = 0;
    inv_status_t status = io_from(io, line, n, &n);
    if (status != INV_OK)
        return status;
    line[n] = '\0';
    const char *text = kmsg_priority(line, &priority);
    log_add(priority, text, strnlen(text, n));
    *out_done = all;
    return INV_OK;
}

static inv_status_t kmsg_seek(struct file *file, int64_t offset, int whence, uint64_t *out_position) {
    struct kmsg_cursor *cursor = file->data;

    if (offset != 0)
        return INV_ERR_NOT_SEEKABLE;
    if (whence != WHENCE_SET && whence != WHENCE_END && whence != WHENCE_DATA)
        return INV_ERR_INVALID;
    atomic_store_explicit(&cursor->sequence, whence == WHENCE_END ? log_next_sequence() : log_first_sequence(),
                          memory_order_relaxed);
    *out_position = 0;
    return INV_OK;
}

static unsigned kmsg_poll(struct file *file, struct poll_set *set) {
    struct kmsg_cursor *cursor = file->data;

    poll_add(set, log_waitq());
    uint64_t sequence = atomic_load_explicit(&cursor->sequence, memory_order_relaxed);
    if (sequence < log_first_sequence())
        return POLL_IN | POLL_RDNORM | POLL_ERR | POLL_PRI;
    return sequence < log_next_sequence() ? POLL_IN | POLL_RDNORM : 0;
}

static const struct file_ops kmsg_ops = {.open = kmsg_open,
                                         .release = kmsg_release,
                                         .read = kmsg_read,
                                         .write = kmsg_write,
                                         .seek = kmsg_seek,
                                         .poll = kmsg_poll};
static struct character_device kmsg = {.number = KMSG_NUMBER, .name = "kmsg", .mode = 0644, .ops = &kmsg_ops};

static inv_status_t kmsg_start(void) {
    return character_device_register(&kmsg);
}
BOOT_CALL("kmsg", BOOT_STAGE_DEVICE, kmsg_start);
