// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Fields of operations in C and in messages. In a message: a scalar is a word; a struct or fixed array is its bytes, padded with zeros to words; a string or
// array is a word with the count, and then the same; handles stand beside the data, an array's count within it.
#include "emit_message.h"

#include <string.h>

bool is_handles(const struct type *t) {
    return t->kind == TYPE_HANDLE || (t->kind == TYPE_ARRAY && t->element->kind == TYPE_HANDLE);
}

static const struct type *innermost(const struct type *t) {
    while (t->kind == TYPE_FIXED)
        t = t->element;
    return t;
}

const char *element_type(const struct type *t) {
    t = innermost(t);
    return t->kind == TYPE_BOOL ? "uint8_t" : c_type(t);
}

unsigned long long element_count(const struct type *t) {
    unsigned long long count = 1;
    for (; t->kind == TYPE_FIXED; t = t->element)
        count *= t->bound;
    return count;
}

void emit_parameter_of(FILE *f, const struct field *p, bool out) {
    const char *constant = out ? "" : "const ", *name = out ? "out_" : "";
    switch (p->type->kind) {
    case TYPE_STRING:
        fprintf(f, "%schar *%s%s, size_t %s%s%s_length", constant, name, p->name, out ? "*" : "", name, p->name);
        break;
    case TYPE_ARRAY:
        fprintf(f, "%s%s *%s%s, size_t %s%s%s_count", constant, element_type(p->type->element), name, p->name,
                out ? "*" : "", name, p->name);
        break;
    case TYPE_FIXED:
        fprintf(f, "%s%s %s%s[%llu]", constant, element_type(p->type), name, p->name, element_count(p->type));
        break;
    case TYPE_STRUCT: fprintf(f, "%s%s *%s%s", constant, c_type(p->type), name, p->name); break;
    default: fprintf(f, "%s %s%s%s", c_type(p->type), out ? "*" : "", name, p->name); break;
    }
}

void emit_parameters_of(FILE *f, const struct field *fields, bool out) {
    for (const struct field *p = fields; p; p = p->next) {
        if (p->type->kind == TYPE_PAGES)
            continue; // the ring's
        fprintf(f, ", ");
        emit_parameter_of(f, p, out);
    }
}

void emit_local(FILE *f, const struct field *p, const char *prefix) {
    const struct type *t = p->type;
    switch (t->kind) {
    case TYPE_STRING:
        fprintf(f, "    char %s%s[%llu] = {0};\n    size_t %s%s_length = 0;\n", prefix, p->name,
                (unsigned long long)t->bound + 1, prefix, p->name);
        break;
    case TYPE_ARRAY:
        fprintf(f, "    %s %s%s[%llu] = {0};\n    size_t %s%s_count = 0;\n", element_type(t->element), prefix, p->name,
                (unsigned long long)t->bound * element_count(t->element), prefix, p->name);
        break;
    case TYPE_FIXED:
        fprintf(f, "    %s %s%s[%llu] = {0};\n", element_type(t), prefix, p->name, element_count(t));
        break;
    case TYPE_STRUCT: fprintf(f, "    %s %s%s = {0};\n", c_type(t), prefix, p->name); break;
    default: fprintf(f, "    %s %s%s = 0;\n", c_type(t), prefix, p->name); break;
    }
}

void emit_argument_of(FILE *f, const struct field *p, const char *prefix, bool out) {
    const char *address = out ? "&" : "";
    switch (p->type->kind) {
    case TYPE_STRING: fprintf(f, "%s%s, %s%s%s_length", prefix, p->name, address, prefix, p->name); break;
    case TYPE_ARRAY: fprintf(f, "%s%s, %s%s%s_count", prefix, p->name, address, prefix, p->name); break;
    case TYPE_FIXED: fprintf(f, "%s%s", prefix, p->name); break;
    case TYPE_STRUCT: fprintf(f, "&%s%s", prefix, p->name); break;
    default: fprintf(f, "%s%s%s", address, prefix, p->name); break;
    }
}

// --- writing ---------------------------------------------------------------------------------------------------------------

void emit_put(FILE *f, const struct field *p, const char *prefix, bool by_pointer) {
    const struct type *t = p->type;
    unsigned long long bound = t->bound;
    switch (t->kind) {
    case TYPE_STRING:
        fprintf(f, "    inv_put_bytes(&writer, %s%s, inv_put_count(&writer, %s%s_length, %llu));\n", prefix, p->name,
                prefix, p->name, bound);
        break;
    case TYPE_ARRAY:
        if (is_handles(t))
            fprintf(f,
                    "    for (size_t i = 0, n = inv_put_count(&writer, %s%s_count, %llu); i < n; i++)\n        "
                    "inv_put_handle(&writer, %s%s[i]);\n",
                    prefix, p->name, bound, prefix, p->name);
        else
            fprintf(f, "    inv_put_bytes(&writer, %s%s, inv_put_count(&writer, %s%s_count, %llu) * %u);\n", prefix,
                    p->name, prefix, p->name, bound, t->element->bytes);
        break;
    case TYPE_FIXED: fprintf(f, "    inv_put_bytes(&writer, %s%s, %u);\n", prefix, p->name, t->bytes); break;
    case TYPE_STRUCT:
        fprintf(f, "    inv_put_bytes(&writer, %s%s%s, %u);\n", by_pointer ? "" : "&", prefix, p->name, t->bytes);
        break;
    case TYPE_HANDLE: fprintf(f, "    inv_put_handle(&writer, %s%s);\n", prefix, p->name); break;
    default:
        fprintf(f, "    inv_put_word(&writer, (uint64_t)%s%s%s);\n", t->is_signed ? "(int64_t)" : "", prefix, p->name);
        break;
    }
}

