// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Reads and writes in all forms and what goes with them: flags of preadv2 and pwritev2, limits of vectors, partial faults, holes, fallocate's modes, size
// limits, advice and safety.
#include "testing.h"
#include <sys/uio.h>

#define FALLOC_FL_NO_HIDE_STALE 0x04
#ifndef FALLOC_FL_COLLAPSE_RANGE
#define FALLOC_FL_COLLAPSE_RANGE 0x08
#define FALLOC_FL_ZERO_RANGE     0x10
#define FALLOC_FL_INSERT_RANGE   0x20
#define FALLOC_FL_UNSHARE_RANGE  0x40
#endif
#ifndef SSIZE_MAX
#define SSIZE_MAX INT64_MAX
#endif

#define RWF_HIPRI  0x01
#define RWF_DSYNC  0x02
#define RWF_SYNC   0x04
#define RWF_NOWAIT 0x08
#define RWF_APPEND 0x10

static ssize_t preadv2(int fd, const struct iovec *v, int n, off_t at, int flags) {
    return syscall(SYS_preadv2, fd, v, n, at, 0L, flags);
}
static ssize_t pwritev2(int fd, const struct iovec *v, int n, off_t at, int flags) {
    return syscall(SYS_pwritev2, fd, v, n, at, 0L, flags);
}

static char page[PAGE];
static int fd, ends[2], folder, path, zero;

static void open_all(void) {
    fd = MUST(open("f", O_RDWR | O_CREAT | O_TRUNC, 0600));
    MUST(pipe(ends));
    folder = MUST(open(".", O_RDONLY));
    path = MUST(open("f", O_PATH));
    zero = MUST(open("/dev/zero", O_RDWR));
}

static void vector_flags(void) {
    static const struct {
        const char *name;
        int flag;
    } flags[] = {{"RWF_HIPRI", RWF_HIPRI},   {"RWF_DSYNC", RWF_DSYNC},   {"RWF_SYNC", RWF_SYNC},
                 {"RWF_NOWAIT", RWF_NOWAIT}, {"RWF_APPEND", RWF_APPEND}, {"unknown", 0x40}};
    char name[64];
    struct iovec v = {"abcd", 4}, in = {page, 4}, none = {page, 0};
    for (size_t i = 0; i < COUNT(flags); i++) {
        snprintf(name, sizeof(name), "pwritev2 %s", flags[i].name);
        say_call(name, pwritev2(fd, &v, 1, 0, flags[i].flag));
        snprintf(name, sizeof(name), "preadv2 %s", flags[i].name);
        say_call(name, preadv2(fd, &in, 1, 0, flags[i].flag));
    }
    say_call("size: appended once", lseek(fd, 0, SEEK_END));
    MUST(lseek(fd, 2, SEEK_SET));
    say_call("RWF_APPEND at the position", pwritev2(fd, &v, 1, -1, RWF_APPEND));
    say_call("moves it", lseek(fd, 0, SEEK_CUR));
    say_call("position -1 reads on", preadv2(fd, &in, 1, -1, 0));
    say_call("position -2", preadv2(fd, &in, 1, -2, 0));
    say_call("an unknown flag with nothing to read", preadv2(fd, &none, 1, 0, 0x40));
    say_call("an unknown flag of a closed descriptor", preadv2(99, &in, 1, 0, 0x40));
    int reader = MUST(open("f", O_RDONLY));
    say_call("an unknown flag of a reader", pwritev2(reader, &v, 1, 0, 0x40));
    say_call("preadv2 of a pipe at a position", preadv2(ends[0], &in, 1, 0, 0));
    MUST(write(ends[1], "pipe", 4));
    say_call("preadv2 of a pipe at -1", preadv2(ends[0], &in, 1, -1, 0));
    close(reader);
}

