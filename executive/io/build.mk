# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += chardev.c memory_devices.c kmsg.c serial.c
