// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Tokens to declarations, by recursive descent; each function reads what its comment's rule says. Words of the language are words only where the grammar
// asks for one, so that a parameter may be called "type".
#include "lexer.h"

#include <stdlib.h>
#include <string.h>

#define NESTING_MAX 64 // of brackets in an expression, of types in a type
#define NAMES_MAX   4096

struct parser {
    struct lexer lexer;
    struct idl *idl;
    unsigned depth;
};

// --- what all rules use ------------------------------------------------------------------------------------------------

static struct token *current(struct parser *p) {
    return &p->lexer.token;
}

static bool at_mark(struct parser *p, const char *mark) {
    return current(p)->kind == TOKEN_MARK && strcmp(current(p)->text, mark) == 0;
}

static bool at_word(struct parser *p, const char *word) {
    return current(p)->kind == TOKEN_NAME && strcmp(current(p)->text, word) == 0;
}

_Noreturn static void fail_expected(struct parser *p, const char *expected) {
    idl_fail(p->idl, current(p)->at, "%s, expected %s", lexer_describe(&p->lexer), expected);
}

static bool accept_mark(struct parser *p, const char *mark) {
    if (!at_mark(p, mark))
        return false;
    lexer_advance(&p->lexer);
    return true;
}

static bool accept_word(struct parser *p, const char *word) {
    if (!at_word(p, word))
        return false;
    lexer_advance(&p->lexer);
    return true;
}

static void expect_mark(struct parser *p, const char *mark, const char *where) {
    if (!accept_mark(p, mark))
        fail_expected(p, idl_format(p->idl, "'%s' %s", mark, where));
}

static const char *expect_name(struct parser *p, const char *what) {
    if (current(p)->kind != TOKEN_NAME)
        fail_expected(p, what);
    const char *name = current(p)->text;
    lexer_advance(&p->lexer);
    return name;
}

static const char *read_documentation(struct parser *p) {
    if (current(p)->kind != TOKEN_DOCUMENTATION)
        return NULL;
    const char *text = current(p)->text;
    lexer_advance(&p->lexer);
    return text;
}

static void enter(struct parser *p) {
    if (++p->depth > NESTING_MAX)
        idl_fail(p->idl, current(p)->at, "nested more than %d deep", NESTING_MAX);
}

static void leave(struct parser *p) {
    p->depth--;
}

// --- expressions: operators of C, with C's precedence --------------------------------------------------------------------

static struct expression *parse_expression(struct parser *p, unsigned least);

static struct expression *expression_new(struct parser *p, char op, struct position at) {
    struct expression *e = idl_alloc(p->idl, sizeof(*e));
    e->op = op;
    e->at = at;
    return e;
}

// NUMBER | NAME | "(" expression ")"
static struct expression *parse_primary(struct parser *p) {
    struct expression *e = expression_new(p, 0, current(p)->at);
    if (accept_mark(p, "(")) {
        enter(p);
        e = parse_expression(p, 1);
        leave(p);
        expect_mark(p, ")", "behind the expression");
        return e;
    }
    if (current(p)->kind == TOKEN_NUMBER) {
        e->number = current(p)->number;
        lexer_advance(&p->lexer);
        return e;
    }
    e->name = expect_name(p, "a number, a constant or '('");
    return e;
}

// The precedence of the operator here, 0: none. "<<" and ">>" are two marks that touch.
static unsigned operator_here(struct parser *p, char *out_op) {
    if (current(p)->kind != TOKEN_MARK || current(p)->text[1] != 0)
        return 0;
    *out_op = current(p)->text[0];
    switch (*out_op) {
    case '|': return 1;
    case '&': return 2;
    case '<': *out_op = 'l'; return 3;
    case '>': *out_op = 'r'; return 3;
    case '+':
    case '-': return 4;
    case '*': return 5;
    default: return 0;
    }
}

// Left-associative; only operators of precedence least or higher. Bounds between < and > are read with 4.
static struct expression *parse_expression(struct parser *p, unsigned least) {
    struct expression *left = parse_primary(p);
    char op;
    for (;;) {
        unsigned precedence = operator_here(p, &op);
        if (precedence == 0 || precedence < least)
            return left;
        struct expression *e = expression_new(p, op, current(p)->at);
        lexer_advance(&p->lexer);
        if (op == 'l' || op == 'r') {
            if (!at_mark(p, op == 'l' ? "<" : ">") || !current(p)->glued)
                fail_expected(p, op == 'l' ? "'<<'" : "'>>'");
            lexer_advance(&p->lexer);
        }
        e->left = left;
        e->right = parse_expression(p, precedence + 1);
        left = e;
    }
}

// --- types -----------------------------------------------------------------------------------------------------------------

