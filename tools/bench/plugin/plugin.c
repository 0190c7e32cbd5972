// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A QEMU plugin that counts the guest's instructions and events between the marks of bench/bench.h, by processor, and, when asked, by function and stack.
// It works under -icount and with several processors at once.
//
//     -plugin build/bench/plugin.so,out=FILE[,map=FILE][,profile=FILE][,clock=on]
//
// out:     where the windows are written when the machine ends (count.h)
// map:     address ranges of the guest that mean something (block.h)
// profile: where the stacks are written (stacks.h); one processor
// clock:   counts only between the first and second, third and fourth ... reading of the clock within the marks
#include "block.h"
#include "count.h"
#include "decode.h"
#include "qemu_api.h"
#include "stacks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The local APIC's interrupt command register.
enum { APIC_ICR_OFFSET = 0x300, PAGE_MASK = 0xfff, INSTRUCTION_MAX = 15 };
#define APIC_ICR_ADDRESS 0xfee00300ULL

int qemu_plugin_version = QEMU_API_VERSION;

static struct {
    const char *out, *map, *profile;
    bool clock;
} options;

// --- callbacks while the guest runs -----------------------------------------------------------------------------------

static void on_block(unsigned processor, void *block) {
    count_block(processor, block);
}

static void on_events(unsigned processor, void *events) {
    for (unsigned left = (unsigned)(uintptr_t)events; left != 0; left &= left - 1) {
        count_event(processor, (enum event)__builtin_ctz(left), 1);
    }
}

static void on_mark_begin(unsigned processor, void *site) {
    count_mark(processor, site, MARK_BEGIN);
}

static void on_mark_end(unsigned processor, void *site) {
    count_mark(processor, site, MARK_END);
}

static void on_clock(unsigned processor, void *site) {
    count_clock(processor, site);
}

// Memory callbacks get the address of their instruction's last byte and look whether the processor is there: QEMU 7.2 leaves an instruction's callbacks in
// force behind it, for what helper functions read and write (saving floating point, delivering an interrupt).
static bool is_stray(unsigned processor, void *last_byte) {
    return !count_is_current(processor, (uint64_t)(uintptr_t)last_byte);
}

static void on_copy(unsigned processor, qemu_plugin_meminfo_t info, uint64_t vaddr, void *last_byte) {
    (void)vaddr;
    if (qemu_plugin_mem_is_store(info) && !is_stray(processor, last_byte)) {
        count_event(processor, EVENT_COPIED_BYTES, 1ULL << qemu_plugin_mem_size_shift(info));
    }
}

static void on_fill(unsigned processor, qemu_plugin_meminfo_t info, uint64_t vaddr, void *last_byte) {
    (void)vaddr;
    if (qemu_plugin_mem_is_store(info) && !is_stray(processor, last_byte)) {
        count_event(processor, EVENT_FILLED_BYTES, 1ULL << qemu_plugin_mem_size_shift(info));
    }
}

static void on_store(unsigned processor, qemu_plugin_meminfo_t info, uint64_t vaddr, void *unused) {
    (void)unused;
    if ((vaddr & PAGE_MASK) != APIC_ICR_OFFSET || !qemu_plugin_mem_is_store(info)) {
        return;
    }
    struct qemu_plugin_hwaddr *address = qemu_plugin_get_hwaddr(info, vaddr);
    if (address != NULL && qemu_plugin_hwaddr_is_io(address) &&
        qemu_plugin_hwaddr_phys_addr(address) == APIC_ICR_ADDRESS) {
        count_event(processor, EVENT_ICR_WRITE, 1);
    }
}

// A call ends its block; the store is that of the return address, not the load where a call through memory finds its target.
static void on_call(unsigned processor, qemu_plugin_meminfo_t info, uint64_t vaddr, void *last_byte) {
    if (qemu_plugin_mem_is_store(info) && !is_stray(processor, last_byte)) {
        stacks_call(vaddr, (uint64_t)(uintptr_t)last_byte + 1);
    }
}

