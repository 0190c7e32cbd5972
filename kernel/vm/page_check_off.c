// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Without CONFIG_DEBUG no allocation fails on demand.

#include <kernel/page.h>

void page_inject_failure(uint64_t nth) {}
