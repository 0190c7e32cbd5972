# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += log.c log_ring.c emergency.c stop.c panic.c backtrace.c symbols.c counters.c
obj-y += trace.c debugger.c debugger_line.c inspect.c selftest.c
