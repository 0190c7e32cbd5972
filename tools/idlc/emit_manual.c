// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Manual pages of the native calls, one a page, in roff (man -l FILE): what the declarations, their documentation and the order of checks say.
#include "emit.h"

#include <string.h>

// --- roff -----------------------------------------------------------------------------------------------------------------

// Text as roff reads it: backslashes, hyphens, and dots and quotes at the beginning of a line.
static void put_text(FILE *f, const char *text, size_t length) {
    bool start = true;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (start && (c == '.' || c == '\''))
            fputs("\\&", f);
        if (c == '\\')
            fputs("\\e", f);
        else if (c == '-')
            fputs("\\-", f);
        else
            fputc(c, f);
        start = c == '\n';
    }
}

static void put_string(FILE *f, const char *text) {
    put_text(f, text, strlen(text));
}

// Documentation: empty lines part paragraphs.
static void put_paragraphs(FILE *f, const char *text) {
    while (text && *text) {
        const char *end = strstr(text, "\n\n");
        size_t length = end ? (size_t)(end - text) : strlen(text);
        put_text(f, text, length);
        fputs(end ? "\n.PP\n" : "\n", f);
        text = end ? end + 2 : NULL;
    }
}

// --- parts ----------------------------------------------------------------------------------------------------------------

static void put_parameter(FILE *f, const struct field *p, bool result) {
    const char *type = p->type->kind == TYPE_IN ? "const void" : p->type->kind == TYPE_OUT ? "void" : c_type(p->type);
    bool memory = p->type->kind == TYPE_IN || p->type->kind == TYPE_OUT;
    fprintf(f, "\\fB%s %s\\fI%s%s\\fB", type, memory || result ? "*" : "", result ? "out_" : "", p->name);
    if (memory)
        fprintf(f, ", size_t \\fI%s_size\\fB", p->name);
}

static void put_synopsis(FILE *f, const struct call *c) {
    bool first = true;
    if (c->kind == CALL_SPECIAL) {
        fprintf(f,
                ".SH SYNOPSIS\n.nf\n.B #include <invar/message.h>\n.fi\n.PP\nNumber 0x%x, with registers of its own: "
                "the function is declared in <invar/message.h>, the registers are those of <invar/ipc.h>.\n",
                c->number);
        return;
    }
    fprintf(f, ".SH SYNOPSIS\n.nf\n.B #include <invar/calls.h>\n.PP\n");
    fprintf(f, "\\fBinv_status_t inv_%s(", c->name);
    for (const struct field *p = c->parameters; p; p = p->next, first = false) {
        fputs(first ? "" : ", ", f);
        put_parameter(f, p, false);
    }
    for (const struct field *r = c->results; r; r = r->next, first = false) {
        fputs(first ? "" : ", ", f);
        put_parameter(f, r, true);
    }
    fprintf(f, "%s);\\fR\n.fi\n.PP\nNumber 0x%x.\n", first ? "void" : "", c->number);
}

static void put_members(FILE *f, const struct declaration *d) {
    for (const struct member *m = d->members; m; m = m->next) {
        fprintf(f, ".TP\n.B %s_%s\n", member_prefix(d), m->name);
        put_paragraphs(f, m->documentation ? m->documentation : "");
    }
}

static void put_values(FILE *f, const struct field *fields, const char *prefix) {
    for (const struct field *p = fields; p; p = p->next) {
        if (p->documentation) {
            fprintf(f, ".PP\n.I %s%s\nis ", prefix, p->name);
            put_paragraphs(f, p->documentation);
        }
        if (p->type->kind != TYPE_ENUM && p->type->kind != TYPE_FLAGS)
            continue;
        fprintf(f, ".PP\n.I %s%s\nis %s:\n", prefix, p->name, p->type->kind == TYPE_ENUM ? "one of" : "a set of");
        put_members(f, p->type->declaration);
    }
}

static void put_right(FILE *f, const struct field *p) {
    fprintf(f, ".TP\n.I %s\n", p->name);
    if (p->type->kind == TYPE_RAWHANDLE)
        fprintf(f, "a handle of any type of object; see the description.\n");
    else if (!p->type->name)
        fprintf(f, "a handle of any type of object.\n");
    else
        fprintf(f, "a handle of type %s", p->type->name);
    if (p->type->kind == TYPE_RAWHANDLE || !p->type->name)
        return;
    for (const struct name *n = p->type->rights; n; n = n->next)
        fprintf(f, "%s \\fBINV_RIGHT_%s\\fR", n == p->type->rights ? ", with" : n->next ? "," : " and", n->text);
    fprintf(f, ".\n");
}

static void put_rights(FILE *f, const struct call *c) {
    bool any = false;
    fprintf(f, ".SH RIGHTS\n");
    for (const struct field *p = c->parameters; p; p = p->next) {
        if (p->type->kind == TYPE_HANDLE || p->type->kind == TYPE_RAWHANDLE) {
            put_right(f, p);
            any = true;
        }
    }
    if (!any)
        fprintf(f, "The call takes no handle.\n");
    for (const struct field *r = c->results; r; r = r->next) {
        if (r->type->kind == TYPE_HANDLE)
            fprintf(f, ".TP\n.I out_%s\nhas the rights that a first handle of its type has.\n", r->name);
    }
}

// --- errors, in the order of the checks --------------------------------------------------------------------------------------

struct error_list {
    struct {
        const char *name;
        char reasons[1024];
    } entry[32];
    unsigned count;
};

static bool error_has(const struct error_list *list, const char *name) {
    for (unsigned i = 0; i < list->count; i++) {
        if (strcmp(list->entry[i].name, name) == 0)
            return true;
    }
    return false;
}