static void on_return(unsigned processor, qemu_plugin_meminfo_t info, uint64_t vaddr, void *last_byte) {
    if (!qemu_plugin_mem_is_store(info) && !is_stray(processor, last_byte)) {
        stacks_return(vaddr);
    }
}

static void on_push(unsigned processor, qemu_plugin_meminfo_t info, uint64_t vaddr, void *last_byte) {
    if (qemu_plugin_mem_is_store(info) && !is_stray(processor, last_byte)) {
        stacks_touch(vaddr);
    }
}

static void on_pop(unsigned processor, qemu_plugin_meminfo_t info, uint64_t vaddr, void *last_byte) {
    if (!qemu_plugin_mem_is_store(info) && !is_stray(processor, last_byte)) {
        stacks_touch(vaddr);
    }
}

// For instructions whose helper functions use memory: takes the place of what a former instruction left behind.
static void on_helper(unsigned processor, qemu_plugin_meminfo_t info, uint64_t vaddr, void *unused) {
    (void)processor, (void)info, (void)vaddr, (void)unused;
}

// --- translation ------------------------------------------------------------------------------------------------------

static uint64_t tb_hash(const struct qemu_plugin_tb *tb, size_t n) {
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const uint8_t *bytes = qemu_plugin_insn_data(insn);
        for (size_t j = 0; j < qemu_plugin_insn_size(insn); j++) {
            hash = (hash ^ bytes[j]) * 0x100000001b3ULL;
        }
    }
    return hash;
}

// Whether an instruction whose bytes were fetched up to here may be one that crosses into the next page.
static bool is_at_page_end(uint64_t end) {
    return (end & PAGE_MASK) == 0 || (end & PAGE_MASK) > PAGE_MASK - INSTRUCTION_MAX;
}

// The first time that a block is seen.
static void block_fill(struct block *b, const struct qemu_plugin_tb *tb) {
    for (uint32_t i = 0; i < b->n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        struct instruction decoded = decode(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));
        b->offset[i] = (uint16_t)(qemu_plugin_insn_vaddr(insn) - b->start);
        b->end = qemu_plugin_insn_vaddr(insn) + qemu_plugin_insn_size(insn);
        b->pause |= decoded.pause;
        b->hlt |= decoded.hlt;
        b->iret |= decoded.iret;
        b->sysret |= decoded.sysret;
        b->cut = i > 0 && !decoded.rep_copy && !decoded.rep_fill && is_at_page_end(b->end);
        if (b->sites == NULL && (decoded.mark != MARK_NONE || decoded.rdtsc)) {
            b->sites = calloc(b->n, sizeof(*b->sites));
        }
    }
    for (uint32_t i = 0; b->sites != NULL && i < b->n; i++) {
        b->sites[i] = (struct site){.block = b, .index = i};
    }
}

// Only the order of registration decides the order of callbacks: a block's own comes before those of its instructions.
static void sites_watch(struct qemu_plugin_insn *insn, const struct instruction *decoded, const struct block *b,
                        uint32_t i) {
    if (b->sites == NULL) {
        return;
    }
    if (decoded->mark == MARK_BEGIN) {
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark_begin, QEMU_CB_NO_REGS, &b->sites[i]);
    } else if (decoded->mark == MARK_END) {
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark_end, QEMU_CB_NO_REGS, &b->sites[i]);
    } else if (decoded->rdtsc && range_find(b->start + b->offset[i]) == RANGE_CLOCK) {
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_clock, QEMU_CB_NO_REGS, &b->sites[i]);
    }
}

// For reads and writes, always: QEMU 7.2 takes the one for the other when asked for one only. The callbacks ask what it was.
static void memory_watch(struct qemu_plugin_insn *insn, qemu_mem_cb *callback) {
    uint64_t last_byte = qemu_plugin_insn_vaddr(insn) + qemu_plugin_insn_size(insn) - 1;

    qemu_plugin_register_vcpu_mem_cb(insn, callback, QEMU_CB_NO_REGS, QEMU_MEM_R | QEMU_MEM_W,
                                     (void *)(uintptr_t)last_byte);
}

