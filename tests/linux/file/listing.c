// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// getdents64: every name once, dots, types, small buffers, positions, names that come and go while a folder is read.
#include "testing.h"

struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

static char names[4000][32];
static int types[4000];

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

// Reads all entries with a buffer of the given size. Returns how many.
static int list(int fd, size_t size) {
    static char buffer[65536] __attribute__((aligned(8)));
    int count = 0;
    long length;
    while ((length = syscall(SYS_getdents64, fd, buffer, size)) > 0) {
        for (long at = 0; at < length;) {
            struct entry *entry = (struct entry *)(buffer + at);
            snprintf(names[count], sizeof(names[0]), "%s", entry->name);
            types[count++] = entry->type;
            at += entry->length;
        }
    }
    return length == 0 ? count : -errno;
}

static int opened(const char *path) {
    return MUST(open(path, O_RDONLY | O_DIRECTORY));
}

int main(void) {
    char path[64], small[16];
    MUST(mkdir("d", 0755));
    say("an empty folder", "%d entries", list(opened("d"), 4096));
    MUST(mkdir("d/sub", 0755));
    file_make("d/file", "x", 0644);
    MUST(symlink("file", "d/soft"));
    MUST(mknod("d/fifo", S_IFIFO | 0644, 0));
    int fd = opened("d");
    int count = list(fd, 4096);
    say("four more", "%d entries", count);
    for (int i = 0; i < count; i++) {
        char line[64];
        snprintf(line, sizeof(line), "%s type %d", names[i], types[i]);
        snprintf(names[i], sizeof(names[0]), "%.31s", line);
    }
    qsort(names, (size_t)count, sizeof(names[0]), compare);
    for (int i = 0; i < count; i++) {
        say("  entry", "%s", names[i]);
    }
    say("at the end", "%d", list(fd, 4096));
    lseek(fd, 0, SEEK_SET);
    say("after going back", "%d", list(fd, 4096));
    lseek(fd, 0, SEEK_SET);
    say_call("buffer too small for one", syscall(SYS_getdents64, fd, small, 8));
    say_call("bad address", syscall(SYS_getdents64, fd, (void *)8, 4096));
    say_call("of a file", syscall(SYS_getdents64, MUST(open("d/file", O_RDONLY)), small, 16));
    say_call("of a closed descriptor", syscall(SYS_getdents64, 99, small, 16));

    MUST(mkdir("many", 0755));
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "many/file-%d", i);
        int new = MUST(open(path, O_WRONLY | O_CREAT, 0644));
        close(new);
    }
    count = list(opened("many"), 300);
    qsort(names, (size_t)(count > 0 ? count : 0), sizeof(names[0]), compare);
    int unique = 0;
    for (int i = 0; i < count; i++) {
        unique += i == 0 || strcmp(names[i], names[i - 1]) != 0;
    }
    say("a thousand files with a small buffer", "%d entries, %d different", count, unique);

    // As rm does: read a part, remove it, go on. What was there all the time must be seen.
    fd = opened("many");
    int removed = 0;
    long length;
    static char buffer[600] __attribute__((aligned(8)));
    while ((length = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0) {
        for (long at = 0; at < length;) {
            struct entry *entry = (struct entry *)(buffer + at);
            if (entry->name[0] != '.') {
                snprintf(path, sizeof(path), "many/%.40s", entry->name);
                removed += unlink(path) == 0;
            }
            at += entry->length;
        }
    }
    say("removed while reading", "%d", removed);
    say_call("then rmdir", rmdir("many"));
    fd = opened("d");
    MUST(unlink("d/file"));
    MUST(unlink("d/soft"));
    MUST(unlink("d/fifo"));
    MUST(rmdir("d/sub"));
    MUST(rmdir("d"));
    say("a folder that is gone", "%d", list(fd, 4096));
    return 0;
}
