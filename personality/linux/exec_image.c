// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Makes the image of a new program: opens it (through #! lines), maps it, its interpreter, the vDSO and a stack into a new address space, and writes the
// stack's first contents. Nothing of the calling program is changed, so that every error can still be returned to it.
//
// The stack, from the top:
//     8 zero bytes | name as given | environment | arguments | "x86_64" | 16 random bytes | auxiliary vector | envp | argv | argc   <- stack pointer
#include "exec.h"

#include <executive/random.h>
#include <kernel/boot.h>
#include <kernel/slab.h>
#include <kernel/vdso.h>

#define STACK_RANDOM_PAGES 0x3fffffull        // 16 GiB
#define MMAP_RANDOM_PAGES  ((1ull << 28) - 1) // 1 TiB
#define BREAK_RANDOM       0x02000000ull
#define STACK_SPARE        (128u << 10)
#define GAP_MINIMUM        (128ull << 20)
#define DYNAMIC_BASE       0x555555554000ull // position-independent programs: two thirds up
// personality(2).
#define PERSONALITY_NO_RANDOM 0x0040000u
#define READ_IMPLIES_EXEC     0x0400000u
#define PERSONALITY_WEAK      (PERSONALITY_NO_RANDOM | READ_IMPLIES_EXEC | 0x0200000u | 0x0100000u) // PER_CLEAR_ON_SETID

enum {
    AT_NULL,
    AT_PHDR = 3,
    AT_PHENT,
    AT_PHNUM,
    AT_PAGESZ,
    AT_BASE,
    AT_FLAGS,
    AT_ENTRY,
    AT_UID = 11,
    AT_EUID,
    AT_GID,
    AT_EGID,
    AT_PLATFORM,
    AT_HWCAP,
    AT_CLKTCK,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_HWCAP2,
    AT_EXECFN = 31,
    AT_SYSINFO_EHDR = 33,
    AT_MINSIGSTKSZ = 51
};
#define AUXV_WORDS 44

static bool randomized(const struct exec_image *x) {
    static _Atomic int off = -1;
    int value = atomic_load_explicit(&off, memory_order_relaxed);

    if (value < 0) {
        value = boot_option("norandmaps", NULL, 0) ? 1 : 0;
        atomic_store_explicit(&off, value, memory_order_relaxed);
    }
    return value == 0 && !(x->personality & PERSONALITY_NO_RANDOM);
}

static uint64_t random_pages(const struct exec_image *x, uint64_t mask) {
    uint64_t r = 0;

    if (randomized(x))
        random_bytes(&r, sizeof(r));
    return (r & mask) << PAGE_SHIFT;
}

// --- the program file, through scripts ---

static bool blank(char c) {
    return c == ' ' || c == '\t';
}

// Cuts a #! line into interpreter and argument. head is terminated at EXEC_HEAD_SIZE. False: not a usable line.
static bool script_parse(char *head, size_t n, char **interpreter, char **argument) {
    char *end = memchr(head, '\n', n), *at = head + 2;

    if (end == NULL) { // a line longer than the head is fine if the interpreter's name is whole
        char *name = at;
        while (blank(*name))
            name++;
        while (*name != '\0' && !blank(*name))
            name++;
        if (n == EXEC_HEAD_SIZE && *name == '\0')
            return false;
        end = head + n;
    }
    while (end > at && blank(end[-1]))
        end--;
    *end = '\0';
    while (blank(*at))
        at++;
    if (*at == '\0')
        return false;
    *interpreter = at;
    while (*at != '\0' && !blank(*at))
        at++;
    *argument = NULL;
    if (*at != '\0') {
        *at++ = '\0';
        while (blank(*at))
            at++;
        *argument = *at != '\0' ? at : NULL;
    }
    return true;
}

