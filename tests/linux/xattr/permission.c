// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Extended attributes: who may see and change which space; file capabilities, their forms, and what takes them away.
// Left out: what an unprivileged owner may do to security. names. The rule is EPERM, but a kernel with the BPF security module forgets to ask it.
#include "testing.h"
#include <sys/mount.h>
#include <sys/xattr.h>

// linux/capability.h
#define VFS_CAP_REVISION_1      0x01000000
#define VFS_CAP_REVISION_2      0x02000000
#define VFS_CAP_REVISION_3      0x03000000
#define VFS_CAP_FLAGS_EFFECTIVE 1

static void capability_word(unsigned char *at, unsigned word) {
    for (int i = 0; i < 4; i++) {
        at[i] = (unsigned char)(word >> 8 * i);
    }
}

static unsigned capability_read(const unsigned char *at) {
    return at[0] | (unsigned)at[1] << 8 | (unsigned)at[2] << 16 | (unsigned)at[3] << 24;
}

static size_t capability_make(unsigned char value[24], unsigned revision, unsigned permitted, unsigned root) {
    memset(value, 0, 24);
    capability_word(value, revision | VFS_CAP_FLAGS_EFFECTIVE);
    capability_word(value + 4, permitted);
    capability_word(value + 20, root);
    return revision == VFS_CAP_REVISION_3 ? 24 : 20;
}

static void say_capability(const char *name, const char *path) {
    unsigned char value[64];
    ssize_t n = getxattr(path, "security.capability", value, sizeof(value));
    if (n == -1) {
        say(name, "%s", error_name(errno));
    } else {
        say(name, "%zd bytes, %#x, permitted %#x, root %u", n, capability_read(value), capability_read(value + 4),
            n == 24 ? capability_read(value + 20) : 0);
    }
}

static int as_user(void) {
    unsigned char value[24];
    char buffer[64];
    MUST(setgid(1000));
    MUST(setuid(1000));
    say_call("user: set trusted of an own file", setxattr("mine", "trusted.a", "x", 1, 0));
    say_call("user: get trusted", getxattr("mine", "trusted.secret", buffer, 10));
    say_call("user: list does not show trusted", listxattr("mine", buffer, sizeof(buffer)));
    say_call("user: remove trusted", removexattr("mine", "trusted.secret"));
    say_call("user: get security of an own file", getxattr("mine", "security.note", buffer, 10));
    say_call("user: get security of a file that it may not read", getxattr("closed", "security.note", buffer, 10));
    say_call("user: list of a file that it may not read", listxattr("closed", buffer, sizeof(buffer)));
    say_call("user: user of a file that it may not read", getxattr("closed", "user.a", buffer, 10));
    say_call("user: set user of a file that it may not write", setxattr("closed", "user.a", "x", 1, 0));
    say_call("user: set user of an own file", setxattr("mine", "user.a", "x", 1, 0));
    say_call("user: set user of root's sticky folder", setxattr("sticky", "user.a", "x", 1, 0));
    say_call("user: unknown space, not writable", setxattr("closed", "bogus.a", "x", 1, 0));
    size_t n = capability_make(value, VFS_CAP_REVISION_2, 1, 0);
    say_call("user: set capabilities", setxattr("mine", "security.capability", value, n, 0));
    say_call("user: malformed capabilities", setxattr("mine", "security.capability", value, n - 1, 0));
    say_call("user: get capabilities", getxattr("mine", "security.capability", NULL, 0));
    return 0;
}

