# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
obj-y += proc.c proc_descriptors.c proc_file.c proc_memory.c proc_process.c proc_system.c proc_invar.c proc_sysctl.c proc_text.c proc_view.c
