// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Extended attributes on tmpfs: set, get, list and remove in their three forms; flags, limits, and the order of errors.
#include "testing.h"
#include <sys/xattr.h>

static char big[70000], buffer[70000];

static void say_value(const char *name, const char *path, const char *attribute) {
    char text[64];
    ssize_t n = lgetxattr(path, attribute, text, sizeof(text) - 1);
    if (n == -1) {
        say(name, "%s", error_name(errno));
    } else {
        text[n] = 0;
        say(name, "%zd \"%s\"", n, text);
    }
}

// Names in the order of the alphabet: the list's own order is nobody's business.
static void say_names(const char *name, const char *path) {
    char list[1024], *names[32], text[512] = "";
    ssize_t n = llistxattr(path, list, sizeof(list));
    int count = 0;
    if (n == -1) {
        say(name, "%s", error_name(errno));
        return;
    }
    for (char *at = list; at < list + n && count < 32; at += strlen(at) + 1) {
        names[count++] = at;
    }
    for (int i = 0; i < count; i++) {
        for (int j = i + 1; j < count; j++) {
            if (strcmp(names[i], names[j]) > 0) {
                char *swap = names[i];
                names[i] = names[j];
                names[j] = swap;
            }
        }
        strcat(text, " ");
        strcat(text, names[i]);
    }
    say(name, "%zd%s", n, text);
}

static void basics(void) {
    say_call("list of a new file", listxattr("f", NULL, 0));
    say_call("get of none", getxattr("f", "trusted.a", buffer, 10));
    say_call("set", setxattr("f", "trusted.a", "value", 5, 0));
    say_value("get", "f", "trusted.a");
    say_call("length alone", getxattr("f", "trusted.a", NULL, 0));
    say_call("length alone, with a buffer", getxattr("f", "trusted.a", buffer, 0));
    say_call("buffer too small", getxattr("f", "trusted.a", buffer, 4));
    say_call("replaced by a longer one", setxattr("f", "trusted.a", "longer value", 12, 0));
    say_value("get", "f", "trusted.a");
    say_call("an empty value", setxattr("f", "trusted.empty", "", 0, 0));
    say_call("an empty value at NULL", setxattr("f", "trusted.empty2", NULL, 0, 0));
    say_value("get", "f", "trusted.empty");
    say_call("get of an empty value, length alone", getxattr("f", "trusted.empty", NULL, 0));
    say_call("XATTR_CREATE of one that is there", setxattr("f", "trusted.a", "x", 1, XATTR_CREATE));
    say_call("XATTR_REPLACE of one that is not", setxattr("f", "trusted.b", "x", 1, XATTR_REPLACE));
    say_call("both, there", setxattr("f", "trusted.a", "x", 1, XATTR_CREATE | XATTR_REPLACE));
    say_call("both, not there", setxattr("f", "trusted.b", "x", 1, XATTR_CREATE | XATTR_REPLACE));
    say_call("XATTR_CREATE", setxattr("f", "trusted.b", "x", 1, XATTR_CREATE));
    say_call("XATTR_REPLACE", setxattr("f", "trusted.b", "yy", 2, XATTR_REPLACE));
    say_value("get", "f", "trusted.b");
    say_call("unknown flag", setxattr("f", "trusted.b", "x", 1, 4));
    say_call("security", setxattr("f", "security.note", "s", 1, 0));
    say_names("names", "f");
    say_call("length of the list alone", listxattr("f", NULL, 0));
    say_call("list too small", listxattr("f", buffer, 10));
    say_call("remove", removexattr("f", "trusted.b"));
    say_call("remove again", removexattr("f", "trusted.b"));
    say_names("names", "f");
}

static void forms(void) {
    int fd = MUST(open("f", O_RDONLY)), place = MUST(open("f", O_PATH));
    say_call("fsetxattr of a descriptor for reading", fsetxattr(fd, "trusted.fd", "d", 1, 0));
    say_call("fgetxattr", fgetxattr(fd, "trusted.fd", buffer, 10));
    say_call("flistxattr", flistxattr(fd, NULL, 0));
    say_call("fremovexattr", fremovexattr(fd, "trusted.fd"));
    say_call("fsetxattr of O_PATH", fsetxattr(place, "trusted.fd", "d", 1, 0));
    say_call("fgetxattr of O_PATH", fgetxattr(place, "trusted.a", buffer, 10));
    say_call("flistxattr of O_PATH", flistxattr(place, NULL, 0));
    say_call("fremovexattr of O_PATH", fremovexattr(place, "trusted.a"));
    say_call("fsetxattr of none", fsetxattr(-1, "trusted.a", "", 0, 0));
    say_call("setxattr through a link", setxattr("s", "trusted.through", "t", 1, 0));
    say_call("is the file's", getxattr("f", "trusted.through", NULL, 0));
    say_call("lsetxattr of a link", lsetxattr("s", "trusted.own", "own", 3, 0));
    say_value("lgetxattr", "s", "trusted.own");
    say_call("is not the file's", getxattr("f", "trusted.own", NULL, 0));
    say_names("llistxattr", "s");
    say_call("lremovexattr", lremovexattr("s", "trusted.own"));
    say_call("setxattr of a dangling link", setxattr("dangling", "trusted.a", "", 0, 0));
    say_call("lsetxattr of a dangling link", lsetxattr("dangling", "trusted.a", "", 0, 0));
    say_call("a folder", setxattr("d", "trusted.a", "folder", 6, 0));
    say_call("a fifo", setxattr("p", "trusted.a", "fifo", 4, 0));
    say_call("a device", setxattr("c", "security.a", "device", 6, 0));
    say_names("names of the fifo", "p");
    say_call("a missing file", setxattr("missing", "trusted.a", "", 0, 0));
    say_call("another name of the file", (MUST(link("f", "f2")), getxattr("f2", "trusted.a", NULL, 0)));
    MUST(rename("f2", "f3"));
    say_call("after a rename", getxattr("f3", "trusted.a", NULL, 0));
    int pipes[2];
    MUST(pipe(pipes));
    say_call("a pipe", fsetxattr(pipes[0], "trusted.a", "", 0, 0));
    say_call("list of a pipe", flistxattr(pipes[0], NULL, 0));
    say_call("/proc", setxattr("/proc/self/stat", "trusted.a", "", 0, 0));
    say_call("get of /proc", getxattr("/proc/self/stat", "trusted.a", buffer, 10));
    say_call("list of /proc", listxattr("/proc/self/stat", NULL, 0));
    say_call("a file without a name", fsetxattr(MUST(open(".", O_TMPFILE | O_RDWR, 0600)), "trusted.a", "t", 1, 0));
}

