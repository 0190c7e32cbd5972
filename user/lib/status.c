// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Names and texts of statuses, from the list in <invar/status.h>.
#include <invar/text.h>

const char *inv_status_text(inv_status_t status) {
    switch (status) {
#define X(name, number, text) \
    case number: return text;
        INV_STATUS_LIST(X)
#undef X
    default: return "unknown status";
    }
}

const char *inv_status_name(inv_status_t status) {
    switch (status) {
#define X(name, number, text) \
    case number: return #name;
        INV_STATUS_LIST(X)
#undef X
    default: return "unknown";
    }
}