// Opens what is to run in the end and reads its head. The buffer has EXEC_HEAD_SIZE + 1 bytes.
static int64_t program_open(struct exec_image *x, int dirfd, const char *path, unsigned walk, char *head,
                            size_t *out_n) {
    char *interpreter, *argument;
    const char *script = x->name;

    for (unsigned depth = 0;; depth++) {
        if (depth > EXEC_SCRIPTS_MAX)
            return -LINUX_ELOOP;
        inv_status_t s = vfs_open_exec(x->caller, dirfd, path, walk, &x->file);
        if (s == INV_OK)
            s = file_read_kernel(x->file, 0, head, EXEC_HEAD_SIZE, out_n);
        if (s != INV_OK)
            return linux_result(s);
        head[*out_n] = '\0';
        if (*out_n < 2 || head[0] != '#' || head[1] != '!')
            return 0;
        if (!script_parse(head, *out_n, &interpreter, &argument))
            return -LINUX_ENOEXEC;
        int64_t result = exec_strings_script(x->strings, interpreter, argument, script);
        if (result != 0)
            return result;
        file_put(x->file);
        x->file = NULL;
        script = path = x->strings->prefix[0];
        dirfd = AT_FDCWD_;
        walk = WALK_FOLLOW;
    }
}

// --- address space ---

static vaddr_t stack_top_choose(const struct exec_image *x) {
    return ARCH_USER_END - random_pages(x, STACK_RANDOM_PAGES);
}

static void layout_choose(const struct exec_image *x, struct aspace *as, vaddr_t stack_top) {
    uint64_t limit = x->process->limits[LINUX_RLIMIT_STACK].current;
    uint64_t gap = MIN(MAX(limit, GAP_MINIMUM), ARCH_USER_END / 6 * 5);

    gap = ALIGN_UP(gap, PAGE_SIZE) + (ARCH_USER_END - stack_top) + (1ull << 20);
    as->mmap_top = ARCH_USER_END - gap - random_pages(x, MMAP_RANDOM_PAGES);
    as->stack_limit = limit;
    as->address_limit = x->process->limits[LINUX_RLIMIT_AS].current;
}

static inv_status_t vdso_map(struct aspace *as, vaddr_t *out_image) {
    size_t data_size = atomic_load(&vdso_data_vmo->size);
    struct map_request data = {.address = as->mmap_top - data_size - vdso_image_size,
                               .length = data_size,
                               .prot = MMU_READ,
                               .max_prot = MMU_READ,
                               .flags = MAPPING_SHARED | MAPPING_FIXED_KERNEL,
                               .place = MAP_AT,
                               .object = vdso_data_vmo,
                               .label = "[vvar]"};
    struct map_request image = {.address = data.address + data_size,
                                .length = vdso_image_size,
                                .prot = MMU_READ | MMU_EXECUTE,
                                .max_prot = MMU_READ | MMU_EXECUTE,
                                .flags = MAPPING_SHARED | MAPPING_FIXED_KERNEL,
                                .place = MAP_AT,
                                .object = vdso_image_vmo,
                                .label = "[vdso]"};
    vaddr_t at;
    inv_status_t s = aspace_map(as, &data, &at);

    if (s == INV_OK)
        s = aspace_map(as, &image, out_image);
    if (s == INV_OK)
        as->mmap_top = data.address;
    return s;
}

struct loaded {
    struct elf_file elf;
    vaddr_t bias, interpreter_base, entry, vdso;
};

static int64_t interpreter_map(struct exec_image *x, struct loaded *l) {
    char *path = kmalloc(PATH_MAX_BYTES), head[EXEC_HEAD_SIZE];
    struct file *file = NULL;
    struct elf_file elf;
    size_t n;
    inv_status_t s;

    if (path == NULL)
        return -LINUX_ENOMEM;
    s = elf_interpreter(&l->elf, path);
    if (s == INV_OK)
        s = vfs_open_exec(x->caller, AT_FDCWD_, path, WALK_FOLLOW, &file);
    kfree(path);
    if (s == INV_OK)
        s = file_read_kernel(file, 0, head, sizeof(head), &n);
    if (s == INV_OK) {
        s = elf_open(file, head, n, &elf);
        if (s == INV_ERR_NOT_EXECUTABLE && file != NULL) {
            file_put(file);
            return -80; // ELIBBAD
        }
    }
    if (s == INV_OK) {
        vaddr_t bias;
        s = elf_map(&elf, x->aspace, 0, &bias);
        l->interpreter_base = elf.plan.position_independent ? bias + elf.plan.lowest : bias;
        l->entry = elf.plan.entry + bias;
        elf_close(&elf);
    }
    if (file != NULL)
        file_put(file);
    return linux_result(s);
}

