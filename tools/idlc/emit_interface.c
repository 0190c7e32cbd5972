// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What is made of an interface: include/invar/interface/NAME.h, and two files of C, of which a program links the side that it is on: NAME_client.c
// (a function for each call that sends it and takes the answer apart) and NAME_server.c (the dispatcher: takes a request apart, calls the server's function, and
// makes its answer).
#include "emit_message.h"

#include <string.h>

static bool is_call(const struct call *c) {
    return c->kind == CALL_CALL;
}

// --- the header ------------------------------------------------------------------------------------------------------------

static void emit_bounds(FILE *f, const char *interface, const struct call *c, const struct field *fields) {
    for (const struct field *p = fields; p; p = p->next) {
        if (p->type->kind == TYPE_STRING || p->type->kind == TYPE_ARRAY)
            fprintf(f, "#define INV_%s_%s_%s_MAX %llu\n", upper(interface), upper(c->name), upper(p->name),
                    (unsigned long long)p->type->bound);
    }
}

static void emit_client_prototype(FILE *f, const struct declaration *d, const struct call *c) {
    fprintf(f, "inv_status_t inv_%s_%s(inv_handle_t connection, uint64_t deadline", d->name, c->name);
    emit_parameters_of(f, c->parameters, false);
    emit_parameters_of(f, c->results, true);
    fprintf(f, ")");
}

static void emit_server_table(FILE *f, const struct declaration *d) {
    fprintf(f,
            "// What a server does for each call; context is what it gave to the dispatcher. NULL: NOT_SUPPORTED. "
            "Handles that arrive are the function's, whatever it\n"
            "// returns; those that it gives out are sent. out_ of a string has room for the bound and a zero, of an "
            "array for the bound.\n"
            "struct inv_%s_server {\n",
            d->name);
    for (const struct call *c = d->calls; c; c = c->next) {
        if (!is_call(c))
            continue;
        emit_comment(f, "    ", c->documentation);
        fprintf(f, "    inv_status_t (*%s)(void *context", c->name);
        emit_parameters_of(f, c->parameters, false);
        emit_parameters_of(f, c->results, true);
        fprintf(f, ");\n");
    }
    fprintf(f, "    void *none; // so that there is a member\n};\n\n");
}

static void emit_numbers(FILE *f, const struct declaration *d) {
    fprintf(f, "#define INV_%s_INTERFACE %lluu\n#define INV_%s_VERSION %uu\n", upper(d->name),
            (unsigned long long)d->value, upper(d->name), d->version);
    for (const struct call *c = d->calls; c; c = c->next) {
        if (c->kind != CALL_RESERVED)
            fprintf(f, "#define INV_%s_%s 0x%llxu\n", upper(d->name), upper(c->name),
                    (unsigned long long)d->value << 16 | c->number);
    }
    for (const struct call *c = d->calls; c; c = c->next) {
        emit_bounds(f, d->name, c, c->parameters);
        emit_bounds(f, d->name, c, c->results);
    }
    fprintf(f, "\n");
}

