// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the machine calls itself towards Linux programs.
#ifndef LINUX_SYSTEM_H
#define LINUX_SYSTEM_H

#define LINUX_NAME_LENGTH 65
#define LINUX_RELEASE     "6.1.0-invar"
#define LINUX_VERSION     "Invar " CONFIG_VERSION

void linux_host_name(char out[LINUX_NAME_LENGTH]);
void linux_domain_name(char out[LINUX_NAME_LENGTH]);
void linux_host_name_set(const char *name); // cut to 64 bytes

#endif
