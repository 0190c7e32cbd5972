// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Event counters, always on: one set in each processor's block (kernel/cpu.h), summed for /proc/invar/counters and the debugger (kernel/debug/counters.c).
// An addition is one instruction on a line of the running processor's own, without a lock: an interrupt, an NMI or a change of processor cannot cut it in two, so no event is lost.
//
//   context_switches  switches from one thread to another (not those that end at the same thread)
//   aspace_switches   loads of another address space's page table, the kernel's own included; a reload that only flushes is none
//   tlb_flush_local   invalidations executed on any processor: one a page (INVLPG), one a flush of all user entries, one a flush of all entries
//   tlb_flush_remote  invalidations asked of other processors: one a target, whatever it then has to do
//   ipis              interprocessor interrupts sent, one a target; those that start a processor are not counted
//   syscalls          system calls, native and personality, known or not
//   faults            page faults, of user mode and of the kernel's copies from and to user memory, resolved or not; no other exception
//   interrupts        interrupts taken: device, timer, interprocessor, spurious; no NMI, no exception
//   exits             what the kernel does that leaves a guest for its hypervisor (exits cannot be seen from inside): HLT when idle, every access to a
//                     register of the local APIC (end of interrupt, interrupt command, timer, ...), of the I/O APIC, HPET or a virtio device, and
//                     every I/O port instruction. Not counted: CPUID, model-specific and control registers, faults that a hypervisor takes for itself, and
//                     user mode. A processor with virtual interrupt controllers exits less often.
//   bytes_copied      bytes copied between user and kernel memory (copies and strings, not single words), by copy-on-write of pages, between kernel memory
//                     and the pages of pipes and files, and from or to another address space. Bytes that are zeroed are not copied
//   forks             processes made by fork, vfork and clone, and threads made by clone
//   execs             programs started by execve
#ifndef KERNEL_COUNTERS_H
#define KERNEL_COUNTERS_H

#include <kernel/types.h>

// clang-format off
#define COUNTER_LIST(X) \
    X(context_switches) \
    X(aspace_switches) \
    X(tlb_flush_local) \
    X(tlb_flush_remote) \
    X(ipis) \
    X(syscalls) \
    X(faults) \
    X(interrupts) \
    X(exits) \
    X(bytes_copied) \
    X(forks) \
    X(execs)
// clang-format on

struct counters {
#define COUNTER_FIELD(name) _Atomic uint64_t name; // written by its processor alone
    COUNTER_LIST(COUNTER_FIELD)
#undef COUNTER_FIELD
} aligned_to(64);

// Any context from the moment the processor's block is in place (the first instructions in C).
#define counter_add(name, n) arch_cpu_add64(offsetof(struct cpu, counters.name), (n))
// Over all processors; may be behind by what others count at this moment.
uint64_t counter_sum(size_t offset_in_counters);
#define counter_read(name) counter_sum(offsetof(struct counters, name))
// Calls fn for each counter, in the order of the list.
void counter_for_each(void (*fn)(const char *name, uint64_t value, void *arg), void *arg);

#endif
