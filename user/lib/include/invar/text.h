// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Words for what native calls return (libinvar).
#ifndef INVAR_TEXT_H
#define INVAR_TEXT_H

#include <invar/status.h>

// What a status means, in English. Never NULL; "unknown status" for a number that the list does not have.
const char *inv_status_text(inv_status_t status);
// Its name without INV_: "OK", "ERR_QUOTA". "unknown" for others.
const char *inv_status_name(inv_status_t status);

#endif
