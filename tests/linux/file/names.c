// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Names in their corners: mkdir, mknod, symlink, link, unlink, rmdir and renameat2 with every flag, what comes first when two things are wrong, files
// without a name, whiteouts.
#include "testing.h"
#include <sys/mount.h>
#include <sys/sysmacros.h>

#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE  2
#define RENAME_WHITEOUT  4

static char long_name[300], long_path[5000];

static long rename_flags(const char *from, const char *to, unsigned flags) {
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void say_mode(const char *name, const char *path) {
    struct stat status;
    if (lstat(path, &status) == -1) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "%o, owner %d %d", (unsigned)status.st_mode, (int)status.st_uid, (int)status.st_gid);
    }
}

static void making(void) {
    umask(0);
    say_call("mkdir with all bits", mkdir("d1", 07777));
    say_mode("d1", "d1");
    umask(027);
    say_call("mkdir with a umask", mkdir("d2", 0777));
    say_mode("d2", "d2");
    umask(022);
    say_call("mkdir with a slash", mkdir("d3/", 0755));
    say_call("mkdir with slashes", mkdir("d4///", 0755));
    say_call("mkdir of .", mkdir(".", 0755));
    say_call("mkdir of d3/.", mkdir("d3/.", 0755));
    say_call("mkdir of d3/..", mkdir("d3/..", 0755));
    say_call("mkdir of new/.", mkdir("new/.", 0755));
    say_call("mkdir of /", mkdir("/", 0755));
    say_call("mkdir of the empty name", mkdir("", 0755));
    say_call("mkdir of a file", mkdir("f", 0755));
    say_call("mkdir of a file with a slash", mkdir("f/", 0755));
    say_call("mkdir below a file", mkdir("f/x", 0755));
    say_call("mkdir of a dangling link", mkdir("dangling", 0755));
    say_call("mkdir of a dangling link with a slash", mkdir("dangling/", 0755));
    say_call("mkdir at a bad address", syscall(SYS_mkdir, 16L, 0755L));
    say_call("mkdirat of a file's descriptor", mkdirat(MUST(open("f", O_RDONLY)), "x", 0755));
    say_call("mkdirat of none", mkdirat(-1, "x", 0755));
    say_call("mkdirat, absolute, of none", mkdirat(-1, "/proc", 0755));
    say_call("a name of 255", mkdir((memset(long_name, 'n', 255), long_name), 0755));
    say_call("a name of 256", mkdir((long_name[255] = 'n', long_name), 0755));
    say_call("a name of 256, looked up", access(long_name, F_OK));
    say_call("a name of 256 in a missing folder",
             (memcpy(long_path, "missing/", 8), memcpy(long_path + 8, long_name, 257), mkdir(long_path, 0755)));
    memset(long_path, '/', sizeof(long_path));
    memcpy(long_path + 4095 - 1, "f", 2);
    say_call("a path of 4095", access(long_path, F_OK));
    memset(long_path, '/', sizeof(long_path));
    memcpy(long_path + 4096 - 1, "f", 2);
    say_call("a path of 4096", access(long_path, F_OK));

    say_call("mknod of a plain file", mknod("n1", 0640, 0));
    say_mode("n1", "n1");
    say_call("mknod S_IFREG with set-id bits", mknod("n2", S_IFREG | 07777, 0));
    say_mode("n2", "n2");
    say_call("mknod S_IFIFO", mknod("n3", S_IFIFO | 0666, 0));
    say_mode("n3", "n3");
    say_call("mknod S_IFSOCK", mknod("n4", S_IFSOCK | 0666, 0));
    say_mode("n4", "n4");
    say_call("mknod S_IFCHR", mknod("n5", S_IFCHR | 0666, makedev(1, 3)));
    say_call("mknod S_IFBLK", mknod("n6", S_IFBLK | 0666, makedev(300, 70000)));
    struct stat status;
    MUST(stat("n6", &status));
    say("its number", "%u %u", major(status.st_rdev), minor(status.st_rdev));
    say_call("mknod S_IFDIR", mknod("n7", S_IFDIR | 0755, 0));
    say_call("mknod S_IFLNK", mknod("n7", S_IFLNK | 0777, 0));
    say_call("mknod of an unknown kind", mknod("n7", 0150000 | 0644, 0));
    say_call("mknod of one that is there", mknod("f", S_IFREG | 0644, 0));
    say_call("mknod with a slash", mknod("n7/", S_IFREG | 0644, 0));
    say_call("mknod of one that is there with a slash", mknod("f/", S_IFREG | 0644, 0));
    say_call("mknod of an unknown kind in a missing folder", mknod("missing/n", 0150000, 0));
    say_ok("open of a socket", open("n4", O_RDWR));
    say_ok("open of a device that is not there", open("n6", O_RDWR));
    say_ok("O_PATH of a socket", open("n4", O_PATH));

    say_call("symlink to nothing", symlink("", "s1"));
    say_call("symlink of the empty name", symlink("f", ""));
    memset(long_path, 'x', 4095);
    long_path[4095] = 0;
    say_call("symlink with a text of 4095", symlink(long_path, "s2"));
    long_path[4095] = 'x';
    long_path[4096] = 0;
    say_call("symlink with a text of 4096", symlink(long_path, "s3"));
    char text[5000];
    say_call("readlink of it", readlink("s2", text, sizeof(text)));
    say_mode("a link", "s2");
    say_call("symlink onto .", symlink("f", "."));
    say_call("symlinkat of none", symlinkat("f", -1, "s4"));
    say_call("readlinkat of the empty name", readlinkat(AT_FDCWD, "", text, 10));
    say_call("readlinkat of the empty name of a file", readlinkat(MUST(open("f", O_PATH)), "", text, 10));
    say_call("readlinkat of the empty name of a link", readlinkat(MUST(open("s", O_PATH | O_NOFOLLOW)), "", text, 10));
    say_call("readlink with a slash", readlink("s/", text, 10));
    say_call("readlink of a link to a folder with a slash", readlink("sd/", text, 10));
    say_call("readlink to a bad address", syscall(SYS_readlink, "s", 16L, 10L));
}

