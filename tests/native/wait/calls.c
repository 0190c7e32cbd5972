// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// object_wait and object_wait_many: what wakes, what does not, deadlines, interruption, closing while one waits, errors in order, races.
#include "testing.h"

#include <invar/ipc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define MS 1000000ull

static inv_handle_t event;

static uint64_t now(void) {
    uint64_t t = 0;
    CHECK_OK(inv_clock_read(INV_CLOCK_MONOTONIC, &t));
    return t;
}

struct waiter {
    pthread_t thread;
    inv_handle_t h;
    uint32_t wanted, observed;
    uint64_t deadline;
    inv_status_t status;
    atomic_bool begun, ended;
};

static void *wait_thread(void *arg) {
    struct waiter *w = arg;
    w->begun = true;
    w->status = inv_object_wait(w->h, w->wanted, w->deadline, &w->observed);
    w->ended = true;
    return NULL;
}

static void waiter_start(struct waiter *w, inv_handle_t h, uint32_t wanted, uint64_t deadline) {
    *w = (struct waiter){.h = h, .wanted = wanted, .deadline = deadline};
    pthread_create(&w->thread, NULL, wait_thread, w);
    while (!w->begun)
        usleep(100);
    usleep(5000);
}

static void waiter_expect(struct waiter *w, inv_status_t status, uint32_t observed) {
    pthread_join(w->thread, NULL);
    CHECK_STATUS(w->status, status);
    CHECK(w->observed == observed);
}

static void those_who_want_it_wake(void) {
    struct waiter a, b, c;
    CHECK_OK(inv_event_create(test_job, &event));
    waiter_start(&a, event, INV_SIGNAL_USER_0, INV_DEADLINE_NEVER);
    waiter_start(&b, event, INV_SIGNAL_USER_0 | INV_SIGNAL_USER_1, INV_DEADLINE_NEVER);
    waiter_start(&c, event, INV_SIGNAL_USER_2, INV_DEADLINE_NEVER);
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_5));
    usleep(5000);
    CHECK(!a.ended && !b.ended && !c.ended);
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_1));
    waiter_expect(&b, INV_OK, INV_SIGNAL_USER_1 | INV_SIGNAL_USER_5);
    CHECK(!a.ended && !c.ended);
    // Set and cleared at once: who waited has seen it.
    CHECK_OK(inv_event_signal(event, INV_SIGNAL_USER_1, INV_SIGNAL_USER_0));
    CHECK_OK(inv_event_signal(event, INV_SIGNAL_USER_0, 0));
    waiter_expect(&a, INV_OK, INV_SIGNAL_USER_0 | INV_SIGNAL_USER_5);
    CHECK(!c.ended);
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_2));
    waiter_expect(&c, INV_OK, INV_SIGNAL_USER_2 | INV_SIGNAL_USER_5);
    CHECK_OK(inv_handle_close(event));
}

static void deadlines_end_a_wait(void) {
    uint32_t observed = 5;
    CHECK_OK(inv_event_create(test_job, &event));
    CHECK_STATUS(inv_object_wait(event, INV_SIGNAL_USER_0, 0, &observed), INV_ERR_TIMED_OUT);
    CHECK(observed == 0);
    uint64_t deadline = now() + 10 * MS;
    CHECK_STATUS(inv_object_wait(event, INV_SIGNAL_USER_0, deadline, &observed), INV_ERR_TIMED_OUT);
    CHECK(now() >= deadline);
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_0));
    CHECK_OK(inv_object_wait(event, INV_SIGNAL_USER_0, 0, &observed)); // is set: no deadline matters
    CHECK(observed == INV_SIGNAL_USER_0);
    CHECK_OK(inv_handle_close(event));
}

static void nothing(int number) {}

static void signals_of_linux_interrupt(void) {
    struct waiter a;
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = nothing}, NULL);
    CHECK_OK(inv_event_create(test_job, &event));
    waiter_start(&a, event, INV_SIGNAL_USER_0, INV_DEADLINE_NEVER);
    pthread_kill(a.thread, SIGUSR1);
    waiter_expect(&a, INV_ERR_INTERRUPTED, 0);
    CHECK_OK(inv_handle_close(event));
}

