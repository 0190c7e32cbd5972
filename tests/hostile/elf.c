// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Mutated programs: a good static ELF file with flipped bits, cut ends and header fields at their extremes is executed
// over and over. execve must fail cleanly or the process die; the machine and the sentinel live on.
//
//   elf --seed S --count N --seconds T
#define _GNU_SOURCE
#include "sentinel.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IMAGE_MAX = 256 << 10, RUN_MS = 150, LEAK_KIB = 16 << 10 };

static unsigned char original[IMAGE_MAX], image[IMAGE_MAX];
static size_t original_length, length;
static uint64_t counts[4]; // refused, died, exited, had to be killed

// Fields of the headers, by offset and size: those of the program headers are in the first three of them.
static const struct {
    size_t offset, size;
} header_fields[] = {
    {offsetof(Elf64_Ehdr, e_type), 2},  {offsetof(Elf64_Ehdr, e_machine), 2}, {offsetof(Elf64_Ehdr, e_version), 4},
    {offsetof(Elf64_Ehdr, e_entry), 8}, {offsetof(Elf64_Ehdr, e_phoff), 8},   {offsetof(Elf64_Ehdr, e_phentsize), 2},
    {offsetof(Elf64_Ehdr, e_phnum), 2}, {offsetof(Elf64_Ehdr, e_ehsize), 2},  {4, 1},
};
static const struct {
    size_t offset, size;
} segment_fields[] = {
    {offsetof(Elf64_Phdr, p_type), 4},  {offsetof(Elf64_Phdr, p_flags), 4},  {offsetof(Elf64_Phdr, p_offset), 8},
    {offsetof(Elf64_Phdr, p_vaddr), 8}, {offsetof(Elf64_Phdr, p_filesz), 8}, {offsetof(Elf64_Phdr, p_memsz), 8},
    {offsetof(Elf64_Phdr, p_align), 8},
};

static uint64_t extreme(uint64_t *random) {
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      3,
                                      6,
                                      7,
                                      0xff,
                                      0x1000,
                                      0xfff,
                                      0x1001,
                                      0x7fff,
                                      0xffff,
                                      0x10000,
                                      0x7fffffff,
                                      0x80000000,
                                      0xffffffff,
                                      0x100000000,
                                      0x7ffffffff000,
                                      0x7fffffffefff,
                                      0x800000000000,
                                      0xffff800000000000,
                                      0xffffffff80000000,
                                      0x7fffffffffffffff,
                                      0x8000000000000000,
                                      0xfffffffffffff000,
                                      0xffffffffffffffff,
                                      0x400000,
                                      0x401000,
                                      0x40000000000,
                                      0x3fffffff000};
    return values[random_below(random, sizeof(values) / sizeof(values[0]))];
}

static void field_change(uint64_t *random, size_t offset, size_t size) {
    uint64_t value = random_below(random, 4) ? extreme(random) : 0;
    if (value == 0) {
        memcpy(&value, image + offset, size);
        value ^= 1UL << random_below(random, size * 8);
    }
    memcpy(image + offset, &value, size);
}

static void mutate(uint64_t *random) {
    memcpy(image, original, original_length);
    length = original_length;
    int changes = 1 + (int)random_below(random, 3);
    for (int i = 0; i < changes; i++) {
        size_t segment = sizeof(Elf64_Ehdr) + random_below(random, 5) * sizeof(Elf64_Phdr);
        size_t at;
        switch (random_below(random, 6)) {
        case 0:
            at = random_below(random, sizeof(header_fields) / sizeof(header_fields[0]));
            field_change(random, header_fields[at].offset, header_fields[at].size);
            break;
        case 1:
        case 2:
        case 3:
            at = random_below(random, sizeof(segment_fields) / sizeof(segment_fields[0]));
            field_change(random, segment + segment_fields[at].offset, segment_fields[at].size);
            break;
        case 4:
            at = random_below(random, random_below(random, 2) ? 512 : length);
            image[at] ^= (unsigned char)(1 << random_below(random, 8));
            break;
        default: length = random_below(random, random_below(random, 2) ? 600 : original_length); break;
        }
    }
}

