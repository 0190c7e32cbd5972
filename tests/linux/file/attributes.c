// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Attributes in their corners: chmod and chown with set-id bits and capabilities, utimensat in all forms, statx, access, stat's flags, umask.
#include "testing.h"
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/prctl.h>
#include <utime.h>

#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

#ifndef AT_STATX_SYNC_TYPE
#define AT_STATX_SYNC_AS_STAT 0
#define AT_STATX_FORCE_SYNC   0x2000
#define AT_STATX_DONT_SYNC    0x4000
#define AT_STATX_SYNC_TYPE    0x6000
#endif
#ifndef STATX_BASIC_STATS
#define STATX_TYPE        0x1
#define STATX_MODE        0x2
#define STATX_NLINK       0x4
#define STATX_UID         0x8
#define STATX_GID         0x10
#define STATX_ATIME       0x20
#define STATX_MTIME       0x40
#define STATX_CTIME       0x80
#define STATX_INO         0x100
#define STATX_SIZE        0x200
#define STATX_BLOCKS      0x400
#define STATX_BASIC_STATS 0x7ff
#define STATX_BTIME       0x800
#define STATX_ALL         0xfff
#endif
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000
#endif
#ifndef STATX_DIOALIGN
#define STATX_DIOALIGN 0x2000
#endif
#ifndef STATX__RESERVED
#define STATX__RESERVED 0x80000000u
#endif

struct statx_result {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, pad;
    uint64_t ino, size, blocks, attributes_mask;
    struct {
        int64_t seconds;
        uint32_t nanoseconds;
        int32_t pad;
    } atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mount, spare[13];
};

static unsigned mode_of(const char *path) {
    struct stat status;
    return lstat(path, &status) == -1 ? 0 : (unsigned)status.st_mode & 07777;
}

static void capabilities_set(uint64_t effective) {
    struct {
        uint32_t version;
        int pid;
    } header = {0x20080522, 0};
    uint32_t data[6] = {(uint32_t)effective,         (uint32_t)effective,         0,
                        (uint32_t)(effective >> 32), (uint32_t)(effective >> 32), 0};
    MUST(syscall(SYS_capset, &header, data));
}

// Makes the file anew with owner and mode, as root did.
static void fresh(const char *path, uid_t uid, gid_t gid, mode_t mode) {
    unlink(path);
    file_make(path, "x", 0600);
    MUST(chown(path, uid, gid));
    MUST(chmod(path, mode));
}

static void say_mode(const char *name, long result, const char *path) {
    say(name, "%s, mode %04o", result == -1 ? error_name(errno) : "ok", mode_of(path));
}

static void root_changes(void) {
    fresh("f", 1000, 1000, 06777);
    say_mode("root: chown of a set-id file", chown("f", 1001, 1001), "f");
    fresh("f", 1000, 1000, 06767);
    say_mode("root: chown of one for mandatory locks", chown("f", 1001, 1001), "f");
    fresh("f", 1000, 1000, 06777);
    say_mode("root: chown of nothing", chown("f", -1, -1), "f");
    MUST(mkdir("d", 0755));
    MUST(chmod("d", 07777));
    say_mode("root: chown of a folder", chown("d", 1000, 1000), "d");
    fresh("f", 0, 1234, 0777);
    say_mode("root: set-gid for a group that is not its own", chmod("f", 02777), "f");
    say_mode("root: bits beyond", chmod("f", 0177777), "f");
    MUST(symlink("f", "s"));
    say_mode("root: chown through a link", chown("s", 5, 5), "f");
    say_mode("root: lchown of a link", lchown("s", 7, 7), "s");
    struct stat status;
    MUST(lstat("s", &status));
    say("the link's owner", "%d %d", (int)status.st_uid, (int)status.st_gid);
    int fd = MUST(open("f", O_PATH)), link_fd = MUST(open("s", O_PATH | O_NOFOLLOW));
    say_call("fchown of O_PATH", fchown(fd, 1, 1));
    say_call("fchmod of O_PATH", syscall(SYS_fchmod, fd, 0600));
    say_call("fchownat AT_EMPTY_PATH of O_PATH", fchownat(fd, "", 9, 9, AT_EMPTY_PATH));
    say_call("fchownat AT_EMPTY_PATH of a link", fchownat(link_fd, "", 8, 8, AT_EMPTY_PATH));
    say_call("fchownat without the flag", fchownat(fd, "", 9, 9, 0));
    say_call("fchownat AT_SYMLINK_NOFOLLOW", fchownat(AT_FDCWD, "s", 6, 6, AT_SYMLINK_NOFOLLOW));
    say_call("fchownat with an unknown flag", fchownat(AT_FDCWD, "s", 6, 6, 0x200));
    say_call("fchmodat through a link", syscall(SYS_fchmodat, AT_FDCWD, "s", 0640));
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    say_mode("chmod through /proc of O_PATH", chmod(path, 0604), "f");
    say_call("chmod of a dangling link", (symlink("nowhere", "dangling"), chmod("dangling", 0600)));
    say_call("chmod with a slash behind a file", chmod("f/", 0600));
    say_call("chown of a missing one", chown("missing", 0, 0));
    say_call("fchmod of none", fchmod(-1, 0600));
    close(fd);
    close(link_fd);
    say("umask", "%04o", (unsigned)umask(0777));
    say("umask", "%04o", (unsigned)umask(07777));
    say("umask keeps nine bits", "%04o", (unsigned)umask(022));
}

