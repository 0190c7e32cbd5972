// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the machine calls itself towards Linux programs.
#ifndef LINUX_SYSTEM_H
#define LINUX_SYSTEM_H

#include <kernel/types.h>

#define LINUX_NAME_LENGTH 65
#define LINUX_RELEASE     "6.1.0-invar"
#define LINUX_VERSION     "Invar " CONFIG_VERSION

// A number of /proc/sys that who may write its file changes within bounds. Read freely.
struct linux_tunable {
    _Atomic uint64_t value;
    uint64_t minimum, maximum;
};

void linux_host_name(char out[LINUX_NAME_LENGTH]);
void linux_domain_name(char out[LINUX_NAME_LENGTH]);
void linux_host_name_set(const char *name); // cut to 64 bytes
void linux_domain_name_set(const char *name);

// kernel.pid_max: numbers of processes are below it; kernel.threads-max; fs.nr_open: what RLIMIT_NOFILE may be at most.
extern struct linux_tunable linux_pid_limit, linux_thread_limit, linux_descriptor_limit;
// kernel.dmesg_restrict: 1: reading the log needs a capability.
extern struct linux_tunable linux_log_restricted;

#endif
