// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Whose a lock is: record locks of processes and of open file descriptions, over close, dup, fork and exec; circles; waits and what ends them.
#include "testing.h"

static int fd;
static struct gate ready, go;

static long lock(int at, int command, short type, off_t start, off_t length) {
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(at, command, &l);
}

// Who is in the way of a write lock of the first byte.
static const char *holder(int at, int command) {
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    if (fcntl(at, command, &l) == -1) {
        return error_name(errno);
    }
    if (l.l_type == F_UNLCK) {
        return "nobody";
    }
    return l.l_pid == -1          ? "a description"
           : l.l_pid == getpid()  ? "me"
           : l.l_pid == getppid() ? "my parent"
                                  : "another";
}

static int look(void) {
    say("a child sees", "%s", holder(fd, F_GETLK));
    return 0;
}

static int close_copy(void) {
    close(fd);
    return 0;
}

static void processes(void) {
    MUST(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    reap(spawn(look));
    say("by description", "%s", holder(fd, F_OFD_GETLK));
    reap(spawn(close_copy));
    reap(spawn(look));
    int second = MUST(open("f", O_RDONLY));
    close(second);
    say("closing any descriptor of the file drops it", "-");
    reap(spawn(look));
    MUST(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    int copy = MUST(dup(fd));
    close(copy);
    say("a duplicate, too", "-");
    reap(spawn(look));
    MUST(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    MUST(dup2(0, 20));
    second = MUST(open("f", O_RDONLY));
    MUST(dup2(0, second));
    say("and dup2 over one", "-");
    reap(spawn(look));
    close(second);
}

static int description_child(void) {
    say_call("the child has its parent's description lock: converts it", lock(fd, F_OFD_SETLK, F_RDLCK, 0, 1));
    close(fd);
    return 0;
}

static void descriptions(void) {
    int second = MUST(open("f", O_RDWR));
    say_call("OFD lock", lock(fd, F_OFD_SETLK, F_WRLCK, 0, 1));
    say("another description sees", "%s", holder(second, F_OFD_GETLK));
    say("a process sees", "%s", holder(second, F_GETLK));
    say_call("conflict with a process's lock", lock(second, F_SETLK, F_RDLCK, 0, 1));
    say_call("conflict in the same process", lock(second, F_OFD_SETLK, F_RDLCK, 0, 1));
    int copy = MUST(dup(fd));
    close(copy);
    say("after the close of a duplicate", "%s", holder(second, F_OFD_GETLK));
    reap(spawn(description_child));
    say("after the child", "%s", holder(second, F_OFD_GETLK));
    say_call("read lock beside it", lock(second, F_OFD_SETLK, F_RDLCK, 0, 1));
    copy = MUST(dup(fd));
    close(fd);
    say("one copy left", "%s", holder(second, F_OFD_GETLK));
    close(copy);
    say("none left", "%s", holder(second, F_OFD_GETLK));
    close(second);
    fd = MUST(open("f", O_RDWR));
}

static int executed(void) {
    MUST(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    execl("/proc/self/exe", "lock_owners", "executed", (char *)NULL);
    return 9;
}

static int stay(void) {
    gate_raise(&ready);
    gate_wait(&go);
    return 0;
}

static void over_exec(void) {
    pid_t pid = spawn(executed);
    sleep_ms(1);
    for (int i = 0; i < 2000 && strcmp(holder(fd, F_GETLK), "another"); i++) {
        sleep_ms(1);
    }
    gate_wait(&ready);
    say("kept over exec", "%s", holder(fd, F_GETLK));
    gate_raise(&go);
    reap(pid);
    say("gone with the process", "%s", holder(fd, F_GETLK));
}

static int circle_child(void) {
    MUST(lock(fd, F_SETLK, F_WRLCK, 1, 1));
    gate_raise(&ready);
    long r = lock(fd, F_SETLKW, F_WRLCK, 0, 1);
    return r == -1 ? 1 : 0;
}

static void circle(void) {
    MUST(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    pid_t pid = spawn(circle_child);
    gate_wait(&ready);
    await_blocked(pid);
    say_call("closing a circle", lock(fd, F_SETLKW, F_WRLCK, 1, 1));
    say_call("asking without waiting", lock(fd, F_SETLK, F_WRLCK, 1, 1));
    MUST(lock(fd, F_SETLK, F_UNLCK, 0, 1));
    say("the child's wait", "%s", status_text(reap(pid)));
    say_call("all free", lock(fd, F_SETLK, F_WRLCK, 0, 0));
    MUST(lock(fd, F_SETLK, F_UNLCK, 0, 0));
}

static void nothing(int signal) {
    (void)signal;
}

static int interrupted(void) {
    struct sigaction a = {.sa_handler = nothing};
    sigaction(SIGUSR1, &a, NULL);
    gate_raise(&ready);
    say_call("a wait that a handler interrupts", lock(fd, F_SETLKW, F_WRLCK, 0, 1));
    a.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &a, NULL);
    gate_raise(&ready);
    say_call("a wait that goes on behind it", lock(fd, F_SETLKW, F_WRLCK, 0, 1));
    return 0;
}

static int waiter(void) {
    gate_raise(&ready);
    return lock(fd, F_SETLKW, F_WRLCK, 0, 1) == 0 ? 0 : 1;
}

static void waits(void) {
    MUST(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    pid_t pid = spawn(interrupted);
    gate_wait(&ready);
    await_blocked(pid);
    kill(pid, SIGUSR1);
    gate_wait(&ready);
    await_blocked(pid);
    kill(pid, SIGUSR1);
    await_blocked(pid);
    MUST(lock(fd, F_SETLK, F_UNLCK, 0, 1));
    reap(pid);
    MUST(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    pid = spawn(waiter);
    gate_wait(&ready);
    await_blocked(pid);
    kill(pid, SIGKILL);
    say("killed in a wait", "%s", status_text(reap(pid)));
    pid = spawn(waiter);
    gate_wait(&ready);
    await_blocked(pid);
    MUST(lock(fd, F_SETLK, F_RDLCK, 0, 1));
    say("a lessened lock is still in the way", "%c", await_blocked(pid) ? 'S' : '-');
    int second = MUST(open("f", O_RDONLY));
    close(second);
    say("dropped by a close", "%s", status_text(reap(pid)));
}

int main(int argc, char **argv) {
    if (argc > 1) {
        // After exec: the gates are closed (O_CLOEXEC), so standard descriptors 3 and up are told by number.
        gate_raise(&(struct gate){{-1, 41}});
        gate_wait(&(struct gate){{42, -1}});
        return 0;
    }
    (void)stay;
    (void)argv;
    ready = gate_create();
    go = gate_create();
    MUST(dup2(ready.pipe[1], 41));
    MUST(dup2(go.pipe[0], 42));
    fd = MUST(open("f", O_RDWR | O_CREAT, 0600));
    processes();
    descriptions();
    over_exec();
    circle();
    waits();
    return 0;
}
