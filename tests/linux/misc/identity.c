// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// uname, host name, sysinfo, getrandom, unknown calls, prctl, arch_prctl and other single calls that C libraries and
// shells make.
#include "testing.h"
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

enum { ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003 };

static void show_random(void) {
    unsigned char first[64] = {0}, second[64] = {0};
    say_call("getrandom", getrandom(first, sizeof(first), 0));
    say_call("getrandom GRND_NONBLOCK", getrandom(second, sizeof(second), GRND_NONBLOCK));
    say_bool("twice the same", memcmp(first, second, sizeof(first)) == 0);
    say_call("getrandom of nothing", getrandom(first, 0, 0));
    say_call("getrandom with an unknown flag", getrandom(first, 1, 0x100));
    say_call("getrandom with flags that exclude each other", getrandom(first, 1, GRND_RANDOM | 4));
    say_call("getrandom to a bad address", syscall(SYS_getrandom, 8, 16, 0));
    static char large[100000];
    say_call("getrandom of much", syscall(SYS_getrandom, large, sizeof(large), 0));
}

static void show_prctl(void) {
    char name[17] = "";
    say_call("PR_SET_NAME", prctl(PR_SET_NAME, "test"));
    say_call("PR_GET_NAME", prctl(PR_GET_NAME, name));
    say("name", "%s", name);
    say_call("PR_SET_PDEATHSIG", prctl(PR_SET_PDEATHSIG, SIGUSR1));
    int signal = 0;
    prctl(PR_GET_PDEATHSIG, &signal);
    say("PR_GET_PDEATHSIG", "%d", signal);
    say_call("PR_SET_PDEATHSIG with a bad signal", prctl(PR_SET_PDEATHSIG, 99));
    say_call("PR_GET_DUMPABLE", prctl(PR_GET_DUMPABLE));
    say_call("PR_SET_NO_NEW_PRIVS", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    say_call("PR_GET_NO_NEW_PRIVS", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    say_call("unknown option", prctl(12345));
    unsigned long base = 0;
    say_call("ARCH_GET_FS", syscall(SYS_arch_prctl, ARCH_GET_FS, &base));
    unsigned long own;
    __asm__("mov %%fs:0, %0" : "=r"(own));
    say_bool("is the thread's", base == own);
    say_call("ARCH_SET_GS", syscall(SYS_arch_prctl, ARCH_SET_GS, &base));
    unsigned long through;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(through));
    say_bool("can be read through", through == base);
    sched_yield();
    sleep_ms(5);
    __asm__ volatile("mov %%gs:0, %0" : "=r"(through));
    say_bool("also after a switch", through == base);
    say_call("ARCH_SET_FS in kernel space", syscall(SYS_arch_prctl, ARCH_SET_FS, 0xffff888000000000UL));
    say_call("unknown code", syscall(SYS_arch_prctl, 0x9999, 0));
}

static int set_names(void) {
    struct utsname names;
    char host[80];
    say_call("sethostname", sethostname("invariant", 9));
    uname(&names);
    say("nodename", "%s", names.nodename);
    gethostname(host, sizeof(host));
    say("gethostname", "%s", host);
    say_call("too long", sethostname("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 65));
    say_call("negative length", syscall(SYS_sethostname, "x", -1));
    say_call("setdomainname", setdomainname("metal", 5));
    uname(&names);
    say("domainname", "%s", names.domainname);
    return 0;
}

int main(void) {
    struct utsname names;
    struct sysinfo information;
    say_call("uname", uname(&names));
    say("system and machine", "%s %s", names.sysname, names.machine);
    say_bool("release is a number", names.release[0] >= '4' && names.release[0] <= '9' && names.release[1] == '.');
    say_call("uname at a bad address", syscall(SYS_uname, 8));
    set_names();
    say_call("sysinfo", sysinfo(&information));
    say_bool("memory",
             information.totalram * information.mem_unit > 100 << 20 && information.freeram < information.totalram);
    say_bool("uptime, processes", information.uptime < 10000 && information.procs > 1);
    say_call("sysinfo at a bad address", syscall(SYS_sysinfo, 8));
    show_random();
    show_prctl();
    say_call("unknown call", syscall(999));
    say_call("negative call number", syscall(-5));
    say_call("personality", syscall(SYS_personality, 0xffffffff));
    say_bool("set_tid_address gives the thread", syscall(SYS_set_tid_address, NULL) == getpid());
    say_call("ioctl of a closed descriptor", syscall(SYS_ioctl, 99, 0x5401, 0));
    say_call("ioctl of a file", syscall(SYS_ioctl, MUST(open("f", O_RDWR | O_CREAT, 0600)), 0x5401, 0));
    say_call("reboot with a wrong magic number", syscall(SYS_reboot, 1, 2, 3, 0));
    pid_t pid = fork();
    if (pid == 0) {
        setuid(1000);
        say_call("reboot as a user", syscall(SYS_reboot, 0xfee1dead, 672274793, 0x1234567, 0));
        _exit(0);
    }
    reap(pid);
    return 0;
}