static void break_place(struct exec_image *x, const struct loaded *l) {
    struct aspace *as = x->aspace;
    const struct elf_plan *plan = &l->elf.plan;

    as->brk_start = ALIGN_UP(plan->memory_end + l->bias, PAGE_SIZE) + (random_pages(x, BREAK_RANDOM / PAGE_SIZE - 1));
    as->brk = as->brk_start;
    as->layout.code_start = plan->code_start + l->bias;
    as->layout.code_end = plan->code_end + l->bias;
    as->layout.data_start = plan->data_start + l->bias;
    as->layout.data_end = plan->file_end + l->bias;
}

static int64_t program_map(struct exec_image *x, struct loaded *l) {
    vaddr_t base = DYNAMIC_BASE + random_pages(x, MMAP_RANDOM_PAGES);
    int64_t result = linux_result(elf_map(&l->elf, x->aspace, base, &l->bias));

    l->entry = l->elf.plan.entry + l->bias;
    if (result == 0 && l->elf.plan.interpreter_size != 0)
        result = interpreter_map(x, l);
    if (result == 0)
        break_place(x, l);
    if (result == 0 && l->entry >= ARCH_USER_END)
        result = -LINUX_EINVAL;
    return result;
}

// --- the stack's first contents ---

// Where the strings will lie.
struct placement {
    vaddr_t name, text, prefix, platform, random; // text: the first string of strings->text that is used
    size_t text_skip, text_bytes, prefix_bytes;
};

static void strings_place(const struct exec_image *x, vaddr_t top, struct placement *p) {
    const struct exec_strings *s = x->strings;

    p->name = top - sizeof(uint64_t) - (strlen(x->name) + 1);
    p->text_skip = s->skip_first ? strlen(s->text) + 1 : 0;
    p->text_bytes = s->used - p->text_skip;
    p->text = p->name - p->text_bytes;
    p->prefix_bytes = 0;
    for (unsigned i = 0; i < s->prefix_count; i++)
        p->prefix_bytes += strlen(s->prefix[i]) + 1;
    p->prefix = p->text - p->prefix_bytes;
    p->platform = ALIGN_DOWN(p->prefix - 8 - (random_pages(x, 1) >> 5 & 0x1ff0), 16);
    p->random = p->platform - 16;
}

static unsigned auxv_fill(const struct exec_image *x, const struct loaded *l, const struct placement *p, uint64_t *v) {
    const struct elf_plan *plan = &l->elf.plan;
    const uint64_t pairs[][2] = {
        {AT_SYSINFO_EHDR, l->vdso},
        {AT_MINSIGSTKSZ, linux_arch_frame_minimum()},
        {AT_HWCAP, linux_arch_hwcap()},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_CLKTCK, 100},
        {AT_PHDR, plan->phdr_vaddr != 0 ? plan->phdr_vaddr + l->bias : 0},
        {AT_PHENT, sizeof(struct elf_program_header)},
        {AT_PHNUM, plan->phnum},
        {AT_BASE, l->interpreter_base},
        {AT_FLAGS, 0},
        {AT_ENTRY, plan->entry + l->bias},
        {AT_UID, x->token->uid},
        {AT_EUID, x->token->euid},
        {AT_GID, x->token->gid},
        {AT_EGID, x->token->egid},
        {AT_SECURE, x->secure},
        {AT_RANDOM, p->random},
        {AT_HWCAP2, 0},
        {AT_EXECFN, p->name},
        {AT_PLATFORM, p->platform},
        {AT_NULL, 0},
    };
    _Static_assert(sizeof(pairs) <= AUXV_WORDS * sizeof(uint64_t), "room for the auxiliary vector");

    if (l->vdso == 0) {
        memcpy(v, &pairs[1], sizeof(pairs) - sizeof(pairs[0]));
        return ARRAY_SIZE(pairs) * 2 - 2;
    }
    memcpy(v, pairs, sizeof(pairs));
    return ARRAY_SIZE(pairs) * 2;
}

