# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += random.c chacha20.c
obj-$(CONFIG_SELFTEST) += random_selftest.c
host-test-y += chacha20_test.c
