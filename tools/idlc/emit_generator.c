// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// NAME_generator.c: requests of an interface for fuzzing, by seed: valid ones, and ones that are spoilt in one place and so must be refused. Every field where
// not every number is a value, every count, and the shape of the parcel itself is such a place.
#include "emit_message.h"

#include <string.h>

// A value that an enum or flags have not, or false when they have all.
static bool value_missing(const struct declaration *d, uint64_t *out) {
    if (d->kind == DECLARE_FLAGS) {
        unsigned bit = 0;
        while (bit < d->type->bytes * 8 && (d->value >> bit & 1))
            bit++;
        *out = bit < 64 ? UINT64_C(1) << bit : 0;
        return bit < 64;
    }
    for (uint64_t value = 0; value < 65536; value++) {
        bool taken = false;
        for (const struct member *m = d->members; m; m = m->next)
            taken |= m->value == value;
        *out = value;
        if (!taken)
            return true;
    }
    return false;
}

// An expression for a random value of a scalar.
static void emit_random_value(FILE *f, const struct type *t) {
    const struct declaration *d = t->declaration;
    unsigned count = 0;
    switch (t->kind) {
    case TYPE_BOOL: fprintf(f, "inv_random_below(random, 2)"); break;
    case TYPE_FLAGS: fprintf(f, "(inv_random_next(random) & INV_%s_ALL)", upper(d->name)); break;
    case TYPE_ENUM:
        for (const struct member *m = d->members; m; m = m->next)
            count++;
        fprintf(f, "((const uint64_t[]){");
        for (const struct member *m = d->members; m; m = m->next)
            fprintf(f, "%s%lluu", m == d->members ? "" : ", ", (unsigned long long)m->value);
        fprintf(f, "}[inv_random_below(random, %u)])", count);
        break;
    default: fprintf(f, "(%s)inv_random_next(random)", c_type(t)); break;
    }
}

static const struct type *innermost(const struct type *t) {
    while (t->kind == TYPE_FIXED)
        t = t->element;
    return t;
}

static bool has_values(const struct type *t) {
    return t->kind == TYPE_BOOL || t->kind == TYPE_ENUM || t->kind == TYPE_FLAGS || t->kind == TYPE_STRUCT;
}

// Sets place, which is random bytes, to a value.
static void emit_mend(FILE *f, const struct type *t, const char *indent, const char *place) {
    if (t->kind == TYPE_STRUCT) {
        fprintf(f, "%smend_%s(random, &%s);\n", indent, t->declaration->name, place);
    } else {
        fprintf(f, "%s%s = (%s)", indent, place, element_type(t));
        emit_random_value(f, t);
        fprintf(f, ";\n");
    }
}

static void emit_mend_struct(FILE *f, const struct declaration *d) {
    fprintf(
        f,
        "static inline void mend_%s(struct inv_random *random, struct inv_%s *s) {\n    (void)random;\n    (void)s;\n",
        d->name, d->name);
    for (const struct field *x = d->fields; x; x = x->next) {
        const struct type *t = innermost(x->type);
        char place[160];
        if (!has_values(t))
            continue;
        if (x->type->kind == TYPE_FIXED) {
            snprintf(place, sizeof(place), "((%s *)s->%s)[i]", element_type(t), x->name);
            fprintf(f, "    for (unsigned i = 0; i < %llu; i++)\n", element_count(x->type));
            emit_mend(f, t, "        ", place);
        } else {
            snprintf(place, sizeof(place), "s->%s", x->name);
            emit_mend(f, t, "    ", place);
        }
    }
    fprintf(f, "}\n\n");
}

// The number that a scalar with values may not have; false: it may have all.
static bool scalar_missing(const struct type *t, uint64_t *out) {
    *out = 2;
    return t->kind == TYPE_BOOL ||
           ((t->kind == TYPE_ENUM || t->kind == TYPE_FLAGS) && value_missing(t->declaration, out));
}

static bool can_spoil(const struct type *t) {
    uint64_t missing;
    t = innermost(t);
    if (t->kind != TYPE_STRUCT)
        return scalar_missing(t, &missing);
    for (const struct field *x = t->declaration->fields; x; x = x->next) {
        if (can_spoil(x->type))
            return true;
    }
    return false;
}

// Makes place, which holds a value, hold none.
static void emit_spoil_value(FILE *f, const struct type *t, const char *place) {
    uint64_t missing;
    if (t->kind == TYPE_STRUCT)
        fprintf(f, "spoil_%s(random, &%s);", t->declaration->name, place);
    else if (scalar_missing(t, &missing))
        fprintf(f, "%s = (%s)0x%llx;", place, element_type(t), (unsigned long long)missing);
}

