// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The ioctls of /dev/random and /dev/urandom, with and without privilege, and getrandom's flags in their combinations.
#include "testing.h"

#include <sys/ioctl.h>

enum { GRND_NONBLOCK = 1, GRND_RANDOM = 2, GRND_INSECURE = 4 };
#define RNDGETENTCNT   _IOR('R', 0x00, int)
#define RNDADDTOENTCNT _IOW('R', 0x01, int)
#define RNDGETPOOL     _IOR('R', 0x02, int[2])
#define RNDADDENTROPY  _IOW('R', 0x03, int[2])
#define RNDZAPENTCNT   _IO('R', 0x04)
#define RNDCLEARPOOL   _IO('R', 0x06)
#define RNDRESEEDCRNG  _IO('R', 0x07)

struct pool {
    int count, size;
    char bytes[64];
};

static void requests(int fd) {
    int count = -1, negative = -5, some = 8;
    struct pool pool = {.count = 64, .size = 16};
    struct pool none = {.count = -1, .size = 16}, beyond = {.count = 8, .size = -1};
    say_call("RNDGETENTCNT", ioctl(fd, RNDGETENTCNT, &count));
    say("entropy", "%d", count);
    say_call("RNDGETENTCNT, no address", ioctl(fd, RNDGETENTCNT, NULL));
    say_call("RNDADDTOENTCNT", ioctl(fd, RNDADDTOENTCNT, &some));
    say_call("RNDADDTOENTCNT, negative", ioctl(fd, RNDADDTOENTCNT, &negative));
    say_call("RNDADDTOENTCNT, no address", ioctl(fd, RNDADDTOENTCNT, NULL));
    say_call("RNDADDENTROPY", ioctl(fd, RNDADDENTROPY, &pool));
    say_call("RNDADDENTROPY, negative count", ioctl(fd, RNDADDENTROPY, &none));
    say_call("RNDADDENTROPY, negative size", ioctl(fd, RNDADDENTROPY, &beyond));
    say_call("RNDADDENTROPY, no address", ioctl(fd, RNDADDENTROPY, NULL));
    say_call("RNDZAPENTCNT", ioctl(fd, RNDZAPENTCNT));
    say_call("RNDCLEARPOOL", ioctl(fd, RNDCLEARPOOL));
    say_call("RNDRESEEDCRNG", ioctl(fd, RNDRESEEDCRNG));
    say_call("RNDGETPOOL", ioctl(fd, RNDGETPOOL, &pool));
    say_call("an unknown request", ioctl(fd, _IO('R', 0x77)));
    say_call("a terminal's request", ioctl(fd, 0x5401, &pool));
}

static int as_user(void) {
    MUST(setuid(1000));
    int fd = MUST(open("/dev/urandom", O_RDONLY));
    requests(fd);
    say_ok("written by a user", write(MUST(open("/dev/urandom", O_WRONLY)), "x", 1));
    return 0;
}

static void calls(void) {
    char bytes[300];
    static const struct {
        const char *name;
        unsigned flags;
    } ways[] = {
        {"GRND_INSECURE", GRND_INSECURE},
        {"GRND_INSECURE | GRND_NONBLOCK", GRND_INSECURE | GRND_NONBLOCK},
        {"GRND_INSECURE | GRND_RANDOM", GRND_INSECURE | GRND_RANDOM},
        {"GRND_RANDOM | GRND_NONBLOCK", GRND_RANDOM | GRND_NONBLOCK},
        {"flag 8", 8},
    };
    for (size_t i = 0; i < COUNT(ways); i++) {
        say_call(ways[i].name, syscall(SYS_getrandom, bytes, sizeof(bytes), ways[i].flags));
    }
    memset(bytes, 0, sizeof(bytes));
    MUST(syscall(SYS_getrandom, bytes, sizeof(bytes), GRND_INSECURE));
    int zeros = 0;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        zeros += bytes[i] == 0;
    }
    say_bool("the bytes are filled", zeros < 30);
    say_call("GRND_INSECURE, no bytes", syscall(SYS_getrandom, NULL, 0, GRND_INSECURE));
    say_call("GRND_INSECURE, no address", syscall(SYS_getrandom, NULL, 8, GRND_INSECURE));
}

int main(void) {
    int fd = MUST(open("/dev/random", O_RDONLY));
    requests(fd);
    int pair[2];
    MUST(pipe(pair));
    int count;
    say_call("RNDGETENTCNT of a pipe", ioctl(pair[0], RNDGETENTCNT, &count));
    calls();
    say_child("as a user", as_user);
    return 0;
}
