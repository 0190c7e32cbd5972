// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /dev/null, zero, full, random and urandom, as random(4), null(4) and full(4) describe them. Called through the file operations, in thread context.

#include <executive/device.h>
#include <executive/random.h>

#include <arch/usercopy.h>
#include <kernel/boot.h>
#include <kernel/process.h>
#include <kernel/string.h>

#define MAJOR_MEMORY   1
#define RNDGETENTCNT   0x80045200u
#define RNDADDTOENTCNT 0x40045201u
#define RNDADDENTROPY  0x40085203u
#define RNDZAPENTCNT   0x5204u
#define RNDCLEARPOOL   0x5206u
#define RNDRESEEDCRNG  0x5207u
#define ENTROPY_BITS   256 // what the pool holds once it is seeded
#define RANDOM_PIECE   256

// Bytes that moved win over an error that came later.
static inv_status_t moved_or(size_t done, inv_status_t status) {
    return done > 0 ? INV_OK : status;
}

static inv_status_t null_read(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    (void)file;
    (void)io;
    (void)position;
    *out_done = 0;
    return INV_OK;
}

static inv_status_t null_write(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    (void)file;
    (void)position;
    *out_done = io->left;
    io->left = 0;
    return INV_OK;
}

static inv_status_t null_seek(struct file *file, int64_t offset, int whence, uint64_t *out_position) {
    (void)file;
    (void)offset;
    (void)whence;
    *out_position = 0;
    return INV_OK;
}

static inv_status_t zero_read(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    (void)file;
    (void)position;
    *out_done = 0;
    while (io->left > 0) {
        size_t done = 0;
        inv_status_t status = io_zero(io, MIN(io->left, PAGE_SIZE), &done);

        *out_done += done;
        if (status != INV_OK)
            return moved_or(*out_done, status);
        if (thread_killed(current_thread()))
            break;
    }
    return INV_OK;
}

// Memory like an anonymous mapping's, as large as anybody may map.
static inv_status_t zero_map(struct file *file, bool shared, struct vmo **out) {
    (void)file;
    (void)shared;
    return vmo_create(current_process()->obj.job, VMO_MAX_SIZE, out);
}

static inv_status_t full_write(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    (void)file;
    (void)io;
    (void)position;
    *out_done = 0;
    return INV_ERR_NO_SPACE;
}

static inv_status_t random_read_file(struct io *io, unsigned flags, size_t *out_done) {
    char piece[RANDOM_PIECE];
    inv_status_t status = INV_OK;

    *out_done = 0;
    while (io->left > 0 && status == INV_OK) {
        size_t n = MIN(io->left, sizeof(piece)), done = 0;

        status = random_read(piece, n, flags);
        if (status == INV_ERR_INTERRUPTED)
            status = INV_ERR_RESTART;
        if (status == INV_OK)
            status = io_to(io, piece, n, &done);
        *out_done += done;
        if (atomic_load_explicit(&current_thread()->user_work, memory_order_relaxed) != 0)
            break;
    }
    memset(piece, 0, sizeof(piece));
    return moved_or(*out_done, status);
}

static inv_status_t random_device_read(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    (void)position;
    return random_read_file(io, file_nonblocking(file) ? RANDOM_NONBLOCK : 0, out_done);
}

static inv_status_t urandom_device_read(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    (void)file;
    (void)position;
    return random_read_file(io, RANDOM_INSECURE, out_done);
}

// What users write is mixed in and counts for nothing.
static inv_status_t random_device_write(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    char piece[RANDOM_PIECE];
    inv_status_t status = INV_OK;

    (void)file;
    (void)position;
    *out_done = 0;
    while (io->left > 0 && status == INV_OK) {
        size_t done = 0;

        status = io_from(io, piece, MIN(io->left, sizeof(piece)), &done);
        random_mix(piece, done, 0);
        *out_done += done;
        if (thread_killed(current_thread()))
            break;
    }
    return moved_or(*out_done, status);
}

// What the pool is told of its own contents: a number of bits that must not be negative.
static inv_status_t bits_get(uint64_t address, uint32_t *out) {
    inv_status_t s = arch_user_load32((const uint32_t user_ptr *)address, out);

    return s != INV_OK ? s : (int32_t)*out < 0 ? INV_ERR_INVALID : INV_OK;
}

