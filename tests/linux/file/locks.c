// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// fcntl record locks: conflicts between processes, ranges, F_GETLK, release at close, waiting.
#include "testing.h"

static int fd;
static struct gate locked, go;

static long lock(int command, short type, off_t start, off_t length) {
    struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, command, &range);
}

static int hold(void) {
    fd = MUST(open("f", O_RDWR));
    MUST(lock(F_SETLK, F_WRLCK, 10, 10));
    gate_raise(&locked);
    gate_wait(&go);
    return 0;
}

int main(void) {
    locked = gate_create();
    go = gate_create();
    file_make("f", "0123456789012345678901234567890123456789", 0644);
    fd = MUST(open("f", O_RDWR));
    pid_t pid = spawn(hold);
    gate_wait(&locked);
    say_call("write lock of a part that is locked", lock(F_SETLK, F_WRLCK, 15, 1));
    say_call("read lock of it", lock(F_SETLK, F_RDLCK, 15, 1));
    say_call("lock before it", lock(F_SETLK, F_WRLCK, 0, 10));
    say_call("lock behind it", lock(F_SETLK, F_WRLCK, 20, 0));
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    say_call("F_GETLK", fcntl(fd, F_GETLK, &range));
    say("the conflict", "type %d start %ld length %ld pid %s", range.l_type, (long)range.l_start, (long)range.l_len,
        range.l_pid == pid ? "right" : "wrong");
    gate_raise(&go);
    say_call("F_SETLKW waits for its end", lock(F_SETLKW, F_WRLCK, 10, 10));
    reap(pid);
    range = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
    fcntl(fd, F_GETLK, &range);
    say_bool("one's own locks are no conflict", range.l_type == F_UNLCK);
    say_call("unlock", lock(F_SETLK, F_UNLCK, 0, 0));
    say_call("negative start", lock(F_SETLK, F_WRLCK, -1, 1));
    say_call("unknown type", lock(F_SETLK, 9, 0, 1));
    int reader = MUST(open("f", O_RDONLY));
    int kept = fd;
    fd = reader;
    say_call("write lock of a read-only descriptor", lock(F_SETLK, F_WRLCK, 0, 1));
    say_call("read lock of it", lock(F_SETLK, F_RDLCK, 0, 1));
    fd = kept;
    return 0;
}
