// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Memory policies of a machine with one node: set_mempolicy, get_mempolicy, mbind, set_mempolicy_home_node, migrate_pages, move_pages. Policies are checked,
// kept and told, of a thread in its linux_thread, of a mapping in its flags, where they follow splits, merges and fork; all pages are of node 0 whatever they
// say, and none ever moves. Context: system call.
#include "numa.h"
#include "memory.h"
#include "process.h"

#include <arch/usercopy.h>
#include <kernel/slab.h>

#define NODES     1    // of the machine
#define NODES_MAX 1024 // that numbers are known for

enum { MPOL_MF_STRICT = 1, MPOL_MF_MOVE = 2, MPOL_MF_MOVE_ALL = 4 };
enum { GET_NODE = 1, GET_ADDRESS = 2, GET_ALLOWED = 4 };

// --- what a caller names --------------------------------------------------------------------------------------------

struct node_set {
    uint64_t low; // nodes 0 to 63
    bool high;    // any of the others
};

// A mask of maxnode - 1 bits. EINVAL: a node beyond those that there are numbers for; EFAULT.
static int64_t nodes_get(uint64_t user, uint64_t maxnode, struct node_set *out) {
    *out = (struct node_set){0};
    if (--maxnode == 0 || user == 0)
        return 0;
    if (maxnode > PAGE_SIZE * 8)
        return -LINUX_EINVAL;
    for (uint64_t at = 0; at < maxnode; at += 64) {
        uint64_t word;
        if (arch_copy_from_user(&word, (const void user_ptr *)(user + at / 8), sizeof(word)) != INV_OK)
            return -LINUX_EFAULT;
        if (maxnode - at < 64)
            word &= (1ull << (maxnode - at)) - 1;
        if (at >= NODES_MAX && word != 0)
            return -LINUX_EINVAL;
        if (at == 0)
            out->low = word;
        else
            out->high |= word != 0;
    }
    return 0;
}

static bool nodes_empty(const struct node_set *n) {
    return n->low == 0 && !n->high;
}

// The memory that there is, among them.
static bool nodes_usable(const struct node_set *n) {
    return (n->low & 1) != 0;
}

// EFAULT, EINVAL: as much of a mask of one node as maxnode - 1 bits take, and zeros behind it.
static int64_t nodes_put(uint64_t user, uint64_t maxnode, uint64_t nodes) {
    uint64_t bytes = ALIGN_UP(maxnode - 1, 64) / 8;

    if (bytes > sizeof(nodes)) {
        if (bytes > PAGE_SIZE)
            return -LINUX_EINVAL;
        if (arch_zero_user_partial((void user_ptr *)(user + sizeof(nodes)), bytes - sizeof(nodes)) != 0)
            return -LINUX_EFAULT;
        bytes = sizeof(nodes);
    }
    return arch_copy_to_user((void user_ptr *)user, &nodes, bytes) == INV_OK ? 0 : -LINUX_EFAULT;
}

// --- policies -------------------------------------------------------------------------------------------------------

// Mode and flags come in one number.
static int64_t mode_check(uint32_t argument) {
    uint32_t mode = argument & ~MPOL_FLAGS, flags = argument & MPOL_FLAGS;

    if (mode >= MPOL_MODES)
        return -LINUX_EINVAL;
    if ((flags & MPOL_F_STATIC) && (flags & MPOL_F_RELATIVE))
        return -LINUX_EINVAL;
    return (flags & MPOL_F_BALANCING) && mode != MPOL_BIND ? -LINUX_EINVAL : 0;
}

static int64_t policy_make(uint32_t argument, const struct node_set *nodes, struct linux_mempolicy *out) {
    uint32_t flags = argument & MPOL_FLAGS;
    bool placed = (flags & (MPOL_F_STATIC | MPOL_F_RELATIVE)) != 0;

    *out = (struct linux_mempolicy){.mode = argument};
    switch (argument & ~MPOL_FLAGS) {
    case MPOL_DEFAULT: out->mode = MPOL_DEFAULT; return nodes_empty(nodes) ? 0 : -LINUX_EINVAL;
    case MPOL_LOCAL: return nodes_empty(nodes) && !placed ? 0 : -LINUX_EINVAL;
    case MPOL_PREFERRED:
        if (nodes_empty(nodes)) {
            out->mode = MPOL_LOCAL;
            return placed ? -LINUX_EINVAL : 0;
        }
        break;
    default: break;
    }
    // Relative numbers are folded onto the nodes that there are: some of them is always meant.
    bool any = flags & MPOL_F_RELATIVE ? !nodes_empty(nodes) : nodes_usable(nodes);
    out->nodes = placed ? nodes->low : 1;
    return any ? 0 : -LINUX_EINVAL;
}

