// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Counting (see count.h). Each processor writes its own figures alone; a processor at a mark reads those of the others, so they are atomic, without order.
#include "count.h"

#include "stacks.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// As many instructions may lie between two runs of a block with PAUSE for them to be one spinning loop.
enum { SPIN_LOOP_MAX = 64 };

// How many figures a window has for each processor.
enum { FIGURES = WORK_COUNT + EVENT_COUNT };

// A block that an exception interrupted.
struct interrupted {
    const struct block *block;
    enum work work;
    stack_id stack;
    unsigned stretch;
};

struct processor {
    _Atomic uint64_t figure[FIGURES];
    // its own thread alone:
    const struct block *last, *spinning;
    enum work work;                    // of last
    stack_id stack;                    // of last
    uint32_t since[WORK_COUNT];        // counted since `spinning` ran last
    struct interrupted interrupted[2]; // in user mode, in the kernel
} __attribute__((aligned(128)));

struct window {
    unsigned readings;
    uint64_t *stretch; // instructions of each stretch, all processors
    unsigned stretches;
    uint64_t figure[PROCESSORS_MAX][FIGURES];
};

static struct processor processors[PROCESSORS_MAX];
static bool profile, by_clock;

// The windows; a mark or a clock reading changes them, one processor at a time in every program of ours.
static struct window *windows;
static unsigned window_count;
static bool window_open;
static bool counting;    // within a stretch of the open window
static unsigned stretch; // number of the stretch, to tell whether a block belonged to it
static uint64_t at_begin[PROCESSORS_MAX][FIGURES];

void count_start(bool with_profile, bool with_clock) {
    profile = with_profile;
    by_clock = with_clock;
}

static void add(struct processor *p, unsigned figure, int64_t n) {
    uint64_t value = atomic_load_explicit(&p->figure[figure], memory_order_relaxed);

    atomic_store_explicit(&p->figure[figure], value + (uint64_t)n, memory_order_relaxed);
}

// --- blocks -----------------------------------------------------------------------------------------------------------

static enum work work_of(const struct block *b) {
    if (b->hlt || b->kind == RANGE_IDLE) {
        return WORK_IDLE;
    }
    if (b->pause) {
        return WORK_SPIN;
    }
    return b->kernel ? WORK_KERNEL : WORK_USER;
}

// A block with PAUSE runs again: what lay between was waiting too.
static void spin_again(struct processor *p, const struct block *b) {
    uint32_t between = p->since[WORK_USER] + p->since[WORK_KERNEL];

    if (p->spinning == b && between <= SPIN_LOOP_MAX) {
        add(p, WORK_USER, -(int64_t)p->since[WORK_USER]);
        add(p, WORK_KERNEL, -(int64_t)p->since[WORK_KERNEL]);
        add(p, WORK_SPIN, between);
    }
    p->spinning = b;
    memset(p->since, 0, sizeof(p->since));
}

static void block_count(struct processor *p, const struct block *b) {
    p->work = work_of(b);
    if (p->work == WORK_SPIN) {
        spin_again(p, b);
    } else if (p->since[p->work] <= SPIN_LOOP_MAX) {
        p->since[p->work] += b->n;
    }
    add(p, p->work, b->n);
    if (profile && counting) {
        stacks_count(p->stack, b, b->n);
    }
}

// The block before ended where the processor returned from the kernel or from an exception: takes back what it had not done.
static void interrupted_resume(struct processor *p, const struct block *b) {
    struct interrupted *i = &p->interrupted[b->kernel];
    int done = i->block != NULL ? block_find(i->block, b->start) : -1;

    if (done < 0) {
        return;
    }
    int64_t undone = (int64_t)i->block->n - done;
    add(p, i->work, -undone);
    if (profile && counting && i->stretch == stretch) {
        stacks_count(i->stack, i->block, -undone);
    }
    i->block = NULL;
}

static void entry_count(struct processor *p, const struct block *b) {
    if (p->last->kind == b->kind && p->last->end == b->start) {
        return; // the same entry, in two blocks
    }
    if (b->kind == RANGE_EXCEPTION) {
        p->interrupted[p->last->kernel] = (struct interrupted){
            .block = p->last, .work = p->work, .stack = p->stack, .stretch = counting ? stretch : 0};
        add(p, WORK_COUNT + EVENT_EXCEPTION, 1);
    } else {
        add(p, WORK_COUNT + EVENT_INTERRUPT, 1);
    }
}

// The last instruction of the block before turns out to be the first of this one.
static void last_cut(struct processor *p) {
    add(p, p->work, -1);
    if (profile && counting) {
        stacks_count(p->stack, p->last, -1);
    }
    block_cut(p->last);
}

void count_block(unsigned processor, const struct block *b) {
    struct processor *p = &processors[processor];

    if (p->last != NULL && p->last->cut && b->start == p->last->start + p->last->offset[p->last->n - 1]) {
        last_cut(p);
    }
    if (p->last != NULL) {
        if (b->kind == RANGE_EXCEPTION || b->kind == RANGE_INTERRUPT) {
            entry_count(p, b);
        } else if (p->last->iret) {
            interrupted_resume(p, b);
        }
    }
    if (profile) {
        p->stack = stacks_block(p->last, b);
    }
    block_count(p, b);
    p->last = b;
}

