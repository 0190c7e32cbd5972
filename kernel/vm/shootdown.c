// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Which address space each processor has loaded, and how stale translations are removed from all of them. aspace_switch
// is called by the scheduler with interrupts off; the flushes by kernel/vm in thread context with interrupts on.
//
// A processor keeps its bit in an address space's set when it goes on to another one: most often it comes back, and then finds the bit set, without an
// atomic operation or a fence. The first flush that reaches it with another table loaded clears the bit; a lazy processor is a case of it.
// A processor that goes on to a kernel thread keeps the table it has (lazily): most often it returns to the same
// process. The first flush that reaches it in that state makes it load the kernel's own table instead, so that an idle
// processor is interrupted once and not for every flush.
//
// A flush carries a sequence number of its address space. A processor that has done all flushes before it invalidates
// just the pages of this one; another that is behind, or a flush of many pages, flushes all user translations.
//
//     remover (as->lock held)                  processor that loads as (interrupts off)
//     (1) changes the entries                  (A) sets its bit in as->active
//     (2) as->flush_seq++       (full fence)   (B) reads as->flush_seq
//     (3) reads as->active                     (C) loads the table: no older translation is left
//     (4) interrupts each of them, waits       (D) publishes (id, sequence)
//
// (A) is an atomic operation and a full fence if the bit was clear, and nothing if it was set.
// Bit clear before: either (3) sees the bit of (A), or (A) and so (C) come after (1), and the loader never sees the old entries.
// Bit set before: it was set by an earlier (A0) of the same processor and not cleared since, as the processor alone changes its bit, in (A0) and in the
// handler of (4), with interrupts off. If (3) sees it, the processor is interrupted: before (B), then another table was loaded, the handler cleared the bit,
// and this is not the case at hand; or after (D), then the handler flushes what (C) loaded. If (3) does not see it, (3) comes before (A0), and
// what holds for (A0) holds for all that comes after it: (C) comes after (1).
// (B) may read an old number without the fence: then more is flushed than was needed. It never reads one whose (1) (C) could miss: (2) releases, (B)
// acquires, and (C) drops every translation.
//
// Invariants:
//  I1. A processor whose loaded table is that of as has its bit in as->active. It alone changes the bit, with interrupts
//      off, and clears it only while another table is loaded.
//  I2. After tlb_flush returns, no processor has a translation that was removed before it was called.
//  I3. A processor's tlb_done tells the address space that is loaded and a number: all its flushes up to that one were
//      done there. The audit of a debug build stands on this alone, not on as->active: a page remembers the address
//      space and the flush that its last unmap needs, and is not handed out while any processor has that address space
//      loaded with an older number. Both records are single words: a page may be unmapped from two address spaces at a
//      time, and who looks may be preempted while a processor goes to another address space and back.
// Locking: as->lock orders the flushes of one address space. The rest is atomic, or the processor's own with interrupts
// off.

#include "page_buddy.h"
#include "shootdown.h"

#include <arch/ipi.h>
#include <kernel/aspace_fast.h>
#include <kernel/assert.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/sched.h>
#include <kernel/trace.h>

#define SINGLE_PAGES_MAX 32 // more are cheaper by a full flush

struct flush_request {
    struct aspace *as;
    vaddr_t start, end;
    uint64_t sequence;
};

#ifdef CONFIG_DEBUG
// A flush of an address space in one word (the low half of its number), so that both are always seen together.
static uint64_t flush_word(uint32_t id, uint64_t sequence) {
    return (uint64_t)id << 32 | (uint32_t)sequence;
}
#endif

// Loads the kernel's table on this processor instead of that of its address space, if any. Interrupts off.
static void cpu_unload(struct cpu *c) {
    struct aspace *from = c->aspace;

    arch_mmu_load(NULL);
    counter_add(aspace_switches, 1);
    c->aspace = NULL;
    tlb_publish(c, 0);
    if (from)
        cpuset_remove(&from->active, c->arch.id);
}

void aspace_switch(struct aspace *from, struct aspace *to) {
    struct cpu *c = this_cpu();

    (void)from;
    DEBUG_ASSERT(!arch_irq_enabled());
    c->aspace_lazy = to == NULL;
    if (!to || c->aspace == to)
        return;
    if (unlikely(!cpuset_has(&to->active, c->arch.id))) {
        cpuset_add(&to->active, c->arch.id);
        atomic_thread_fence(memory_order_seq_cst);
    }
    aspace_load(c, to);
}

