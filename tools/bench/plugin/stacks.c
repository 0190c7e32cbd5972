// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Shadow stacks, the tree of stacks, and the counts by stack and block (see stacks.h). Called by the callbacks of the one processor.
//
// Memory that cannot be had ends the machine: a profile with holes would lie.
#include "stacks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_SHIFT = 12, STACK_PAGES = 4, DEPTH_MAX = 4096, TABLE_FIRST = 1 << 12 };

// Linux enters over small stacks in this range before it goes to the thread's own; they are no thread's.
#define ENTRY_AREA_START 0xfffffe0000000000ULL
#define ENTRY_AREA_END   0xffffff0000000000ULL

// --- the tree of stacks -----------------------------------------------------------------------------------------------

struct node {
    uint64_t address;
    uint32_t parent;
    char kind;
};

static struct node *nodes;
static uint32_t node_count, node_capacity;

// Open hashing from a key of two words to a number; empty slots have value 0.
struct slot {
    uint64_t a, b;
    int64_t value;
    const struct block *block;
};

struct table {
    struct slot *slots;
    size_t capacity, used;
};

static struct table node_table, count_table, page_table;

static void *checked(void *p) {
    if (p == NULL) {
        fprintf(stderr, "bench plugin: no memory for the profile\n");
        exit(1);
    }
    return p;
}

static void *allocate(size_t count, size_t size) {
    return checked(calloc(count, size));
}

