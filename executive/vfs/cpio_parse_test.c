// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
// host-test-sources: executive/vfs/cpio_parse.c
//
// The reader of cpio archives: what it finds in good ones, and that nothing in a bad one leads it outside. With -DFUZZ it is a libFuzzer target instead:
//     clang -std=gnu17 -g -fsanitize=fuzzer,address,undefined -DFUZZ -Ikernel/include -Ikernel/arch/x86_64/include -Iabi/include
//         executive/vfs/cpio_parse_test.c executive/vfs/cpio_parse.c
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpio_parse.h"

static char archive[1 << 16];
static size_t used;

static void add_sized(const char *name, size_t name_size, uint32_t mode, const char *data, size_t size) {
    char header[111];
    snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 7u, mode, 1u, 2u,
             1u, 99u, size, 8u, 9u, 5u, 6u, name_size, 0u);
    memcpy(archive + used, header, 110);
    memcpy(archive + used + 110, name, name_size);
    used = (used + 110 + name_size + 3) & ~(size_t)3;
    memcpy(archive + used, data, size);
    used = (used + size + 3) & ~(size_t)3;
}

static void add(const char *name, uint32_t mode, const char *data) {
    add_sized(name, strlen(name) + 1, mode, data, strlen(data));
}

static void start(void) {
    memset(archive, 0, sizeof(archive));
    used = 0;
}

// Reads to the end from a copy that is exactly as large, so that the sanitizer sees a step too far. Touches all that members point to.
static inv_status_t read_all(const void *bytes, size_t size, unsigned *out_members) {
    char *copy = malloc(size != 0 ? size : 1);
    struct cpio_reader r;
    struct cpio_member m;
    inv_status_t s;
    unsigned members = 0;
    volatile unsigned char sum = 0;
    memcpy(copy, bytes, size);
    cpio_reader_init(&r, copy, size);
    while ((s = cpio_next(&r, &m)) == INV_OK) {
        assert(m.name >= copy && m.name + m.name_length + 1 <= copy + size && strlen(m.name) == m.name_length);
        assert(m.data >= copy && m.size <= (size_t)(copy + size - m.data) && r.position <= size);
        for (size_t i = 0; i < m.size; i += 64)
            sum ^= (unsigned char)m.data[i];
        members++;
    }
    assert(s == INV_ERR_NOT_FOUND || s == INV_ERR_BAD_MESSAGE);
    free(copy);
    *out_members = members;
    return s;
}

#ifdef FUZZ
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned members;
    (void)read_all(data, size, &members);
    return 0;
}
#else

static void members_have_their_fields(void) {
    struct cpio_reader r;
    struct cpio_member m;
    start();
    add("etc/motd", 0100644, "hello\n");
    add("TRAILER!!!", 0, "");
    cpio_reader_init(&r, archive, used);
    assert(cpio_next(&r, &m) == INV_OK && strcmp(m.name, "etc/motd") == 0 && m.size == 6 &&
           memcmp(m.data, "hello\n", 6) == 0);
    assert(m.mode == 0100644 && m.uid == 1 && m.gid == 2 && m.nlink == 1 && m.mtime == 99 && m.ino == 7);
    assert(m.dev_major == 8 && m.dev_minor == 9 && m.rdev_major == 5 && m.rdev_minor == 6);
    assert(cpio_next(&r, &m) == INV_ERR_NOT_FOUND);
}

static void archives_follow_each_other_behind_zeros(void) {
    unsigned n;
    start();
    add("a", 0100644, "1");
    add("TRAILER!!!", 0, "");
    used += 512;
    add("b", 0100644, "22");
    add("TRAILER!!!", 0, "");
    used += 100;
    assert(read_all(archive, used, &n) == INV_ERR_NOT_FOUND && n == 2);
}

static void every_cut_is_found_or_harmless(void) {
    unsigned n;
    start();
    add("first", 0100644, "some data of the first");
    add("second/with/a/longer/name", 0120777, "target");
    for (size_t size = 0; size <= used; size++) {
        inv_status_t s = read_all(archive, size, &n);
        assert(n <= 2 && (s == INV_ERR_NOT_FOUND || s == INV_ERR_BAD_MESSAGE));
    }
}

static void names_are_checked(void) {
    unsigned n;
    start();
    add_sized("no end", 6, 0100644, "", 0); // without its NUL
    assert(read_all(archive, used, &n) == INV_ERR_BAD_MESSAGE && n == 0);
    start();
    add_sized("a\0b", 4, 0100644, "", 0); // a NUL inside
    assert(read_all(archive, used, &n) == INV_ERR_BAD_MESSAGE && n == 0);
    start();
    add("x", 0100644, "");
    memcpy(archive + 94, "ffffffff", 8); // name size
    assert(read_all(archive, used, &n) == INV_ERR_BAD_MESSAGE);
    memcpy(archive + 94, "0000000g", 8);
    assert(read_all(archive, used, &n) == INV_ERR_BAD_MESSAGE);
}

static void every_changed_byte_is_survived(void) {
    unsigned n, seed = 1;
    start();
    add("first", 0100644, "some data");
    add("second", 0040755, "");
    add("TRAILER!!!", 0, "");
    for (int turn = 0; turn < 20000; turn++) {
        char saved[4];
        size_t at[4];
        for (int i = 0; i < 4; i++) {
            seed = seed * 1103515245 + 12345;
            at[i] = (seed >> 8) % used;
            saved[i] = archive[at[i]];
            archive[at[i]] = (char)(turn % 3 == 0 ? '0' + seed % 23 : seed >> 24);
        }
        (void)read_all(archive, used, &n);
        for (int i = 3; i >= 0; i--)
            archive[at[i]] = saved[i];
    }
}

int main(void) {
    members_have_their_fields();
    archives_follow_each_other_behind_zeros();
    every_cut_is_found_or_harmless();
    names_are_checked();
    every_changed_byte_is_survived();
    puts("cpio reader: ok");
    return 0;
}
#endif