static void removing(void) {
    MUST(mkdir("r", 0755));
    MUST(mkdir("r/full", 0755));
    file_make("r/full/f", "x", 0644);
    MUST(mkdir("r/empty", 0755));
    say_call("rmdir of .", rmdir("r/."));
    say_call("rmdir of ..", rmdir("r/empty/.."));
    say_call("rmdir of /", rmdir("/"));
    say_call("rmdir of a full one", rmdir("r/full"));
    say_call("rmdir of a file", rmdir("f"));
    say_call("rmdir of a link to a folder", rmdir("sd"));
    say_call("rmdir of a link to a folder with a slash", rmdir("sd/"));
    say_call("rmdir with a slash", rmdir("r/empty/"));
    say_call("rmdir of a missing one", rmdir("r/empty"));
    say_call("unlink of a folder with a slash", unlink("r/full/"));
    say_call("unlink of a file with a slash", unlink("f/"));
    say_call("unlink of a missing one with a slash", unlink("missing/"));
    say_call("unlink of a link with a slash", unlink("s/"));
    say_call("unlink of a dangling link with a slash", unlink("dangling/"));
    say_call("unlinkat AT_REMOVEDIR", (mkdir("r/e2", 0755), unlinkat(AT_FDCWD, "r/e2", AT_REMOVEDIR)));
    say_call("unlinkat of none", unlinkat(-1, "f", 0));
    say_call("unlinkat with two flags", unlinkat(AT_FDCWD, "f", AT_REMOVEDIR | AT_SYMLINK_NOFOLLOW));
    MUST(mkdir("r/here", 0755));
    int here = MUST(open("r/here", O_RDONLY | O_DIRECTORY));
    MUST(rmdir("r/here"));
    say_ok("new file in a removed folder", openat(here, "x", O_RDWR | O_CREAT, 0644));
    say_call("mkdir in it", mkdirat(here, "x", 0755));
    say_call("mkdir of .. in it", mkdirat(here, "..", 0755));
    say_call("link into it", linkat(AT_FDCWD, "f", here, "x", 0));
    say_call("rename into it", renameat(AT_FDCWD, "f", here, "x"));
    say_ok("open of a missing one in it", openat(here, "x", O_RDONLY));
    say_ok("open of .", openat(here, ".", O_RDONLY));
    say_ok("open of ..", openat(here, "..", O_RDONLY));
    struct stat status;
    MUST(fstat(here, &status));
    say("its links and size", "%d %d", (int)status.st_nlink, (int)status.st_size);
    char entries[512];
    say_call("getdents of it", syscall(SYS_getdents64, here, entries, sizeof(entries)));
    say_ok("O_TMPFILE in it", openat(here, ".", O_RDWR | O_TMPFILE, 0600));
}