static size_t slot_hash(uint64_t a, uint64_t b) {
    uint64_t h = (a + 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL ^ (b + 1) * 0x94d049bb133111ebULL;
    return (size_t)(h ^ h >> 29);
}

// The slot of a key, made when it is not there: its keys are set and its value is 0 then. A key with a = b = 0 is none.
static struct slot *table_slot(struct table *t, uint64_t a, uint64_t b) {
    if (t->used * 2 >= t->capacity) {
        struct table grown = {.capacity = t->capacity ? t->capacity * 2 : TABLE_FIRST};
        grown.slots = allocate(grown.capacity, sizeof(*grown.slots));
        for (size_t i = 0; i < t->capacity; i++) {
            if (t->slots[i].a != 0 || t->slots[i].b != 0) {
                *table_slot(&grown, t->slots[i].a, t->slots[i].b) = t->slots[i];
            }
        }
        free(t->slots);
        *t = grown;
    }
    for (size_t i = slot_hash(a, b);; i++) {
        struct slot *s = &t->slots[i & (t->capacity - 1)];
        if (s->a == a && s->b == b) {
            return s;
        }
        if (s->a == 0 && s->b == 0) {
            t->used++;
            s->a = a;
            s->b = b;
            return s;
        }
    }
}

static stack_id node_get(stack_id parent, char kind, uint64_t address) {
    struct slot *s = table_slot(&node_table, address, (uint64_t)parent << 8 | (uint8_t)kind);

    if (s->value == 0) {
        if (node_count + 1 >= node_capacity) {
            node_capacity = node_capacity ? node_capacity * 2 : TABLE_FIRST;
            nodes = checked(realloc(nodes, node_capacity * sizeof(*nodes)));
        }
        nodes[++node_count] = (struct node){.address = address, .parent = parent, .kind = kind};
        s->value = node_count;
    }
    return (stack_id)s->value;
}

// --- shadow stacks ----------------------------------------------------------------------------------------------------

struct frame {
    uint64_t at; // the address of the return address, or of the first word that an entry pushed
    stack_id node;
    bool entry;
};

struct shadow {
    stack_id root;
    uint32_t depth, capacity;
    struct frame *frames;
};

struct region {
    unsigned pages;
    struct shadow kernel, user;
};

static struct region *region; // of the thread that runs, or of the interrupt stack
static uint64_t region_page;  // the page that was touched last
static struct shadow none;    // before the first kernel stack is known
static struct shadow *shadow = &none;
static bool fresh;          // an entry was made and nothing was called since: the stack may yet be changed
static stack_id entry_node; // of an entry from the kernel itself whose first push is awaited; 0: none

static stack_id shadow_node(const struct shadow *s) {
    return s->depth > 0 ? s->frames[s->depth - 1].node : s->root;
}

static void shadow_drop(struct shadow *s, uint64_t address) {
    while (s->depth > 0 && s->frames[s->depth - 1].at <= address) {
        s->depth--;
    }
}

static void shadow_push(struct shadow *s, uint64_t address, stack_id node, bool entry) {
    if (s->depth == DEPTH_MAX) {
        return;
    }
    if (s->depth == s->capacity) {
        struct frame *more = allocate(s->capacity ? s->capacity * 2 : 64, sizeof(*more));
        if (s->depth > 0) {
            memcpy(more, s->frames, s->depth * sizeof(*more));
        }
        free(s->frames);
        s->frames = more;
        s->capacity = s->capacity ? s->capacity * 2 : 64;
    }
    s->frames[s->depth++] = (struct frame){.at = address, .node = node, .entry = entry};
}

static void shadow_reset(struct shadow *s, stack_id root) {
    s->depth = 0;
    s->root = root;
}

// The stack that a page belongs to. Stacks have STACK_PAGES pages and an unmapped one below, and grow downward: a page below a known one is of the same.
static struct region *region_of(uint64_t page) {
    struct slot *s = table_slot(&page_table, page, 0);

    if (s->value == 0) {
        struct region *above = (struct region *)(intptr_t)table_slot(&page_table, page + 1, 0)->value;
        if (above == NULL || above->pages == STACK_PAGES) {
            above = allocate(1, sizeof(*above));
        }
        above->pages++;
        s = table_slot(&page_table, page, 0);
        s->value = (int64_t)(intptr_t)above;
    }
    return (struct region *)(intptr_t)s->value;
}

// A kernel stack was used at this address: it is the current one from now on.
static void kernel_stack_used(uint64_t address) {
    uint64_t page = address >> PAGE_SHIFT;

    if (page == region_page || (address >= ENTRY_AREA_START && address < ENTRY_AREA_END)) {
        return;
    }
    struct region *r = region_of(page);
    region_page = page;
    if (r == region) {
        return;
    }
    if (fresh) { // the entry goes on here
        shadow_reset(&r->kernel, shadow_node(shadow));
    }
    region = r;
    shadow = &r->kernel;
}

static void stack_used(uint64_t address) {
    if ((int64_t)address >= 0) {
        return;
    }
    kernel_stack_used(address);
    if (entry_node != 0) {
        shadow_drop(shadow, address);
        shadow_push(shadow, address, entry_node, true);
        entry_node = 0;
    }
}

void stacks_touch(uint64_t address) {
    stack_used(address);
}

void stacks_call(uint64_t address, uint64_t return_address) {
    stack_used(address);
    fresh = false;
    shadow_drop(shadow, address);
    shadow_push(shadow, address, node_get(shadow_node(shadow), 'c', return_address), false);
}

void stacks_return(uint64_t address) {
    stack_used(address);
    fresh = false;
    shadow_drop(shadow, address);
}

// --- entries and ways back --------------------------------------------------------------------------------------------

static void enter_from_user(const struct block *b) {
    shadow = region != NULL ? &region->kernel : &none;
    shadow_reset(shadow, node_get(0, 'e', b->start));
    fresh = true;
    entry_node = 0;
}

static void enter_from_kernel(const struct block *last, const struct block *b) {
    stack_id below = b->kind == RANGE_INTERRUPT ? 0 : node_get(shadow_node(shadow), 'b', last->start);

    entry_node = node_get(below, 'e', b->start);
    fresh = true;
}

// A return from an entry that came from the kernel: everything down to it is over.
static void leave_to_kernel(void) {
    uint32_t depth = shadow->depth;

    while (depth > 0 && !shadow->frames[depth - 1].entry) {
        depth--;
    }
    if (depth > 0) {
        shadow->depth = depth - 1;
    }
    fresh = false;
}

static void leave_to_user(void) {
    shadow = region != NULL ? &region->user : &none;
    shadow->root = node_get(0, 'u', 0);
    fresh = false;
}

static bool is_entry(const struct block *b) {
    return b->kind == RANGE_EXCEPTION || b->kind == RANGE_INTERRUPT;
}

stack_id stacks_block(const struct block *last, const struct block *b) {
    bool was_kernel = last != NULL && last->kernel;

    if (!b->kernel) {
        if (was_kernel || last == NULL) {
            leave_to_user();
        }
        if (b->kind == RANGE_PROGRAM) {
            shadow->depth = 0; // the stack of the program before is gone
        }
    } else if (!was_kernel ||
               (is_entry(b) && (last->iret || last->sysret))) { // from user code, though it may not have done anything
        enter_from_user(b);
    } else if (is_entry(b)) {
        if (last->kind != b->kind || last->end != b->start) { // not the way on through the entry's own code
            enter_from_kernel(last, b);
        }
    } else if (last->iret) {
        leave_to_kernel();
    }
    if (b->kind == RANGE_THREAD && last != NULL && last->kind != RANGE_THREAD) {
        shadow_reset(shadow, node_get(0, 't', b->start));
        if (region != NULL) {
            region->user.depth = 0; // of the thread that had this stack before
        }
    }
    return entry_node != 0 ? entry_node : shadow_node(shadow);
}

// --- counts -----------------------------------------------------------------------------------------------------------

void stacks_count(stack_id stack, const struct block *b, int64_t n) {
    struct slot *s = table_slot(&count_table, stack, (uint64_t)b->index + 1);

    s->block = b;
    s->value += n;
}

static void node_write(FILE *file, stack_id id) {
    if (id == 0) {
        return;
    }
    node_write(file, nodes[id].parent);
    if (nodes[id].kind == 'u') {
        fputs("user;", file);
    } else {
        fprintf(file, "%c%" PRIx64 ";", nodes[id].kind, nodes[id].address);
    }
}

void stacks_write(FILE *file) {
    for (size_t i = 0; i < count_table.capacity; i++) {
        const struct slot *s = &count_table.slots[i];
        if (s->block != NULL && s->value != 0) {
            fprintf(file, "%" PRId64 " ", s->value);
            node_write(file, (stack_id)s->a);
            fprintf(file, "b%" PRIx64 "\n", s->block->start);
        }
    }
}
