// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Reader of cpio archives: see cpio_parse.h.
//
// Invariants: I1. position <= size. I2. Every pointer of a member, with its length, lies inside the archive.

#include <kernel/string.h>

#include "cpio_parse.h"

#define HEADER_SIZE  110
#define FIELD_COUNT  13
#define NAME_LIMIT   4096
#define TRAILER_NAME "TRAILER!!!"

void cpio_reader_init(struct cpio_reader *r, const void *archive, size_t size) {
    *r = (struct cpio_reader){.archive = archive, .size = size};
}

#define EACH_BYTE(b) ((b)*0x0101010101010101ull)

// Eight digits at once, a byte each: an archive of some hundred small members is mostly headers. What is not a digit shows when the digits are written
// down again, in lower case.
static bool hex_field(const char *text, uint32_t *out) {
    uint64_t word, digits, ten_or_more;
    memcpy(&word, text,
           sizeof(word)); // the first digit is in the lowest byte on every processor that the kernel runs on
    digits = (word & EACH_BYTE(0x0f)) + (word >> 6 & EACH_BYTE(1)) * 9;
    ten_or_more = (digits + EACH_BYTE(0x76)) >> 7 & EACH_BYTE(1);
    uint64_t again = digits + EACH_BYTE('0') + ten_or_more * ('a' - 10 - '0'),
             lower = word | (word & EACH_BYTE(0x40)) >> 1;
    if ((digits & EACH_BYTE(0xf0)) != 0 || again != lower)
        return false;
    digits = __builtin_bswap64(digits);
    digits = (digits | digits >> 4) & 0x00ff00ff00ff00ffull;
    digits = (digits | digits >> 8) & 0x0000ffff0000ffffull;
    *out = (uint32_t)(digits | digits >> 16);
    return true;
}

static void skip_zeros(struct cpio_reader *r) {
    uint64_t word;
    while (r->size - r->position >= sizeof(word)) {
        __builtin_memcpy(&word, r->archive + r->position, sizeof(word));
        if (word != 0)
            break;
        r->position += sizeof(word);
    }
    while (r->position < r->size && r->archive[r->position] == 0)
        r->position++;
}

// Field order of the format.
enum field {
    F_INO,
    F_MODE,
    F_UID,
    F_GID,
    F_NLINK,
    F_MTIME,
    F_SIZE,
    F_DEV_MAJOR,
    F_DEV_MINOR,
    F_RDEV_MAJOR,
    F_RDEV_MINOR,
    F_NAME_SIZE,
    F_CHECK
};

static bool header_parse(const char *h, uint32_t fields[FIELD_COUNT]) {
    if (memcmp(h, "07070", 5) != 0 || (h[5] != '1' && h[5] != '2'))
        return false;
    for (int i = 0; i < FIELD_COUNT; i++)
        if (!hex_field(h + 6 + 8 * i, &fields[i]))
            return false;
    return true;
}

// One member at the position; *out_next is where the one after it begins.
static bool member_parse(const struct cpio_reader *r, struct cpio_member *out, size_t *out_next) {
    uint32_t f[FIELD_COUNT];
    size_t left = r->size - r->position;
    const char *start = r->archive + r->position;
    if (left < HEADER_SIZE || !header_parse(start, f))
        return false;
    size_t name_size = f[F_NAME_SIZE], data_size = f[F_SIZE];
    if (name_size < 2 || name_size > NAME_LIMIT)
        return false;
    size_t data = ALIGN_UP(HEADER_SIZE + name_size, (size_t)4);
    if (data > left || data_size > left - data)
        return false;
    const char *name = start + HEADER_SIZE;
    if (memchr(name, 0, name_size) != name + name_size - 1)
        return false;
    *out = (struct cpio_member){
        .name = name,
        .name_length = name_size - 1,
        .data = start + data,
        .size = data_size,
        .ino = f[F_INO],
        .mode = f[F_MODE],
        .uid = f[F_UID],
        .gid = f[F_GID],
        .nlink = f[F_NLINK],
        .mtime = f[F_MTIME],
        .dev_major = f[F_DEV_MAJOR],
        .dev_minor = f[F_DEV_MINOR],
        .rdev_major = f[F_RDEV_MAJOR],
        .rdev_minor = f[F_RDEV_MINOR],
    };
    size_t end = ALIGN_UP(data + data_size, (size_t)4);
    *out_next = r->position + MIN(end, left); // the last padding may be missing
    return true;
}

inv_status_t cpio_next(struct cpio_reader *r, struct cpio_member *out) {
    for (;;) {
        size_t next;
        skip_zeros(r);
        if (r->position == r->size)
            return INV_ERR_NOT_FOUND;
        if (!member_parse(r, out, &next))
            return INV_ERR_BAD_MESSAGE;
        r->position = next;
        if (out->name_length != sizeof(TRAILER_NAME) - 1 || memcmp(out->name, TRAILER_NAME, out->name_length) != 0)
            return INV_OK;
    }
}