static void vectors(void) {
    static struct iovec many[1025];
    for (size_t i = 0; i < COUNT(many); i++) {
        many[i] = (struct iovec){page, 1};
    }
    say_call("1024 pieces", pwritev(fd, many, 1024, 0));
    say_call("1025 pieces", pwritev(fd, many, 1025, 0));
    say_call("negative count", pwritev(fd, many, -1, 0));
    say_call("no piece", pwritev(fd, many, 0, 0));
    many[1].iov_len = (size_t)-1;
    say_call("a negative length", pwritev(fd, many, 3, 0));
    many[1] = (struct iovec){page, SSIZE_MAX};
    say_call("a length beyond user memory", pwritev(fd, many, 3, 0));
    many[1] = (struct iovec){(void *)8, 1};
    say_call("a bad piece behind a good one", pwritev(fd, many, 3, 0));
    many[0] = (struct iovec){(void *)8, 1};
    say_call("a bad piece first", pwritev(fd, many, 3, 0));
    say_call("pieces at a bad address", writev(fd, (void *)8, 1));
    say_call("pieces of a closed descriptor at a bad address", writev(99, (void *)8, 1));
    say_call("a folder", readv(folder, (struct iovec[]){{page, 1}}, 1));
    say_call("O_PATH", readv(path, (struct iovec[]){{page, 1}}, 1));
    char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(two + PAGE, PAGE);
    say_call("a write whose end is not there", pwrite(fd, two + PAGE - 10, 100, 0));
    say_call("a read whose end is not there", pread(fd, two + PAGE - 10, 100, 0));
    say_call("a read of nothing at a bad address", read(fd, (void *)8, 0));
    say_call("a read beyond user memory", read(fd, (void *)(1UL << 63), 10));
    say_call("a write with a huge length", write(fd, page, SSIZE_MAX));
    say_call("pread at a negative position", pread(fd, page, 1, -1));
    say_call("pread of a closed descriptor at a negative position", pread(99, page, 1, -1));
    say_call("pread of a pipe", pread(ends[0], page, 1, 0));
    say_call("pwrite of a reader", pwrite(folder, page, 1, 0));
    say_call("write to a reader", write(ends[0], page, 1));
    say_call("read of a writer", read(ends[1], page, 1));
    say_call("read of O_PATH", read(path, page, 1));
}

static void say_seek(const char *name, off_t at, int whence) {
    say_call(name, lseek(fd, at, whence));
}

static void holes(void) {
    MUST(ftruncate(fd, 0));
    say_seek("SEEK_DATA of an empty file", 0, SEEK_DATA);
    say_seek("SEEK_HOLE of an empty file", 0, SEEK_HOLE);
    MUST(ftruncate(fd, 10 * PAGE + 5));
    say_seek("SEEK_DATA of a hole", 0, SEEK_DATA);
    say_seek("SEEK_HOLE of a hole", 100, SEEK_HOLE);
    MUST(pwrite(fd, page, 1, 3 * PAGE + 7));
    MUST(pwrite(fd, page, PAGE, 4 * PAGE));
    MUST(pwrite(fd, page, 1, 8 * PAGE));
    say_seek("SEEK_DATA to the first data", 5, SEEK_DATA);
    say_seek("SEEK_DATA inside data", 3 * PAGE + 100, SEEK_DATA);
    say_seek("SEEK_HOLE before data", 2 * PAGE, SEEK_HOLE);
    say_seek("SEEK_HOLE inside data", 3 * PAGE + 100, SEEK_HOLE);
    say_seek("SEEK_HOLE of the last data", 8 * PAGE, SEEK_HOLE);
    say_seek("SEEK_DATA behind the last", 9 * PAGE, SEEK_DATA);
    say_seek("SEEK_HOLE behind it", 9 * PAGE, SEEK_HOLE);
    say_seek("SEEK_DATA at the end", 10 * PAGE + 5, SEEK_DATA);
    say_seek("SEEK_HOLE at the end", 10 * PAGE + 5, SEEK_HOLE);
    struct stat st;
    MUST(fstat(fd, &st));
    say("blocks", "%ld", (long)st.st_blocks);
    say_call("hole over two", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * PAGE, 2 * PAGE));
    say_seek("SEEK_DATA now", 0, SEEK_DATA);
    MUST(pwrite(fd, "xyz", 3, 8 * PAGE + 1));
    say_call("a hole in a page", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8 * PAGE + 2, 1));
    char text[4] = "";
    MUST(pread(fd, text, 3, 8 * PAGE + 1));
    say("is zeros", "%d %d %d", text[0], text[1], text[2]);
    say_call("a hole behind the end", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100 * PAGE, PAGE));
    MUST(fstat(fd, &st));
    say("size and blocks", "%ld %ld", (long)st.st_size, (long)st.st_blocks);
    say_seek("SEEK_DATA in a folder", 0, SEEK_SET);
    say_call("whence 5", lseek(fd, 0, 5));
    say_call("SEEK_DATA of a pipe", lseek(ends[0], 0, SEEK_DATA));
    say_call("SEEK_END behind the largest", lseek(fd, INT64_MAX, SEEK_END));
    say_call("SEEK_CUR before the beginning", lseek(fd, INT64_MIN, SEEK_CUR));
}

