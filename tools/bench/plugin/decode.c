// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Recognises the few x86-64 instructions that the plugin counts or follows (Intel's manual, volume 2, appendix A: opcode maps).
#include "decode.h"

#include <string.h>

// The no-operations of bench/bench.h: nopl disp32(%rax,%rax,1) with these displacements.
enum { MARK_VALUE_BEGIN = 0x1b4d0001, MARK_VALUE_END = 0x1b4d0002 };

const char *const event_names[EVENT_COUNT] = {
    [EVENT_CR3_WRITE] = "cr3_write",
    [EVENT_INVLPG] = "invlpg",
    [EVENT_INVPCID] = "invpcid",
    [EVENT_WRMSR] = "wrmsr",
    [EVENT_HLT] = "hlt",
    [EVENT_SYSCALL] = "syscall",
    [EVENT_SYSRET] = "sysret",
    [EVENT_IRET] = "iret",
    [EVENT_SWAPGS] = "swapgs",
    [EVENT_ATOMIC] = "atomic",
    [EVENT_FPU_SAVE] = "fpu_save",
    [EVENT_FPU_LOAD] = "fpu_load",
    [EVENT_PORT] = "port",
    [EVENT_CPUID] = "cpuid",
    [EVENT_ICR_WRITE] = "icr_write",
    [EVENT_COPIED_BYTES] = "copied_bytes",
    [EVENT_FILLED_BYTES] = "filled_bytes",
    [EVENT_EXCEPTION] = "exception",
    [EVENT_INTERRUPT] = "interrupt",
};

struct cursor {
    const uint8_t *at, *end;
    uint8_t rep, repne, lock, operand16, rex;
};

static uint8_t peek(const struct cursor *c, size_t ahead) {
    return c->at + ahead < c->end ? c->at[ahead] : 0;
}

static unsigned modrm_mod(uint8_t modrm) {
    return modrm >> 6;
}

static unsigned modrm_reg(uint8_t modrm) {
    return modrm >> 3 & 7;
}

static void prefixes(struct cursor *c) {
    for (; c->at < c->end; c->at++) {
        switch (*c->at) {
        case 0xf3: c->rep = 1; break;
        case 0xf2: c->repne = 1; break;
        case 0xf0: c->lock = 1; break;
        case 0x66: c->operand16 = 1; break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
        case 0x65:
        case 0x67: break;
        default:
            if ((*c->at & 0xf0) == 0x40) {
                c->rex = *c->at++;
            }
            return;
        }
    }
}

static uint32_t bit(enum event event) {
    return 1U << event;
}

// 0f 01: a group by the whole second byte or, in memory form, by its middle field.
static void decode_0f01(uint8_t modrm, struct instruction *i) {
    if (modrm == 0xf8) {
        i->events |= bit(EVENT_SWAPGS);
    } else if (modrm == 0xf9) {
        i->rdtsc = 1; // rdtscp
    } else if (modrm_mod(modrm) != 3 && modrm_reg(modrm) == 7) {
        i->events |= bit(EVENT_INVLPG);
    }
}

// 0f ae and 0f c7, memory forms: saving and loading the extended state; cmpxchg8b is atomic by its prefix alone.
static void decode_state(uint8_t opcode, uint8_t modrm, struct instruction *i) {
    unsigned reg = modrm_reg(modrm);

    if (modrm_mod(modrm) == 3) {
        return;
    }
    if (opcode == 0xae) { // 0 fxsave, 1 fxrstor, 4 xsave, 5 xrstor, 6 xsaveopt
        i->events |= reg == 0 || reg == 4 || reg == 6 ? bit(EVENT_FPU_SAVE)
                     : reg == 1 || reg == 5           ? bit(EVENT_FPU_LOAD)
                                                      : 0;
    } else { // 3 xrstors, 4 xsavec, 5 xsaves
        i->events |= reg == 4 || reg == 5 ? bit(EVENT_FPU_SAVE) : reg == 3 ? bit(EVENT_FPU_LOAD) : 0;
    }
}

