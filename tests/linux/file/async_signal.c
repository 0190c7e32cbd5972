// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// O_ASYNC on pipes: who is signalled, with what (F_SETOWN, F_SETSIG and their kin), and what is refused.
#include "testing.h"
#include <sys/ioctl.h>

static int ends[2];

// The next pending signal of the set, or "none".
static const char *taken(int signal) {
    static char text[160];
    sigset_t set;
    siginfo_t info;
    struct timespec none = {0, 0};
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigaddset(&set, SIGIO);
    memset(&info, 0, sizeof(info));
    int got = sigtimedwait(&set, &info, &none);
    if (got == -1) {
        return "none";
    }
    snprintf(text, sizeof(text), "%s code %d band %#lx fd %s", signal_name(got), info.si_code,
             info.si_code == SI_KERNEL ? 0 : (long)info.si_band,
             info.si_code == SI_KERNEL ? "-"
             : info.si_fd == ends[0]   ? "reading"
             : info.si_fd == ends[1]   ? "writing"
                                       : "other");
    return text;
}

static void block(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void say_owner(const char *name, int fd) {
    struct f_owner_ex owner = {-7, -7};
    int plain = fcntl(fd, F_GETOWN);
    int result = fcntl(fd, F_GETOWN_EX, &owner);
    const char *type = owner.type == F_OWNER_TID    ? "thread"
                       : owner.type == F_OWNER_PID  ? "process"
                       : owner.type == F_OWNER_PGRP ? "group"
                                                    : "?";
    const char *who = owner.pid == 0           ? "nobody"
                      : owner.pid == getpid()  ? "me"
                      : owner.pid == getpgrp() ? "my group"
                                               : "other";
    const char *plain_who = plain == 0            ? "nobody"
                            : plain == getpid()   ? "me"
                            : plain == -getpgrp() ? "my group"
                                                  : "other";
    say(name, "%d %s %s, F_GETOWN %s", result, type, who, plain_who);
}

static void pipes(void) {
    int rt = SIGRTMIN + 3;
    block(SIGIO);
    block(rt);
    MUST(pipe(ends));
    say_owner("owner of a new file", ends[0]);
    say_call("F_GETSIG of a new file", fcntl(ends[0], F_GETSIG));
    say_call("F_SETFL O_ASYNC", fcntl(ends[0], F_SETFL, O_ASYNC));
    say_bool("F_GETFL shows it", fcntl(ends[0], F_GETFL) & O_ASYNC);
    MUST(write(ends[1], "a", 1));
    say("written, no owner", "%s", taken(rt));
    say_call("F_SETOWN self", fcntl(ends[0], F_SETOWN, getpid()));
    say_owner("the owner", ends[0]);
    MUST(write(ends[1], "a", 1));
    say("written", "%s", taken(rt));
    say("once", "%s", taken(rt));
    say_call("F_SETSIG real-time", fcntl(ends[0], F_SETSIG, rt));
    say_bool("F_GETSIG", fcntl(ends[0], F_GETSIG) == rt);
    MUST(write(ends[1], "b", 1));
    say("written, queued signal", "%s", taken(rt));
    say_call("F_SETSIG SIGIO by name", fcntl(ends[0], F_SETSIG, SIGIO));
    MUST(write(ends[1], "b", 1));
    say("written, SIGIO with information", "%s", taken(rt));
    block(SIGCHLD);
    say_call("F_SETSIG of a signal with codes of its own", fcntl(ends[0], F_SETSIG, SIGCHLD));
    MUST(write(ends[1], "b", 1));
    say("written, such a signal", "%s", taken(SIGCHLD));
    say_call("F_SETSIG 65", fcntl(ends[0], F_SETSIG, 65));
    say_call("F_SETSIG -1", fcntl(ends[0], F_SETSIG, -1));
    say_call("F_SETSIG 0", fcntl(ends[0], F_SETSIG, 0));
    MUST(write(ends[1], "b", 1));
    say("written, SIGIO again", "%s", taken(rt));
    char buffer[64];
    MUST(fcntl(ends[1], F_SETFL, O_ASYNC));
    MUST(fcntl(ends[1], F_SETOWN, getpid()));
    MUST(fcntl(ends[1], F_SETSIG, rt));
    MUST(read(ends[0], buffer, sizeof(buffer)));
    say("read: the writing end hears", "%s", taken(rt));
    say("and only it", "%s", taken(rt));
    MUST(fcntl(ends[0], F_SETFL, 0));
    say_bool("F_SETFL 0 takes O_ASYNC away", !(fcntl(ends[0], F_GETFL) & O_ASYNC));
    MUST(write(ends[1], "c", 1));
    say("written after it", "%s", taken(rt));
    int on = 1;
    say_call("FIOASYNC on", ioctl(ends[0], FIOASYNC, &on));
    say_bool("it is the flag", fcntl(ends[0], F_GETFL) & O_ASYNC);
    say_call("FIOASYNC of a bad address", ioctl(ends[0], FIOASYNC, (void *)8));
    MUST(fcntl(ends[0], F_SETSIG, rt));
    int copy = MUST(dup(ends[0]));
    close(ends[1]);
    say("writing end closed", "%s", taken(rt));
    close(copy);
    close(ends[0]);
}

static int child(void) {
    pause();
    return 0;
}

static void owners(void) {
    struct f_owner_ex owner = {F_OWNER_PGRP, getpgrp()};
    MUST(pipe(ends));
    say_call("F_SETOWN_EX group", fcntl(ends[0], F_SETOWN_EX, &owner));
    say_owner("a group", ends[0]);
    say_call("F_SETOWN group", fcntl(ends[0], F_SETOWN, -getpgrp()));
    say_owner("the same", ends[0]);
    owner = (struct f_owner_ex){F_OWNER_TID, (int)syscall(SYS_gettid)};
    say_call("F_SETOWN_EX thread", fcntl(ends[0], F_SETOWN_EX, &owner));
    say_owner("a thread", ends[0]);
    owner.type = 3;
    say_call("F_SETOWN_EX unknown type", fcntl(ends[0], F_SETOWN_EX, &owner));
    owner = (struct f_owner_ex){F_OWNER_PID, 32767};
    say_call("F_SETOWN_EX nobody there", fcntl(ends[0], F_SETOWN_EX, &owner));
    say_call("F_SETOWN_EX bad address", fcntl(ends[0], F_SETOWN_EX, 8));
    say_call("F_GETOWN_EX bad address", fcntl(ends[0], F_GETOWN_EX, 8));
    say_call("F_SETOWN nobody there", fcntl(ends[0], F_SETOWN, 32767));
    say_call("F_SETOWN of the least number", fcntl(ends[0], F_SETOWN, INT32_MIN));
    say_owner("refusals change nothing", ends[0]);
    uid_t ids[2] = {77, 77};
    say_call("F_GETOWNER_UIDS", fcntl(ends[0], F_GETOWNER_UIDS, ids));
    say("its answer", "%u %u", ids[0], ids[1]);
    pid_t pid = spawn(child);
    MUST(fcntl(ends[0], F_SETOWN, pid));
    say_owner("another process", ends[0]);
    kill(pid, SIGKILL);
    reap(pid);
    say_owner("it has gone", ends[0]);
    say_call("F_SETOWN 0", fcntl(ends[0], F_SETOWN, 0));
    say_owner("nobody", ends[0]);
    int path = MUST(open(".", O_PATH));
    say_call("F_SETOWN of O_PATH", fcntl(path, F_SETOWN, getpid()));
    int file = MUST(open("f", O_RDWR | O_CREAT, 0600));
    say_call("O_ASYNC of a plain file", fcntl(file, F_SETFL, O_ASYNC));
    say_bool("is not kept", !(fcntl(file, F_GETFL) & O_ASYNC));
    int on = 1;
    say_call("FIOASYNC of a plain file", ioctl(file, FIOASYNC, &on));
    int zero = 0;
    say_call("FIOASYNC off of a plain file", ioctl(file, FIOASYNC, &zero));
}

// A file keeps who set its owner: he must be one who may signal.
static int foreign(void) {
    MUST(setresuid(1000, 1000, 1000));
    fcntl(ends[0], F_SETOWN, getppid());
    return 0;
}

static void permissions(void) {
    block(SIGIO);
    MUST(pipe(ends));
    MUST(fcntl(ends[0], F_SETFL, O_ASYNC));
    pid_t pid = spawn(foreign);
    reap(pid);
    uid_t ids[2] = {77, 77};
    MUST(fcntl(ends[0], F_GETOWNER_UIDS, ids));
    say("set by another user", "%u %u", ids[0], ids[1]);
    MUST(write(ends[1], "a", 1));
    say("root is not signalled for him", "%s", taken(SIGIO));
    MUST(fcntl(ends[0], F_SETOWN, getpid()));
    MUST(write(ends[1], "a", 1));
    say("but for himself", "%s", taken(SIGIO));
}

// The signal ends the process that has no handler: delivery is real.
static int unhandled(void) {
    MUST(pipe(ends));
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    MUST(fcntl(ends[0], F_SETOWN, getpid()));
    MUST(fcntl(ends[0], F_SETFL, O_ASYNC));
    MUST(write(ends[1], "a", 1));
    return 3;
}

int main(void) {
    pipes();
    owners();
    permissions();
    say_child("unhandled", unhandled);
    return 0;
}
