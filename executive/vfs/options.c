// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The words of a mount's options, for the file systems that take some (tmpfs.c, devpts.c). Thread context.

#include <kernel/string.h>

#include "options.h"

#define OPTION_LENGTH 64

inv_status_t mount_option_number(const char *text, unsigned base, uint64_t most, uint32_t *out) {
    const char *end;
    uint64_t n;
    if (string_to_u64(text, &end, base, &n) != INV_OK || *end != 0 || n > most)
        return INV_ERR_INVALID;
    *out = (uint32_t)n;
    return INV_OK;
}

inv_status_t mount_options_each(const char *text, mount_option_fn apply, void *arg) {
    char one[OPTION_LENGTH];
    inv_status_t s = INV_OK;
    while (s == INV_OK && text != NULL && *text != 0) {
        const char *comma = strchr(text, ',');
        size_t n = comma != NULL ? (size_t)(comma - text) : strlen(text);
        if (n >= sizeof(one))
            return INV_ERR_INVALID;
        memcpy(one, text, n);
        one[n] = 0;
        char *value = strchr(one, '=');
        if (value != NULL)
            *value++ = 0;
        if (n != 0)
            s = apply(one, value, arg);
        text += n + (comma != NULL);
    }
    return s == INV_ERR_NOT_FOUND || s == INV_ERR_WRONG_TYPE ? INV_ERR_INVALID : s;
}

inv_status_t fs_takes_no_option(const char *key, const char *value) {
    return INV_ERR_NOT_FOUND;
}
