// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// libFuzzer target for the reader and checker of the interface compiler: whatever the input, it is compiled or refused with a message, and nothing else.
//     clang-14 -g -O1 -fsanitize=fuzzer,address,undefined -Iabi/include -Itools/idlc fuzz/idlc_fuzz.c \
//         tools/idlc/{idl,lexer,parser,check,check_calls,emit,released}.c -o idlc_fuzz && ./idlc_fuzz CORPUS abi/idl
#include "released.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void message(void *context, const char *line) {
    unsigned *count = context;
    *count += line[0] != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned messages = 0;
    struct idl idl = {.report = message, .report_context = &messages};
    bool good = idl_parse(&idl, "input", (const char *)data, size) && idl_check(&idl);

    if (good != (messages == 0) || messages != idl.errors)
        abort();
    if (good)
        (void)released_check(&idl, "released", "const A = 0x1\nsyscall 0x1000 f = () -> ()\n");
    idl_free(&idl);
    return 0;
}