static void limit_set(int resource, rlim_t value) {
    struct rlimit limit = {value, value};
    setrlimit(resource, &limit);
}

static void child_main(void) {
    static char *const argv[] = {(char *)"mutant", (char *)"quiet", NULL};
    static char *const envp[] = {(char *)"A=b", NULL};
    setsid();
    for (int fd = 0; fd < 3; fd++) {
        close(fd);
        open("/dev/null", O_RDWR);
    }
    limit_set(RLIMIT_CORE, 0);
    limit_set(RLIMIT_NPROC, 20);
    limit_set(RLIMIT_FSIZE, 0);
    become_user();
    execve("/tmp/mutant", argv, envp);
    _exit(errno == ENOEXEC || errno == EINVAL || errno == ENOMEM || errno == EACCES || errno == EFAULT ||
                  errno == EIO || errno == E2BIG || errno == ENOENT || errno == ELIBBAD || errno == ENAMETOOLONG ||
                  errno == EISDIR || errno == ENOTDIR || errno == ELOOP
              ? 111
              : 112);
}

static const char *mutant_run(void) {
    int fd = open("/tmp/mutant", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (fd == -1 || write(fd, image, length) != (ssize_t)length) {
        return errno == ETXTBSY ? "the file of a process that has been waited for is still busy"
                                : "the mutant cannot be written";
    }
    close(fd);
    pid_t pid = fork();
    if (pid == -1) {
        return "no process for the mutant";
    }
    if (pid == 0) {
        child_main();
    }
    int status = 0;
    int64_t deadline = now_ms() + RUN_MS;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (now_ms() > deadline + 10000) {
            return "a mutant does not die of SIGKILL";
        }
        if (now_ms() > deadline) {
            kill(pid, SIGKILL);
        }
        usleep(500);
    }
    kill(-pid, SIGKILL);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 112) {
        return "execve failed with an error that has nothing to do with the file";
    }
    counts[WIFEXITED(status) && WEXITSTATUS(status) == 111 ? 0
           : WIFSIGNALED(status)                           ? (WTERMSIG(status) == SIGKILL ? 3 : 1)
                                                           : 2]++;
    return NULL;
}

static const char *mutants_run(uint64_t seed, uint64_t count, int64_t deadline) {
    static char text[160];
    for (uint64_t i = 0; i < count && now_ms() < deadline; i++) {
        uint64_t random = seed ^ i << 20;
        mutate(&random);
        const char *wrong = mutant_run();
        if (!wrong && i % 50 == 49) {
            wrong = sentinel_check();
        }
        if (wrong) {
            snprintf(text, sizeof(text), "mutant %llu: %s", (unsigned long long)i, wrong);
            return text;
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    uint64_t seed = 1, count = 300;
    int64_t seconds = 8;
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t number = strtoull(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--seed") == 0) {
            seed = number;
        } else if (strcmp(argv[i], "--count") == 0) {
            count = number;
        } else if (strcmp(argv[i], "--seconds") == 0) {
            seconds = (int64_t)number;
        }
    }
    printf("seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    int fd = open("/tests/victim", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd == -1 ? -1 : read(fd, original, sizeof(original));
    if (n < 1024) {
        verdict("set-up", "/tests/victim cannot be read");
        return 2;
    }
    close(fd);
    original_length = (size_t)n;
    umask(022);
    sentinel_start(seed);
    long before = memory_free();
    verdict("mutants", mutants_run(seed, count, now_ms() + seconds * 1000));
    printf("%llu refused, %llu died, %llu ran to an end, %llu were killed\n", (unsigned long long)counts[0],
           (unsigned long long)counts[1], (unsigned long long)counts[2], (unsigned long long)counts[3]);
    unlink("/tmp/mutant");
    long missing = before - memory_free();
    verdict("memory", missing > LEAK_KIB ? "memory has not come back" : NULL);
    sentinel_stop();
    return verdicts_bad() > 0;
}
