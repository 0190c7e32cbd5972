# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += io.c inode.c permission.c attributes.c
obj-y += dentry.c walk.c mount.c mount_tree.c mount_group.c mount_call.c mount_show.c mount_fd.c mount_config.c names.c rename.c path_name.c xattr.c acl.c
obj-y += file.c open.c readdir.c fd_table.c fs_context.c
obj-y += user_account.c
obj-y += anonymous.c async.c pipe.c poll.c lock.c lease.c memory_file.c
obj-y += options.c tmpfs.c tmpfs_dir.c tmpfs_file.c devtmpfs.c
obj-y += devpts.c objfs.c splice.c
obj-y += cpio_parse.c cpio.c boot.c
obj-$(CONFIG_SELFTEST) += names_selftest.c streams_selftest.c
host-test-y += cpio_parse_test.c rings_test.c
