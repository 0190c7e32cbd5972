// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The texts of abi/include/invar/status.h. Pure.
#include <kernel/status.h>

const char *status_text(inv_status_t status) {
    switch (status) {
#define STATUS_CASE(name, number, text) \
    case INV_##name: return text;
        INV_STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
    default: return "unknown status";
    }
}
