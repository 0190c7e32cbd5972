// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The random system-call tester: several worker processes of two threads each make calls with arguments by seed; the
// judge replaces workers that died or got stuck, and in the end asks the sentinel, and looks whether the memory has
// come back.
//
//   fuzz --seed S --calls N --seconds T [--tally 1] [--all 1]      tally: what each call came to; all: fewer than N calls are a failure
//   fuzz --check 1                                       compares the table with the system's calls, and makes none
//
// Even workers are an ordinary user and try everything; odd ones are root and leave out what root may rightly do to the
// judge.
// Invariants: I1 a worker's sequence depends only on seed, worker, incarnation and thread. I2 the judge makes no call
// that a worker could hold up.
#define _GNU_SOURCE
#include "fuzz.h"
#include "sentinel.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WORKERS = 6,
    THREADS = 2,
    STUCK_MS = 600,
    CHILD_CALLS = 10,
    REFRESH_CALLS = 1024,
    LEAK_KIB = 24 << 10,
    CALLS_MOST = 1024
};

// Shared by the judge and the workers; the workers' calls never get its address as an argument.
struct board {
    _Atomic uint64_t made;
    _Atomic uint64_t progress[WORKERS];
    _Atomic int last[WORKERS][THREADS];
    // By place in the table: statistics, not exact.
    uint64_t succeeded[CALLS_MOST], failed[CALLS_MOST];
    bool unknown[CALLS_MOST]; // was refused as not there
    volatile int words[16];   // futexes of all; these alone the workers' calls get
};

static struct board *board;
static uint64_t seed;

// The parts of the table in a row, and the sum of the weights up to each.
static const struct call *table[CALLS_MOST];
static int table_count, weight_up_to[CALLS_MOST], total_weight;

static void table_add(const struct call *list, int count) {
    for (int i = 0; i < count && table_count < CALLS_MOST; i++) {
        total_weight += list[i].weight;
        weight_up_to[table_count] = total_weight;
        table[table_count++] = &list[i];
    }
}

// ---- A worker ----

struct thread_start {
    int worker;
    int thread;
    struct chance chance;
};

