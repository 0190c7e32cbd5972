// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A mixture like a compilation under make with two jobs: a tree of processes that look at the times of files, search
// and read headers, execute a program, write outputs and rename them, and wait on a pipe of tokens. An operation is one
// compilation.
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOBS = 2, SOURCES = 6, HEADERS = 20, FILE_MOST = 6000, OUTPUT_WORDS = 2048, NAME_SIZE = 64 };

struct build {
    char program[512];            // what a job executes
    uint32_t source_sum[SOURCES]; // of the bytes of each source
    uint32_t header_sum;          // of the bytes of all headers
    unsigned targets;             // of this batch
    int tokens[2];                // a byte a job that may start
};

static uint32_t bytes_sum(const unsigned char *bytes, size_t size) {
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += bytes[i];
    return sum;
}

// Makes a file of about `size` bytes, and says what they add up to.
static uint32_t text_create(const char *name, size_t size, unsigned value) {
    unsigned char text[FILE_MOST];
    size = bench_draw(size, 1);
    bench_check(size <= sizeof text);
    for (size_t i = 0; i < size; i++)
        text[i] = (unsigned char)(value + i / 64);
    int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
    bench_check(fd >= 0 && write(fd, text, size) == (ssize_t)size && close(fd) == 0);
    return bytes_sum(text, size);
}

static void tree_create(struct build *build) {
    char name[NAME_SIZE];
    bench_check(mkdir("source", 0755) == 0 && mkdir("first", 0755) == 0 && mkdir("second", 0755) == 0);
    bench_check(mkdir("output", 0755) == 0);
    for (unsigned i = 0; i < SOURCES; i++) {
        snprintf(name, sizeof name, "source/unit%u.c", i);
        build->source_sum[i] = text_create(name, 4000, i);
    }
    for (unsigned i = 0; i < HEADERS; i++) {
        snprintf(name, sizeof name, "second/header%u.h", i);
        build->header_sum += text_create(name, 2500, 100 + i);
    }
}

// --- a job -----------------------------------------------------------------------------------------------------------

// Opens, measures and reads a file, as a compiler does; -1 when it is not there, else the sum of its bytes.
static int64_t text_read(const char *name) {
    unsigned char text[FILE_MOST];
    struct stat status;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) != 0 || read(fd, text, sizeof text) != status.st_size)
        exit(10);
    close(fd);
    return bytes_sum(text, (size_t)status.st_size);
}

// A header is searched for in two folders, and is in the second.
static uint32_t headers_read(void) {
    char name[NAME_SIZE];
    uint32_t sum = 0;
    for (unsigned i = 0; i < HEADERS; i++) {
        snprintf(name, sizeof name, "first/header%u.h", i);
        if (text_read(name) != -1 || errno != ENOENT)
            exit(11);
        snprintf(name, sizeof name, "second/header%u.h", i);
        int64_t one = text_read(name);
        if (one < 0)
            exit(12);
        sum += (uint32_t)one;
    }
    return sum;
}

static void output_write(unsigned target, uint32_t value) {
    uint32_t words[OUTPUT_WORDS];
    char part[NAME_SIZE], name[NAME_SIZE];
    for (unsigned i = 0; i < OUTPUT_WORDS; i++)
        words[i] = value + i;
    snprintf(part, sizeof part, "output/unit%u.o.part", target);
    snprintf(name, sizeof name, "output/unit%u.o", target);
    int fd = open(part, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, words, sizeof words / 2) != sizeof words / 2 ||
        write(fd, words + OUTPUT_WORDS / 2, sizeof words / 2) != sizeof words / 2 || close(fd) != 0)
        exit(13);
    if (rename(part, name) != 0)
        exit(14);
}

static void program_run(const struct build *build) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        execl(build->program, "child", (char *)NULL);
        _exit(15);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        exit(16);
}

// Compiles one source, and gives its token back.
static void job_main(const struct build *build, unsigned target) {
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "source/unit%u.c", target % SOURCES);
    int64_t sum = text_read(name);
    if (sum < 0)
        exit(17);
    output_write(target, (uint32_t)sum + headers_read());
    program_run(build);
    if (write(build->tokens[1], "t", 1) != 1)
        exit(18);
    _exit(0);
}

// --- make ------------------------------------------------------------------------------------------------------------

// Ends the children that have ended, all of them when `flags` is 0; false when one went wrong.
static bool jobs_reap(unsigned *running, int flags) {
    int status;
    pid_t pid;
    while (*running && (pid = waitpid(-1, &status, flags)) != 0) {
        if (pid < 0 || status != 0)
            return false;
        --*running;
    }
    return true;
}

static bool target_stale(unsigned target) {
    struct stat source, output;
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "source/unit%u.c", target % SOURCES);
    if (stat(name, &source) != 0)
        exit(19);
    snprintf(name, sizeof name, "output/unit%u.o", target);
    return stat(name, &output) != 0;
}

static int make_main(void *argument) {
    const struct build *build = argument;
    unsigned running = 0;
    char token;
    for (unsigned target = 0; target < build->targets; target++) {
        if (!target_stale(target) || read(build->tokens[0], &token, 1) != 1 || !jobs_reap(&running, WNOHANG))
            return 1;
        pid_t pid = fork();
        if (pid < 0)
            return 2;
        if (pid == 0)
            job_main(build, target);
        running++;
    }
    return !jobs_reap(&running, 0);
}

// --- the row ---------------------------------------------------------------------------------------------------------

// Every output is there, whole and right; removed for the next batch.
static void outputs_check(const struct build *build) {
    static uint32_t words[OUTPUT_WORDS + 1];
    char name[NAME_SIZE];
    for (unsigned target = 0; target < build->targets; target++) {
        uint32_t value = build->source_sum[target % SOURCES] + build->header_sum;
        snprintf(name, sizeof name, "output/unit%u.o", target);
        int fd = open(name, O_RDONLY);
        bench_check(fd >= 0 && read(fd, words, sizeof words) == OUTPUT_WORDS * 4);
        for (unsigned i = 0; i < OUTPUT_WORDS; i++)
            bench_check(words[i] == value + i);
        bench_check(close(fd) == 0 && unlink(name) == 0);
    }
    bench_check(rmdir("output") == 0 && mkdir("output", 0755) == 0); // and nothing else
}

static uint64_t make_batch(unsigned n, void *argument) {
    struct build *build = argument;
    build->targets = n;
    bench_check(pipe2(build->tokens, O_CLOEXEC) == 0 && write(build->tokens[1], "tttt", JOBS) == JOBS);
    uint64_t begin = bench_now();
    bench_reap(bench_child(make_main, build));
    uint64_t cost = bench_now() - begin;
    close(build->tokens[0]);
    close(build->tokens[1]);
    outputs_check(build);
    return cost;
}

static void mix_make_run(void) {
    static struct build build;
    snprintf(build.program, sizeof build.program, "%s", bench_program("child"));
    bench_folder();
    tree_create(&build);
    bench_batches(make_batch, &build, 10, 11);
}
BENCH_ROW(mix_make, BENCH_SHOWN, BENCH_PER_OPERATION,
          "a compilation under make with 2 jobs: processes, 20 headers, a program executed, an output renamed",
          mix_make_run);
