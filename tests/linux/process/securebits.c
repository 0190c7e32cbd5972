// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What securebits change of a change of user: setfsuid takes no capabilities with SECBIT_NO_SETUID_FIXUP, and ambient ones go with root's identity even if
// the others are kept.
#include "testing.h"

#include <stdint.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { USER = 4711, CAP_CHOWN = 0, CAP_KILL = 5, CAPABILITY_VERSION_3 = 0x20080522 };
enum { SECBIT_NO_SETUID_FIXUP = 1 << 2, SECBIT_KEEP_CAPS = 1 << 4 };

struct capability_header {
    uint32_t version;
    int pid;
};
struct capability_data {
    uint32_t effective, permitted, inheritable;
};

static bool effective(unsigned capability) {
    struct capability_header header = {CAPABILITY_VERSION_3, 0};
    struct capability_data data[2] = {0};
    MUST(syscall(SYS_capget, &header, data));
    return (data[capability / 32].effective >> (capability % 32) & 1) != 0;
}

static int inherit(unsigned capability) {
    struct capability_header header = {CAPABILITY_VERSION_3, 0};
    struct capability_data data[2] = {0};
    MUST(syscall(SYS_capget, &header, data));
    data[capability / 32].inheritable |= 1u << (capability % 32);
    return (int)syscall(SYS_capset, &header, data);
}

static void file_user(const char *what) {
    setfsuid(USER);
    say(what, "CAP_CHOWN %d, CAP_KILL %d", effective(CAP_CHOWN), effective(CAP_KILL));
    setfsuid(0);
    say("and back", "CAP_CHOWN %d", effective(CAP_CHOWN));
}

int main(void) {
    file_user("another file user");
    MUST(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0));
    file_user("another file user without fixup");
    MUST(inherit(CAP_KILL));
    say_call("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
    MUST(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS, 0, 0, 0));
    MUST(setresuid(USER, USER, USER));
    say("ambient after root's identity went", "%d", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
    return 0;
}