static void forms(void) {
    unsigned char value[24];
    size_t n = capability_make(value, VFS_CAP_REVISION_2, 0x21, 0);
    say_call("revision 2", setxattr("f", "security.capability", value, n, 0));
    say_capability("is", "f");
    n = capability_make(value, VFS_CAP_REVISION_3, 0x22, 0);
    say_call("revision 3 for root", setxattr("f", "security.capability", value, n, 0));
    say_capability("is", "f");
    say_call("its length", getxattr("f", "security.capability", NULL, 0));
    n = capability_make(value, VFS_CAP_REVISION_3, 0x23, 1000);
    say_call("revision 3 for another root", setxattr("f", "security.capability", value, n, 0));
    say_capability("is", "f");
    say_call("buffer too small", getxattr("f", "security.capability", value, 10));
    n = capability_make(value, VFS_CAP_REVISION_3, 0x23, 0xffffffff);
    say_call("revision 3 for nobody", setxattr("f", "security.capability", value, n, 0));
    n = capability_make(value, VFS_CAP_REVISION_1, 0x24, 0);
    say_call("revision 1", setxattr("f", "security.capability", value, 12, 0));
    n = capability_make(value, VFS_CAP_REVISION_2, 0x24, 0);
    say_call("a byte short", setxattr("f", "security.capability", value, n - 1, 0));
    say_call("revision 2 with the length of 3", setxattr("f", "security.capability", value, 24, 0));
    say_call("an empty value", setxattr("f", "security.capability", value, 0, 0));
    say_call("of a folder", setxattr("sticky", "security.capability", value, n, 0));
    say_call("XATTR_CREATE of one that is there", setxattr("f", "security.capability", value, n, XATTR_CREATE));
    say_call("remove", removexattr("f", "security.capability"));
    say_capability("is", "f");
}

static void give(const char *path) {
    unsigned char value[24];
    size_t n = capability_make(value, VFS_CAP_REVISION_2, 1, 0);
    MUST(setxattr(path, "security.capability", value, n, 0));
}

static void lost(void) {
    int fd = MUST(open("f", O_RDWR));
    give("f");
    MUST(chmod("f", 0755));
    say_capability("after chmod", "f");
    MUST(utimensat(AT_FDCWD, "f", NULL, 0));
    say_capability("after utimensat", "f");
    MUST(rename("f", "g"));
    MUST(rename("g", "f"));
    say_capability("after rename", "f");
    MUST(write(fd, "x", 1));
    say_capability("after a write", "f");
    give("f");
    MUST(ftruncate(fd, 1));
    say_capability("after ftruncate", "f");
    give("f");
    MUST(truncate("f", 0));
    say_capability("after truncate", "f");
    give("f");
    MUST(chown("f", 0, 0));
    say_capability("after chown to the same", "f");
    give("f");
    MUST(chown("f", -1, -1));
    say_capability("after chown of nothing", "f");
    give("sticky");
    MUST(chown("sticky", 0, 0));
    say_capability("a folder's after chown", "sticky");
    give("f");
    close(MUST(open("f", O_WRONLY)));
    say_capability("after an open for writing", "f");
    close(MUST(open("f", O_WRONLY | O_TRUNC)));
    say_capability("after O_TRUNC", "f");
}

static void read_only(void) {
    MUST(mkdir("m", 0755));
    MUST(mount("t", "m", "tmpfs", 0, NULL));
    file_make("m/f", "x", 0644);
    MUST(setxattr("m/f", "trusted.a", "value", 5, 0));
    MUST(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    say_call("read-only: set", setxattr("m/f", "trusted.a", "x", 1, 0));
    say_call("read-only: set with a bad name", setxattr("m/f", "", "x", 1, 0));
    say_call("read-only: remove", removexattr("m/f", "trusted.a"));
    say_call("read-only: get", getxattr("m/f", "trusted.a", NULL, 0));
    MUST(umount("m"));
}

int main(void) {
    unsigned char value[24];
    file_make("f", "x", 0644);
    file_make("mine", "x", 0644);
    MUST(chown("mine", 1000, 1000));
    file_make("closed", "x", 0600);
    MUST(mkdir("sticky", 0755));
    MUST(chmod("sticky", 01777));
    MUST(setxattr("mine", "trusted.secret", "x", 1, 0));
    MUST(setxattr("mine", "security.note", "note", 4, 0));
    MUST(setxattr("closed", "security.note", "note", 4, 0));
    size_t n = capability_make(value, VFS_CAP_REVISION_2, 1, 0);
    MUST(setxattr("mine", "security.capability", value, n, 0));
    say_child("a user", as_user);
    forms();
    lost();
    read_only();
    return 0;
}
