// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /dev/null, zero, full, random, urandom: reading and writing.
#include "testing.h"

static void show(const char *path) {
    char buffer[64], name[64];
    memset(buffer, 1, sizeof(buffer));
    int fd = open(path, O_RDWR);
    say_ok(path, fd);
    snprintf(name, sizeof(name), "%s read", path);
    say_call(name, read(fd, buffer, sizeof(buffer)));
    int zeros = 0;
    for (size_t i = 0; i < sizeof(buffer); i++) {
        zeros += buffer[i] == 0;
    }
    snprintf(name, sizeof(name), "%s zeros", path);
    say(name, "%s", zeros == 64 ? "all" : zeros < 20 ? "few" : "some");
    snprintf(name, sizeof(name), "%s write", path);
    say_call(name, write(fd, buffer, sizeof(buffer)));
    snprintf(name, sizeof(name), "%s write of nothing", path);
    say_call(name, write(fd, buffer, 0));
    snprintf(name, sizeof(name), "%s truncate", path);
    say_call(name, ftruncate(fd, 0));
    snprintf(name, sizeof(name), "%s O_TRUNC", path);
    say_ok(name, open(path, O_WRONLY | O_TRUNC));
    struct pollfd wanted = {fd, POLLIN | POLLOUT, 0};
    snprintf(name, sizeof(name), "%s poll", path);
    int ready = poll(&wanted, 1, 0);
    say(name, "%d %#x", ready, (unsigned)wanted.revents);
    snprintf(name, sizeof(name), "%s isatty", path);
    say_call(name, isatty(fd));
    close(fd);
}

int main(void) {
    show("/dev/null");
    show("/dev/zero");
    show("/dev/full");
    show("/dev/urandom");
    show("/dev/random");
    char *large = malloc(1 << 20);
    memset(large, 1, 1 << 20);
    int zero = MUST(open("/dev/zero", O_RDONLY));
    say_call("a megabyte of zeros", read(zero, large, 1 << 20));
    bool all = true;
    for (int i = 0; i < 1 << 20; i++) {
        all = all && large[i] == 0;
    }
    say_bool("all of them", all);
    int random = MUST(open("/dev/urandom", O_RDONLY));
    say_call("64 KiB of random bytes", read(random, large, 65536));
    int counts[256] = {0};
    for (int i = 0; i < 65536; i++) {
        counts[(unsigned char)large[i]]++;
    }
    bool even = true;
    for (int i = 0; i < 256; i++) {
        even = even && counts[i] > 128 && counts[i] < 400;
    }
    say_bool("evenly spread", even);
    say_call("ioctl of /dev/null", syscall(SYS_ioctl, MUST(open("/dev/null", O_RDWR)), 0x5401, large));
    return 0;
}