static int user_changes(void) {
    gid_t groups[1] = {50};
    fresh("mine", 1000, 1000, 0777);
    fresh("mine2", 1000, 1000, 06777);
    fresh("mine3", 1000, 50, 06777);
    fresh("mine4", 1000, 51, 0777);
    fresh("mine5", 1000, 1000, 06767);
    fresh("mine6", 1000, 51, 02767);
    fresh("theirs", 0, 0, 0666);
    MUST(setgroups(1, groups));
    MUST(setgid(1000));
    MUST(setuid(1000));
    say_mode("user: chmod", chmod("mine", 06755), "mine");
    say_mode("user: chmod of another's", chmod("theirs", 0644), "theirs");
    say_mode("user: chown to another", chown("mine2", 1001, -1), "mine2");
    say_mode("user: chown to oneself", chown("mine2", 1000, -1), "mine2");
    say_mode("user: chown to a group of one's own", chown("mine3", -1, 1000), "mine3");
    say_mode("user: chown to another group", chown("mine3", -1, 51), "mine3");
    say_mode("user: chown of nothing", chown("mine5", -1, -1), "mine5");
    say_mode("user: chown of nothing, another's group", chown("mine6", -1, -1), "mine6");
    say_mode("user: chown of nothing of another's", chown("theirs", -1, -1), "theirs");
    say_mode("user: chown of another's to its owner", chown("theirs", 0, 0), "theirs");
    say_mode("user: set-gid for another's group", chmod("mine4", 02755), "mine4");
    int fd = MUST(open("mine", O_RDWR));
    MUST(fchmod(fd, 06777));
    write(fd, "x", 1);
    say_mode("user: after a write", 0, "mine");
    MUST(fchmod(fd, 06767));
    write(fd, "x", 1);
    say_mode("user: after a write, for mandatory locks", 0, "mine");
    MUST(fchmod(fd, 06777));
    MUST(ftruncate(fd, 0));
    say_mode("user: after a truncation", 0, "mine");
    MUST(fchmod(fd, 06777));
    close(MUST(open("mine", O_WRONLY | O_TRUNC)));
    say_mode("user: after O_TRUNC", 0, "mine");
    struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}}, half[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}},
                    set[2] = {{1, 0}, {2, 0}};
    struct timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    say_call("user: times of another's writable file, NULL", utimensat(AT_FDCWD, "theirs", NULL, 0));
    say_call("user: both now", utimensat(AT_FDCWD, "theirs", now, 0));
    say_call("user: one now, one kept", utimensat(AT_FDCWD, "theirs", half, 0));
    say_call("user: set", utimensat(AT_FDCWD, "theirs", set, 0));
    say_call("user: both kept", utimensat(AT_FDCWD, "theirs", omit, 0));
    say_call("user: times of another's file, not writable", utimensat(AT_FDCWD, "closed", NULL, 0));
    say_call("user: set, not writable", utimensat(AT_FDCWD, "closed", set, 0));
    return 0;
}

