// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// idlc: the interface compiler.
//     idlc [--output FOLDER] FILE.idl...
// Reads the libraries in the order given (one that uses another stands behind it), checks them, and writes all that is made of them below FOLDER.
#include "emit.h"

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

static int usage(void) {
    fputs("usage: idlc [--output FOLDER] FILE.idl...\n", stderr);
    return 2;
}

int main(int count, char **arguments) {
    struct idl idl = {0};
    const char *folder = NULL;
    char **files = arguments + 1;
    (void)count;
    if (*files && strcmp(*files, "--output") == 0) {
        if (!files[1])
            return usage();
        folder = files[1];
        files += 2;
    }
    if (!*files || **files == '-')
        return usage();
    bool good = read_all(&idl, files);
    if (good && folder)
        good = emit_headers(&idl, folder) && emit_stubs(&idl, folder) && emit_kernel(&idl, folder);
    idl_free(&idl);
    return good ? 0 : 1;
}
