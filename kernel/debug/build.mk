# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += log.c log_ring.c emergency.c stop.c panic.c backtrace.c symbols.c counters.c
obj-y += trace.c inspect.c selftest.c
obj-$(CONFIG_KDB) += debugger.c debugger_line.c
obj-$(if $(CONFIG_KDB),n,y) += debugger_off.c
obj-$(CONFIG_SELFTEST) += debug_selftest.c
obj-$(CONFIG_UBSAN) += ubsan.c
obj-$(CONFIG_KASAN) += kasan.c
obj-$(CONFIG_DELAY_INJECTION) += delay.c
# The hooks of the sanitizers, and what reports of theirs need, must not call themselves.
nosanitize-y += ubsan.c kasan.c
host-test-y += log_ring_test.c debugger_line_test.c