// Capabilities one by one, of a user without an identity here.
static int with_capability(const char *name, uint64_t set) {
    char title[100];
    MUST(prctl(8, 1, 0, 0, 0)); // PR_SET_KEEPCAPS
    MUST(setgroups(0, NULL));
    MUST(setresgid(1000, 1000, 1000));
    MUST(setresuid(1000, 1000, 1000));
    capabilities_set(set);
#define TRY(what, call, path)                                 \
    do {                                                      \
        snprintf(title, sizeof(title), "%s: %s", name, what); \
        say_mode(title, call, path);                          \
    } while (0)
    TRY("chmod", chmod("c-chmod", 0640), "c-chmod");
    TRY("set-gid", chmod("c-chmod", 02755), "c-chmod");
    TRY("set-gid of an own file of another group", chmod("c-own", 02755), "c-own");
    TRY("chown", chown("c-chown", 1002, 1002), "c-chown");
    TRY("chown of a set-id file", chown("c-set", 1002, 1002), "c-set");
    TRY("read", open("c-closed", O_RDONLY), "c-closed");
    TRY("write", open("c-closed", O_WRONLY), "c-closed");
    TRY("access X_OK", access("c-closed", X_OK), "c-closed");
    TRY("faccessat AT_EACCESS R_OK", syscall(SYS_faccessat2, AT_FDCWD, "c-closed", R_OK, AT_EACCESS), "c-closed");
    TRY("list a closed folder", open("c-folder", O_RDONLY | O_DIRECTORY), "c-folder");
    TRY("search a closed folder", access("c-folder/f", F_OK), "c-folder");
    TRY("search it with AT_EACCESS", syscall(SYS_faccessat2, AT_FDCWD, "c-folder/f", F_OK, AT_EACCESS), "c-folder");
    TRY("new file in a closed folder", mknod("c-folder/new", S_IFREG | 0600, 0), "c-folder");
    TRY("unlink in another's sticky folder", unlink("c-sticky/f"), "c-sticky");
    TRY("times", utimensat(AT_FDCWD, "c-chmod", (struct timespec[2]){{1, 0}, {1, 0}}, 0), "c-chmod");
    TRY("O_NOATIME", open("c-readable", O_RDONLY | O_NOATIME), "c-readable");
    TRY("a device", mknod("c-sticky/dev", S_IFCHR | 0600, makedev(1, 3)), "c-sticky");
    TRY("chroot", chroot("."), "c-sticky");
    int fd = open("c-write", O_WRONLY);
    write(fd, "x", 1);
    TRY("set-id bits after a write", 0, "c-write");
    return 0;
}

static void capability(const char *name, uint64_t set) {
    fresh("c-chmod", 0, 0, 0600);
    fresh("c-own", 1000, 51, 0755);
    fresh("c-chown", 0, 0, 0600);
    fresh("c-set", 0, 0, 06755);
    fresh("c-closed", 0, 0, 0);
    fresh("c-readable", 0, 0, 0644);
    fresh("c-write", 0, 0, 06777);
    mkdir("c-folder", 0700);
    file_make("c-folder/f", "x", 0644);
    unlink("c-folder/new");
    mkdir("c-sticky", 0777);
    MUST(chmod("c-sticky", 01777));
    unlink("c-sticky/dev");
    fresh("c-sticky/f", 0, 0, 0644);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(with_capability(name, set));
    }
    say(name, "%s", status_text(reap(pid)));
}

static void say_times(const char *name, long result, const char *path) {
    struct stat status;
    lstat(path, &status);
    if (result == -1) {
        say(name, "%s", error_name(errno));
        return;
    }
    bool now[2] = {status.st_atim.tv_sec > 1000000, status.st_mtim.tv_sec > 1000000};
    char text[2][40];
    for (int i = 0; i < 2; i++) {
        struct timespec *t = i ? &status.st_mtim : &status.st_atim;
        if (now[i]) {
            strcpy(text[i], "now");
        } else {
            snprintf(text[i], sizeof(text[i]), "%ld.%09ld", (long)t->tv_sec, t->tv_nsec);
        }
    }
    say(name, "%s, %s", text[0], text[1]);
}

static long utimens_at(int folder, const char *path, struct timespec *times, int flags) {
    return syscall(SYS_utimensat, folder, path, times, flags);
}

