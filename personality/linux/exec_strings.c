// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The arguments and the environment of a new program on their way from the old one: copied once into one growing block, charged to the caller's job.
// Limits as Linux has them: 128 KiB a string, a quarter of the stack limit in all (at least 128 KiB), pointers included.
#include "exec.h"

#include <arch/usercopy.h>
#include <kernel/slab.h>

#define STRING_MAX (128u << 10)
#define TOTAL_MIN  (128u << 10)
#define TOTAL_MAX  (4u << 20) // what one block of kernel memory may have
#define FIRST_SIZE 4096u

void exec_strings_init(struct exec_strings *s, struct job *job, uint64_t stack_limit) {
    *s = (struct exec_strings){.job = job};
    s->limit = MIN(MAX(stack_limit / 4, TOTAL_MIN), TOTAL_MAX);
}

void exec_strings_free(struct exec_strings *s) {
    for (unsigned i = 0; i < s->prefix_count; i++)
        kfree(s->prefix[i]);
    s->prefix_count = 0;
    if (s->text != NULL)
        job_uncharge(s->job, JOB_MEMORY, s->size);
    kfree(s->text);
    s->text = NULL;
}

static int64_t block_grow(struct exec_strings *s, size_t size) {
    char *text;

    if (job_charge(s->job, JOB_MEMORY, size) != INV_OK)
        return -LINUX_ENOMEM;
    text = kmalloc(size);
    if (text == NULL) {
        job_uncharge(s->job, JOB_MEMORY, size);
        return -LINUX_ENOMEM;
    }
    if (s->text != NULL) {
        memcpy(text, s->text, s->used);
        kfree(s->text);
        job_uncharge(s->job, JOB_MEMORY, s->size);
    }
    s->text = text;
    s->size = size;
    return 0;
}

// Appends one string from user memory.
static int64_t string_append(struct exec_strings *s, uint64_t user) {
    for (;;) {
        size_t room = s->size - s->used, length;
        if (room > 0) {
            inv_status_t st = arch_string_from_user(s->text + s->used, (const char user_ptr *)user,
                                                    MIN(room, STRING_MAX), &length);
            if (st == INV_OK) {
                s->used += length + 1;
                return 0;
            }
            if (st == INV_ERR_FAULT)
                return -LINUX_EFAULT;
            if (room >= STRING_MAX)
                return -LINUX_E2BIG;
        }
        if (s->size >= s->limit)
            return -LINUX_E2BIG;
        int64_t result = block_grow(s, MIN(MAX(s->size * 2, FIRST_SIZE), s->limit));
        if (result != 0)
            return result;
    }
}

static int64_t vector_append(struct exec_strings *s, uint64_t user, unsigned *count) {
    for (*count = 0; user != 0; user += sizeof(uint64_t)) {
        uint64_t pointer;
        if (arch_user_load64((const uint64_t user_ptr *)user, &pointer) != INV_OK)
            return -LINUX_EFAULT;
        if (pointer == 0)
            break;
        int64_t result = string_append(s, pointer);
        if (result != 0)
            return result;
        ++*count;
        if (s->used + ((uint64_t)s->argc + s->envc + 2) * sizeof(uint64_t) > s->limit)
            return -LINUX_E2BIG;
        if ((*count & 1023) == 0 && thread_killed(current_thread()))
            return -LINUX_EINTR;
    }
    return 0;
}

// A program without argv[0] gets an empty one (Linux since 5.18).
static int64_t first_argument(struct exec_strings *s) {
    if (s->text == NULL) {
        int64_t result = block_grow(s, FIRST_SIZE);
        if (result != 0)
            return result;
    }
    if (s->argc == 0) {
        s->text[s->used++] = '\0';
        s->argc = 1;
    }
    s->argv_bytes = s->used;
    return 0;
}

int64_t exec_strings_from_user(struct exec_strings *s, uint64_t argv, uint64_t envp) {
    int64_t result = vector_append(s, argv, &s->argc);

    if (result == 0)
        result = first_argument(s);
    if (result == 0)
        result = vector_append(s, envp, &s->envc);
    return result;
}

int64_t exec_strings_from_kernel(struct exec_strings *s, const char *const *argv, const char *const *envp) {
    int64_t result = block_grow(s, MIN(MAX(s->limit, FIRST_SIZE), 16u << 10));

    for (unsigned pass = 0; pass < 2 && result == 0; pass++) {
        const char *const *v = pass == 0 ? argv : envp;
        for (; *v != NULL && result == 0; v++) {
            size_t n = strlen(*v) + 1;
            if (n > s->size - s->used)
                return -LINUX_E2BIG;
            memcpy(s->text + s->used, *v, n);
            s->used += n;
            if (pass == 0)
                s->argc++;
            else
                s->envc++;
        }
        if (pass == 0)
            result = first_argument(s);
    }
    return result;
}

int64_t exec_strings_script(struct exec_strings *s, const char *interpreter, const char *argument, const char *script) {
    const char *fresh[3] = {interpreter, argument != NULL ? argument : script, argument != NULL ? script : NULL};
    unsigned n = argument != NULL ? 3 : 2, dropped = s->prefix_count > 0 ? 1 : 0;
    char *copies[3] = {NULL};

    if (s->prefix_count - dropped + n > EXEC_PREFIX_MAX)
        return -LINUX_ELOOP;
    for (unsigned i = 0; i < n; i++) {
        copies[i] = kstrdup(fresh[i]);
        if (copies[i] == NULL) {
            while (i > 0)
                kfree(copies[--i]);
            return -LINUX_ENOMEM;
        }
    }
    if (dropped)
        kfree(s->prefix[0]);
    memmove(&s->prefix[n], &s->prefix[dropped], (s->prefix_count - dropped) * sizeof(s->prefix[0]));
    memcpy(s->prefix, copies, n * sizeof(s->prefix[0]));
    s->prefix_count += n - dropped;
    s->skip_first = true;
    return 0;
}