static void limits(void) {
    char name[300] = "trusted.";
    memset(big, 'v', sizeof(big));
    memset(name + 8, 'n', 255 - 8);
    name[255] = 0;
    say_call("a name of 255", setxattr("f", name, "x", 1, 0));
    say_call("is there", getxattr("f", name, NULL, 0));
    say_call("removed", removexattr("f", name));
    name[255] = 'n';
    name[256] = 0;
    say_call("a name of 256", setxattr("f", name, "x", 1, 0));
    say_call("get", getxattr("f", name, NULL, 0));
    say_call("remove", removexattr("f", name));
    say_call("an empty name", setxattr("f", "", "x", 1, 0));
    say_call("get", getxattr("f", "", NULL, 0));
    say_call("remove", removexattr("f", ""));
    say_call("no name", syscall(SYS_setxattr, "f", NULL, "x", 1L, 0L));
    say_call("a value of 65536", setxattr("f", "trusted.big", big, 65536, 0));
    say_call("get", getxattr("f", "trusted.big", buffer, sizeof(buffer)));
    say_bool("equal", memcmp(big, buffer, 65536) == 0);
    say_call("a value of 65537", setxattr("f", "trusted.big", big, 65537, 0));
    say_call("a value at a bad address", syscall(SYS_setxattr, "f", "trusted.bad", 16L, 5L, 0L));
    say_call("get to a bad address", syscall(SYS_getxattr, "f", "trusted.big", 16L, 65536L));
    say_call("list to a bad address", syscall(SYS_listxattr, "f", 16L, 1000L));
    say_call("removed", removexattr("f", "trusted.big"));
    say_call("the space alone: trusted.", setxattr("f", "trusted.", "x", 1, 0));
    say_call("the space alone: security.", setxattr("f", "security.", "x", 1, 0));
    say_call("without a dot", setxattr("f", "trusted", "x", 1, 0));
    say_call("get without a dot", getxattr("f", "trusted", NULL, 0));
    say_call("an unknown space", setxattr("f", "bogus.a", "x", 1, 0));
    say_call("get", getxattr("f", "bogus.a", NULL, 0));
    say_call("user", setxattr("f", "user.a", "x", 1, 0));
    say_call("get of user", getxattr("f", "user.a", NULL, 0));
    say_call("remove of user", removexattr("f", "user.a"));
    say_call("user of a link", lsetxattr("s", "user.a", "x", 1, 0));
    say_call("get of user of a link", lgetxattr("s", "user.a", NULL, 0));
    say_call("user of a fifo", setxattr("p", "user.a", "x", 1, 0));
    say_call("system", setxattr("f", "system.a", "x", 1, 0));
    say_call("a missing file and a bad name", setxattr("missing", "", "x", 1, 0));
    say_call("a bad flag and a bad name", setxattr("f", "", "x", 1, 8));
    say_call("a bad name and a large value", setxattr("f", "", big, 65537, 0));
}

// So many that the list takes more than 64 KiB.
static void many(void) {
    char name[256];
    int count = 0;
    file_make("many", "", 0644);
    for (int i = 0; i < 262; i++) {
        memset(name, 'm', 255);
        snprintf(name, sizeof(name), "trusted.%04d", i);
        name[12] = 'm';
        name[255] = 0;
        count += setxattr("many", name, "v", 1, 0) == 0;
    }
    say("names of 256 bytes", "%d", count);
    say_call("length of the list alone", listxattr("many", NULL, 0));
    say_call("the list", listxattr("many", buffer, sizeof(buffer)));
    say_call("the list, a smaller buffer", listxattr("many", buffer, 60000));
}

int main(void) {
    struct stat before, after;
    file_make("f", "contents", 0644);
    MUST(symlink("f", "s"));
    MUST(symlink("nowhere", "dangling"));
    MUST(mkdir("d", 0755));
    MUST(mkfifo("p", 0644));
    MUST(mknod("c", S_IFCHR | 0644, 0x103));
    basics();
    forms();
    limits();
    many();
    MUST(stat("f", &before));
    sleep_ms(20);
    MUST(setxattr("f", "trusted.time", "", 0, 0));
    MUST(stat("f", &after));
    say_bool("the time of change moves", before.st_ctim.tv_nsec != after.st_ctim.tv_nsec);
    say_bool("the time of modification stays", before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    say_bool("the size stays", before.st_size == after.st_size);
    return 0;
}
