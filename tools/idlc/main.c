// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// idlc: the interface compiler.
//     idlc [--output FOLDER] [--check RELEASED | --accept RELEASED] FILE.idl...
// Reads the libraries in the order given (one that uses another stands behind it) and checks them; compares them with what was released, and adds to that
// what is new; writes all that is made of them below FOLDER.
#include "emit_message.h"
#include "released.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (4u << 20)

static char *file_read(struct idl *idl, const char *path, size_t *out_length) {
    FILE *f = fopen(path, "r");
    char *text = idl_alloc(idl, FILE_BYTES_MAX);
    if (!f) {
        fprintf(stderr, "idlc: %s: %s\n", path, strerror(errno));
        return NULL;
    }
    *out_length = fread(text, 1, FILE_BYTES_MAX, f);
    bool good = !ferror(f) && *out_length < FILE_BYTES_MAX;
    fclose(f);
    if (!good)
        fprintf(stderr, "idlc: %s: cannot be read, or is too long\n", path);
    return good ? text : NULL;
}

static bool read_all(struct idl *idl, char **files) {
    for (; *files; files++) {
        size_t length;
        char *text = file_read(idl, *files, &length);
        if (!text || !idl_parse(idl, *files, text, length))
            return false;
    }
    return idl_check(idl);
}

// --check and --accept. What was changed is an error in either case.
static bool compare(struct idl *idl, char *path, bool accept) {
    size_t length;
    char *text = file_read(idl, path, &length);
    if (!text)
        return false;
    unsigned before = idl->errors, added = released_check(idl, path, text);
    if (idl->errors > before || !accept || added == 0)
        return idl->errors == before;
    FILE *f = fopen(path, "a");
    if (f)
        released_append(idl, f, text);
    bool good = f && !ferror(f);
    good &= !f || fclose(f) == 0;
    if (good)
        printf("%s: %u lines more\n", path, added);
    else
        fprintf(stderr, "idlc: %s: %s\n", path, strerror(errno));
    return good;
}

static bool write_all(struct idl *idl, const char *folder) {
    return emit_headers(idl, folder) && emit_stubs(idl, folder) && emit_kernel(idl, folder) &&
           emit_manual(idl, folder) && emit_table(idl, folder) && emit_interfaces(idl, folder) &&
           emit_generators(idl, folder);
}

static int usage(void) {
    fputs("usage: idlc [--output FOLDER] [--check RELEASED | --accept RELEASED] FILE.idl...\n", stderr);
    return 2;
}

int main(int count, char **arguments) {
    struct idl idl = {0};
    char *folder = NULL, *released = NULL, **files = arguments + 1;
    bool accept = false;
    (void)count;
    for (; *files && **files == '-'; files += 2) {
        if (!files[1])
            return usage();
        if (strcmp(*files, "--output") == 0)
            folder = files[1];
        else if (strcmp(*files, "--check") == 0 || strcmp(*files, "--accept") == 0)
            released = files[1], accept = (*files)[2] == 'a';
        else
            return usage();
    }
    if (!*files)
        return usage();
    bool good = read_all(&idl, files) && (!released || compare(&idl, released, accept)) &&
                (!folder || write_all(&idl, folder));
    idl_free(&idl);
    return good ? 0 : 1;
}
