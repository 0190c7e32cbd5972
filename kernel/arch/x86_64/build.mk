# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += head.S entry.S trampoline.S usercopy.S
obj-y += apic.c boot_map.c boot_multiboot2.c boot_pvh.c boot_ranges.c context.c descriptors.c exception_table.c exceptions.c features.c fpu.c
obj-y += inspect.c interrupts.c mmu.c offsets.c random.c smp.c start.c usercopy.c
# They run before the sanitizers' shadow exists.
nosanitize-y += boot_map.c boot_multiboot2.c boot_pvh.c boot_ranges.c descriptors.c features.c start.c
host-test-y += boot_ranges_test.c exception_table_test.c
obj-$(CONFIG_SELFTEST) += arch_selftest.c
