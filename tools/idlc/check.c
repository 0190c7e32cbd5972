// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Resolves names, computes constants, lays out structures and refuses what the language does not allow. After it, every type has its kind, size and
// alignment, every expression its value, every call its number; what is generated relies on that.
#include "check.h"

#include <string.h>

// --- names -------------------------------------------------------------------------------------------------------------

static const char *const c_words[] = {
    "auto",     "break",  "case",  "char",   "const",  "continue", "default", "do",     "double",  "else",
    "enum",     "extern", "float", "for",    "goto",   "if",       "inline",  "int",    "long",    "register",
    "restrict", "return", "short", "signed", "sizeof", "static",   "struct",  "switch", "typedef", "union",
    "unsigned", "void",   "while", "asm",    "typeof", "status",   "frame",   "bool",   "true",    "false",
};

// Names of parameters and fields become names of C; status and frame are those of the generated code itself.
static void check_lower(struct idl *idl, struct position at, const char *name) {
    for (const char *c = name; *c; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            idl_error(idl, at, "%s: a name in lower case is expected here", name);
            return;
        }
    }
    for (size_t i = 0; i < sizeof(c_words) / sizeof(c_words[0]); i++) {
        if (strcmp(name, c_words[i]) == 0)
            idl_error(idl, at, "%s is a word of C or of the generated code, expected another name", name);
    }
    if (name[0] == '_' || strncmp(name, "inv_", 4) == 0 || strncmp(name, "out_", 4) == 0)
        idl_error(idl, at, "%s: names that begin with _, inv_ or out_ belong to the generated code", name);
}

static void check_upper(struct idl *idl, struct position at, const char *name) {
    for (const char *c = name; *c; c++) {
        if (*c >= 'a' && *c <= 'z') {
            idl_error(idl, at, "%s: a name in upper case is expected here", name);
            return;
        }
    }
}

static void check_documented(struct idl *idl, struct position at, const char *name, const char *documentation) {
    if (!documentation)
        idl_error(idl, at, "%s has no documentation, expected /// lines before it", name);
}

static struct library *library_find(struct idl *idl, const char *name, const struct library *before) {
    for (struct library *l = idl->libraries; l && l != before; l = l->next) {
        if (strcmp(l->name, name) == 0)
            return l;
    }
    return NULL;
}

static struct declaration *declaration_in(const struct library *library, const char *name) {
    for (struct declaration *d = library->declarations; d; d = d->next) {
        if (d->kind != DECLARE_SYSCALLS && strcmp(d->name, name) == 0)
            return d;
    }
    return NULL;
}

struct declaration *declaration_find(struct idl *idl, const struct library *library, const char *name) {
    struct declaration *d = declaration_in(library, name);
    for (struct name *use = library->uses; !d && use; use = use->next) {
        struct library *other = library_find(idl, use->text, library);
        d = other ? declaration_in(other, name) : NULL;
    }
    return d;
}

static struct member *member_find(struct declaration *d, const char *name, const struct member *before) {
    for (struct member *m = d->members; m && m != before; m = m->next) {
        if (strcmp(m->name, name) == 0)
            return m;
    }
    return NULL;
}

// --- constants -----------------------------------------------------------------------------------------------------------

static void check_declaration(struct idl *idl, struct declaration *d);

// What an expression may use: constants in sight and, inside an enum or flags, the values before the one that is computed.
struct scope {
    struct library *library;
    struct declaration *members_of;
    struct member *before;
};

static uint64_t name_value(struct idl *idl, const struct scope *s, const struct expression *e) {
    struct member *m = s->members_of ? member_find(s->members_of, e->name, s->before) : NULL;
    if (m)
        return m->value;
    struct declaration *d = declaration_find(idl, s->library, e->name);
    if (!d || d->kind != DECLARE_CONST) {
        idl_error(idl, e->at, "%s is not known here, expected a constant that was declared", e->name);
        return 1;
    }
    if (d->checked == CHECK_NOW) {
        idl_error(idl, e->at, "%s is defined by itself", e->name);
        return 1;
    }
    check_declaration(idl, d);
    return d->value;
}

static uint64_t operation_value(struct idl *idl, const struct expression *e, uint64_t a, uint64_t b) {
    uint64_t value = 0;
    bool over = false;
    switch (e->op) {
    case '|': value = a | b; break;
    case '&': value = a & b; break;
    case '+': over = __builtin_add_overflow(a, b, &value); break;
    case '-': over = __builtin_sub_overflow(a, b, &value); break;
    case '*': over = __builtin_mul_overflow(a, b, &value); break;
    case 'l':
        over = b >= 64 || (a << b) >> b != a;
        value = over ? 0 : a << b;
        break;
    default:
        over = b >= 64;
        value = over ? 0 : a >> b;
        break;
    }
    if (over)
        idl_error(idl, e->at, "the result does not fit in 64 bits without a sign");
    return over ? 1 : value;
}

