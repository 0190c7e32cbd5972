// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A timer that does nothing, every N microseconds, asked for with heartbeat=N on the command line. Under deterministic time QEMU lets one processor run until the
// next timer is due, which in a tickless kernel may be seconds away: a user program that spins without pause would starve the others for so long. The heartbeat
// bounds their turns; the run tool asks for it with --icount and several processors, and nothing else does.
#include <kernel/boot.h>
#include <kernel/log.h>
#include <kernel/string.h>
#include <kernel/time.h>

#define HEARTBEAT_MIN 100u // microseconds
#define HEARTBEAT_MAX 1000000u

static struct ktimer heartbeat_timer;
static nstime_t heartbeat_period; // immutable once the timer is armed

static void heartbeat_fired(struct ktimer *t) {
    timer_set(t, deadline_after(heartbeat_period));
}

static inv_status_t heartbeat_start(void) {
    char text[16];
    const char *end;
    uint64_t period;

    if (!boot_option("heartbeat", text, sizeof(text)))
        return INV_OK;
    if (string_to_u64(text, &end, 10, &period) != INV_OK || *end != '\0' || period < HEARTBEAT_MIN ||
        period > HEARTBEAT_MAX) {
        log_error("heartbeat", "heartbeat=%s: from %u to %u microseconds", text, HEARTBEAT_MIN, HEARTBEAT_MAX);
        return INV_ERR_INVALID;
    }
    heartbeat_period = period * NSEC_PER_USEC;
    timer_init(&heartbeat_timer, heartbeat_fired);
    timer_set(&heartbeat_timer, deadline_after(heartbeat_period));
    return INV_OK;
}
BOOT_CALL("heartbeat", BOOT_STAGE_EXECUTIVE, heartbeat_start);