// struct rand_pool_info: bits, bytes, and the bytes themselves.
static inv_status_t entropy_add(uint64_t address) {
    uint32_t bits, size;
    char piece[RANDOM_PIECE];
    inv_status_t s = bits_get(address, &bits);

    if (s == INV_OK)
        s = arch_user_load32((const uint32_t user_ptr *)(address + 4), &size);
    if (s == INV_OK && (int32_t)size < 0)
        s = INV_ERR_FAULT;
    for (uint32_t at = 0; s == INV_OK && at < size && !thread_killed(current_thread()); at += RANDOM_PIECE) {
        size_t n = MIN(size - at, (uint32_t)RANDOM_PIECE);
        s = arch_copy_from_user(piece, (const void user_ptr *)(address + 8 + at), n);
        if (s == INV_OK)
            random_mix(piece, n, 0);
    }
    if (s == INV_OK)
        random_mix(NULL, 0, MIN(bits, (uint32_t)ENTROPY_BITS));
    return s;
}

static inv_status_t random_device_ioctl(struct file *file, unsigned command, uint64_t argument, int64_t *out_result) {
    uint32_t bits;
    inv_status_t s;

    (void)file;
    *out_result = 0;
    switch (command) {
    case RNDGETENTCNT: return arch_user_store32((uint32_t user_ptr *)argument, random_seeded() ? ENTROPY_BITS : 0);
    case RNDADDTOENTCNT:
    case RNDADDENTROPY:
    case RNDZAPENTCNT:
    case RNDCLEARPOOL:
    case RNDRESEEDCRNG: break;
    default: return INV_ERR_INVALID;
    }
    if (!token_capable(vfs_current_token(), CAP_SYS_ADMIN))
        return INV_ERR_NOT_PERMITTED;
    switch (command) {
    case RNDADDTOENTCNT:
        s = bits_get(argument, &bits);
        if (s == INV_OK)
            random_mix(NULL, 0, MIN(bits, (uint32_t)ENTROPY_BITS));
        return s;
    case RNDADDENTROPY: return entropy_add(argument);
    case RNDRESEEDCRNG: return random_reseed() ? INV_OK : INV_ERR_NO_DATA;
    default: return INV_OK; // what is known of the pool cannot be taken away from it
    }
}

static const struct file_ops null_ops = {.read = null_read, .write = null_write, .seek = null_seek};
static const struct file_ops zero_ops = {.read = zero_read, .write = null_write, .seek = null_seek, .map = zero_map};
static const struct file_ops full_ops = {.read = zero_read, .write = full_write, .seek = null_seek};
// Readable once there is a seed; until then writable, which may bring one.
static unsigned random_device_poll(struct file *file, struct poll_set *set) {
    (void)file;
    poll_add(set, random_seed_waitq());
    return random_seeded() ? POLL_IN | POLL_RDNORM : POLL_OUT | POLL_WRNORM;
}

static const struct file_ops random_ops = {.read = random_device_read,
                                           .write = random_device_write,
                                           .seek = null_seek,
                                           .poll = random_device_poll,
                                           .ioctl = random_device_ioctl};
static const struct file_ops urandom_ops = {
    .read = urandom_device_read, .write = random_device_write, .seek = null_seek, .ioctl = random_device_ioctl};

static struct character_device devices[] = {
    {.number = DEVNO(MAJOR_MEMORY, 3), .name = "null", .mode = 0666, .ops = &null_ops},
    {.number = DEVNO(MAJOR_MEMORY, 5), .name = "zero", .mode = 0666, .ops = &zero_ops},
    {.number = DEVNO(MAJOR_MEMORY, 7), .name = "full", .mode = 0666, .ops = &full_ops},
    {.number = DEVNO(MAJOR_MEMORY, 8), .name = "random", .mode = 0666, .ops = &random_ops},
    {.number = DEVNO(MAJOR_MEMORY, 9), .name = "urandom", .mode = 0666, .ops = &urandom_ops},
};

static inv_status_t memory_devices_start(void) {
    inv_status_t status = INV_OK;

    for (size_t i = 0; i < ARRAY_SIZE(devices) && status == INV_OK; i++)
        status = character_device_register(&devices[i]);
    return status;
}
BOOT_CALL("memory devices", BOOT_STAGE_DEVICE, memory_devices_start);