static void allocate(void) {
    static const struct {
        const char *name;
        int mode;
    } modes[] = {
        {"FALLOC_FL_PUNCH_HOLE alone", FALLOC_FL_PUNCH_HOLE},
        {"FALLOC_FL_ZERO_RANGE", FALLOC_FL_ZERO_RANGE},
        {"FALLOC_FL_ZERO_RANGE, KEEP_SIZE", FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE},
        {"PUNCH and ZERO", FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE},
        {"FALLOC_FL_COLLAPSE_RANGE", FALLOC_FL_COLLAPSE_RANGE},
        {"COLLAPSE, KEEP_SIZE", FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE},
        {"FALLOC_FL_INSERT_RANGE", FALLOC_FL_INSERT_RANGE},
        {"INSERT, KEEP_SIZE", FALLOC_FL_INSERT_RANGE | FALLOC_FL_KEEP_SIZE},
        {"FALLOC_FL_UNSHARE_RANGE", FALLOC_FL_UNSHARE_RANGE},
        {"UNSHARE, PUNCH", FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE},
        {"unknown", 0x100},
        {"FALLOC_FL_NO_HIDE_STALE", FALLOC_FL_NO_HIDE_STALE},
    };
    MUST(ftruncate(fd, 0));
    for (size_t i = 0; i < COUNT(modes); i++) {
        say_call(modes[i].name, fallocate(fd, modes[i].mode, 0, PAGE));
    }
    say_call("plain", fallocate(fd, 0, 100, 5000));
    say_call("makes it as large", lseek(fd, 0, SEEK_END));
    say_call("FALLOC_FL_KEEP_SIZE", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 20000));
    say_call("does not", lseek(fd, 0, SEEK_END));
    say_call("negative offset", fallocate(fd, 0, -1, 1));
    say_call("no length", fallocate(fd, 0, 0, 0));
    say_call("negative length", fallocate(fd, 0, 0, -1));
    say_call("end too large", fallocate(fd, 0, INT64_MAX, 1));
    say_call("end wraps", fallocate(fd, 0, INT64_MAX, INT64_MAX));
    int reader = MUST(open("f", O_RDONLY));
    say_call("a reader", fallocate(reader, 0, 0, 1));
    say_call("a reader, unknown mode", fallocate(reader, 0x100, 0, 1));
    say_call("a pipe", fallocate(ends[1], 0, 0, 1));
    say_call("a folder", fallocate(folder, 0, 0, 1));
    say_call("a device", fallocate(zero, 0, 0, 1));
    say_call("O_PATH", fallocate(path, 0, 0, 1));
    say_call("a closed descriptor, no length", fallocate(99, 0, 0, 0));
    close(reader);
}

static volatile sig_atomic_t exceeded;
static void note(int signal) {
    exceeded = signal;
}

static void say_limit(const char *name, long result) {
    int error = errno;
    say(name, "%s, %s", result == -1 ? error_name(error) : "ok", exceeded ? signal_name(exceeded) : "no signal");
    exceeded = 0;
}

