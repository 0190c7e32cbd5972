// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Access control lists on tmpfs: their form, how they and the mode follow each other, what they allow whom, and what is inherited.
#include "testing.h"
#include <grp.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

// A list in words: "u:7 u1000:6 g:5 g1000:4 m:7 o:0" becomes an attribute's value.
static size_t list_make(unsigned char *value, const char *words) {
    size_t size = 4;
    memcpy(value, "\2\0\0\0", 4);
    for (const char *at = words; *at;) {
        char *end;
        char kind = *at;
        unsigned id = (unsigned)strtoul(at + 1, &end, 10), bits = (unsigned)strtoul(end + 1, NULL, 8);
        bool named = end != at + 1;
        unsigned tag = kind == 'u'   ? (named ? 2 : 1)
                       : kind == 'g' ? (named ? 8 : 4)
                       : kind == 'm' ? 0x10
                       : kind == 'o' ? 0x20
                                     : 0x40;
        uint16_t tag_bits[2] = {(uint16_t)tag, (uint16_t)bits};
        uint32_t number = named ? id : UINT32_MAX;
        memcpy(value + size, tag_bits, 4);
        memcpy(value + size + 4, &number, 4);
        size += 8;
        at = strchr(at, ' ');
        if (!at) {
            break;
        }
        at++;
    }
    return size;
}

static int list_set(const char *path, const char *name, const char *words) {
    unsigned char value[400];
    size_t size = list_make(value, words);
    return setxattr(path, name, value, size, 0);
}

static void list_text(char *text, size_t room, const char *path, const char *name) {
    unsigned char value[400];
    ssize_t size = getxattr(path, name, value, sizeof(value));
    if (size == -1) {
        snprintf(text, room, "%s", error_name(errno));
        return;
    }
    *text = 0;
    for (ssize_t at = 4; at < size; at += 8) {
        uint16_t entry[2];
        uint32_t id;
        char one[40], number[16] = "";
        memcpy(entry, value + at, 4);
        memcpy(&id, value + at + 4, 4);
        if (id != UINT32_MAX) {
            snprintf(number, sizeof(number), "%u", id);
        }
        snprintf(one, sizeof(one), "%s%c%s:%o", at == 4 ? "" : " ",
                 entry[0] <= 2      ? 'u'
                 : entry[0] <= 8    ? 'g'
                 : entry[0] == 0x10 ? 'm'
                                    : 'o',
                 number, entry[1]);
        strncat(text, one, room - strlen(text) - 1);
    }
}

static void say_lists(const char *name, const char *path) {
    char access_text[300], default_text[300];
    struct stat status;
    MUST(lstat(path, &status));
    list_text(access_text, sizeof(access_text), path, ACCESS);
    list_text(default_text, sizeof(default_text), path, DEFAULT);
    say(name, "mode %o, access %s, default %s", status.st_mode & 07777u, access_text, default_text);
}

static void forms(void) {
    static const char *const lists[] = {
        "u:7 g:5 o:1",
        "u:6 u1000:4 g:4 m:4 o:0",
        "u:6 u1000:4 u1001:7 g:4 g1000:2 g1001:1 m:5 o:2",
        "u:6 g:4 m:6 o:0",
        "u:6 u1000:4 u1000:6 g:4 m:4 o:0",
        "u:6 u1000:4 g:4 o:0",
        "u:6 g:4",
        "g:4 u:6 o:0",
        "u:6 u:6 g:4 o:0",
        "u:6 g:4 g:4 o:0",
        "u:6 g:4 m:4 m:4 o:0",
        "u:6 g:4 o:0 o:0",
        "u:6 g:4 o:0 m:4",
        "u:6 g:4 u1000:4 m:4 o:0",
        "u:10 g:4 o:0",
        "u:6 x:4 g:4 o:0",
        "u:6 u4294967295:4 g:4 m:4 o:0",
        "",
    };
    unsigned char value[400];
    file_make("f", "text", 0640);
    for (size_t i = 0; i < COUNT(lists); i++) {
        say_call(lists[i], list_set("f", ACCESS, lists[i]));
        say_lists("  then", "f");
    }
    size_t size = list_make(value, "u:6 u1000:4 g:4 m:4 o:0");
    say_call("no value", setxattr("f", ACCESS, value, 0, 0));
    say_call("too short", setxattr("f", ACCESS, value, 3, 0));
    say_call("cut off", setxattr("f", ACCESS, value, size - 1, 0));
    value[0] = 1;
    say_call("another version", setxattr("f", ACCESS, value, size, 0));
    value[0] = 2;
    say_call("XATTR_REPLACE of none", setxattr("f", ACCESS, value, size, XATTR_REPLACE));
    say_call("XATTR_CREATE of one", setxattr("f", ACCESS, value, size, XATTR_CREATE));
    say_call("its size", getxattr("f", ACCESS, NULL, 0));
    say_call("into less", getxattr("f", ACCESS, value, size - 1));
    say_call("names", listxattr("f", (char *)value, sizeof(value)));
    say("the name", "%s", (char *)value);
    say_call("names into less", listxattr("f", (char *)value, 5));
    say_call("default of a file", list_set("f", DEFAULT, "u:6 g:4 o:0"));
    say_call("default of a file, none", list_set("f", DEFAULT, ""));
    say_call("default of a file, malformed", list_set("f", DEFAULT, "o:1"));
    say_call("remove", removexattr("f", ACCESS));
    say_lists("removed", "f");
    say_call("remove once more", removexattr("f", ACCESS));
    say_call("remove the default of a file", removexattr("f", DEFAULT));
    MUST(symlink("f", "link"));
    size = list_make(value, "u:6 u1000:4 g:4 m:4 o:0");
    say_call("of a link", lsetxattr("link", ACCESS, value, size, 0));
    say_call("malformed, of a link", lsetxattr("link", ACCESS, value, 3, 0));
    say_call("get of a link", lgetxattr("link", ACCESS, value, sizeof(value)));
    say_call("remove of a link", lremovexattr("link", ACCESS));
    MUST(mkfifo("fifo", 0600));
    say_call("of a fifo", list_set("fifo", ACCESS, "u:6 u1000:4 g:4 m:4 o:0"));
    say_lists("of a fifo", "fifo");
    say_call("unknown name", setxattr("f", "system.posix_acl_other", value, size, 0));
    say_call("of /proc", list_set("/proc", ACCESS, "u:7 g:5 o:5"));
    say_call("get of /proc", getxattr("/proc", ACCESS, value, sizeof(value)));
    int fd = MUST(open("f", O_RDONLY));
    size = list_make(value, "u:6 u1000:4 g:4 m:4 o:0");
    say_call("by descriptor", fsetxattr(fd, ACCESS, value, size, 0));
    close(fd);
}

