// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// mount: flags of a mount and of a file system, remounts of both, errors and their order; what mountinfo, mounts and statfs tell of them.
#include "testing.h"
#include <sys/mount.h>
#include <sys/statfs.h>

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1 << 25)
#endif

static char here[200];

// Options of the mount at path in mountinfo: those of the mount, and those of the file system up to its size.
static void say_info(const char *name, const char *path) {
    char line[2048], wanted[300], own[200] = "-", super[300] = "-", root[200] = "-", type[64] = "-", *dash;
    snprintf(wanted, sizeof(wanted), " %s/%s ", here, path);
    FILE *file = fopen("/proc/self/mountinfo", "r");
    while (fgets(line, sizeof(line), file)) {
        char *at = strstr(line, wanted);
        if (at && (dash = strstr(at, " - "))) {
            sscanf(line, "%*d %*d %*s %199s", root);
            sscanf(at + strlen(wanted), "%199s", own);
            sscanf(dash + 3, "%63s %*s %299s", type, super);
            char *extra = strstr(super, ",size=");
            if (extra) {
                *extra = 0;
            }
        }
    }
    fclose(file);
    char *last = strrchr(root, '/');
    say(name, "%s %s [%s] [%s]", type, last && last[1] ? last : root, own, super);
}

static void say_statfs(const char *name, const char *path) {
    struct statfs status;
    if (statfs(path, &status) == -1) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "type %#lx, flags %#lx, block %ld, name %ld", (long)status.f_type, (long)status.f_flags,
            (long)status.f_bsize, (long)status.f_namelen);
    }
}

static void each(const char *name, unsigned long flags) {
    char title[100];
    snprintf(title, sizeof(title), "new, %s", name);
    if (mount("t", "m", "tmpfs", flags, NULL) == -1) {
        say(title, "%s", error_name(errno));
        return;
    }
    say_info(title, "m");
    snprintf(title, sizeof(title), "statfs, %s", name);
    say_statfs(title, "m");
    MUST(umount("m"));
    MUST(mount("t", "m", "tmpfs", 0, NULL));
    snprintf(title, sizeof(title), "remount, %s", name);
    say_call(title, mount(NULL, "m", NULL, MS_REMOUNT | flags, NULL));
    say_info(title, "m");
    snprintf(title, sizeof(title), "bind remount, %s", name);
    MUST(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
    say_call(title, mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | flags, NULL));
    say_info(title, "m");
    MUST(umount("m"));
}

