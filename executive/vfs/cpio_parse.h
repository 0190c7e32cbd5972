// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Reader of cpio archives in the "newc" format (070701, and 070702 with check sums that are not looked at). Pure: no allocation, no kernel services; tested and
// fuzzed on the host. The archive may hold anything.
//
// A member:  header, 6 + 13 x 8 hexadecimal digits | name, NUL, padding to 4 | data, padding to 4
// The last member is called TRAILER!!!; behind zeros another archive may follow.
#ifndef VFS_CPIO_PARSE_H
#define VFS_CPIO_PARSE_H

#include <kernel/types.h>

struct cpio_reader {
    const char *archive;
    size_t size, position;
};
struct cpio_member {
    const char *name; // in the archive, terminated
    size_t name_length;
    const char *data; // in the archive
    size_t size;
    uint32_t ino, mode, uid, gid, nlink, mtime, dev_major, dev_minor, rdev_major, rdev_minor;
};
void cpio_reader_init(struct cpio_reader *r, const void *archive, size_t size);
// The next member. NOT_FOUND: none left. BAD_MESSAGE: broken at r->position, which does not move.
must_check inv_status_t cpio_next(struct cpio_reader *r, struct cpio_member *out);

#endif
