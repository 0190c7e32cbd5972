// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The sentinel process and what the judges share. See sentinel.h.
#define _GNU_SOURCE
#include "sentinel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MEMORY_SIZE = 256 << 10, FILE_SIZE = 64 << 10, ANSWER_MS = 60000 };

static const char sentinel_file[] = "/tmp/sentinel";
static pid_t sentinel_pid;
static int question[2], answer[2];
static int bad;

uint64_t random_next(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool verdict(const char *name, const char *wrong) {
    if (wrong) {
        printf("FAIL %s: %s\n", name, wrong);
        bad++;
    } else {
        printf("ok %s\n", name);
    }
    fflush(stdout);
    return !wrong;
}

int verdicts_bad(void) {
    return bad;
}

static void pattern_fill(uint64_t *words, size_t size, uint64_t seed) {
    for (size_t i = 0; i < size / 8; i++) {
        words[i] = random_next(&seed);
    }
}

static bool pattern_holds(const uint64_t *words, size_t size, uint64_t seed) {
    for (size_t i = 0; i < size / 8; i++) {
        if (words[i] != random_next(&seed)) {
            return false;
        }
    }
    return true;
}

static bool file_holds(int fd, uint64_t seed) {
    static uint64_t words[FILE_SIZE / 8];
    ssize_t n = pread(fd, words, FILE_SIZE, 0);
    if (n != FILE_SIZE) {
        fprintf(stderr, "sentinel: read of the file: %zd, %s\n", n, n < 0 ? strerror(errno) : "short");
        return false;
    }
    return pattern_holds(words, FILE_SIZE, seed + 1);
}

// The name leads to the file that was opened at the start.
static bool name_holds(int fd) {
    struct stat kept, named;
    if (fstat(fd, &kept) == -1 || lstat(sentinel_file, &named) == -1) {
        fprintf(stderr, "sentinel: %s: %s\n", sentinel_file, strerror(errno));
        return false;
    }
    return kept.st_dev == named.st_dev && kept.st_ino == named.st_ino;
}

// What the sentinel answers: k good, m memory changed, f file changed, n name changed, c no child,
// d the child did not end by itself.
static char sentinel_look(int fd, const uint64_t *memory, uint64_t seed) {
    if (!pattern_holds(memory, MEMORY_SIZE, seed)) {
        return 'm';
    }
    if (!file_holds(fd, seed)) {
        return 'f';
    }
    if (!name_holds(fd)) {
        return 'n';
    }
    for (int try = 0; try < 200; try++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0) {
            _exit(42);
        }
        if (pid > 0) {
            if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 42) {
                return 'k';
            }
            fprintf(stderr, "sentinel: its child's status: %#x\n", (unsigned)status);
            return 'd';
        }
        usleep(10000);
    }
    fprintf(stderr, "sentinel: fork: %s\n", strerror(errno));
    return 'c';
}

static void sentinel_main(uint64_t seed) {
    uint64_t *memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static uint64_t words[FILE_SIZE / 8];
    setsid();
    if (memory == MAP_FAILED) {
        _exit(1);
    }
    pattern_fill(memory, MEMORY_SIZE, seed);
    pattern_fill(words, FILE_SIZE, seed + 1);
    int fd = open(sentinel_file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd == -1 || write(fd, words, FILE_SIZE) != FILE_SIZE) {
        _exit(2);
    }
    char byte;
    while (read(question[0], &byte, 1) == 1) {
        byte = sentinel_look(fd, memory, seed);
        if (write(answer[1], &byte, 1) != 1) {
            _exit(3);
        }
    }
    _exit(0);
}

void sentinel_start(uint64_t seed) {
    if (pipe2(question, O_CLOEXEC) == -1 || pipe2(answer, O_CLOEXEC) == -1 || (sentinel_pid = fork()) == -1) {
        verdict("sentinel", "cannot be started");
        exit(2);
    }
    if (sentinel_pid == 0) {
        close(question[1]);
        close(answer[0]);
        sentinel_main(seed);
    }
    close(question[0]);
    close(answer[1]);
    const char *wrong = sentinel_check();
    if (wrong) {
        verdict("sentinel", wrong);
        exit(2);
    }
}

// One line of a file, to standard error.
static void file_tell(const char *path) {
    char text[400];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n > 0) {
        text[n] = 0;
        text[strcspn(text, "\n")] = 0;
        fprintf(stderr, "%s: %s\n", path, text);
    }
}