static void linking(void) {
    int fd = MUST(open("f", O_RDONLY)), place = MUST(open("f", O_PATH));
    int link_place = MUST(open("s", O_PATH | O_NOFOLLOW));
    char path[64];
    struct stat status;
    say_call("linkat AT_EMPTY_PATH", linkat(fd, "", AT_FDCWD, "l1", AT_EMPTY_PATH));
    say_call("of O_PATH", linkat(place, "", AT_FDCWD, "l2", AT_EMPTY_PATH));
    say_call("without the flag", linkat(fd, "", AT_FDCWD, "l3", 0));
    say_call("of a symbolic link", linkat(link_place, "", AT_FDCWD, "l4", AT_EMPTY_PATH));
    say_mode("it is one", "l4");
    say_call("of the current folder", linkat(AT_FDCWD, "", AT_FDCWD, "l5", AT_EMPTY_PATH));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    say_call("through /proc, not followed", linkat(AT_FDCWD, path, AT_FDCWD, "l6", 0));
    say_call("through /proc, followed", linkat(AT_FDCWD, path, AT_FDCWD, "l6", AT_SYMLINK_FOLLOW));
    MUST(stat("f", &status));
    say("links", "%d", (int)status.st_nlink);
    say_call("link of a file with a slash", link("f/", "l7"));
    say_call("link to ..", link("f", ".."));
    say_call("link to a folder's name with a slash", link("f", "d1/"));
    say_call("unknown flags", linkat(AT_FDCWD, "f", AT_FDCWD, "l7", AT_SYMLINK_NOFOLLOW));
    say_call("a bad address", syscall(SYS_link, "f", 16L));

    int tmp = MUST(open(".", O_RDWR | O_TMPFILE, 0640));
    MUST(write(tmp, "tmp", 3));
    MUST(fstat(tmp, &status));
    say("O_TMPFILE: mode, links", "%o %d", (unsigned)status.st_mode, (int)status.st_nlink);
    say("O_TMPFILE: flags", "%#x", (unsigned)fcntl(tmp, F_GETFL) & ~0x8000u);
    char text[400], wanted[400];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", tmp);
    ssize_t n = MUST(readlink(path, text, sizeof(text) - 1));
    text[n] = 0;
    getcwd(wanted, sizeof(wanted));
    snprintf(wanted + strlen(wanted), 60, "/#%lu (deleted)", (unsigned long)status.st_ino);
    say_bool("O_TMPFILE: its name", strcmp(text, wanted) == 0);
    say_call("O_TMPFILE: linked", linkat(AT_FDCWD, path, AT_FDCWD, "t1", AT_SYMLINK_FOLLOW));
    say_file("it", "t1");
    say_call("linked once more", linkat(tmp, "", AT_FDCWD, "t2", AT_EMPTY_PATH));
    MUST(unlink("t1"));
    MUST(unlink("t2"));
    say_call("after the last name went", linkat(tmp, "", AT_FDCWD, "t3", AT_EMPTY_PATH));
    tmp = MUST(open(".", O_WRONLY | O_TMPFILE | O_EXCL, 0600));
    say_call("O_TMPFILE with O_EXCL: linked", linkat(tmp, "", AT_FDCWD, "t3", AT_EMPTY_PATH));
    say_call("unlinked file, by its descriptor",
             (tmp = open("t4", O_RDWR | O_CREAT, 0600), unlink("t4"), linkat(tmp, "", AT_FDCWD, "t4", AT_EMPTY_PATH)));
    say_ok("O_TMPFILE of a file", open("f", O_RDWR | O_TMPFILE, 0600));
    say_ok("O_TMPFILE of a missing one", open("missing", O_RDWR | O_TMPFILE, 0600));
    say_ok("O_TMPFILE of a link to a folder", open("sd", O_RDWR | O_TMPFILE, 0600));
    say_ok("O_TMPFILE with O_NOFOLLOW of it", open("sd", O_RDWR | O_TMPFILE | O_NOFOLLOW, 0600));
    say_ok("O_TMPFILE for reading", open(".", O_RDONLY | O_TMPFILE, 0600));
    say_ok("O_TMPFILE with O_CREAT", open(".", O_RDWR | O_TMPFILE | O_CREAT, 0600));
    say_ok("O_TMPFILE in /proc", open("/proc", O_RDWR | O_TMPFILE, 0600));
    say_ok("O_TMPFILE with mode 0", open(".", O_RDWR | O_TMPFILE, 0));
    say_ok("O_TMPFILE with O_PATH", open(".", O_PATH | O_RDWR | O_TMPFILE, 0600));
    for (int i = 3; i < 40; i++) {
        close(i);
    }
}

