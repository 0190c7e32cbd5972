// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Fifos: who waits for whom at open, O_NONBLOCK, O_RDWR, opening again through /proc, poll and its hang-ups, names that go while files are open.
#include "testing.h"
#include <sys/ioctl.h>

static void say_poll(const char *name, int fd) {
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    poll(&p, 1, 0);
    say(name, "%#x", (unsigned)p.revents);
}

static int open_to_read(void) {
    return open("fifo", O_RDONLY) == -1 ? errno : 0;
}

static int open_to_write(void) {
    return open("fifo", O_WRONLY) == -1 ? errno : 0;
}

static int open_to_write_and_say(void) {
    int fd = open("fifo", O_WRONLY);
    return write(fd, "hello", 5) == 5 ? 0 : errno;
}

static void handler(int signal) {
    (void)signal;
}

static int open_interrupted(void) {
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval soon = {{0, 30000}, {0, 30000}}; // again and again: the first may come before the wait
    setitimer(ITIMER_REAL, &soon, NULL);
    return open_to_read();
}

static void opening(void) {
    int fd, other;
    say_call("mkfifo", mkfifo("fifo", 0640));
    say_call("again", mkfifo("fifo", 0640));
    struct stat st;
    stat("fifo", &st);
    say("mode", "%o size %d", st.st_mode, (int)st.st_size);
    say_call("O_WRONLY | O_NONBLOCK without a reader", open("fifo", O_WRONLY | O_NONBLOCK));
    fd = open("fifo", O_RDONLY | O_NONBLOCK);
    say_ok("O_RDONLY | O_NONBLOCK", fd);
    say_poll("poll without a writer yet", fd);
    say_call("read without a writer", read(fd, &st, 1));
    other = open("fifo", O_WRONLY | O_NONBLOCK);
    say_ok("O_WRONLY | O_NONBLOCK with a reader", other);
    say_poll("reader", fd);
    say_poll("writer", other);
    say_call("read", read(fd, &st, 1));
    say_call("write", write(other, "abc", 3));
    say_poll("reader with data", fd);
    close(other);
    say_poll("reader, writer gone, data there", fd);
    say_call("read", read(fd, &st, 10));
    say_poll("reader, writer gone", fd);
    say_call("read", read(fd, &st, 10));
    other = open("fifo", O_WRONLY);
    say_poll("reader, another writer", fd);
    int second = open("fifo", O_RDONLY | O_NONBLOCK);
    close(other);
    say_poll("the reader that knew it", fd);
    say_poll("the reader that came after it", second);
    close(fd), close(second);
    fd = open("fifo", O_RDWR);
    say_ok("O_RDWR", fd);
    say_poll("poll", fd);
    say_call("write", write(fd, "self", 4));
    say_poll("poll", fd);
    say_call("read", read(fd, &st, 10));
    other = open("fifo", O_WRONLY | O_NONBLOCK);
    say_ok("O_WRONLY | O_NONBLOCK then", other);
    close(fd);
    say_poll("writer, reader gone", other);
    signal(SIGPIPE, SIG_IGN);
    say_call("write", write(other, "x", 1));
    close(other);
    say_ok("O_RDONLY | O_DIRECT", open("fifo", O_RDONLY | O_DIRECT | O_NONBLOCK));
    say_call("O_TRUNC", open("fifo", O_WRONLY | O_TRUNC | O_NONBLOCK) == -1 ? -1 : 0);
    say_call("mode 3", open("fifo", 3 | O_NONBLOCK) == -1 ? -1 : 0);
    say_call("O_DIRECTORY", open("fifo", O_RDONLY | O_DIRECTORY));
    say_call("truncate", truncate("fifo", 0));
}

static void waiting(void) {
    unlink("fifo");
    mkfifo("fifo", 0600);
    pid_t child = spawn(open_to_read);
    say_bool("a reader waits", await_blocked(child));
    int fd = open("fifo", O_WRONLY | O_NONBLOCK);
    say_ok("a writer finds it", fd);
    say("the reader", "%s", status_text(reap(child)));
    close(fd);
    child = spawn(open_to_write);
    say_bool("a writer waits", await_blocked(child));
    fd = open("fifo", O_RDONLY | O_NONBLOCK);
    say("the writer", "%s", status_text(reap(child)));
    close(fd);
    child = spawn(open_to_write_and_say);
    fd = open("fifo", O_RDONLY);
    char text[10] = "";
    say_call("read", read(fd, text, 9));
    say("text", "%s", text);
    reap(child);
    say_call("then", read(fd, text, 9));
    close(fd);
    say("a signal", "%s", error_name(WEXITSTATUS(reap(spawn(open_interrupted)))));
    child = spawn(open_to_read);
    await_blocked(child);
    unlink("fifo");
    mkfifo("fifo", 0600);
    say_call("the new fifo of the name", open("fifo", O_WRONLY | O_NONBLOCK));
    kill(child, SIGKILL);
    reap(child);
}