static void decode_mark(const struct cursor *c, struct instruction *i) {
    uint32_t displacement = 0;

    if (c->end - c->at != 7 || peek(c, 1) != 0x84 || peek(c, 2) != 0x00) {
        return;
    }
    memcpy(&displacement, c->at + 3, 4);
    i->mark = displacement == MARK_VALUE_BEGIN ? MARK_BEGIN : displacement == MARK_VALUE_END ? MARK_END : MARK_NONE;
}

static void decode_0f(struct cursor *c, struct instruction *i) {
    uint8_t opcode = peek(c, 0), modrm = peek(c, 1);

    switch (opcode) {
    case 0x01: decode_0f01(modrm, i); break;
    case 0x05: i->events |= bit(EVENT_SYSCALL); break;
    case 0x07:
        i->events |= bit(EVENT_SYSRET);
        i->sysret = 1;
        break;
    case 0x1f: decode_mark(c, i); break;
    case 0x22: i->events |= modrm_reg(modrm) == 3 && !(c->rex & 4) ? bit(EVENT_CR3_WRITE) : 0; break;
    case 0x30: i->events |= bit(EVENT_WRMSR); break;
    case 0x31: i->rdtsc = 1; break;
    case 0x38: i->events |= modrm == 0x82 && c->operand16 ? bit(EVENT_INVPCID) : 0; break;
    case 0xa2: i->events |= bit(EVENT_CPUID); break;
    case 0xa0: // push fs, push gs
    case 0xa8: i->stack = STACK_WRITE; break;
    case 0xa1:
    case 0xa9: i->stack = STACK_READ; break;
    case 0xae:
    case 0xc7: decode_state(opcode, modrm, i); break;
    default: break;
    }
}

// ff: 2 call, 6 push.
static void decode_ff(uint8_t modrm, struct instruction *i) {
    if (modrm_reg(modrm) == 2) {
        i->stack = STACK_CALL;
    } else if (modrm_reg(modrm) == 6) {
        i->stack = STACK_WRITE;
    }
}

static void decode_one_byte(const struct cursor *c, struct instruction *i) {
    uint8_t opcode = peek(c, 0), modrm = peek(c, 1);

    switch (opcode) {
    case 0x50 ... 0x57:
    case 0x68:
    case 0x6a:
    case 0x9c: i->stack = STACK_WRITE; break;
    case 0x58 ... 0x5f:
    case 0x9d: i->stack = STACK_READ; break;
    case 0x8f: i->stack = modrm_reg(modrm) == 0 ? STACK_READ : STACK_NONE; break;
    case 0x6c ... 0x6f:
    case 0xe4 ... 0xe7:
    case 0xec ... 0xef: i->events |= bit(EVENT_PORT); break;
    case 0x86:
    case 0x87: i->events |= modrm_mod(modrm) != 3 ? bit(EVENT_ATOMIC) : 0; break;
    case 0x89:
    case 0xc7: i->store32 = modrm_mod(modrm) != 3 && !c->operand16 && !(c->rex & 8); break;
    case 0x90: i->pause = c->rep; break;
    case 0xa4:
    case 0xa5: i->rep_copy = c->rep || c->repne; break;
    case 0xaa:
    case 0xab: i->rep_fill = c->rep || c->repne; break;
    case 0xc2:
    case 0xc3: i->stack = STACK_RETURN; break;
    case 0xcf:
        i->events |= bit(EVENT_IRET);
        i->iret = 1;
        break;
    case 0xe8: i->stack = STACK_CALL; break;
    case 0xf4:
        i->events |= bit(EVENT_HLT);
        i->hlt = 1;
        break;
    case 0xff: decode_ff(modrm, i); break;
    default: break;
    }
}

struct instruction decode(const uint8_t *bytes, size_t size) {
    struct instruction i = {0};
    struct cursor c = {.at = bytes, .end = bytes + size};

    prefixes(&c);
    if (c.lock) {
        i.events |= bit(EVENT_ATOMIC);
    }
    if (peek(&c, 0) == 0x0f) {
        c.at++;
        decode_0f(&c, &i);
    } else {
        decode_one_byte(&c, &i);
    }
    return i;
}
