// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/PID/io: what each call that moves bytes adds, of a thread, of its process, of a child that was reaped; who may read it.
#include "testing.h"

#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct counts {
    long rchar, wchar, syscr, syscw, read_bytes, write_bytes, cancelled;
};

static char text[500];
static int io_file;

// By a call that counts itself: pread adds to what is seen next.
static struct counts counts_of(int fd) {
    struct counts c = {0};
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = 0;
    if (sscanf(text,
               "rchar: %ld\nwchar: %ld\nsyscr: %ld\nsyscw: %ld\nread_bytes: %ld\nwrite_bytes: %ld\n"
               "cancelled_write_bytes: %ld\n",
               &c.rchar, &c.wchar, &c.syscr, &c.syscw, &c.read_bytes, &c.write_bytes, &c.cancelled) != 7) {
        say("set-up failed", "the form of io");
    }
    return c;
}

static struct counts before;
static long own; // bytes that the look itself read

static void begin(void) {
    before = counts_of(io_file);
    own = (long)strlen(text);
}

static void end(const char *name) {
    struct counts c = counts_of(io_file);
    say(name, "%ld %ld %ld %ld", c.rchar - before.rchar - own, c.wchar - before.wchar, c.syscr - before.syscr - 1,
        c.syscw - before.syscw);
}

#define COUNTED(name, call) \
    do {                    \
        begin();            \
        (void)!(call);      \
        end(name);          \
    } while (0)

static void calls(void) {
    char bytes[5000] = {0};
    int fd = MUST(open("data", O_RDWR | O_CREAT | O_TRUNC, 0600)), out = MUST(open("copy", O_RDWR | O_CREAT, 0600));
    int p[2], s[2];
    struct iovec v[2] = {{bytes, 100}, {bytes + 200, 50}};
    MUST(pipe2(p, O_NONBLOCK));
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    COUNTED("write", write(fd, bytes, 5000));
    COUNTED("pwrite", pwrite(fd, bytes, 100, 4950));
    COUNTED("writev", writev(fd, v, 2));
    COUNTED("pwritev", pwritev(fd, v, 2, 0));
    COUNTED("read at the end", read(fd, bytes, 100));
    COUNTED("pread", pread(fd, bytes, 100, 0));
    COUNTED("readv", readv(fd, v, 2));
    COUNTED("preadv", preadv(fd, v, 2, 0));
    COUNTED("read of no bytes", read(fd, bytes, 0));
    COUNTED("read of a closed descriptor", read(900, bytes, 10));
    COUNTED("readv of a closed descriptor", readv(900, v, 2));
    COUNTED("write of a bad address", write(fd, (void *)8, 10));
    COUNTED("read of a kernel's address", read(fd, (void *)-4096, 10));
    COUNTED("read of an empty pipe", read(p[0], bytes, 10));
    COUNTED("write to a pipe", write(p[1], bytes, 10));
    COUNTED("read of a pipe", read(p[0], bytes, 10));
    COUNTED("write to a reading end", write(p[0], bytes, 10));
    COUNTED("write to a socket", write(s[0], bytes, 10));
    COUNTED("send", send(s[0], bytes, 10, 0));
    COUNTED("recv", recv(s[1], bytes, 10, 0));
    COUNTED("read of a socket", read(s[1], bytes, 10));
    off_t at = 0;
    COUNTED("sendfile", sendfile(out, fd, &at, 300));
    loff_t from = 0, to = 0;
    COUNTED("copy_file_range", syscall(SYS_copy_file_range, fd, &from, out, &to, 200, 0));
    from = 0;
    COUNTED("splice", splice(fd, &from, p[1], NULL, 100, 0));
    COUNTED("/dev/zero", read(MUST(open("/dev/zero", O_RDONLY)), bytes, 70));
    struct counts c = counts_of(io_file);
    say("to and from a disk", "%ld %ld %ld", c.read_bytes, c.write_bytes, c.cancelled);
}

static void *thread(void *arg) {
    struct counts first, second;
    int fd = MUST(open("/proc/thread-self/io", O_RDONLY));
    (void)arg;
    first = counts_of(fd);
    say("a new thread", "%ld %ld %ld %ld", first.rchar, first.wchar, first.syscr, first.syscw);
    int null = MUST(open("/dev/null", O_WRONLY));
    first = counts_of(fd);
    MUST(write(null, text, 33));
    second = counts_of(fd);
    say("the thread's write", "%ld %ld", second.wchar - first.wchar, second.syscw - first.syscw);
    close(fd);
    return NULL;
}

static int child(void) {
    int null = MUST(open("/dev/null", O_WRONLY));
    struct counts c = counts_of(MUST(open("/proc/self/io", O_RDONLY)));
    say("a child begins", "%ld %ld", c.rchar, c.wchar);
    MUST(write(null, text, 44));
    return 0;
}

static int quiet_child(void) {
    MUST(write(MUST(open("/dev/null", O_WRONLY)), text, 44));
    return 0;
}

static int as_user(void) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/io", (int)getppid());
    int early = MUST(open(path, O_RDONLY));
    MUST(setuid(1000));
    say_call("another user's: opened before", read(early, text, 100));
    say_ok("another user's: opened now", open(path, O_RDONLY));
    say_ok("one's own, not dumpable", open("/proc/self/io", O_RDONLY));
    return 0;
}

int main(void) {
    io_file = MUST(open("/proc/self/io", O_RDONLY));
    calls();
    pthread_t t;
    MUST(pthread_create(&t, NULL, thread, NULL));
    pthread_join(t, NULL);
    say_child("child", child);
    begin();
    pid_t pid = spawn(quiet_child);
    siginfo_t info;
    MUST(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    end("a child has ended");
    begin();
    reap(pid);
    end("and is reaped");
    say_child("as a user", as_user);
    return 0;
}
