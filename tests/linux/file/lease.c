// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Leases: which can be had, what breaks them, what the holder hears, what the breaker waits for.
#include "testing.h"

static struct gate ready;
static int rt, held = -1;

static const char *signalled(void) {
    static char text[96];
    sigset_t set;
    siginfo_t info;
    struct timespec second = {5, 0};
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    sigaddset(&set, rt);
    int got = sigtimedwait(&set, &info, &second);
    if (got == -1) {
        return "none";
    }
    snprintf(text, sizeof(text), "%s code %d", signal_name(got), info.si_code);
    return text;
}

static bool pending(void) {
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, SIGIO) || sigismember(&set, rt);
}

static const char *type_name(int type) {
    return type == F_RDLCK   ? "read"
           : type == F_WRLCK ? "write"
           : type == F_UNLCK ? "none"
           : type == -1      ? error_name(errno)
                             : "?";
}

static void say_lease(const char *name, int fd) {
    say(name, "%s", type_name(fcntl(fd, F_GETLEASE)));
}

static void setting(void) {
    int w = MUST(open("f", O_RDWR | O_CREAT, 0600));
    say_lease("no lease", w);
    say_call("read lease of a writer", fcntl(w, F_SETLEASE, F_RDLCK));
    say_call("write lease", fcntl(w, F_SETLEASE, F_WRLCK));
    say_lease("it is", w);
    say_bool("F_GETOWN is the holder", fcntl(w, F_GETOWN) == getpid());
    say_call("given back", fcntl(w, F_SETLEASE, F_UNLCK));
    say_call("and nobody owns the file", fcntl(w, F_GETOWN));
    say_call("given back twice", fcntl(w, F_SETLEASE, F_UNLCK));
    int r = MUST(open("f", O_RDONLY));
    say_call("write lease, opened by another", fcntl(w, F_SETLEASE, F_WRLCK));
    say_call("read lease, opened for writing by another", fcntl(r, F_SETLEASE, F_RDLCK));
    close(w);
    say_call("read lease", fcntl(r, F_SETLEASE, F_RDLCK));
    say_call("made a write lease", fcntl(r, F_SETLEASE, F_WRLCK));
    say_lease("it is", r);
    say_call("made a read lease", fcntl(r, F_SETLEASE, F_RDLCK));
    int second = MUST(open("f", O_RDONLY));
    say_call("another's read lease beside it", fcntl(second, F_SETLEASE, F_RDLCK));
    say_call("no write lease beside others", fcntl(second, F_SETLEASE, F_WRLCK));
    int copy = MUST(dup(second));
    say_lease("a duplicate has the same", copy);
    close(copy);
    say_lease("and its close changes nothing", second);
    say_call("unknown type", fcntl(r, F_SETLEASE, 3));
    say_call("negative type", fcntl(r, F_SETLEASE, -1));
    int folder = MUST(open(".", O_RDONLY)), path = MUST(open("f", O_PATH)), ends[2];
    MUST(pipe(ends));
    say_call("a folder", fcntl(folder, F_SETLEASE, F_RDLCK));
    say_call("a pipe", fcntl(ends[0], F_SETLEASE, F_RDLCK));
    say_call("O_PATH", fcntl(path, F_SETLEASE, F_RDLCK));
    say_call("O_PATH, asked", fcntl(path, F_GETLEASE));
    say_call("a folder, asked", fcntl(folder, F_GETLEASE));
    close(second), close(r), close(folder), close(path), close(ends[0]), close(ends[1]);
}

static int foreign(void) {
    int fd = MUST(open("f", O_RDONLY));
    MUST(setresuid(1000, 1000, 1000));
    say_call("a file of another user", fcntl(fd, F_SETLEASE, F_RDLCK));
    int own = MUST(open("/tmp", O_RDONLY));
    say_call("a folder of another user", fcntl(own, F_SETLEASE, F_RDLCK));
    return 0;
}

static void nonblocking(void) {
    int fd = MUST(open("f", O_RDONLY));
    MUST(fcntl(fd, F_SETLEASE, F_RDLCK));
    int r = open("f", O_RDONLY | O_NONBLOCK);
    say_ok("a read lease lets readers in", r);
    close(r);
    say_bool("and nobody is signalled", pending());
    say_ok("O_PATH breaks nothing", r = open("f", O_WRONLY | O_PATH));
    close(r);
    say_bool("nor is signalled", pending());
    say_ok("opening for writing without waiting", open("f", O_WRONLY | O_NONBLOCK));
    say("the holder hears", "%s", signalled());
    say_lease("the lease will be", fd);
    say_ok("again", open("f", O_RDWR | O_NONBLOCK));
    say_bool("is not signalled again", pending());
    say_ok("a reader while it is being broken", r = open("f", O_RDONLY | O_NONBLOCK));
    close(r);
    say_call("a read lease again meanwhile", fcntl(fd, F_SETLEASE, F_RDLCK));
    say_lease("it is", fd);
    say_call("given back", fcntl(fd, F_SETLEASE, F_UNLCK));
    say_ok("now", r = open("f", O_WRONLY | O_NONBLOCK));
    close(r);
    MUST(fcntl(fd, F_SETLEASE, F_WRLCK));
    MUST(fcntl(fd, F_SETSIG, rt));
    say_ok("a write lease against a reader", open("f", O_RDONLY | O_NONBLOCK));
    say("the holder hears by its own signal", "%s", signalled());
    say_lease("it will be lessened", fd);
    say_ok("then a writer", open("f", O_WRONLY | O_NONBLOCK));
    say("the holder hears again", "%s", signalled());
    say_lease("it will end", fd);
    close(fd);
    say_ok("closing ends it", r = open("f", O_RDWR | O_NONBLOCK));
    close(r);
}