static void renaming(void) {
    struct stat before, after;
    MUST(mkdir("x", 0755));
    MUST(mkdir("x/y", 0755));
    MUST(mkdir("x/y/z", 0755));
    file_make("x/f", "xf", 0644);
    file_make("a", "a", 0644);
    file_make("b", "b", 0644);
    say_call("unknown flag", rename_flags("a", "b", 8));
    say_call("EXCHANGE with NOREPLACE", rename_flags("a", "b", RENAME_EXCHANGE | RENAME_NOREPLACE));
    say_call("EXCHANGE with WHITEOUT", rename_flags("a", "b", RENAME_EXCHANGE | RENAME_WHITEOUT));
    say_call("NOREPLACE, there", rename_flags("a", "b", RENAME_NOREPLACE));
    say_call("NOREPLACE, the same", rename_flags("a", "a", RENAME_NOREPLACE));
    say_call("NOREPLACE, onto a folder", rename_flags("a", "x", RENAME_NOREPLACE));
    say_call("NOREPLACE, onto ..", rename_flags("a", "..", RENAME_NOREPLACE));
    say_call("NOREPLACE, from ..", rename_flags("..", "a", RENAME_NOREPLACE));
    say_call("NOREPLACE of a missing one onto one that is there", rename_flags("missing", "b", RENAME_NOREPLACE));
    say_call("EXCHANGE of a file and a folder", rename_flags("a", "x", RENAME_EXCHANGE));
    say_mode("a", "a");
    MUST(rename_flags("a", "x", RENAME_EXCHANGE));
    say_call("EXCHANGE of a folder and what is in it", rename_flags("x", "x/y", RENAME_EXCHANGE));
    say_call("the other way", rename_flags("x/y", "x", RENAME_EXCHANGE));
    say_call("EXCHANGE of a file and one deep in its neighbour", rename_flags("a", "x/y/z", RENAME_EXCHANGE));
    MUST(rename_flags("a", "x/y/z", RENAME_EXCHANGE));
    say_call("EXCHANGE with itself", rename_flags("a", "a", RENAME_EXCHANGE));
    say_call("EXCHANGE with a missing one", rename_flags("a", "missing", RENAME_EXCHANGE));
    say_call("EXCHANGE of a missing one", rename_flags("missing", "a", RENAME_EXCHANGE));
    say_call("EXCHANGE with a slash, folders", rename_flags("x/", "d1/", RENAME_EXCHANGE));
    say_call("EXCHANGE with a slash behind a file", rename_flags("x", "a/", RENAME_EXCHANGE));
    MUST(rename_flags("x", "d1", RENAME_EXCHANGE));
    say_call("folder into its own depth", rename("x", "x/y/z/w"));
    say_call("folder into itself", rename("x", "x/w"));
    say_call("deep folder onto one above", rename("x/y/z", "x"));
    say_call("deep folder onto its parent", rename("x/y", "x"));
    say_call("file onto one above its folder", rename("x/f", "x"));
    say_call("file with a slash onto a missing one", rename("a/", "c"));
    say_call("file onto a missing one with a slash", rename("a", "c/"));
    say_call("folder onto a missing one with a slash", rename("x/y/z", "z/"));
    say_call("folder onto a file with a slash", rename("z", "a/"));
    say_call("folder onto a file", rename("z", "a"));
    say_call("file onto a folder", rename("a", "z"));
    say_call("from .", rename("x/.", "c"));
    say_call("to .", rename("a", "x/."));
    say_call("a missing one to ..", rename("missing", ".."));
    say_call("a missing one across file systems", rename("missing", "/proc/x"));
    say_call("a folder to another mount, by its descriptor",
             renameat(AT_FDCWD, "a", MUST(open("/proc", O_RDONLY)), "x"));
    MUST(stat("z", &before));
    sleep_ms(20);
    MUST(rename("z", "zz"));
    MUST(stat("zz", &after));
    say_bool("the time of change moves", before.st_ctim.tv_nsec != after.st_ctim.tv_nsec);
    say_bool("the time of modification stays", before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);

    say_call("WHITEOUT", rename_flags("a", "x/moved", RENAME_WHITEOUT));
    say_file("moved", "x/moved");
    MUST(lstat("a", &after));
    say("what is left", "%o, number %u %u, links %d", (unsigned)after.st_mode, major(after.st_rdev),
        minor(after.st_rdev), (int)after.st_nlink);
    say_ok("open of a whiteout", open("a", O_RDONLY));
    say_call("WHITEOUT onto one that is there", rename_flags("x/moved", "b", RENAME_WHITEOUT));
    say_file("b", "b");
    say_mode("what is left", "x/moved");
    say_call("WHITEOUT with NOREPLACE, there", rename_flags("b", "f", RENAME_WHITEOUT | RENAME_NOREPLACE));
    say_call("WHITEOUT with NOREPLACE", rename_flags("b", "fresh", RENAME_WHITEOUT | RENAME_NOREPLACE));
    say_call("WHITEOUT of a folder", rename_flags("zz", "zzz", RENAME_WHITEOUT));
    say_mode("what is left", "zz");
    say_call("WHITEOUT within one folder", rename_flags("fresh", "fresh2", RENAME_WHITEOUT));
    say_call("unlink of a whiteout", unlink("fresh"));
    say_call("WHITEOUT of itself", rename_flags("fresh2", "fresh2", RENAME_WHITEOUT));
    say_mode("it stays", "fresh2");
}

