// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Arguments that many families copy in and out: paths, times. Context: system call, may sleep.
#include "calls.h"

#include <arch/usercopy.h>
#include <kernel/boot.h>
#include <kernel/slab.h>
#include <kernel/string.h>

static struct slab_cache path_cache;

static inv_status_t copy_init(void) {
    slab_cache_init(&path_cache, "linux_path", PATH_MAX_BYTES, 0);
    return INV_OK;
}
BOOT_CALL("linux paths", BOOT_STAGE_EXECUTIVE, copy_init);

int64_t linux_path_get(uint64_t user, bool allow_empty, struct linux_path *out) {
    size_t length;
    inv_status_t s;

    out->text = slab_alloc(&path_cache);
    if (out->text == NULL)
        return -LINUX_ENOMEM;
    s = arch_string_from_user(out->text, (const char user_ptr *)user, PATH_MAX_BYTES, &length);
    int64_t result = s == INV_ERR_RANGE ? -LINUX_ENAMETOOLONG : s != INV_OK ? -LINUX_EFAULT : 0;
    if (result == 0 && length == 0 && !allow_empty)
        result = -LINUX_ENOENT;
    if (result != 0)
        linux_path_put(out);
    return result;
}

void linux_path_put(struct linux_path *p) {
    if (p->text != NULL)
        slab_free(&path_cache, p->text);
    p->text = NULL;
}

int64_t linux_struct_get(void *to, size_t known, uint64_t user, uint64_t size) {
    uint64_t words[16];

    memset(to, 0, known);
    if (arch_copy_from_user(to, (const void user_ptr *)user, MIN(size, known)) != INV_OK)
        return -LINUX_EFAULT;
    for (uint64_t at = known; at < size;) {
        uint64_t n = MIN(size - at, sizeof(words));
        memset(words, 0, sizeof(words));
        if (arch_copy_from_user(words, (const void user_ptr *)(user + at), n) != INV_OK)
            return -LINUX_EFAULT;
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
            if (words[i] != 0)
                return -LINUX_E2BIG;
        at += n;
    }
    return 0;
}

int64_t linux_timespec_get(uint64_t user, nstime_t *out_duration) {
    struct linux_timespec ts;

    if (arch_copy_from_user(&ts, (const void user_ptr *)user, sizeof(ts)) != INV_OK)
        return -LINUX_EFAULT;
    return linux_timespec_check(&ts, out_duration);
}

int64_t linux_timespec_check(const struct linux_timespec *ts, nstime_t *out_duration) {
    if (ts->seconds < 0 || ts->nanoseconds < 0 || ts->nanoseconds >= (int64_t)NSEC_PER_SEC)
        return -LINUX_EINVAL;
    // A time beyond what the clock can hold is for ever.
    if ((uint64_t)ts->seconds >= INT64_MAX / NSEC_PER_SEC)
        *out_duration = NSTIME_NEVER;
    else
        *out_duration = (uint64_t)ts->seconds * NSEC_PER_SEC + (uint64_t)ts->nanoseconds;
    return 0;
}