static void times(void) {
    fresh("t", 0, 0, 0644);
    MUST(symlink("t", "ts"));
    struct timespec set[2] = {{100, 1}, {200, 999999999}}, bad[2] = {{1, 1000000000}, {1, 0}},
                    negative[2] = {{1, 0}, {1, -1}};
    struct timespec mixed[2] = {{7, UTIME_OMIT}, {5, UTIME_NOW}}, old[2] = {{-5, 5}, {-1, 0}},
                    bad_omit[2] = {{1, 1000000000}, {0, UTIME_OMIT}};
    int fd = MUST(open("t", O_RDONLY)), place = MUST(open("t", O_PATH)),
        link_place = MUST(open("ts", O_PATH | O_NOFOLLOW));
    say_times("set", utimens_at(AT_FDCWD, "t", set, 0), "t");
    say_times("one kept, one now", utimens_at(AT_FDCWD, "t", mixed, 0), "t");
    say_times("before the epoch", utimens_at(AT_FDCWD, "t", old, 0), "t");
    say_times("NULL", utimens_at(AT_FDCWD, "t", NULL, 0), "t");
    say_times("nanoseconds too large", utimens_at(AT_FDCWD, "t", bad, 0), "t");
    say_times("negative nanoseconds", utimens_at(AT_FDCWD, "t", negative, 0), "t");
    say_times("one bad, one kept", utimens_at(AT_FDCWD, "t", bad_omit, 0), "t");
    say_times("bad nanoseconds of a missing file", utimens_at(AT_FDCWD, "missing", bad, 0), "t");
    say_times("by a descriptor", utimens_at(fd, NULL, set, 0), "t");
    say_times("by a descriptor with flags", utimens_at(fd, NULL, set, AT_SYMLINK_NOFOLLOW), "t");
    say_times("by O_PATH", utimens_at(place, NULL, set, 0), "t");
    say_times("AT_EMPTY_PATH of O_PATH", utimens_at(place, "", NULL, AT_EMPTY_PATH), "t");
    say_times("AT_EMPTY_PATH of a link", utimens_at(link_place, "", set, AT_EMPTY_PATH), "ts");
    say_times("the empty name without the flag", utimens_at(place, "", set, 0), "t");
    say_times("AT_SYMLINK_NOFOLLOW", utimens_at(AT_FDCWD, "ts", NULL, AT_SYMLINK_NOFOLLOW), "ts");
    say_times("an unknown flag", utimens_at(AT_FDCWD, "t", set, AT_SYMLINK_FOLLOW), "t");
    say_times("no path, AT_FDCWD", utimens_at(AT_FDCWD, NULL, set, 0), "t");
    say_times("no path, no descriptor", utimens_at(-1, NULL, set, 0), "t");
    say_times("no descriptor, unknown flag", utimens_at(-1, NULL, set, 0x4000), "t");
    say_times("a bad address", syscall(SYS_utimensat, AT_FDCWD, "t", 16L, 0L), "t");
    struct timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    say_times("both kept, of a missing file", utimens_at(AT_FDCWD, "missing", omit, 0), "t");
    say_times("both kept, bad flags", utimens_at(AT_FDCWD, "missing", omit, 0x4000), "t");
    struct timeval micro[2] = {{300, 999999}, {400, 1}}, bad_micro[2] = {{300, 1000000}, {400, 1}};
    say_times("utimes", syscall(SYS_utimes, "t", micro), "t");
    say_times("utimes, too large", syscall(SYS_utimes, "t", bad_micro), "t");
    say_times("utimes of a missing file, too large", syscall(SYS_utimes, "missing", bad_micro), "t");
    say_times("utimes, NULL", syscall(SYS_utimes, "t", NULL), "t");
    say_times("futimesat of a descriptor", syscall(SYS_futimesat, fd, NULL, micro), "t");
    say_times("futimesat", syscall(SYS_futimesat, AT_FDCWD, "t", micro), "t");
    struct utimbuf seconds = {500, 600};
    say_times("utime", syscall(SYS_utime, "t", &seconds), "t");
    say_times("utime, NULL", syscall(SYS_utime, "t", NULL), "t");
    struct stat before, after;
    MUST(stat("t", &before));
    sleep_ms(20);
    MUST(utimens_at(AT_FDCWD, "t", set, 0));
    MUST(stat("t", &after));
    say_bool("the time of change moves", before.st_ctim.tv_nsec != after.st_ctim.tv_nsec);
    close(fd);
    close(place);
    close(link_place);
}

