// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What a core file holds, as elf(5) and Linux's fs/binfmt_elf.c have it: an ELF header, program headers, one segment of notes (registers of each thread, the
// process, its signal, auxiliary vector and mapped files), then its memory, a segment a mapping, page by page. Pages that nobody has touched are holes.
//
// Context: the thread that ends its process; the others are parked, so registers, mappings and names stay as they are. Nothing here is locked but where
// mappings and threads are walked, against who looks in from outside.
#include "core_file.h"
#include "elf_check.h"
#include "exec.h"

#include <kernel/slab.h>

#define NT_PRSTATUS 1u
#define NT_PRFPREG  2u
#define NT_PRPSINFO 3u
#define NT_AUXV     6u
#define NT_SIGINFO  0x53494749u
#define NT_FILE     0x46494c45u
#define NT_XSTATE   0x202u
#define ELF_ET_CORE 4u
#define ELF_PT_NOTE 4u
#define NOTES_MAX   (4u << 20)
#define AUXV_MAX    64u
#define ARGUMENTS   80u // of psargs

struct segment {
    vaddr_t start, end;
    uint64_t size; // bytes in the file
    unsigned prot;
    bool backed;    // something lies below what was written: every page is there
    bool maybe_elf; // its first page if it begins as an ELF file does
    bool file;
    bool down;
    uint64_t page;    // of the file at start
    struct vmo *anon; // counted, or NULL
    vaddr_t anchor;
};

struct text {
    char *data;
    size_t used, size;
    bool failed;
};

struct core {
    struct aspace *as;
    struct segment *segments;
    unsigned count, capacity, files;
    struct text names; // of mapped files, for NT_FILE
    struct text notes;
    struct vfs_caller caller;
    char *path;
};

// --- growing memory ---

static void text_add(struct text *t, const void *data, size_t n) {
    if (t->failed)
        return;
    if (t->used + n > t->size) {
        size_t size = MAX(MAX(t->size * 2, t->used + n), PAGE_SIZE);
        char *more = size <= NOTES_MAX ? kmalloc(size) : NULL;
        if (more == NULL) {
            t->failed = true;
            return;
        }
        memcpy(more, t->data, t->used);
        kfree(t->data);
        t->data = more;
        t->size = size;
    }
    memcpy(t->data + t->used, data, n);
    t->used += n;
}

static void note_add(struct core *c, const char *name, uint32_t type, const void *data, size_t n) {
    static const char zeros[4];
    uint32_t head[3] = {(uint32_t)strlen(name) + 1, (uint32_t)n, type};

    text_add(&c->notes, head, sizeof(head));
    text_add(&c->notes, name, head[0]);
    text_add(&c->notes, zeros, -head[0] & 3);
    text_add(&c->notes, data, n);
    text_add(&c->notes, zeros, -n & 3);
}

// --- mappings ---

// How much of a mapping goes into the file, by the kinds that the process has chosen.
static uint64_t dump_size(const struct mapping *m, unsigned filter, bool *maybe_elf) {
    const struct inode *i = m->owner != NULL ? file_of_mapping(m->owner)->inode : NULL;
    uint64_t whole = m->end - m->start;

    if (m->flags & MAPPING_FIXED_KERNEL)
        return whole;
    if ((m->flags & MAPPING_DONTDUMP) || (m->object != NULL && m->object->kind == VMO_PHYSICAL))
        return 0;
    if (m->flags & MAPPING_SHARED)
        return filter & (i == NULL || i->nlink == 0 ? CORE_ANONYMOUS_SHARED : CORE_FILE_SHARED) ? whole : 0;
    if (m->anon != NULL && (filter & CORE_ANONYMOUS_PRIVATE))
        return whole;
    if (i == NULL)
        return 0;
    if (filter & CORE_FILE_PRIVATE)
        return whole;
    if (!(filter & CORE_ELF_HEADERS) || m->object_offset != 0)
        return 0;
    *maybe_elf = !(atomic_load(&i->mode) & 0111);
    return PAGE_SIZE;
}

