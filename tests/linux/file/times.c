// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// utimensat and its relatives: setting, UTIME_NOW, UTIME_OMIT, errors; the times that calls change by themselves.
#include "testing.h"
#include <utime.h>

static void show(const char *name, const char *path) {
    struct stat status;
    MUST(lstat(path, &status));
    say(name, "atime %ld.%09ld mtime %ld.%09ld", (long)status.st_atim.tv_sec, status.st_atim.tv_nsec,
        (long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

int main(void) {
    struct stat status, before;
    file_make("f", "x", 0644);
    MUST(symlink("f", "l"));
    struct timespec times[2] = {{1000, 123456789}, {2000, 987654321}};
    say_call("utimensat", utimensat(AT_FDCWD, "f", times, 0));
    show("set", "f");
    times[0].tv_nsec = UTIME_OMIT;
    times[1] = (struct timespec){3000, 1};
    say_call("UTIME_OMIT", utimensat(AT_FDCWD, "f", times, 0));
    show("set", "f");
    times[0] = (struct timespec){0, UTIME_NOW};
    times[1].tv_nsec = UTIME_OMIT;
    say_call("UTIME_NOW", utimensat(AT_FDCWD, "f", times, 0));
    MUST(stat("f", &status));
    say_bool("atime is now", status.st_atim.tv_sec > 1000000000 && status.st_mtim.tv_sec == 3000);
    say_call("both omitted on a missing file",
             (times[0].tv_nsec = UTIME_OMIT, utimensat(AT_FDCWD, "missing", times, 0)));
    times[0] = times[1] = (struct timespec){5, 5};
    say_call("of a link itself", utimensat(AT_FDCWD, "l", times, AT_SYMLINK_NOFOLLOW));
    show("link", "l");
    int fd = MUST(open("f", O_RDONLY));
    say_call("futimens", futimens(fd, times));
    show("set", "f");
    times[0].tv_nsec = 1000000000;
    say_call("nanoseconds too many", utimensat(AT_FDCWD, "f", times, 0));
    times[0].tv_nsec = 0;
    say_call("missing file", utimensat(AT_FDCWD, "missing", times, 0));
    say_call("unknown flag", utimensat(AT_FDCWD, "f", times, 0x4000));
    say_call("no name and no descriptor", syscall(SYS_utimensat, AT_FDCWD, NULL, times, 0));
    say_call("bad address", syscall(SYS_utimensat, AT_FDCWD, "f", (void *)8, 0));
    struct utimbuf seconds = {7, 8};
    say_call("utime", utime("f", &seconds));
    show("set", "f");
    struct timeval micro[2] = {{9, 500000}, {10, 1}};
    say_call("utimes", syscall(SYS_utimes, "f", micro));
    show("set", "f");
    micro[0].tv_usec = 1000000;
    say_call("microseconds too many", syscall(SYS_utimes, "f", micro));

    MUST(mkdir("d", 0755));
    times[0] = times[1] = (struct timespec){100, 0};
    MUST(utimensat(AT_FDCWD, "d", times, 0));
    file_make("d/new", "x", 0644);
    MUST(stat("d", &status));
    say_bool("a new name changes the folder's mtime", status.st_mtim.tv_sec > 1000000000);
    MUST(utimensat(AT_FDCWD, "d", times, 0));
    MUST(unlink("d/new"));
    MUST(stat("d", &status));
    say_bool("a removed name does too", status.st_mtim.tv_sec > 1000000000);
    MUST(utimensat(AT_FDCWD, "f", times, 0));
    MUST(stat("f", &before));
    fd = MUST(open("f", O_WRONLY | O_TRUNC));
    MUST(stat("f", &status));
    say_bool("O_TRUNC changes mtime", status.st_mtim.tv_sec > 1000000000);
    return 0;
}