static void the_wait_is_for_the_object(void) {
    struct waiter a, b;
    inv_handle_t second;
    CHECK_OK(inv_event_create(test_job, &event));
    CHECK_OK(inv_handle_duplicate(event, INV_RIGHTS_SAME, &second));
    waiter_start(&a, event, INV_SIGNAL_USER_0, INV_DEADLINE_NEVER);
    waiter_start(&b, event, INV_SIGNAL_USER_1, INV_DEADLINE_NEVER);
    CHECK_OK(inv_handle_close(event));
    usleep(5000);
    CHECK(!a.ended && !b.ended); // there is another handle
    CHECK_OK(inv_event_signal(second, 0, INV_SIGNAL_USER_0));
    waiter_expect(&a, INV_OK, INV_SIGNAL_USER_0);
    CHECK_OK(inv_handle_close(second)); // the last
    waiter_expect(&b, INV_OK, INV_SIGNAL_USER_0 | INV_SIGNAL_CLOSED);
}

static void many_are_waited_for(void) {
    enum { N = INV_WAIT_MAX };
    struct inv_wait_item items[N + 1];
    uint32_t observed[N + 1], ready = 9;
    inv_handle_t e[N];
    for (unsigned i = 0; i < N; i++) {
        CHECK_OK(inv_event_create(test_job, &e[i]));
        items[i] = (struct inv_wait_item){.handle = e[i], .signals = INV_SIGNAL_USER_0};
        observed[i] = 77;
    }
    CHECK_STATUS(inv_object_wait_many(items, sizeof(items[0]) * N, observed, 4 * N, now() + 2 * MS, &ready),
                 INV_ERR_TIMED_OUT);
    CHECK(ready == 0 && observed[0] == 77); // nothing stored
    CHECK_OK(inv_event_signal(e[3], 0, INV_SIGNAL_USER_0 | INV_SIGNAL_USER_1));
    CHECK_OK(inv_event_signal(e[4], 0, INV_SIGNAL_USER_1)); // is not asked for
    CHECK_OK(inv_event_signal(e[63], 0, INV_SIGNAL_USER_0));
    CHECK_OK(inv_object_wait_many(items, sizeof(items[0]) * N, observed, 4 * N, 0, &ready));
    CHECK(ready == 2);
    for (unsigned i = 0; i < N; i++)
        CHECK(observed[i] == (i == 3 ? INV_SIGNAL_USER_0 | INV_SIGNAL_USER_1 : i == 63 ? INV_SIGNAL_USER_0 : 0));
    // the same object twice, for different signals
    items[0] = items[1] = items[4];
    items[1].signals = INV_SIGNAL_USER_1 | INV_SIGNAL_USER_0;
    CHECK_OK(inv_object_wait_many(items, sizeof(items[0]) * 2, observed, 8, INV_DEADLINE_NEVER, &ready));
    CHECK(ready == 1 && observed[0] == 0 && observed[1] == INV_SIGNAL_USER_1);
    CHECK_STATUS(inv_object_wait_many(items, sizeof(items[0]) * (N + 1), observed, 4 * (N + 1), 0, &ready),
                 INV_ERR_RANGE);
    CHECK_STATUS(inv_object_wait_many(items, 0, observed, 0, 0, &ready), INV_ERR_INVALID);
    CHECK_STATUS(inv_object_wait_many(items, 12, observed, 4, 0, &ready), INV_ERR_INVALID);
    CHECK_STATUS(inv_object_wait_many(items, 16, observed, 4, 0, &ready), INV_ERR_INVALID);
    CHECK_STATUS(inv_object_wait_many((void *)8, 16, observed, 8, 0, &ready), INV_ERR_FAULT);
    CHECK_STATUS(inv_object_wait_many(items, 16, (void *)8, 8, 0, &ready), INV_ERR_FAULT);
    CHECK(ready == 0);
    items[0].signals = 0; // after all handles
    items[1].handle = handle_stale();
    CHECK_STATUS(inv_object_wait_many(items, 16, observed, 8, 0, &ready), INV_ERR_BAD_HANDLE);
    items[1].handle = test_job;
    CHECK_STATUS(inv_object_wait_many(items, 16, observed, 8, 0, &ready), INV_ERR_WRONG_TYPE);
    items[1].handle = handle_without(e[0], INV_RIGHT_WAIT);
    CHECK_STATUS(inv_object_wait_many(items, 16, observed, 8, 0, &ready), INV_ERR_ACCESS);
    CHECK_OK(inv_handle_close(items[1].handle));
    items[1].handle = e[0];
    CHECK_STATUS(inv_object_wait_many(items, 16, observed, 8, 0, &ready), INV_ERR_INVALID);
    for (unsigned i = 0; i < N; i++)
        CHECK_OK(inv_handle_close(e[i]));
}

