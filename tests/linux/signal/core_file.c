// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Core files: when one is written, under which name and by which rules, what it holds, and what the parent is told.
#include "../testing.h"

#include <dirent.h>
#include <elf.h>
#include <pthread.h>
#include <sys/prctl.h>

#define PATTERN "/proc/sys/kernel/core_pattern"

static void set_file(const char *path, const char *text) {
    int fd = MUST(open(path, O_WRONLY));
    MUST(write(fd, text, strlen(text)));
    close(fd);
}

static void limit(rlim_t bytes) {
    struct rlimit r = {bytes, RLIM_INFINITY};
    MUST(setrlimit(RLIMIT_CORE, &r));
}

// What lies in the folder, each with its size in words; the folder is empty afterwards.
static void say_folder(const char *name, const char *wanted) {
    DIR *d = opendir(".");
    struct dirent *e;
    char text[512] = "";
    while ((e = readdir(d)) != NULL) {
        struct stat s;
        if (e->d_name[0] == '.' || lstat(e->d_name, &s) == -1)
            continue;
        snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s %s mode %o uid %d",
                 wanted && strcmp(e->d_name, wanted) == 0 ? "as wanted"
                 : strncmp(e->d_name, "core.", 5) == 0    ? "core.?"
                                                          : e->d_name,
                 s.st_size == 0      ? "empty"
                 : s.st_size < 4096  ? "short"
                 : s.st_size == 4096 ? "a page"
                                     : "large",
                 s.st_mode, (int)s.st_uid);
        unlink(e->d_name);
        rmdir(e->d_name);
    }
    closedir(d);
    say(name, "%s", text[0] ? text + 1 : "nothing");
}

static int by_abort(void) {
    raise(SIGABRT);
    return 1;
}
static int by_fault(void) {
    *(volatile int *)8 = 1;
    return 1;
}
static int by_quit(void) {
    raise(SIGQUIT);
    return 1;
}
static int by_term(void) {
    raise(SIGTERM);
    return 1;
}
static int by_kill(void) {
    raise(SIGKILL);
    return 1;
}
static int not_dumpable(void) {
    prctl(PR_SET_DUMPABLE, 0);
    return by_abort();
}
static int other_user(void) {
    setresuid(1000, 1000, 1000);
    return by_abort();
}
static int other_user_dumpable(void) {
    setresuid(1000, 1000, 1000);
    prctl(PR_SET_DUMPABLE, 1);
    return by_abort();
}
static int no_mode(void) {
    umask(0777);
    return by_abort();
}
static int some_mode(void) {
    umask(0077);
    return by_abort();
}
static int small_files(void) {
    struct rlimit r = {5000, 5000};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &r);
    return by_abort();
}
static int elsewhere(void) {
    MUST(mkdir("folder", 0700));
    MUST(chdir("folder"));
    return by_abort();
}

static void when(void) {
    static const struct {
        const char *name;
        int (*function)(void);
    } ways[] = {{"abort", by_abort},
                {"fault", by_fault},
                {"quit", by_quit},
                {"terminate", by_term},
                {"kill", by_kill},
                {"not dumpable", not_dumpable},
                {"another user", other_user},
                {"another user, dumpable, in a folder of root's", other_user_dumpable},
                {"umask 0777", no_mode},
                {"umask 0077", some_mode},
                {"small files", small_files}};
    limit(RLIM_INFINITY);
    for (size_t i = 0; i < COUNT(ways); i++) {
        say_child(ways[i].name, ways[i].function);
        say_folder("  leaves", NULL);
    }
    chmod(".", 0777);
    say_child("another user, dumpable, in a folder of all", other_user_dumpable);
    say_folder("  leaves", NULL);
    chmod(".", 0755);
    say_child("working directory", elsewhere);
    MUST(chdir("folder"));
    say_folder("  leaves there", NULL);
    MUST(chdir(".."));
    say_folder("  and here", NULL);
}