static int as_user(void) {
    MUST(setuid(1000));
    say_call("user: mount", mount("t", "m", "tmpfs", 0, NULL));
    say_call("user: mount on a missing folder", mount("t", "missing", "tmpfs", 0, NULL));
    say_call("user: of an unknown kind", mount("t", "m", "nothing", 0, NULL));
    say_call("user: remount", mount(NULL, "/proc", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    say_call("user: bind", mount("d", "m", NULL, MS_BIND, NULL));
    say_call("user: private", mount(NULL, "/proc", NULL, MS_PRIVATE, NULL));
    say_call("user: umount", umount("/proc"));
    say_call("user: umount of no mount", umount("m"));
    say_call("user: umount of a missing one", umount("missing"));
    say_call("user: umount with unknown flags", umount2("m", 0x100));
    return 0;
}

static void errors(void) {
    static char long_name[5000];
    memset(long_name, 'x', sizeof(long_name) - 1);
    say_call("no kind", mount("t", "m", NULL, 0, NULL));
    say_call("empty kind", mount("t", "m", "", 0, NULL));
    say_call("unknown kind", mount("t", "m", "nothing", 0, NULL));
    say_call("unknown option", mount("t", "m", "tmpfs", 0, "nonsense=1"));
    say_call("unknown kind on a missing folder", mount("t", "missing", "nothing", 0, NULL));
    say_call("on a file", mount("t", "f", "tmpfs", 0, NULL));
    say_call("on a dangling link", mount("t", "dangling", "tmpfs", 0, NULL));
    say_call("source at a bad address", syscall(SYS_mount, 16L, "m", "tmpfs", 0L, 0L));
    say_call("target at a bad address", syscall(SYS_mount, "t", 16L, "tmpfs", 0L, 0L));
    say_call("kind at a bad address", syscall(SYS_mount, "t", "m", 16L, 0L, 0L));
    say_call("options at a bad address", syscall(SYS_mount, "t", "m", "tmpfs", 0L, 16L));
    say_call("no target", syscall(SYS_mount, "t", NULL, "tmpfs", 0L, 0L));
    say_call("kind too long", mount("t", "m", long_name, 0, NULL));
    say_call("source too long", mount(long_name, "m", "tmpfs", 0, NULL));
    say_call("target too long", mount("t", long_name, "tmpfs", 0, NULL));
    say_call("MS_NOUSER", mount("t", "m", "tmpfs", 1ul << 31, NULL));
    say_call("remount of no mount", mount(NULL, "m", NULL, MS_REMOUNT, NULL));
    say_call("bind remount of no mount", mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND, NULL));
    say_call("bind of nothing", mount(NULL, "m", NULL, MS_BIND, NULL));
    say_call("bind of the empty name", mount("", "m", NULL, MS_BIND, NULL));
    say_call("bind of a missing one", mount("missing", "m", NULL, MS_BIND, NULL));
    say_call("bind of a file on a folder", mount("f", "m", NULL, MS_BIND, NULL));
    say_call("bind of a folder on a file", mount("d", "f", NULL, MS_BIND, NULL));
    say_call("move of nothing", mount(NULL, "m", NULL, MS_MOVE, NULL));
    say_call("move of no mount", mount("d", "m", NULL, MS_MOVE, NULL));
    say_call("move of a missing one", mount("missing", "m", NULL, MS_MOVE, NULL));
    say_call("two kinds of propagation", mount(NULL, "/proc", NULL, MS_PRIVATE | MS_SHARED, NULL));
    say_call("propagation with another flag", mount(NULL, "/proc", NULL, MS_PRIVATE | MS_NOSUID, NULL));
    say_call("propagation of no mount", mount(NULL, "m", NULL, MS_PRIVATE, NULL));
    say_call("propagation with MS_SILENT", mount(NULL, "/proc", NULL, MS_PRIVATE | MS_SILENT, NULL));
    say_call("the old magic number", mount("t", "m", "tmpfs", 0xc0ed0000 | MS_NODEV, NULL));
    say_info("it is discarded", "m");
    MUST(umount("m"));
    say_call("unknown flags of umount", umount2("m", 0x10));
    say_call("umount of no mount", umount("m"));
    say_call("umount of a file", umount("f"));
    say_call("umount at a bad address", syscall(SYS_umount2, 16L, 0L));
}

static void read_only(void) {
    MUST(mount("t", "m", "tmpfs", 0, NULL));
    file_make("m/f", "x", 0644);
    MUST(mount("m", "b", NULL, MS_BIND, NULL));
    int fd = MUST(open("m/f", O_WRONLY));
    say_call("a writer: bind remount read-only", mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    say_call("a writer: remount read-only", mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
    say_call("a writer of the other: bind remount", mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    say_call("a writer of the other: remount", mount(NULL, "b", NULL, MS_REMOUNT | MS_RDONLY, NULL));
    close(fd);
    say_info("the first", "m");
    say_info("the second", "b");
    say_ok("write through the first", open("m/f", O_WRONLY));
    say_ok("write through the second", open("b/f", O_WRONLY));
    say_ok("truncate through the second", truncate("b/f", 0));
    say_ok("new file through the second", open("b/new", O_WRONLY | O_CREAT, 0644));
    say_ok("mkdir", mkdir("b/dir", 0755));
    say_ok("mkdir of one that is there", mkdir("b/.", 0755));
    say_ok("chmod", chmod("b/f", 0600));
    say_ok("chown", chown("b/f", 1, 1));
    say_ok("utimes", utimensat(AT_FDCWD, "b/f", NULL, 0));
    say_ok("unlink", unlink("b/f"));
    say_ok("unlink of a missing one", unlink("b/missing"));
    say_ok("rename", rename("b/f", "b/g"));
    say_ok("rename of a missing one", rename("b/missing", "b/g"));
    say_ok("link", link("b/f", "b/g"));
    say_ok("link onto one that is there", link("b/f", "b/f"));
    say_ok("symlink", symlink("f", "b/s"));
    say_ok("mknod", mknod("b/p", S_IFIFO | 0600, 0));
    say_ok("access W_OK", access("b/f", W_OK));
    say_ok("O_TMPFILE", open("b", O_RDWR | O_TMPFILE, 0600));
    say_ok("O_RDONLY with O_TRUNC", open("b/f", O_RDONLY | O_TRUNC));
    say_ok("O_CREAT of what is there, reading", open("b/f", O_RDONLY | O_CREAT, 0644));
    say_ok("O_CREAT with O_EXCL of what is there", open("b/f", O_RDWR | O_CREAT | O_EXCL, 0644));
    for (int fd2 = 3; fd2 < 20; fd2++) {
        close(fd2);
    }
    say_call("remount read-only", mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
    say_info("the first", "m");
    say_info("the second", "b");
    say_call("bind remount writable", mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND, NULL));
    say_ok("write through the second", open("b/f", O_WRONLY));
    say_call("remount writable", mount(NULL, "b", NULL, MS_REMOUNT, NULL));
    say_info("the first", "m");
    say_info("the second", "b");
    say_ok("write through the second", open("b/f", O_WRONLY));
    for (int fd2 = 3; fd2 < 20; fd2++) {
        close(fd2);
    }
    MUST(umount("b"));
    MUST(umount("m"));
}

static long access_time(const char *path) {
    struct stat status;
    MUST(stat(path, &status));
    return status.st_atim.tv_sec;
}

// Sets the access time to 1000 and the others to `others`, then reads.
static void atime(const char *name, unsigned long flags, long others, bool folder) {
    char byte, title[100];
    const char *path = folder ? "m/d" : "m/f";
    MUST(mount("t", "m", "tmpfs", 0, NULL));
    MUST(mkdir("m/d", 0755));
    file_make("m/d/x", "x", 0644);
    file_make("m/f", "x", 0644);
    struct timespec times[2] = {{time(NULL) - 1000, 0}, {others ? time(NULL) - 2000 : time(NULL), 0}};
    MUST(utimensat(AT_FDCWD, path, times, 0));
    MUST(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | flags, NULL));
    long before = access_time(path);
    int fd = MUST(open(path, O_RDONLY));
    char entries[1024];
    if (folder) {
        syscall(SYS_getdents64, fd, entries, sizeof(entries));
    } else {
        MUST(read(fd, &byte, 1));
    }
    close(fd);
    snprintf(title, sizeof(title), "access time of a %s, %s", folder ? "folder" : "file", name);
    say(title, "%s", access_time(path) == before ? "stays" : "moves");
    MUST(umount("m"));
}

static void links(void) {
    MUST(mount("t", "m", "tmpfs", MS_NOSYMFOLLOW, NULL));
    file_make("m/f", "x", 0644);
    MUST(symlink("f", "m/s"));
    MUST(symlink("m/f", "outside"));
    struct stat status;
    say_ok("nosymfollow: a link", stat("m/s", &status));
    say_ok("nosymfollow: the link itself", lstat("m/s", &status));
    say_ok("nosymfollow: a link from outside", stat("outside", &status));
    say_ok("nosymfollow: readlink", readlink("m/s", (char *)&status, sizeof(status)));
    MUST(umount("m"));
}

int main(void) {
    MUST(getcwd(here, sizeof(here)) ? 0 : -1);
    MUST(mkdir("m", 0755));
    MUST(mkdir("b", 0755));
    MUST(mkdir("d", 0755));
    file_make("f", "x", 0644);
    MUST(symlink("nowhere", "dangling"));
    each("none", 0);
    each("MS_RDONLY", MS_RDONLY);
    each("MS_NOSUID", MS_NOSUID);
    each("MS_NODEV", MS_NODEV);
    each("MS_NOEXEC", MS_NOEXEC);
    each("MS_SYNCHRONOUS", MS_SYNCHRONOUS);
    each("MS_DIRSYNC", MS_DIRSYNC);
    each("MS_NOATIME", MS_NOATIME);
    each("MS_NODIRATIME", MS_NODIRATIME);
    each("MS_RELATIME", MS_RELATIME);
    each("MS_STRICTATIME", MS_STRICTATIME);
    each("MS_NOATIME and MS_STRICTATIME", MS_NOATIME | MS_STRICTATIME);
    each("MS_NOSYMFOLLOW", MS_NOSYMFOLLOW);
    each("MS_LAZYTIME", MS_LAZYTIME);
    each("MS_SILENT", MS_SILENT);
    each("MS_MANDLOCK", MS_MANDLOCK);
    each("MS_POSIXACL", MS_POSIXACL);
    each("MS_I_VERSION", MS_I_VERSION);
    each("MS_KERNMOUNT", MS_KERNMOUNT);
    each("all", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NODIRATIME);
    MUST(mount("t", "m", "tmpfs", MS_NOATIME, NULL));
    MUST(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL));
    say_info("a remount keeps noatime", "m");
    MUST(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_NODIRATIME, NULL));
    say_info("unless it says something of access times", "m");
    MUST(umount("m"));
    say_child("a user", as_user);
    errors();
    read_only();
    atime("relatime, older than the change", 0, 1, false);
    atime("relatime, read after", MS_RELATIME, 0, false);
    atime("noatime", MS_NOATIME, 0, false);
    atime("strictatime", MS_STRICTATIME, 0, false);
    atime("noatime", MS_NOATIME, 0, true);
    atime("nodiratime", MS_NODIRATIME | MS_STRICTATIME, 0, true);
    atime("strictatime", MS_STRICTATIME, 0, true);
    links();
    return 0;
}