static int whiteout_by_user(void) {
    umask(0);
    MUST(setgid(1000));
    MUST(setuid(1000));
    say_call("user: WHITEOUT", rename_flags("open/mine", "open/moved", RENAME_WHITEOUT));
    say_mode("user: what is left", "open/mine");
    say_call("user: a device", mknod("open/dev", S_IFCHR | 0666, makedev(1, 3)));
    say_call("user: a whiteout by mknod", mknod("open/white", S_IFCHR | 0600, makedev(0, 0)));
    say_call("user: a block device of number 0", mknod("open/block", S_IFBLK | 0600, makedev(0, 0)));
    say_call("user: a fifo", mknod("open/fifo", S_IFIFO | 0600, 0));
    say_call("user: a socket", mknod("open/socket", S_IFSOCK | 0600, 0));
    say_call("user: a device in a closed folder", mknod("d2/dev", S_IFCHR | 0666, makedev(1, 3)));
    say_call("user: a device of one that is there", mknod("open/moved", S_IFCHR | 0666, makedev(1, 3)));
    say_call("user: rename of another's folder to another folder", rename("open/theirs", "open/sub/theirs"));
    say_call("user: rename of another's folder in its folder", rename("open/theirs", "open/theirs2"));
    say_call("user: rename of another's file to another folder", rename("open/file", "open/sub/file"));
    say_call("user: linkat AT_EMPTY_PATH",
             linkat(MUST(open("open/moved", O_RDONLY)), "", AT_FDCWD, "open/l", AT_EMPTY_PATH));
    say_call("user: in a set-gid folder", mkdir("group/d", 0755));
    say_mode("user: it", "group/d");
    say_call("user: a set-gid file for a group that is not one's own", mknod("group/f", S_IFREG | 02775, 0));
    say_mode("user: it", "group/f");
    say_call("user: without group execution", mknod("group/g", S_IFREG | 02764, 0));
    say_mode("user: it", "group/g");
    int fd = open("group/h", O_RDWR | O_CREAT, 02775);
    say_mode("user: opened", "group/h");
    close(fd);
    say_call("user: in a sticky folder: another's file", unlink("sticky/theirs"));
    say_call("user: rename of it", rename("sticky/theirs", "sticky/x"));
    say_call("user: rename onto it", rename("sticky/mine", "sticky/theirs"));
    say_call("user: exchange with it", rename_flags("sticky/mine", "sticky/theirs", RENAME_EXCHANGE));
    say_call("user: an own file", unlink("sticky/mine"));
    say_call("user: another's folder", rmdir("sticky/dir"));
    say_call("user: unlink of another's folder", unlink("sticky/dir"));
    say_call("user: a missing one", unlink("sticky/missing"));
    say_call("user: another's file in an own sticky folder", unlink("own-sticky/theirs"));
    return 0;
}

