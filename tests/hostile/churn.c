// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Churn: workers, two a processor, do one act after the other (churn_acts.c): processes fork, map, fault, signal, execute and
// die, threads come and go. The judge replaces workers that died, ends those that got stuck, and in the end asks
// /proc/invar/objects and /proc/invar/accounts whether what the load took has come back: object by object, to what it was after
// a short round of the same.
//
//   churn [--seed S] [--seconds T] [--only ACT] [--settle MS]      settle: how long what was taken has for coming back
#define _GNU_SOURCE
#include "churn.h"
#include "sentinel.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STUCK_MS = 20000,
    SETTLE_MS = 20000,
    LINES_MOST = 160,
    OBJECTS_MORE = 48,       // of a cache: what may differ by chance
    MEMORY_MORE = 256 << 10, // bytes
    LEAK_KIB = 8 << 10,
};

struct churn_board *board;
static uint64_t seed = 1;
static int workers;
static uint64_t deaths;
static const char *only; // the one act that is done
static int64_t settle_ms = SETTLE_MS;

// --- what the machine holds ---

struct holding {
    struct {
        char name[40];
        int64_t count;
    } line[LINES_MOST];
    int count;
    long free_kib;
};

static void holding_read(struct holding *h, const char *path, const char *prefix) {
    static char text[16384];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    for (ssize_t n; fd != -1 && (n = read(fd, text + length, sizeof(text) - 1 - length)) > 0;) {
        length += (size_t)n;
    }
    close(fd);
    text[length] = 0;
    for (char *rest = text, *line; h->count < LINES_MOST && (line = strtok_r(rest, "\n", &rest)) != NULL;) {
        char name[32];
        long long count;
        if (sscanf(line, "%31s %lld", name, &count) == 2) {
            snprintf(h->line[h->count].name, sizeof(h->line[0].name), "%s%s", prefix, name);
            h->line[h->count++].count = count;
        }
    }
}

static void holding_now(struct holding *h) {
    h->count = 0;
    holding_read(h, "/proc/invar/objects", "");
    holding_read(h, "/proc/invar/accounts", "account.");
    h->free_kib = memory_free();
}

// What `after` holds more than it should. NULL: nothing. A kernel without the files is asked for its free memory only.
static const char *holding_more(const struct holding *before, const struct holding *after) {
    static char text[400];
    size_t at = 0;
    for (int i = 0; i < after->count; i++) {
        int64_t more = after->line[i].count;
        for (int k = 0; k < before->count; k++) {
            if (strcmp(before->line[k].name, after->line[i].name) == 0) {
                more -= before->line[k].count;
                break;
            }
        }
        bool exact = strncmp(after->line[i].name, "account.", 8) == 0 &&
                     strcmp(after->line[i].name, "account.memory") != 0;
        int64_t most = strcmp(after->line[i].name, "account.memory") == 0 ? MEMORY_MORE : exact ? 0 : OBJECTS_MORE;
        if (more > most && at < sizeof(text) - 80) {
            at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%lld more %s", at ? ", " : "", (long long)more,
                                   after->line[i].name);
        }
    }
    if (before->free_kib - after->free_kib > LEAK_KIB && at < sizeof(text) - 80) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%ld KiB less free", at ? ", " : "",
                               before->free_kib - after->free_kib);
    }
    return at ? text : NULL;
}

// --- workers ---

static void worker_main(int index, uint64_t incarnation) {
    uint64_t random = seed ^ (uint64_t)index << 32 ^ incarnation;
    int total = 0;
    setsid();
    for (int fd = 0; fd < 3; fd++) {
        close(fd);
        open("/dev/null", O_RDWR);
    }
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setrlimit(RLIMIT_AS, &(struct rlimit){64 << 20, 64 << 20});
    signal(SIGPIPE, SIG_IGN);
    become_user();
    prctl(PR_SET_DUMPABLE, 1);
    for (int i = 0; i < acts_count; i++) {
        total += acts[i].weight;
    }
    random_next(&random);
    for (;;) {
        int at = (int)random_below(&random, (uint64_t)total), i = 0;
        while (at >= acts[i].weight) {
            at -= acts[i++].weight;
        }
        board->at[index] = i;
        if (only == NULL || strcmp(only, acts[i].name) == 0) {
            acts[i].function(&random);
        }
        board->done[i]++;
        board->progress[index]++;
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
    }
}

// All threads of the load, in which state and call: for whoever looks for what holds a worker up.
static void threads_tell(void) {
    char command[] = "/proc/%d/task/%d/%s", path[64], text[300];
    for (int pid = 2; pid < 32768; pid++) {
        for (int tid = pid; kill(pid, 0) == 0 && tid < pid + 6; tid++) {
            for (int k = 0; k < 2; k++) {
                snprintf(path, sizeof(path), command, pid, tid, k ? "wchan" : "stat");
                int fd = open(path, O_RDONLY | O_CLOEXEC);
                ssize_t n = fd == -1 ? -1 : read(fd, text, 60);
                close(fd);
                if (n > 0) {
                    text[n] = 0;
                    text[strcspn(text, "\n")] = 0;
                    printf("%s%s", text, k ? "\n" : " ");
                } else if (k && fd != -1) {
                    printf("\n");
                }
            }
        }
    }
}

