// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the compiler makes of an interface, by the one of tools/idlc/test/sample.idl: client and server meet in one process, each message between them is
// looked at and spoilt on the way. What is valid arrives as it was sent; what is spoilt never reaches the server's functions or makes the client believe it; every
// handle is with somebody or closed, once.
#include "interface/sample_client.c"
#include "interface/sample_generator.c"
#include "interface/sample_server.c"

#include <stdio.h>
#include <stdlib.h>

static unsigned failures;

#define CHECK(condition)                                                \
    do {                                                                \
        if (!(condition)) {                                             \
            printf("FAIL %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            if (++failures > 20)                                        \
                exit(1);                                                \
        }                                                               \
    } while (0)

// --- the way between the two --------------------------------------------------------------------------------------------

static struct inv_random seed = {20};
static struct inv_sample_server server;
static unsigned reached, closed, demands, refused_type;
static uint64_t last_deadline;
static enum { WAY_PLAIN, WAY_SPOIL_ANSWER, WAY_FAILS, WAY_ANSWER_IS } way;
static struct inv_parcel answer;

void inv_parcel_close(struct inv_parcel *parcel) {
    closed += parcel->handle_count <= INV_PARCEL_HANDLES ? parcel->handle_count : 0;
    parcel->handle_count = 0;
}

inv_status_t inv_parcel_demand(inv_handle_t handle, uint32_t type, inv_rights_t rights) {
    demands++;
    if (handle == refused_type && refused_type != 0)
        return rights != 0 ? INV_ERR_ACCESS : INV_ERR_WRONG_TYPE;
    return type == INV_OBJECT_VMO ? INV_OK : INV_ERR_WRONG_TYPE;
}

static void spoil_bytes(struct inv_parcel *parcel) {
    for (uint64_t n = 1 + inv_random_below(&seed, 3); n > 0; n--) {
        if (parcel->length > 0 && inv_random_below(&seed, 4) != 0)
            ((unsigned char *)parcel->data)[inv_random_below(
                &seed, parcel->length < INV_PARCEL_BYTES ? parcel->length : INV_PARCEL_BYTES)] ^=
                (unsigned char)(1u << inv_random_below(&seed, 8));
        else if (inv_random_below(&seed, 2) == 0)
            parcel->length = (uint32_t)inv_random_below(&seed, 5000);
        else
            parcel->handle_count = (uint32_t)inv_random_below(&seed, INV_PARCEL_HANDLES + 2);
    }
}

inv_status_t inv_parcel_call(inv_handle_t connection, uint64_t deadline, struct inv_parcel *parcel) {
    // A copy of just the size, so that the sanitizer sees who reads behind the end.
    struct inv_parcel *copy = malloc(sizeof(*copy));
    CHECK(connection == 77);
    last_deadline = deadline;
    if (way == WAY_FAILS) {
        inv_parcel_close(parcel);
        free(copy);
        return INV_ERR_PEER_GONE;
    }
    memcpy(copy, parcel, sizeof(*copy));
    inv_sample_dispatch(&server, &seed, copy);
    if (way == WAY_SPOIL_ANSWER)
        spoil_bytes(copy);
    memcpy(parcel, way == WAY_ANSWER_IS ? &answer : copy, sizeof(*parcel));
    free(copy);
    return INV_OK;
}

// --- the server: gives back what it gets ----------------------------------------------------------------------------------

static inv_status_t nothing(void *context) {
    CHECK(context == &seed);
    reached++;
    return INV_OK;
}

static inv_status_t scalars(void *context, uint8_t a, uint16_t b, uint32_t c, uint64_t d, int8_t e, int16_t f,
                            int32_t g, int64_t h, bool t, inv_color_t color, inv_marks_t marks, inv_status_t s,
                            uint8_t *a2, uint16_t *b2, uint32_t *c2, uint64_t *d2, int8_t *e2, int16_t *f2, int32_t *g2,
                            int64_t *h2, bool *t2, inv_color_t *color2, inv_marks_t *marks2, inv_status_t *s2) {
    reached++;
    CHECK(inv_color_is_valid(color) && inv_marks_is_valid(marks));
    *a2 = a, *b2 = b, *c2 = c, *d2 = d, *e2 = e, *f2 = f, *g2 = g, *h2 = h, *t2 = t, *color2 = color, *marks2 = marks,
    *s2 = s;
    return INV_OK;
}

static inv_status_t structs(void *context, const struct inv_outer *one, const struct inv_inner *some, size_t some_count,
                            const inv_color_t three[3], const uint8_t bits[9], struct inv_outer *one2,
                            struct inv_inner *some2, size_t *some2_count, inv_color_t three2[3], uint8_t bits2[9]) {
    reached++;
    CHECK(inv_outer_is_valid(one) && some_count <= INV_SAMPLE_STRUCTS_SOME_MAX);
    *one2 = *one;
    memcpy(some2, some, some_count * sizeof(*some));
    *some2_count = some_count;
    memcpy(three2, three, 3 * sizeof(*three));
    memcpy(bits2, bits, 9);
    return INV_OK;
}

static bool too_much;

static inv_status_t lists(void *context, const char *text, size_t text_length, const uint32_t *numbers,
                          size_t numbers_count, const uint8_t *pairs, size_t pairs_count, char *text2,
                          size_t *text2_length, uint32_t *numbers2, size_t *numbers2_count, uint8_t *pairs2,
                          size_t *pairs2_count) {
    reached++;
    CHECK(text_length <= INV_SAMPLE_LISTS_TEXT_MAX && text[text_length] == 0);
    memcpy(text2, text, text_length);
    *text2_length = text_length;
    memcpy(numbers2, numbers, numbers_count * sizeof(*numbers));
    *numbers2_count = too_much ? 8 : numbers_count;
    memcpy(pairs2, pairs, pairs_count * 2);
    *pairs2_count = pairs_count;
    return INV_OK;
}

static inv_status_t handles(void *context, inv_handle_t plain, inv_handle_t memory, const inv_handle_t *more,
                            size_t more_count, inv_handle_t *plain2, inv_handle_t *memory2, inv_handle_t *more2,
                            size_t *more2_count) {
    reached++;
    *plain2 = plain;
    *memory2 = memory;
    memcpy(more2, more, more_count * sizeof(*more));
    *more2_count = more_count;
    return INV_OK;
}

static inv_status_t longest(void *context, const char *text, size_t text_length, char *text2, size_t *text2_length) {
    reached++;
    memcpy(text2, text, text_length);
    *text2_length = text_length;
    return INV_OK;
}

static const struct inv_sample_server whole = {nothing, scalars, structs, lists, handles, longest, NULL};

static void begin(void) {
    server = whole;
    way = WAY_PLAIN;
    reached = closed = demands = refused_type = 0;
    too_much = false;
}

// --- calls from end to end ---------------------------------------------------------------------------------------------------

static inv_status_t call_scalars(void) {
    uint8_t a = (uint8_t)inv_random_next(&seed), a2;
    uint16_t b = (uint16_t)inv_random_next(&seed), b2;
    uint32_t c = (uint32_t)inv_random_next(&seed), c2;
    uint64_t d = inv_random_next(&seed), d2;
    int8_t e = (int8_t)a, e2;
    int16_t f = (int16_t)b, f2;
    int32_t g = (int32_t)c, g2;
    int64_t h = (int64_t)d, h2;
    bool t2;
    inv_color_t color2;
    inv_marks_t marks2;
    inv_status_t s2, status;
    status = inv_sample_scalars(77, 5, a, b, c, d, e, f, g, h, true, INV_COLOR_BLUE, INV_MARK_FLAT, INV_ERR_QUOTA, &a2,
                                &b2, &c2, &d2, &e2, &f2, &g2, &h2, &t2, &color2, &marks2, &s2);
    if (way != WAY_PLAIN)
        return status;
    CHECK(status == INV_OK && last_deadline == 5);
    CHECK(a2 == a && b2 == b && c2 == c && d2 == d && e2 == e && f2 == f && g2 == g && h2 == h);
    CHECK(t2 && color2 == INV_COLOR_BLUE && marks2 == INV_MARK_FLAT && s2 == INV_ERR_QUOTA);
    return status;
}

static inv_status_t call_structs(void) {
    struct inv_outer one = {.number = -5, .grid = {{1, 0}, {0, 1}}}, one2;
    struct inv_inner some[5], some2[5];
    inv_color_t three[3] = {INV_COLOR_RED, INV_COLOR_GREEN, INV_COLOR_BLUE}, three2[3];
    uint8_t bits[9] = {1, 0, 1, 1, 0, 0, 0, 0, 1}, bits2[9];
    size_t count = inv_random_below(&seed, 6), count2;
    for (unsigned i = 0; i < 5; i++)
        some[i] = one.list[i % 3] = (struct inv_inner){INV_COLOR_GREEN, INV_MARK_ROUND, 1};
    inv_status_t status = inv_sample_structs(77, 0, &one, some, count, three, bits, &one2, some2, &count2, three2,
                                             bits2);
    if (way != WAY_PLAIN)
        return status;
    CHECK(status == INV_OK && memcmp(&one, &one2, sizeof(one)) == 0 && count2 == count &&
          memcmp(some, some2, count * sizeof(*some)) == 0);
    CHECK(memcmp(three, three2, sizeof(three)) == 0 && memcmp(bits, bits2, 9) == 0);
    return status;
}

static inv_status_t call_lists(void) {
    char text[22] = "twenty-one characters", text2[22];
    uint32_t numbers[7] = {1, 2, 3, 4, 5, 6, UINT32_MAX}, numbers2[7];
    uint8_t pairs[8] = {1, 2, 3, 4, 5, 6, 7, 8}, pairs2[8];
    size_t length = inv_random_below(&seed, 22), n = inv_random_below(&seed, 8), m = inv_random_below(&seed, 5),
           length2, n2, m2;
    inv_status_t status = inv_sample_lists(77, 0, text, length, numbers, n, pairs, m, text2, &length2, numbers2, &n2,
                                           pairs2, &m2);
    if (way != WAY_PLAIN || too_much)
        return status;
    CHECK(status == INV_OK && length2 == length && memcmp(text, text2, length) == 0 && text2[length] == 0);
    CHECK(n2 == n && memcmp(numbers, numbers2, n * 4) == 0 && m2 == m && memcmp(pairs, pairs2, m * 2) == 0);
    return status;
}

static inv_status_t call_handles(void) {
    inv_handle_t more[3] = {103, 104, 105}, more2[3], plain2, memory2;
    size_t count = inv_random_below(&seed, 4), count2;
    inv_status_t status = inv_sample_handles(77, 0, 101, 102, more, count, &plain2, &memory2, more2, &count2);
    if (way != WAY_PLAIN || refused_type != 0)
        return status;
    CHECK(status == INV_OK && plain2 == 101 && memory2 == 102 && count2 == count &&
          memcmp(more, more2, count * 4) == 0);
    return status;
}

static void what_is_sent_arrives(void) {
    static char text[4088], text2[4089];
    size_t length2;
    begin();
    for (unsigned i = 0; i < 500; i++) {
        CHECK(inv_sample_nothing(77, UINT64_MAX) == INV_OK && last_deadline == UINT64_MAX);
        call_scalars();
        call_structs();
        call_lists();
        call_handles();
    }
    inv_random_fill(&seed, text, sizeof(text));
    CHECK(inv_sample_longest(77, 0, text, 4088, text2, &length2) == INV_OK && length2 == 4088 &&
          memcmp(text, text2, 4088) == 0);
    CHECK(reached == 2501 && closed == 0);
}

static void bounds_hold_on_both_sides(void) {
    char text[30] = "", text2[22];
    uint32_t numbers[8] = {0}, numbers2[7];
    uint8_t pairs2[8] = {0};
    size_t n, m, l;
    inv_handle_t more[4] = {3, 4, 5, 6}, h, h2;
    begin();
    CHECK(inv_sample_lists(77, 0, text, 22, numbers, 0, pairs2, 0, text2, &l, numbers2, &n, pairs2, &m) ==
          INV_ERR_RANGE);
    CHECK(inv_sample_lists(77, 0, text, SIZE_MAX, numbers, 0, pairs2, 0, text2, &l, numbers2, &n, pairs2, &m) ==
          INV_ERR_RANGE);
    CHECK(inv_sample_lists(77, 0, text, 0, numbers, 8, pairs2, 0, text2, &l, numbers2, &n, pairs2, &m) ==
          INV_ERR_RANGE);
    CHECK(inv_sample_handles(77, 0, 1, 2, more, 4, &h, &h2, more, &n) == INV_ERR_RANGE && closed == 2);
    CHECK(reached == 0);
    too_much = true;
    CHECK(call_lists() == INV_ERR_RANGE && reached == 1);
}

static void handles_are_what_is_demanded(void) {
    begin();
    call_handles();
    CHECK(demands >= 2);
    refused_type = 102;
    CHECK(call_handles() == INV_ERR_ACCESS && closed >= 2 && reached == 1);
    closed = 0;
    refused_type = 101; // nothing is demanded of it
    CHECK(call_handles() == INV_OK && closed == 0);
}

// --- servers that answer otherwise --------------------------------------------------------------------------------------------

static inv_status_t fails(void *context) {
    return INV_ERR_NO_SPACE;
}

static inv_status_t is_positive(void *context) {
    return 5;
}

static void statuses_travel(void) {
    uint32_t version = 0;
    struct inv_parcel parcel = {.label = INV_SAMPLE_READ};
    begin();
    server.nothing = fails;
    CHECK(inv_sample_nothing(77, 0) == INV_ERR_NO_SPACE);
    server.nothing = is_positive;
    CHECK(inv_sample_nothing(77, 0) == INV_ERR_BAD_MESSAGE);
    server.nothing = NULL;
    CHECK(inv_sample_nothing(77, 0) == INV_ERR_NOT_SUPPORTED);
    way = WAY_FAILS;
    CHECK(call_handles() == INV_ERR_PEER_GONE);
    way = WAY_PLAIN;
    CHECK(inv_sample_describe(77, 0, &version) == INV_OK && version == 3);
    inv_sample_dispatch(&server, NULL, &parcel); // a submit by a call
    CHECK((inv_status_t)parcel.label == INV_ERR_NOT_SUPPORTED);
    way = WAY_ANSWER_IS;
    answer = (struct inv_parcel){.label = (uint32_t)INV_ERR_IO, .length = 8};
    CHECK(inv_sample_nothing(77, 0) == INV_ERR_BAD_MESSAGE);
    answer = (struct inv_parcel){.label = (uint32_t)INV_ERR_IO, .handle_count = 1};
    closed = 0;
    CHECK(inv_sample_nothing(77, 0) == INV_ERR_BAD_MESSAGE && closed == 1);
    answer = (struct inv_parcel){.length = 8};
    CHECK(inv_sample_describe(77, 0, &version) == INV_OK && version == 0);
    answer.data[0] = UINT64_C(1) << 32;
    CHECK(inv_sample_describe(77, 0, &version) == INV_ERR_BAD_MESSAGE);
}

static void operations_are_listed(void) {
    const struct inv_interface *i = &inv_sample_interface;
    CHECK(strcmp(i->name, "sample") == 0 && i->number == 0x51 && i->version == 3 && i->operation_count == 9);
    CHECK(strcmp(i->operations[1].name, "scalars") == 0 && !i->operations[1].submit && i->operations[2].name == NULL &&
          i->operations[7].submit);
}

// --- what nobody should send ----------------------------------------------------------------------------------------------------

static void generated_requests_are_judged_right(unsigned rounds) {
    struct inv_parcel *parcel = malloc(sizeof(*parcel));
    unsigned valid_count = 0;
    begin();
    for (unsigned i = 0; i < rounds; i++) {
        unsigned before = reached;
        bool valid = inv_sample_generate(&seed, parcel);
        uint32_t label = parcel->label;
        inv_sample_dispatch(&server, &seed, parcel);
        inv_status_t status = (inv_status_t)parcel->label;
        bool judged = status == INV_ERR_BAD_MESSAGE || status == INV_ERR_NOT_SUPPORTED;
        if (valid != (status == INV_OK) || valid == judged || reached - before != valid) {
            printf("request of label %x, valid %d: answer %d\n", label, valid, status);
            CHECK(!"judged right");
        }
        valid_count += valid;
    }
    CHECK(valid_count > rounds / 3 && valid_count < rounds - rounds / 3);
    free(parcel);
}

// Any bytes: only that nothing is touched that should not be; and what is accepted is accepted again as it is answered.
static void any_bytes_are_survived(unsigned rounds) {
    struct inv_parcel *parcel = malloc(sizeof(*parcel));
    begin();
    for (unsigned i = 0; i < rounds; i++) {
        (void)inv_sample_generate(&seed, parcel);
        spoil_bytes(parcel);
        inv_sample_dispatch(&server, &seed, parcel);
        CHECK(parcel->length <= INV_PARCEL_BYTES && parcel->handle_count <= INV_PARCEL_HANDLES &&
              (inv_status_t)parcel->label <= 0);
    }
    free(parcel);
}

static void spoilt_answers_are_survived(unsigned rounds) {
    unsigned bad = 0;
    begin();
    way = WAY_SPOIL_ANSWER;
    for (unsigned i = 0; i < rounds; i++) {
        inv_status_t status = i % 4 == 0   ? call_scalars()
                              : i % 4 == 1 ? call_structs()
                              : i % 4 == 2 ? call_lists()
                                           : call_handles();
        CHECK(status == INV_OK || status == INV_ERR_BAD_MESSAGE);
        bad += status != INV_OK;
    }
    CHECK(bad > rounds / 3);
}

int main(void) {
    what_is_sent_arrives();
    bounds_hold_on_both_sides();
    handles_are_what_is_demanded();
    statuses_travel();
    operations_are_listed();
    generated_requests_are_judged_right(200000);
    any_bytes_are_survived(100000);
    spoilt_answers_are_survived(50000);
    printf("%u failures\n", failures);
    return failures > 0;
}