static struct type *parse_type(struct parser *p);

static struct type *type_new(struct parser *p, enum type_kind kind) {
    struct type *t = idl_alloc(p->idl, sizeof(*t));
    t->kind = kind;
    t->at = current(p)->at;
    return t;
}

// "<" bound ">" with expression bound
static void parse_bound(struct parser *p, struct type *t) {
    expect_mark(p, "<", "and a bound");
    t->bound_expression = parse_expression(p, 4);
    expect_mark(p, ">", "behind the bound");
}

// NAME { "|" NAME }
static struct name *parse_rights(struct parser *p) {
    struct name *first = NULL, **tail = &first;
    do {
        struct name *n = idl_alloc(p->idl, sizeof(*n));
        n->at = current(p)->at;
        n->text = expect_name(p, "a right");
        *tail = n;
        tail = &n->next;
    } while (accept_mark(p, "|"));
    return first;
}

// "handle" [ "<" NAME [ "," rights ] ">" ]
static void parse_handle(struct parser *p, struct type *t) {
    if (!accept_mark(p, "<"))
        return;
    t->name = expect_name(p, "the name of an object type");
    if (accept_mark(p, ","))
        t->rights = parse_rights(p);
    expect_mark(p, ">", "behind the handle's type and rights");
}

// "pages" "<" ( "in" | "out" | "inout" ) "," bound ">"
static void parse_pages(struct parser *p, struct type *t) {
    expect_mark(p, "<", "and a direction");
    if (accept_word(p, "in"))
        t->direction = DIRECTION_IN;
    else if (accept_word(p, "out"))
        t->direction = DIRECTION_OUT;
    else if (accept_word(p, "inout"))
        t->direction = DIRECTION_INOUT;
    else
        fail_expected(p, "in, out or inout");
    expect_mark(p, ",", "and the greatest number of pages");
    t->bound_expression = parse_expression(p, 4);
    expect_mark(p, ">", "behind the bound");
}

// "array" "<" type "," bound ">"
static void parse_array(struct parser *p, struct type *t) {
    expect_mark(p, "<", "and a type");
    enter(p);
    t->element = parse_type(p);
    leave(p);
    expect_mark(p, ",", "and a bound");
    t->bound_expression = parse_expression(p, 4);
    expect_mark(p, ">", "behind the bound");
}

static const struct {
    const char *word;
    enum type_kind kind;
    unsigned bytes;
    bool is_signed;
} plain_types[] = {
    {"u8", TYPE_INTEGER, 1, false},   {"u16", TYPE_INTEGER, 2, false},         {"u32", TYPE_INTEGER, 4, false},
    {"s8", TYPE_INTEGER, 1, true},    {"u64", TYPE_INTEGER, 8, false},         {"s16", TYPE_INTEGER, 2, true},
    {"s32", TYPE_INTEGER, 4, true},   {"s64", TYPE_INTEGER, 8, true},          {"bool", TYPE_BOOL, 1, false},
    {"status", TYPE_STATUS, 4, true}, {"rawhandle", TYPE_RAWHANDLE, 4, false},
};

// NAME, or a word of the language with what belongs to it
static struct type *parse_type_word(struct parser *p) {
    struct type *t = type_new(p, TYPE_NAMED);
    const char *word = expect_name(p, "a type");
    for (size_t i = 0; i < sizeof(plain_types) / sizeof(plain_types[0]); i++) {
        if (strcmp(word, plain_types[i].word) == 0) {
            t->kind = plain_types[i].kind;
            t->bytes = plain_types[i].bytes;
            t->is_signed = plain_types[i].is_signed;
            return t;
        }
    }
    if (strcmp(word, "handle") == 0) {
        t->kind = TYPE_HANDLE;
        t->bytes = 4;
        parse_handle(p, t);
    } else if (strcmp(word, "string") == 0 || strcmp(word, "in") == 0 || strcmp(word, "out") == 0) {
        t->kind = word[0] == 's' ? TYPE_STRING : word[0] == 'i' ? TYPE_IN : TYPE_OUT;
        parse_bound(p, t);
    } else if (strcmp(word, "array") == 0) {
        t->kind = TYPE_ARRAY;
        parse_array(p, t);
    } else if (strcmp(word, "pages") == 0) {
        t->kind = TYPE_PAGES;
        parse_pages(p, t);
    } else {
        t->name = word;
    }
    return t;
}

// type word { "[" expression "]" }
static struct type *parse_type(struct parser *p) {
    struct type *t = parse_type_word(p);
    unsigned dimensions = 0;
    while (at_mark(p, "[")) {
        struct type *fixed = type_new(p, TYPE_FIXED);
        if (++dimensions > 2)
            idl_fail(p->idl, current(p)->at, "an array has at most two dimensions");
        lexer_advance(&p->lexer);
        fixed->element = t;
        fixed->bound_expression = parse_expression(p, 1);
        expect_mark(p, "]", "behind the number of elements");
        t = fixed;
    }
    return t;
}

