// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc: names and forms of fields, relations between files, modes and owners, for one process and for the machine.
#include "testing.h"
#include <ctype.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static char text[1 << 17];

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

// The number behind "KEY:" at the start of a line of text, or -1.
static long value_of(const char *key) {
    size_t length = strlen(key);
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, key, length) == 0 && line[length] == ':') {
            return strtol(line + length + 1, NULL, 0);
        }
    }
    return -1;
}

// Is each of the names the start of a line, in this order? Prints the first that is not.
static void say_lines(const char *name, const char *const *wanted, size_t count) {
    const char *at = text;
    for (size_t i = 0; i < count; i++) {
        char line[80];
        snprintf(line, sizeof(line), "%s:", wanted[i]);
        while (at && strncmp(at, line, strlen(line)) != 0) {
            at = strchr(at, '\n');
            at = at ? at + 1 : NULL;
        }
        if (!at) {
            say(name, "no %s in its place", wanted[i]);
            return;
        }
    }
    say(name, "all %d in order", (int)count);
}

#define LINES(name, ...)                                   \
    do {                                                   \
        static const char *const wanted[] = {__VA_ARGS__}; \
        say_lines(name, wanted, COUNT(wanted));            \
    } while (0)

// The line that begins with key, digits made to n.
static void say_form(const char *name, const char *key) {
    const char *at = strstr(text, key);
    char line[200];
    size_t used = 0;
    if (!at) {
        say(name, "(none)");
        return;
    }
    for (; *at && *at != '\n' && used < sizeof(line) - 1; at++) {
        if (!isdigit((unsigned char)*at)) {
            line[used++] = *at;
        } else if (used == 0 || line[used - 1] != 'n') {
            line[used++] = 'n';
        }
    }
    line[used] = 0;
    say(name, "\"%s\"", line);
}