static bool emit_interface_header(struct idl *idl, const struct library *l, const struct declaration *d,
                                  const char *folder) {
    struct output o;
    if (!output_open(&o, folder, idl_format(idl, "include/invar/interface/%s.h", d->name)))
        return false;
    emit_head(o.file, l->file, idl_format(idl, "\n%s", d->documentation));
    fprintf(o.file,
            "#ifndef INVAR_INTERFACE_%s_H\n#define INVAR_INTERFACE_%s_H\n\n#include <invar/%s.h>\n#include "
            "<invar/parcel.h>\n\n",
            upper(d->name), upper(d->name), l->name);
    emit_numbers(o.file, d);
    fprintf(o.file, "// --- client: each call sends its request through connection and waits for the answer until "
                    "deadline. What out_ leads to is defined when it is INV_OK. RANGE:\n"
                    "// a string or array is over its bound. BAD_MESSAGE: the server's answer is malformed. Handles "
                    "that are sent are gone in any case.\n\n");
    for (const struct call *c = d->calls; c; c = c->next) {
        if (!is_call(c))
            continue;
        emit_comment(o.file, "", c->documentation);
        emit_client_prototype(o.file, d, c);
        fprintf(o.file, ";\n\n");
    }
    fprintf(o.file,
            "// The version that the server speaks; it has all operations of the versions before.\ninv_status_t "
            "inv_%s_describe(inv_handle_t connection, uint64_t deadline, uint32_t *out_version);\n\n",
            d->name);
    fprintf(o.file, "// --- server\n\n");
    emit_server_table(o.file, d);
    fprintf(o.file,
            "// Carries out the request in parcel and leaves the answer there. What is malformed (BAD_MESSAGE), "
            "unknown (NOT_SUPPORTED) or comes with a handle of the wrong\n"
            "// type or rights (WRONG_TYPE, ACCESS) is answered without the server's functions.\n"
            "void inv_%s_dispatch(const struct inv_%s_server *server, void *context, struct inv_parcel "
            "*parcel);\n\nextern const struct inv_interface inv_%s_interface;\n\n#endif\n",
            d->name, d->name, d->name);
    return output_close(&o);
}

// --- the client --------------------------------------------------------------------------------------------------------------

// A struct is passed by pointer.
static void emit_puts(FILE *f, const struct field *fields, const char *prefix, bool by_pointer) {
    for (const struct field *p = fields; p; p = p->next)
        emit_put(f, p, prefix, by_pointer);
}

static bool has_bounds(const struct field *fields) {
    for (; fields; fields = fields->next) {
        if (fields->type->kind == TYPE_STRING || fields->type->kind == TYPE_ARRAY)
            return true;
    }
    return false;
}

static void emit_demands(FILE *f, const struct field *fields, const char *prefix, bool pointer) {
    for (const struct field *p = fields; p; p = p->next) {
        const struct type *t = p->type->kind == TYPE_ARRAY ? p->type->element : p->type;
        if (t->kind != TYPE_HANDLE || (!t->name && !t->rights))
            continue;
        char type[96] = "0";
        if (t->name)
            snprintf(type, sizeof(type), "INV_OBJECT_%s", upper(t->name));
        if (p->type->kind == TYPE_ARRAY)
            fprintf(f,
                    "    for (size_t i = 0; i < %s%s%s_count && status == INV_OK; i++)\n        status = "
                    "inv_parcel_demand(%s%s[i], %s, ",
                    pointer ? "*" : "", prefix, p->name, prefix, p->name, type);
        else
            fprintf(f, "    if (status == INV_OK)\n        status = inv_parcel_demand(%s%s%s, %s, ", pointer ? "*" : "",
                    prefix, p->name, type);
        emit_rights(f, t);
        fprintf(f, ");\n");
    }
}

static void emit_client_call(FILE *f, const struct declaration *d, const struct call *c) {
    fprintf(f, "// %s ", d->name);
    emit_signature(f, c);
    fprintf(f, "\n");
    emit_client_prototype(f, d, c);
    fprintf(f, " {\n    struct inv_parcel parcel;\n    struct inv_writer writer;\n    struct inv_reader reader;\n\n");
    fprintf(f, "    inv_put_begin(&writer, &parcel, INV_%s_%s);\n", upper(d->name), upper(c->name));
    emit_puts(f, c->parameters, "", true);
    if (has_bounds(c->parameters))
        fprintf(f, "    if (writer.bad) {\n        inv_parcel_close(&parcel);\n        return INV_ERR_RANGE;\n    }\n");
    fprintf(f, "    inv_status_t status = inv_parcel_call(connection, deadline, &parcel);\n    if (status != INV_OK)\n "
               "       return status;\n");
    fprintf(f, "    status = inv_parcel_status(&parcel);\n    if (status != INV_OK) {\n        "
               "inv_parcel_close(&parcel);\n        return status;\n    }\n");
    fprintf(f, "    inv_get_begin(&reader, &parcel);\n");
    for (const struct field *r = c->results; r; r = r->next)
        emit_get(f, r, "out_", true);
    fprintf(f, "    status = inv_get_end(&reader) ? INV_OK : INV_ERR_BAD_MESSAGE;\n");
    emit_demands(f, c->results, "out_", true);
    fprintf(f, "    if (status != INV_OK) {\n        inv_parcel_close(&parcel);\n        return INV_ERR_BAD_MESSAGE;\n "
               "   }\n    return INV_OK;\n}\n\n");
}