static int limited(void) {
    struct rlimit limit = {1000, 1000};
    MUST(ftruncate(fd, 0));
    MUST(setrlimit(RLIMIT_FSIZE, &limit));
    signal(SIGXFSZ, note);
    say_call("write over the limit is cut", pwrite(fd, page, 100, 950));
    say_limit("write at the limit", pwrite(fd, page, 1, 1000));
    say_limit("write of nothing there", pwrite(fd, page, 0, 1000));
    say_limit("ftruncate to the limit", ftruncate(fd, 1000));
    say_limit("ftruncate beyond it", ftruncate(fd, 1001));
    say_limit("truncate beyond it", truncate("f", 2000));
    say_limit("fallocate beyond it", fallocate(fd, 0, 0, 1001));
    say_limit("fallocate beyond it, size kept", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1001));
    say_limit("a hole beyond it", fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 1001));
    int memory = MUST(memfd_create("m", 0));
    say_limit("a memfd, too", pwrite(memory, page, 1, 1000));
    say_limit("a pipe is not concerned", write(ends[1], page, 1001));
    limit.rlim_cur = 0;
    MUST(setrlimit(RLIMIT_FSIZE, &limit));
    say_limit("shrinking is not", ftruncate(fd, 10));
    say_limit("writing inside is", pwrite(fd, page, 1, 0));
    signal(SIGXFSZ, SIG_DFL);
    pwrite(fd, page, 1, 0);
    return 0;
}

static int plain_user(void) {
    MUST(fchmod(fd, 06755));
    MUST(fchown(fd, 1000, 1000));
    MUST(fchmod(fd, 06755));
    MUST(setresuid(1000, 1000, 1000));
    struct stat st;
    MUST(ftruncate(fd, 10));
    MUST(fstat(fd, &st));
    say("after ftruncate", "%o", st.st_mode & 07777);
    MUST(fchmod(fd, 06755));
    MUST(pwrite(fd, "x", 1, 0));
    MUST(fstat(fd, &st));
    say("after write", "%o", st.st_mode & 07777);
    MUST(fchmod(fd, 06755));
    MUST(fallocate(fd, 0, 0, 1));
    MUST(fstat(fd, &st));
    say("after fallocate", "%o", st.st_mode & 07777);
    MUST(fchmod(fd, 06745));
    MUST(pwrite(fd, "x", 1, 0));
    MUST(fstat(fd, &st));
    say("without group execution", "%o", st.st_mode & 07777);
    return 0;
}