static void say_statx(const char *name, int folder, const char *path, int flags, unsigned mask) {
    struct statx_result r;
    memset(&r, 0xee, sizeof(r));
    if (syscall(SYS_statx, folder, path, flags, mask, &r) == -1) {
        say(name, "%s", error_name(errno));
        return;
    }
    say(name, "mask %#x, mode %o, links %u, size %llu, block %u, attributes %#llx of %#llx, spare %llu", r.mask, r.mode,
        r.links, S_ISDIR(r.mode) ? 0ull : (unsigned long long)r.size, r.block_size, (unsigned long long)r.attributes,
        (unsigned long long)r.attributes_mask, (unsigned long long)r.spare[12]);
}

static void statx_calls(void) {
    fresh("x", 0, 0, 0640);
    MUST(symlink("x", "xs"));
    int fd = MUST(open("x", O_RDONLY)), place = MUST(open("xs", O_PATH | O_NOFOLLOW));
    say_statx("all", AT_FDCWD, "x", 0, STATX_ALL);
    say_statx("basic", AT_FDCWD, "x", 0, STATX_BASIC_STATS);
    say_statx("nothing", AT_FDCWD, "x", 0, 0);
    say_statx("birth", AT_FDCWD, "x", 0, STATX_BTIME);
    say_statx("mount", AT_FDCWD, "x", 0, STATX_MNT_ID);
    say_statx("alignment for direct input", AT_FDCWD, "x", 0, STATX_DIOALIGN);
    say_statx("one by one", AT_FDCWD, "x", 0,
              STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_UID | STATX_GID | STATX_ATIME | STATX_MTIME | STATX_CTIME |
                  STATX_INO | STATX_SIZE | STATX_BLOCKS);
    say_statx("reserved", AT_FDCWD, "x", 0, STATX__RESERVED);
    say_statx("unknown", AT_FDCWD, "x", 0, 0x40000000);
    say_statx("a link", AT_FDCWD, "xs", AT_SYMLINK_NOFOLLOW, STATX_ALL);
    say_statx("through a link", AT_FDCWD, "xs", 0, STATX_ALL);
    say_statx("AT_EMPTY_PATH", fd, "", AT_EMPTY_PATH, STATX_ALL);
    say_statx("AT_EMPTY_PATH of a link", place, "", AT_EMPTY_PATH, STATX_ALL);
    say_statx("AT_EMPTY_PATH of the current folder", AT_FDCWD, "", AT_EMPTY_PATH, STATX_BASIC_STATS);
    say_statx("the empty name", fd, "", 0, STATX_ALL);
    say_statx("AT_NO_AUTOMOUNT", AT_FDCWD, "x", AT_NO_AUTOMOUNT, STATX_BASIC_STATS);
    say_statx("AT_STATX_SYNC_AS_STAT", AT_FDCWD, "x", AT_STATX_SYNC_AS_STAT, STATX_BASIC_STATS);
    say_statx("AT_STATX_FORCE_SYNC", AT_FDCWD, "x", AT_STATX_FORCE_SYNC, STATX_BASIC_STATS);
    say_statx("AT_STATX_DONT_SYNC", AT_FDCWD, "x", AT_STATX_DONT_SYNC, STATX_BASIC_STATS);
    say_statx("both", AT_FDCWD, "x", AT_STATX_SYNC_TYPE, STATX_BASIC_STATS);
    say_statx("an unknown flag", AT_FDCWD, "x", AT_SYMLINK_FOLLOW, STATX_BASIC_STATS);
    say_statx("a missing file", AT_FDCWD, "missing", 0, STATX_BASIC_STATS);
    say_statx("a missing file and a reserved bit", AT_FDCWD, "missing", 0, STATX__RESERVED);
    say_statx("no descriptor", -1, "x", 0, STATX_BASIC_STATS);
    say_statx("in /proc", AT_FDCWD, "/proc/self/stat", 0, STATX_BTIME);
    MUST(mkdir("xm", 0755));
    MUST(mount("t", "xm", "tmpfs", 0, NULL));
    say_statx("the root of a mount", AT_FDCWD, "xm", 0, STATX_BASIC_STATS);
    struct statx_result on, off;
    MUST(syscall(SYS_statx, AT_FDCWD, "xm", 0, STATX_MNT_ID, &on));
    MUST(syscall(SYS_statx, AT_FDCWD, "x", 0, STATX_MNT_ID | STATX_BTIME, &off));
    say_bool("mounts have different numbers", on.mount != off.mount);
    MUST(umount("xm"));
    struct stat status;
    MUST(stat("x", &status));
    say_bool("birth is not after the last change",
             off.btime.seconds < status.st_ctim.tv_sec ||
                 (off.btime.seconds == status.st_ctim.tv_sec && off.btime.nanoseconds <= status.st_ctim.tv_nsec));
    say_bool("the device is stat's", makedev(off.dev_major, off.dev_minor) == status.st_dev);
    say_call("a bad address", syscall(SYS_statx, AT_FDCWD, "x", 0, STATX_BASIC_STATS, 16L));
    say_call("newfstatat AT_NO_AUTOMOUNT", syscall(SYS_newfstatat, AT_FDCWD, "xs", &status, AT_NO_AUTOMOUNT));
    say_call("newfstatat AT_EMPTY_PATH", syscall(SYS_newfstatat, fd, "", &status, AT_EMPTY_PATH));
    say_call("newfstatat AT_SYMLINK_NOFOLLOW", syscall(SYS_newfstatat, AT_FDCWD, "xs", &status, AT_SYMLINK_NOFOLLOW));
    say_call("newfstatat with an unknown flag", syscall(SYS_newfstatat, AT_FDCWD, "xs", &status, AT_SYMLINK_FOLLOW));
    say_call("newfstatat of the empty name", syscall(SYS_newfstatat, fd, "", &status, 0));
    say_call("newfstatat at a bad address", syscall(SYS_newfstatat, fd, 16L, &status, 0));
    close(fd);
    close(place);
}