static void limits(void) {
    static const rlim_t sizes[] = {0, 1, 4095, 4096};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char name[32];
        limit(sizes[i]);
        snprintf(name, sizeof(name), "limit %d", (int)sizes[i]);
        say_child(name, by_abort);
        say_folder("  leaves", NULL);
    }
    limit(RLIM_INFINITY);
}

static void in_the_way(void) {
    struct stat before, after;
    file_make("core", "old", 0644);
    int fd = MUST(open("core", O_RDONLY));
    MUST(fstat(fd, &before));
    say_child("an old file", by_abort);
    MUST(stat("core", &after));
    say_bool("  is another", before.st_ino != after.st_ino);
    MUST(fstat(fd, &before));
    say("  the old one", "%d bytes, %d links", (int)before.st_size, (int)before.st_nlink);
    close(fd);
    say_folder("  leaves", NULL);
    file_make("target", "target", 0644);
    MUST(symlink("target", "core"));
    say_child("a symbolic link", by_abort);
    say_file("  its target", "target");
    unlink("target");
    say_folder("  leaves", NULL);
    MUST(mkdir("core", 0755));
    say_child("a folder", by_abort);
    say_folder("  leaves", NULL);
}

static int mark(void) {
    prctl(PR_SET_NAME, "a/b");
    return by_abort();
}
static void names(void) {
    char wanted[256], pattern[256], folder[128];
    static const struct {
        const char *pattern, *wanted; // %d: the pid
    } forms[] = {{"core", "core"},
                 {"c.%p", "c.%d"},
                 {"%p%p", "%d%d"},
                 {"%s-%u-%g-%%-%d", "6-0-0-%%-1"},
                 {"%e.x", "a!b.x"},
                 {"%i.%I", "%d.%d"},
                 {"%c", "18446744073709551615"},
                 {"end%", "end"},
                 {"unknown%z%yes", "unknownes"}};
    for (size_t i = 0; i < COUNT(forms); i++) {
        set_file(PATTERN, forms[i].pattern);
        say_file("pattern", PATTERN);
        pid_t pid = spawn(mark);
        snprintf(wanted, sizeof(wanted), forms[i].wanted, (int)pid, (int)pid);
        say("  end", "%s", status_text(reap(pid)));
        say_folder("  leaves", wanted);
    }
    MUST(mkdir("folder", 0700));
    MUST(getcwd(folder, sizeof(folder)) != NULL ? 0 : -1);
    snprintf(pattern, sizeof(pattern), "%s/folder/x%%s", folder);
    if (strlen(pattern) < 120) {
        set_file(PATTERN, pattern);
        say_child("whole path", by_abort);
        MUST(chdir("folder"));
        say_folder("  leaves", "x6");
        MUST(chdir(".."));
    }
    rmdir("folder");
    set_file(PATTERN, "missing/core");
    say_child("missing folder", by_abort);
    say_folder("  leaves", NULL);
    set_file(PATTERN, "core");
    set_file("/proc/sys/kernel/core_uses_pid", "1");
    pid_t pid = spawn(by_abort);
    snprintf(wanted, sizeof(wanted), "core.%d", (int)pid);
    say("core_uses_pid", "%s", status_text(reap(pid)));
    say_folder("  leaves", wanted);
    set_file(PATTERN, "x%p");
    pid = spawn(by_abort);
    snprintf(wanted, sizeof(wanted), "x%d", (int)pid);
    say("core_uses_pid with %p", "%s", status_text(reap(pid)));
    say_folder("  leaves", wanted);
    set_file("/proc/sys/kernel/core_uses_pid", "0");
    set_file(PATTERN, "core");
}

// --- what it holds ---

static char *file;
static size_t file_size;

static const Elf64_Phdr *segment_of(uintptr_t address) {
    const Elf64_Ehdr *h = (const void *)file;
    const Elf64_Phdr *p = (const void *)(file + h->e_phoff);
    for (int i = 0; i < h->e_phnum; i++)
        if (p[i].p_type == PT_LOAD && address >= p[i].p_vaddr && address < p[i].p_vaddr + p[i].p_memsz)
            return &p[i];
    return NULL;
}

