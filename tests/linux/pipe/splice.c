// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// splice, tee and vmsplice: what may be joined with what, errors in their order, offsets, flags, how much moves, blocking, ends.
#include "testing.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

static int a[2], b[2], file, other, null;
static char data[200000], back[200000];

static void refill(int fds[2]) {
    close(fds[0]), close(fds[1]);
    MUST(pipe(fds));
}

static int held(int fd) {
    int n = -1;
    ioctl(fd, FIONREAD, &n);
    return n;
}

static void say_content(const char *name, int fd, size_t n) {
    struct pollfd p = {fd, POLLIN, 0};
    if (poll(&p, 1, 0) == 0) {
        say(name, "nothing");
        return;
    }
    ssize_t got = read(fd, back, n);
    if (got < 0) {
        say(name, "%s", error_name(errno));
        return;
    }
    say(name, "%d \"%.*s\"", (int)got, (int)(got > 60 ? 60 : got), back);
}

static void errors(void) {
    loff_t at = 0, bad = -5;
    write(a[1], "hello", 5);
    say_call("splice of nothing", splice(-1, NULL, -1, NULL, 0, 99));
    say_call("splice with an unknown flag", splice(-1, NULL, -1, NULL, 1, 16));
    say_call("splice from no file", splice(-1, NULL, b[1], NULL, 1, 0));
    say_call("splice to no file", splice(a[0], NULL, -1, NULL, 1, 0));
    say_call("an offset in a pipe", splice(a[0], &at, b[1], NULL, 1, 0));
    say_call("an offset in the other pipe", splice(a[0], NULL, b[1], &at, 1, 0));
    say_call("an offset at a bad address", splice(file, (void *)8, b[1], NULL, 1, 0));
    say_call("an offset of a pipe at a bad address", splice(a[0], (void *)8, b[1], NULL, 1, 0));
    say_call("from a writing end", splice(a[1], NULL, b[1], NULL, 1, 0));
    say_call("to a reading end", splice(a[0], NULL, b[0], NULL, 1, 0));
    say_call("from a pipe to itself", splice(a[0], NULL, a[1], NULL, 1, 0));
    say_call("from file to file", splice(file, NULL, other, NULL, 1, 0));
    say_call("a negative offset", splice(file, &bad, b[1], NULL, 1, 0));
    say_call("a negative offset to write at", splice(a[0], NULL, other, &bad, 1, 0));
    int append = open("other", O_WRONLY | O_APPEND), folder = open(".", O_RDONLY), path = open("file", O_PATH);
    say_call("to a file that is appended to", splice(a[0], NULL, append, NULL, 1, 0));
    say_call("from a folder", splice(folder, NULL, b[1], NULL, 1, 0));
    say_call("from an O_PATH descriptor", splice(path, NULL, b[1], NULL, 1, 0));
    int reading = open("file", O_RDONLY), writing = open("other", O_WRONLY);
    say_call("to a file open for reading", splice(a[0], NULL, reading, NULL, 1, 0));
    say_call("from a file open for writing", splice(writing, NULL, b[1], NULL, 1, 0));
    say_call("tee of nothing", tee(-1, -1, 0, 0));
    say_call("tee with an unknown flag", tee(-1, -1, 0, 16));
    say_call("tee from no file", tee(-1, b[1], 1, 0));
    say_call("tee to itself", tee(a[0], a[1], 1, 0));
    say_call("tee from a file", tee(file, b[1], 1, 0));
    say_call("tee to a file", tee(a[0], other, 1, 0));
    say_call("tee from a writing end", tee(a[1], b[1], 1, 0));
    struct iovec one = {data, 10}, wrong = {(void *)8, 10}, none = {data, 0};
    say_call("vmsplice with an unknown flag", vmsplice(b[1], &one, 1, 16));
    say_call("vmsplice of no file", vmsplice(-1, &one, 1, 0));
    say_call("vmsplice to a file", vmsplice(other, &one, 1, 0));
    say_call("vmsplice of nothing to a file", vmsplice(other, &none, 1, 0));
    say_call("vmsplice of no pieces", vmsplice(b[1], &one, 0, 0));
    say_call("vmsplice of too many", vmsplice(b[1], &one, 1025, 0));
    say_call("vmsplice from a bad address", vmsplice(b[1], &wrong, 1, 0));
    say_call("vmsplice of pieces at a bad address", vmsplice(b[1], (void *)8, 1, 0));
    say("held", "%d %d", held(a[0]), held(b[0]));
    close(append), close(folder), close(path), close(reading), close(writing);
}