static uint64_t evaluate(struct idl *idl, const struct scope *s, const struct expression *e) {
    if (e->op)
        return operation_value(idl, e, evaluate(idl, s, e->left), evaluate(idl, s, e->right));
    return e->name ? name_value(idl, s, e) : e->number;
}

static bool fits(uint64_t value, const struct type *t) {
    unsigned bits = t->bytes * 8 - (t->is_signed ? 1 : 0);
    return bits >= 64 || value >> bits == 0;
}

// --- types ---------------------------------------------------------------------------------------------------------------

static void type_from_declaration(struct idl *idl, struct type *t, struct declaration *d) {
    if (d->checked == CHECK_NOW) {
        idl_error(idl, t->at, "%s contains itself", d->name);
        t->kind = TYPE_INTEGER;
        t->bytes = t->align = 8;
        return;
    }
    check_declaration(idl, d);
    t->declaration = d;
    t->kind = d->kind == DECLARE_ENUM ? TYPE_ENUM : d->kind == DECLARE_FLAGS ? TYPE_FLAGS : TYPE_STRUCT;
    t->bytes = d->type->bytes;
    t->align = d->kind == DECLARE_STRUCT ? d->type->align : d->type->bytes;
}

static void type_resolve_name(struct idl *idl, struct library *library, struct type *t) {
    struct declaration *d = declaration_find(idl, library, t->name);
    if (d && (d->kind == DECLARE_ENUM || d->kind == DECLARE_FLAGS || d->kind == DECLARE_STRUCT)) {
        type_from_declaration(idl, t, d);
        return;
    }
    if (d && d->kind == DECLARE_OBJECT)
        idl_error(idl, t->at, "%s is a type of object, expected handle<%s>", t->name, t->name);
    else
        idl_error(idl, t->at, "type %s is not known here, expected a type of the language, an enum, flags or a struct",
                  t->name);
    t->kind = TYPE_INTEGER;
    t->bytes = t->align = 8;
}

// Rights are the values of the flags "rights" that are in sight.
static void type_resolve_handle(struct idl *idl, struct library *library, struct type *t) {
    struct declaration *object = t->name ? declaration_find(idl, library, t->name) : NULL;
    struct declaration *rights = declaration_find(idl, library, "rights");
    if (t->name && (!object || object->kind != DECLARE_OBJECT))
        idl_error(idl, t->at, "%s is not known here, expected a type of object", t->name);
    t->declaration = object;
    for (struct name *n = t->rights; n; n = n->next) {
        struct member *m = rights && rights->kind == DECLARE_FLAGS ? member_find(rights, n->text, NULL) : NULL;
        if (!m) {
            idl_error(idl, n->at, "%s is not a right, expected a value of the flags \"rights\"", n->text);
            continue;
        }
        check_declaration(idl, rights);
        if (t->rights_mask & m->value)
            idl_error(idl, n->at, "the right %s is named twice", n->text);
        t->rights_mask |= m->value;
    }
}

static void type_resolve_bound(struct idl *idl, struct library *library, struct type *t) {
    struct scope scope = {.library = library};
    t->bound = evaluate(idl, &scope, t->bound_expression);
    if (t->bound == 0)
        idl_error(idl, t->bound_expression->at, "a bound of 0, expected 1 or more");
    uint64_t limit = t->kind == TYPE_IN || t->kind == TYPE_OUT ? UINT64_C(1) << 47 : 65535;
    if (t->bound > limit) {
        idl_error(idl, t->bound_expression->at, "a bound of %llu, expected at most %llu", (unsigned long long)t->bound,
                  (unsigned long long)limit);
        t->bound = 1;
    }
}

static bool is_data(const struct type *t) {
    return t->kind <= TYPE_FIXED;
}

