// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Brings executive/vfs up in the boot thread: caches, the boot tree (a tmpfs); then, as a stage of its own, the archive unpacked into it, /dev.

#include <kernel/boot.h>
#include <kernel/job.h>
#include <kernel/log.h>
#include <kernel/page.h>

#include "anonymous.h"
#include "boot.h"
#include "dentry.h"
#include "file.h"
#include "inode.h"
#include "mount.h"

// /dev exists and shows the devices, so that the first process finds a console.
static inv_status_t mount_dev(const struct vfs_caller *c) {
    inv_status_t s = vfs_mkdir(c, AT_FDCWD_, "/dev", 0755);
    if (s != INV_OK && s != INV_ERR_EXISTS)
        return s;
    return vfs_mount(c, "devtmpfs", "/dev", "devtmpfs", MOUNT_NOSUID, "");
}

// So that archive and files are never both there as a whole: a small machine has not the memory for it.
static void unpacked_up_to(const void *end) {
    page_free_archive(virt_to_phys(end));
}

static inv_status_t unpack(void) {
    paddr_t start = boot_info.archive_start, end = boot_info.archive_end;
    if (start == end) {
        log_warning("vfs", "no boot archive");
        return INV_OK;
    }
    inv_status_t s = cpio_unpack(phys_to_virt(start), end - start, unpacked_up_to);
    page_free_archive(end);
    return s;
}

static inv_status_t vfs_boot(void) {
    static struct fs_type rootfs; // a tmpfs that programs which list mounts know by this name
    struct path root;
    dentry_cache_init();
    inode_cache_init();
    file_cache_init();
    file_lock_init();
    file_lease_init();
    rename_init();
    fs_register(&tmpfs_type);
    rootfs = tmpfs_type;
    rootfs.name = "rootfs";
    inv_status_t s = mount_init_root(&rootfs, &root);
    if (s == INV_OK)
        s = fs_context_init(&root);
    if (s == INV_OK)
        s = anonymous_init();
    if (s == INV_OK)
        s = memory_file_init();
    if (s == INV_OK)
        s = devtmpfs_init();
    return s;
}
BOOT_CALL("files", BOOT_STAGE_EXECUTIVE, vfs_boot);

static inv_status_t archive_boot(void) {
    struct vfs_caller c = {.fs = fs_context_boot, .token = token_root, .job = &root_job};
    if (fs_context_boot == NULL)
        return INV_ERR_BAD_STATE;
    fs_context_boot->umask = 0;
    inv_status_t unpacked = unpack(), s = mount_dev(&c);
    fs_context_boot->umask = 022;
    return unpacked != INV_OK ? unpacked : s;
}
BOOT_CALL("boot archive", BOOT_STAGE_ARCHIVE, archive_boot);
