// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// poll and ppoll: timeouts, what is skipped, many descriptors, the mask, wake-up by another process, errors.
#include "testing.h"

static int channel[2];

static int write_late(void) {
    await_blocked(getppid());
    write(channel[1], "x", 1);
    return 0;
}

static int close_late(void) {
    close(channel[0]);
    await_blocked(getppid());
    return 0;
}

static volatile int handled;

static void handler(int signal) {
    handled = signal;
}

int main(void) {
    struct pollfd list[3];
    MUST(pipe(channel));
    int64_t start = now_ms();
    say_call("nothing to wait for", poll(NULL, 0, 30));
    say_bool("waited", now_ms() - start >= 29);
    say_call("timeout 0", poll(NULL, 0, 0));
    list[0] = (struct pollfd){channel[0], POLLIN, 0x55};
    start = now_ms();
    say_call("timeout", poll(list, 1, 30));
    say("revents is cleared", "%d", list[0].revents);
    say_bool("waited", now_ms() - start >= 29);
    list[0] = (struct pollfd){-1, POLLIN, 0x55};
    list[1] = (struct pollfd){99, POLLIN, 0};
    list[2] = (struct pollfd){channel[1], POLLOUT, 0};
    say_call("negative, closed and ready", poll(list, 3, -1));
    say("revents", "%#x %#x %#x", (unsigned)list[0].revents, (unsigned)list[1].revents, (unsigned)list[2].revents);
    int file = MUST(open("f", O_RDWR | O_CREAT, 0600));
    list[0] = (struct pollfd){file, POLLIN | POLLOUT | POLLPRI, 0};
    say_call("a file is always ready", poll(list, 1, -1));
    say("revents", "%#x", (unsigned)list[0].revents);
    list[0] = (struct pollfd){file, POLLRDNORM | POLLWRNORM, 0};
    poll(list, 1, -1);
    say("normal data", "%#x", (unsigned)list[0].revents);

    list[0] = (struct pollfd){channel[0], POLLIN, 0};
    pid_t pid = spawn(write_late);
    say_call("woken by a write", poll(list, 1, 20000));
    reap(pid);
    char byte;
    read(channel[0], &byte, 1);
    list[1] = list[0];
    pid = spawn(write_late);
    say_call("the same one twice", poll(list, 2, 20000));
    reap(pid);
    read(channel[0], &byte, 1);
    pid = spawn(close_late);
    close(channel[1]);
    say_call("woken by the last close", poll(list, 1, 20000));
    say("revents", "%#x", (unsigned)list[0].revents);
    reap(pid);

    static struct pollfd many[2000];
    for (int i = 0; i < 2000; i++) {
        many[i] = (struct pollfd){i % 2 ? -1 : file, POLLIN, 0};
    }
    say_call("a thousand entries", poll(many, 1000, 0));
    say_call("above the limit of descriptors", poll(many, 1025, 0));
    say_call("bad address", syscall(SYS_poll, 8, 1, 0));
    say_call("bad address, no entries", syscall(SYS_poll, 8, 0, 0));

    signal(SIGUSR1, handler);
    sigset_t set, empty;
    sigemptyset(&empty);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    struct timespec second = {20, 0}, wrong = {0, 1000000000}, negative = {-1, 0};
    say_call("poll with the signal blocked", poll(NULL, 0, 10));
    say_call("ppoll that unblocks it", ppoll(NULL, 0, &second, &empty));
    say("handled", "%s", signal_name(handled));
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    say_bool("the mask is back", sigismember(&now, SIGUSR1));
    say_call("ppoll with a bad time", ppoll(NULL, 0, &wrong, NULL));
    say_call("ppoll with a negative time", ppoll(NULL, 0, &negative, NULL));
    say_call("ppoll with a wrong size of the mask", syscall(SYS_ppoll, NULL, 0, &second, &empty, 4));
    return 0;
}
