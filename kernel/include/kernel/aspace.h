// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Address spaces (kernel/vm/aspace.c, mapping.c, fault.c): mappings of VMOs with rights; demand paging; fork. A mapping has two layers (UVM): object, the shared
// one below (a file's VMO, a shared memory VMO, or NULL: zeros), and for private mappings anon, an anonymous VMO above it that holds what was written.
#ifndef KERNEL_ASPACE_H
#define KERNEL_ASPACE_H

#include <arch/mmu.h>
#include <kernel/cpu.h>
#include <kernel/mutex.h>
#include <kernel/rbtree.h>
#include <kernel/vmo.h>

struct exception;

// Who a mapping of a file belongs to, for /proc/PID/maps and write accounting: counted, opaque to the core.
struct mapping_owner;
struct mapping_owner_ops {
    void (*get)(struct mapping_owner *o);
    void (*put)(struct mapping_owner *o); // may sleep; called without the address space's lock
};
struct mapping_owner {
    const struct mapping_owner_ops *ops;
};

#define MAPPING_SHARED (1u << 0) // writes go to object
#define MAPPING_GROWSDOWN \
    (1u << 1) // a stack: a fault up to stack_limit below grows it, at least one guard gap kept to its neighbour below
#define MAPPING_STACK        (1u << 2) // main stack (shown as [stack])
#define MAPPING_HEAP         (1u << 3) // brk (shown as [heap])
#define MAPPING_FIXED_KERNEL (1u << 4) // vDSO, vvar: not copied lazily, cannot be changed to writable; unmap allowed
#define MAPPING_DONTFORK     (1u << 5)
#define MAPPING_LOCKED       (1u << 6)
#define MAPPING_WIPEONFORK   (1u << 9)  // private: a child finds zeros
#define MAPPING_DONTDUMP     (1u << 16) // not written to a core file
#define MAPPING_LOCK_ONFAULT (1u << 10) // with MAPPING_LOCKED: not faulted in
#define MAPPING_POLICY_SHIFT 11
#define MAPPING_POLICY       (31u << MAPPING_POLICY_SHIFT) // the personality's: where its memory is to come from
#define MAPPING_NORESERVE    (1u << 8)                     // not weighed against the memory there is
#define MAPPING_POPULATE     (1u << 7)                     // fault everything in at map time

struct mapping {
    struct rb_node node; // as->lock: by start
    vaddr_t start, end;
    unsigned prot, max_prot; // MMU_READ | MMU_WRITE | MMU_EXECUTE
    unsigned flags;          // MAPPING_*
    struct vmo *object;      // counted, or NULL
    uint64_t object_offset;  // of start, page aligned
    struct vmo *anon;        // private mappings: counted, or NULL until the first write
    vaddr_t
        anon_anchor; // slot of va in anon: (va - anchor) >> PAGE_SHIFT; MAPPING_GROWSDOWN: (anchor - 1 - va) >> PAGE_SHIFT
    struct mapping_owner *owner; // counted, or NULL
    const char *label;           // static: "[vdso]", or NULL
    struct aspace *aspace;
    struct list_node vmo_node; // object's lock
    uint64_t unmap_pass;       // object's lock: last pass of vmo_unmap_range that has been here
    struct rb_node gap_node;   // as->lock: by size of the gap below
    uint64_t gap;              // bytes free below start, see mapping_gap.c
};

