// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Futexes with priority inheritance: the word, errors, time limits, order of waiters, the priority that an owner gets (through chains too), circles,
// owners that die with and without a robust list, TRYLOCK, between processes.
#include "testing.h"

#include <pthread.h>
#include <stddef.h>

enum {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_REQUEUE = 3,
    FUTEX_LOCK_PI = 6,
    FUTEX_UNLOCK_PI = 7,
    FUTEX_TRYLOCK_PI = 8,
    FUTEX_LOCK_PI2 = 13,
    FUTEX_PRIVATE_FLAG = 128,
    FUTEX_CLOCK_REALTIME = 256
};
#define FUTEX_WAITERS    0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define PRIVATE          FUTEX_PRIVATE_FLAG

static uint32_t word, second, third;
static _Atomic int step, served;
static int order[8];

static long futex(uint32_t *address, int operation, long value, const struct timespec *time, uint32_t *other,
                  int value3) {
    return syscall(SYS_futex, address, operation, value, time, other, value3);
}
static pid_t tid(void) {
    return (pid_t)syscall(SYS_gettid);
}

static const char *word_text(uint32_t value, pid_t owner) {
    static char text[80];
    snprintf(text, sizeof(text), "%s%s%s",
             (value & 0x3fffffff) == 0              ? "nobody"
             : (pid_t)(value & 0x3fffffff) == owner ? "the owner"
                                                    : "another",
             value & FUTEX_WAITERS ? ", waiters" : "", value & FUTEX_OWNER_DIED ? ", owner died" : "");
    return text;
}