static long access_at(int folder, const char *path, int mode, int flags) {
    return syscall(SYS_faccessat2, folder, path, mode, flags);
}

static int access_calls(void) {
    fresh("a-root", 0, 0, 0600);
    fresh("a-user", 1000, 1000, 0600);
    MUST(symlink("missing", "a-dangling"));
    MUST(setresgid(1000, 0, 0));
    MUST(setresuid(1000, 0, 0));
    int fd = MUST(open("a-root", O_PATH));
    say_call("real user: root's file", access("a-root", R_OK));
    say_call("effective user", access_at(AT_FDCWD, "a-root", R_OK, AT_EACCESS));
    say_call("real user: own file", access("a-user", R_OK | W_OK));
    say_call("AT_SYMLINK_NOFOLLOW of a dangling link", access_at(AT_FDCWD, "a-dangling", F_OK, AT_SYMLINK_NOFOLLOW));
    say_call("followed", access_at(AT_FDCWD, "a-dangling", F_OK, 0));
    say_call("W_OK of the link itself", access_at(AT_FDCWD, "a-dangling", W_OK, AT_SYMLINK_NOFOLLOW));
    say_call("AT_EMPTY_PATH", access_at(fd, "", F_OK, AT_EMPTY_PATH));
    say_call("AT_EMPTY_PATH R_OK", access_at(fd, "", R_OK, AT_EMPTY_PATH));
    say_call("AT_EMPTY_PATH and AT_EACCESS", access_at(fd, "", R_OK, AT_EMPTY_PATH | AT_EACCESS));
    say_call("the empty name", access_at(fd, "", F_OK, 0));
    say_call("an unknown flag", access_at(AT_FDCWD, "a-user", F_OK, AT_SYMLINK_FOLLOW));
    say_call("an unknown mode", access_at(AT_FDCWD, "a-user", 8, 0));
    say_call("an unknown mode of a missing file", access_at(AT_FDCWD, "missing", 8, 0));
    say_call("faccessat", syscall(SYS_faccessat, AT_FDCWD, "a-user", R_OK));
    say_call("X_OK of a file without x", access("a-user", X_OK));
    say_call("W_OK of /proc/self/stat", access("/proc/self/stat", W_OK));
    close(fd);
    return 0;
}

