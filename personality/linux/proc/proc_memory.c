// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What /proc/PID shows of an address space: maps, statm, cmdline, environ, auxv.
#include "../exec.h"
#include "../proc.h"

#include <kernel/slab.h>

#define AREA_MAX (256u << 10)

// --- maps ---

static void mapping_name(struct proc_maps *m, const struct mapping *map) {
    char *start;

    if (map->owner != NULL) {
        struct file *f = file_of_mapping(map->owner);
        if (vfs_path_name(&m->caller, &f->path, m->path, PATH_MAX_BYTES + 16, &start) == INV_OK)
            proc_print(m->text, "%s", start);
    } else if (map->label != NULL) {
        proc_print(m->text, "%s", map->label);
    } else if (map->flags & MAPPING_STACK) {
        proc_print(m->text, "[stack]");
    } else if (map->flags & MAPPING_HEAP) {
        proc_print(m->text, "[heap]");
    }
}

void proc_maps_line(struct proc_maps *m, const struct mapping *map) {
    uint64_t offset = map->owner != NULL ? map->object_offset : 0, ino = 0;
    unsigned major = 0, minor = 0;
    size_t before = m->text->used;

    if (map->owner != NULL) {
        const struct inode *i = file_of_mapping(map->owner)->inode;
        ino = i->ino;
        major = (unsigned)(i->superblock->device >> 32);
        minor = (unsigned)i->superblock->device;
    }
    proc_print(m->text, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", map->start, map->end,
               map->prot & MMU_READ ? 'r' : '-', map->prot & MMU_WRITE ? 'w' : '-', map->prot & MMU_EXECUTE ? 'x' : '-',
               map->flags & MAPPING_SHARED ? 's' : 'p', offset, major, minor, ino);
    // Names begin in the 74th column.
    if (map->owner != NULL || map->label != NULL || (map->flags & (MAPPING_STACK | MAPPING_HEAP))) {
        while (m->text->used - before < 73 && !m->text->failed)
            proc_append(m->text, " ", 1);
        mapping_name(m, map);
    }
    proc_append(m->text, "\n", 1);
}

void proc_maps_visit(struct proc_text *t, const struct proc_node *n, bool (*fn)(const struct mapping *map, void *arg)) {
    struct aspace *as = linux_process_aspace(n->process);
    struct proc_maps m = {.text = t, .path = kmalloc(PATH_MAX_BYTES + 16)};

    linux_caller(&m.caller);
    if (as != NULL && m.path != NULL)
        aspace_for_each(as, fn, &m);
    if (m.path == NULL)
        t->failed = true;
    kfree(m.path);
    if (as != NULL)
        aspace_put(as);
}

static bool mapping_show(const struct mapping *map, void *arg) {
    struct proc_maps *m = arg;

    proc_maps_line(m, map);
    return !m->text->failed;
}

void proc_show_maps(struct proc_text *t, const struct proc_node *n) {
    proc_maps_visit(t, n, mapping_show);
}

// --- statm: pages ---

void proc_show_statm(struct proc_text *t, const struct proc_node *n) {
    struct aspace *as = linux_process_aspace(n->process);
    struct proc_areas areas;
    struct proc_pages pages;

    if (as == NULL) {
        proc_print(t, "0 0 0 0 0 0 0\n");
        return;
    }
    proc_areas_sum(as, &areas);
    proc_pages_count(as, &pages);
    mutex_lock(&as->lock);
    uint64_t size = as->mapped_bytes >> PAGE_SHIFT,
             code = ALIGN_UP(as->layout.code_end, PAGE_SIZE) - ALIGN_DOWN(as->layout.code_start, PAGE_SIZE);
    mutex_unlock(&as->lock);
    proc_print(t, "%lu %lu %lu %lu 0 %lu 0\n", size, (pages.anonymous + pages.file) >> PAGE_SHIFT,
               pages.file >> PAGE_SHIFT, code >> PAGE_SHIFT, areas.data + areas.stack);
    aspace_put(as);
}

// --- areas of the stack ---

static void area_show(struct proc_text *t, struct aspace *as, vaddr_t start, vaddr_t end) {
    size_t size = MIN(end - start, (size_t)AREA_MAX), done = 0;
    char *buffer;

    if (end <= start)
        return;
    buffer = kmalloc(size);
    if (buffer == NULL) {
        t->failed = true;
        return;
    }
    (void)!aspace_access(as, start, buffer, size, false, &done);
    proc_append(t, buffer, done);
    kfree(buffer);
}

void proc_show_cmdline(struct proc_text *t, const struct proc_node *n) {
    struct aspace *as = linux_process_aspace(n->process);

    if (as == NULL)
        return;
    area_show(t, as, as->layout.arg_start, as->layout.arg_end);
    // A program may have written its title over its arguments, and on over its environment: shown up to the first NUL, then.
    if (t->used > 0 && !t->failed && t->buffer[t->used - 1] != '\0') {
        area_show(t, as, as->layout.env_start, as->layout.env_end);
        char *nul = memchr(t->buffer, '\0', t->used);
        if (nul != NULL)
            t->used = (size_t)(nul - t->buffer);
    }
    aspace_put(as);
}

void proc_show_environ(struct proc_text *t, const struct proc_node *n) {
    struct aspace *as = linux_process_aspace(n->process);

    if (as == NULL)
        return;
    area_show(t, as, as->layout.env_start, as->layout.env_end);
    aspace_put(as);
}

// The auxiliary vector lies behind argc, argv and envp on the initial stack. A program that wrote over it shows what it wrote.
void proc_show_auxv(struct proc_text *t, const struct proc_node *n) {
    struct aspace *as = linux_process_aspace(n->process);

    if (as == NULL)
        return;
    uint64_t pairs[2 * 48]; // twice as many as there are
    proc_append(t, (const char *)pairs, 16 * linux_auxv_read(as, pairs, 48));
    aspace_put(as);
}
