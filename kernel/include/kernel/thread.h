// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Threads: see process.h, where process and thread stand together.
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <kernel/process.h>

#endif
