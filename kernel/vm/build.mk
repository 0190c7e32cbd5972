# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += page.c page_buddy.c
obj-y += slab.c kmalloc.c
obj-y += kspace.c kstack.c
obj-y += shootdown.c
obj-y += vmo.c vmo_slots.c vmo_copy.c vmo_unmap.c vmo_calls.c
obj-y += aspace.c mapping.c mapping_gap.c fault.c fork.c remap.c access.c oom.c region.c
obj-y += memory_commands.c owners.c

obj-$(CONFIG_DEBUG) += page_check.c planted_leak.c test/failure_selftest.c test/audit_selftest.c
ifndef CONFIG_DEBUG
obj-y += page_check_off.c
endif

obj-$(CONFIG_SELFTEST) += test/aspace_selftest.c test/memory_selftest.c test/counters_selftest.c

host-test-y += test/page_buddy_test.c test/vmo_slots_test.c

# They look into free memory on purpose.
kasan-off := $(if $(CONFIG_KASAN),-fno-sanitize=kernel-address)
cflags-slab.c := $(kasan-off)
cflags-kmalloc.c := $(kasan-off)
cflags-page_check.c := $(kasan-off)

# They write into what they themselves have poisoned.
nosanitize-y += page.c page_check.c slab.c kmalloc.c