static void emit_client_describe(FILE *f, const struct declaration *d) {
    fprintf(f,
            "inv_status_t inv_%s_describe(inv_handle_t connection, uint64_t deadline, uint32_t *out_version) {\n"
            "    struct inv_parcel parcel;\n    struct inv_writer writer;\n    struct inv_reader reader;\n\n"
            "    inv_put_begin(&writer, &parcel, INV_%s_INTERFACE << 16 | INV_OPERATION_DESCRIBE);\n"
            "    inv_status_t status = inv_parcel_call(connection, deadline, &parcel);\n    if (status == INV_OK)\n    "
            "    status = inv_parcel_status(&parcel);\n"
            "    if (status != INV_OK)\n        return status;\n"
            "    inv_get_begin(&reader, &parcel);\n    *out_version = (uint32_t)inv_get_unsigned(&reader, 32);\n"
            "    if (inv_get_end(&reader))\n        return INV_OK;\n    inv_parcel_close(&parcel);\n    return "
            "INV_ERR_BAD_MESSAGE;\n}\n",
            d->name, upper(d->name));
}

static bool emit_client(struct idl *idl, const struct library *l, const struct declaration *d, const char *folder) {
    struct output o;
    if (!output_open(&o, folder, idl_format(idl, "interface/%s_client.c", d->name)))
        return false;
    emit_head(o.file, l->file, idl_format(idl, "\nThe client's side of the interface %s.", d->name));
    fprintf(o.file, "#include <invar/interface/%s.h>\n\n", d->name);
    for (const struct call *c = d->calls; c; c = c->next) {
        if (is_call(c))
            emit_client_call(o.file, d, c);
    }
    emit_client_describe(o.file, d);
    return output_close(&o);
}

// --- the server --------------------------------------------------------------------------------------------------------------

static void emit_serve(FILE *f, const struct declaration *d, const struct call *c) {
    fprintf(f, "// ");
    emit_signature(f, c);
    fprintf(f,
            "\nstatic void serve_%s(const struct inv_%s_server *server, void *context, struct inv_parcel *parcel) {\n",
            c->name, d->name);
    fprintf(f, "    struct inv_reader reader;\n    struct inv_writer writer;\n");
    for (const struct field *p = c->parameters; p; p = p->next)
        emit_local(f, p, "");
    for (const struct field *r = c->results; r; r = r->next)
        emit_local(f, r, "out_");
    fprintf(f, "\n    inv_get_begin(&reader, parcel);\n");
    for (const struct field *p = c->parameters; p; p = p->next)
        emit_get(f, p, "", false);
    fprintf(f, "    inv_status_t status = inv_get_end(&reader) ? INV_OK : INV_ERR_BAD_MESSAGE;\n");
    emit_demands(f, c->parameters, "", false);
    fprintf(f, "    if (status != INV_OK) {\n        inv_parcel_refuse(parcel, status);\n        return;\n    }\n");
    fprintf(f, "    status = server->%s(context", c->name);
    for (const struct field *p = c->parameters; p; p = p->next) {
        fprintf(f, ", ");
        emit_argument_of(f, p, "", false);
    }
    for (const struct field *r = c->results; r; r = r->next) {
        fprintf(f, ", ");
        emit_argument_of(f, r, "out_", true);
    }
    fprintf(f,
            ");\n    inv_put_begin(&writer, parcel, (uint32_t)status);\n    if (status != INV_OK)\n        return;\n");
    emit_puts(f, c->results, "out_", false);
    fprintf(f, "    if (writer.bad)\n        inv_parcel_refuse(parcel, INV_ERR_RANGE);\n}\n\n");
}