bool count_is_current(unsigned processor, uint64_t address) {
    const struct block *b = processors[processor].last;

    return b != NULL && address >= b->start && address < b->end;
}

void count_event(unsigned processor, enum event event, uint64_t n) {
    add(&processors[processor], WORK_COUNT + event, (int64_t)n);
}

// --- windows ----------------------------------------------------------------------------------------------------------

// The figures of all processors, up to and without the instruction at `site`.
static void figures_read(uint64_t out[PROCESSORS_MAX][FIGURES], unsigned processor, const struct site *site) {
    for (unsigned i = 0; i < PROCESSORS_MAX; i++) {
        for (unsigned j = 0; j < FIGURES; j++) {
            out[i][j] = atomic_load_explicit(&processors[i].figure[j], memory_order_relaxed);
        }
    }
    out[processor][processors[processor].work] -= site->block->n - site->index;
}

static void stretch_begin(unsigned processor, const struct site *site) {
    figures_read(at_begin, processor, site);
    counting = true;
    stretch++;
    if (profile) {
        stacks_count(processors[processor].stack, site->block, (int64_t)site->block->n - site->index);
    }
}

static void stretch_keep(struct window *w, uint64_t instructions) {
    if ((w->stretches & (w->stretches - 1)) == 0) { // full: 0, 1, 2, 4, 8 ...
        w->stretch = realloc(w->stretch, (w->stretches ? 2 * (size_t)w->stretches : 1) * sizeof(*w->stretch));
        if (w->stretch == NULL) {
            fprintf(stderr, "bench plugin: no memory for a stretch\n");
            exit(1);
        }
    }
    w->stretch[w->stretches++] = instructions;
}

static void stretch_end(unsigned processor, const struct site *site) {
    static uint64_t now[PROCESSORS_MAX][FIGURES];
    struct window *w = &windows[window_count - 1];
    uint64_t instructions = 0;

    figures_read(now, processor, site);
    for (unsigned i = 0; i < PROCESSORS_MAX; i++) {
        for (unsigned j = 0; j < FIGURES; j++) {
            w->figure[i][j] += now[i][j] - at_begin[i][j];
            instructions += j < WORK_COUNT ? now[i][j] - at_begin[i][j] : 0;
        }
    }
    counting = false;
    stretch_keep(w, instructions);
    if (profile) {
        stacks_count(processors[processor].stack, site->block, (int64_t)site->index - site->block->n);
    }
}

static void window_begin(unsigned processor, const struct site *site) {
    struct window *more = realloc(windows, (window_count + 1) * sizeof(*more));

    if (more == NULL) {
        fprintf(stderr, "bench plugin: no memory for a window\n");
        exit(1);
    }
    windows = more;
    memset(&windows[window_count++], 0, sizeof(*windows));
    window_open = true;
    counting = false;
    if (!by_clock) {
        stretch_begin(processor, site);
    }
}

void count_mark(unsigned processor, const struct site *site, enum mark mark) {
    if (mark == MARK_BEGIN) {
        window_begin(processor, site); // one that was never closed, because its program failed, stays as it is
    } else if (window_open) {
        if (counting) {
            stretch_end(processor, site);
        }
        window_open = false;
    }
}

void count_clock(unsigned processor, const struct site *site) {
    if (!window_open) {
        return;
    }
    windows[window_count - 1].readings++;
    if (!by_clock) {
        return;
    }
    if (counting) {
        stretch_end(processor, site);
    } else {
        stretch_begin(processor, site);
    }
}

// --- output -----------------------------------------------------------------------------------------------------------

static void processor_write(FILE *file, unsigned processor, const uint64_t figure[FIGURES]) {
    static const char *const work_names[WORK_COUNT] = {"user", "kernel", "spin", "idle"};

    fprintf(file, "cpu %u", processor);
    for (unsigned j = 0; j < FIGURES; j++) {
        const char *name = j < WORK_COUNT ? work_names[j] : event_names[j - WORK_COUNT];
        if (j < WORK_COUNT || figure[j] != 0) {
            fprintf(file, " %s=%" PRId64, name, (int64_t)figure[j]);
        }
    }
    fputc('\n', file);
}

void count_write(FILE *file) {
    for (unsigned w = 0; w < window_count; w++) {
        fprintf(file, "window %u readings=%u stretches=", w, windows[w].readings);
        for (unsigned i = 0; i < windows[w].stretches; i++) {
            fprintf(file, "%s%" PRIu64, i > 0 ? "," : "", windows[w].stretch[i]);
        }
        fputc('\n', file);
        for (unsigned i = 0; i < PROCESSORS_MAX; i++) {
            uint64_t sum = 0;
            for (unsigned j = 0; j < FIGURES; j++) {
                sum |= windows[w].figure[i][j];
            }
            if (sum != 0) {
                processor_write(file, i, windows[w].figure[i]);
            }
        }
    }
}
