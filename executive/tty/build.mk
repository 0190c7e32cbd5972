# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += tty.c tty_worker.c tty_job.c tty_ioctl.c tty_settings.c tty_devices.c pty.c pty_master.c byte_ring.c ldisc.c ldisc_output.c
obj-$(CONFIG_SELFTEST) += tty_selftest.c
host-test-y += ldisc_test.c