static void type_resolve(struct idl *idl, struct library *library, struct type *t) {
    t->align = t->bytes;
    if (t->kind == TYPE_NAMED)
        type_resolve_name(idl, library, t);
    else if (t->kind == TYPE_HANDLE)
        type_resolve_handle(idl, library, t);
    if (t->element) {
        type_resolve(idl, library, t->element);
        bool good = is_data(t->element) || (t->kind == TYPE_ARRAY && t->element->kind == TYPE_HANDLE);
        if (!good)
            idl_error(idl, t->element->at,
                      "this type cannot be an element, expected integers, enums, flags or structs");
    }
    if (t->bound_expression)
        type_resolve_bound(idl, library, t);
    if (t->kind == TYPE_FIXED) {
        t->align = t->element->align;
        uint64_t bytes = t->element->bytes * t->bound;
        if (bytes > MESSAGE_BYTES_MAX)
            idl_error(idl, t->at, "an array of %llu bytes, expected at most %u", (unsigned long long)bytes,
                      MESSAGE_BYTES_MAX);
        t->bytes = bytes > MESSAGE_BYTES_MAX ? t->element->bytes : (unsigned)bytes;
    }
}

// --- declarations ----------------------------------------------------------------------------------------------------------

static void check_const(struct idl *idl, struct declaration *d) {
    struct scope scope = {.library = d->library};
    check_upper(idl, d->at, d->name);
    if (d->type->kind != TYPE_INTEGER)
        idl_error(idl, d->type->at, "a constant has an integer type");
    d->value = evaluate(idl, &scope, d->expression);
    if (d->type->kind == TYPE_INTEGER && !fits(d->value, d->type))
        idl_error(idl, d->expression->at, "%llu does not fit in the constant's type", (unsigned long long)d->value);
}

static void check_flag(struct idl *idl, struct declaration *d, struct member *m) {
    if (m->value == 0 || (m->value & (m->value - 1)) != 0)
        idl_error(idl, m->at, "%s is not one bit, expected 1 << n", m->name);
    else if (d->value & m->value)
        idl_error(idl, m->at, "the bit of %s is taken", m->name);
    d->value |= m->value;
}

static void check_enum_value(struct idl *idl, struct declaration *d, struct member *m) {
    for (struct member *other = d->members; other != m; other = other->next) {
        if (other->value == m->value)
            idl_error(idl, m->at, "%s has the value of %s", m->name, other->name);
    }
}

static void check_members(struct idl *idl, struct declaration *d) {
    check_lower(idl, d->at, d->name);
    size_t length = strlen(d->name);
    if (d->kind == DECLARE_FLAGS && (length < 2 || d->name[length - 1] != 's'))
        idl_error(idl, d->at,
                  "flags are named in the plural (\"rights\": INV_RIGHT_...), expected a name that ends in s");
    if (d->type->kind != TYPE_INTEGER || d->type->is_signed) {
        idl_error(idl, d->type->at, "expected u8, u16, u32 or u64");
        d->type->kind = TYPE_INTEGER;
        d->type->bytes = 8;
    }
    d->type->align = d->type->bytes;
    if (!d->members)
        idl_error(idl, d->at, "%s has no values", d->name);
    for (struct member *m = d->members; m; m = m->next) {
        struct scope scope = {.library = d->library, .members_of = d, .before = m};
        check_upper(idl, m->at, m->name);
        if (member_find(d, m->name, m))
            idl_error(idl, m->at, "%s has two values", m->name);
        m->value = evaluate(idl, &scope, m->expression);
        if (!fits(m->value, d->type))
            idl_error(idl, m->expression->at, "%llu does not fit in the type of %s", (unsigned long long)m->value,
                      d->name);
        if (d->kind == DECLARE_FLAGS)
            check_flag(idl, d, m);
        else
            check_enum_value(idl, d, m);
    }
}

static void check_field_names(struct idl *idl, struct field *fields, const struct field *others) {
    for (struct field *f = fields; f; f = f->next) {
        check_lower(idl, f->at, f->name);
        bool twice = false;
        for (const struct field *o = fields; o != f; o = o->next)
            twice |= strcmp(o->name, f->name) == 0;
        for (const struct field *o = others; o; o = o->next)
            twice |= strcmp(o->name, f->name) == 0;
        if (twice)
            idl_error(idl, f->at, "there are two of the name %s", f->name);
    }
}

