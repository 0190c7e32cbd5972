// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The machine's names, memory figures and log: uname, sethostname, setdomainname, sysinfo, syslog, and their files.
#include "testing.h"
#include <sys/klog.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static long log_call(int what, void *buffer, int size) {
    return syscall(SYS_syslog, what, buffer, size);
}

static void names(void) {
    struct utsname u;
    MUST(uname(&u));
    say("uname: system, machine", "%s %s", u.sysname, u.machine);
    say_call("uname: bad address", syscall(SYS_uname, (void *)8));
    say_call("sethostname", sethostname("a-name", 6));
    MUST(uname(&u));
    say("uname: node", "%s", u.nodename);
    say_file("hostname", "/proc/sys/kernel/hostname");
    char name[70];
    memset(name, 'n', sizeof(name));
    say_call("64 bytes", sethostname(name, 64));
    say_call("65 bytes", sethostname(name, 65));
    say_call("negative length", sethostname(name, (size_t)-1));
    say_call("bad address", syscall(SYS_sethostname, (void *)8, 5));
    say_call("no bytes", sethostname("", 0));
    MUST(uname(&u));
    say("uname: node", "\"%s\"", u.nodename);
    int fd = MUST(open("/proc/sys/kernel/hostname", O_WRONLY));
    say_call("written", write(fd, "by-file\nrest", 12));
    close(fd);
    MUST(uname(&u));
    say("uname: node", "%s", u.nodename);
    say_call("setdomainname", setdomainname("a.domain", 8));
    say_file("domainname", "/proc/sys/kernel/domainname");
    say_call("setdomainname: 65 bytes", setdomainname(name, 65));
    fd = MUST(open("/proc/sys/kernel/domainname", O_WRONLY));
    say_call("domainname written", write(fd, "x", 1));
    close(fd);
    say_file("domainname", "/proc/sys/kernel/domainname");
}

static void memory(void) {
    struct sysinfo s;
    MUST(sysinfo(&s));
    say_bool("sysinfo: free is no more than total", s.freeram <= s.totalram && s.totalram > 0);
    say("sysinfo: swap, high, unit", "%lu %lu %u", s.totalswap + s.freeswap, s.totalhigh + s.freehigh, s.mem_unit);
    say_bool("sysinfo: processes", s.procs >= 1);
    struct timespec up;
    clock_gettime(CLOCK_BOOTTIME, &up);
    say_bool("sysinfo: uptime", (long)s.uptime >= up.tv_sec - 1 && (long)s.uptime <= up.tv_sec + 1);
    say_call("sysinfo: bad address", syscall(SYS_sysinfo, (void *)8));
    int fd = MUST(open("/tmp/sysinfo-shared", O_RDWR | O_CREAT, 0600));
    static char block[65536];
    unsigned long before = s.sharedram;
    for (int i = 0; i < 64; i++) {
        MUST(write(fd, block, sizeof(block)));
    }
    MUST(sysinfo(&s));
    say_bool("sysinfo: files in memory are shared memory", s.sharedram >= before + (3 << 20));
    close(fd);
    unlink("/tmp/sysinfo-shared");
}

static void kernel_log(void) {
    static char text[1 << 16];
    long size = log_call(10, NULL, 0);
    say_bool("log: size of the buffer", size > 4096);
    long n = log_call(3, text, sizeof(text));
    say_bool("log: there is something", n > 0);
    say_bool("log: a level first", text[0] == '<');
    long few = log_call(3, text, 300);
    say_bool("log: the last that fit", few > 0 && few <= 300 && text[0] == '<' && text[few - 1] == '\n');
    say_call("log: no buffer", log_call(3, NULL, 10));
    say_call("log: negative size", log_call(3, text, -1));
    say_call("log: size 0", log_call(3, text, 0));
    say_call("log: bad address", log_call(3, (void *)8, 4096));
    say_call("log: open, close", log_call(1, NULL, 0) + log_call(0, NULL, 0));
    say_call("log: console level 0", log_call(8, NULL, 0));
    say_call("log: console level 9", log_call(8, NULL, 9));
    say_call("log: unknown", log_call(11, NULL, 0));
    say_call("log: negative", log_call(-1, NULL, 0));
    say_call("log: cleared", log_call(5, NULL, 0));
    say_call("log: nothing then", log_call(3, text, sizeof(text)));
}