// argc, argv, envp. Returns the number of words.
static size_t pointers_fill(const struct exec_strings *s, const struct placement *p, uint64_t *v) {
    unsigned argc = s->prefix_count + s->argc - (s->skip_first ? 1 : 0);
    const char *text = s->text + p->text_skip;
    uint64_t *start = v;
    vaddr_t at = p->prefix;

    *v++ = argc;
    for (unsigned i = 0; i < s->prefix_count; i++) {
        *v++ = at;
        at += strlen(s->prefix[i]) + 1;
    }
    for (unsigned i = s->skip_first ? 1 : 0; i < s->argc + s->envc; i++) {
        if (i == s->argc)
            *v++ = 0;
        *v++ = p->text + (vaddr_t)(text - s->text - p->text_skip);
        text += strlen(text) + 1;
    }
    if (s->envc == 0)
        *v++ = 0;
    *v++ = 0;
    return (size_t)(v - start);
}

static inv_status_t put(struct aspace *as, vaddr_t at, const void *from, size_t n) {
    size_t done;
    return n == 0 ? INV_OK : aspace_access(as, at, (void *)from, n, true, &done);
}

static inv_status_t strings_write(const struct exec_image *x, const struct placement *p) {
    const struct exec_strings *s = x->strings;
    vaddr_t at = p->prefix;
    uint8_t seed[16];
    inv_status_t st = put(x->aspace, p->name, x->name, strlen(x->name) + 1);

    if (st == INV_OK)
        st = put(x->aspace, p->text, s->text + p->text_skip, p->text_bytes);
    for (unsigned i = 0; i < s->prefix_count && st == INV_OK; i++) {
        size_t n = strlen(s->prefix[i]) + 1;
        st = put(x->aspace, at, s->prefix[i], n);
        at += n;
    }
    if (st == INV_OK)
        st = put(x->aspace, p->platform, "x86_64", sizeof("x86_64"));
    random_bytes(seed, sizeof(seed));
    if (st == INV_OK)
        st = put(x->aspace, p->random, seed, sizeof(seed));
    return st;
}

static inv_status_t stack_map(struct exec_image *x, const struct loaded *l, vaddr_t top, size_t used) {
    uint64_t limit = x->process->limits[LINUX_RLIMIT_STACK].current;
    uint64_t length = ALIGN_UP(used, PAGE_SIZE);
    struct map_request r = {.prot = MMU_READ | MMU_WRITE | (l->elf.plan.stack_executable ? MMU_EXECUTE : 0),
                            .max_prot = MMU_READ | MMU_WRITE | MMU_EXECUTE,
                            .flags = MAPPING_GROWSDOWN | MAPPING_STACK,
                            .place = MAP_AT};
    vaddr_t at;

    if (length > limit)
        return INV_ERR_TOO_BIG;
    r.length = MIN(length + STACK_SPARE, MAX(ALIGN_DOWN(limit, PAGE_SIZE), length));
    r.address = top - r.length;
    return aspace_map(x->aspace, &r, &at);
}

