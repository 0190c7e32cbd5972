// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// swapon, swapoff, quotactl and quotactl_fd where nothing can be swapped to and nothing keeps quotas: errors and their order.
#include "testing.h"
#include <sys/mount.h>
#include <sys/quota.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

static void swaps(void) {
    say_call("swapon: unknown flags", swapon("missing", 0x80000));
    say_call("swapon: a missing file", swapon("missing", 0));
    say_call("swapon: a folder", swapon(".", SWAP_FLAG_PREFER | 3));
    say_call("swapon: a file of tmpfs", swapon("f", SWAP_FLAG_DISCARD));
    say_call("swapon: a character device", swapon("/dev/null", 0));
    say_call("swapon: an empty name", swapon("", 0));
    say_call("swapon: a bad address", syscall(SYS_swapon, 16L, 0L));
    say_call("swapoff: a missing file", swapoff("missing"));
    say_call("swapoff: a file", swapoff("f"));
    say_call("swapoff: a folder", swapoff("."));
    say_call("swapoff: an empty name", swapoff(""));
    say_call("swapoff: a bad address", syscall(SYS_swapoff, 16L));
}

static long quota(long command, const char *special) {
    return syscall(SYS_quotactl, (int)command, special, 0L, 0L);
}

static void quotas(void) {
    say_call("quotactl: unknown type", quota(QCMD(Q_GETFMT, 3), "block"));
    say_call("quotactl: no device", quota(QCMD(Q_GETFMT, USRQUOTA), NULL));
    say_call("quotactl: Q_SYNC everywhere", quota(QCMD(Q_SYNC, USRQUOTA), NULL));
    say_call("quotactl: a missing device", quota(QCMD(Q_GETFMT, USRQUOTA), "missing"));
    say_call("quotactl: a bad address", quota(QCMD(Q_GETFMT, USRQUOTA), (const char *)16L));
    say_call("quotactl: a file", quota(QCMD(Q_GETFMT, GRPQUOTA), "f"));
    say_call("quotactl: a character device", quota(QCMD(Q_GETFMT, GRPQUOTA), "/dev/null"));
    say_call("quotactl: a block device without a file system", quota(QCMD(Q_GETFMT, GRPQUOTA), "block"));
    say_call("quotactl: the same, Q_QUOTAOFF", quota(QCMD(Q_QUOTAOFF, GRPQUOTA), "block"));
    say_call("quotactl: on a mount without devices", quota(QCMD(Q_GETFMT, GRPQUOTA), "m/block"));
    int fd = MUST(open("m", O_RDONLY)), path = MUST(open("m", O_PATH));
    say_call("quotactl_fd: no descriptor", syscall(SYS_quotactl_fd, 99, (int)QCMD(Q_GETFMT, 3), 0L, 0L));
    say_call("quotactl_fd: unknown type", syscall(SYS_quotactl_fd, fd, (int)QCMD(Q_GETFMT, 3), 0L, 0L));
    say_call("quotactl_fd: tmpfs", syscall(SYS_quotactl_fd, fd, (int)QCMD(Q_GETFMT, 0), 0L, 0L));
    say_call("quotactl_fd: by O_PATH", syscall(SYS_quotactl_fd, path, (int)QCMD(Q_GETQUOTA, 0), 0L, 0L));
}

static int as_user(void) {
    MUST(setuid(1000));
    say_call("user: swapon", swapon("missing", 0));
    say_call("user: swapon, unknown flags", swapon("missing", 0x80000));
    say_call("user: swapoff", swapoff("missing"));
    say_call("user: Q_SYNC", quota(QCMD(Q_SYNC, USRQUOTA), NULL));
    return 0;
}

int main(void) {
    MUST(mkdir("m", 0755));
    MUST(mount("t", "m", "tmpfs", MS_NODEV, NULL));
    file_make("f", "x", 0600);
    MUST(mknod("block", S_IFBLK | 0600, makedev(240, 7)));
    MUST(mknod("m/block", S_IFBLK | 0600, makedev(240, 7)));
    swaps();
    quotas();
    say_child("user", as_user);
    MUST(umount2("m", MNT_DETACH));
    return 0;
}