static void events_watch(struct qemu_plugin_insn *insn, const struct instruction *decoded, bool kernel) {
    if (decoded->events != 0) {
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_events, QEMU_CB_NO_REGS, (void *)(uintptr_t)decoded->events);
    }
    if (decoded->rep_copy || decoded->rep_fill) {
        memory_watch(insn, decoded->rep_copy ? on_copy : on_fill);
    }
    if (decoded->store32 && kernel) {
        memory_watch(insn, on_store);
    }
}

// User code's pushes say nothing that its calls do not; the kernel's tell which thread's stack is in use.
static void stack_watch(struct qemu_plugin_insn *insn, const struct instruction *decoded, bool kernel) {
    uint32_t helped = 1U << EVENT_FPU_SAVE | 1U << EVENT_FPU_LOAD | 1U << EVENT_IRET;

    if (decoded->stack == STACK_CALL) {
        memory_watch(insn, on_call);
    } else if (decoded->stack == STACK_RETURN) {
        memory_watch(insn, on_return);
    } else if (decoded->stack == STACK_WRITE && kernel) {
        memory_watch(insn, on_push);
    } else if (decoded->stack == STACK_READ && kernel) {
        memory_watch(insn, on_pop);
    } else if (decoded->events & helped) {
        memory_watch(insn, on_helper);
    }
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    size_t n = qemu_plugin_tb_n_insns(tb);
    bool new;

    (void)id;
    block_lock();
    struct block *b = block_get(qemu_plugin_tb_vaddr(tb), (uint32_t)n, tb_hash(tb, n), &new);
    if (b != NULL && new) {
        block_fill(b, tb);
    }
    block_unlock();
    if (b == NULL) {
        fprintf(stderr, "bench plugin: no memory for a block\n");
        exit(1);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_CB_NO_REGS, b);
    for (uint32_t i = 0; i < b->n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        struct instruction decoded = decode(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));
        sites_watch(insn, &decoded, b, i);
        events_watch(insn, &decoded, b->kernel);
        if (options.profile != NULL) {
            stack_watch(insn, &decoded, b->kernel);
        }
    }
}

// --- start and end ----------------------------------------------------------------------------------------------------

static void file_write(const char *path, void (*write)(FILE *file)) {
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        fprintf(stderr, "bench plugin: %s: %s\n", path, strerror(errno));
        return;
    }
    write(file);
    if (fclose(file) != 0) {
        fprintf(stderr, "bench plugin: %s: %s\n", path, strerror(errno));
    }
}

static void on_exit_of_machine(qemu_plugin_id_t id, void *unused) {
    (void)id, (void)unused;
    file_write(options.out, count_write);
    if (options.profile != NULL) {
        file_write(options.profile, stacks_write);
    }
}

// The text behind "name=" in an argument, or NULL.
static const char *value_of(const char *argument, const char *name) {
    size_t length = strlen(name);

    return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1 : NULL;
}

static bool option_read(const char *argument) {
    const char *value;

    if ((value = value_of(argument, "out")) != NULL) {
        options.out = value;
    } else if ((value = value_of(argument, "map")) != NULL) {
        options.map = value;
    } else if ((value = value_of(argument, "profile")) != NULL) {
        options.profile = value;
    } else if ((value = value_of(argument, "clock")) != NULL) {
        options.clock = strcmp(value, "on") == 0;
    } else {
        fprintf(stderr, "bench plugin: no such option: %s\n", argument);
        return false;
    }
    return true;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        if (!option_read(argv[i])) {
            return -1;
        }
    }
    if (options.out == NULL || strcmp(info->target_name, "x86_64") != 0 || !info->system_emulation) {
        fprintf(stderr, "bench plugin: out=FILE is needed, and a whole x86_64 machine\n");
        return -1;
    }
    if (info->system.max_vcpus > PROCESSORS_MAX || (options.profile != NULL && info->system.max_vcpus > 1)) {
        fprintf(stderr, "bench plugin: too many processors: %d; a profile is of one\n", info->system.max_vcpus);
        return -1;
    }
    if (options.map != NULL && !ranges_read(options.map)) {
        return -1;
    }
    count_start(options.profile != NULL, options.clock);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_of_machine, NULL);
    return 0;
}