static void emit_spoil_struct(FILE *f, const struct declaration *d) {
    unsigned count = 0;
    for (const struct field *x = d->fields; x; x = x->next)
        count += can_spoil(x->type);
    if (count == 0)
        return;
    fprintf(f,
            "static inline void spoil_%s(struct inv_random *random, struct inv_%s *s) {\n    switch "
            "(inv_random_below(random, %u)) {\n",
            d->name, d->name, count);
    for (const struct field *x = d->fields; x; x = x->next) {
        char place[200];
        if (!can_spoil(x->type))
            continue;
        if (x->type->kind == TYPE_FIXED)
            snprintf(place, sizeof(place), "((%s *)s->%s)[inv_random_below(random, %llu)]", element_type(x->type),
                     x->name, element_count(x->type));
        else
            snprintf(place, sizeof(place), "s->%s", x->name);
        count--;
        fprintf(f, count == 0 ? "    default: " : "    case %u: ", count);
        emit_spoil_value(f, innermost(x->type), place);
        fprintf(f, " break;\n");
    }
    fprintf(f, "    }\n}\n\n");
}

// --- fields ----------------------------------------------------------------------------------------------------------------

// The number of the next place that can be spoilt; begins with 1 in every operation.
static unsigned next_place;

static void emit_scalar(FILE *f, const struct type *t) {
    uint64_t missing = 0;
    bool can = true;
    if (t->kind == TYPE_BOOL)
        missing = 2;
    else if (t->kind == TYPE_ENUM || t->kind == TYPE_FLAGS)
        can = value_missing(t->declaration, &missing);
    else
        can = t->bytes < 8, missing = UINT64_C(1)
                                      << (t->bytes * 8 & 63); // also for those with sign: the word is not extended then
    fprintf(f, "    inv_put_word(writer, ");
    if (can)
        fprintf(f, "place == %u ? 0x%llxu : ", next_place++, (unsigned long long)missing);
    fprintf(f, "(uint64_t)%s", t->is_signed ? "(int64_t)" : "");
    emit_random_value(f, t);
    fprintf(f, ");\n");
}

// The byte before the end, which the caller has made a byte of padding.
static void emit_spoil_padding(FILE *f) {
    fprintf(f, "    if (place == %u)\n        ((char *)writer->parcel->data)[writer->parcel->length - 1] = 1;\n",
            next_place++);
}

static void emit_bytes(FILE *f, const struct type *element, unsigned long long elements, const char *count) {
    const struct type *t = innermost(element);
    fprintf(f, "    {\n        %s values[%llu];\n        inv_random_fill(random, values, sizeof(values));\n",
            element_type(t), elements);
    if (has_values(t)) {
        fprintf(f, "        for (size_t i = 0; i < %llu; i++)\n", elements);
        emit_mend(f, t, "            ", "values[i]");
    }
    if (can_spoil(t)) {
        char place[64];
        snprintf(place, sizeof(place), "values[inv_random_below(random, %llu)]", element_count(element));
        fprintf(f, "        if (place == %u) {\n            ", next_place++);
        emit_spoil_value(f, t, *count || element->kind == TYPE_FIXED ? place : "values[0]");
        fprintf(f, "\n        }\n");
    }
    fprintf(f, "        inv_put_bytes(writer, values, %s%s%u);\n    }\n", count, *count ? " * " : "", element->bytes);
    if (element->bytes % 8 != 0)
        emit_spoil_padding(f);
}

// The places behind that of the count itself need an element.
static void emit_counted(FILE *f, const struct type *t) {
    unsigned long long bound = (unsigned long long)t->bound;
    unsigned count_place = next_place++;
    fprintf(f, "    count = place > %u ? 1 : inv_random_below(random, %llu);\n", count_place, bound + 1);
    fprintf(f, "    inv_put_word(writer, place == %u ? %llu + inv_random_next(random) %% 1000 : count);\n", count_place,
            bound + 1);
    if (is_handles(t)) {
        fprintf(f, "    for (size_t i = 0; i < count; i++)\n        inv_put_handle(writer, "
                   "(inv_handle_t)inv_random_next(random) | 1);\n");
    } else if (t->kind == TYPE_STRING) {
        fprintf(f,
                "    {\n        char text[%llu];\n        inv_random_fill(random, text, sizeof(text));\n        "
                "inv_put_bytes(writer, text, count);\n    }\n",
                bound);
        emit_spoil_padding(f);
    } else {
        emit_bytes(f, t->element, bound * element_count(t->element), "count");
    }
}

static void emit_field(FILE *f, const struct type *t) {
    switch (t->kind) {
    case TYPE_STRING:
    case TYPE_ARRAY: emit_counted(f, t); break;
    case TYPE_FIXED: emit_bytes(f, t, element_count(t), ""); break;
    case TYPE_STRUCT: emit_bytes(f, t, 1, ""); break;
    case TYPE_HANDLE: fprintf(f, "    inv_put_handle(writer, (inv_handle_t)inv_random_next(random) | 1);\n"); break;
    case TYPE_PAGES: break;
    default: emit_scalar(f, t); break;
    }
}