static void between_pipes(void) {
    refill(a), refill(b);
    write(a[1], "hello world", 11);
    say_call("a part", splice(a[0], NULL, b[1], NULL, 5, 0));
    say("held", "%d %d", held(a[0]), held(b[0]));
    say_content("there", b[0], 100);
    say_call("the rest, and no more", splice(a[0], NULL, b[1], NULL, 1000, SPLICE_F_MOVE | SPLICE_F_MORE));
    say_content("there", b[0], 100);
    say_call("an empty pipe", splice(a[0], NULL, b[1], NULL, 10, SPLICE_F_NONBLOCK));
    fcntl(b[1], F_SETFL, O_NONBLOCK);
    say_call("an empty pipe into one that does not block", splice(a[0], NULL, b[1], NULL, 10, 0));
    while (write(b[1], data, 4096) > 0) {}
    write(a[1], "x", 1);
    say_call("a full pipe", splice(a[0], NULL, b[1], NULL, 10, 0));
    say("held", "%d", held(a[0]));
    close(b[0]);
    signal(SIGPIPE, SIG_IGN);
    say_call("a pipe that nobody reads", splice(a[0], NULL, b[1], NULL, 10, 0));
    b[0] = dup(null);
    refill(b);
    close(a[1]);
    say_call("the end's rest", splice(a[0], NULL, b[1], NULL, 10, 0));
    say_call("at the end", splice(a[0], NULL, b[1], NULL, 10, 0));
    a[1] = dup(null);
    refill(a), refill(b);
    // What was moved stays apart from what is written then.
    write(a[1], "abc", 3);
    splice(a[0], NULL, b[1], NULL, 2, 0);
    write(a[1], "DEF", 3);
    write(b[1], "xyz", 3);
    say_content("the one", a[0], 100);
    say_content("the other", b[0], 100);
    memset(data, 'p', sizeof(data));
    write(a[1], data, 65536);
    say_call("sixteen pages", splice(a[0], NULL, b[1], NULL, 1 << 20, 0));
    say("held", "%d %d", held(a[0]), held(b[0]));
    refill(a), refill(b);
    MUST(fcntl(b[1], F_SETPIPE_SZ, 4096));
    write(a[1], data, 10000);
    say_call("into a pipe of one page", splice(a[0], NULL, b[1], NULL, 1 << 20, 0));
    say("held", "%d %d", held(a[0]), held(b[0]));
    refill(a), refill(b);
}

static void teeing(void) {
    write(a[1], "hello", 5);
    write(a[1], data, 5000);
    say_call("tee", tee(a[0], b[1], 7, 0));
    say("held", "%d %d", held(a[0]), held(b[0]));
    say_content("copied", b[0], 100);
    say_call("tee of all", tee(a[0], b[1], 1 << 20, 0));
    say("held", "%d %d", held(a[0]), held(b[0]));
    say_content("the source", a[0], 5);
    read(a[0], back, 5000);
    say_call("tee of an empty pipe", tee(a[0], b[1], 10, SPLICE_F_NONBLOCK));
    close(a[1]);
    say_call("tee at the end", tee(a[0], b[1], 10, 0));
    a[1] = dup(null);
    refill(a), refill(b);
    write(a[1], "shared", 6);
    tee(a[0], b[1], 6, 0);
    write(a[1], "+a", 2);
    write(b[1], "+b", 2);
    say_content("the one", a[0], 100);
    say_content("the other", b[0], 100);
    refill(a), refill(b);
}