// What the machine looks like when the sentinel is silent: load, the sentinel, its children, how many processes in which state.
static void silence_tell(void) {
    char path[300], text[400], states[128] = {0};
    unsigned count[128] = {0};
    DIR *list = opendir("/proc");
    file_tell("/proc/loadavg");
    for (struct dirent *entry; list && (entry = readdir(list));) {
        int pid = atoi(entry->d_name), parent = 0, fd;
        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        if (pid == 0 || (fd = open(path, O_RDONLY | O_CLOEXEC)) == -1) {
            continue;
        }
        ssize_t n = read(fd, text, sizeof(text) - 1);
        close(fd);
        text[n > 0 ? n : 0] = 0;
        char *end = strrchr(text, ')'), state = '?';
        if (end && sscanf(end + 1, " %c %d", &state, &parent) == 2) {
            count[state & 127]++;
            states[state & 127] = state;
        }
        if (pid == sentinel_pid || parent == sentinel_pid) {
            file_tell(path);
        }
    }
    for (int i = 0; i < 128; i++) {
        if (states[i]) {
            fprintf(stderr, "processes in state %c: %u\n", i, count[i]);
        }
    }
    if (list) {
        closedir(list);
    }
}

const char *sentinel_check(void) {
    char byte = '?';
    if (waitpid(sentinel_pid, NULL, WNOHANG) != 0) {
        return "the sentinel has died";
    }
    if (write(question[1], &byte, 1) != 1) {
        return "the sentinel cannot be asked";
    }
    struct pollfd wanted = {answer[0], POLLIN, 0};
    int ready;
    while ((ready = poll(&wanted, 1, ANSWER_MS)) == -1 && errno == EINTR) {}
    if (ready != 1 || read(answer[0], &byte, 1) != 1) {
        silence_tell();
        return "the sentinel does not answer";
    }
    switch (byte) {
    case 'k': return NULL;
    case 'm': return "the sentinel's memory has changed";
    case 'f': return "the sentinel's file has changed";
    case 'n': return "the sentinel's file has another name, or none";
    case 'd': return "the sentinel's child has died";
    default: return "the sentinel cannot make a child";
    }
}

void sentinel_stop(void) {
    verdict("sentinel", sentinel_check());
    close(question[1]);
    waitpid(sentinel_pid, NULL, 0);
    unlink(sentinel_file);
}

long memory_free(void) {
    char text[2048];
    int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0) {
        fprintf(stderr, "/proc/meminfo cannot be %s: %s\n", fd == -1 ? "opened" : "read",
                n == 0 ? "empty" : strerror(errno));
        close(fd);
        return 0;
    }
    close(fd);
    text[n] = 0;
    const char *at = strstr(text, "MemFree:");
    return at ? strtol(at + 8, NULL, 10) : 0;
}

void become_user(void) {
    if (setgroups(0, NULL) == -1 || setgid(1000) == -1 || setuid(1000) == -1) {
        _exit(90);
    }
}

void remove_tree(const char *path) {
    char inner[512];
    struct stat status;
    // A hostile program may have mounted something here, more than once.
    for (int i = 0; i < 20 && umount2(path, MNT_DETACH) == 0; i++) {}
    DIR *list = lstat(path, &status) == 0 && S_ISDIR(status.st_mode) ? opendir(path) : NULL;
    for (struct dirent *entry; list && (entry = readdir(list));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            snprintf(inner, sizeof(inner), "%.200s/%.255s", path, entry->d_name);
            if (unlink(inner) == -1) {
                remove_tree(inner);
            }
        }
    }
    if (list) {
        closedir(list);
    }
    rmdir(path);
}

const char *group_end(pid_t group) {
    int64_t deadline = now_ms() + 30000;
    while (kill(-group, SIGKILL) == 0 || errno != ESRCH) {
        while (waitpid(-group, NULL, WNOHANG) > 0) {}
        if (now_ms() > deadline) {
            return "processes that were killed are still there";
        }
        usleep(5000);
    }
    return NULL;
}

void ipc_remove_all(void) {
    static const char *const names[] = {"a", "b", "c", "d", "l", "fifo", "self-loop", "hog", "missing"};
    struct {
        char text[256];
    } status;
    // The command that finds by index: shmctl 13, semctl 18, msgctl 11. None takes more than 256 bytes.
    for (int i = 0; i < 32768; i++) {
        long id = syscall(SYS_shmctl, i, 13, &status);
        if (id >= 0) {
            syscall(SYS_shmctl, id, 0, NULL);
        }
        id = syscall(SYS_semctl, i, 0, 18, &status);
        if (id >= 0) {
            syscall(SYS_semctl, id, 0, 0, 0);
        }
        id = syscall(SYS_msgctl, i, 11, &status);
        if (id >= 0) {
            syscall(SYS_msgctl, id, 0, NULL);
        }
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        syscall(SYS_mq_unlink, names[i]);
    }
    char name[16];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "hog%d", i);
        syscall(SYS_mq_unlink, name);
    }
}
