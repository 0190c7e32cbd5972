// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/PID/pagemap and clear_refs: which pages are there, whose they are, what a reader without the capability sees, and what is forgotten.
#include "testing.h"

static uint64_t entries[64];
static int map;

static void look(const char *name, char *address, int count) {
    char line[200];
    size_t used = 0;
    memset(entries, 0, sizeof(entries));
    ssize_t n = pread(map, entries, (size_t)count * 8, (off_t)((uintptr_t)address / PAGE * 8));
    if (n != count * 8) {
        say(name, "%d %s", (int)n, n == -1 ? error_name(errno) : "");
        return;
    }
    for (int i = 0; i < count; i++) {
        used += (size_t)snprintf(line + used, sizeof(line) - used, " %s%s%s%s", entries[i] >> 63 ? "present" : "absent",
                                 entries[i] >> 61 & 1 ? ",file" : "", entries[i] >> 56 & 1 ? ",exclusive" : "",
                                 entries[i] >> 55 & 1 ? ",changed" : "");
    }
    say(name, "%s", line + 1);
}

static long referenced(char *area) {
    static char text[1 << 17];
    char start[32];
    size_t length = 0;
    ssize_t n;
    int fd = MUST(open("/proc/self/smaps", O_RDONLY));
    while (length < sizeof(text) - 1 && (n = read(fd, text + length, sizeof(text) - 1 - length)) > 0) {
        length += (size_t)n;
    }
    close(fd);
    text[length] = 0;
    snprintf(start, sizeof(start), "%08lx-", (long)area);
    char *line = strstr(text, start);
    line = line ? strstr(line, "Referenced:") : NULL;
    return line ? atol(line + 11) : -1;
}

static int as_user(void) {
    char path[64];
    char *area = MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    *area = 1;
    int early = MUST(open("/proc/self/pagemap", O_RDONLY));
    MUST(pread(early, entries, 8, (off_t)((uintptr_t)area / PAGE * 8)));
    say_bool("root sees the frame", (entries[0] & ((1ull << 55) - 1)) != 0);
    snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)getppid());
    MUST(setuid(1000));
    say_ok("another's", open(path, O_RDONLY));
    say_ok("one's own, not dumpable", open("/proc/self/pagemap", O_RDONLY));
    snprintf(path, sizeof(path), "/proc/%d/clear_refs", (int)getppid());
    say_ok("another's clear_refs", open(path, O_WRONLY));
    return 0;
}

static void forget(const char *text) {
    char name[40];
    int fd = MUST(open("/proc/self/clear_refs", O_WRONLY));
    snprintf(name, sizeof(name), "clear_refs < \"%s\"", text);
    say_call(name, write(fd, text, strlen(text)));
    close(fd);
}

int main(void) {
    map = MUST(open("/proc/self/pagemap", O_RDONLY));
    char *area = MUST(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    area[0] = 1;
    look("private: written, untouched", area, 2);
    char *shared = MUST(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    shared[0] = 1;
    MUST(pread(map, entries, 16, (off_t)((uintptr_t)shared / PAGE * 8)));
    say("shared: written, untouched", "%d%d %d%d", (int)(entries[0] >> 63), (int)(entries[0] >> 61 & 1),
        (int)(entries[1] >> 63), (int)(entries[1] >> 61 & 1));
    pid_t child = MUST(fork());
    if (child == 0) {
        area[0] = 2;
        _exit(0);
    }
    reap(child);
    look("after the child's end", area, 1);
    say_call("an odd number of bytes", pread(map, entries, 12, 0));
    say_call("an odd place", pread(map, entries, 8, 4));
    say_call("no bytes", pread(map, entries, 0, 0));
    say_call("beyond the address space", pread(map, entries, 8, (off_t)1 << 60));
    say_call("the last page and beyond", pread(map, entries, 16, (off_t)(0x7ffffffff000 / PAGE * 8 - 8)));
    say_call("a bad address", pread(map, (void *)8, 8, 0));
    say_bool("seek far", lseek(map, (off_t)1 << 40, SEEK_SET) == (off_t)1 << 40);
    say_call("seek from the end", lseek(map, 0, SEEK_END));
    say_ok("open for writing", open("/proc/self/pagemap", O_WRONLY));
    say("Referenced", "%ld", referenced(shared));
    forget("1");
    say("Referenced", "%ld", referenced(shared));
    forget("0");
    forget("6");
    forget("words");
    forget("5");
    say_ok("clear_refs opened for reading", open("/proc/self/clear_refs", O_RDONLY));
    say_child("as a user", as_user);
    return 0;
}