// --- reading ---------------------------------------------------------------------------------------------------------------

// A check of what was read into place (an expression), where not every pattern of bits is a value.
static void emit_value_check(FILE *f, const struct type *t, const char *indent, const char *place) {
    switch (t->kind) {
    case TYPE_BOOL: fprintf(f, "%sinv_get_check(&reader, %s <= 1);\n", indent, place); break;
    case TYPE_ENUM:
    case TYPE_FLAGS:
        fprintf(f, "%sinv_get_check(&reader, inv_%s_is_valid(%s));\n", indent, t->declaration->name, place);
        break;
    case TYPE_STRUCT:
        fprintf(f, "%sinv_get_check(&reader, inv_%s_is_valid(&%s));\n", indent, t->declaration->name, place);
        break;
    default: break;
    }
}

static bool needs_check(const struct type *t) {
    return t->kind == TYPE_BOOL || t->kind == TYPE_ENUM || t->kind == TYPE_FLAGS || t->kind == TYPE_STRUCT;
}

static void emit_elements_check(FILE *f, const struct type *t, const char *name, const char *count) {
    char place[160];
    if (!needs_check(t))
        return;
    snprintf(place, sizeof(place), "%s[i]", name);
    fprintf(f, "    for (size_t i = 0; i < %s; i++)\n", count);
    emit_value_check(f, t, "        ", place);
}

static void emit_get_array(FILE *f, const struct type *t, const char *name, const char *count) {
    char elements[160];
    fprintf(f, "    %s = inv_get_count(&reader, %llu);\n", count, (unsigned long long)t->bound);
    if (is_handles(t)) {
        fprintf(f, "    for (size_t i = 0; i < %s; i++)\n        %s[i] = inv_get_handle(&reader);\n", count, name);
        return;
    }
    fprintf(f, "    inv_get_bytes(&reader, %s, %s * %u);\n", name, count, t->element->bytes);
    snprintf(elements, sizeof(elements), "%s * %llu", count, element_count(t->element));
    emit_elements_check(f, innermost(t->element), name, element_count(t->element) == 1 ? count : elements);
}

static void emit_get_scalar(FILE *f, const struct type *t, const char *place) {
    if (t->kind == TYPE_BOOL)
        fprintf(f, "    %s = inv_get_unsigned(&reader, 1) != 0;\n", place);
    else
        fprintf(f, "    %s = (%s)inv_get_%s(&reader, %u);\n", place, c_type(t), t->is_signed ? "signed" : "unsigned",
                t->bytes * 8);
    if (t->kind != TYPE_BOOL)
        emit_value_check(f, t, "    ", place);
}

void emit_get(FILE *f, const struct field *p, const char *prefix, bool pointer) {
    const struct type *t = p->type;
    char name[96], place[100], count[112];
    snprintf(name, sizeof(name), "%s%s", prefix, p->name);
    snprintf(place, sizeof(place), "%s%s", pointer ? "*" : "", name);
    switch (t->kind) {
    case TYPE_STRING:
        snprintf(count, sizeof(count), "%s_length", place);
        fprintf(f, "    %s = inv_get_count(&reader, %llu);\n    inv_get_bytes(&reader, %s, %s);\n    %s[%s] = 0;\n",
                count, (unsigned long long)t->bound, name, count, name, count);
        break;
    case TYPE_ARRAY:
        snprintf(count, sizeof(count), "%s_count", place);
        emit_get_array(f, t, name, count);
        break;
    case TYPE_FIXED:
        fprintf(f, "    inv_get_bytes(&reader, %s, %u);\n", name, t->bytes);
        snprintf(count, sizeof(count), "%llu", element_count(t));
        emit_elements_check(f, innermost(t), name, count);
        break;
    case TYPE_STRUCT:
        fprintf(f, "    inv_get_bytes(&reader, %s%s, %u);\n", pointer ? "" : "&", name, t->bytes);
        fprintf(f, "    inv_get_check(&reader, inv_%s_is_valid(%s%s));\n", t->declaration->name, pointer ? "" : "&",
                name);
        break;
    case TYPE_HANDLE: fprintf(f, "    %s = inv_get_handle(&reader);\n", place); break;
    default: emit_get_scalar(f, t, place); break;
    }
}