static void statfs_calls(void) {
    struct statfs status;
    MUST(mkdir("sf", 0755));
    MUST(mount("t", "sf", "tmpfs", 0, "size=1m,nr_inodes=10,mode=0700,uid=5,gid=6"));
    MUST(statfs("sf", &status));
    say("statfs", "blocks %ld free %ld available %ld, files %ld free %ld", (long)status.f_blocks, (long)status.f_bfree,
        (long)status.f_bavail, (long)status.f_files, (long)status.f_ffree);
    int fd = MUST(open("sf/f", O_RDWR | O_CREAT, 0600));
    char page[4096] = "x";
    MUST(write(fd, page, sizeof(page)));
    MUST(fstatfs(fd, &status));
    say("with a page in a file", "free %ld, files free %ld", (long)status.f_bfree, (long)status.f_ffree);
    close(fd);
    fd = MUST(open("sf", O_PATH));
    say_call("fstatfs of O_PATH", fstatfs(fd, &status));
    close(fd);
    say_call("fstatfs of none", fstatfs(-1, &status));
    say_call("statfs of a missing file", statfs("missing", &status));
    say_call("statfs at a bad address", syscall(SYS_statfs, "sf", 16L));
    struct stat root;
    MUST(stat("sf", &root));
    say("the root", "%o, owner %d %d", (unsigned)root.st_mode, (int)root.st_uid, (int)root.st_gid);
    say_call("smaller than what is used", mount(NULL, "sf", NULL, MS_REMOUNT, "size=1k"));
    say_call("fewer inodes than are used", mount(NULL, "sf", NULL, MS_REMOUNT, "nr_inodes=1"));
    say_call("larger", mount(NULL, "sf", NULL, MS_REMOUNT, "size=2m,nr_inodes=20"));
    MUST(statfs("sf", &status));
    say("statfs", "blocks %ld, files %ld", (long)status.f_blocks, (long)status.f_files);
    say_call("without a limit", mount(NULL, "sf", NULL, MS_REMOUNT, "size=0,nr_inodes=0"));
    MUST(statfs("sf", &status));
    say("statfs", "blocks %ld, files %ld", (long)status.f_blocks, (long)status.f_files);
    say_call("a limit afterwards", mount(NULL, "sf", NULL, MS_REMOUNT, "size=1m"));
    say_call("a limit of inodes afterwards", mount(NULL, "sf", NULL, MS_REMOUNT, "nr_inodes=10"));
    MUST(umount("sf"));
    static const char *const options[] = {"size=4k",
                                          "size=1g",
                                          "size=50%",
                                          "size=x",
                                          "size=",
                                          "size=-1",
                                          "size=1kk",
                                          "nr_blocks=3",
                                          "nr_inodes=1k",
                                          "nr_inodes=x",
                                          "mode=777",
                                          "mode=9",
                                          "mode=77777",
                                          "uid=x",
                                          "gid=-1",
                                          "uid=4294967295",
                                          "inode64",
                                          "inode32",
                                          "huge=never",
                                          "huge=x",
                                          "mpol=default",
                                          "size=1m,,mode=700",
                                          ",size=1m",
                                          "size",
                                          "mode",
                                          "nonsense",
                                          "size=1m,nonsense=3"};
    for (size_t i = 0; i < COUNT(options); i++) {
        char title[100];
        long result = mount("t", "sf", "tmpfs", 0, options[i]);
        snprintf(title, sizeof(title), "tmpfs with \"%s\"", options[i]);
        say_call(title, result);
        if (result == 0) {
            MUST(umount("sf"));
        }
    }
    say_call("all inodes used",
             (mount("t", "sf", "tmpfs", 0, "nr_inodes=2"), mknod("sf/a", 0600, 0), mknod("sf/b", 0600, 0)));
    say_call("a symbolic link then", symlink("x", "sf/s"));
    say_call("a link needs none", link("sf/a", "sf/c"));
    say_call("after a removal", (unlink("sf/a"), unlink("sf/c"), mkdir("sf/d", 0755)));
    MUST(umount("sf"));
}

int main(void) {
    fresh("closed", 0, 0, 0600);
    MUST(chmod(".", 0777));
    root_changes();
    say_child("a user", user_changes);
    capability("none", 0);
    capability("CAP_CHOWN", 1ull << 0);
    capability("CAP_DAC_OVERRIDE", 1ull << 1);
    capability("CAP_DAC_READ_SEARCH", 1ull << 2);
    capability("CAP_FOWNER", 1ull << 3);
    capability("CAP_FSETID", 1ull << 4);
    capability("CAP_CHOWN and CAP_FOWNER", 1ull << 0 | 1ull << 3);
    capability("CAP_MKNOD", 1ull << 27);
    capability("CAP_SYS_CHROOT", 1ull << 18);
    times();
    statx_calls();
    say_child("access", access_calls);
    statfs_calls();
    return 0;
}