struct aspace {
    struct object obj;
    struct arch_aspace arch;
    struct mutex lock; // rank ASPACE
    /* lock: */
    struct rb_tree mappings;
    struct rb_tree gaps;
    unsigned mapping_count;
    uint64_t mapped_bytes, locked_bytes; // locked: in mappings with MAPPING_LOCKED
    unsigned lock_future;                // MAPPING_LOCKED, MAPPING_LOCK_ONFAULT: what new mappings get
    vaddr_t mmap_top;                    // search for free space goes down from here
    vaddr_t brk_start, brk;              // program break; kept for the personality
    uint64_t stack_limit;                // bytes a growing stack may have
    uint64_t address_limit;              // RLIMIT_AS in bytes, UINT64_MAX: none
    struct mapping *last_found;          // cache of the last lookup
    _Atomic uint32_t charged_tables;     // table pages charged to the job so far
    uint32_t id;                         // immutable: unique number for the TLB audit
    /* atomic: */
    _Atomic uint64_t resident; // pages in the table
    _Atomic uint64_t resident_peak;
    _Atomic uint64_t mapped_peak; // bytes; written under lock
    _Atomic uint32_t visitors;    // passes of vmo_unmap.c that are about to lock it
    cpuset_t active;              // processors that have it loaded (or lazily kept)
    _Atomic uint64_t flush_seq;   // shootdown (kernel/vm/shootdown.c)
    _Atomic uint64_t faults_minor, faults_major;
    /* for the personality: */
    struct {
        vaddr_t code_start, code_end, data_start, data_end, stack_start, arg_start, arg_end, env_start, env_end;
    } layout;
};
extern struct object_type aspace_type;

struct map_request {
    vaddr_t address; // hint, or exact with MAP_AT
    uint64_t length; // > 0, rounded up to pages
    unsigned prot, max_prot;
    unsigned flags;              // MAPPING_*
    unsigned place;              // MAP_AT, MAP_REPLACE
    struct vmo *object;          // or NULL; the mapping takes a pointer of its own
    uint64_t object_offset;      // page aligned
    struct mapping_owner *owner; // or NULL; counted by ops->get
    const char *label;
};
#define MAP_AT      (1u << 0) // exactly at address; EXISTS if something is there (unless MAP_REPLACE)
#define MAP_REPLACE (1u << 1) // unmaps what is in the way

#define ASPACE_MAX_MAPPINGS 65530

must_check inv_status_t aspace_create(struct job *job, struct aspace **out);
// fork: private mappings share pages copy-on-write, shared ones share the object. NO_MEMORY, QUOTA. The parent's pages become read-only (flushed everywhere before return).
must_check inv_status_t aspace_fork(struct aspace *from, struct job *job, struct aspace **out);
static inline void aspace_get(struct aspace *a) {
    object_get(&a->obj);
}
static inline void aspace_put(struct aspace *a) {
    object_put(&a->obj);
}
// INVALID (length, alignment, range), EXISTS, NO_MEMORY (no room, too many mappings, address_limit), QUOTA. *out_address is where it went.
must_check inv_status_t aspace_map(struct aspace *a, const struct map_request *r, vaddr_t *out_address);
// Holes are fine. INVALID, NO_MEMORY (a split needs a mapping more).
must_check inv_status_t aspace_unmap(struct aspace *a, vaddr_t start, uint64_t length);
// NO_MEMORY if a part is not mapped (what stands before the hole has been changed, as Linux does), ACCESS beyond max_prot.
must_check inv_status_t aspace_protect(struct aspace *a, vaddr_t start, uint64_t length, unsigned prot);
// mremap: grows or shrinks in place, or moves. FAULT: range not in one mapping; NO_MEMORY; INVALID.
#define REMAP_MAY_MOVE (1u << 0)
#define REMAP_FIXED    (1u << 1) // to exactly new_address, unmapping what is there
#define REMAP_KEEP     (1u << 2) // moves the pages, and leaves an empty mapping behind; lengths are equal
must_check inv_status_t aspace_remap(struct aspace *a, vaddr_t old, uint64_t old_length, uint64_t new_length,
                                     unsigned how, vaddr_t new_address, vaddr_t *out_address);
// Takes flags (MAPPING_*: DONTFORK, WIPEONFORK, LOCKED, LOCK_ONFAULT) from what is mapped in the range, and gives others. NO_MEMORY: a hole; what stands before it
// has been changed. Kernel's own mappings and devices are never locked.
must_check inv_status_t aspace_change_flags(struct aspace *a, vaddr_t start, uint64_t length, unsigned clear,
                                            unsigned set);