static void modes(void) {
    MUST(list_set("f", ACCESS, "u:7 u1000:7 g:5 g1000:3 m:6 o:1"));
    say_lists("a list", "f");
    MUST(chmod("f", 0421));
    say_lists("chmod sets the mask", "f");
    MUST(chmod("f", 04000));
    say_lists("chmod to nothing", "f");
    MUST(list_set("f", ACCESS, "u:7 g:5 m:6 o:1"));
    MUST(chmod("f", 0765));
    say_lists("without names: chmod sets the mask", "f");
    MUST(list_set("f", ACCESS, "u:1 g:2 o:3"));
    say_lists("three entries are the mode", "f");
    MUST(chown("f", 5, 6));
    MUST(chmod("f", 02755));
    MUST(list_set("f", ACCESS, "u:7 u1000:4 g:5 m:7 o:1"));
    say_lists("root keeps set-group-id", "f");
    MUST(chown("f", 1000, 6));
    say_lists("chown leaves the list", "f");
}

// What may the caller do with the file?
static void say_may(const char *name, const char *path) {
    char text[4] = "---";
    for (int i = 0; i < 3; i++) {
        if (faccessat(AT_FDCWD, path, 4 >> i, AT_EACCESS) == 0) {
            text[i] = "rwx"[i];
        }
    }
    say(name, "%s", text);
}

static uid_t as_uid;
static gid_t as_gid, as_group;

static int ask(void) {
    MUST(setgroups(as_group != 0, &as_group));
    MUST(setgid(as_gid));
    MUST(setuid(as_uid));
    say_may("  of u:7 u1000:4 u1001:3 g:6 g1002:1 g1003:7 m:5 o:2", "one");
    say_may("  of u:0 u1000:7 g:7 m:0 o:7", "none");
    say_may("  of u:1 g:4 g1002:1 m:7 o:7", "groups");
    say_call("  a file in a folder that only 1000 may search", access("folder/file", F_OK));
    say_call("  a file in a folder that 1001 may not search", access("barred/file", F_OK));
    say_call("  open", open("one", O_RDONLY) == -1 ? -1 : 0);
    say_call("  set", list_set("own", ACCESS, "u:7 g:7 o:7"));
    say_call("  remove", removexattr("own", ACCESS));
    return 0;
}

