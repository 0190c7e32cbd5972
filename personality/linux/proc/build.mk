# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
obj-y += proc.c proc_file.c proc_text.c proc_view.c sysfs.c
obj-y += proc_process.c proc_status.c proc_memory.c proc_smaps.c proc_mem.c proc_pagemap.c proc_descriptors.c
obj-y += proc_system.c proc_machine.c proc_sysctl.c proc_sysvipc.c proc_invar.c proc_locks.c
obj-y += proc_net.c