static void with_files(void) {
    loff_t at = 3;
    struct stat st;
    lseek(file, 0, SEEK_SET);
    say_call("from a file", splice(file, NULL, a[1], NULL, 4, 0));
    say_call("its position", lseek(file, 0, SEEK_CUR));
    say_content("read", a[0], 100);
    say_call("from an offset", splice(file, &at, a[1], NULL, 4, 0));
    say("the offset", "%d", (int)at);
    say_call("its position", lseek(file, 0, SEEK_CUR));
    say_content("read", a[0], 100);
    at = 1000000;
    say_call("behind the end", splice(file, &at, a[1], NULL, 4, 0));
    say_call("to its end", splice(file, NULL, a[1], NULL, 1000, 0));
    say_content("read", a[0], 100);
    write(a[1], "spliced", 7);
    lseek(other, 0, SEEK_SET);
    say_call("to a file", splice(a[0], NULL, other, NULL, 5, 0));
    say_call("its position", lseek(other, 0, SEEK_CUR));
    at = 10;
    say_call("at an offset", splice(a[0], NULL, other, &at, 100, 0));
    say("the offset", "%d", (int)at);
    say_call("its position", lseek(other, 0, SEEK_CUR));
    fstat(other, &st);
    say("size", "%d", (int)st.st_size);
    pread(other, back, 12, 0);
    say("content", "%.5s|%.2s", back, back + 10);
    int big = MUST(open("big", O_RDWR | O_CREAT | O_TRUNC, 0600));
    for (int i = 0; i < 20; i++) {
        memset(back, 'a' + i, 4096);
        write(big, back, 4096);
    }
    lseek(big, 100, SEEK_SET);
    say_call("as much as a pipe holds", splice(big, NULL, a[1], NULL, 1 << 20, 0));
    say("held", "%d", held(a[0]));
    say_call("into a full pipe", splice(big, NULL, a[1], NULL, 1, SPLICE_F_NONBLOCK));
    read(a[0], back, 4000);
    say("first and last", "%c %c", back[0], back[3999]);
    pwrite(big, "Z", 1, 5000);
    int copy = MUST(open("copy", O_RDWR | O_CREAT | O_TRUNC, 0600));
    say_call("to a file", splice(a[0], NULL, copy, NULL, 1 << 20, 0));
    fstat(copy, &st);
    say("size", "%d", (int)st.st_size);
    ftruncate(big, 0);
    ftruncate(big, 10000);
    lseek(big, 0, SEEK_SET);
    say_call("from a hole", splice(big, NULL, a[1], NULL, 5000, 0));
    ssize_t n = read(a[0], back, sizeof(back)), zeros = 0;
    for (ssize_t i = 0; i < n; i++) {
        zeros += back[i] == 0;
    }
    say("zeros", "%d of %d", (int)zeros, (int)n);
    write(big, "kept", 4);
    at = 5000;
    splice(big, &at, a[1], NULL, 4, 0);
    close(big), unlink("big");
    say_content("what a file lent stays", a[0], 100);
    int zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR);
    say_call("from /dev/zero", splice(zero, NULL, a[1], NULL, 10, 0));
    write(a[1], "0123456789", 10);
    say_call("to /dev/zero", splice(a[0], NULL, zero, NULL, 5, 0));
    say_call("to /dev/null", splice(a[0], NULL, null, NULL, 10, 0));
    struct rlimit limit = {8, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    write(a[1], "0123456789", 10);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    at = 4;
    say_call("up to the limit of sizes", splice(a[0], NULL, copy, &at, 10, 0));
    say_call("at the limit", splice(a[0], NULL, copy, &at, 10, 0));
    setrlimit(RLIMIT_FSIZE, &none);
    say("held", "%d", held(a[0]));
    close(copy), close(zero), close(full);
    refill(a), refill(b);
}

