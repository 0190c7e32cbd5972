# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
obj-y += arch_x86_64.c capabilities.c clone.c copy.c core_file.c core_file_image.c credentials.c elf.c elf_check.c entry.c errno.c exec.c exec_image.c exec_strings.c exit.c futex.c
obj-y += group.c identity.c init.c itimer.c limits.c memory.c memory_advice.c memory_lock.c process_vm.c pid.c pid_map.c pidfd.c prctl.c process.c rt_limit.c sched.c share.c signal.c signal_action.c
obj-y += numa.c futex_pi.c futex_pi_requeue.c futex_robust.c futex_waitv.c
obj-y += signal_deliver.c signal_queue.c signal_send.c system.c time.c usage.c user.c wait.c
obj-y += file.c fd.c file_lock.c file_owner.c memfd.c name.c stat.c mount.c mount_fd.c storage.c pipe.c xattr.c poll.c
obj-y += splice.c
obj-y += socket.c socket_message.c
obj-y += epoll.c event.c signalfd.c adjtime.c clocks.c posix_timer.c
host-test-y += elf_check_test.c errno_test.c pid_map_test.c signal_set_test.c
