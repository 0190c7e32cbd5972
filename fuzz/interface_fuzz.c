// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// libFuzzer target for generated dispatchers: any parcel is answered. The input is the parcel's memory; build/host/gen-test is made by "make interfaces-test".
//     clang-14 -g -O1 -fsanitize=fuzzer,address,undefined -Iabi/include -Iuser/lib/include -Ibuild/host/gen-test/include -Ibuild/host/gen-test \
//         fuzz/interface_fuzz.c -o interface_fuzz && ./interface_fuzz -max_len=4144
#include "interface/sample_server.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void inv_parcel_close(struct inv_parcel *parcel) {
    parcel->handle_count = 0;
}

inv_status_t inv_parcel_demand(inv_handle_t handle, uint32_t type, inv_rights_t rights) {
    (void)type;
    (void)rights;
    return handle % 5 == 0 ? INV_ERR_ACCESS : INV_OK;
}

static inv_status_t nothing(void *context) {
    (void)context;
    return INV_OK;
}

static inv_status_t structs(void *context, const struct inv_outer *one, const struct inv_inner *some, size_t some_count,
                            const inv_color_t three[3], const uint8_t bits[9], struct inv_outer *one2,
                            struct inv_inner *some2, size_t *some2_count, inv_color_t three2[3], uint8_t bits2[9]) {
    (void)context;
    if (!inv_outer_is_valid(one) || some_count > INV_SAMPLE_STRUCTS_SOME_MAX)
        abort();
    for (size_t i = 0; i < some_count; i++)
        if (!inv_inner_is_valid(&some[i]))
            abort();
    *one2 = *one;
    memcpy(some2, some, some_count * sizeof(*some));
    *some2_count = some_count;
    memcpy(three2, three, 3 * sizeof(*three));
    memcpy(bits2, bits, 9);
    return INV_OK;
}

static inv_status_t longest(void *context, const char *text, size_t text_length, char *text2, size_t *text2_length) {
    (void)context;
    memcpy(text2, text, text_length);
    *text2_length = text_length;
    return INV_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct inv_sample_server server = {.nothing = nothing, .structs = structs, .longest = longest};
    struct inv_parcel *parcel = calloc(1, sizeof(*parcel));

    memcpy(parcel, data, size < sizeof(*parcel) ? size : sizeof(*parcel));
    inv_sample_dispatch(&server, NULL, parcel);
    if (parcel->length > INV_PARCEL_BYTES || parcel->handle_count > INV_PARCEL_HANDLES ||
        (inv_status_t)parcel->label > 0)
        abort();
    free(parcel);
    return 0;
}
