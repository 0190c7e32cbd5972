// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A mixture like hackbench's: groups of processes, in each of which every sender sends messages to every receiver,
// through pipes and through AF_UNIX streams. All are there before a batch begins; an operation is one message.
#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GROUPS = 2, SENDERS = 8, RECEIVERS = 8, MESSAGE = 100, PAIRS = GROUPS * SENDERS * RECEIVERS };

struct channel {
    int from, to;
};

// What all processes of the mixture have in common; each has a copy, and its own place in it.
struct crowd {
    struct channel data[GROUPS][RECEIVERS]; // into each receiver
    struct channel order[GROUPS][SENDERS];  // to each sender: messages of the batch
    struct channel result;                  // from each receiver: struct report
    unsigned group, place;
};

struct order {
    unsigned messages, batch;
};

// What a receiver saw of one batch.
struct report {
    unsigned messages;
    uint64_t sum; // of what the messages hold
};

// How many of n messages go from a group's sender to a receiver: n is dealt to the pairs in turn.
static unsigned pair_messages(unsigned n, unsigned group, unsigned sender, unsigned receiver) {
    unsigned pair = (group * SENDERS + sender) * RECEIVERS + receiver;
    return n / PAIRS + (pair < n % PAIRS);
}

static unsigned receiver_messages(unsigned n, unsigned group, unsigned receiver) {
    unsigned messages = 0;
    for (unsigned i = 0; i < SENDERS; i++)
        messages += pair_messages(n, group, i, receiver);
    return messages;
}

static void channel_open(struct channel *channel, bool socket) {
    int ends[2];
    if (socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends))
        bench_none_or_fail(socket ? "socketpair" : "pipe");
    *channel = (struct channel){.from = ends[0], .to = ends[1]};
}

static bool read_all(int fd, void *to, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, (char *)to + done, size - done);
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

// --- the processes ---------------------------------------------------------------------------------------------------

// Each message repeats one word, its number in the batch plus the batch's; they go to every receiver in turn.
static int sender_main(void *argument) {
    struct crowd *crowd = argument;
    struct order order;
    while (read_all(crowd->order[crowd->group][crowd->place].from, &order, sizeof order) && order.batch) {
        unsigned sent = 1;
        for (unsigned round = 0; sent; round++) {
            sent = 0;
            for (unsigned i = 0; i < RECEIVERS; i++) {
                unsigned message[MESSAGE / 4];
                if (round >= pair_messages(order.messages, crowd->group, crowd->place, i))
                    continue;
                for (unsigned j = 0; j < MESSAGE / 4; j++)
                    message[j] = round + order.batch;
                if (write(crowd->data[crowd->group][i].to, message, MESSAGE) != MESSAGE)
                    return 1;
                sent++;
            }
        }
    }
    return 0;
}

// The order that begins a batch comes on the same channel as the messages, before them.
static int receiver_main(void *argument) {
    struct crowd *crowd = argument;
    unsigned message[MESSAGE / 4];
    struct order order;
    while (read_all(crowd->data[crowd->group][crowd->place].from, &order, sizeof order) && order.batch) {
        struct report report = {0};
        unsigned wanted = receiver_messages(order.messages, crowd->group, crowd->place);
        for (; report.messages < wanted; report.messages++) {
            if (!read_all(crowd->data[crowd->group][crowd->place].from, message, MESSAGE))
                return 1;
            if (message[0] != message[MESSAGE / 4 - 1])
                return 1;
            report.sum += message[0];
        }
        if (write(crowd->result.to, &report, sizeof report) != sizeof report)
            return 1;
    }
    return 0;
}

// --- the batch -------------------------------------------------------------------------------------------------------

static void order_all(struct crowd *crowd, struct order order) {
    for (unsigned g = 0; g < GROUPS; g++) {
        for (unsigned i = 0; i < RECEIVERS; i++)
            bench_check(write(crowd->data[g][i].to, &order, sizeof order) == sizeof order);
    }
    for (unsigned g = 0; g < GROUPS; g++) {
        for (unsigned i = 0; i < SENDERS; i++)
            bench_check(write(crowd->order[g][i].to, &order, sizeof order) == sizeof order);
    }
}

// The sum of all that a batch's messages hold.
static uint64_t batch_sum(struct order order) {
    uint64_t sum = 0;
    for (unsigned pair = 0; pair < PAIRS; pair++) {
        uint64_t messages = order.messages / PAIRS + (pair < order.messages % PAIRS);
        sum += messages * order.batch + messages * (messages ? messages - 1 : 0) / 2;
    }
    return sum;
}

static uint64_t crowd_batch(unsigned n, void *argument) {
    struct crowd *crowd = argument;
    static unsigned batch;
    struct order order = {.messages = n, .batch = ++batch};
    struct report report, all = {0};
    uint64_t begin = bench_now();
    order_all(crowd, order);
    for (unsigned i = 0; i < GROUPS * RECEIVERS; i++) {
        bench_check(read_all(crowd->result.from, &report, sizeof report));
        all.messages += report.messages;
        all.sum += report.sum;
    }
    uint64_t cost = bench_now() - begin;
    bench_check(all.messages == n && all.sum == batch_sum(order));
    return cost;
}

static void crowd_run(bool sockets) {
    struct crowd crowd = {0};
    pid_t children[GROUPS][SENDERS + RECEIVERS];
    channel_open(&crowd.result, false);
    for (unsigned g = 0; g < GROUPS; g++) {
        for (unsigned i = 0; i < RECEIVERS; i++)
            channel_open(&crowd.data[g][i], sockets);
        for (unsigned i = 0; i < SENDERS; i++)
            channel_open(&crowd.order[g][i], false);
    }
    for (crowd.group = 0; crowd.group < GROUPS; crowd.group++) {
        for (crowd.place = 0; crowd.place < RECEIVERS; crowd.place++)
            children[crowd.group][crowd.place] = bench_child(receiver_main, &crowd);
        for (crowd.place = 0; crowd.place < SENDERS; crowd.place++)
            children[crowd.group][RECEIVERS + crowd.place] = bench_child(sender_main, &crowd);
    }
    bench_settle(crowd_batch, &crowd, PAIRS * 8);
    bench_batches(crowd_batch, &crowd, PAIRS * 8, 11);
    order_all(&crowd, (struct order){.batch = 0});
    for (unsigned g = 0; g < GROUPS; g++) {
        for (unsigned i = 0; i < SENDERS + RECEIVERS; i++)
            bench_reap(children[g][i]);
    }
}

static void mix_hackbench_run(void) {
    crowd_run(false);
}
BENCH_ROW(mix_hackbench, BENCH_SHOWN, BENCH_PER_OPERATION,
          "2 groups of 8 senders and 8 receivers over pipes, a message of 100 bytes", mix_hackbench_run);

static void mix_hackbench_unix_run(void) {
    crowd_run(true);
}
BENCH_ROW(mix_hackbench_unix, BENCH_SHOWN, BENCH_PER_OPERATION,
          "2 groups of 8 senders and 8 receivers over AF_UNIX streams, a message of 100 bytes", mix_hackbench_unix_run);