static int call_choose(struct chance *chance) {
    for (;;) {
        int at = (int)random_below(&chance->random, (uint64_t)total_weight), low = 0, high = table_count - 1;
        while (low < high) {
            int middle = (low + high) / 2;
            if (at < weight_up_to[middle]) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        if (table[low]->root_not == NULL || !chance->root) {
            return low;
        }
    }
}

// Calls that make processes need care: a child must not go on as a second worker.
static long call_fork(const struct call *call, struct chance *chance, uint64_t *values) {
    long pid;
    if (call->number == SYS_vfork) {
        pid = vfork();
        if (pid == 0) {
            _exit(0);
        }
        return pid;
    }
    if (call->number == SYS_clone) {
        // No shared memory or threads without a stack of their own; the rest of the flags as they come.
        values[0] &= ~(uint64_t)(CLONE_VM | CLONE_VFORK | CLONE_THREAD | CLONE_SETTLS);
        values[1] = 0;
    }
    pid = raw_call(call->number, values);
    if (pid == 0) {
        static bool child;
        if (!child) {
            child = true;
            calls_few(chance);
        }
        _exit(0);
    }
    return pid;
}

static bool makes_process(const struct call *call) {
    return call->number == SYS_fork || call->number == SYS_vfork || call->number == SYS_clone ||
           call->number == SYS_clone3;
}

static long call_make(const struct call *call, struct chance *chance) {
    uint64_t values[6];
    if (call->sequence) {
        return call->sequence(chance);
    }
    for (int i = 0; i < 6; i++) {
        values[i] = call->kinds[i] == FIXED ? call->fixed : value_make(chance, call->kinds[i]);
    }
    return makes_process(call) ? call_fork(call, chance, values) : raw_call(call->number, values);
}

void calls_few(struct chance *chance) {
    for (int i = 0; i < CHILD_CALLS; i++) {
        const struct call *call = table[call_choose(chance)];
        if (!call->sequence && !makes_process(call)) {
            call_make(call, chance);
        }
    }
}

static void on_alarm(int signal) {
    (void)signal;
}

// Keeps a worker able to go on: a timer that interrupts waits, an open mask, a few descriptors.
static void worker_refresh(void) {
    struct itimerval timer = {{0, 20000}, {0, 20000}};
    struct sigaction action = {.sa_handler = on_alarm};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void *worker_thread(void *argument) {
    struct thread_start *start = argument;
    for (uint64_t i = 0;; i++) {
        int at = call_choose(&start->chance);
        board->last[start->worker][start->thread] = at;
        long result = call_make(table[at], &start->chance);
        bool failed = result < 0 && result > -4096;
        (failed ? board->failed : board->succeeded)[at]++;
        board->unknown[at] |= result == -ENOSYS;
        board->made++;
        board->progress[start->worker]++;
        if (i % 32 == 0) {
            worker_refresh();
        }
        if (i % REFRESH_CALLS == REFRESH_CALLS - 1 && start->thread == 0) {
            descriptors_prepare(start->chance.root);
        }
    }
    return NULL;
}

static void limit_set(int resource, rlim_t value) {
    struct rlimit limit = {value, value};
    setrlimit(resource, &limit);
}

// Device nodes of root's own: it may change the mode of what it has open, and /dev belongs to all.
static void worker_streams(bool root) {
    if (root) {
        mknod("null", S_IFCHR | 0666, makedev(1, 3));
        mknod("zero", S_IFCHR | 0666, makedev(1, 5));
    }
    for (int fd = 0; fd < 3; fd++) {
        if (dup2(open(root ? "null" : "/dev/null", O_RDWR), fd) == -1) {
            _exit(2);
        }
    }
    syscall(SYS_close_range, 3, ~0U, 0);
}

// A copy of the small program, a script of it, and one that asks for itself.
static void worker_programs(void) {
    static char image[256 << 10];
    int from = open("/tests/victim", O_RDONLY), to = open("x", O_WRONLY | O_CREAT | O_TRUNC, 0777);
    ssize_t n = read(from, image, sizeof(image));
    if (n > 0) {
        write(to, image, (size_t)n);
    }
    close(from);
    close(to);
    to = open("script", O_WRONLY | O_CREAT | O_TRUNC, 0777);
    write(to, "#! ./x argument\n", 16);
    close(to);
    to = open("loop", O_WRONLY | O_CREAT | O_TRUNC, 0777);
    write(to, "#! ./loop\n", 10);
    close(to);
}

static void worker_files(void) {
    mkdir("d", 0777);
    mkdir("d/d", 0777);
    symlink("d", "l");
    symlink("self-loop", "self-loop");
    mknod("fifo", S_IFIFO | 0666, 0);
    worker_programs();
    for (int i = 0; i < 3; i++) {
        timer_t timer;
        timer_create(i == 0 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_REALTIME, &(struct sigevent){.sigev_signo = SIGURG},
                     &timer);
    }
}

static void worker_main(int worker, uint64_t incarnation) {
    static struct thread_start starts[THREADS];
    char path[64];
    setsid();
    snprintf(path, sizeof(path), "/tmp/fuzz/w%d", worker);
    // A folder without what the incarnation before it left, mounts included.
    remove_tree(path);
    mkdir(path, 0777);
    chmod(path, 0777);
    limit_set(RLIMIT_FSIZE, 1 << 20);
    limit_set(RLIMIT_NOFILE, 80);
    limit_set(RLIMIT_AS, 256 << 20);
    limit_set(RLIMIT_CORE, 0);
    if (worker % 2 == 0) {
        become_user();
    }
    if (chdir(path) == -1) {
        _exit(1);
    }
    worker_streams(worker % 2 == 1);
    prctl(PR_SET_DUMPABLE, 1); // change of user has ended it: it must be able to look at its own child
    worker_files();
    values_prepare();
    descriptors_prepare(worker % 2 == 1);
    worker_refresh();
    for (int i = 0; i < THREADS; i++) {
        uint64_t mix = seed ^ (uint64_t)worker << 32 ^ incarnation << 8 ^ (uint64_t)i;
        starts[i] = (struct thread_start){worker, i, {random_next(&mix), worker % 2 == 1}};
    }
    pthread_t thread;
    pthread_create(&thread, NULL, worker_thread, &starts[1]);
    worker_thread(&starts[0]);
}

// ---- The judge ----

struct worker {
    pid_t pid;
    uint64_t incarnation;
    uint64_t seen;
    int64_t seen_at;
};

static uint64_t deaths, stuck;
static int64_t longest_ms; // the judge's longest round: how long it was kept from its work

static void worker_start(struct worker *worker, int index) {
    worker->incarnation++;
    worker->pid = fork();
    if (worker->pid == 0) {
        worker_main(index, worker->incarnation);
        _exit(0);
    }
    worker->seen = board->progress[index];
    worker->seen_at = now_ms();
}

// Looks after one worker: starts it again where it has died, ends it where it got stuck.
static const char *worker_tend(struct worker *worker, int index) {
    int64_t now = now_ms();
    if (worker->pid <= 0) {
        worker_start(worker, index);
        return NULL;
    }
    pid_t pid = waitpid(worker->pid, NULL, WNOHANG);
    if (pid == worker->pid) {
        // Its children and its session go with it: what it left behind must not pile up.
        kill(-worker->pid, SIGKILL);
        deaths++;
        worker_start(worker, index);
    } else if (board->progress[index] != worker->seen) {
        worker->seen = board->progress[index];
        worker->seen_at = now;
    } else if (now - worker->seen_at > STUCK_MS) {
        if (now - worker->seen_at > 20 * STUCK_MS) {
            return "a worker does not die of SIGKILL";
        }
        if (now - worker->seen_at < 2 * STUCK_MS) {
            stuck++;
        }
        kill(-worker->pid, SIGKILL);
        kill(worker->pid, SIGKILL);
    }
    return NULL;
}

static const char *workers_run(struct worker *workers, uint64_t wanted, int64_t deadline) {
    int64_t next_check = now_ms() + 2000, last = now_ms();
    while (board->made < wanted && now_ms() < deadline) {
        int64_t now = now_ms();
        longest_ms = now - last > longest_ms ? now - last : longest_ms;
        last = now;
        for (int i = 0; i < WORKERS; i++) {
            const char *wrong = worker_tend(&workers[i], i);
            if (wrong) {
                printf("worker %d was last in %s and %s\n", i, table[board->last[i][0]]->name,
                       table[board->last[i][1]]->name);
                return wrong;
            }
        }
        // Orphans of workers come to us where we are process 1; elsewhere this does nothing.
        if (now_ms() > next_check) {
            const char *wrong = sentinel_check();
            if (wrong) {
                return wrong;
            }
            next_check = now_ms() + 2000;
        }
        usleep(10000);
    }
    return NULL;
}

static const char *workers_stop(struct worker *workers) {
    for (int i = 0; i < WORKERS; i++) {
        if (workers[i].pid > 0) {
            kill(-workers[i].pid, SIGKILL);
            kill(workers[i].pid, SIGKILL);
        }
    }
    int64_t deadline = now_ms() + 10000;
    for (int i = 0; i < WORKERS; i++) {
        while (workers[i].pid > 0 && waitpid(workers[i].pid, NULL, WNOHANG) == 0) {
            if (now_ms() > deadline) {
                return "a worker does not die of SIGKILL";
            }
            usleep(5000);
        }
    }
    return NULL;
}

// Ends what workers left behind in sessions and groups of their own: every process that is not ours by its current
// folder being theirs.
static void strays_kill(void) {
    for (pid_t pid = 2; pid < 400000; pid++) {
        char path[64], target[64];
        if (kill(pid, 0) == -1) {
            continue;
        }
        snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
        ssize_t n = readlink(path, target, sizeof(target));
        if (n > 9 && memcmp(target, "/tmp/fuzz", 9) == 0) {
            kill(pid, SIGKILL);
        }
        if (pid > 5000 && board->made < 1000000) {
            break;
        }
    }
}

// Which calls never had a good outcome, and which are not there: the measure of what a run has tried.
static void reach_print(bool tally) {
    uint64_t failed = 0;
    for (int i = 0; i < table_count; i++) {
        failed += board->failed[i];
    }
    printf("%llu calls of %d kinds, %llu of them errors\n", (unsigned long long)board->made, table_count,
           (unsigned long long)failed);
    for (int i = 0; tally && i < table_count; i++) {
        const char *reason = call_unsuccessful(table[i]->name);
        printf("tally %s: %llu good, %llu errors%s%s%s%s\n", table[i]->name, (unsigned long long)board->succeeded[i],
               (unsigned long long)board->failed[i], reason ? "; cannot succeed: " : "", reason ? reason : "",
               table[i]->root_not ? "; root leaves it out: " : "", table[i]->root_not ? table[i]->root_not : "");
    }
    printf("never succeeded:");
    for (int i = 0; i < table_count; i++) {
        if (board->succeeded[i] == 0 && !board->unknown[i] && !call_unsuccessful(table[i]->name)) {
            printf(" %s,", table[i]->name);
        }
    }
    printf("\nnot there:");
    for (int i = 0; i < table_count; i++) {
        if (board->unknown[i] && board->succeeded[i] == 0 && !call_unsuccessful(table[i]->name)) {
            printf(" %s,", table[i]->name);
        }
    }
    printf("\n");
}

static const char *memory_back(long before) {
    long missing = 0;
    for (int i = 0; i < 50; i++) {
        missing = before - memory_free();
        if (missing < LEAK_KIB) {
            return NULL;
        }
        usleep(100000);
    }
    static char text[80];
    snprintf(text, sizeof(text), "%ld KiB of memory have not come back", missing);
    return text;
}

int main(int argc, char **argv) {
    uint64_t wanted = 50000;
    int64_t seconds = 12;
    bool tally = false, all = false;
    struct worker workers[WORKERS] = {0};
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t number = strtoull(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--seed") == 0) {
            seed = number;
        } else if (strcmp(argv[i], "--calls") == 0) {
            wanted = number;
        } else if (strcmp(argv[i], "--seconds") == 0) {
            seconds = (int64_t)number;
        } else if (strcmp(argv[i], "--tally") == 0) {
            tally = number != 0;
        } else if (strcmp(argv[i], "--all") == 0) {
            all = number != 0;
        } else if (strcmp(argv[i], "--check") == 0) {
            return table_check() != 0;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    table_add(calls_plain, calls_plain_count);
    table_add(calls_commands, calls_commands_count);
    table_add(calls_sequences, calls_sequences_count);
    board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared_words = board->words;
    umask(0);
    if (mkdir("/tmp/fuzz", 0777) == -1) {
        // A worker has executed us: there is one judge.
        return 3;
    }
    printf("seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    sentinel_start(seed);
    long before = memory_free();
    int64_t start = now_ms();
    verdict("workers", workers_run(workers, wanted, start + seconds * 1000));
    if (all) {
        verdict("all-calls", board->made >= wanted ? NULL : "the time was over before all calls were made");
    }
    verdict("end", workers_stop(workers));
    strays_kill();
    printf("%lld ms, %llu workers died, %llu were stuck, the judge's longest round took %lld ms\n",
           (long long)(now_ms() - start), (unsigned long long)deaths, (unsigned long long)stuck, (long long)longest_ms);
    reach_print(tally);
    remove_tree("/tmp/fuzz");
    ipc_remove_all();
    verdict("memory", memory_back(before));
    sentinel_stop();
    return verdicts_bad() > 0;
}
