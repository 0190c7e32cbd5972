// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What signals do to calls that block: a table of calls, each made by a child of its own, all at once. Three rounds: a handler without SA_RESTART, one with
// it, and a stop with a continuation, for which there is no handler. A call that is over then says with what; one that went on is let go by its event.
#ifndef TESTS_LINUX_INTERRUPTION_H
#define TESTS_LINUX_INTERRUPTION_H

#include "../testing.h"

struct slot {
    int a, b;     // descriptors, or numbers
    void *memory; // shared with the child
    pid_t child;
    /* shared: */
    struct outcome {
        volatile int handled, done, error;
        volatile long result;
    } * outcome;
};

struct blocking {
    const char *name;
    void (*prepare)(struct slot *s); // may be NULL
    long (*call)(struct slot *s);    // in the child
    void (*release)(struct slot *s); // NULL: nothing does
    bool quiet;                      // a result that is a number of the run's: only whether there is one
};

enum { ROUND_PLAIN, ROUND_RESTART, ROUND_STOP, ROUNDS };
#define SLOTS_MAX 32

static struct outcome *interruption_own;

static void interruption_handler(int signal) {
    (void)signal;
    interruption_own->handled = interruption_own->handled + 1;
}

static void interruption_child(const struct blocking *b, struct slot *s, int round) {
    interruption_own = s->outcome;
    if (round != ROUND_STOP) {
        struct sigaction a = {.sa_handler = interruption_handler, .sa_flags = round == ROUND_RESTART ? SA_RESTART : 0};
        MUST(sigaction(SIGUSR1, &a, NULL));
    }
    errno = 0;
    s->outcome->result = b->call(s);
    s->outcome->error = errno;
    s->outcome->done = 1;
    _exit(0);
}

// The call is over, or the child sleeps in several looks.
static void interruption_settle(struct slot *s) {
    int looks = 0;
    for (int i = 0; i < 3000 && looks < 3 && !s->outcome->done; i++) {
        char state = process_state(s->child);
        looks = state == 'S' ? looks + 1 : 0;
        if (looks < 3)
            sleep_ms(2);
    }
    if (looks < 3 && !s->outcome->done)
        (void)await_failed(s->child, "blocked or done");
}

static void interruption_disturb(struct slot *s, int n, int round) {
    for (int i = 0; i < n; i++)
        kill(s[i].child, round == ROUND_STOP ? SIGSTOP : SIGUSR1);
    for (int i = 0; i < n; i++) {
        if (round == ROUND_STOP)
            (void)await_state(s[i].child, 'T');
        for (int wait = 0; round != ROUND_STOP && wait < 2000 && !s[i].outcome->handled; wait++)
            sleep_ms(2);
    }
    for (int i = 0; i < n; i++)
        if (round == ROUND_STOP)
            kill(s[i].child, SIGCONT);
}

static void interruption_say(const struct blocking *b, struct slot *s) {
    char how[64];
    bool over = s->outcome->done;

    if (!over && b->release)
        b->release(s);
    for (int wait = 0; b->release && wait < 2000 && !s->outcome->done; wait++)
        sleep_ms(2);
    if (!s->outcome->done)
        snprintf(how, sizeof(how), "-");
    else if (s->outcome->result == -1)
        snprintf(how, sizeof(how), "%s", error_name(s->outcome->error));
    else if (b->quiet)
        snprintf(how, sizeof(how), "ok");
    else
        snprintf(how, sizeof(how), "%ld", s->outcome->result);
    say(b->name, "%s%s", over ? "" : "goes on: ", how);
    kill(s->child, SIGKILL);
    reap(s->child);
}

static void interruption_round(const struct blocking *b, int n, int round) {
    static struct slot slots[SLOTS_MAX];
    struct outcome *outcomes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    memset(slots, 0, sizeof(slots));
    for (int i = 0; i < n; i++) {
        slots[i].outcome = &outcomes[i];
        slots[i].a = slots[i].b = -1;
        if (b[i].prepare)
            b[i].prepare(&slots[i]);
    }
    for (int i = 0; i < n; i++) {
        slots[i].child = MUST(fork());
        if (slots[i].child == 0)
            interruption_child(&b[i], &slots[i], round);
    }
    for (int i = 0; i < n; i++)
        interruption_settle(&slots[i]);
    interruption_disturb(slots, n, round);
    for (int i = 0; i < n; i++)
        interruption_settle(&slots[i]);
    for (int i = 0; i < n; i++)
        interruption_say(&b[i], &slots[i]);
    for (int i = 0; i < n; i++) {
        close(slots[i].a);
        close(slots[i].b);
    }
    munmap(outcomes, 4096);
}

static void interruption_all(const struct blocking *b, int n) {
    static const char *const names[ROUNDS] = {"without SA_RESTART", "with SA_RESTART", "stopped and continued"};
    for (int round = 0; round < ROUNDS; round++) {
        say(names[round], "%d calls", n);
        interruption_round(b, n, round);
    }
}

#endif
