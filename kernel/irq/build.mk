# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += call.c irq.c
obj-$(CONFIG_SELFTEST) += call_selftest.c
