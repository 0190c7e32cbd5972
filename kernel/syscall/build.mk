# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
obj-y += syscall.c native.c
obj-$(CONFIG_SELFTEST) += native_selftest.c
