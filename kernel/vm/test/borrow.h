// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// For self-tests of the memory system: a kernel thread that uses an address space as a process does, so that its user
// copies fault there.
#ifndef VM_TEST_BORROW_H
#define VM_TEST_BORROW_H

#include <arch/usercopy.h>
#include <kernel/aspace.h>
#include <kernel/process.h>

struct borrow {
    struct process stand_in; // has an address space and nothing else
    struct process *own;
};

// From here to borrow_end the current thread runs in as.
static inline void borrow_begin(struct borrow *b, struct aspace *as) {
    struct thread *self = current_thread();
    irq_flags_t irq = arch_irq_save();

    *b = (struct borrow){.stand_in = {.aspace = as}, .own = self->process};
    self->process = &b->stand_in;
    aspace_switch(this_cpu()->aspace, as);
    arch_irq_restore(irq);
}

static inline void borrow_end(struct borrow *b) {
    irq_flags_t irq = arch_irq_save();

    current_thread()->process = b->own;
    aspace_switch(this_cpu()->aspace, NULL);
    arch_irq_restore(irq);
}

// One word of as, by way of a user copy. False: the address faults.
static inline bool word_read(struct aspace *as, vaddr_t va, uint32_t *out) {
    struct borrow b;
    borrow_begin(&b, as);
    inv_status_t status = arch_user_load32((const uint32_t user_ptr *)va, out);
    borrow_end(&b);
    return status == INV_OK;
}
static inline bool word_write(struct aspace *as, vaddr_t va, uint32_t value) {
    struct borrow b;
    borrow_begin(&b, as);
    inv_status_t status = arch_user_store32((uint32_t user_ptr *)va, value);
    borrow_end(&b);
    return status == INV_OK;
}
static inline bool word_is(struct aspace *as, vaddr_t va, uint32_t expected) {
    uint32_t value;
    return word_read(as, va, &value) && value == expected;
}
static inline bool word_faults(struct aspace *as, vaddr_t va) {
    uint32_t value;
    return !word_read(as, va, &value);
}

// Maps object (NULL: zeros) read-write at at, over what is there.
static inline inv_status_t map_rw(struct aspace *as, vaddr_t at, uint64_t length, struct vmo *object, unsigned flags) {
    struct map_request r = {.address = at,
                            .length = length,
                            .prot = MMU_READ | MMU_WRITE,
                            .max_prot = MMU_READ | MMU_WRITE,
                            .flags = flags,
                            .place = MAP_AT | MAP_REPLACE,
                            .object = object};
    vaddr_t where;

    return aspace_map(as, &r, &where);
}

#endif