int main(void) {
    file_make("f", "f", 0644);
    MUST(symlink("f", "s"));
    MUST(symlink("nowhere", "dangling"));
    MUST(mkdir("dd", 0755));
    MUST(symlink("dd", "sd"));
    making();
    removing();
    linking();
    renaming();
    umask(0);
    MUST(mkdir("open", 0777));
    MUST(mkdir("open/theirs", 0755));
    MUST(mkdir("open/sub", 0777));
    file_make("open/file", "x", 0644);
    file_make("open/mine", "x", 0644);
    MUST(chown("open/mine", 1000, 1000));
    MUST(mkdir("group", 0777));
    MUST(chown("group", 0, 50));
    MUST(chmod("group", 02777));
    MUST(mkdir("sticky", 0777));
    MUST(chmod("sticky", 01777));
    file_make("sticky/theirs", "x", 0666);
    file_make("sticky/mine", "x", 0666);
    MUST(chown("sticky/mine", 1000, 1000));
    MUST(mkdir("sticky/dir", 0777));
    MUST(mkdir("own-sticky", 0777));
    file_make("own-sticky/theirs", "x", 0666);
    MUST(chmod("own-sticky", 01777));
    MUST(chown("own-sticky", 1000, 1000));
    MUST(chmod(".", 0755));
    say_child("a user", whiteout_by_user);
    return 0;
}