// --- declarations ------------------------------------------------------------------------------------------------------------

// [ documentation ] NAME ":" type { "," ... } up to end, which is read; a comma may stand before it
static struct field *parse_fields(struct parser *p, const char *end, const char *what) {
    struct field *first = NULL, **tail = &first;
    for (unsigned count = 0; !accept_mark(p, end); count++) {
        if (count > 0) {
            expect_mark(p, ",", idl_format(p->idl, "or '%s' behind the %s", end, what));
            if (accept_mark(p, end))
                break;
        }
        if (count == NAMES_MAX)
            idl_fail(p->idl, current(p)->at, "more than %d names", NAMES_MAX);
        struct field *f = idl_alloc(p->idl, sizeof(*f));
        f->documentation = read_documentation(p);
        f->at = current(p)->at;
        f->name = expect_name(p, idl_format(p->idl, "a %s or '%s'", what, end));
        expect_mark(p, ":", idl_format(p->idl, "and a type behind %s", f->name));
        f->type = parse_type(p);
        *tail = f;
        tail = &f->next;
    }
    return first;
}

// ":" type "{" [ documentation ] NAME "=" expression { "," ... } "}"
static void parse_members(struct parser *p, struct declaration *d) {
    struct member **tail = &d->members;
    expect_mark(p, ":", "and an integer type");
    d->type = parse_type(p);
    expect_mark(p, "{", "and the values");
    for (unsigned count = 0; !accept_mark(p, "}"); count++) {
        if (count > 0) {
            expect_mark(p, ",", "or '}' behind the value");
            if (accept_mark(p, "}"))
                break;
        }
        if (count == NAMES_MAX)
            idl_fail(p->idl, current(p)->at, "more than %d values", NAMES_MAX);
        struct member *m = idl_alloc(p->idl, sizeof(*m));
        m->documentation = read_documentation(p);
        m->at = current(p)->at;
        m->name = expect_name(p, "the name of a value or '}'");
        expect_mark(p, "=", "and a value: each is written out");
        m->expression = parse_expression(p, 1);
        *tail = m;
        tail = &m->next;
    }
}

// NAME [ STRING ] { "," NAME [ STRING ] }
static struct name *parse_errors(struct parser *p) {
    struct name *first = NULL, **tail = &first;
    do {
        struct name *n = idl_alloc(p->idl, sizeof(*n));
        n->at = current(p)->at;
        n->text = expect_name(p, "the name of a status, without INV_ERR_");
        if (current(p)->kind == TOKEN_STRING) {
            n->note = current(p)->text;
            lexer_advance(&p->lexer);
        }
        *tail = n;
        tail = &n->next;
    } while (accept_mark(p, ","));
    return first;
}

static enum call_kind parse_call_kind(struct parser *p, bool interface) {
    if (!interface)
        return accept_word(p, "special") ? CALL_SPECIAL : accept_word(p, "reserved") ? CALL_RESERVED : CALL_ORDINARY;
    if (accept_word(p, "call"))
        return CALL_CALL;
    if (accept_word(p, "submit"))
        return CALL_SUBMIT;
    if (accept_word(p, "reserved"))
        return CALL_RESERVED;
    fail_expected(p, "call, submit, reserved or '}'");
}

// [ kind ] NAME "(" parameters ")" [ "->" "(" results ")" ] [ "errors" errors ] ";"      or: "reserved" NAME ";"
static struct call *parse_call(struct parser *p, bool interface) {
    struct call *c = idl_alloc(p->idl, sizeof(*c));
    c->documentation = read_documentation(p);
    c->kind = parse_call_kind(p, interface);
    c->at = current(p)->at;
    c->name = expect_name(p, "the name of a call or '}'");
    if (c->kind != CALL_RESERVED) {
        expect_mark(p, "(", "and the parameters");
        c->parameters = parse_fields(p, ")", "parameter");
        if (accept_mark(p, "->")) {
            expect_mark(p, "(", "and the results");
            c->results = parse_fields(p, ")", "result");
        }
        if (accept_word(p, "errors"))
            c->errors = parse_errors(p);
    }
    expect_mark(p, ";", "behind the call");
    return c;
}

// "{" { call } "}"
static void parse_calls(struct parser *p, struct declaration *d, bool interface) {
    struct call **tail = &d->calls;
    unsigned count = 0;
    expect_mark(p, "{", "and the calls");
    while (!accept_mark(p, "}")) {
        if (count++ == NAMES_MAX)
            idl_fail(p->idl, current(p)->at, "more than %d calls", NAMES_MAX);
        *tail = parse_call(p, interface);
        tail = &(*tail)->next;
    }
}

