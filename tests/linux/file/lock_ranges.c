// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Record locks in detail: splitting and joining, all kinds of l_whence, the limits of ranges, errors and their order, F_GETLK.
#include "testing.h"

static int fd, other;

static const char *set(int at, int command, short type, short whence, off_t start, off_t length, pid_t pid) {
    struct flock l = {.l_type = type, .l_whence = whence, .l_start = start, .l_len = length, .l_pid = pid};
    return fcntl(at, command, &l) == -1 ? error_name(errno) : "0";
}

// All locks on the file as another description sees them.
static void say_locks(const char *name) {
    char text[400] = "";
    off_t at = 0;
    for (int i = 0; i < 12; i++) {
        struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at};
        if (fcntl(other, F_OFD_GETLK, &l) == -1 || l.l_type == F_UNLCK) {
            break;
        }
        size_t n = strlen(text);
        snprintf(text + n, sizeof(text) - n, " %s[%ld+%ld]", l.l_type == F_RDLCK ? "r" : "w", (long)l.l_start,
                 (long)l.l_len);
        if (l.l_len == 0) {
            break;
        }
        at = l.l_start + l.l_len;
    }
    say(name, "%s", text[0] ? text + 1 : "none");
}

static void ranges(void) {
    set(fd, F_SETLK, F_RDLCK, SEEK_SET, 10, 20, 0);
    say_locks("one");
    set(fd, F_SETLK, F_WRLCK, SEEK_SET, 15, 5, 0);
    say_locks("another type in its middle");
    set(fd, F_SETLK, F_UNLCK, SEEK_SET, 12, 1, 0);
    say_locks("a hole");
    set(fd, F_SETLK, F_RDLCK, SEEK_SET, 12, 1, 0);
    say_locks("the hole filled joins");
    set(fd, F_SETLK, F_RDLCK, SEEK_SET, 30, 5, 0);
    say_locks("one that touches joins");
    set(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 0, 0);
    say_locks("over everything");
    set(fd, F_SETLK, F_UNLCK, SEEK_SET, 100, 10, 0);
    say_locks("cut in two");
    set(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 50, 0);
    say_locks("beginning cut off");
    set(fd, F_SETLK, F_RDLCK, SEEK_SET, 60, 100, 0);
    say_locks("over an end and the next beginning");
    set(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0, 0);
    say_locks("all undone");
}

static void whence(void) {
    MUST(ftruncate(fd, 1000));
    MUST(lseek(fd, 100, SEEK_SET));
    say("SEEK_CUR", "%s", set(fd, F_SETLK, F_WRLCK, SEEK_CUR, -10, 20, 0));
    say("SEEK_END", "%s", set(fd, F_SETLK, F_WRLCK, SEEK_END, -100, 0, 0));
    say("negative length", "%s", set(fd, F_SETLK, F_WRLCK, SEEK_SET, 50, -10, 0));
    say_locks("they are");
    say("SEEK_CUR before the beginning", "%s", set(fd, F_SETLK, F_WRLCK, SEEK_CUR, -101, 1, 0));
    say("negative length before the beginning", "%s", set(fd, F_SETLK, F_WRLCK, SEEK_SET, 9, -10, 0));
    say("negative length to the beginning", "%s", set(fd, F_SETLK, F_RDLCK, SEEK_SET, 10, -10, 0));
    say("unknown whence", "%s", set(fd, F_SETLK, F_WRLCK, 3, 0, 1, 0));
    say("start too large", "%s", set(fd, F_SETLK, F_WRLCK, SEEK_CUR, INT64_MAX, 1, 0));
    say("end too large", "%s", set(fd, F_SETLK, F_WRLCK, SEEK_SET, INT64_MAX, 2, 0));
    say("last byte", "%s", set(fd, F_SETLK, F_WRLCK, SEEK_SET, INT64_MAX, 1, 0));
    say("last but one", "%s", set(fd, F_SETLK, F_WRLCK, SEEK_SET, INT64_MAX - 1, 1, 0));
    say_locks("with the last bytes");
    set(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0, 0);
}

static void errors(void) {
    int r = MUST(open("f", O_RDONLY)), w = MUST(open("f", O_WRONLY)), p = MUST(open("f", O_PATH));
    int neither = MUST(open("f", 3));
    say("write lock, reading file", "%s", set(r, F_SETLK, F_WRLCK, SEEK_SET, 0, 1, 0));
    say("read lock, writing file", "%s", set(w, F_SETLK, F_RDLCK, SEEK_SET, 0, 1, 0));
    say("unlock, writing file", "%s", set(w, F_SETLK, F_UNLCK, SEEK_SET, 0, 1, 0));
    say("O_PATH", "%s", set(p, F_SETLK, F_RDLCK, SEEK_SET, 0, 1, 0));
    say("access mode 3, read lock", "%s", set(neither, F_SETLK, F_RDLCK, SEEK_SET, 0, 1, 0));
    char byte;
    say_call("access mode 3, read", read(neither, &byte, 1));
    say_call("access mode 3, write", write(neither, &byte, 1));
    say_call("access mode 3, F_GETFL mode", fcntl(neither, F_GETFL) & O_ACCMODE);
    say("type before descriptor's mode", "%s", set(r, F_SETLK, 7, SEEK_SET, 0, 1, 0));
    say("range before mode", "%s", set(r, F_SETLK, F_WRLCK, SEEK_SET, -1, 1, 0));
    say("bad address", "%s", fcntl(fd, F_SETLK, 8) == -1 ? error_name(errno) : "0");
    say("closed descriptor", "%s", set(99, F_SETLK, F_RDLCK, SEEK_SET, 0, 1, 0));
    say("F_GETLK of F_UNLCK", "%s", set(fd, F_GETLK, F_UNLCK, SEEK_SET, 0, 1, 0));
    say("F_OFD_GETLK of F_UNLCK", "%s", set(fd, F_OFD_GETLK, F_UNLCK, SEEK_SET, 0, 1, 0));
    say("F_GETLK needs no access", "%s", set(r, F_GETLK, F_WRLCK, SEEK_SET, 0, 1, 0));
    say("F_OFD_SETLK with a pid", "%s", set(fd, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 1, 1));
    say("F_OFD_SETLK with a pid, no access", "%s", set(r, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 1, 1));
    say("F_OFD_GETLK with a pid", "%s", set(fd, F_OFD_GETLK, F_WRLCK, SEEK_SET, 0, 1, 1));
    int pipes[2];
    MUST(pipe(pipes));
    say("lock of a pipe", "%s", set(pipes[0], F_SETLK, F_RDLCK, SEEK_SET, 0, 1, 0));
    int folder = MUST(open(".", O_RDONLY));
    say("lock of a folder", "%s", set(folder, F_SETLK, F_RDLCK, SEEK_SET, 0, 1, 0));
    close(r), close(w), close(p);
}

int main(void) {
    fd = MUST(open("f", O_RDWR | O_CREAT, 0600));
    other = MUST(open("f", O_RDWR));
    ranges();
    whence();
    errors();
    return 0;
}