static void file_name_add(struct core *c, const struct mapping *m) {
    struct file *f = file_of_mapping(m->owner);
    char *start;

    if (vfs_path_name(&c->caller, &f->path, c->path, PATH_MAX_BYTES + 16, &start) != INV_OK)
        return text_add(&c->names, "", 1);
    text_add(&c->names, start, strlen(start) + 1);
}

static bool segment_visit(const struct mapping *m, void *arg) {
    struct core *c = arg;

    if (c->count == c->capacity)
        return false;
    struct segment *s = &c->segments[c->count++];
    *s = (struct segment){.start = m->start, .end = m->end, .prot = m->prot};
    s->backed = m->object != NULL;
    s->size = dump_size(m, atomic_load(&linux_current_process()->core_filter), &s->maybe_elf);
    s->file = m->owner != NULL;
    s->page = m->object_offset >> PAGE_SHIFT;
    s->down = (m->flags & MAPPING_GROWSDOWN) != 0;
    s->anchor = m->anon_anchor;
    s->anon = m->anon;
    if (s->anon != NULL)
        vmo_get(s->anon);
    if (s->file) {
        c->files++;
        file_name_add(c, m);
    }
    return true;
}

static bool count_visit(const struct mapping *m, void *arg) {
    (void)m;
    ((struct core *)arg)->capacity++;
    return true;
}

static bool segments_make(struct core *c) {
    aspace_for_each(c->as, count_visit, c);
    c->segments = kmalloc(MAX(c->capacity, 1u) * sizeof(*c->segments));
    c->path = kmalloc(PATH_MAX_BYTES + 16);
    if (c->segments == NULL || c->path == NULL)
        return false;
    aspace_for_each(c->as, segment_visit, c);
    for (unsigned i = 0; i < c->count; i++) {
        char magic[4];
        size_t done;
        struct segment *s = &c->segments[i];
        if (s->maybe_elf && (aspace_access(c->as, s->start, magic, sizeof(magic), false, &done) != INV_OK ||
                             memcmp(magic, "\177ELF", 4) != 0))
            s->size = 0;
    }
    return !c->names.failed;
}

// --- notes ---

struct user_timeval {
    int64_t seconds, microseconds;
};
struct note_status { // struct elf_prstatus
    int32_t signo, code, error;
    int16_t signal, pad;
    uint64_t pending, held;
    int32_t pid, parent, group, session;
    struct user_timeval user, system, children_user, children_system;
    uint64_t registers[CORE_REGISTERS];
    int32_t float_valid, pad2;
};
_Static_assert(sizeof(struct note_status) == 336, "struct elf_prstatus is ABI");
struct note_process { // struct elf_prpsinfo
    char state, letter, zombie, nice;
    uint32_t pad;
    uint64_t flags;
    uint32_t uid, gid;
    int32_t pid, parent, group, session;
    char name[LINUX_COMM_LENGTH];
    char arguments[ARGUMENTS];
};
_Static_assert(sizeof(struct note_process) == 136, "struct elf_prpsinfo is ABI");

static struct user_timeval timeval_of(nstime_t t) {
    return (struct user_timeval){(int64_t)(t / NSEC_PER_SEC), (int64_t)(t % NSEC_PER_SEC / NSEC_PER_USEC)};
}

static void family(int32_t *parent, int32_t *group, int32_t *session) {
    struct linux_process *p = linux_current_process();

    spin_lock(&linux_tree_lock);
    *parent = atomic_load(&p->parent_id);
    *group = p->group->pid->number;
    *session = p->group->session->pid->number;
    spin_unlock(&linux_tree_lock);
}

static noinline_fn void status_note(struct core *c, struct linux_thread *t, int signal) {
    struct linux_process *p = t->process;
    struct note_status n = {.signo = signal, .signal = (int16_t)signal, .float_valid = 1, .pid = t->pid->number};
    struct linux_usage usage;

    family(&n.parent, &n.group, &n.session);
    irq_flags_t flags = spin_lock_irq(&p->lock);
    n.pending = t->pending.set;
    n.held = t->blocked;
    if (t->pid == p->pid)
        linux_process_usage_locked(p, &usage);
    else
        linux_usage_of_thread(t, &usage);
    spin_unlock_irq(&p->lock, flags);
    n.user = timeval_of(usage.times.user);
    n.system = timeval_of(usage.times.system);
    n.children_user = timeval_of(p->children_usage.times.user);
    n.children_system = timeval_of(p->children_usage.times.system);
    linux_arch_core_registers(t->thread, n.registers);
    note_add(c, "CORE", NT_PRSTATUS, &n, sizeof(n));
}

