// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the plugin wants to know of one x86-64 instruction. Called by the translation callback.
#ifndef DECODE_H
#define DECODE_H

#include <stddef.h>
#include <stdint.h>

// What is counted beside instructions. Those up to EVENT_BY_EXECUTION count executions of an instruction.
enum event {
    EVENT_CR3_WRITE,
    EVENT_INVLPG,
    EVENT_INVPCID,
    EVENT_WRMSR,
    EVENT_HLT,
    EVENT_SYSCALL,
    EVENT_SYSRET,
    EVENT_IRET,
    EVENT_SWAPGS,
    EVENT_ATOMIC,   // lock prefix, or exchange with memory
    EVENT_FPU_SAVE, // fxsave, xsave and its kin
    EVENT_FPU_LOAD,
    EVENT_PORT,  // in, out and their string forms
    EVENT_CPUID, // an exit when virtualised, as is a port
    EVENT_BY_EXECUTION,
    EVENT_ICR_WRITE = EVENT_BY_EXECUTION, // interprocessor interrupts sent through the local APIC's page
    EVENT_COPIED_BYTES,                   // by rep movs
    EVENT_FILLED_BYTES,                   // by rep stos
    EVENT_EXCEPTION,                      // entries to the kernel, by the list of entries
    EVENT_INTERRUPT,
    EVENT_COUNT,
};

extern const char *const event_names[EVENT_COUNT];

enum stack_use {
    STACK_NONE,
    STACK_CALL,
    STACK_RETURN,
    STACK_WRITE, // push
    STACK_READ,  // pop
};

enum mark { MARK_NONE, MARK_BEGIN, MARK_END };

struct instruction {
    uint32_t events; // bit per enum event
    enum stack_use stack;
    enum mark mark;
    uint8_t pause, hlt, iret, sysret, rdtsc; // 1: it is one
    uint8_t rep_copy, rep_fill;
    uint8_t store32; // writes 32 bits to memory, in the forms that write device registers
};

// Bytes that are no instruction known here give all zeros.
struct instruction decode(const uint8_t *bytes, size_t size);

#endif
