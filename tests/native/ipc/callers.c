// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Many callers that wait at one endpoint: served the most urgent first, each once; those of a revoked connection leave, the others stay.
#include "testing.h"

#include <invar/message.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#define CALLERS 1000u

static inv_handle_t endpoint, reply, kept, revoked;
static atomic_uint calling, answered, gone;

static unsigned urgency(unsigned i) {
    return 1 + i * 37 % 99; // every one comes ten times, in no order
}

static void *caller(void *arg) {
    unsigned i = (unsigned)(uintptr_t)arg;
    struct sched_param p = {.sched_priority = (int)urgency(i)};
    struct inv_message m = {.tag = INV_TAG(i, 0)};

    CHECK(pthread_setschedparam(pthread_self(), SCHED_FIFO, &p) == 0);
    calling++;
    inv_status_t status = inv_call(i % 4 == 3 ? revoked : kept, &m, NULL);
    if (i % 4 == 3) {
        CHECK(status == INV_ERR_PEER_GONE);
        gone++;
    } else {
        CHECK_OK(status);
        CHECK(INV_TAG_LABEL(m.tag) == i + 1);
        answered++;
    }
    return NULL;
}

int main(void) {
    static pthread_t threads[CALLERS];
    static unsigned char served[CALLERS];
    unsigned last = 99;
    pthread_attr_t small;

    test_begin();
    CHECK_OK(inv_endpoint_create(test_job, 0, &endpoint));
    CHECK_OK(inv_connection_create(endpoint, test_job, 1, &kept));
    CHECK_OK(inv_connection_create(endpoint, test_job, 2, &revoked));
    CHECK_OK(inv_reply_create(test_job, 1, &reply));
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 16384);
    for (uintptr_t i = 0; i < CALLERS; i++)
        CHECK(pthread_create(&threads[i], &small, caller, (void *)i) == 0);
    while (calling < CALLERS)
        usleep(1000);
    usleep(100000); // the last of them are on their way still
    CHECK_OK(inv_connection_revoke(revoked));
    while (gone < CALLERS / 4)
        usleep(1000);
    CHECK(answered == 0);
    for (unsigned n = 0; n < CALLERS - CALLERS / 4; n++) {
        struct inv_message m = {.tag = 0};
        CHECK_OK(inv_receive(endpoint, reply, &m, NULL));
        unsigned i = INV_TAG_LABEL(m.tag);
        CHECK(m.badge == 1 && i < CALLERS && i % 4 != 3 && !served[i]);
        CHECK(urgency(i) <= last);
        served[i] = 1;
        last = urgency(i);
        m.tag = INV_TAG(i + 1, 0);
        CHECK_OK(inv_reply(reply, &m, NULL));
    }
    for (unsigned i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(answered == CALLERS - CALLERS / 4 && gone == CALLERS / 4);
    return test_end();
}