static void permissions(void) {
    static const struct {
        const char *name;
        uid_t uid;
        gid_t gid, group;
    } who[] = {{"root", 0, 0, 0},          {"the owner", 500, 1, 0},        {"user 1000", 1000, 1, 0},
               {"user 1001", 1001, 1, 0},  {"the group", 2, 600, 0},        {"group 1002", 2, 1002, 0},
               {"group 1003", 2, 1003, 0}, {"both groups", 2, 1002, 600},   {"1000 in the group", 1000, 600, 1003},
               {"a stranger", 2, 2, 0},    {"1002 and 1003", 2, 1003, 1002}};
    file_make("one", "x", 0600);
    file_make("none", "x", 0600);
    file_make("groups", "x", 0600);
    MUST(mkdir("folder", 0700));
    file_make("folder/file", "x", 0644);
    MUST(mkdir("barred", 0755));
    file_make("barred/file", "x", 0644);
    file_make("own", "x", 0600);
    MUST(chown("own", 500, 600));
    MUST(chown("one", 500, 600));
    MUST(chown("none", 500, 600));
    MUST(chown("groups", 500, 600));
    MUST(list_set("one", ACCESS, "u:7 u1000:4 u1001:3 g:6 g1002:1 g1003:7 m:5 o:2"));
    MUST(list_set("none", ACCESS, "u:0 u1000:7 g:7 m:0 o:7"));
    MUST(list_set("groups", ACCESS, "u:1 g:4 g1002:1 m:7 o:7"));
    MUST(list_set("folder", ACCESS, "u:7 u1000:1 g:0 m:7 o:0"));
    MUST(list_set("barred", ACCESS, "u:7 u1001:0 g:5 m:7 o:5"));
    for (size_t i = 0; i < COUNT(who); i++) {
        as_uid = who[i].uid;
        as_gid = who[i].gid;
        as_group = who[i].group;
        pid_t pid = MUST(fork());
        if (pid == 0) {
            if (as_uid == 0) {
                say_may("root: of u:7 ... o:2", "one");
                say_may("root: of u:0 ... m:0", "none");
                _exit(0);
            }
            _exit(ask());
        }
        say(who[i].name, "%s", status_text(reap(pid)));
    }
}

static void make_all(const char *folder, mode_t mode) {
    char path[64];
    snprintf(path, sizeof(path), "%s/file", folder);
    close(MUST(open(path, O_CREAT | O_EXCL | O_WRONLY, mode)));
    say_lists("  a file", path);
    snprintf(path, sizeof(path), "%s/folder", folder);
    MUST(mkdir(path, mode));
    say_lists("  a folder", path);
    snprintf(path, sizeof(path), "%s/fifo", folder);
    MUST(mkfifo(path, mode));
    say_lists("  a fifo", path);
    snprintf(path, sizeof(path), "%s/link", folder);
    MUST(symlink("x", path));
    struct stat status;
    MUST(lstat(path, &status));
    say("  a link", "%o", status.st_mode & 07777u);
    snprintf(path, sizeof(path), "%s/socket", folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    MUST(bind(fd, (struct sockaddr *)&address, sizeof(address)));
    close(fd);
    say_lists("  a socket", path);
    fd = MUST(open(folder, O_TMPFILE | O_RDWR, mode));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    char linked[64];
    snprintf(linked, sizeof(linked), "%s/linked", folder);
    MUST(linkat(AT_FDCWD, path, AT_FDCWD, linked, AT_SYMLINK_FOLLOW));
    close(fd);
    say_lists("  a file without a name", linked);
}

static void inheritance(void) {
    umask(027);
    MUST(mkdir("plain", 0755));
    say("without a list", "umask 027");
    make_all("plain", 0666);
    MUST(mkdir("d", 0755));
    say_call("default", list_set("d", DEFAULT, "u:7 u1000:6 g:5 m:7 o:4"));
    say_lists("the folder", "d");
    make_all("d", 0666);
    MUST(mkdir("d/folder/below", 0700));
    say_lists("further below", "d/folder/below");
    MUST(mkdir("e", 0755));
    MUST(list_set("e", DEFAULT, "u:7 g:7 o:7"));
    say_lists("three entries as default", "e");
    make_all("e", 0751);
    MUST(mkdir("s", 02775));
    MUST(chown("s", 0, 77));
    MUST(chmod("s", 02775));
    MUST(list_set("s", DEFAULT, "u:7 g:7 g5:7 m:7 o:0"));
    make_all("s", 0777);
    char names[200];
    say_call("names of a folder", listxattr("d/folder", names, sizeof(names)));
    say("both", "%s %s", names, names + strlen(names) + 1);
    say_call("default, empty", list_set("d", DEFAULT, ""));
    say_lists("default, empty", "d");
    MUST(list_set("d", DEFAULT, "u:7 g:7 o:7"));
    say_call("default removed", removexattr("d", DEFAULT));
    say_lists("default removed", "d");
    MUST(rename("d/file", "e/moved"));
    say_lists("a move inherits nothing", "e/moved");
    MUST(mount(NULL, ".", NULL, MS_REMOUNT | MS_RDONLY, NULL));
    say_call("read-only", list_set("d", ACCESS, "u:7 g:7 o:7"));
    MUST(mount(NULL, ".", NULL, MS_REMOUNT, NULL));
}

int main(void) {
    umask(0);
    MUST(mkdir("m", 0755));
    MUST(mount("t", "m", "tmpfs", 0, "mode=755"));
    MUST(chdir("m"));
    forms();
    modes();
    permissions();
    inheritance();
    MUST(chdir(".."));
    MUST(umount("m"));
    return 0;
}