static void errors_come_in_order(void) {
    uint32_t observed = 1;
    inv_handle_t bare, process;
    CHECK_OK(inv_event_create(test_job, &event));
    bare = handle_without(event, INV_RIGHT_WAIT);
    CHECK_STATUS(inv_object_wait(handle_stale(), 0, 0, &observed), INV_ERR_BAD_HANDLE);
    CHECK_STATUS(inv_object_wait(test_job, 0, 0, &observed), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_object_wait(handle_without(test_job, INV_RIGHT_WAIT), 1, 0, &observed), INV_ERR_WRONG_TYPE);
    CHECK_STATUS(inv_object_wait(bare, 0, 0, &observed), INV_ERR_ACCESS);
    CHECK_STATUS(inv_object_wait(event, 0, 0, &observed), INV_ERR_INVALID);
    CHECK_STATUS(inv_object_wait(event, 1u << 23, 0, &observed), INV_ERR_INVALID);
    CHECK(observed == 0);
    CHECK_OK(inv_bootstrap(INV_BOOTSTRAP_KIND_PROCESS, &process)); // which has not ended
    CHECK_STATUS(inv_object_wait(process, INV_SIGNAL_TERMINATED, now() + 2 * MS, &observed), INV_ERR_TIMED_OUT);
    CHECK_OK(inv_handle_close(process));
    CHECK_OK(inv_handle_close(bare));
    CHECK_OK(inv_handle_close(event));
}

// Two pairs hand a turn to and fro through events; if a wake-up is lost, it hangs until the deadline and is seen.
struct pair {
    inv_handle_t e;
    unsigned turns;
};

static void *ponger(void *arg) {
    struct pair *p = arg;
    uint32_t observed;
    for (unsigned i = 0; i < p->turns; i++) {
        CHECK_OK(inv_object_wait(p->e, INV_SIGNAL_USER_0, now() + 10000 * MS, &observed));
        CHECK_OK(inv_event_signal(p->e, INV_SIGNAL_USER_0, INV_SIGNAL_USER_1));
    }
    return NULL;
}

static void *pinger(void *arg) {
    struct pair *p = arg;
    uint32_t observed[2], ready;
    struct inv_wait_item items[2] = {{p->e, INV_SIGNAL_USER_1}, {p->e, INV_SIGNAL_USER_7}};
    for (unsigned i = 0; i < p->turns; i++) {
        CHECK_OK(inv_event_signal(p->e, INV_SIGNAL_USER_1, INV_SIGNAL_USER_0));
        CHECK_OK(inv_object_wait_many(items, sizeof(items), observed, sizeof(observed), now() + 10000 * MS, &ready));
        CHECK(ready == 1);
    }
    return NULL;
}

static void no_wake_up_is_lost(void) {
    struct pair p[2];
    pthread_t t[4];
    for (unsigned i = 0; i < 2; i++) {
        p[i].turns = 1500;
        CHECK_OK(inv_event_create(test_job, &p[i].e));
        pthread_create(&t[2 * i], NULL, ponger, &p[i]);
        pthread_create(&t[2 * i + 1], NULL, pinger, &p[i]);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    CHECK_OK(inv_handle_close(p[0].e));
    CHECK_OK(inv_handle_close(p[1].e));
}

// More waiters than are told in one go.
static void a_crowd_wakes(void) {
    enum { N = 150 };
    static struct waiter w[N];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 16384);
    CHECK_OK(inv_event_create(test_job, &event));
    for (unsigned i = 0; i < N; i++) {
        w[i] = (struct waiter){.h = event, .wanted = INV_SIGNAL_USER_0, .deadline = now() + 10000 * MS};
        pthread_create(&w[i].thread, &small, wait_thread, &w[i]);
    }
    for (unsigned i = 0; i < N; i++)
        while (!w[i].begun)
            usleep(100);
    usleep(10000);
    CHECK_OK(inv_event_signal(event, 0, INV_SIGNAL_USER_0));
    CHECK_OK(inv_event_signal(event, INV_SIGNAL_USER_0, INV_SIGNAL_USER_1));
    for (unsigned i = 0; i < N; i++) {
        pthread_join(w[i].thread, NULL);
        CHECK_STATUS(w[i].status, INV_OK);
        CHECK(w[i].observed == INV_SIGNAL_USER_0);
    }
    CHECK_OK(inv_handle_close(event));
}

int main(void) {
    test_begin();
    those_who_want_it_wake();
    deadlines_end_a_wait();
    signals_of_linux_interrupt();
    the_wait_is_for_the_object();
    many_are_waited_for();
    errors_come_in_order();
    no_wake_up_is_lost();
    a_crowd_wakes();
    return test_end();
}
