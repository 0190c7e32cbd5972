// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc of a process: the files that ps, shells and libraries read, in their form.
#include "testing.h"
#include <ctype.h>
#include <dirent.h>
#include <sys/prctl.h>

static char text[65536];

static long load(const char *path) {
    int fd = open(path, O_RDONLY);
    if (fd == -1) {
        return -1;
    }
    size_t length = 0;
    ssize_t n;
    while (length < sizeof(text) - 1 && (n = read(fd, text + length, sizeof(text) - 1 - length)) > 0) {
        length += (size_t)n;
    }
    close(fd);
    text[length] = 0;
    return (long)length;
}

static long status_value(const char *key) {
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "\n%s:", key);
    const char *at = strstr(text, wanted);
    return at ? strtol(at + strlen(wanted), NULL, 0) : -1;
}

static void show_stat(void) {
    MUST(load("/proc/self/stat"));
    char *open_bracket = strchr(text, '('), *close_bracket = strrchr(text, ')');
    *close_bracket = 0;
    say_bool("stat: pid first", atoi(text) == getpid());
    say("stat: name", "%s", open_bracket + 1);
    char state = 0;
    int ppid = 0, group = 0, session = 0, terminal = -5, foreground = -5, threads = 0;
    long priority = 0, nice = 0;
    unsigned long flags, minor, cminor, major, cmajor, user, system, memory = 0;
    long cuser, csystem, interval;
    unsigned long long start = 0;
    sscanf(close_bracket + 2, "%c %d %d %d %d %d %lu %lu %lu %lu %lu %lu %lu %ld %ld %ld %ld %d %ld %llu %lu", &state,
           &ppid, &group, &session, &terminal, &foreground, &flags, &minor, &cminor, &major, &cmajor, &user, &system,
           &cuser, &csystem, &priority, &nice, &threads, &interval, &start, &memory);
    int fields = 2;
    for (char *word = strtok(close_bracket + 2, " \n"); word; word = strtok(NULL, " \n")) {
        fields++;
    }
    say("stat: fields", "%d", fields);
    say("stat: state, terminal, foreground, priority, nice, threads", "%c %d %d %ld %ld %d", state, terminal,
        foreground, priority, nice, threads);
    say_bool("stat: parent, group, session", ppid == getppid() && group == getpgrp() && session == getsid(0));
    say_bool("stat: memory size is plausible", memory > 4096 && memory < 1UL << 40);
    say_bool("stat: start time is set", start > 0);
}

static void show_status(void) {
    MUST(load("/proc/self/status"));
    say_bool("status: Name first", strncmp(text, "Name:\tself\n", 11) == 0);
    say("status: State", "%.11s", strstr(text, "State:") + 7);
    say_bool("status: Pid, PPid, Tgid",
             status_value("Pid") == getpid() && status_value("PPid") == getppid() && status_value("Tgid") == getpid());
    say("status: Threads", "%ld", status_value("Threads"));
    say("status: Uid", "%ld", status_value("Uid"));
    say_bool("status: VmSize, VmRSS", status_value("VmSize") > 0 && status_value("VmRSS") > 0);
    const char *blocked = strstr(text, "\nSigBlk:");
    say("status: SigBlk", "%.16s", blocked ? blocked + 9 : "(none)");
    const char *ignored = strstr(text, "\nSigIgn:");
    say("status: SigIgn", "%.16s", ignored ? ignored + 9 : "(none)");
}

static void show_links(void) {
    char target[256];
    ssize_t n = readlink("/proc/self", target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = 0;
    say_bool("self is the pid", atoi(target) == getpid());
    n = readlink("/proc/self/exe", target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = 0;
    say("exe", "%s", target);
    char folder[256];
    n = readlink("/proc/self/cwd", target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = 0;
    say_bool("cwd", strcmp(target, getcwd(folder, sizeof(folder))) == 0);
    n = readlink("/proc/self/root", target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = 0;
    say("root", "%s", target);
    n = readlink("/proc/self/fd/0", target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = 0;
    say("fd/0", "%s", target);
    n = readlink("/proc/self/fd/1", target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = 0;
    say("fd/1", "%.6s", target);
    say_call("fd/99", readlink("/proc/self/fd/99", target, sizeof(target)));
    file_make("gone", "still readable", 0644);
    int fd = MUST(open("gone", O_RDONLY));
    unlink("gone");
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    n = readlink(path, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = 0;
    say("a removed file", "%s", strrchr(target, '/'));
    say_file("opened through /proc/self/fd", path);
    close(fd);
    int names = 0;
    DIR *list = opendir("/proc/self/fd");
    for (struct dirent *entry; list && (entry = readdir(list));) {
        names += isdigit((unsigned char)entry->d_name[0]) != 0;
    }
    say("descriptors listed", "%d", names);
}

int main(void) {
    show_stat();
    show_status();
    show_links();
    long n = load("/proc/self/cmdline");
    say("cmdline", "%ld \"%s\"", n, text);
    load("/proc/self/environ");
    say("environ", "%s", text);
    load("/proc/self/comm");
    say("comm", "%.4s", text);
    prctl(PR_SET_NAME, "a name that is too long");
    load("/proc/self/comm");
    text[strcspn(text, "\n")] = 0;
    say("comm after PR_SET_NAME", "%s", text);
    int fields = 0;
    load("/proc/self/statm");
    for (char *word = strtok(text, " \n"); word; word = strtok(NULL, " \n")) {
        fields++;
    }
    say("statm: fields", "%d", fields);
    load("/proc/self/maps");
    say_bool("maps: the stack", strstr(text, "[stack]") != NULL);
    say_bool("maps: the vDSO", strstr(text, "[vdso]") != NULL);
    say_bool("maps: the program", strstr(text, "/tests/proc/self") != NULL);
    unsigned long start, end;
    char rights[8];
    int parts = sscanf(text, "%lx-%lx %7s", &start, &end, rights);
    say("maps: first line", "%d parts, rights %s, pages %s", parts, rights,
        start < end && start % 4096 == 0 ? "right" : "wrong");
    load("/proc/self/mounts");
    say_bool("mounts: proc", strstr(text, " /proc proc ") != NULL);
    say_call("a process that is not there", access("/proc/999999", F_OK));
    say_call("a file that is not there", access("/proc/self/missing", F_OK));
    say_call("new file in /proc", open("/proc/new", O_RDWR | O_CREAT, 0644));
    int written = open("/proc/self/stat", O_RDWR);
    say_ok("stat opened for writing by root", written);
    say_call("write of stat", write(written, "x", 1));
    say_call("unlink of stat", unlink("/proc/self/stat"));
    say_call("mkdir in /proc", mkdir("/proc/x", 0755));
    return 0;
}