static void error_add(struct error_list *list, const char *name, const char *reason) {
    unsigned i = 0;
    while (i < list->count && strcmp(list->entry[i].name, name) != 0)
        i++;
    if (i == sizeof(list->entry) / sizeof(list->entry[0]))
        return;
    char *reasons = list->entry[i].reasons;
    size_t room = sizeof(list->entry[i].reasons);
    if (i == list->count) {
        list->entry[list->count++].name = name;
        snprintf(reasons, room, "%s", reason);
    } else {
        size_t length = strlen(reasons);
        snprintf(reasons + length, room - length, "; or %s", reason);
    }
}

static void handle_errors(struct error_list *list, const struct call *c, struct idl *idl) {
    for (const struct field *p = c->parameters; p; p = p->next) {
        if (p->type->kind != TYPE_HANDLE)
            continue;
        error_add(list, "BAD_HANDLE", idl_format(idl, "%s is not open", p->name));
        if (p->type->name)
            error_add(list, "WRONG_TYPE", idl_format(idl, "%s is not a handle of type %s", p->name, p->type->name));
        for (const struct name *n = p->type->rights; n; n = n->next)
            error_add(list, "ACCESS", idl_format(idl, "%s has not the right %s", p->name, n->text));
    }
}

static void argument_errors(struct error_list *list, const struct call *c, struct idl *idl) {
    for (const struct field *p = c->parameters; p; p = p->next) {
        switch (p->type->kind) {
        case TYPE_IN:
        case TYPE_OUT:
            error_add(list, "RANGE",
                      idl_format(idl, "%s_size is over %llu", p->name, (unsigned long long)p->type->bound));
            break;
        case TYPE_ENUM: error_add(list, "INVALID", idl_format(idl, "%s is none of its values", p->name)); break;
        case TYPE_FLAGS: error_add(list, "INVALID", idl_format(idl, "%s has a bit that is not there", p->name)); break;
        default: break;
        }
    }
}

// Those declared whose class is at most class and that are not there yet, or all of that name.
static void declared_errors(struct error_list *list, const struct call *c, unsigned from, unsigned to) {
    for (const struct name *e = c->errors; e; e = e->next) {
        unsigned class = error_class(e->text);
        int number;
        const char *text = "";
        bool said = !e->note && error_has(list, e->text); // nothing to add to what the generated entry checks
        if (class >= from && class <= to && !said && status_find(e->text, &number, &text))
            error_add(list, e->text, e->note ? e->note : text);
    }
}

static void put_errors(FILE *f, struct idl *idl, const struct call *c) {
    struct error_list list = {.count = 0};
    handle_errors(&list, c, idl);
    declared_errors(&list, c, 0, ERROR_CLASS_RIGHTS);
    argument_errors(&list, c, idl);
    declared_errors(&list, c, ERROR_CLASS_RIGHTS + 1, UINT32_MAX);
    fprintf(f, ".SH RETURN VALUE\n.B INV_OK\n(0), or one of the errors below, which are negative.");
    fprintf(f, "%s\n.SH ERRORS\n", c->results ? " On an error all results are zero." : "");
    if (list.count == 0)
        fprintf(f, "There are none.\n");
    else
        fprintf(f, "In the order in which they are found:\n");
    for (unsigned i = 0; i < list.count; i++) {
        fprintf(f, ".TP\n.B INV_ERR_%s\n", list.entry[i].name);
        put_string(f, list.entry[i].reasons);
        fprintf(f, ".\n");
    }
}

// --- pages ------------------------------------------------------------------------------------------------------------------

static size_t family_length(const char *name) {
    return strcspn(name, "_");
}

static void put_see_also(FILE *f, const struct declaration *d, const struct call *c) {
    size_t length = family_length(c->name);
    bool first = true;
    for (const struct call *o = d->calls; o; o = o->next) {
        if (o == c || o->kind == CALL_RESERVED || family_length(o->name) != length ||
            strncmp(o->name, c->name, length) != 0)
            continue;
        fprintf(f, "%s.BR inv_%s (2)", first ? ".SH SEE ALSO\n" : " ,\n", o->name);
        first = false;
    }
    fputs(first ? "" : "\n", f);
}

static bool emit_page(struct idl *idl, const struct library *l, const struct declaration *d, const struct call *c,
                      const char *folder) {
    struct output o;
    if (!output_open(&o, folder, idl_format(idl, "man/man2/inv_%s.2", c->name)))
        return false;
    fprintf(o.file,
            ".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Copyright The Invar Authors\n.\\\" Made by idlc from %s: "
            "change that.\n",
            l->file);
    fprintf(o.file, ".TH inv_%s 2 \"\" Invar \"Native calls\"\n.SH NAME\ninv_%s \\- ", c->name, c->name);
    put_string(o.file, first_sentence(c->documentation));
    fputs("\n", o.file);
    put_synopsis(o.file, c);
    fprintf(o.file, ".SH DESCRIPTION\n");
    put_paragraphs(o.file, c->documentation);
    put_values(o.file, c->parameters, "");
    put_values(o.file, c->results, "out_");
    put_rights(o.file, c);
    put_errors(o.file, idl, c);
    put_see_also(o.file, d, c);
    return output_close(&o);
}

bool emit_manual(struct idl *idl, const char *folder) {
    struct library *l;
    struct declaration *d = find_syscalls(idl, &l);
    bool good = true;
    for (const struct call *c = d ? d->calls : NULL; c; c = c->next) {
        if (c->kind != CALL_RESERVED)
            good &= emit_page(idl, l, d, c, folder);
    }
    return good;
}
