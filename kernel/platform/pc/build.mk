# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += acpi.c acpi_check.c acpi_devices.c acpi_read.c clock.c clock_scale.c io_apic.c message.c pic.c platform.c power.c reference.c rtc.c timer.c uart.c
host-test-y += acpi_check_test.c clock_scale_test.c