static const char *memory_of(uintptr_t address) {
    const Elf64_Phdr *p = segment_of(address);
    if (!p)
        return "no segment";
    if (address - p->p_vaddr >= p->p_filesz)
        return "not in the file";
    if (p->p_offset + (address - p->p_vaddr) + 8 > file_size)
        return "behind the end";
    return file + p->p_offset + (address - p->p_vaddr);
}

static struct areas {
    char *private, *shared, *excluded, *untouched, *forbidden;
    pid_t tids[3];
    volatile int ready;
} * areas;

static void *other_thread(void *argument) {
    areas->tids[(intptr_t)argument] = gettid();
    __atomic_add_fetch(&areas->ready, 1, __ATOMIC_SEQ_CST);
    for (;;)
        pause();
    return NULL;
}

static char *pages(int flags, const char *text) {
    char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (text)
        strcpy(at, text);
    return at;
}

static int die_with_threads(void) {
    pthread_t t;
    sigset_t set;
    areas->private = pages(MAP_PRIVATE, "private");
    areas->shared = pages(MAP_SHARED, "sharing");
    areas->excluded = pages(MAP_PRIVATE, "exclude");
    areas->untouched = pages(MAP_PRIVATE, NULL);
    madvise(areas->excluded, 2 * PAGE, MADV_DONTDUMP);
    areas->tids[0] = gettid();
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (intptr_t i = 1; i < 3; i++)
        pthread_create(&t, NULL, other_thread, (void *)i);
    while (areas->ready < 2)
        sleep_ms(1);
    siginfo_t info = {.si_code = SI_QUEUE};
    info.si_value.sival_int = 77;
    syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGQUIT, &info);
    return 1;
}

struct prstatus {
    int32_t signo, code, error;
    int16_t signal, pad;
    uint64_t pending, held;
    int32_t pid, parent, group, session;
    int64_t times[8];
    uint64_t registers[27];
    int32_t float_valid;
};
struct prpsinfo {
    char state, letter, zombie, nice;
    uint64_t flags;
    uint32_t uid, gid;
    int32_t pid, parent, group, session;
    char name[16], arguments[80];
};

static void say_note(const Elf64_Nhdr *n, const char *name, const char *data, int *threads, pid_t pid) {
    switch (n->n_type) {
    case NT_PRSTATUS: {
        const struct prstatus *s = (const void *)data;
        bool known = s->pid == areas->tids[0] || s->pid == areas->tids[1] || s->pid == areas->tids[2];
        const Elf64_Phdr *code = segment_of(s->registers[16]), *stack = segment_of(s->registers[19]);
        say("note",
            "%s PRSTATUS size %d: thread %d, signal %d %d, held %#lx, known %d, first %d, parent %d, code %d, stack "
            "%d, call %d",
            name, (int)n->n_descsz, ++*threads, s->signo, s->signal, (unsigned long)s->held, known, s->pid == pid,
            s->parent == getpid(), code && code->p_flags & PF_X, stack && stack->p_flags & PF_W && stack->p_filesz > 0,
            (int)s->registers[15]);
        break;
    }
    case NT_PRPSINFO: {
        const struct prpsinfo *p = (const void *)data;
        say("note", "%s PRPSINFO size %d: pid %d, state %c, name %s, arguments %d", name, (int)n->n_descsz,
            p->pid == pid, p->letter, p->name, strstr(p->arguments, p->name) != NULL);
        break;
    }
    case NT_SIGINFO: {
        const siginfo_t *i = (const void *)data;
        say("note", "%s SIGINFO size %d: signal %d code %d value %d", name, (int)n->n_descsz, i->si_signo, i->si_code,
            i->si_value.sival_int);
        break;
    }
    case NT_AUXV: {
        const uint64_t *a = (const void *)data;
        size_t i = 0;
        while (16 * (i + 1) <= n->n_descsz && a[2 * i] != 6)
            i++;
        say("note", "%s AUXV: page size %d", name, (int)a[2 * i + 1]);
        break;
    }
    case NT_FILE: {
        const uint64_t *f = (const void *)data;
        const char *first = (const char *)(f + 2 + 3 * f[0]);
        say("note", "%s FILE: some %d, unit %d, first %s", name, f[0] > 0, (int)f[1], strrchr(first, '/'));
        break;
    }
    case NT_PRFPREG: say("note", "%s PRFPREG size %d", name, (int)n->n_descsz); break;
    case NT_X86_XSTATE: say("note", "%s XSTATE", name); break;
    default: say("note", "%s type %#x", name, n->n_type);
    }
}