struct worker {
    pid_t pid;
    uint64_t incarnation, seen;
    int64_t seen_at;
};

static const char *worker_tend(struct worker *w, int index) {
    static char text[80];
    if (w->pid > 0 && waitpid(w->pid, NULL, WNOHANG) == w->pid) {
        board->pids[index] = 0;
        kill(-w->pid, SIGKILL);
        deaths++;
        w->pid = 0;
    }
    if (w->pid <= 0) {
        w->incarnation++;
        w->pid = fork();
        if (w->pid == 0) {
            worker_main(index, w->incarnation);
        }
        board->pids[index] = w->pid > 0 ? w->pid : 0;
        w->seen_at = now_ms();
    } else if (board->progress[index] != w->seen) {
        w->seen = board->progress[index];
        w->seen_at = now_ms();
    } else if (now_ms() - w->seen_at > STUCK_MS) {
        snprintf(text, sizeof(text), "worker %d has not gone on for %d s in %s", index, STUCK_MS / 1000,
                 acts[board->at[index]].name);
        threads_tell();
        return text;
    }
    return NULL;
}

static const char *workers_stop(struct worker *list) {
    const char *wrong = NULL;
    for (int i = 0; i < workers; i++) {
        const char *this = list[i].pid > 0 ? group_end(list[i].pid) : NULL;
        wrong = wrong ? wrong : this;
        if (list[i].pid > 0 && !this) {
            waitpid(list[i].pid, NULL, 0);
        }
        list[i] = (struct worker){0};
        board->pids[i] = 0;
    }
    return wrong;
}

// Children in sessions of their own that outlived their worker: they end by themselves, or by their terminal's hangup.
static void strays_end(void) {
    for (int i = 0; i < 100; i++) {
        bool any = false;
        for (pid_t pid = 2; pid < 32768; pid++) {
            char path[64], target[64];
            snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
            ssize_t n = kill(pid, 0) == 0 ? readlink(path, target, sizeof(target)) : -1;
            if (n == 10 && memcmp(target, "/tmp/churn", 10) == 0 && pid != getpid()) {
                any = true;
                kill(pid, SIGKILL);
            }
        }
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
        if (!any) {
            return;
        }
        usleep(20000);
    }
}

static const char *round_run(int64_t milliseconds) {
    struct worker list[CHURN_WORKERS_MOST] = {0};
    int64_t end = now_ms() + milliseconds, next_check = now_ms() + 1000;
    const char *wrong = NULL;
    chdir("/tmp/churn");
    while (!wrong && now_ms() < end) {
        for (int i = 0; i < workers && !wrong; i++) {
            wrong = worker_tend(&list[i], i);
        }
        if (board->wrong == 2) {
            wrong = board->text;
        }
        if (!wrong && now_ms() > next_check) {
            wrong = sentinel_check();
            next_check = now_ms() + 1000;
        }
        usleep(5000);
    }
    const char *killed = workers_stop(list);
    chdir("/");
    strays_end();
    return wrong ? wrong : killed;
}

// Waits until no more is held than before.
static const char *settled(const struct holding *before) {
    struct holding now;
    int64_t deadline = now_ms() + settle_ms;
    const char *more;
    do {
        usleep(100000);
        ipc_remove_all();
        holding_now(&now);
        more = holding_more(before, &now);
    } while (more && now_ms() < deadline);
    return more;
}

int main(int argc, char **argv) {
    int64_t seconds = 5;
    struct holding before;
    if (argc == 3 && strcmp(argv[1], "--brief") == 0) {
        return atoi(argv[2]);
    }
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0) {
            seconds = atoll(argv[i + 1]);
        } else if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[i + 1], NULL, 0);
        } else if (strcmp(argv[i], "--only") == 0) {
            only = argv[i + 1];
        } else if (strcmp(argv[i], "--settle") == 0) {
            settle_ms = atoll(argv[i + 1]);
        }
    }
    board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    workers = 2 * (int)sysconf(_SC_NPROCESSORS_ONLN);
    workers = workers > CHURN_WORKERS_MOST ? CHURN_WORKERS_MOST : workers;
    mkdir("/tmp/churn", 0777);
    printf("seed %llu, %d workers\n", (unsigned long long)seed, workers);
    fflush(stdout);
    sentinel_start(seed);
    printf("begin churn\n");
    fflush(stdout);
    const char *wrong = round_run(1500);
    ipc_remove_all(); // as settled does: the names that it asks for stay in the name cache
    usleep(1000000);
    holding_now(&before);
    verdict("churn", wrong ? wrong : round_run(seconds * 1000));
    verdict("all-comes-back", settled(&before));
    for (int i = 0; i < acts_count; i++) {
        printf("%s %llu, ", acts[i].name, (unsigned long long)board->done[i]);
    }
    printf("workers died %llu\n", (unsigned long long)deaths);
    sentinel_stop();
    return verdicts_bad() > 0;
}