static void again(void) {
    char path[64];
    int fd = open("fifo", O_RDWR), count = -1;
    unlink("fifo");
    write(fd, "kept", 4);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int reader = open(path, O_RDONLY), writer = open(path, O_WRONLY);
    say_ok("again to read", reader);
    say_ok("again to write", writer);
    say_call("read", read(reader, path + 40, 10));
    close(fd);
    close(writer);
    say_poll("no writer any more", reader);
    say_call("read", read(reader, path + 40, 10));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", reader);
    say_call("a writer that does not wait", (writer = open(path, O_WRONLY | O_NONBLOCK)) == -1 ? -1 : 0);
    say_call("FIONREAD", ioctl(reader, FIONREAD, &count));
    say_call("F_GETPIPE_SZ", fcntl(reader, F_GETPIPE_SZ));
    say_call("lseek", lseek(reader, 0, SEEK_SET));
    say_call("pread", pread(reader, path, 1, 0));
    close(reader);
    close(writer);
    int ends[2];
    MUST(pipe(ends));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
    writer = open(path, O_WRONLY | O_NONBLOCK);
    say_ok("a pipe's reading end again, to write", writer);
    say_call("write", write(writer, "abc", 3));
    close(ends[1]);
    say_call("read", read(ends[0], path, 10));
    close(writer);
    say_call("at the end", read(ends[0], path, 10));
    close(ends[0]);
}

static void packets(void) {
    int ends[2], count = 0;
    char text[5000];
    say_call("O_DIRECT", pipe2(ends, O_DIRECT));
    say("flags", "%#x", (unsigned)fcntl(ends[1], F_GETFL));
    write(ends[1], "one", 3), write(ends[1], "second", 6), write(ends[1], "3", 1);
    ioctl(ends[0], FIONREAD, &count);
    say("FIONREAD", "%d", count);
    say_call("read", read(ends[0], text, sizeof(text)));
    say_call("a part of a packet", read(ends[0], text, 2));
    say_call("the next", read(ends[0], text, sizeof(text)));
    memset(text, 'x', sizeof(text));
    say_call("a large write", write(ends[1], text, 5000));
    say_call("read", read(ends[0], text, sizeof(text)));
    say_call("read", read(ends[0], text, sizeof(text)));
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    write(ends[1], "a", 1), write(ends[1], "b", 1);
    say_call("without O_DIRECT", read(ends[0], text, 10));
    fcntl(ends[1], F_SETFL, O_DIRECT | O_NONBLOCK);
    write(ends[1], "a", 1), write(ends[1], "b", 1);
    say_call("with it again", read(ends[0], text, 10));
    read(ends[0], text, 10);
    int n = 0;
    while (write(ends[1], "x", 1) == 1) {
        n++;
    }
    say("packets that fit", "%d", n);
    close(ends[0]), close(ends[1]);
    pipe2(ends, O_CLOEXEC | O_NONBLOCK);
    say("O_CLOEXEC and O_NONBLOCK", "%d %#x %#x", fcntl(ends[0], F_GETFD), (unsigned)fcntl(ends[0], F_GETFL),
        (unsigned)fcntl(ends[1], F_GETFL));
    close(ends[0]), close(ends[1]);
    say_call("an unknown flag", pipe2(ends, O_APPEND));
    say_call("a bad address", syscall(SYS_pipe2, 8, 0));
}

static void sizes(void) {
    int ends[2];
    MUST(pipe(ends));
    static const unsigned wanted[] = {0, 1, 4096, 4097, 65536, 100000, 1 << 20, (1 << 20) + 1, 1u << 31, 0xffffffffu};
    char name[40];
    for (unsigned i = 0; i < COUNT(wanted); i++) {
        snprintf(name, sizeof(name), "F_SETPIPE_SZ of %u", wanted[i]);
        say_call(name, fcntl(ends[i % 2], F_SETPIPE_SZ, wanted[i]));
    }
    fcntl(ends[0], F_SETPIPE_SZ, 65536);
    pid_t child = fork();
    if (child == 0) {
        setresuid(1000, 1000, 1000);
        say_call("without privilege, up to the limit", fcntl(ends[0], F_SETPIPE_SZ, 1 << 20));
        say_call("beyond it", fcntl(ends[0], F_SETPIPE_SZ, (1 << 20) + 1));
        say_call("smaller", fcntl(ends[0], F_SETPIPE_SZ, 8192));
        _exit(0);
    }
    reap(child);
    say_call("F_GETPIPE_SZ", fcntl(ends[1], F_GETPIPE_SZ));
    say_call("F_SETPIPE_SZ of no pipe", fcntl(open("/dev/null", O_RDWR), F_SETPIPE_SZ, 4096));
    close(ends[0]), close(ends[1]);
}

int main(void) {
    umask(022);
    opening();
    waiting();
    again();
    packets();
    sizes();
    return 0;
}
