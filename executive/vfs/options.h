// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The text of options that a mount brings: words between commas, some with a value behind "=". Private to executive/vfs; thread context.
#ifndef VFS_OPTIONS_H
#define VFS_OPTIONS_H

#include <executive/vfs.h>

// Calls apply for each word of text (may be NULL), with what stands behind its first "=" (NULL: there is none), until one fails. INVALID
// (a word is too long, unknown or wrong), apply's errors, which are those of fs_type's check_option.
typedef inv_status_t (*mount_option_fn)(const char *key, const char *value, void *arg);
must_check inv_status_t mount_options_each(const char *text, mount_option_fn apply, void *arg);
// A number in base (0: as it is written) and nothing else, at most most. INVALID.
must_check inv_status_t mount_option_number(const char *text, unsigned base, uint64_t most, uint32_t *out);

#endif