// Interrupts off.
static void flush_here(const struct flush_request *r) {
    struct cpu *c = this_cpu();

    if (c->aspace != r->as) { // it loaded another table meanwhile, and so has nothing stale
        if (cpuset_has(&r->as->active, c->arch.id))
            cpuset_remove(&r->as->active, c->arch.id);
        return;
    }
    if (c->aspace_lazy) {
        cpu_unload(c);
        return;
    }
    uint64_t done = c->tlb_flush_seq;
    if (done >= r->sequence)
        return;
    if (done + 1 == r->sequence && r->end - r->start <= SINGLE_PAGES_MAX * PAGE_SIZE) {
        for (vaddr_t va = r->start; va < r->end; va += PAGE_SIZE)
            arch_tlb_flush_page(va);
        tlb_publish(c, r->sequence);
        return;
    }
    done = atomic_load_explicit(&r->as->flush_seq, memory_order_acquire);
    arch_tlb_flush_user();
    tlb_publish(c, done);
}

static void flush_call(void *request) {
    flush_here(request);
}

// The other processors in as->active, and how many they are. Preemption disabled.
static unsigned others_active(struct aspace *as, cpuset_t *out) {
    for (unsigned i = 0; i < ARRAY_SIZE(out->bits); i++) {
        uint64_t bits = atomic_load_explicit(&as->active.bits[i], memory_order_seq_cst);
        if (arch_cpu_id() / 64 == i)
            bits &= ~(1ull << (arch_cpu_id() % 64));
        atomic_store_explicit(&out->bits[i], bits, memory_order_relaxed);
    }
    return cpuset_count(out);
}

#ifdef CONFIG_DEBUG
static void audit(uint64_t needed, const char *when) {
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        uint64_t done = atomic_load_explicit(&cpus[cpu].tlb_done, memory_order_acquire);
        if (done >> 32 == needed >> 32 && (int32_t)((uint32_t)done - (uint32_t)needed) < 0)
            panic("TLB audit at %s: processor %u did %u of %u flushes of address space %u", when, cpu, (uint32_t)done,
                  (uint32_t)needed, (uint32_t)(needed >> 32));
    }
}

static void audit_flush(const struct aspace *as, uint64_t sequence) {
    audit(flush_word(as->id, sequence), "the end of a flush");
}

// Others may unmap the same page from their address spaces meanwhile; the last one is remembered.
void tlb_audit_unmap(struct aspace *as, paddr_t pa) {
    struct page *p = page_from_phys(pa);
    uint64_t sequence = atomic_load_explicit(&as->flush_seq, memory_order_relaxed) + 1;

    if (p)
        atomic_store_explicit(&p->unmap_flush, flush_word(as->id, sequence), memory_order_relaxed);
}

void tlb_audit_reuse(const struct page *p) {
    uint64_t needed = atomic_load_explicit(&p->unmap_flush, memory_order_relaxed);

    if (needed != 0)
        audit(needed, "reuse of a page");
}
#else
static inline void audit_flush(const struct aspace *as, uint64_t sequence) {}
#endif

void tlb_flush(struct tlb_batch *b) {
    struct aspace *as = b->as;

    if (b->entries == 0)
        return;
    DEBUG_ASSERT(arch_irq_enabled());
    preempt_disable();
    struct flush_request r = {.as = as, .start = b->start, .end = b->end};
    r.sequence = atomic_fetch_add_explicit(&as->flush_seq, 1, memory_order_seq_cst) + 1;
    trace(tlb_shootdown, as, r.start, b->entries);
    irq_flags_t irq = arch_irq_save();
    flush_here(&r);
    arch_irq_restore(irq);
    cpuset_t mask;
    unsigned others = others_active(as, &mask);
    if (others > 0) {
        counter_add(tlb_flush_remote, others);
        cpu_call(&mask, flush_call, &r);
    }
    audit_flush(as, r.sequence);
    preempt_enable();
    tlb_begin(b, as);
}

static void flush_all_call(void *unused) {
    struct cpu *c = this_cpu();
    uint64_t done = c->aspace ? atomic_load_explicit(&c->aspace->flush_seq, memory_order_acquire) : 0;

    (void)unused;
    arch_tlb_flush_all();
    tlb_publish(c, done);
}

void tlb_flush_kernel(void) {
    preempt_disable();
    irq_flags_t irq = arch_irq_save();
    flush_all_call(NULL);
    arch_irq_restore(irq);
    if (cpu_count > 1) {
        counter_add(tlb_flush_remote, cpuset_count(&cpu_online) - 1);
        cpu_call(NULL, flush_all_call, NULL);
    }
    preempt_enable();
}

static void drop_call(void *aspace) {
    struct cpu *c = this_cpu();

    if (c->aspace == aspace)
        cpu_unload(c);
}

void tlb_drop_aspace(struct aspace *as) {
    cpuset_t mask;

    preempt_disable();
    irq_flags_t irq = arch_irq_save();
    drop_call(as);
    arch_irq_restore(irq);
    unsigned others = others_active(as, &mask);
    if (others > 0) {
        counter_add(tlb_flush_remote, others);
        cpu_call(&mask, drop_call, as);
    }
    preempt_enable();
}