static void float_notes(struct core *c, struct linux_thread *t) {
    size_t legacy, size;
    const uint8_t *area = linux_arch_core_float(t->thread, &legacy, &size);

    note_add(c, "CORE", NT_PRFPREG, area, legacy);
    if (size != 0)
        note_add(c, "LINUX", NT_XSTATE, area, size);
}

static noinline_fn void process_note(struct core *c) {
    struct linux_process *p = linux_current_process();
    struct note_process n = {.letter = 'R', .nice = (char)linux_current()->nice, .pid = p->number};
    vaddr_t start = c->as->layout.arg_start, end = c->as->layout.arg_end;
    size_t done = 0;

    n.uid = linux_token()->uid;
    n.gid = linux_token()->gid;
    family(&n.parent, &n.group, &n.session);
    string_copy(n.name, current_thread()->name, sizeof(n.name));
    if (end > start)
        (void)!aspace_access(c->as, start, n.arguments, MIN(end - start, ARGUMENTS - 1), false, &done);
    for (size_t i = 0; i + 1 < done; i++)
        if (n.arguments[i] == '\0')
            n.arguments[i] = ' ';
    note_add(c, "CORE", NT_PRPSINFO, &n, sizeof(n));
}

static void auxv_note(struct core *c) {
    uint64_t *pairs = kmalloc(2 * AUXV_MAX * sizeof(*pairs));

    c->notes.failed |= pairs == NULL;
    if (pairs != NULL)
        note_add(c, "CORE", NT_AUXV, pairs, linux_auxv_read(c->as, pairs, AUXV_MAX) * 16);
    kfree(pairs);
}

// Where which file is mapped: numbers first, names behind.
static void files_note(struct core *c) {
    struct text t = {0};
    uint64_t head[2] = {c->files, PAGE_SIZE};

    text_add(&t, head, sizeof(head));
    for (unsigned i = 0; i < c->count; i++) {
        const struct segment *s = &c->segments[i];
        uint64_t row[3] = {s->start, s->end, s->page};
        if (s->file)
            text_add(&t, row, sizeof(row));
    }
    text_add(&t, c->names.data, c->names.used);
    if (t.failed)
        c->notes.failed = true;
    else if (c->files != 0)
        note_add(c, "CORE", NT_FILE, t.data, t.used);
    kfree(t.data);
}

static void notes_make(struct core *c, const struct linux_siginfo *info) {
    struct linux_thread *me = linux_current(), *t;

    status_note(c, me, info->signo);
    process_note(c);
    note_add(c, "CORE", NT_SIGINFO, info, sizeof(*info));
    auxv_note(c);
    files_note(c);
    float_notes(c, me);
    // Those that are parked stay on the list; one that was leaving before may still be about to go.
    for (unsigned i = 0;; i++) {
        irq_flags_t flags = spin_lock_irq(&me->process->lock);
        unsigned at = 0;
        struct linux_thread *found = NULL;
        list_for_each(t, &me->process->threads, node)
            if (t != me && !t->leaving && at++ == i)
                found = t;
        spin_unlock_irq(&me->process->lock, flags);
        if (found == NULL)
            return;
        status_note(c, found, info->signo);
        float_notes(c, found);
    }
}

// --- writing ---

struct writer {
    struct file *file;
    uint64_t position, written, limit;
    bool hole; // the last thing was one
};

static bool emit(struct writer *w, const void *data, size_t n) {
    w->hole = false; // what does not fit does not make the file longer, either
    if (w->written + n > w->limit)
        return false;
    w->written += n;
    while (n > 0) {
        struct io_vector v;
        struct io io;
        size_t done = 0;
        if (thread_killed(current_thread()))
            return false;
        io_init_kernel(&io, &v, (void *)data, n);
        if (file_write_at(w->file, &io, w->position, &done) != INV_OK || done == 0)
            return false;
        w->position += done;
        data = (const char *)data + done;
        n -= done;
    }
    return true;
}