static void emit_dispatch(FILE *f, const struct declaration *d) {
    fprintf(f,
            "static void serve_describe(struct inv_parcel *parcel) {\n    struct inv_reader reader;\n    struct "
            "inv_writer writer;\n\n"
            "    inv_get_begin(&reader, parcel);\n    if (!inv_get_end(&reader)) {\n        inv_parcel_refuse(parcel, "
            "INV_ERR_BAD_MESSAGE);\n        return;\n    }\n"
            "    inv_put_begin(&writer, parcel, INV_OK);\n    inv_put_word(&writer, INV_%s_VERSION);\n}\n\n",
            upper(d->name));
    fprintf(f,
            "void inv_%s_dispatch(const struct inv_%s_server *server, void *context, struct inv_parcel *parcel) {\n    "
            "switch (parcel->label) {\n",
            d->name, d->name);
    for (const struct call *c = d->calls; c; c = c->next) {
        if (is_call(c))
            fprintf(f,
                    "    case INV_%s_%s:\n        if (server->%s == NULL)\n            break;\n        "
                    "serve_%s(server, context, parcel);\n        return;\n",
                    upper(d->name), upper(c->name), c->name, c->name);
    }
    fprintf(f,
            "    case INV_%s_INTERFACE << 16 | INV_OPERATION_DESCRIBE: serve_describe(parcel); return;\n    default: "
            "break;\n    }\n"
            "    inv_parcel_refuse(parcel, INV_ERR_NOT_SUPPORTED);\n}\n\n",
            upper(d->name));
}

static void emit_operations(FILE *f, const struct declaration *d) {
    unsigned count = 0;
    fprintf(f, "static const struct inv_operation operations[] = {\n");
    for (const struct call *c = d->calls; c; c = c->next, count++) {
        if (c->kind == CALL_RESERVED)
            fprintf(f, "    {NULL, %u, false},\n", c->number);
        else
            fprintf(f, "    {\"%s\", %u, %s},\n", c->name, c->number, is_call(c) ? "false" : "true");
    }
    fprintf(f,
            "    {\"describe\", INV_OPERATION_DESCRIBE, false},\n};\n\nconst struct inv_interface inv_%s_interface = "
            "{\"%s\", INV_%s_INTERFACE, INV_%s_VERSION, %u, operations};\n",
            d->name, d->name, upper(d->name), upper(d->name), count + 1);
}

static bool emit_server(struct idl *idl, const struct library *l, const struct declaration *d, const char *folder) {
    struct output o;
    if (!output_open(&o, folder, idl_format(idl, "interface/%s_server.c", d->name)))
        return false;
    emit_head(o.file, l->file, idl_format(idl, "\nThe server's side of the interface %s.", d->name));
    fprintf(o.file, "#include <invar/interface/%s.h>\n\n", d->name);
    for (const struct call *c = d->calls; c; c = c->next) {
        if (is_call(c))
            emit_serve(o.file, d, c);
    }
    emit_dispatch(o.file, d);
    emit_operations(o.file, d);
    return output_close(&o);
}

bool emit_interfaces(struct idl *idl, const char *folder) {
    bool good = true;
    for (struct library *l = idl->libraries; l; l = l->next) {
        for (struct declaration *d = l->declarations; d; d = d->next) {
            if (d->kind == DECLARE_INTERFACE)
                good &= emit_interface_header(idl, l, d, folder) && emit_client(idl, l, d, folder) &&
                        emit_server(idl, l, d, folder);
        }
    }
    return good;
}