// --- policies of mappings: one of these in MAPPING_POLICY, 0 is none ------------------------------------------------

static const uint32_t mapping_modes[] = {
    MPOL_DEFAULT,
    MPOL_PREFERRED,
    MPOL_PREFERRED | MPOL_F_STATIC,
    MPOL_PREFERRED | MPOL_F_RELATIVE,
    MPOL_BIND,
    MPOL_BIND | MPOL_F_STATIC,
    MPOL_BIND | MPOL_F_RELATIVE,
    MPOL_BIND | MPOL_F_BALANCING,
    MPOL_BIND | MPOL_F_BALANCING | MPOL_F_STATIC,
    MPOL_BIND | MPOL_F_BALANCING | MPOL_F_RELATIVE,
    MPOL_INTERLEAVE,
    MPOL_INTERLEAVE | MPOL_F_STATIC,
    MPOL_INTERLEAVE | MPOL_F_RELATIVE,
    MPOL_LOCAL,
    MPOL_PREFERRED_MANY,
    MPOL_PREFERRED_MANY | MPOL_F_STATIC,
    MPOL_PREFERRED_MANY | MPOL_F_RELATIVE,
};

static unsigned mapping_flags_of(uint32_t mode) {
    unsigned i = 0;

    while (mapping_modes[i] != mode)
        i++;
    return i << MAPPING_POLICY_SHIFT;
}

uint32_t linux_mapping_policy(unsigned mapping_flags) {
    return mapping_modes[(mapping_flags & MAPPING_POLICY) >> MAPPING_POLICY_SHIFT];
}

// --- set_mempolicy, get_mempolicy -----------------------------------------------------------------------------------

int64_t linux_set_mempolicy(struct arch_frame *f) {
    uint32_t mode = (uint32_t)LINUX_ARG(f, 0);
    struct linux_mempolicy fresh;
    struct node_set nodes;
    int64_t result = mode_check(mode);

    if (result == 0)
        result = nodes_get(LINUX_ARG(f, 1), LINUX_ARG(f, 2), &nodes);
    if (result == 0)
        result = policy_make(mode, &nodes, &fresh);
    if (result == 0)
        linux_current()->mempolicy = fresh;
    return result;
}

// EFAULT: nothing is mapped there.
static int64_t policy_at(vaddr_t address, struct linux_mempolicy *out) {
    struct mapping_info m;

    if (!aspace_describe(current_process()->aspace, address, &m))
        return -LINUX_EFAULT;
    mapping_info_put(&m);
    if (m.start > address)
        return -LINUX_EFAULT;
    if (m.flags & MAPPING_POLICY) {
        out->mode = linux_mapping_policy(m.flags);
        out->nodes = out->mode == MPOL_LOCAL ? 0 : 1;
    }
    return 0;
}

// The node of the page, which is brought in; or of the next page of a thread that interleaves.
static int64_t node_told(unsigned flags, vaddr_t address, const struct linux_mempolicy *p) {
    if (!(flags & GET_ADDRESS))
        return (p->mode & ~MPOL_FLAGS) == MPOL_INTERLEAVE ? 0 : -LINUX_EINVAL;
    inv_status_t s = aspace_populate(current_process()->aspace, ALIGN_DOWN(address, PAGE_SIZE), PAGE_SIZE,
                                     POPULATE_READ);
    return s == INV_OK ? 0 : s == INV_ERR_RANGE ? -LINUX_EFAULT : linux_result(s);
}

