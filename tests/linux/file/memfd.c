// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// memfd_create, its names and flags, and seals: what each forbids to writes, sizes, holes and mappings.
#include "testing.h"
#include <sys/uio.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

static void creating(void) {
    char name[300], text[300];
    memset(name, 'x', sizeof(name));
    name[249] = 0;
    say_ok("a name of 249 bytes", memfd_create(name, 0));
    name[249] = 'x', name[250] = 0;
    say_ok("of 250", memfd_create(name, 0));
    say_ok("an empty name", memfd_create("", 0));
    say_ok("bad address", memfd_create((char *)8, 0));
    say_ok("unknown flag", memfd_create("a", 8));
    say_ok("unknown flag and bad address", memfd_create((char *)8, 8));
    say_ok("huge sizes without MFD_HUGETLB", memfd_create("a", 21u << 26));
    int fd = MUST(memfd_create("a/b", MFD_CLOEXEC));
    say_call("close on exec", fcntl(fd, F_GETFD));
    say("F_GETFL", "%#o", fcntl(fd, F_GETFL));
    say_call("seals without MFD_ALLOW_SEALING", fcntl(fd, F_GET_SEALS));
    say_call("adding one", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    struct stat st;
    MUST(fstat(fd, &st));
    say("stat", "%o links %d size %ld uid %d", st.st_mode, (int)st.st_nlink, (long)st.st_size, (int)st.st_uid);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = 0;
    say("link", "%s", text);
    int again = open(name, O_RDONLY);
    MUST(write(fd, "hello", 5));
    char buffer[8] = "";
    say_call("opened again, read", read(again, buffer, sizeof(buffer)));
    say("the same", "%s", buffer);
    say_call("seals through it", fcntl(again, F_GET_SEALS));
    say_call("seal through a reader", fcntl(again, F_ADD_SEALS, F_SEAL_WRITE));
    close(again), close(fd);
    fd = MUST(memfd_create("a", MFD_ALLOW_SEALING));
    say_call("not close on exec", fcntl(fd, F_GETFD));
    say_call("seals with MFD_ALLOW_SEALING", fcntl(fd, F_GET_SEALS));
    say_call("unknown seal", fcntl(fd, F_ADD_SEALS, 0x40));
    say_call("beyond 32 bits", syscall(SYS_fcntl, fd, F_ADD_SEALS, 1L << 32));
    say_call("no seal", fcntl(fd, F_ADD_SEALS, 0));
    say_call("sealed against sealing", fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    say_call("then no other", fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    say_call("nor the same", fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    int file = MUST(open("f", O_RDWR | O_CREAT, 0600)), ends[2];
    MUST(pipe(ends));
    say_call("seals of a file of tmpfs", fcntl(file, F_GET_SEALS));
    say_call("sealing it", fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
    say_call("seals of a pipe", fcntl(ends[1], F_GET_SEALS));
    say_call("sealing it", fcntl(ends[1], F_ADD_SEALS, F_SEAL_WRITE));
    say_call("sealing its reading end", fcntl(ends[0], F_ADD_SEALS, F_SEAL_WRITE));
    say_call("memfd_secret", syscall(SYS_memfd_secret, 0));
    close(fd), close(file), close(ends[0]), close(ends[1]);
}

static int sealed(int seals, long size) {
    int fd = MUST(memfd_create("s", MFD_ALLOW_SEALING));
    MUST(ftruncate(fd, size));
    MUST(fcntl(fd, F_ADD_SEALS, seals));
    return fd;
}

static void say_map(const char *name, int fd, int prot, int flags) {
    void *at = mmap(NULL, PAGE, prot, flags, fd, 0);
    say(name, "%s", at == MAP_FAILED ? error_name(errno) : "ok");
    if (at != MAP_FAILED) {
        if (!(prot & PROT_WRITE)) {
            char more[64];
            snprintf(more, sizeof(more), "%s, made writable", name);
            say_call(more, mprotect(at, PAGE, PROT_READ | PROT_WRITE));
        }
        munmap(at, PAGE);
    }
}

static void shows(const char *kind, int seals) {
    static char page[3 * PAGE];
    char name[64];
    int fd = sealed(seals, 5000);
    say(kind, "-");
    say_call("seals", fcntl(fd, F_GET_SEALS));
    say_call("write inside", pwrite(fd, "x", 1, 10));
    say_call("write over the end of the size", pwrite(fd, page, 100, 4950));
    say_call("write from inside to behind the next page", pwrite(fd, page, 3 * PAGE, 100));
    say_call("write at the end", pwrite(fd, "x", 1, 5000));
    say_call("write of nothing", pwrite(fd, "x", 0, 10));
    say_call("shrink", ftruncate(fd, 4000));
    say_call("grow", ftruncate(fd, 20000));
    say_call("same size", ftruncate(fd, lseek(fd, 0, SEEK_END)));
    say_call("fallocate inside", fallocate(fd, 0, 0, 100));
    say_call("fallocate behind", fallocate(fd, 0, 0, 40000));
    say_call("fallocate behind, size kept", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 80000));
    say_call("hole", fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, PAGE));
    say_map("shared, writable", fd, PROT_READ | PROT_WRITE, MAP_SHARED);
    say_map("shared, read", fd, PROT_READ, MAP_SHARED);
    say_map("private, writable", fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    int reader = MUST(open(name, O_RDONLY));
    say_map("shared, read, by a reader", reader, PROT_READ, MAP_SHARED);
    int writer = open(name, O_RDWR | O_TRUNC);
    say_ok("open with O_TRUNC", writer);
    close(reader), close(writer), close(fd);
}

static void mappings(void) {
    int fd = sealed(0, PAGE);
    char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    say_call("F_SEAL_WRITE while a mapping may write", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    say_call("F_SEAL_FUTURE_WRITE", fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    at[0] = 'w';
    char byte = 0;
    MUST(pread(fd, &byte, 1, 0));
    say("the old mapping writes on", "%c", byte);
    mprotect(at, PAGE, PROT_READ);
    say_call("F_SEAL_WRITE, mapping read-only by mprotect", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    at = mremap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
    say_call("F_SEAL_WRITE, mapping grown", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(at + PAGE, PAGE);
    pid_t pid = fork();
    if (pid == 0) {
        pause();
    }
    munmap(at, PAGE);
    say_call("F_SEAL_WRITE, a child has the mapping", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    kill(pid, SIGKILL);
    reap(pid);
    say_call("F_SEAL_WRITE, nobody has", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    say_call("F_SEAL_WRITE twice", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    close(fd);
    fd = sealed(0, PAGE);
    at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    say_call("F_SEAL_WRITE with a shared mapping for reading", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(at, PAGE);
    at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    say_call("F_SEAL_WRITE with a private mapping", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    at[0] = 'p';
    say("which writes for itself", "%c", at[0]);
    munmap(at, PAGE);
    close(fd);
}

static void hints(void) {
    uint64_t hint = 77;
    int fd = MUST(open("h", O_RDWR | O_CREAT, 0600));
    say_call("F_GET_RW_HINT", fcntl(fd, F_GET_RW_HINT, &hint));
    say("is", "%lu", (unsigned long)hint);
    hint = 3;
    say_call("F_SET_RW_HINT", fcntl(fd, F_SET_RW_HINT, &hint));
    hint = 6;
    say_call("unknown hint", fcntl(fd, F_SET_RW_HINT, &hint));
    MUST(fcntl(fd, F_GET_RW_HINT, &hint));
    say("kept", "%lu", (unsigned long)hint);
    say_call("bad address", fcntl(fd, F_SET_RW_HINT, 8));
    say_call("F_GET_FILE_RW_HINT", fcntl(fd, F_GET_FILE_RW_HINT, &hint));
    say_call("F_SET_FILE_RW_HINT", fcntl(fd, F_SET_FILE_RW_HINT, &hint));
    say_call("unknown command", fcntl(fd, 4711, 0));
}

int main(void) {
    creating();
    shows("no seals", 0);
    shows("F_SEAL_SHRINK", F_SEAL_SHRINK);
    shows("F_SEAL_GROW", F_SEAL_GROW);
    shows("F_SEAL_WRITE", F_SEAL_WRITE);
    shows("F_SEAL_FUTURE_WRITE", F_SEAL_FUTURE_WRITE);
    shows("all", F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
    mappings();
    hints();
    return 0;
}