static int breaker(void) {
    close(held);
    gate_raise(&ready);
    int fd = open("f", O_RDWR);
    return fd == -1 ? errno : 0;
}

static int reader(void) {
    close(held);
    gate_raise(&ready);
    int fd = open("f", O_RDONLY);
    return fd == -1 ? errno : 0;
}

static int cutter(void) {
    close(held);
    gate_raise(&ready);
    return truncate("f", 0) == 0 ? 0 : errno;
}

static void nothing(int signal) {
    (void)signal;
}

static int interrupted(void) {
    struct sigaction a = {.sa_handler = nothing};
    sigaction(SIGUSR1, &a, NULL);
    close(held);
    gate_raise(&ready);
    say_ok("a wait that is interrupted", open("f", O_RDWR));
    return 0;
}

static pid_t blocked(int (*function)(void)) {
    pid_t pid = spawn(function);
    gate_wait(&ready);
    await_blocked(pid);
    return pid;
}

static void waiting(void) {
    int fd = held = MUST(open("f", O_RDONLY));
    MUST(fcntl(fd, F_SETLEASE, F_RDLCK));
    pid_t pid = blocked(breaker);
    say("breaker waits; the holder hears", "%s", signalled());
    MUST(fcntl(fd, F_SETLEASE, F_UNLCK));
    say("given back: it goes on", "%s", status_text(reap(pid)));
    MUST(fcntl(fd, F_SETLEASE, F_RDLCK));
    pid = blocked(cutter);
    say("truncate waits; the holder hears", "%s", signalled());
    MUST(fcntl(fd, F_SETLEASE, F_UNLCK));
    say("it goes on", "%s", status_text(reap(pid)));
    MUST(fcntl(fd, F_SETLEASE, F_WRLCK));
    pid = blocked(reader);
    say("a reader waits for a write lease", "%s", signalled());
    MUST(fcntl(fd, F_SETLEASE, F_RDLCK));
    say("lessened: it goes on", "%s", status_text(reap(pid)));
    say_lease("and a read lease is left", fd);
    pid = blocked(interrupted);
    signalled();
    kill(pid, SIGUSR1);
    reap(pid);
    say_lease("the break goes on without the breaker", fd);
    pid = blocked(breaker);
    kill(pid, SIGKILL);
    say("killed in the wait", "%s", status_text(reap(pid)));
    pid = blocked(breaker);
    close(fd);
    say("the holder closes", "%s", status_text(reap(pid)));
}

static void times(void) {
    int time = open("/proc/sys/fs/lease-break-time", O_WRONLY);
    if (time == -1 || write(time, "1", 1) != 1) {
        say("lease-break-time", "%s", error_name(errno));
        return;
    }
    int fd = MUST(open("f", O_RDONLY));
    MUST(fcntl(fd, F_SETLEASE, F_RDLCK));
    int64_t start = now_ms();
    int w = open("f", O_WRONLY);
    say_ok("a holder that does not answer", w);
    say_bool("was waited for", now_ms() - start >= 900);
    say_lease("and has none any more", fd);
    MUST(pwrite(time, "45", 2, 0));
}

static void names(void) {
    int fd = MUST(open("g", O_RDWR | O_CREAT, 0600));
    MUST(fcntl(fd, F_SETLEASE, F_WRLCK));
    say_call("rename does not break", rename("g", "h"));
    say_call("nor chmod", chmod("h", 0644));
    say_call("nor ftruncate of the holder", ftruncate(fd, 10));
    say_call("nor unlink", unlink("h"));
    say_bool("nobody was signalled", pending());
    say_lease("it is", fd);
}

int main(void) {
    rt = SIGRTMIN + 2;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    sigaddset(&set, rt);
    sigprocmask(SIG_BLOCK, &set, NULL);
    ready = gate_create();
    setting();
    reap(spawn(foreign));
    nonblocking();
    waiting();
    names();
    times();
    return 0;
}
