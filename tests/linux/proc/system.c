// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc of the system: the files that ps, top, free, uptime, mount and libraries read.
#include "testing.h"
#include <ctype.h>
#include <dirent.h>

static char text[65536];

static bool load(const char *path) {
    int fd = open(path, O_RDONLY);
    size_t length = 0;
    ssize_t n;
    while (fd != -1 && length < sizeof(text) - 1 && (n = read(fd, text + length, sizeof(text) - 1 - length)) > 0) {
        length += (size_t)n;
    }
    close(fd);
    text[length] = 0;
    return length > 0;
}

static long value(const char *key) {
    const char *at = strstr(text, key);
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

static struct gate go;

static int wait_for_gate(void) {
    gate_wait(&go);
    return 0;
}

static bool listed(pid_t pid) {
    DIR *list = opendir("/proc");
    bool found = false;
    for (struct dirent *entry; list && (entry = readdir(list));) {
        found = found || atoi(entry->d_name) == pid;
    }
    closedir(list);
    return found;
}

// How often what begins a line, or stands in it, is in the text.
static int lines_of(const char *what) {
    int n = 0;
    for (char *at = text; (at = strstr(at, what)); at++) {
        n++;
    }
    return n;
}

// However many the machine has: nothing here restricts them.
static int processors_allowed(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    MUST(sched_getaffinity(0, sizeof(set), &set));
    return CPU_COUNT(&set);
}

int main(void) {
    double up = 0, idle = 0;
    go = gate_create();
    say_bool("uptime", load("/proc/uptime") && sscanf(text, "%lf %lf", &up, &idle) == 2 && up > 0 && up < 10000);
    double one, five, fifteen;
    int running = 0, all = 0, last = 0;
    say_bool("loadavg", load("/proc/loadavg") &&
                            sscanf(text, "%lf %lf %lf %d/%d %d", &one, &five, &fifteen, &running, &all, &last) == 6);
    say_bool("loadavg: counts", running >= 1 && all >= running && last >= getpid());
    say_bool("meminfo", load("/proc/meminfo"));
    long total = value("MemTotal:"), free = value("MemFree:"), available = value("MemAvailable:");
    say_bool("meminfo: numbers",
             total > 100000 && total < 600000 && free > 0 && free < total && available > 0 && available < total);
    say_bool("meminfo: in kB", strstr(text, " kB\n") != NULL);
    say_bool("meminfo: Buffers, Cached, SwapTotal, SwapFree",
             value("Buffers:") >= 0 && value("Cached:") >= 0 && value("SwapTotal:") == 0 && value("SwapFree:") == 0);
    say_bool("stat", load("/proc/stat") && strncmp(text, "cpu ", 4) == 0);
    int allowed = processors_allowed();
    say_bool("stat: a line for each processor", lines_of("\ncpu") == allowed && lines_of("\ncpu0 ") == 1);
    say_bool("stat: btime", value("\nbtime ") > 1577836800);
    say_bool("stat: processes, ctxt, procs_running",
             value("\nprocesses ") > 0 && value("\nctxt ") > 0 && value("\nprocs_running ") > 0);
    load("/proc/cpuinfo");
    say_bool("cpuinfo: each processor", lines_of("processor\t: ") == allowed);
    say_bool("version", load("/proc/version") && strncmp(text, "Linux version ", 14) == 0);
    say_bool("filesystems",
             load("/proc/filesystems") && strstr(text, "nodev\ttmpfs\n") && strstr(text, "nodev\tproc\n"));
    say_bool("mounts", load("/proc/mounts") && strstr(text, " /proc proc ") && strstr(text, " / "));
    say_bool("cmdline", load("/proc/cmdline"));
    say_bool("devices or not", access("/proc/devices", F_OK) == 0 || errno == ENOENT);
    struct stat status;
    say("/proc itself", "%o", (stat("/proc", &status), (unsigned)status.st_mode));
    say_call("sys/kernel/hostname", access("/proc/sys/kernel/hostname", R_OK));
    say_bool("sys/kernel/osrelease", load("/proc/sys/kernel/osrelease") && isdigit((unsigned char)text[0]));
    say_bool("sys/kernel/pid_max", load("/proc/sys/kernel/pid_max") && atoi(text) >= 32768);

    pid_t pid = spawn(wait_for_gate);
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    say_bool("a child is listed", listed(pid));
    int fd = MUST(open(path, O_RDONLY));
    say_bool("its state is sleeping", await_state(pid, 'S'));
    gate_raise(&go);
    reap(pid);
    say_bool("it is gone from the list", !listed(pid));
    say_call("its open file", read(fd, text, sizeof(text)));
    say_call("its folder", access(path, F_OK));
    return 0;
}