static void status(void) {
    MUST(load("/proc/self/status"));
    LINES("status", "Name", "Umask", "State", "Tgid", "Ngid", "Pid", "PPid", "TracerPid", "Uid", "Gid", "FDSize",
          "Groups", "NStgid", "NSpid", "NSpgid", "NSsid", "VmPeak", "VmSize", "VmLck", "VmPin", "VmHWM", "VmRSS",
          "RssAnon", "RssFile", "RssShmem", "VmData", "VmStk", "VmExe", "VmLib", "VmPTE", "VmSwap", "HugetlbPages",
          "CoreDumping", "THP_enabled", "Threads", "SigQ", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh",
          "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters", "Cpus_allowed",
          "Cpus_allowed_list", "Mems_allowed", "Mems_allowed_list", "voluntary_ctxt_switches",
          "nonvoluntary_ctxt_switches");
    say_form("status: Uid", "Uid:");
    say_form("status: Cpus_allowed_list", "Cpus_allowed_list:");
    say_bool("status: peak at least size", value_of("VmPeak") >= value_of("VmSize"));
    say_bool("status: resident has parts",
             value_of("VmRSS") == value_of("RssAnon") + value_of("RssFile") + value_of("RssShmem"));
    say("status: FDSize", "%ld", value_of("FDSize"));
    MUST(dup2(0, 200));
    MUST(load("/proc/self/status"));
    say("status: FDSize with descriptor 200", "%ld", value_of("FDSize"));
    close(200);
    long before = value_of("VmPeak");
    char *area = MUST(mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    MUST(munmap(area, 8 << 20));
    MUST(load("/proc/self/status"));
    say_bool("status: the peak stays", value_of("VmPeak") >= before + 8000 && value_of("VmSize") < before + 8000);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(1, &one);
    MUST(sched_setaffinity(0, sizeof(one), &one));
    MUST(load("/proc/self/status"));
    say("status: affinity", "%.1s %.20s", strstr(text, "Cpus_allowed:\t") + 14,
        strtok(strstr(text, "Cpus_allowed_list:\t") + 19, "\n"));
    say_ok("a name with a line end", syscall(SYS_prctl, 15, "a\nb\\c"));
    MUST(load("/proc/self/status"));
    say("status: escaped name", "%.20s", strtok(text, "\n"));
}

static void smaps(void) {
    char *area = MUST(mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    char wanted[40];
    memset(area, 1, 4 * PAGE);
    snprintf(wanted, sizeof(wanted), "%08lx-%08lx rw-p 00000000 00:00 0 \n", (long)area, (long)area + 16 * PAGE);
    MUST(mprotect(area + 16 * PAGE - PAGE, PAGE, PROT_READ)); // an end of its own
    snprintf(wanted, sizeof(wanted), "%08lx-%08lx rw-p", (long)area, (long)area + 15 * PAGE);
    MUST(load("/proc/self/smaps"));
    char *at = strstr(text, wanted);
    say_bool("smaps: the mapping is there", at != NULL);
    if (!at) {
        return;
    }
    memmove(text, at, strlen(at) + 1);
    LINES("smaps", "Size", "KernelPageSize", "MMUPageSize", "Rss", "Pss", "Pss_Dirty", "Shared_Clean", "Shared_Dirty",
          "Private_Clean", "Private_Dirty", "Referenced", "Anonymous", "LazyFree", "AnonHugePages", "ShmemPmdMapped",
          "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss", "Locked", "THPeligible", "VmFlags");
    say("smaps: Size, Rss, Pss, Private_Dirty, Anonymous, Swap", "%ld %ld %ld %ld %ld %ld", value_of("Size"),
        value_of("Rss"), value_of("Pss"), value_of("Private_Dirty"), value_of("Anonymous"), value_of("Swap"));
    say_form("smaps: line", "Rss:");
    MUST(load("/proc/self/smaps_rollup"));
    say("smaps_rollup: first line", "%.60s", strtok(strchr(text, ' '), "\n"));
    MUST(load("/proc/self/smaps_rollup"));
    LINES("smaps_rollup", "Rss", "Pss", "Pss_Dirty", "Pss_Anon", "Pss_File", "Pss_Shmem", "Shared_Clean",
          "Shared_Dirty", "Private_Clean", "Private_Dirty", "Referenced", "Anonymous", "LazyFree", "AnonHugePages",
          "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss", "Locked");
    say_bool("smaps_rollup: Rss at least what was written", value_of("Rss") >= 16);
    MUST(munmap(area, 16 * PAGE));
}

static void statm(void) {
    unsigned long size, resident, shared, code, library, data, dirty, size_after, resident_after, data_after;
    MUST(load("/proc/self/statm"));
    say("statm: fields", "%d",
        sscanf(text, "%lu %lu %lu %lu %lu %lu %lu", &size, &resident, &shared, &code, &library, &data, &dirty));
    say("statm: library, dirty", "%lu %lu", library, dirty);
    char *area = MUST(mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memset(area, 1, 64 * PAGE);
    MUST(load("/proc/self/statm"));
    sscanf(text, "%lu %lu %*u %*u %*u %lu", &size_after, &resident_after, &data_after);
    say("statm: size and data grow by", "%ld %ld", size_after - size, data_after - data);
    say_bool("statm: resident is no more than size", resident_after <= size_after);
    MUST(munmap(area, 64 * PAGE));
}

static void machine(void) {
    MUST(load("/proc/meminfo"));
    LINES("meminfo", "MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapCached", "Active", "Inactive",
          "Active(anon)", "Inactive(anon)", "Active(file)", "Inactive(file)", "Unevictable", "Mlocked", "SwapTotal",
          "SwapFree", "Dirty", "Writeback", "AnonPages", "Mapped", "Shmem", "KReclaimable", "Slab", "SReclaimable",
          "SUnreclaim", "KernelStack", "PageTables", "SecPageTables", "NFS_Unstable", "Bounce", "WritebackTmp",
          "CommitLimit", "Committed_AS", "VmallocTotal", "VmallocUsed", "VmallocChunk", "Percpu", "AnonHugePages",
          "ShmemHugePages", "ShmemPmdMapped", "FileHugePages", "FilePmdMapped", "HugePages_Total", "HugePages_Free",
          "HugePages_Rsvd", "HugePages_Surp", "Hugepagesize", "Hugetlb", "DirectMap4k", "DirectMap2M");
    say_bool("meminfo: free is no more than total", value_of("MemFree") <= value_of("MemTotal"));
    say("meminfo: line", "%.9s .. %.3s", text, strstr(text, " kB"));
    say_form("meminfo: HugePages_Total", "HugePages_Total");
    MUST(load("/proc/stat"));
    int cpus = 0;
    for (char *at = text; (at = strstr(at, "cpu")); at++) {
        cpus += isdigit((unsigned char)at[3]) != 0;
    }
    int stat_cpus = cpus;
    say_form("stat: cpu", "cpu ");
    say_form("stat: ctxt", "ctxt");
    say_form("stat: processes", "processes");
    say_form("stat: procs_running", "procs_running");
    say_form("stat: procs_blocked", "procs_blocked");
    long boot = atol(strstr(text, "btime ") + 6);
    struct timespec up;
    clock_gettime(CLOCK_BOOTTIME, &up);
    long off = time(NULL) - up.tv_sec - boot;
    say_bool("stat: btime is now less the uptime", off >= -2 && off <= 2);
    MUST(load("/proc/vmstat"));
    say_form("vmstat: nr_free_pages", "nr_free_pages");
    say_form("vmstat: pgfault", "pgfault");
    say_form("vmstat: pswpin", "pswpin");
    MUST(load("/proc/loadavg"));
    say_form("loadavg", "");
    MUST(load("/proc/uptime"));
    say_form("uptime", "");
    MUST(load("/proc/cpuinfo"));
    cpus = 0;
    for (char *at = text; (at = strstr(at, "processor\t")); at++) {
        cpus++;
    }
    say_bool("stat: a line for each processor", cpus > 0 && cpus == stat_cpus);
    for (size_t i = 0; i < 1; i++) {
        say_form("cpuinfo: processor", "processor");
        say_form("cpuinfo: siblings", "siblings");
        say_form("cpuinfo: flags", "fpu\t\t");
    }
    say_ok("swaps", load("/proc/swaps"));
    say("swaps: text", "%.8s", text);
    say("modules, diskstats, partitions", "%ld", load("/proc/partitions"));
    MUST(load("/proc/tty/drivers"));
    say_bool("tty/drivers: serial", strstr(text, "serial               /dev/ttyS       4 ") != NULL);
    MUST(load("/proc/tty/ldiscs"));
    say("tty/ldiscs", "%.5s", text);
    MUST(load("/proc/softirqs"));
    say_bool("softirqs: TIMER", strstr(text, "       TIMER:") != NULL);
}

static void modes(void) {
    static const char *const names[] = {
        "auxv",          "cmdline",     "comm",      "environ",   "fd",           "fdinfo", "io",      "limits",
        "maps",          "mem",         "mounts",    "mountinfo", "mountstats",   "ns",     "oom_adj", "oom_score",
        "oom_score_adj", "personality", "sessionid", "smaps",     "smaps_rollup", "stat",   "statm",   "status",
        "task",          "uid_map",     "cwd",       "exe",       "root"};
    char path[64], line[512];
    size_t used = 0;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct stat s;
        snprintf(path, sizeof(path), "/proc/self/%s", names[i]);
        if (lstat(path, &s) == -1) {
            used += (size_t)snprintf(line + used, sizeof(line) - used, " %s:%s", names[i], error_name(errno));
        } else {
            used += (size_t)snprintf(line + used, sizeof(line) - used, " %s:%o", names[i], (unsigned)s.st_mode & 0777);
        }
    }
    say("modes", "%s", line);
}

static int as_user(void) {
    MUST(setgid(1000));
    MUST(setuid(1000));
    struct stat s;
    MUST(stat("/proc/self", &s));
    say("after setuid: owner of the folder", "%d", (int)s.st_uid);
    MUST(stat("/proc/self/stat", &s));
    say("after setuid: owner of stat", "%d", (int)s.st_uid);
    say_ok("after setuid: environ", load("/proc/self/environ"));
    static const char *const other[] = {"stat", "status", "cmdline", "environ", "maps", "smaps",  "fd/0",     "exe",
                                        "cwd",  "mem",    "auxv",    "io",      "comm", "limits", "mountinfo"};
    for (size_t i = 0; i < COUNT(other); i++) {
        char path[64], link[256];
        snprintf(path, sizeof(path), "/proc/1/%s", other[i]);
        bool is_link = strcmp(other[i], "exe") == 0 || strcmp(other[i], "cwd") == 0 || strcmp(other[i], "fd/0") == 0;
        snprintf(link, sizeof(link), "of process 1: %s", other[i]);
        if (is_link) {
            char target[256];
            say_ok(link, readlink(path, target, sizeof(target)));
        } else {
            say_ok(link, load(path));
        }
    }
    say_ok("sysctl written by a user", open("/proc/sys/kernel/hostname", O_WRONLY));
    return 0;
}

static void links(void) {
    char target[64];
    ssize_t n = readlink("/proc/self/ns/uts", target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = 0;
    say("ns/uts", "%.5s", target);
    n = readlink("/proc/thread-self", target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = 0;
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "%d/task/%d", getpid(), (int)syscall(SYS_gettid));
    say_bool("thread-self", strcmp(target, wanted) == 0);
    pid_t child = MUST(fork());
    if (child == 0) {
        pause();
        _exit(0);
    }
    snprintf(wanted, sizeof(wanted), "/proc/self/task/%d/children", getpid());
    say("children: length", "%s", load(wanted) > 0 ? "some" : "none");
    say_bool("children: the child", atoi(text) == child);
    kill(child, SIGKILL);
    await_state(child, 'Z');
    snprintf(wanted, sizeof(wanted), "/proc/%d/cmdline", (int)child);
    say("zombie: cmdline", "%ld", load(wanted));
    snprintf(wanted, sizeof(wanted), "/proc/%d/statm", (int)child);
    say("zombie: statm", "%.14s", load(wanted) < 0 ? "?" : text);
    snprintf(wanted, sizeof(wanted), "/proc/%d/exe", (int)child);
    say_ok("zombie: exe", readlink(wanted, target, sizeof(target)));
    snprintf(wanted, sizeof(wanted), "/proc/%d/maps", (int)child);
    say("zombie: maps", "%ld", load(wanted));
    snprintf(wanted, sizeof(wanted), "/proc/%d/status", (int)child);
    int open_status = MUST(open(wanted, O_RDONLY));
    reap(child);
    say_ok("reaped: a file opened before", read(open_status, target, 10));
    say_ok("reaped: opened now", open(wanted, O_RDONLY));
    close(open_status);
}

static void memory_file(void) {
    static char here[] = "the memory of this process", back[32];
    int fd = MUST(open("/proc/self/mem", O_RDWR));
    say_call("mem: read", pread(fd, back, 10, (off_t)(uintptr_t)here));
    say("mem: text", "%.10s", back);
    say_call("mem: write", pwrite(fd, "THE", 3, (off_t)(uintptr_t)here));
    say("mem: written", "%.10s", here);
    say_call("mem: nothing is mapped", pread(fd, back, 10, 4096));
    char *last = MUST(mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    MUST(munmap(last + PAGE, PAGE));
    say_call("mem: up to a hole", pread(fd, back, 20, (off_t)(uintptr_t)(last + PAGE - 8)));
    say_call("mem: a read-only mapping is written", pwrite(fd, "w", 1, (off_t)(uintptr_t)last));
    say("mem: and has it", "%c", *last);
    say_bool("mem: seek far", lseek(fd, (off_t)(uintptr_t)here, SEEK_SET) == (off_t)(uintptr_t)here);
    say_call("mem: seek from the end", lseek(fd, 0, SEEK_END));
    say_call("mem: read at the position", read(fd, back, 4));
    close(fd);
}

static void adjustments(void) {
    int fd = MUST(open("/proc/self/oom_score_adj", O_RDWR));
    say_call("oom_score_adj: 500", write(fd, "500\n", 4));
    MUST(load("/proc/self/oom_adj"));
    say("oom_adj then", "%.3s", text);
    say_call("oom_score_adj: 1001", write(fd, "1001", 4));
    say_call("oom_score_adj: words", write(fd, "many", 4));
    say_call("oom_score_adj: -1000", write(fd, "-1000", 5));
    MUST(load("/proc/self/oom_score"));
    say("oom_score then", "%.3s", text);
    close(fd);
    fd = MUST(open("/proc/self/oom_adj", O_RDWR));
    say_call("oom_adj: 15", write(fd, "15", 2));
    MUST(load("/proc/self/oom_score_adj"));
    say("oom_score_adj then", "%.5s", text);
    say_call("oom_adj: 16", write(fd, "16", 2));
    say_call("oom_adj: -17", write(fd, "-17", 3));
    MUST(load("/proc/self/oom_score_adj"));
    say("oom_score_adj then", "%.6s", text);
    say_call("oom_adj: 0", write(fd, "0", 1));
    close(fd);
    fd = MUST(open("/proc/self/timerslack_ns", O_RDWR));
    say_file("timerslack_ns", "/proc/self/timerslack_ns");
    say_call("timerslack_ns: 1234", write(fd, "1234", 4));
    say("timer slack then", "%d", prctl(PR_GET_TIMERSLACK));
    say_call("timerslack_ns: 0", write(fd, "0\n", 2));
    say("timer slack then", "%d", prctl(PR_GET_TIMERSLACK));
    say_call("timerslack_ns: words", write(fd, "long", 4));
    close(fd);
    say_ok("stat opened for writing", fd = open("/proc/self/stat", O_WRONLY));
    say_call("stat written", write(fd, "x", 1));
    close(fd);
    say_ok("meminfo opened for writing", fd = open("/proc/meminfo", O_WRONLY));
    say_call("meminfo written", write(fd, "x", 1));
    close(fd);
}

int main(void) {
    modes();
    status();
    smaps();
    statm();
    machine();
    links();
    memory_file();
    adjustments();
    say_child("as a user", as_user);
    return 0;
}