static const struct {
    const char *word;
    enum declaration_kind kind;
} declaration_words[] = {
    {"const", DECLARE_CONST},         {"enum", DECLARE_ENUM},     {"flags", DECLARE_FLAGS},
    {"struct", DECLARE_STRUCT},       {"object", DECLARE_OBJECT}, {"syscalls", DECLARE_SYSCALLS},
    {"interface", DECLARE_INTERFACE},
};

static enum declaration_kind parse_declaration_word(struct parser *p) {
    for (size_t i = 0; i < sizeof(declaration_words) / sizeof(declaration_words[0]); i++) {
        if (accept_word(p, declaration_words[i].word))
            return declaration_words[i].kind;
    }
    fail_expected(p, "const, enum, flags, struct, object, syscalls or interface");
}

// "const" NAME ":" type "=" expression ";"
static void parse_const(struct parser *p, struct declaration *d) {
    expect_mark(p, ":", "and an integer type");
    d->type = parse_type(p);
    expect_mark(p, "=", "and the value");
    d->expression = parse_expression(p, 1);
    expect_mark(p, ";", "behind the constant");
}

// "interface" NAME NUMBER [ "version" NUMBER ] "{" calls "}"
static void parse_interface(struct parser *p, struct declaration *d) {
    d->expression = parse_primary(p);
    d->version = 1;
    if (accept_word(p, "version")) {
        if (current(p)->kind != TOKEN_NUMBER || current(p)->number == 0 || current(p)->number > UINT16_MAX)
            fail_expected(p, "a version from 1 to 65535");
        d->version = (unsigned)current(p)->number;
        lexer_advance(&p->lexer);
    }
    parse_calls(p, d, true);
}

static struct declaration *parse_declaration(struct parser *p, struct library *library) {
    struct declaration *d = idl_alloc(p->idl, sizeof(*d));
    d->library = library;
    d->documentation = read_documentation(p);
    d->kind = parse_declaration_word(p);
    d->at = current(p)->at;
    d->name = d->kind == DECLARE_SYSCALLS ? "syscalls" : expect_name(p, "a name");
    switch (d->kind) {
    case DECLARE_CONST: parse_const(p, d); break;
    case DECLARE_ENUM:
    case DECLARE_FLAGS: parse_members(p, d); break;
    case DECLARE_STRUCT:
        d->type = type_new(p, TYPE_STRUCT);
        d->type->name = d->name;
        d->type->declaration = d;
        expect_mark(p, "{", "and the fields");
        d->fields = parse_fields(p, "}", "field");
        break;
    case DECLARE_OBJECT:
        expect_mark(p, "=", "and the number of the type");
        d->expression = parse_expression(p, 1);
        expect_mark(p, ";", "behind the object type");
        break;
    case DECLARE_SYSCALLS: parse_calls(p, d, false); break;
    case DECLARE_INTERFACE: parse_interface(p, d); break;
    }
    return d;
}

// [ documentation ] "library" NAME ";" { "use" NAME ";" } { declaration }
static void parse_library(struct parser *p, struct library *library) {
    struct name **use_tail = &library->uses;
    struct declaration **tail = &library->declarations;
    lexer_advance(&p->lexer);
    library->documentation = read_documentation(p);
    if (!accept_word(p, "library"))
        fail_expected(p, "library and its name");
    library->name = expect_name(p, "the library's name");
    expect_mark(p, ";", "behind the library's name");
    while (at_word(p, "use")) {
        lexer_advance(&p->lexer);
        struct name *n = idl_alloc(p->idl, sizeof(*n));
        n->at = current(p)->at;
        n->text = expect_name(p, "the name of a library");
        expect_mark(p, ";", "behind the library's name");
        *use_tail = n;
        use_tail = &n->next;
    }
    while (current(p)->kind != TOKEN_END) {
        *tail = parse_declaration(p, library);
        tail = &(*tail)->next;
    }
}

bool idl_parse(struct idl *idl, const char *file, const char *text, size_t length) {
    struct parser p = {.idl = idl};
    struct library *library = idl_alloc(idl, sizeof(*library)), **tail = &idl->libraries;
    jmp_buf give_up;
    library->file = file;
    library->name = "";
    while (*tail)
        tail = &(*tail)->next;
    *tail = library;
    lexer_start(&p.lexer, idl, file, text, length);
    idl->give_up = &give_up;
    bool good = setjmp(give_up) == 0;
    if (good)
        parse_library(&p, library);
    idl->give_up = NULL;
    return good;
}
