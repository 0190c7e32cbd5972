// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Memory policies, for numa.c and who shows or inherits them. Numbers of Linux.
#ifndef LINUX_NUMA_H
#define LINUX_NUMA_H

#include <kernel/aspace.h>

enum { MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_PREFERRED_MANY, MPOL_MODES };
#define MPOL_F_BALANCING (1u << 13)
#define MPOL_F_RELATIVE  (1u << 14)
#define MPOL_F_STATIC    (1u << 15)
#define MPOL_FLAGS       (MPOL_F_BALANCING | MPOL_F_RELATIVE | MPOL_F_STATIC)

// The policy in a mapping's flags: mode and MPOL_F_*; MPOL_DEFAULT: it has none of its own.
uint32_t linux_mapping_policy(unsigned mapping_flags);

#endif