// Natural alignment; a hole would carry bytes that nobody wrote, so there is none.
static void check_struct(struct idl *idl, struct declaration *d) {
    unsigned offset = 0, align = 1;
    check_lower(idl, d->at, d->name);
    check_field_names(idl, d->fields, NULL);
    if (!d->fields)
        idl_error(idl, d->at, "%s has no fields", d->name);
    for (struct field *f = d->fields; f; f = f->next) {
        type_resolve(idl, d->library, f->type);
        if (!is_data(f->type)) {
            idl_error(idl, f->type->at, "%s: this type cannot stand in a struct", f->name);
            continue;
        }
        unsigned hole = f->type->align ? (f->type->align - offset % f->type->align) % f->type->align : 0;
        if (hole > 0)
            idl_error(idl, f->at, "%u bytes of nothing before %s, expected a field there", hole, f->name);
        offset += hole;
        f->offset = offset;
        offset += f->type->bytes;
        align = f->type->align > align ? f->type->align : align;
        if (offset > MESSAGE_BYTES_MAX) {
            idl_error(idl, f->at, "%s is longer than %u bytes", d->name, MESSAGE_BYTES_MAX);
            offset = 0;
        }
    }
    if (offset % align != 0)
        idl_error(idl, d->at, "%s ends with %u bytes of nothing, expected a field there", d->name,
                  align - offset % align);
    d->type->bytes = offset;
    d->type->align = align;
}

static void check_object(struct idl *idl, struct declaration *d) {
    struct scope scope = {.library = d->library};
    check_lower(idl, d->at, d->name);
    check_documented(idl, d->at, d->name, d->documentation);
    d->value = evaluate(idl, &scope, d->expression);
    if (d->value == 0 || d->value > UINT16_MAX)
        idl_error(idl, d->expression->at, "the number of an object type is from 1 to 65535");
}

static void check_interface(struct idl *idl, struct declaration *d) {
    struct scope scope = {.library = d->library};
    check_lower(idl, d->at, d->name);
    check_documented(idl, d->at, d->name, d->documentation);
    d->value = evaluate(idl, &scope, d->expression);
    if (d->value == 0 || d->value > UINT16_MAX)
        idl_error(idl, d->expression->at, "the number of an interface is from 1 to 65535");
    check_calls(idl, d);
}

static void check_declaration(struct idl *idl, struct declaration *d) {
    if (d->checked != CHECK_NOT)
        return;
    d->checked = CHECK_NOW;
    switch (d->kind) {
    case DECLARE_CONST: check_const(idl, d); break;
    case DECLARE_ENUM:
    case DECLARE_FLAGS: check_members(idl, d); break;
    case DECLARE_STRUCT: check_struct(idl, d); break;
    case DECLARE_OBJECT: check_object(idl, d); break;
    case DECLARE_SYSCALLS: check_calls(idl, d); break;
    case DECLARE_INTERFACE: check_interface(idl, d); break;
    }
    d->checked = CHECK_DONE;
}

// What is given out once: names in sight, numbers of objects and interfaces, the one list of system calls.
static void check_unique(struct idl *idl, struct library *library, struct declaration *d) {
    for (struct library *l = idl->libraries; l; l = l->next) {
        for (struct declaration *o = l->declarations; o; o = o->next) {
            if (o == d)
                return; // what stands behind is compared with this when its turn comes
            if (o->kind == d->kind && d->kind == DECLARE_SYSCALLS)
                idl_error(idl, d->at, "there are system calls in %s already, expected one list", l->name);
            else if (strcmp(o->name, d->name) == 0)
                idl_error(idl, d->at, "%s was declared at %s:%u already", d->name, o->at.file, o->at.line);
            else if (o->kind == d->kind && (d->kind == DECLARE_OBJECT || d->kind == DECLARE_INTERFACE) &&
                     o->value == d->value)
                idl_error(idl, d->at, "%s has the number of %s", d->name, o->name);
        }
    }
    (void)library;
}

static void check_uses(struct idl *idl, struct library *library) {
    check_lower(idl, (struct position){library->file, 1, 1}, library->name);
    if (library_find(idl, library->name, library))
        idl_error(idl, (struct position){library->file, 1, 1}, "there are two libraries %s", library->name);
    for (struct name *use = library->uses; use; use = use->next) {
        if (!library_find(idl, use->text, library))
            idl_error(idl, use->at, "library %s was not read before this one", use->text);
    }
}

bool idl_check(struct idl *idl) {
    unsigned before = idl->errors;
    for (struct library *l = idl->libraries; l; l = l->next) {
        check_uses(idl, l);
        for (struct declaration *d = l->declarations; d; d = d->next)
            check_declaration(idl, d);
        for (struct declaration *d = l->declarations; d; d = d->next)
            check_unique(idl, l, d);
    }
    return idl->errors == before;
}

void check_type(struct idl *idl, struct library *library, struct type *t) {
    type_resolve(idl, library, t);
}

void check_parameter_names(struct idl *idl, struct call *c) {
    check_field_names(idl, c->parameters, NULL);
    check_field_names(idl, c->results, c->parameters);
    check_lower(idl, c->at, c->name);
    check_documented(idl, c->at, c->name, c->documentation);
}