static void skip(struct writer *w, uint64_t n) {
    w->position += n;
    w->hole = w->hole || n > 0;
}

static bool page_there(const struct core *c, const struct segment *s, vaddr_t va) {
    uint64_t index = (s->down ? s->anchor - 1 - va : va - s->anchor) >> PAGE_SHIFT, found;
    paddr_t pa;

    if (s->backed || (s->anon != NULL && vmo_next_resident(s->anon, index, &found) && found == index))
        return true;
    mutex_lock(&c->as->lock);
    bool mapped = arch_mmu_query(&c->as->arch, va, &pa, NULL);
    mutex_unlock(&c->as->lock);
    return mapped;
}

static bool segment_write(struct writer *w, const struct core *c, const struct segment *s, char *page) {
    for (vaddr_t va = s->start; va < s->start + s->size; va += PAGE_SIZE) {
        size_t done;
        if (thread_killed(current_thread()))
            return false;
        if (!page_there(c, s, va) || aspace_access(c->as, va, page, PAGE_SIZE, false, &done) != INV_OK)
            skip(w, PAGE_SIZE);
        else if (!emit(w, page, PAGE_SIZE))
            return false;
    }
    return true;
}

static unsigned flags_of(unsigned prot) {
    return (prot & MMU_READ ? ELF_PF_R : 0) | (prot & MMU_WRITE ? ELF_PF_W : 0) | (prot & MMU_EXECUTE ? ELF_PF_X : 0);
}

static bool headers_write(struct writer *w, const struct core *c, uint64_t *out_data) {
    struct elf_header h = {.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                           .type = ELF_ET_CORE,
                           .machine = ELF_MACHINE,
                           .version = 1,
                           .phoff = sizeof(h),
                           .ehsize = sizeof(h),
                           .phentsize = sizeof(struct elf_program_header),
                           .phnum = (uint16_t)(c->count + 1)};
    uint64_t at = sizeof(h) + (c->count + 1ull) * sizeof(struct elf_program_header);
    struct elf_program_header p = {.type = ELF_PT_NOTE, .offset = at, .filesz = c->notes.used};
    bool good = emit(w, &h, sizeof(h)) && emit(w, &p, sizeof(p));

    *out_data = at = ALIGN_UP(at + c->notes.used, PAGE_SIZE);
    for (unsigned i = 0; good && i < c->count; i++) {
        const struct segment *s = &c->segments[i];
        p = (struct elf_program_header){.type = ELF_PT_LOAD,
                                        .flags = flags_of(s->prot),
                                        .offset = at,
                                        .vaddr = s->start,
                                        .filesz = s->size,
                                        .memsz = s->end - s->start,
                                        .align = PAGE_SIZE};
        at += s->size;
        good = emit(w, &p, sizeof(p));
    }
    return good && emit(w, c->notes.data, c->notes.used);
}

static void image_write(struct writer *w, const struct core *c) {
    char *page = kmalloc(PAGE_SIZE);
    uint64_t data;

    if (page != NULL && headers_write(w, c, &data)) {
        bool good = true;
        skip(w, data - w->position);
        for (unsigned i = 0; good && i < c->count; i++)
            good = segment_write(w, c, &c->segments[i], page);
    }
    // A hole at the end belongs to the file.
    if (w->hole) {
        w->position--;
        (void)emit(w, "", 1);
    }
    kfree(page);
}

bool linux_core_write(struct file *file, const struct linux_siginfo *info, uint64_t limit) {
    struct core c = {.as = current_process()->aspace};
    struct writer w = {.file = file, .limit = limit};
    bool made;

    linux_caller(&c.caller);
    made = segments_make(&c);
    if (made)
        notes_make(&c, info);
    made = made && !c.notes.failed;
    if (made)
        image_write(&w, &c);
    for (unsigned i = 0; i < c.count; i++)
        if (c.segments[i].anon != NULL)
            vmo_put(c.segments[i].anon);
    kfree(c.segments);
    kfree(c.path);
    kfree(c.names.data);
    kfree(c.notes.data);
    return made;
}
