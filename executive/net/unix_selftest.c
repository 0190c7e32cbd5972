// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Self-tests of files under way: what nobody can reach goes, what somebody can reach stays, whatever the shape of the graph, and with threads at it at once.

#include <kernel/debug.h>
#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/selftest_threads.h>

#include "unix.h"

#define NODES  24u
#define EDGES  60u
#define ROUNDS 40u

struct end {
    struct file *own, *peer; // own's queue is filled through peer
};

static unsigned sockets_alive(void) {
    unsigned n = 0;
    for (struct unix_socket *u = unix_next(NULL); u != NULL; u = unix_next(u))
        n++;
    return n;
}

// Nothing is left: a set that became unreachable without a socket's end waits for the next look.
static bool all_gone(unsigned before) {
    unix_collect();
    return sockets_alive() == before && unix_flying() == 0;
}

static bool end_make(int type, struct end *out) {
    struct socket *a, *b;
    if (socket_create(&root_job, SOCKET_FAMILY_UNIX, type, 0, &a) != INV_OK)
        return false;
    if (socket_create(&root_job, SOCKET_FAMILY_UNIX, type, 0, &b) != INV_OK) {
        socket_release(a);
        return false;
    }
    return a->ops->pair(a, b) == INV_OK && socket_file_create(a, O_NONBLOCK_, &out->own) == INV_OK &&
           socket_file_create(b, O_NONBLOCK_, &out->peer) == INV_OK;
}

static void end_drop(struct end *e) {
    file_put(e->peer);
    file_put(e->own);
}

// f goes into the queue of to.
static bool put_into(struct end *to, struct file *f) {
    struct socket *s = socket_of(to->peer);
    struct io_vector v;
    struct io io;
    char byte = 0;
    size_t done;
    struct socket_message m = {.io = &io, .flags = MESSAGE_DONT_WAIT, .rights_limit = UINT64_MAX};
    io_init_kernel(&io, &v, &byte, sizeof(byte));
    if (socket_rights_create(1, &m.rights) != INV_OK)
        return false;
    file_get(f);
    m.rights->files[0] = f;
    bool sent = s->ops->send(s, &m, &done) == INV_OK;
    if (m.rights != NULL)
        socket_rights_free(m.rights);
    return sent;
}

// Takes one file out of the queue; counted, NULL: none.
static struct file *take_from(struct end *from) {
    struct socket *s = socket_of(from->own);
    struct io_vector v;
    struct io io;
    char byte;
    size_t done;
    struct socket_message m = {.io = &io, .flags = MESSAGE_DONT_WAIT};
    io_init_kernel(&io, &v, &byte, sizeof(byte));
    if (s->ops->receive(s, &m, &done) != INV_OK || m.rights == NULL)
        return NULL;
    struct file *f = m.rights->files[0];
    m.rights->files[0] = NULL;
    socket_rights_free(m.rights);
    return f;
}

static bool flight_cycle_of_one(void) {
    unsigned before = sockets_alive();
    struct end e;
    SELFTEST_CHECK(end_make(SOCKET_STREAM, &e));
    SELFTEST_CHECK(put_into(&e, e.own) && put_into(&e, e.peer));
    SELFTEST_CHECK(sockets_alive() == before + 2);
    end_drop(&e);
    SELFTEST_CHECK(all_gone(before));
    return true;
}
SELFTEST("sockets/a_cycle_of_one_goes", flight_cycle_of_one);

// The queue of a holds b, b's holds a, and a stays open: nothing goes before a does.
static bool flight_reachable_stays(void) {
    unsigned before = sockets_alive();
    struct end a, b;
    SELFTEST_CHECK(end_make(SOCKET_STREAM, &a) && end_make(SOCKET_DATAGRAM, &b));
    SELFTEST_CHECK(put_into(&a, b.own) && put_into(&b, a.own));
    file_put(b.own);
    file_put(b.peer);
    unix_collect();
    struct end again = {.own = take_from(&a), .peer = NULL};
    SELFTEST_CHECK(again.own == b.own);
    struct file *own = take_from(&again);
    SELFTEST_CHECK(own == a.own);
    file_put(own);
    SELFTEST_CHECK(put_into(&a, again.own));
    file_put(again.own);
    end_drop(&a);
    SELFTEST_CHECK(all_gone(before));
    return true;
}
SELFTEST("sockets/what_can_be_reached_stays", flight_reachable_stays);

// A chain, each in the next one's queue: its end must not nest a call for each.
static bool flight_chain(void) {
    unsigned before = sockets_alive();
    struct end last, next;
    SELFTEST_CHECK(end_make(SOCKET_STREAM, &last));
    for (unsigned i = 0; i < 500; i++) {
        SELFTEST_CHECK(end_make(SOCKET_STREAM, &next));
        SELFTEST_CHECK(put_into(&next, last.own));
        end_drop(&last);
        last = next;
    }
    SELFTEST_CHECK(sockets_alive() >= before + 500);
    end_drop(&last);
    SELFTEST_CHECK(all_gone(before));
    return true;
}
SELFTEST("sockets/a_chain_ends_without_nesting", flight_chain);

static uint32_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*state >> 33);
}

// Random edges among some sockets, dropped in a random order; some files are taken out on the way.
static bool random_graph(uint64_t *state) {
    static const int types[] = {SOCKET_STREAM, SOCKET_DATAGRAM, SOCKET_SEQPACKET};
    struct end *nodes = kzalloc(NODES * sizeof(*nodes));
    bool good = nodes != NULL;
    for (unsigned i = 0; good && i < NODES; i++)
        good = end_make(types[next_random(state) % ARRAY_SIZE(types)], &nodes[i]);
    for (unsigned i = 0; good && i < EDGES; i++) {
        struct end *to = &nodes[next_random(state) % NODES], *what = &nodes[next_random(state) % NODES];
        good = put_into(to, next_random(state) % 4 != 0 ? what->own : what->peer);
        struct file *f = next_random(state) % 8 == 0 ? take_from(to) : NULL;
        if (f != NULL)
            file_put(f);
    }
    for (unsigned i = 0; good && i < NODES; i++) {
        unsigned k = i + next_random(state) % (NODES - i);
        struct end e = nodes[k];
        nodes[k] = nodes[i];
        end_drop(&e);
    }
    kfree(nodes);
    return good;
}

static bool flight_random_graphs(void) {
    unsigned before = sockets_alive();
    uint64_t state = 1;
    for (unsigned i = 0; i < ROUNDS; i++) {
        SELFTEST_CHECK(random_graph(&state));
        SELFTEST_CHECK(all_gone(before));
    }
    return true;
}
SELFTEST("sockets/random_graphs_go", flight_random_graphs);

static _Atomic uint32_t bad;

static void graphs_entry(void *arg) {
    uint64_t state = (uintptr_t)arg;
    for (unsigned i = 0; i < ROUNDS; i++)
        if (!random_graph(&state))
            atomic_fetch_add(&bad, 1);
}

static bool flight_threads(void) {
    unsigned before = sockets_alive();
    struct thread *t[3];
    bad = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
        t[i] = selftest_thread(graphs_entry, (void *)(uintptr_t)(i + 7), PRIORITY_FAIR, selftest_cpu(i));
    SELFTEST_CHECK(selftest_join_array(t, ARRAY_SIZE(t)));
    SELFTEST_CHECK(bad == 0);
    SELFTEST_CHECK(all_gone(before));
    return true;
}
SELFTEST("sockets/threads_and_graphs", flight_threads);
