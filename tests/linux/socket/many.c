// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// sendmsg, recvmsg, sendmmsg, recvmmsg: the header and its errors, several messages in one call, MSG_WAITFORONE, time limits.
#include "sockets.h"

// As the kernel has them: a C library's have other widths.
struct header {
    void *name;
    int name_length;
    struct iovec *parts;
    size_t count;
    void *control;
    size_t control_length;
    unsigned flags;
};
struct entry {
    struct header header;
    unsigned length;
};

static int ends[2];
static char buffers[8][16];
static struct iovec parts[8];
static struct entry entries[8];

static void prepare(const char *const *texts, size_t size) {
    for (int i = 0; i < 8; i++) {
        memset(buffers[i], 0, sizeof(buffers[i]));
        if (texts && texts[i]) {
            strcpy(buffers[i], texts[i]);
        }
        parts[i] = (struct iovec){buffers[i], texts && texts[i] ? strlen(texts[i]) : size};
        entries[i] = (struct entry){.header = {.parts = &parts[i], .count = 1}, .length = 99};
    }
}

static void say_entries(const char *what, long n) {
    char text[200];
    int at = snprintf(text, sizeof(text), "%ld", n);
    for (long i = 0; i < n; i++) {
        at += snprintf(text + at, sizeof(text) - (size_t)at, " %u:%s:%#x", entries[i].length, buffers[i],
                       entries[i].header.flags);
    }
    say(what, "%s", n == -1 ? error_name(errno) : text);
}

static void headers(void) {
    struct header h = {.parts = parts, .count = 1};
    prepare(NULL, 4);
    say_call("sendmsg", syscall(SYS_sendmsg, ends[0], &h, 0));
    say_call("recvmsg", syscall(SYS_recvmsg, ends[1], &h, 0));
    say_call("sendmsg at a bad address", syscall(SYS_sendmsg, ends[0], 8, 0));
    say_call("recvmsg at a bad address", syscall(SYS_recvmsg, ends[0], 8, 0));
    h.count = 1025;
    say_call("sendmsg of 1025 pieces", syscall(SYS_sendmsg, ends[0], &h, 0));
    say_call("recvmsg of 1025 pieces", syscall(SYS_recvmsg, ends[0], &h, 0));
    h.count = 1;
    h.parts = (void *)8;
    say_call("pieces at a bad address", syscall(SYS_sendmsg, ends[0], &h, 0));
    h.parts = parts;
    parts[0].iov_len = (size_t)-1;
    say_call("a piece of a negative length", syscall(SYS_sendmsg, ends[0], &h, 0));
    parts[0].iov_len = 4;
    h.name = (void *)8;
    h.name_length = -1;
    say_call("a negative length of a name", syscall(SYS_sendmsg, ends[0], &h, 0));
    say_call("the same received", syscall(SYS_recvmsg, ends[0], &h, MSG_DONTWAIT));
    h.name_length = 10;
    say_call("a name at a bad address", syscall(SYS_sendmsg, ends[0], &h, 0));
    h.name_length = 1000;
    h.name = buffers;
    say_call("a long name", syscall(SYS_sendmsg, ends[0], &h, 0));
    h.name = NULL;
    say_call("no name, with a length", syscall(SYS_sendmsg, ends[0], &h, 0));
    h.name = (void *)8;
    say_call("recvmsg of a name to a bad address", syscall(SYS_recvmsg, ends[1], &h, MSG_DONTWAIT));
    h.name = NULL;
    say_call("MSG_CMSG_COMPAT", syscall(SYS_sendmsg, ends[0], &h, 0x80000000u));
    say_call("MSG_CMSG_COMPAT received", syscall(SYS_recvmsg, ends[0], &h, 0x80000000u));
    say_call("nothing there", syscall(SYS_recvmsg, ends[1], &h, MSG_DONTWAIT));
    h.count = 0;
    say_call("sendmsg of no piece", syscall(SYS_sendmsg, ends[0], &h, 0));
    say_call("recvmsg to no piece", syscall(SYS_recvmsg, ends[1], &h, MSG_DONTWAIT));
}

static int send_later(void) {
    await_blocked(getppid());
    send(ends[0], "late", 4, 0);
    return 0;
}