static unsigned emit_operation(FILE *f, const struct declaration *d, const struct call *c) {
    next_place = 1;
    fprintf(f, "// ");
    emit_signature(f, c);
    fprintf(f,
            "\nstatic void make_%s(struct inv_random *random, struct inv_writer *writer, unsigned place) {\n    size_t "
            "count = 0;\n    (void)random;\n    (void)writer;\n    (void)place;\n    (void)count;\n",
            c->name);
    for (const struct field *p = c->parameters; p; p = p->next)
        emit_field(f, p->type);
    fprintf(f, "}\n\n");
    (void)d;
    return next_place - 1;
}

// --- the shape of a parcel ---------------------------------------------------------------------------------------------------

static void emit_spoil(FILE *f, const struct declaration *d, unsigned operations) {
    fprintf(
        f,
        "// Makes any parcel one that must be refused.\n"
        "static void spoil_shape(struct inv_random *random, struct inv_parcel *parcel) {\n"
        "    switch (inv_random_below(random, 6)) {\n"
        "    case 0: parcel->length += 8; break;\n"
        "    case 1: parcel->length += 1 + (uint32_t)inv_random_below(random, 7); break;\n"
        "    case 2: parcel->length = parcel->length >= 8 ? parcel->length - 8 : INV_PARCEL_BYTES + 8; break;\n"
        "    case 3: parcel->handle_count += 1 + (uint32_t)inv_random_below(random, 100); break;\n"
        "    case 4: parcel->handle_count = parcel->handle_count > 0 ? parcel->handle_count - 1 : UINT32_MAX; break;\n"
        "    default: parcel->label = (INV_%s_INTERFACE ^ (uint32_t)inv_random_below(random, 2)) << 16 | (%u + "
        "(uint32_t)inv_random_below(random, 1000)); break;\n"
        "    }\n}\n\n",
        upper(d->name), operations);
}

static bool emit_generator(struct idl *idl, const struct library *l, const struct declaration *d, const char *folder) {
    struct output o;
    unsigned calls = 0, all = 0, places[4096];
    if (!output_open(&o, folder, idl_format(idl, "interface/%s_generator.c", d->name)))
        return false;
    emit_head(o.file, l->file, idl_format(idl, "\nRequests of the interface %s for fuzzing.", d->name));
    fprintf(o.file,
            "#include <invar/interface/%s.h>\n#include <invar/random.h>\n\nbool inv_%s_generate(struct inv_random "
            "*random, struct inv_parcel *parcel);\n\n",
            d->name, d->name);
    for (const struct library *other = idl->libraries; other; other = other->next) {
        for (const struct declaration *s = other->declarations; s; s = s->next) {
            if (s->kind == DECLARE_STRUCT)
                emit_mend_struct(o.file, s), emit_spoil_struct(o.file, s);
        }
    }
    for (const struct call *c = d->calls; c; c = c->next, all++) {
        if (c->kind == CALL_CALL)
            places[calls++] = emit_operation(o.file, d, c);
    }
    emit_spoil(o.file, d, all);
    fprintf(o.file,
            "// Makes a request. True: it is valid. False: it is spoilt in one place, and the server's functions must "
            "not see it.\n"
            "bool inv_%s_generate(struct inv_random *random, struct inv_parcel *parcel) {\n    struct inv_writer "
            "writer;\n    unsigned place = 0;\n    bool valid = inv_random_below(random, 2) == 0;\n\n"
            "    switch (inv_random_below(random, %u)) {\n",
            d->name, calls ? calls : 1);
    calls = 0;
    for (const struct call *c = d->calls; c; c = c->next) {
        if (c->kind != CALL_CALL)
            continue;
        unsigned count = places[calls];
        fprintf(o.file, "    case %u:\n        inv_put_begin(&writer, parcel, INV_%s_%s);\n", calls++, upper(d->name),
                upper(c->name));
        fprintf(o.file,
                "        place = valid ? 0 : (unsigned)inv_random_below(random, %u);\n        make_%s(random, &writer, "
                "place);\n        break;\n",
                count + 1, c->name);
    }
    fprintf(o.file, "    default: inv_put_begin(&writer, parcel, 0); break;\n    }\n    if (!valid && place == 0)\n    "
                    "    spoil_shape(random, parcel);\n    return valid;\n}\n");
    return output_close(&o);
}

bool emit_generators(struct idl *idl, const char *folder) {
    bool good = true;
    for (struct library *l = idl->libraries; l; l = l->next) {
        for (struct declaration *d = l->declarations; d; d = d->next) {
            if (d->kind == DECLARE_INTERFACE)
                good &= emit_generator(idl, l, d, folder);
        }
    }
    return good;
}
