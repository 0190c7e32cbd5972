// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Texts of status codes, for the log and the debugger.
#ifndef KERNEL_STATUS_H
#define KERNEL_STATUS_H

#include <invar/status.h>

// Never NULL; "unknown status" for a number that the list does not have. Any context.
const char *status_text(inv_status_t status);

#endif