int main(void) {
    static const char *const texts[8] = {"one", "two2", "three", "four"};
    struct timespec zero = {0, 0}, bad = {0, -1}, half = {0, 50000000};
    signal(SIGPIPE, SIG_IGN);
    pair(SOCK_DGRAM, ends);
    headers();
    prepare(texts, 0);
    say_call("sendmmsg", syscall(SYS_sendmmsg, ends[0], entries, 4, 0));
    say("lengths", "%u %u %u %u %u", entries[0].length, entries[1].length, entries[2].length, entries[3].length,
        entries[4].length);
    prepare(NULL, 4);
    say_entries("recvmmsg", syscall(SYS_recvmmsg, ends[1], entries, 3, 0, NULL));
    prepare(NULL, 4);
    say_entries("recvmmsg of more than there are", syscall(SYS_recvmmsg, ends[1], entries, 3, MSG_DONTWAIT, NULL));
    say_entries("recvmmsg of none", syscall(SYS_recvmmsg, ends[1], entries, 3, MSG_DONTWAIT, NULL));
    say_entries("recvmmsg of 0", syscall(SYS_recvmmsg, ends[1], entries, 0, 0, NULL));
    say_call("sendmmsg of 0", syscall(SYS_sendmmsg, ends[0], entries, 0, 0));
    prepare(NULL, 10);
    pid_t pid = spawn(send_later);
    say_entries("MSG_WAITFORONE", syscall(SYS_recvmmsg, ends[1], entries, 3, MSG_WAITFORONE, NULL));
    reap(pid);
    prepare(texts, 0);
    syscall(SYS_sendmmsg, ends[0], entries, 3, 0);
    prepare(NULL, 10);
    say_entries("a time of nothing takes one", syscall(SYS_recvmmsg, ends[1], entries, 3, 0, &zero));
    say("what is left of it", "%ld %ld", (long)zero.tv_sec, zero.tv_nsec);
    say_entries("a bad time", syscall(SYS_recvmmsg, ends[1], entries, 3, 0, &bad));
    say_entries("a time at a bad address", syscall(SYS_recvmmsg, ends[1], entries, 3, 0, 8));
    prepare(NULL, 10);
    say_entries("a time that does not pass", syscall(SYS_recvmmsg, ends[1], entries, 2, 0, &half));
    say_bool("some is left", half.tv_nsec > 0 && half.tv_nsec <= 50000000);
    say_call("sendmmsg at a bad address", syscall(SYS_sendmmsg, ends[0], 8, 2, 0));
    say_call("recvmmsg at a bad address", syscall(SYS_recvmmsg, ends[1], 8, 2, MSG_DONTWAIT, NULL));
    prepare(texts, 0);
    entries[1].header.parts = (void *)8;
    say_call("sendmmsg whose second is bad", syscall(SYS_sendmmsg, ends[0], entries, 3, 0));
    prepare(NULL, 10);
    say_entries("one came", syscall(SYS_recvmmsg, ends[1], entries, 8, MSG_DONTWAIT, NULL));
    prepare(texts, 0);
    say_call("sendmmsg on no socket", syscall(SYS_sendmmsg, 0, entries, 3, 0));
    say_call("recvmmsg on no file", syscall(SYS_recvmmsg, 99, entries, 3, 0, NULL));
    close(ends[0]);
    say_call("sendmmsg to nobody", syscall(SYS_sendmmsg, ends[1], entries, 3, MSG_NOSIGNAL));
    say_call("again", syscall(SYS_sendmmsg, ends[1], entries, 3, MSG_NOSIGNAL));
    close(ends[1]);
    pair(SOCK_STREAM, ends);
    prepare(texts, 0);
    say_call("sendmmsg on a stream", syscall(SYS_sendmmsg, ends[0], entries, 3, 0));
    prepare(NULL, 5);
    say_entries("recvmmsg from a stream", syscall(SYS_recvmmsg, ends[1], entries, 8, MSG_DONTWAIT, NULL));
    close(ends[0]);
    prepare(NULL, 5);
    say_entries("recvmmsg at the end", syscall(SYS_recvmmsg, ends[1], entries, 2, 0, NULL));
    return 0;
}