static void safety(void) {
    say_call("fsync", fsync(fd));
    say_call("fdatasync", fdatasync(fd));
    say_call("fsync of a folder", fsync(folder));
    say_call("fsync of a pipe", fsync(ends[0]));
    say_call("fsync of O_PATH", fsync(path));
    say_call("fsync of a closed descriptor", fsync(99));
    say_call(
        "sync_file_range",
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
    say_call("sync_file_range, unknown flag", sync_file_range(fd, 0, 0, 8));
    say_call("sync_file_range, negative offset", sync_file_range(fd, -1, 1, 0));
    say_call("sync_file_range, negative length", sync_file_range(fd, 10, -5, 0));
    say_call("sync_file_range, end too large", sync_file_range(fd, INT64_MAX, 1, 0));
    say_call("sync_file_range of a pipe", sync_file_range(ends[0], 0, 1, 0));
    say_call("sync_file_range of a pipe, unknown flag", sync_file_range(ends[0], 0, 1, 8));
    say_call("sync_file_range of a device", sync_file_range(zero, 0, 1, 0));
    say_call("sync_file_range of a folder", sync_file_range(folder, 0, 1, 0));
    say_call("sync_file_range of O_PATH", sync_file_range(path, 0, 1, 0));
    say_call("readahead", readahead(fd, 0, PAGE));
    say_call("readahead of a pipe", readahead(ends[0], 0, PAGE));
    say_call("readahead of its writing end", readahead(ends[1], 0, PAGE));
    say_call("readahead of a folder", readahead(folder, 0, PAGE));
    say_call("readahead of O_PATH", readahead(path, 0, PAGE));
    say_call("readahead of a closed descriptor", readahead(99, 0, PAGE));
    static const int advice[] = {POSIX_FADV_NORMAL,   POSIX_FADV_RANDOM,   POSIX_FADV_SEQUENTIAL,
                                 POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE};
    for (size_t i = 0; i < COUNT(advice); i++) {
        char name[32];
        snprintf(name, sizeof(name), "fadvise64 %zu", i);
        say_call(name, syscall(SYS_fadvise64, fd, 0L, 0L, advice[i]));
    }
    say_call("fadvise64 6", syscall(SYS_fadvise64, fd, 0L, 0L, 6));
    say_call("fadvise64 of a negative length", syscall(SYS_fadvise64, fd, 0L, -1L, 0));
    say_call("fadvise64 of a pipe", syscall(SYS_fadvise64, ends[0], 0L, -1L, 9));
    say_call("fadvise64 of O_PATH", syscall(SYS_fadvise64, path, 0L, 0L, 0));
    for (int i = 0; i < 3; i++) {
        static const int flags[] = {O_SYNC, O_DSYNC, O_DIRECT};
        int other = open("f", O_RDWR | flags[i]);
        say("opened with O_SYNC, O_DSYNC, O_DIRECT", "%s %#o", other == -1 ? error_name(errno) : "ok",
            other == -1 ? 0 : fcntl(other, F_GETFL) & (O_SYNC | O_DSYNC | O_DIRECT));
        if (other != -1) {
            fcntl(other, F_SETFL, 0);
            say("F_SETFL does not clear it", "%#o", fcntl(other, F_GETFL) & (O_SYNC | O_DSYNC));
            close(other);
        }
    }
    say_call("F_SETFL O_DIRECT of a file", fcntl(fd, F_SETFL, O_DIRECT));
    say_call("F_SETFL O_DIRECT of a pipe", fcntl(ends[1], F_SETFL, O_DIRECT));
    say_call("F_SETFL everything",
             fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_NOATIME | O_CREAT | O_TRUNC | O_EXCL | O_SYNC | O_WRONLY));
    say("sets", "%#o", fcntl(fd, F_GETFL) & ~O_LARGEFILE);
    MUST(fcntl(fd, F_SETFL, 0));
}

// Appends are whole and never over each other.
static void append_race(void) {
    enum { WRITERS = 4, EACH = 200, LENGTH = 50 };
    MUST(ftruncate(fd, 0));
    for (int w = 0; w < WRITERS; w++) {
        if (MUST(fork()) == 0) {
            char text[LENGTH];
            memset(text, 'a' + w, sizeof(text));
            int own = MUST(open("f", O_WRONLY | O_APPEND));
            for (int i = 0; i < EACH; i++) {
                MUST(write(own, text, sizeof(text)));
            }
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {}
    int counts[WRITERS] = {0}, torn = 0;
    char text[LENGTH];
    MUST(lseek(fd, 0, SEEK_SET));
    while (read(fd, text, sizeof(text)) == sizeof(text)) {
        counts[(text[0] - 'a') & 3]++;
        for (int i = 1; i < LENGTH; i++) {
            torn += text[i] != text[0];
        }
    }
    say("appended by four", "%d %d %d %d, torn %d", counts[0], counts[1], counts[2], counts[3], torn);
    // One description, shared: each write moves the position on by its length.
    MUST(ftruncate(fd, 0));
    MUST(lseek(fd, 0, SEEK_SET));
    for (int w = 0; w < WRITERS; w++) {
        if (MUST(fork()) == 0) {
            memset(text, 'a' + w, sizeof(text));
            for (int i = 0; i < EACH; i++) {
                MUST(write(fd, text, sizeof(text)));
            }
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {}
    say_call("a shared position", lseek(fd, 0, SEEK_CUR));
    say_call("and the size", lseek(fd, 0, SEEK_END));
}

int main(void) {
    open_all();
    vector_flags();
    vectors();
    holes();
    allocate();
    say_child("RLIMIT_FSIZE", limited);
    reap(spawn(plain_user));
    safety();
    append_race();
    return 0;
}