int64_t linux_get_mempolicy(struct arch_frame *f) {
    uint64_t mode_out = LINUX_ARG(f, 0), mask = LINUX_ARG(f, 1), maxnode = LINUX_ARG(f, 2), address = LINUX_ARG(f, 3);
    unsigned flags = (unsigned)LINUX_ARG(f, 4);
    struct linux_mempolicy p = linux_current()->mempolicy;
    int64_t result = 0;

    if ((mask != 0 && maxnode < NODES) || (flags & ~(unsigned)(GET_NODE | GET_ADDRESS | GET_ALLOWED)) != 0)
        return -LINUX_EINVAL;
    if (flags & GET_ALLOWED) {
        result = flags & (GET_NODE | GET_ADDRESS) ? -LINUX_EINVAL : 0;
        p = (struct linux_mempolicy){.mode = MPOL_DEFAULT, .nodes = 1};
    } else if (flags & GET_ADDRESS) {
        result = policy_at(address, &p);
    } else if (address != 0) {
        result = -LINUX_EINVAL;
    }
    if (result == 0 && (flags & GET_NODE)) {
        result = node_told(flags, address, &p);
        p.mode = 0; // the node's number
    }
    if (result != 0)
        return result;
    if (mode_out != 0 && arch_user_store32((uint32_t user_ptr *)mode_out, p.mode) != INV_OK)
        return -LINUX_EFAULT;
    return mask != 0 ? nodes_put(mask, maxnode, p.nodes) : 0;
}

// --- mbind, set_mempolicy_home_node ---------------------------------------------------------------------------------

// Is all of it mapped?
static bool whole(vaddr_t start, vaddr_t end) {
    struct mapping_info m;

    for (vaddr_t at = start; at < end; at = m.end) {
        if (!aspace_describe(current_process()->aspace, at, &m))
            return false;
        mapping_info_put(&m);
        if (m.start > at)
            return false;
    }
    return true;
}

