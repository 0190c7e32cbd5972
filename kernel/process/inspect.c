// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Debugger commands: threads and their stacks. All processors are stopped, so no lock is taken.
#include <kernel/debug.h>
#include <kernel/process.h>
#include <kernel/string.h>

static const char *const state_names[] = {"new", "ready", "running", "sleeping", "stopped", "dead"};

static bool print_thread(struct thread *t, void *arg) {
    uint32_t state = atomic_load(&t->sched.state);
    debugger_print("%5lu %-16.16s %-16.16s %-8s cpu %u priority %3u%s work %x ran %lu us\n", (unsigned long)t->id,
                   t->name, t->process->name, state < ARRAY_SIZE(state_names) ? state_names[state] : "?",
                   atomic_load(&t->sched.cpu), atomic_load(&t->sched.priority),
                   t->sched.inherited > t->sched.base_priority ? "+" : " ", atomic_load(&t->user_work),
                   (unsigned long)(t->sched.own->runtime / NSEC_PER_USEC));
    return true;
}

static void command_threads(int argc, const char **argv) {
    thread_for_each(print_thread, NULL, false);
}
DEBUGGER_COMMAND("threads", "all threads: id, name, process, state, processor, priority (+: inherited)",
                 command_threads);

struct find {
    uint64_t id;
    struct thread *found;
};

static bool match(struct thread *t, void *arg) {
    struct find *f = arg;
    if (t->id == f->id)
        f->found = t;
    return !f->found;
}

static void print_line(const char *line) {
    debugger_print("%s\n", line);
}

static void command_stack(int argc, const char **argv) {
    struct find f = {0};
    uintptr_t pcs[24];
    if (argc != 2 || string_to_u64(argv[1], NULL, 0, &f.id) != INV_OK) {
        debugger_print("usage: stack THREAD\n");
        return;
    }
    thread_for_each(match, &f, false);
    if (!f.found || atomic_load(&f.found->sched.on_cpu) || !f.found->stack) {
        debugger_print(f.found ? "it is running, or has no stack: use backtrace CPU\n" : "no such thread\n");
        return;
    }
    size_t n = backtrace_thread(f.found, pcs, ARRAY_SIZE(pcs));
    for (size_t i = 0; i < n; i++) {
        char line[96];
        uintptr_t offset = 0;
        const char *name = symbol_lookup(pcs[i], &offset);
        snprintf(line, sizeof(line), "    %016lx %s+%#lx", (unsigned long)pcs[i], name, (unsigned long)offset);
        print_line(line);
    }
}
DEBUGGER_COMMAND("stack", "THREAD: the kernel stack of a thread that is not running", command_stack);
