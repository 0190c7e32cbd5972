# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
obj-y += process.c thread.c reap.c inspect.c bootstrap.c
obj-$(CONFIG_SELFTEST) += selftest_threads.c process_selftest.c
