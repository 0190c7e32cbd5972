# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += console.c port.c queue.c transport_mmio.c transport_pci.c
host-test-y += queue_test.c
