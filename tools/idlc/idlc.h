// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The interface compiler: what its parts share. A run reads libraries (lexer.c, parser.c), resolves and checks them (check.c), and writes what is made
// of them (emit_*.c). The language: docs/interface-language.md.
//
// All memory of a run belongs to its struct idl and goes with it (idl_free). Reading stops at a library's first error of form; the checker reports all that
// it finds. A message is "FILE:LINE:COLUMN: error: what, and what was expected".
#ifndef IDLC_H
#define IDLC_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define NATIVE_BASE       0x1000u // number of the first native call
#define ARGUMENTS_MAX     6       // registers of a native call
#define RESULTS_MAX       3
#define HANDLES_MAX       8 // of a message
#define WORDS_MAX         8
#define MESSAGE_BYTES_MAX 4096u

struct position {
    const char *file;
    unsigned line, column;
};

struct expression { // a tree; op 0: number or name
    char op;        // + - * | & l (<<) r (>>)
    struct position at;
    const char *name; // NULL: number
    uint64_t number;
    struct expression *left, *right;
};

struct name { // a list of names
    const char *text, *note;
    struct position at;
    struct name *next;
};

enum type_kind {
    TYPE_INTEGER,
    TYPE_BOOL,
    TYPE_STATUS,
    TYPE_ENUM,
    TYPE_FLAGS,
    TYPE_STRUCT,
    TYPE_FIXED,  // T[N]
    TYPE_STRING, // string<N>
    TYPE_ARRAY,  // array<T, N>
    TYPE_HANDLE, // handle, handle<object, RIGHTS>
    TYPE_RAWHANDLE,
    TYPE_PAGES, // pages<direction, N>
    TYPE_IN,    // in<N>, out<N>: user memory
    TYPE_OUT,
    TYPE_NAMED, // before the checker has looked it up
};
enum direction { DIRECTION_IN, DIRECTION_OUT, DIRECTION_INOUT };

struct type {
    enum type_kind kind;
    struct position at;
    unsigned bytes;   // integers, enums, flags: 1, 2, 4, 8; structs and fixed arrays: the whole
    unsigned align;   // checked
    bool is_signed;   // integers
    const char *name; // TYPE_NAMED and what it became; handle: the object's, or NULL
    struct declaration *declaration;
    struct type *element;
    struct expression *bound_expression;
    uint64_t bound;
    struct name *rights;
    uint64_t rights_mask;
    enum direction direction;
};

struct field { // of a struct; parameter or result of a call
    const char *name, *documentation;
    struct position at;
    struct type *type;
    unsigned offset;
    struct field *next;
};

struct member { // of an enum or of flags
    const char *name, *documentation;
    struct position at;
    struct expression *expression;
    uint64_t value;
    struct member *next;
};

enum call_kind { CALL_ORDINARY, CALL_SPECIAL, CALL_RESERVED, CALL_CALL, CALL_SUBMIT };

struct call { // a system call, or an operation of an interface
    enum call_kind kind;
    const char *name, *documentation;
    struct position at;
    struct field *parameters, *results;
    struct name *errors;
    unsigned number;
    struct call *next;
};

enum declaration_kind {
    DECLARE_CONST,
    DECLARE_ENUM,
    DECLARE_FLAGS,
    DECLARE_STRUCT,
    DECLARE_OBJECT,
    DECLARE_SYSCALLS,
    DECLARE_INTERFACE
};

struct declaration {
    enum declaration_kind kind;
    const char *name, *documentation;
    struct position at;
    struct library *library;
    struct type *type;             // const, enum, flags: the integer below; struct: itself
    struct expression *expression; // const: the value; object, interface: the number
    uint64_t value;                // const; object: number; flags: all of them; interface: number
    unsigned version;              // interface
    struct member *members;
    struct field *fields;
    struct call *calls;
    enum { CHECK_NOT, CHECK_NOW, CHECK_DONE } checked;
    struct declaration *next;
};

struct library {
    const char *name, *documentation, *file;
    struct name *uses;
    struct declaration *declarations;
    struct library *next;
};

struct idl {
    struct library *libraries;
    unsigned errors;
    void (*report)(void *context, const char *line); // NULL: standard error
    void *report_context;
    jmp_buf *give_up;
    struct arena_block *arena;
};

// --- idl.c
void idl_free(struct idl *idl);
void *idl_alloc(struct idl *idl, size_t size); // zeroed
char *idl_format(struct idl *idl, const char *format, ...) __attribute__((format(printf, 2, 3)));
void idl_error(struct idl *idl, struct position at, const char *format, ...) __attribute__((format(printf, 3, 4)));
_Noreturn void idl_fail(struct idl *idl, struct position at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// The number and text of a status by its name without INV_ERR_; false: there is none.
bool status_find(const char *name, int *out_number, const char **out_text);

// --- parser.c
// Reads one library and puts it behind the others; false: errors were reported.
bool idl_parse(struct idl *idl, const char *file, const char *text, size_t length);

// --- check_calls.c
// Errors are found in the order of these classes.
enum error_class {
    ERROR_CLASS_HANDLE,
    ERROR_CLASS_TYPE,
    ERROR_CLASS_RIGHTS,
    ERROR_CLASS_ARGUMENT,
    ERROR_CLASS_STATE,
    ERROR_CLASS_MEMORY
};
enum error_class error_class(const char *status_name);

// --- check.c
// Resolves and checks all libraries. False: errors were reported.
bool idl_check(struct idl *idl);

#endif
