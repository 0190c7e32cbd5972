// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// host-test-sources: tools/idlc/idl.c tools/idlc/lexer.c tools/idlc/parser.c tools/idlc/check.c tools/idlc/check_calls.c
// host-test-sources: tools/idlc/emit.c tools/idlc/released.c
//
// The interface compiler on good and bad libraries: what is computed, and that every message that its sources can give is given here for the mistake that it
// is about, at the place where that is.
#include "released.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static unsigned failures;

#define CHECK(condition)                                                \
    do {                                                                \
        if (!(condition)) {                                             \
            printf("FAIL %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            failures++;                                                 \
        }                                                               \
    } while (0)

// All messages of the run, for the last test.
static char messages[64 << 10];
static size_t messages_length;
static char last[4096];

static void collect(void *context, const char *line) {
    snprintf(last + strlen(last), sizeof(last) - strlen(last), "%s\n", line);
    int n = snprintf(messages + messages_length, sizeof(messages) - messages_length, "%s\n", line);
    messages_length += (size_t)n;
    assert(messages_length < sizeof(messages));
}

static bool compile(struct idl *idl, const char *text) {
    *idl = (struct idl){.report = collect};
    last[0] = 0;
    return idl_parse(idl, "t", text, strlen(text)) && idl_check(idl);
}

// What every test library begins with, on line 1.
#define HEAD "library t; flags rights : u32 { READ = 1 << 0, WRITE = 1 << 1 } /// Memory.\nobject vmo = 1;\n"

static const struct {
    const char *text, *message; // "LINE:COLUMN: error: beginning", in the only or first message; HEAD takes two lines
} bad[] = {
    // form
    {"library t", "1:10: error: the end of the file, expected ';' behind the library's name"},
    {"interface x 1 {}", "1:1: error: 'interface', expected library and its name"},
    {"library 5;", "1:9: error: a number, expected the library's name"},
    {"library t; use 5;", "1:16: error: a number, expected the name of a library"},
    {"library t; use a b;", "1:18: error: 'b', expected ';' behind the library's name"},
    {"library t; use a;", "1:16: error: library a was not read before this one"},
    {"library t; thing x;", "1:12: error: 'thing', expected const, enum, flags, struct, object, syscalls or interface"},
    {"library t; /// only words", "1:26: error: the end of the file, expected const"},
    {"library t; const \"x\"", "1:18: error: a string, expected a name"},
    {"library t; const \"x", "1:18: error: the string does not end on its line"},
    {"library t; const A = 5;", "1:20: error: '=', expected ':' and an integer type"},
    {"library t; const A : u32;", "1:25: error: ';', expected '=' and the value"},
    {"library t; const A : u32 = ;", "1:28: error: ';', expected a number, a constant or '('"},
    {"library t; const A : u32 = (1;", "1:30: error: ';', expected ')' behind the expression"},
    {"library t; const A : u32 = 1 < < 2;", "1:32: error: '<', expected '<<'"},
    {"library t; const A : u32 = 1 >+ 2;", "1:31: error: '+', expected '>>'"},
    {"library t; const A : u32 = 1", "1:29: error: the end of the file, expected ';' behind the constant"},
    {"library t; const A : u32 = 12a;", "1:28: error: malformed number"},
    {"library t; const A : u32 = 0x;", "1:28: error: malformed number"},
    {"library t; const A : u64 = 99999999999999999999;", "1:28: error: the number does not fit in 64 bits"},
    {"library t; const A : 5", "1:22: error: a number, expected a type"},
    {"library t; $", "1:12: error: character 0x24 has no place here"},
    {"library t; const aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "1:18: error: the name has more than 64"},
    {"library t; enum e : u32 { A }", "1:29: error: '}', expected '=' and a value: each is written out"},
    {"library t; enum e : u32 { A = 1 B = 2 }", "1:33: error: 'B', expected ',' or '}' behind the value"},
    {"library t; enum e : u32 { = 2 }", "1:27: error: '=', expected the name of a value or '}'"},
    {"library t; enum e : u32 A", "1:25: error: 'A', expected '{' and the values"},
    {"library t; enum e = 5", "1:19: error: '=', expected ':' and an integer type"},
    {"library t; struct s ;", "1:21: error: ';', expected '{' and the fields"},
    {"library t; struct s { a u32 }", "1:25: error: 'u32', expected ':' and a type behind a"},
    {"library t; struct s { a: u32 b: u32 }", "1:30: error: 'b', expected ',' or '}' behind the field"},
    {"library t; struct s { : u32 }", "1:23: error: ':', expected a field or '}'"},
    {"library t; struct s { a: u32[2 }", "1:32: error: '}', expected ']' behind the number of elements"},
    {"library t; struct s { a: u32[2][2][2] }", "1:35: error: an array has at most two dimensions"},
    {"library t; object o;", "1:20: error: ';', expected '=' and the number of the type"},
    {"library t; object o = 5", "1:24: error: the end of the file, expected ';' behind the object type"},
    {"library t; syscalls x", "1:21: error: 'x', expected '{' and the calls"},
    {"library t; syscalls { 5", "1:23: error: a number, expected the name of a call or '}'"},
    {"library t; syscalls { f; }", "1:24: error: ';', expected '(' and the parameters"},
    {"library t; syscalls { f() -> 5; }", "1:30: error: a number, expected '(' and the results"},
    {"library t; syscalls { f() -> (a: u32 b }", "1:38: error: 'b', expected ',' or ')' behind the result"},
    {"library t; syscalls { f(a: u32 b }", "1:32: error: 'b', expected ',' or ')' behind the parameter"},
    {"library t; syscalls { f() errors ; }", "1:34: error: ';', expected the name of a status"},
    {"library t; syscalls { f() }", "1:27: error: '}', expected ';' behind the call"},
    {"library t; interface i {}", "1:24: error: '{', expected a number, a constant or '('"},
    {"library t; interface i 1 version 0 {}", "1:34: error: a number, expected a version from 1 to 65535"},
    {"library t; interface i 1 { f(); }", "1:28: error: 'f', expected call, submit, reserved or '}'"},
    {"library t; syscalls { f(a: handle<5) }", "1:35: error: a number, expected the name of an object type"},
    {"library t; syscalls { f(a: handle<vmo, 5>) }", "1:40: error: a number, expected a right"},
    {"library t; syscalls { f(a: handle<vmo, READ;",
     "1:44: error: ';', expected '>' behind the handle's type and rights"},
    {"library t; syscalls { f(a: in) }", "1:30: error: ')', expected '<' and a bound"},
    {"library t; syscalls { f(a: in<4) }", "1:32: error: ')', expected '>' behind the bound"},
    {"library t; interface i 1 { submit f(a: pages) }", "1:45: error: ')', expected '<' and a direction"},
    {"library t; interface i 1 { submit f(a: pages<up, 2>) }", "1:46: error: 'up', expected in, out or inout"},
    {"library t; interface i 1 { submit f(a: pages<in 2>) }",
     "1:49: error: a number, expected ',' and the greatest number of pages"},
    {"library t; interface i 1 { call f(a: array) }", "1:43: error: ')', expected '<' and a type"},
    {"library t; interface i 1 { call f(a: array<u32>) }", "1:47: error: '>', expected ',' and a bound"},
    // names
    {HEAD "const small : u32 = 1;", "3:7: error: small: a name in upper case is expected here"},
    {HEAD "struct Big { a: u32 }", "3:8: error: Big: a name in lower case is expected here"},
    {HEAD "struct s { int: u32 }", "3:12: error: int is a word of C or of the generated code"},
    {HEAD "struct s { out_a: u32 }", "3:12: error: out_a: names that begin with _, inv_ or out_"},
    {HEAD "struct s { a: u32, a: u32 }", "3:20: error: there are two of the name a"},
    {HEAD "syscalls { /// F.\nf(a: u32) -> (a: u32); }", "4:15: error: there are two of the name a"},
    {HEAD "const A : u32 = 1; const A : u32 = 1;", "3:26: error: A was declared at t:3 already"},
    {HEAD "/// V.\nobject b = 1;", "4:8: error: b has the number of vmo"},
    {HEAD "syscalls { } syscalls { }", "3:23: error: there are system calls in t already"},
    {HEAD "object c = 2;", "3:8: error: c has no documentation, expected /// lines before it"},
    {HEAD "syscalls { f(); }", "3:12: error: f has no documentation"},
    // constants
    {HEAD "const A : u32 = B;", "3:17: error: B is not known here, expected a constant that was declared"},
    {HEAD "const A : u32 = A;", "3:17: error: A is defined by itself"},
    {HEAD "const A : u8 = 256;", "3:16: error: 256 does not fit in the constant's type"},
    {HEAD "const A : s8 = 128;", "3:16: error: 128 does not fit in the constant's type"},
    {HEAD "const A : u64 = 1 - 2;", "3:19: error: the result does not fit in 64 bits without a sign"},
    {HEAD "const A : u64 = 1 << 64;", "3:19: error: the result does not fit"},
    {HEAD "const A : u64 = 3 << 63;", "3:19: error: the result does not fit"},
    {HEAD "const A : u64 = 0xffffffffffffffff + 1;", "3:36: error: the result does not fit"},
    {HEAD "const A : u64 = 0xffffffffffffffff * 2;", "3:36: error: the result does not fit"},
    {HEAD "const A : u64 = 1 >> 64;", "3:19: error: the result does not fit"},
    {HEAD "const A : bool = 1;", "3:11: error: a constant has an integer type"},
    {HEAD "enum e : u8 { A = 256 }", "3:19: error: 256 does not fit in the type of e"},
    {HEAD "enum e : s8 { A = 1 }", "3:10: error: expected u8, u16, u32 or u64"},
    {HEAD "enum e : u8 { }", "3:6: error: e has no values"},
    {HEAD "enum e : u8 { A = 1, B = 1 }", "3:22: error: B has the value of A"},
    {HEAD "enum e : u8 { A = 1, A = 2 }", "3:22: error: A has two values"},
    {HEAD "flags es : u8 { A = 3 }", "3:17: error: A is not one bit, expected 1 << n"},
    {HEAD "flags es : u8 { A = 1, B = 1 }", "3:24: error: the bit of B is taken"},
    {HEAD "flags e : u8 { A = 1 }", "3:7: error: flags are named in the plural"},
    // types
    {HEAD "struct s { a: vmo }", "3:15: error: vmo is a type of object, expected handle<vmo>"},
    {HEAD "struct s { a: nothing }", "3:15: error: type nothing is not known here"},
    {HEAD "struct s { a: s }", "3:15: error: s contains itself"},
    {HEAD "struct s { }", "3:8: error: s has no fields"},
    {HEAD "struct s { a: u8, b: u32 }", "3:19: error: 3 bytes of nothing before b, expected a field there"},
    {HEAD "struct s { a: u32, b: u8 }", "3:8: error: s ends with 3 bytes of nothing"},
    {HEAD "struct s { a: string<4> }", "3:15: error: a: this type cannot stand in a struct"},
    {HEAD "struct s { a: u64[513] }", "3:18: error: an array of 4104 bytes, expected at most 4096"},
    {HEAD "struct s { a: u64[512], b: u64[512] }", "3:25: error: s is longer than 4096 bytes"},
    {HEAD "struct s { a: u8[0] }", "3:18: error: a bound of 0, expected 1 or more"},
    {HEAD "struct s { a: u8[70000] }", "3:18: error: a bound of 70000, expected at most 65535"},
    {HEAD "/// O.\nobject o = 0;", "4:12: error: the number of an object type is from 1 to 65535"},
    {HEAD "/// I.\ninterface i 0 { }", "4:13: error: the number of an interface is from 1 to 65535"},
    {HEAD "syscalls { /// F.\nf(a: handle<thing>); }",
     "4:6: error: thing is not known here, expected a type of object"},
    {HEAD "syscalls { /// F.\nf(a: handle<vmo, EAT>); }", "4:18: error: EAT is not a right"},
    {HEAD "syscalls { /// F.\nf(a: handle<vmo, READ|READ>); }", "4:23: error: the right READ is named twice"},
    {HEAD "/// I.\ninterface i 1 { /// F.\ncall f(a: array<string<2>, 2>); }",
     "5:17: error: this type cannot be an element"},
    // calls
    {HEAD "syscalls { /// F.\nf(); /// F.\nf(); }", "5:1: error: there are two calls f"},
    {HEAD "syscalls { /// F.\nf(); /// G.\nspecial g(); }", "5:9: error: special call g stands behind ordinary ones"},
    {HEAD "struct s { a: u32 } syscalls { /// F.\nf(a: s); }",
     "4:6: error: a: this type does not go in a register, expected a scalar, a handle, in or out"},
    {HEAD "syscalls { /// F.\nf() -> (a: in<2>); }",
     "4:12: error: a: this type does not go in a register, expected a scalar or a handle"},
    {HEAD "syscalls { /// F.\nf() -> (a: handle<vmo, READ>); }",
     "4:12: error: a: a handle that is made has the rights of its type"},
    {HEAD "syscalls { /// F.\nf(a: in<2>, b: in<2>, c: in<2>, d: u8); }",
     "4:1: error: f takes 7 registers, expected at most 6"},
    {HEAD "syscalls { /// F.\nf() -> (a: u8, b: u8, c: u8, d: u8); }",
     "4:1: error: f has 4 results, expected at most 3"},
    {HEAD "syscalls { /// F.\nf() errors NONSENSE; }", "4:12: error: NONSENSE is not a status"},
    {HEAD "syscalls { /// F.\nf() errors QUOTA, QUOTA; }", "4:19: error: QUOTA is named twice"},
    {HEAD "syscalls { /// F.\nf() errors QUOTA, RANGE; }", "4:19: error: RANGE is checked earlier, expected the order"},
    {HEAD "/// I.\ninterface i 1 { /// F.\ncall f(a: in<4>); }",
     "5:11: error: a: user memory goes with system calls alone"},
    {HEAD "/// I.\ninterface i 1 { /// F.\ncall f(server: u8); }",
     "5:8: error: server is a name in the generated code of operations"},
    {HEAD "/// I.\ninterface i 1 { /// F.\ncall f(a: rawhandle); }",
     "5:11: error: a: the number of a handle means nothing to the other side"},
    {HEAD "/// I.\ninterface i 1 { /// F.\ncall f(a: pages<in, 4>); }", "5:11: error: a: pages go with submit alone"},
    {HEAD "/// I.\ninterface i 1 { /// F.\ncall f(a: array<handle, 9>); }",
     "5:6: error: f: up to 9 handles one way, expected at most 8"},
    {HEAD "/// I.\ninterface i 1 { /// F.\ncall f(a: string<4096>); }",
     "5:6: error: f: up to 4104 bytes one way, expected at most 4096"},
};

static void bad_libraries_are_refused(void) {
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct idl idl;
        char expected[512];
        snprintf(expected, sizeof(expected), "t:%s", bad[i].message);
        bool good = compile(&idl, bad[i].text);
        if (good || strncmp(last, expected, strlen(expected)) != 0) {
            printf("FAIL for: %s\n  expected %s\n  had      %s\n", bad[i].text, expected, last);
            failures++;
        }
        idl_free(&idl);
    }
}

static void checker_reports_all(void) {
    struct idl idl;
    CHECK(!compile(&idl, HEAD "const A : u8 = 256; const B : u8 = 257; struct s { a: x }"));
    CHECK(strstr(last, "256") && strstr(last, "257") && strstr(last, "type x") && idl.errors == 3);
    idl_free(&idl);
}

static void too_deep_and_too_many(void) {
    struct idl idl;
    char *text = malloc(200000), *p = text;
    p += sprintf(p, "library t; const A : u32 = ");
    for (unsigned i = 0; i < 1000; i++)
        *p++ = '(';
    *p = 0;
    CHECK(!compile(&idl, text) && strstr(last, "nested more than 64 deep"));
    idl_free(&idl);
    static const struct {
        const char *begin, *one, *message;
    } lists[] = {{"library t; enum e : u32 {", "A=1,", "more than 4096 values"},
                 {"library t; struct s {", "a:u8,", "more than 4096 names"},
                 {"library t; syscalls {", "reserved a;", "more than 4096 calls"}};
    for (unsigned l = 0; l < 3; l++) {
        p = text + sprintf(text, "%s", lists[l].begin);
        for (unsigned i = 0; i < 4100; i++)
            p += sprintf(p, "%s", lists[l].one);
        CHECK(!compile(&idl, text) && strstr(last, lists[l].message));
        idl_free(&idl);
    }
    free(text);
}

static void two_libraries_of_one_name(void) {
    struct idl idl = {.report = collect};
    last[0] = 0;
    CHECK(idl_parse(&idl, "a", "library t;", 10) && idl_parse(&idl, "b", "library t;", 10) && !idl_check(&idl));
    CHECK(strstr(last, "b:1:1: error: there are two libraries t"));
    idl_free(&idl);
}

static const char good[] = HEAD "const A : u64 = 1 + 2 * 3 << 1 | 0x10 & 0x18;\n"
                                "const B : u32 = (A - 14) >> 1;\n"
                                "enum e : u16 { X = 1, Y = X + 1, }\n"
                                "struct inner { a: u8[4], b: e, c: u16 }\n"
                                "struct outer { i: inner[2], t: u64, z: bool[8] }\n"
                                "syscalls { reserved first; /// S.\nspecial s(x: u64); /// F. More.\nf(v: handle<vmo, "
                                "READ|WRITE>, m: in<B>) -> (n: u64) errors BAD_STATE, FAULT, QUOTA; }\n"
                                "/// I.\ninterface i 7 version 3 { reserved old; /// O.\ncall o(text: string<10>, h: "
                                "handle) -> (l: array<e, 3>); /// P.\nsubmit p(d: pages<out, 32>); }\n";

static struct declaration *find(struct idl *idl, const char *name) {
    struct declaration *d = idl->libraries->declarations;
    while (d && strcmp(d->name, name) != 0)
        d = d->next;
    assert(d);
    return d;
}

static void a_good_library_is_computed(void) {
    struct idl idl;
    CHECK(compile(&idl, good));
    CHECK(find(&idl, "A")->value == ((1 + 2 * 3) << 1 | (0x10 & 0x18)));
    CHECK(find(&idl, "B")->value == (find(&idl, "A")->value - 14) >> 1);
    CHECK(find(&idl, "e")->members->next->value == 2);
    CHECK(find(&idl, "rights")->value == 3);
    struct declaration *outer = find(&idl, "outer");
    CHECK(find(&idl, "inner")->type->bytes == 8 && find(&idl, "inner")->type->align == 2);
    CHECK(outer->type->bytes == 32 && outer->type->align == 8 && outer->fields->next->offset == 16);
    struct call *s = find(&idl, "syscalls")->calls->next, *f = s->next;
    CHECK(s->kind == CALL_SPECIAL && s->number == 0x1001 && f->number == 0x1002 &&
          f->parameters->type->rights_mask == 3);
    CHECK(strcmp(f->documentation, "F. More.") == 0 && strcmp(first_sentence(f->documentation), "F") == 0);
    struct declaration *i = find(&idl, "i");
    CHECK(i->value == 7 && i->version == 3 && i->calls->next->number == 1 && i->calls->next->next->kind == CALL_SUBMIT);
    idl_free(&idl);
}

static char *released_of(struct idl *idl, const char *had) {
    char *text;
    size_t length;
    FILE *f = open_memstream(&text, &length);
    fputs(had, f);
    released_append(idl, f, had);
    fclose(f);
    return text;
}

// Adding is good, changing and removing is not; what was added counts.
static void releases_only_grow(void) {
    struct idl idl, next;
    CHECK(compile(&idl, good));
    char *text = released_of(&idl, "# head\n\n");
    CHECK(strstr(text, "syscall 0x1002 f = (handle<vmo, READ|WRITE>, in<") &&
          strstr(text, "operation i 2 p = submit (pages<out, 32>) -> ()"));
    CHECK(!strstr(text, "first"));
    CHECK(released_check(&idl, "r", text) == 0 && idl.errors == 0);
    CHECK(released_check(&idl, "r", "") > 20 && idl.errors == 0);
    CHECK(compile(&next, HEAD "const A : u64 = 3;"));
    CHECK(released_check(&next, "r", "# x\nconst A = 0x3\nobject vmo = 1\n") == 3 && next.errors == 0);
    CHECK(released_check(&next, "r", "const A = 0x4\n") && next.errors == 1);
    CHECK(strstr(last, "r:1:1: error: \"const A = 0x4\" was released, expected that and not \"const A = 0x3\""));
    CHECK(released_check(&next, "r", "#\nconst B = 0x3\n") && next.errors == 2);
    CHECK(strstr(last, "r:2:1: error: \"const B\" was released and is not declared any more"));
    free(text);
    idl_free(&idl);
    idl_free(&next);
}

// --- every message is reached ------------------------------------------------------------------------------------------

// The longest part of a format between directives, out of a literal of C.
static void longest_part(const char *literal, char *out) {
    size_t best = 0;
    out[0] = 0;
    while (*literal) {
        char part[256];
        size_t n = 0;
        while (*literal && *literal != '%') {
            literal += *literal == '\\';
            part[n++] = *literal++;
        }
        if (n > best) {
            memcpy(out, part, n);
            out[n] = 0;
            best = n;
        }
        literal += strcspn(literal, "scudxl");
        literal += strspn(literal, "l");
        literal += *literal != 0;
    }
}

// The literal that begins at the first quote at or behind text, pieces joined.
static void read_literal(const char *text, char *out) {
    const char *p = strchr(text, '"');
    while (p && *p == '"') {
        for (p++; *p != '"'; p++) {
            if (*p == '\\')
                *out++ = *p++;
            *out++ = *p;
        }
        p++;
        p += strspn(p, " \n");
    }
    *out = 0;
}

static unsigned check_messages_of(const char *file) {
    static char text[128 << 10], literal[1024], part[1024];
    FILE *f = fopen(file, "r");
    assert(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = 0;
    fclose(f);
    unsigned count = 0;
    for (const char *p = text; *p; p++) {
        if (strncmp(p, "idl_error(", 10) != 0 && strncmp(p, "idl_fail(", 9) != 0 &&
            strncmp(p, "fail_expected(", 14) != 0)
            continue;
        if (!strchr(p, '"') || strchr(p, '"') > strchr(p, ';'))
            continue; // the functions themselves
        read_literal(p, literal);
        longest_part(literal, part);
        count++;
        if (!strstr(messages, part)) {
            printf("FAIL no test reaches the message \"%s\" of %s\n", literal, file);
            failures++;
        }
    }
    return count;
}

int main(void) {
    bad_libraries_are_refused();
    checker_reports_all();
    too_deep_and_too_many();
    two_libraries_of_one_name();
    a_good_library_is_computed();
    releases_only_grow();
    unsigned count = check_messages_of("tools/idlc/lexer.c") + check_messages_of("tools/idlc/parser.c") +
                     check_messages_of("tools/idlc/check.c") + check_messages_of("tools/idlc/check_calls.c") +
                     check_messages_of("tools/idlc/released.c");
    CHECK(count > 60);
    printf("%u messages, %u failures\n", count, failures);
    return failures > 0;
}