static struct timespec in_ms(clockid_t clock, int ms) {
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_nsec += ms * 1000000L;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static bool thread_blocked(pid_t thread) {
    char path[64], text[512];
    for (int i = 0, looks = 0; i < 2000; i++) {
        snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
        int fd = open(path, O_RDONLY);
        ssize_t n = fd == -1 ? 0 : read(fd, text, sizeof(text) - 1);
        close(fd);
        text[n > 0 ? n : 0] = 0;
        const char *after = strrchr(text, ')');
        looks = after && after[2] == 'S' ? looks + 1 : 0;
        if (looks == 2) {
            return true;
        }
        sleep_ms(2);
    }
    return false;
}

// ---- one thread ----

static void alone(void) {
    word = 0;
    say_call("LOCK_PI of a free word", futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say("word", "%s", word_text(word, tid()));
    say_call("LOCK_PI again", futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say_call("TRYLOCK_PI again", futex(&word, FUTEX_TRYLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say_call("UNLOCK_PI", futex(&word, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say("word", "%s", word_text(word, tid()));
    say_call("UNLOCK_PI again", futex(&word, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say_call("TRYLOCK_PI of a free word", futex(&word, FUTEX_TRYLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    word |= FUTEX_WAITERS;
    say_call("UNLOCK_PI with the mark of waiters", futex(&word, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say("word", "%s", word_text(word, tid()));
    word = 1;
    say_call("UNLOCK_PI of another's", futex(&word, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    word = 0x3ffffff0;
    say_call("LOCK_PI of nobody's number", futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say("word", "%s", word_text(word, tid()));
    say_call("TRYLOCK_PI of nobody's number", futex(&word, FUTEX_TRYLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    word = FUTEX_OWNER_DIED;
    say_call("LOCK_PI of one whose owner died", futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say("word", "%s", word_text(word, tid()));
    word = FUTEX_OWNER_DIED | FUTEX_WAITERS;
    say_call("LOCK_PI with both marks", futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say("word", "%s", word_text(word, tid()));
    say_call("LOCK_PI at an odd address",
             futex((uint32_t *)((char *)&word + 1), FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say_call("LOCK_PI at a bad address", futex((uint32_t *)16, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say_call("UNLOCK_PI at an odd address",
             futex((uint32_t *)((char *)&word + 1), FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say_call("UNLOCK_PI at a bad address", futex((uint32_t *)16, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    uint32_t *constant = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say_call("LOCK_PI of a word that cannot be written", futex(constant, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    struct timespec bad = {0, 1000000000};
    word = 0;
    say_call("LOCK_PI with a bad time", futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, &bad, NULL, 0));
    say_call("LOCK_PI with a time at a bad address", futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, (void *)8, NULL, 0));
    say_call("LOCK_PI with FUTEX_CLOCK_REALTIME",
             futex(&word, FUTEX_LOCK_PI | PRIVATE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    say_call("LOCK_PI2 with FUTEX_CLOCK_REALTIME",
             futex(&word, FUTEX_LOCK_PI2 | PRIVATE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    say_call("UNLOCK_PI with FUTEX_CLOCK_REALTIME",
             futex(&word, FUTEX_UNLOCK_PI | PRIVATE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    word = 0;
}

// ---- an owner and others ----

static void *hold(void *until) {
    struct gate *gates = until;
    futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    gate_raise(&gates[0]);
    gate_wait(&gates[1]);
    say_call("UNLOCK_PI", futex(&word, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    return NULL;
}

static void handler(int signal) {
    (void)signal;
    step++;
}

static void *interrupt(void *target) {
    thread_blocked(getpid());
    syscall(SYS_tkill, *(pid_t *)target, SIGUSR1);
    while (step == 0) {
        sleep_ms(1);
    }
    thread_blocked(getpid());
    struct gate *gates = (struct gate *)((pid_t *)target + 2);
    gate_raise(&gates[1]);
    return NULL;
}

static void held_by_another(void) {
    struct {
        pid_t main;
        int pad;
        struct gate gates[2];
    } shared = {getpid(), 0, {gate_create(), gate_create()}};
    pthread_t owner, other;
    word = 0;
    MUST(pthread_create(&owner, NULL, hold, shared.gates));
    gate_wait(&shared.gates[0]);
    say_call("TRYLOCK_PI of another's", futex(&word, FUTEX_TRYLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say("word", "%s", word_text(word, 0));
    say_call("UNLOCK_PI of another's", futex(&word, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    int64_t before = now_ms(); // before the times are made: what comes in between counts too
    struct timespec past = {1, 0}, soon = in_ms(CLOCK_REALTIME, 30), later = in_ms(CLOCK_MONOTONIC, 30);
    say_call("LOCK_PI until a time in the past", futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, &past, NULL, 0));
    say_call("LOCK_PI until soon", futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, &soon, NULL, 0));
    say_call("LOCK_PI2 until soon", futex(&word, FUTEX_LOCK_PI2 | PRIVATE, 0, &later, NULL, 0));
    soon = in_ms(CLOCK_REALTIME, 30);
    say_call("LOCK_PI2 until soon, on the other clock",
             futex(&word, FUTEX_LOCK_PI2 | PRIVATE | FUTEX_CLOCK_REALTIME, 0, &soon, NULL, 0));
    say_bool("it took that long", now_ms() - before >= 50);
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    step = 0;
    MUST(pthread_create(&other, NULL, interrupt, &shared));
    long result = futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    int error = errno;
    pthread_join(owner, NULL); // it says its line first
    errno = error;
    say_call("LOCK_PI goes on after a signal, without SA_RESTART", result);
    say("handlers run", "%d", step);
    say("word", "%s", word_text(word, tid()));
    say_call("UNLOCK_PI", futex(&word, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say("word", "%s", word_text(word, tid()));
    pthread_join(other, NULL);
}

// ---- the wrong kind of waiter ----

static void *plain_wait(void *out) {
    *(pid_t *)out = tid();
    step = 1;
    futex(&second, FUTEX_WAIT | PRIVATE, second, NULL, NULL, 0);
    return NULL;
}
static void *pi_wait(void *out) {
    *(pid_t *)out = tid();
    step = 1;
    futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    futex(&word, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    return NULL;
}

static void wrong_kinds(void) {
    pthread_t thread;
    pid_t other = 0;
    step = 0;
    second = 1;
    MUST(pthread_create(&thread, NULL, plain_wait, &other));
    while (step == 0) {
        sleep_ms(1);
    }
    thread_blocked(other);
    say_call("LOCK_PI of a word with plain waiters", futex(&second, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    second = (uint32_t)tid();
    say_call("UNLOCK_PI of it", futex(&second, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    say_call("WAKE", futex(&second, FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0));
    pthread_join(thread, NULL);
    word = 0;
    futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    step = 0;
    MUST(pthread_create(&thread, NULL, pi_wait, &other));
    while (step == 0) {
        sleep_ms(1);
    }
    thread_blocked(other);
    say("word", "%s", word_text(word, tid()));
    say_call("WAKE of a lock", futex(&word, FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0));
    say_call("REQUEUE of a lock", futex(&word, FUTEX_REQUEUE | PRIVATE, 0, (void *)1, &second, 0));
    say_call("UNLOCK_PI", futex(&word, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    pthread_join(thread, NULL);
    say("word", "%s", word_text(word, tid()));
}

// ---- order and inheritance ----

struct contender {
    pthread_t thread;
    _Atomic pid_t tid;
    int priority, number;
    uint32_t *holds, *wants;
    long result;
};

static void *contend(void *argument) {
    struct contender *c = argument;
    struct sched_param p = {.sched_priority = c->priority};
    syscall(SYS_sched_setscheduler, 0, c->priority > 0 ? SCHED_FIFO : SCHED_OTHER, &p);
    if (c->holds) {
        futex(c->holds, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    }
    c->tid = tid();
    c->result = futex(c->wants, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    if (c->result == -1) {
        c->result = errno;
    } else {
        order[served++] = c->number;
        futex(c->wants, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    }
    if (c->holds) {
        futex(c->holds, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    }
    return NULL;
}

static void start(struct contender *c) {
    MUST(pthread_create(&c->thread, NULL, contend, c));
    while (c->tid == 0) {
        sleep_ms(1);
    }
    thread_blocked(c->tid);
}

// The priority that the kernel shows of a thread: -1 - priority for real-time ones.
static int shown_priority(pid_t thread) {
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
    int fd = MUST(open(path, O_RDONLY));
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    char *at = strrchr(text, ')') + 2;
    for (int field = 3; field < 18; field++) {
        at = strchr(at, ' ') + 1;
    }
    return atoi(at);
}

static void ordered(void) {
    struct contender c[4] = {{.priority = 0, .number = 1, .wants = &word},
                             {.priority = 10, .number = 2, .wants = &word},
                             {.priority = 30, .number = 3, .wants = &word},
                             {.priority = 10, .number = 4, .wants = &word}};
    word = 0;
    served = 0;
    futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    for (int i = 0; i < 4; i++) {
        start(&c[i]);
        say("owner's priority", "%d", shown_priority(getpid()));
    }
    futex(&word, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(c[i].thread, NULL);
    }
    say("afterwards", "%d", shown_priority(getpid()));
    say("order", "%d %d %d %d", order[0], order[1], order[2], order[3]);
}

static void chain(void) {
    struct contender middle = {.priority = 0, .number = 1, .holds = &second, .wants = &word};
    struct contender outer = {.priority = 5, .number = 2, .holds = &third, .wants = &second};
    struct contender most = {.priority = 40, .number = 3, .wants = &third};
    struct sched_param p = {.sched_priority = 60};
    word = second = third = 0;
    served = 0;
    futex(&word, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    start(&middle);
    start(&outer);
    say("chain", "%d, %d", shown_priority(getpid()), shown_priority(middle.tid));
    start(&most);
    say("chain with a more urgent one", "%d, %d, %d", shown_priority(getpid()), shown_priority(middle.tid),
        shown_priority(outer.tid));
    MUST(syscall(SYS_sched_setscheduler, most.tid, SCHED_FIFO, &p));
    say("it becomes more urgent still", "%d, %d, %d", shown_priority(getpid()), shown_priority(middle.tid),
        shown_priority(outer.tid));
    say_call("LOCK_PI that would close a circle", futex(&third, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    futex(&word, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    pthread_join(middle.thread, NULL);
    pthread_join(outer.thread, NULL);
    pthread_join(most.thread, NULL);
    say("afterwards", "%d; order %d %d %d", shown_priority(getpid()), order[0], order[1], order[2]);
}

// ---- owners that die ----

struct robust {
    struct robust *next;
    uint32_t lock, pad;
};
static struct {
    struct robust *next;
    long offset;
    struct robust *pending;
} list_head;
static struct robust entry;
static bool robust, pending;

static void *die_holding(void *out) {
    uint32_t *lock = robust ? &entry.lock : &word;
    if (robust) {
        list_head.offset = offsetof(struct robust, lock);
        entry.next = (struct robust *)&list_head;
        list_head.next = pending ? (struct robust *)&list_head : (struct robust *)((uintptr_t)&entry | 1);
        list_head.pending = pending ? (struct robust *)((uintptr_t)&entry | 1) : NULL;
        syscall(SYS_set_robust_list, &list_head, sizeof(list_head));
    }
    futex(lock, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    *(pid_t *)out = tid();
    step = 1;
    while (step == 1) {
        sleep_ms(1);
    }
    return NULL;
}

static void *wait_for_dead(void *argument) {
    uint32_t *lock = argument;
    long result = futex(lock, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
    say("LOCK_PI when the owner died", "%ld, word %s", result, word_text(*lock, tid()));
    say_call("UNLOCK_PI", futex(lock, FUTEX_UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
    return NULL;
}

static void owner_dies(const char *name, bool waits) {
    pthread_t owner, waiter;
    _Atomic pid_t other = 0;
    uint32_t *lock = robust ? &entry.lock : &word;
    say("owner dies", "%s", name);
    *lock = 0;
    step = 0;
    MUST(pthread_create(&owner, NULL, die_holding, (void *)&other));
    while (step == 0) {
        sleep_ms(1);
    }
    if (waits) {
        MUST(pthread_create(&waiter, NULL, wait_for_dead, lock));
        while (!(*lock & FUTEX_WAITERS)) {
            sleep_ms(1);
        }
        sleep_ms(20);
    }
    step = 2;
    pthread_join(owner, NULL);
    if (waits) {
        pthread_join(waiter, NULL);
    }
    say("word", "%s", word_text(*lock, other));
    if (!waits) {
        long result = futex(lock, FUTEX_LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
        say("LOCK_PI afterwards", "%s, word %s", result == -1 ? error_name(errno) : "0", word_text(*lock, tid()));
    }
}

// ---- between processes ----

static uint32_t *across;
static struct gate ready;
static int holds_across(void) {
    futex(across, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
    gate_raise(&ready);
    await_blocked(getppid());
    return futex(across, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0 ? 0 : errno;
}

static int dies_across(void) {
    futex(across, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
    gate_raise(&ready);
    await_blocked(getppid());
    return 0;
}

static void between_processes(void) {
    across = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ready = gate_create();
    pid_t pid = spawn(holds_across);
    gate_wait(&ready);
    say_call("LOCK_PI of another process's", futex(across, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    say("word", "%s", word_text(*across, tid()));
    futex(across, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
    say("UNLOCK_PI in the other process", "%s", status_text(reap(pid)));
    pid = spawn(dies_across);
    gate_wait(&ready);
    say_call("LOCK_PI of a process that ends", futex(across, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    say("word", "%s", word_text(*across, tid()));
    reap(pid);
}

int main(void) {
    alone();
    held_by_another();
    wrong_kinds();
    ordered();
    chain();
    owner_dies("without a list", true);
    owner_dies("without a list, nobody waits", false);
    robust = true;
    owner_dies("on its list", true);
    owner_dies("on its list, nobody waits", false);
    pending = true;
    owner_dies("pending", true);
    between_processes();
    return 0;
}
