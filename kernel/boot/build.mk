# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
obj-y += main.c option.c timeline.c
host-test-y += option_test.c