// Faults pages in. FAULT: not mapped, or not to be accessed so; RANGE: behind the end of the object; NO_MEMORY, INTERRUPTED.
enum populate { POPULATE_LOCK /* as the mapping will be used */, POPULATE_READ, POPULATE_WRITE };
must_check inv_status_t aspace_populate(struct aspace *a, vaddr_t start, uint64_t length, enum populate how);
// What is mapped at va, or first above it; false: nothing. object and owner (or NULL) are counted for the caller, who gives them back.
struct mapping_info {
    vaddr_t start, end;
    unsigned prot, max_prot, flags;
    struct vmo *object;
    uint64_t object_offset; // of start
    struct mapping_owner *owner;
};
bool aspace_describe(struct aspace *a, vaddr_t va, struct mapping_info *out);
void mapping_info_put(struct mapping_info *i); // may sleep

// madvise(DONTNEED): private pages are dropped. NO_MEMORY if a part is not mapped.
must_check inv_status_t aspace_discard(struct aspace *a, vaddr_t start, uint64_t length);
// Moves the program break; returns the new one, or the old one when it cannot (as brk does). data_limit: RLIMIT_DATA bytes.
vaddr_t aspace_set_brk(struct aspace *a, vaddr_t brk, uint64_t data_limit);
// Visits mappings in order with the lock held; fn returns false to stop.
void aspace_for_each(struct aspace *a, bool (*fn)(const struct mapping *m, void *arg), void *arg);
uint64_t mapping_resident(const struct mapping *m); // pages present (for smaps, statm); lock held
// Another process's memory (ptrace, /proc/PID/mem, cmdline): kernel buffer to or from a; *out_done bytes. FAULT.
inv_status_t aspace_access(struct aspace *a, vaddr_t address, void *buffer, size_t n, bool write, size_t *out_done);

// Calls fn with where the byte at address lies in kernel memory, up to the end of its page, if the program itself might read (write) it; it stays there until fn
// returns. fn runs under a's lock: it must neither fault nor sleep. NOT_PRESENT: it might not; NO_MEMORY, QUOTA.
must_check inv_status_t aspace_borrow(struct aspace *a, vaddr_t address, bool write, void (*fn)(void *at, void *arg),
                                      void *arg);

// Futex keys: for shared = true resolves the object and offset behind address (faulting the page in if need be); *out_object is not counted beyond the lock: the caller
// gets a pointer that it puts. For a private mapping: the address space itself. FAULT, INVALID (alignment).
must_check inv_status_t aspace_futex_key(struct aspace *a, vaddr_t address, bool shared, struct object **out_object,
                                         uint64_t *out_offset);

#define FAULT_WRITE   (1u << 0)
#define FAULT_EXECUTE (1u << 1)
#define FAULT_USER    (1u << 2) // from user mode (else a user copy)
#define FAULT_PRESENT (1u << 3) // protection, not absence
// Resolves a fault of the current address space. Interrupts on, no spin lock, may sleep. OK: retry the access. Else *out says what kind: EXCEPTION_PAGE with
// protection, EXCEPTION_BUS; NO_MEMORY: out of memory (the caller, arch, calls process_out_of_memory for user mode and retries or fails the copy).
must_check inv_status_t aspace_fault(struct aspace *a, vaddr_t address, unsigned flags, struct exception *out);
// Loads a on this processor (NULL: kernel only). From the scheduler, interrupts off; lazy for kernel threads.
void aspace_switch(struct aspace *from, struct aspace *to);
// User memory was exhausted at a fault: applies the job's policy (kernel/vm/oom.c): picks a process, kills it.
void process_out_of_memory(void);
// For work that is expected to succeed while memory can be had by that policy (fork, user copies): after NO_MEMORY. True: worth another try; *tries starts at
// 0 and bounds them. False: the work fails. Nobody is killed who is too small to make a difference. locks_held: sleeping locks of ranks before PROCESS are
// held. May sleep for some milliseconds.
bool memory_relieve(unsigned *tries, bool locks_held);

#endif
