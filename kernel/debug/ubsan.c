// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The functions that code compiled with -fsanitize=undefined calls when it does something without a meaning in C. The kernel panics, or with
// ubsan=report on the command line logs the place and goes on. Any context. The names and structures are the compilers' (gcc and clang agree).

#include <kernel/assert.h>
#include <kernel/boot.h>
#include <kernel/log.h>
#include <kernel/string.h>
#include <kernel/time.h>

struct ubsan_place {
    const char *file;
    uint32_t line, column;
};
struct ubsan_type {
    uint16_t kind, info; // kind 0: integer; info: log2 of its bits << 1 | signed
    char name[];
};
// Every kind of data begins with its place.
struct ubsan_data {
    struct ubsan_place place;
    const struct ubsan_type *type, *other;
};

static _Atomic uint64_t reports;

static bool only_report(void) {
    char value[8];

    return boot_option("ubsan", value, sizeof(value)) && strcmp(value, "report") == 0;
}

static void report(const struct ubsan_place *place, const char *what, const struct ubsan_type *type) {
    atomic_fetch_add_explicit(&reports, 1, memory_order_relaxed);
    if (only_report())
        log_limited(LOG_ERROR, "ubsan", NSEC_PER_MSEC, "%s (%s), %s:%u", what, type != NULL ? type->name : "-",
                    place->file, place->line);
    else
        panic("undefined behaviour: %s (%s), %s:%u", what, type != NULL ? type->name : "-", place->file, place->line);
}

#define HANDLER(name, what, has_type, ...)                                  \
    void __ubsan_handle_##name(const struct ubsan_data *d, ##__VA_ARGS__);  \
    void __ubsan_handle_##name(const struct ubsan_data *d, ##__VA_ARGS__) { \
        report(&d->place, what, (has_type) ? d->type : NULL);               \
    }

HANDLER(add_overflow, "addition overflows", true, void *a, void *b)
HANDLER(sub_overflow, "subtraction overflows", true, void *a, void *b)
HANDLER(mul_overflow, "multiplication overflows", true, void *a, void *b)
HANDLER(negate_overflow, "negation overflows", true, void *a)
HANDLER(divrem_overflow, "division by zero or overflow", true, void *a, void *b)
HANDLER(shift_out_of_bounds, "shift by too much, or of a negative value", true, void *a, void *b)
HANDLER(out_of_bounds, "index out of bounds", true, void *index)
HANDLER(load_invalid_value, "a value that its type does not have", true, void *value)
HANDLER(pointer_overflow, "pointer overflows", false, void *base, void *result)
HANDLER(vla_bound_not_positive, "array of no or negative size", true, void *bound)
HANDLER(float_cast_overflow, "conversion overflows", true, void *from)
HANDLER(nonnull_arg, "null where it is forbidden", false)
HANDLER(nonnull_return_v1, "null returned where it is forbidden", false, const struct ubsan_place *where)
HANDLER(invalid_builtin, "argument that a builtin forbids", false)
HANDLER(type_mismatch_v1, "access through a bad pointer", true, void *pointer)
HANDLER(function_type_mismatch, "call of a function of another type", true, void *function)

noreturn_fn void __ubsan_handle_builtin_unreachable(const struct ubsan_data *d);
noreturn_fn void __ubsan_handle_builtin_unreachable(const struct ubsan_data *d) {
    panic("undefined behaviour: unreachable code is reached, %s:%u", d->place.file, d->place.line);
}

noreturn_fn void __ubsan_handle_missing_return(const struct ubsan_data *d);
noreturn_fn void __ubsan_handle_missing_return(const struct ubsan_data *d) {
    panic("undefined behaviour: no value is returned, %s:%u", d->place.file, d->place.line);
}