static void memory(void) {
    char *pages = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(pages, 'm', 4 * PAGE);
    struct iovec two[2] = {{"hello ", 6}, {"world", 5}}, whole = {pages, 4 * PAGE};
    say_call("vmsplice", vmsplice(a[1], two, 2, 0));
    say_content("read", a[0], 100);
    struct iovec gaps[4] = {{"", 0}, {"world", 5}, {NULL, 0}, {"!", 1}};
    say_call("vmsplice with empty pieces", vmsplice(a[1], gaps, 4, 0));
    say_content("read", a[0], 100);
    say_call("pages as a gift", vmsplice(a[1], &whole, 1, SPLICE_F_GIFT));
    say("held", "%d", held(a[0]));
    struct iovec in[2] = {{back, 10}, {back + 100, 5000}};
    say_call("vmsplice out", vmsplice(a[0], in, 2, 0));
    say("held", "%d", held(a[0]));
    read(a[0], back, sizeof(back));
    say_call("vmsplice out of an empty pipe", vmsplice(a[0], in, 2, SPLICE_F_NONBLOCK));
    struct iovec large = {data, sizeof(data)};
    ssize_t n = vmsplice(a[1], &large, 1, 0);
    say_bool("more than fits", n > 15 * PAGE && n <= 16 * PAGE);
    say_call("into a full pipe", vmsplice(a[1], two, 2, SPLICE_F_NONBLOCK));
    refill(a);
    close(a[0]);
    say_call("nobody reads", vmsplice(a[1], two, 2, 0));
    a[0] = dup(null);
    refill(a);
    write(a[1], "abc", 3);
    struct iovec bad = {(void *)8, 3};
    say_call("to a bad address", vmsplice(a[0], &bad, 1, 0));
    say("held", "%d", held(a[0]));
    refill(a);
}

static int blocked_splice(void) {
    ssize_t n = splice(a[0], NULL, b[1], NULL, 100, 0);
    return n < 0 ? errno : (int)n;
}

static int blocked_write(void) {
    ssize_t n = splice(file, &(loff_t){0}, a[1], NULL, 3, 0);
    return n < 0 ? errno : (int)n;
}

static int blocked_tee(void) {
    ssize_t n = tee(a[0], b[1], 100, 0);
    return n < 0 ? errno : (int)n;
}

static void on_alarm(int signal) {
    (void)signal;
}

static int interrupted(void) {
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval soon = {{0, 30000}, {0, 30000}}; // again and again: the first may come before the wait
    setitimer(ITIMER_REAL, &soon, NULL);
    return blocked_splice();
}

static void waiting(void) {
    pid_t child = spawn(blocked_splice);
    await_blocked(child);
    write(a[1], "abc", 3);
    say("a splice that waited for data", "%d", WEXITSTATUS(reap(child)));
    say_content("moved", b[0], 100);
    child = spawn(blocked_tee);
    await_blocked(child);
    write(a[1], "abcd", 4);
    say("a tee that waited", "%d", WEXITSTATUS(reap(child)));
    refill(a), refill(b);
    fcntl(a[1], F_SETFL, O_NONBLOCK);
    while (write(a[1], data, 4096) > 0) {}
    fcntl(a[1], F_SETFL, 0);
    child = spawn(blocked_write);
    await_blocked(child);
    read(a[0], back, 4096);
    say("a splice that waited for room", "%d", WEXITSTATUS(reap(child)));
    refill(a), refill(b);
    say("a splice that a signal found", "%s", error_name(WEXITSTATUS(reap(spawn(interrupted)))));
    child = fork();
    if (child == 0) {
        close(a[1]);
        _exit(blocked_splice());
    }
    await_blocked(child);
    close(a[1]);
    say("a splice whose writers left", "%d", WEXITSTATUS(reap(child)));
}

int main(void) {
    null = MUST(open("/dev/null", O_RDWR));
    file_make("file", "0123456789", 0600);
    file_make("other", "", 0600);
    file = MUST(open("file", O_RDWR));
    other = MUST(open("other", O_RDWR));
    MUST(pipe(a)), MUST(pipe(b));
    signal(SIGPIPE, SIG_IGN);
    errors();
    between_pipes();
    teeing();
    with_files();
    memory();
    waiting();
    return 0;
}