static void contents(void) {
    memset(areas, 0, sizeof(*areas));
    pid_t pid = spawn(die_with_threads);
    siginfo_t info;
    int threads = 0;
    MUST(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    say("waitid", "code %d status %d", info.si_code, info.si_status);
    say("with threads", "%s", status_text(reap(pid)));
    struct stat s;
    int fd = MUST(open("core", O_RDONLY));
    MUST(fstat(fd, &s));
    file_size = (size_t)s.st_size;
    file = mmap(NULL, file_size, PROT_READ, MAP_PRIVATE, fd, 0);
    const Elf64_Ehdr *h = (const void *)file;
    const Elf64_Phdr *p = (const void *)(file + h->e_phoff), *last = p + h->e_phnum - 1;
    say("header", "%d %c%c%c class %d type %d machine %d entry %d flags %d", file[0], file[1], file[2], file[3],
        file[4], h->e_type, h->e_machine, (int)h->e_entry, (int)h->e_flags);
    say("first segment", "type %d", p->p_type);
    say_bool("size is where the last segment ends", last->p_offset + last->p_filesz == file_size);
    for (const char *at = file + p->p_offset, *end = at + p->p_filesz; at < end;) {
        const Elf64_Nhdr *n = (const void *)at;
        const char *name = at + sizeof(*n), *data = name + ((n->n_namesz + 3) & ~3u);
        say_note(n, name, data, &threads, pid);
        at = data + ((n->n_descsz + 3) & ~3u);
    }
    say("private memory", "\"%s\"", memory_of((uintptr_t)areas->private));
    say("shared memory", "\"%s\"", memory_of((uintptr_t)areas->shared));
    say("excluded memory", "\"%s\"", memory_of((uintptr_t)areas->excluded));
    say("untouched memory", "\"%s\"", memory_of((uintptr_t)areas->untouched));
    munmap(file, file_size);
    close(fd);
    unlink("core");
}

static void filter(void) {
    char value[16];
    int fd = MUST(open("/proc/self/coredump_filter", O_RDWR));
    say_file("filter", "/proc/self/coredump_filter");
    static const char *const values[] = {"0x1", "2", "0xfff", "x", "", "0"};
    for (size_t i = 0; i < COUNT(values); i++) {
        snprintf(value, sizeof(value), "set %s", values[i]);
        say_call(value, pwrite(fd, values[i], strlen(values[i]), 0));
        say_file("  is", "/proc/self/coredump_filter");
    }
    MUST(pwrite(fd, "2", 1, 0));
    memset(areas, 0, sizeof(*areas));
    pid_t pid = spawn(die_with_threads);
    say("inherited filter", "%s", status_text(reap(pid)));
    struct stat s;
    int core = MUST(open("core", O_RDONLY));
    MUST(fstat(core, &s));
    file_size = (size_t)s.st_size;
    file = mmap(NULL, file_size, PROT_READ, MAP_PRIVATE, core, 0);
    say("private memory", "\"%s\"", memory_of((uintptr_t)areas->private));
    say("shared memory", "\"%s\"", memory_of((uintptr_t)areas->shared));
    munmap(file, file_size);
    close(core);
    unlink("core");
    MUST(pwrite(fd, "0x33", 4, 0));
    close(fd);
}

int main(void) {
    areas = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    say_file("default pattern", PATTERN);
    when();
    limits();
    in_the_way();
    names();
    contents();
    filter();
    return 0;
}
