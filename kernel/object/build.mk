# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
obj-y += object.c directory.c namespace.c security.c handle.c handle_slots.c job.c token.c inspect.c
obj-y += handle_calls.c job_calls.c name_calls.c describe.c
obj-$(CONFIG_DEBUG) += object_selftest.c handle_selftest.c namespace_selftest.c job_selftest.c
host-test-y += handle_test.c handle_race_test.c
