// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// An object in words, for those who look: /invar, the debugger, the tools. Lines "key: value", first what every object has, then what its type adds.
#include <kernel/job.h>
#include <kernel/namespace.h>
#include <kernel/security.h>
#include <kernel/string.h>

#include <stdarg.h>

struct text {
    char *out;
    size_t length, size;
};

static void printf_like(2, 3) add(struct text *t, const char *format, ...) {
    va_list args;

    va_start(args, format);
    size_t more = (size_t)vsnprintf(t->out + t->length, t->size - t->length, format, args);
    va_end(args);
    t->length = MIN(t->length + more, t->size - 1);
}

static void add_security(struct text *t, struct object *o) {
    static const char *const kinds[] = {"anybody", "user", "group"};
    struct security_view view;

    if (!object_security_view(o, &view)) {
        add(t, "security: default\n");
        return;
    }
    add(t, "owner: %u %u\n", view.uid, view.gid);
    for (uint32_t i = 0; i < view.number; i++)
        add(t, "allow: %s %u rights %x\n", kinds[view.entries[i].who], view.entries[i].id, view.entries[i].rights);
}

size_t object_describe(struct object *o, char *out, size_t size) {
    struct text t = {.out = out, .size = size};

    out[0] = '\0';
    add(&t, "type: %s\nid: %lu\npath: ", o->type->name, (unsigned long)o->id);
    t.length += object_path(o, out + t.length, size - t.length);
    add(&t, "\npointers: %u\nhandles: %u\n", atomic_load_explicit(&o->pointers, memory_order_relaxed),
        atomic_load_explicit(&o->handles, memory_order_relaxed));
    if (o->job != NULL)
        add(&t, "job: %lu\n", (unsigned long)o->job->obj.id);
    add_security(&t, o);
    if (o->type->describe != NULL && t.length + 1 < size)
        t.length += MIN(o->type->describe(o, out + t.length, size - t.length), size - t.length - 1);
    return t.length;
}
