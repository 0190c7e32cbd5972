// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/locks and the lock lines of fdinfo: record locks, open file description locks, flock, leases; those that wait, those that are being broken.
#include "testing.h"
#include <sys/file.h>

static pid_t child;
static ino_t wanted;

// A lock's line in which what depends on the run has names.
static void show(const char *name, char *line, bool numbered) {
    char text[400] = "", kind[300];
    int pid;
    unsigned major, minor, number;
    unsigned long ino;
    char *colon = strchr(line, ':');
    line[strcspn(line, "\n")] = 0;
    number = (unsigned)strtoul(line, NULL, 10);
    char *end = line + strlen(line);
    char *at = end;
    for (int blanks = 0; blanks < 4 && at > line; at--) { // pid device start end
        blanks += at[-1] == ' ';
    }
    snprintf(kind, sizeof(kind), "%.*s", (int)(at - colon - 2), colon + 2);
    char rest[100];
    if (sscanf(at, "%d %x:%x:%lu %99[^\n]", &pid, &major, &minor, &ino, rest) != 5 || ino != (unsigned long)wanted) {
        return;
    }
    struct stat status;
    MUST(stat("f", &status));
    bool device = status.st_dev == (((dev_t)major << 8) | minor);
    snprintf(text, sizeof(text), "%s|%s|%s|%s", kind,
             pid == getpid() ? "mine"
             : pid == child  ? "child's"
             : pid == -1     ? "-1"
                             : "?",
             device ? "its device" : "?", rest);
    if (numbered) {
        say(name, "%u %s", number, text);
    } else {
        say(name, "%s", text);
    }
}

static void say_locks(const char *name) {
    char line[300];
    FILE *file = fopen("/proc/locks", "r");
    if (!file) {
        say(name, "%s", error_name(errno));
        return;
    }
    int lines = 0;
    while (fgets(line, sizeof(line), file)) {
        show(name, line, false);
        lines++;
    }
    fclose(file);
    say(name, "that is all%s", lines == 0 ? ", the file is empty" : "");
}

static void say_info(const char *name, int fd) {
    char path[64], line[300];
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "lock:\t", 6) == 0) {
            memmove(line, line + 6, strlen(line + 6) + 1);
            show(name, line, true);
        }
    }
    if (file) {
        fclose(file);
    }
    say(name, "that is all");
}

static int set(int fd, int command, int type, long start, long length) {
    struct flock lock = {.l_type = (short)type, .l_start = start, .l_len = length};
    return fcntl(fd, command, &lock);
}

static void record_locks(void) {
    int fd = MUST(open("f", O_RDWR)), other = MUST(open("f", O_RDONLY));
    MUST(set(fd, F_SETLK, F_WRLCK, 10, 5));
    say_locks("one record lock");
    MUST(set(fd, F_SETLK, F_UNLCK, 12, 1));
    say_info("cut in two", fd);
    MUST(set(fd, F_SETLK, F_UNLCK, 0, 0));
    MUST(set(other, F_SETLK, F_RDLCK, 100, 0));
    say_locks("to the end");
    say_info("set through another: here", fd);
    say_info("set through another: there", other);
    int copy = MUST(dup(other));
    say_info("set through a copy", copy);
    int path = MUST(open("f", O_PATH));
    say_info("of O_PATH", path);
    close(path);
    MUST(set(other, F_SETLK, F_RDLCK, 0, 10));
    say_info("two, sorted", other);
    close(copy);
    say_locks("after a close of a copy");
    MUST(set(fd, F_OFD_SETLK, F_WRLCK, 1, 1));
    say_locks("of an open file");
    say_info("of an open file", fd);
    say_info("of another open file", other);
    close(fd);
    close(other);
    say_locks("all closed");
}

static int locker(void) {
    int fd = MUST(open("f", O_RDWR));
    return set(fd, F_SETLKW, F_WRLCK, 0, 20) == 0 ? 0 : 1;
}

static int flocker(void) {
    int fd = MUST(open("f", O_RDWR));
    return flock(fd, LOCK_SH) == 0 ? 0 : 1;
}

static int opener(void) {
    return open("f", O_RDONLY) == -1;
}

static void waiting(void) {
    int fd = MUST(open("f", O_RDWR));
    MUST(set(fd, F_SETLK, F_RDLCK, 5, 1));
    child = spawn(locker);
    await_blocked(child);
    say_locks("a record lock waits");
    say_info("who waits is not told of here", fd);
    MUST(set(fd, F_SETLK, F_UNLCK, 0, 0));
    say("it was had", "%s", status_text(reap(child)));
    MUST(flock(fd, LOCK_EX));
    say_info("flock", fd);
    child = spawn(flocker);
    await_blocked(child);
    say_locks("a flock waits");
    MUST(flock(fd, LOCK_UN));
    say("it was had", "%s", status_text(reap(child)));
    close(fd);
}

static void ignore(int signal) {
    (void)signal;
}

static void leases(void) {
    signal(SIGIO, ignore);
    int fd = MUST(open("f", O_RDWR));
    MUST(fcntl(fd, F_SETLEASE, F_WRLCK));
    say_locks("a write lease");
    say_info("a write lease", fd);
    child = spawn(opener);
    await_blocked(child);
    say_info("it is broken", fd);
    MUST(fcntl(fd, F_SETLEASE, F_UNLCK));
    say("it was opened", "%s", status_text(reap(child)));
    close(fd);
    fd = MUST(open("f", O_RDONLY));
    MUST(fcntl(fd, F_SETLEASE, F_RDLCK));
    MUST(flock(fd, LOCK_SH));
    MUST(set(fd, F_OFD_SETLK, F_RDLCK, 3, 4));
    say_info("one of each", fd);
    close(fd);
    say_locks("at the end");
}

int main(void) {
    struct stat status;
    file_make("f", "text", 0644);
    MUST(stat("f", &status));
    wanted = status.st_ino;
    record_locks();
    waiting();
    leases();
    MUST(stat("/proc/locks", &status));
    say("mode", "%o", (unsigned)status.st_mode);
    return 0;
}