static int64_t stack_make(struct exec_image *x, const struct loaded *l, vaddr_t top) {
    const struct exec_strings *s = x->strings;
    size_t words = (size_t)s->prefix_count + s->argc + s->envc + 4 + AUXV_WORDS;
    uint64_t *table = kmalloc(words * sizeof(uint64_t));
    struct placement p;
    inv_status_t st;

    if (table == NULL)
        return -LINUX_ENOMEM;
    strings_place(x, top, &p);
    words = pointers_fill(s, &p, table);
    words += auxv_fill(x, l, &p, table + words);
    x->sp = ALIGN_DOWN(p.random - words * sizeof(uint64_t), 16);
    st = stack_map(x, l, top, top - x->sp);
    if (st == INV_OK)
        st = strings_write(x, &p);
    if (st == INV_OK)
        st = put(x->aspace, x->sp, table, words * sizeof(uint64_t));
    kfree(table);
    x->aspace->layout.stack_start = x->sp;
    x->aspace->layout.arg_start = p.prefix;
    x->aspace->layout.arg_end = p.text + (s->argv_bytes - p.text_skip);
    x->aspace->layout.env_start = x->aspace->layout.arg_end;
    x->aspace->layout.env_end = p.name;
    return st == INV_ERR_EXISTS ? -LINUX_ENOMEM : linux_result(st);
}

// --- all of it ---

static int64_t image_build(struct exec_image *x, const char *head, size_t n) {
    struct loaded l = {0};
    vaddr_t top = 0;
    inv_status_t s = elf_open(x->file, head, n, &l.elf);

    if (s != INV_OK)
        return linux_result(s);
    struct exec_identity who;
    int64_t result = linux_exec_token(x->file, x->caller->token, x->unsafe, x->caller->job, &who);
    if (result == 0) {
        x->token = who.token;
        x->secure = who.secure;
        x->personality = atomic_load_explicit(&x->process->personality, memory_order_relaxed) &
                         ~(READ_IMPLIES_EXEC | (who.clears_personality ? PERSONALITY_WEAK : 0));
    }
    if (result == 0)
        result = linux_result(aspace_create(x->caller->job, &x->aspace));
    if (result == 0) {
        top = stack_top_choose(x);
        layout_choose(x, x->aspace, top);
        if (vdso_image_vmo != NULL)
            result = linux_result(vdso_map(x->aspace, &l.vdso));
    }
    if (result == 0)
        result = program_map(x, &l);
    if (result == 0)
        result = stack_make(x, &l, top);
    x->entry = l.entry;
    x->readable = vfs_permission(x->file->inode, x->caller->token, WANT_READ) == INV_OK;
    elf_close(&l.elf);
    return result == -LINUX_EEXIST ? -LINUX_ENOMEM : result;
}

int64_t exec_image_make(struct exec_image *x, int dirfd, const char *path, unsigned walk) {
    char *head = kmalloc(EXEC_HEAD_SIZE + 1);
    size_t n;

    if (head == NULL)
        return -LINUX_ENOMEM;
    int64_t result = program_open(x, dirfd, path, walk, head, &n);
    if (result == 0)
        result = image_build(x, head, n);
    kfree(head);
    if (result != 0)
        exec_image_free(x);
    return result;
}

void exec_image_free(struct exec_image *x) {
    if (x->aspace != NULL)
        aspace_put(x->aspace);
    if (x->token != NULL)
        object_put(&x->token->obj);
    if (x->file != NULL)
        file_put(x->file);
    x->aspace = NULL;
    x->token = NULL;
    x->file = NULL;
}

// It lies behind argc, argv and envp.
size_t linux_auxv_read(struct aspace *as, uint64_t *pairs, size_t max) {
    vaddr_t at = as->layout.stack_start + sizeof(uint64_t), end = as->layout.arg_start;
    uint64_t word = 0;
    size_t n = 0, done;

    for (unsigned zeros = 0; zeros < 2 && at < end; at += sizeof(word)) {
        if (aspace_access(as, at, &word, sizeof(word), false, &done) != INV_OK)
            return 0;
        zeros += word == 0;
    }
    for (; n < max && at + 16 <= end; at += 16) {
        if (aspace_access(as, at, &pairs[2 * n], 16, false, &done) != INV_OK)
            break;
        if (pairs[2 * n++] == 0)
            break;
    }
    return n;
}
