// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// epoll in epoll: what is told through several, loops, how deep and how many, exclusive watches of several sets.
#include "testing.h"
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int control(int poll, int operation, int fd, uint32_t events) {
    struct epoll_event e = {.events = events, .data.fd = fd};
    return epoll_ctl(poll, operation, fd, &e);
}

static int make(void) {
    return MUST(epoll_create1(0));
}

static int ready(int poll, int timeout) {
    struct epoll_event e[8];
    return epoll_wait(poll, e, 8, timeout);
}

static void give(int fd) {
    uint64_t one = 1;
    MUST(write(fd, &one, 8));
}

static void take(int fd) {
    uint64_t value;
    MUST(read(fd, &value, 8));
}

static int polls[4], event;

static void *waits(void *argument) {
    return (void *)(intptr_t)ready(polls[(intptr_t)argument], 3000);
}

static void *waits_shortly(void *argument) {
    return (void *)(intptr_t)ready(polls[(intptr_t)argument], 400);
}

static void loops(void) {
    int a = make(), b = make(), c = make();
    say_call("b in a", control(a, EPOLL_CTL_ADD, b, EPOLLIN));
    say_call("c in b", control(b, EPOLL_CTL_ADD, c, EPOLLIN));
    say_call("a in c: a loop", control(c, EPOLL_CTL_ADD, a, EPOLLIN));
    say_call("a in b: a loop", control(b, EPOLL_CTL_ADD, a, EPOLLIN));
    say_call("c in a: no loop", control(a, EPOLL_CTL_ADD, c, EPOLLIN));
    int copy = dup(a);
    say_call("a copy of a in a", control(a, EPOLL_CTL_ADD, copy, EPOLLIN));
    close(c);
    c = make();
    say_call("a in a new c", control(c, EPOLL_CTL_ADD, a, EPOLLIN));
    close(a);
    close(b);
    close(c);
    close(copy);
}

static void depth(void) {
    int chain[12];
    for (int i = 0; i < 12; i++) {
        chain[i] = make();
    }
    // From the outside in: each is put into the last.
    for (int i = 1; i < 12; i++) {
        char name[64];
        snprintf(name, sizeof(name), "outside in, %d", i);
        if (control(chain[i - 1], EPOLL_CTL_ADD, chain[i], EPOLLIN) != 0) {
            say(name, "%s", error_name(errno));
            break;
        }
        say(name, "ok");
    }
    for (int i = 0; i < 12; i++) {
        close(chain[i]);
        chain[i] = make();
    }
    for (int i = 1; i < 12; i++) {
        char name[64];
        snprintf(name, sizeof(name), "inside out, %d", i);
        if (control(chain[i], EPOLL_CTL_ADD, chain[i - 1], EPOLLIN) != 0) {
            say(name, "%s", error_name(errno));
            break;
        }
        say(name, "ok");
    }
    for (int i = 0; i < 12; i++) {
        close(chain[i]);
        chain[i] = make();
    }
    // With a file at the inner end.
    int file = MUST(eventfd(0, 0));
    MUST(control(chain[0], EPOLL_CTL_ADD, file, EPOLLIN));
    for (int i = 1; i < 12; i++) {
        char name[64];
        snprintf(name, sizeof(name), "around a file, %d", i);
        if (control(chain[i], EPOLL_CTL_ADD, chain[i - 1], EPOLLIN) != 0) {
            say(name, "%s", error_name(errno));
            break;
        }
        say(name, "ok");
    }
    say_call("nothing is ready", ready(chain[4], 0));
    give(file);
    for (int i = 0; i < 5; i++) {
        say_call("ready through", ready(chain[i], 0));
    }
    take(file);
    for (int i = 0; i < 5; i++) {
        say_call("taken, through", ready(chain[i], 0));
    }
    for (int i = 0; i < 12; i++) {
        close(chain[i]);
    }
    // Very many ways from one file.
    int inner = make(), added = 0, last = 0;
    MUST(control(inner, EPOLL_CTL_ADD, file, EPOLLIN));
    for (int i = 0; i < 600; i++) {
        int outer = epoll_create1(0);
        last = control(outer, EPOLL_CTL_ADD, inner, EPOLLIN) == 0 ? 0 : errno;
        added += last == 0;
    }
    say("sets around one set", "%d, then %s", added, error_name(last));
    for (int fd = inner; fd < inner + 602; fd++) {
        close(fd);
    }
    close(file);
}

static void nested_waits(void) {
    int inner = make(), outer = make();
    event = MUST(eventfd(0, 0));
    MUST(control(inner, EPOLL_CTL_ADD, event, EPOLLIN));
    MUST(control(outer, EPOLL_CTL_ADD, inner, EPOLLIN | EPOLLET));
    polls[0] = outer;
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, waits, (void *)0);
    sleep_ms(40);
    give(event);
    pthread_join(thread, &result);
    say("a wait in the outer one", "%d", (int)(intptr_t)result);
    say_call("edge of the outer one, again", ready(outer, 0));
    say_call("the inner one", ready(inner, 0));
    give(event);
    say_call("given again: the outer one", ready(outer, 0));
    take(event);
    close(inner);
    give(event);
    say_call("the inner one closed", ready(outer, 0));
    close(outer);
    close(event);
}

static void exclusive(void) {
    event = MUST(eventfd(0, EFD_SEMAPHORE));
    for (int i = 0; i < 3; i++) {
        polls[i] = make();
        MUST(control(polls[i], EPOLL_CTL_ADD, event, EPOLLIN | EPOLLEXCLUSIVE));
    }
    pthread_t threads[3];
    int told = 0;
    for (intptr_t i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, waits_shortly, (void *)i);
    }
    sleep_ms(100);
    give(event);
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(threads[i], &result);
        told += (int)(intptr_t)result;
    }
    say_bool("one event, three exclusive sets: at least one is told", told >= 1);
    say_call("a set that was not waited in sees it", ready(polls[2], 0) >= 0);
    take(event);
    for (int i = 0; i < 3; i++) {
        close(polls[i]);
        polls[i] = make();
        MUST(control(polls[i], EPOLL_CTL_ADD, event, EPOLLIN));
    }
    told = 0;
    for (intptr_t i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, waits, (void *)i);
    }
    sleep_ms(100);
    give(event);
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(threads[i], &result);
        told += (int)(intptr_t)result;
    }
    say("three ordinary sets: all are told", "%d", told);
}

int main(void) {
    struct rlimit limit = {1024, 1024};
    setrlimit(RLIMIT_NOFILE, &limit);
    loops();
    depth();
    nested_waits();
    exclusive();
    return 0;
}