int64_t linux_mbind(struct arch_frame *f) {
    uint64_t start = LINUX_ARG(f, 0), end = start + ALIGN_UP(LINUX_ARG(f, 1), PAGE_SIZE);
    uint32_t mode = (uint32_t)LINUX_ARG(f, 2), flags = (uint32_t)LINUX_ARG(f, 5);
    struct linux_mempolicy fresh;
    struct node_set nodes;
    int64_t result = LINUX_ARG(f, 2) > UINT32_MAX ? -LINUX_EINVAL : mode_check(mode);

    if (result == 0)
        result = nodes_get(LINUX_ARG(f, 3), LINUX_ARG(f, 4), &nodes);
    if (result != 0)
        return result;
    if (flags & ~(uint32_t)(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
        return -LINUX_EINVAL;
    if ((flags & MPOL_MF_MOVE_ALL) && !token_capable(linux_token(), CAP_SYS_NICE))
        return -LINUX_EPERM;
    if ((start & ~PAGE_MASK) || end < start)
        return -LINUX_EINVAL;
    if (end == start)
        return 0;
    result = policy_make(mode, &nodes, &fresh);
    if (result != 0)
        return result;
    if (end > ARCH_USER_END || !whole(start, end))
        return -LINUX_EFAULT;
    unsigned set = mapping_flags_of(fresh.mode);
    return linux_result(aspace_change_flags(current_process()->aspace, start, end - start, MAPPING_POLICY & ~set, set));
}

// Where memory of several nodes is to come from first: node 0 is the only one. ENOENT: no mapping has a policy.
int64_t linux_set_mempolicy_home_node(struct arch_frame *f) {
    uint64_t start = LINUX_ARG(f, 0), end = start + ALIGN_UP(LINUX_ARG(f, 1), PAGE_SIZE);
    struct mapping_info m;
    int64_t result = -LINUX_ENOENT;

    if ((start & ~PAGE_MASK) || LINUX_ARG(f, 3) != 0 || LINUX_ARG(f, 2) >= NODES || end < start)
        return -LINUX_EINVAL;
    if (end == start)
        return 0;
    for (vaddr_t at = start; at < end && aspace_describe(current_process()->aspace, at, &m); at = m.end) {
        mapping_info_put(&m);
        if (m.start >= end)
            break;
        uint32_t mode = linux_mapping_policy(m.flags) & ~MPOL_FLAGS;
        if (mode == MPOL_DEFAULT)
            continue;
        if (mode != MPOL_BIND && mode != MPOL_PREFERRED_MANY)
            return -LINUX_EOPNOTSUPP;
        result = 0;
    }
    return result;
}

// --- moving ---------------------------------------------------------------------------------------------------------

// The process of a number, 0: one's own, whose memory the caller may move. ESRCH, EPERM.
static int64_t subject(int number, struct linux_process **out) {
    *out = linux_process_of_tid(number);
    if (*out == NULL)
        return -LINUX_ESRCH;
    if (linux_may_attach(*out))
        return 0;
    linux_process_put(*out);
    return -LINUX_EPERM;
}

// All pages are where they can be: none is left behind.
int64_t linux_migrate_pages(struct arch_frame *f) {
    struct node_set from, to;
    struct linux_process *p;
    int64_t result = nodes_get(LINUX_ARG(f, 2), LINUX_ARG(f, 1), &from);

    if (result == 0)
        result = nodes_get(LINUX_ARG(f, 3), LINUX_ARG(f, 1), &to);
    if (result == 0)
        result = subject((int)LINUX_ARG(f, 0), &p);
    if (result != 0)
        return result;
    struct aspace *as = linux_process_aspace(p);
    bool beyond = to.high || (to.low & ~1ull) != 0;
    if (beyond && !token_capable(linux_token(), CAP_SYS_NICE))
        result = -LINUX_EPERM;
    else if (!nodes_usable(&to) || as == NULL)
        result = -LINUX_EINVAL;
    if (as != NULL)
        aspace_put(as);
    linux_process_put(p);
    return result;
}

struct page_look {
    vaddr_t address;
    int status;
};

static bool page_visit(const struct mapping *m, void *arg) {
    struct page_look *look = arg;
    unsigned flags;
    paddr_t pa;

    if (m->end <= look->address)
        return true;
    if (m->start > look->address)
        return false;
    if (arch_mmu_query(&m->aspace->arch, ALIGN_DOWN(look->address, PAGE_SIZE), &pa, &flags) &&
        (m->object == NULL || m->object->kind != VMO_PHYSICAL))
        look->status = 0;
    else
        look->status = m->object != NULL ? -LINUX_ENOENT : -LINUX_EFAULT;
    return false;
}

// The node of a page, or what is in the way of knowing it.
static int page_status(struct aspace *as, vaddr_t address) {
    struct page_look look = {.address = address, .status = -LINUX_EFAULT};

    aspace_for_each(as, page_visit, &look);
    return look.status;
}

// Asked to go where it is, or to no node: ENODEV ends the call.
static int64_t pages_move(struct aspace *as, const struct arch_frame *f) {
    uint64_t count = LINUX_ARG(f, 1), pages = LINUX_ARG(f, 2), nodes = LINUX_ARG(f, 3), status = LINUX_ARG(f, 4);

    for (uint64_t i = 0; i < count; i++) {
        uint64_t address;
        uint32_t node = 0;
        if (arch_copy_from_user(&address, (const void user_ptr *)(pages + i * 8), sizeof(address)) != INV_OK ||
            (nodes != 0 && arch_user_load32((const uint32_t user_ptr *)(nodes + i * 4), &node) != INV_OK))
            return -LINUX_EFAULT;
        if (node >= NODES)
            return -LINUX_ENODEV;
        if (arch_user_store32((uint32_t user_ptr *)(status + i * 4), (uint32_t)page_status(as, address)) != INV_OK)
            return -LINUX_EFAULT;
        if (thread_killed(current_thread()))
            return -LINUX_EINTR;
    }
    return 0;
}

int64_t linux_move_pages(struct arch_frame *f) {
    unsigned flags = (unsigned)LINUX_ARG(f, 5);
    struct linux_process *p;

    if (flags & ~(unsigned)(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
        return -LINUX_EINVAL;
    if ((flags & MPOL_MF_MOVE_ALL) && !token_capable(linux_token(), CAP_SYS_NICE))
        return -LINUX_EPERM;
    int64_t result = subject((int)LINUX_ARG(f, 0), &p);
    if (result != 0)
        return result;
    struct aspace *as = linux_process_aspace(p);
    result = as != NULL ? pages_move(as, f) : -LINUX_EINVAL;
    if (as != NULL)
        aspace_put(as);
    linux_process_put(p);
    return result;
}