static int as_user(void) {
    char text[100];
    struct sysinfo s;
    MUST(setgid(1000));
    MUST(setuid(1000));
    say_call("user: sethostname", sethostname("x", 1));
    say_call("user: sethostname, bad length", sethostname("x", 100));
    say_call("user: setdomainname", setdomainname("x", 1));
    say_call("user: sysinfo", sysinfo(&s));
    say_call("user: log read", log_call(3, text, sizeof(text)));
    say_call("user: log size", log_call(10, NULL, 0) > 0 ? 0 : -1);
    say_call("user: log cleared", log_call(5, NULL, 0));
    say_call("user: console level", log_call(8, NULL, 4));
    say_call("user: unknown", log_call(99, NULL, 0));
    return 0;
}

static int as_user_unrestricted(void) {
    char text[100];
    MUST(setgid(1000));
    MUST(setuid(1000));
    say_bool("unrestricted: log read", log_call(3, text, sizeof(text)) >= 0);
    say_bool("unrestricted: log size", log_call(10, NULL, 0) > 0);
    say_call("unrestricted: log cleared", log_call(5, NULL, 0));
    return 0;
}

static long store(const char *path, const char *text) {
    int fd = open(path, O_WRONLY);
    if (fd == -1) {
        return -1;
    }
    long result = write(fd, text, strlen(text));
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

static void tunables(void) {
    say_file("sem", "/proc/sys/kernel/sem");
    say_call("sem: two numbers", store("/proc/sys/kernel/sem", "100 200\n"));
    say_file("sem", "/proc/sys/kernel/sem");
    say_call("sem: as it was", store("/proc/sys/kernel/sem", "32000 1024000000 500 32000"));
    say_file("msgmax", "/proc/sys/kernel/msgmax");
    say_call("msgmax: 4096", store("/proc/sys/kernel/msgmax", "4096\n"));
    say_file("msgmax", "/proc/sys/kernel/msgmax");
    say_call("msgmax: words", store("/proc/sys/kernel/msgmax", "many"));
    say_call("msgmax: as it was", store("/proc/sys/kernel/msgmax", "8192"));
    say_file("shmmni", "/proc/sys/kernel/shmmni");
    say_file("shmmax", "/proc/sys/kernel/shmmax");
    say_file("mqueue: msg_max", "/proc/sys/fs/mqueue/msg_max");
    say_call("mqueue: msg_max 0", store("/proc/sys/fs/mqueue/msg_max", "0"));
    say_file("dmesg_restrict", "/proc/sys/kernel/dmesg_restrict");
    say_call("dmesg_restrict: 2", store("/proc/sys/kernel/dmesg_restrict", "2"));
    say_call("dmesg_restrict: 0", store("/proc/sys/kernel/dmesg_restrict", "0"));
    reap(spawn(as_user_unrestricted));
    say_call("dmesg_restrict: 1", store("/proc/sys/kernel/dmesg_restrict", "1"));
    say_file("overflowuid", "/proc/sys/kernel/overflowuid");
    say_file("cap_last_cap", "/proc/sys/kernel/cap_last_cap");
    say_file("arch", "/proc/sys/kernel/arch");
    say_file("ostype", "/proc/sys/kernel/ostype");
    say_file("ngroups_max", "/proc/sys/kernel/ngroups_max");
    say_file("max_map_count", "/proc/sys/vm/max_map_count");
    say_file("overcommit_memory", "/proc/sys/vm/overcommit_memory");
    say_file("nr_open", "/proc/sys/fs/nr_open");
}

int main(void) {
    names();
    memory();
    kernel_log();
    reap(spawn(as_user));
    tunables();
    return 0;
}
