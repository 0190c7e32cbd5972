// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// prctl's options of other processors and of mechanisms that need more than a flag: names of mappings, core scheduling, tracers.
#include "testing.h"

#include <sys/prctl.h>

// What the libc's header may lack.
#undef PR_SET_PTRACER
#undef PR_SET_VMA
#undef PR_SET_VMA_ANON_NAME
#undef PR_SCHED_CORE
#undef PR_SME_SET_VL
#undef PR_SME_GET_VL
#undef PR_PAC_SET_ENABLED_KEYS
#undef PR_PAC_GET_ENABLED_KEYS
enum {
    PR_PAC_SET_ENABLED_KEYS = 60,
    PR_PAC_GET_ENABLED_KEYS,
    PR_SCHED_CORE,
    PR_SME_SET_VL,
    PR_SME_GET_VL,
    PR_SET_VMA = 0x53564d41,
    PR_SET_PTRACER = 0x59616d61
};
enum { PR_SET_VMA_ANON_NAME = 0 };
enum { CORE_GET, CORE_CREATE, CORE_MAX = 4, CORE_SCOPE_THREAD = 0 };

static long call(long option, long a, long b, long c, long d) {
    return syscall(SYS_prctl, option, a, b, c, d);
}

static void foreign(void) {
    say_call("PR_PAC_SET_ENABLED_KEYS", call(PR_PAC_SET_ENABLED_KEYS, 0, 0, 0, 0));
    say_call("PR_PAC_GET_ENABLED_KEYS", call(PR_PAC_GET_ENABLED_KEYS, 0, 0, 0, 0));
    say_call("PR_SME_SET_VL", call(PR_SME_SET_VL, 16, 0, 0, 0));
    say_call("PR_SME_GET_VL", call(PR_SME_GET_VL, 0, 0, 0, 0));
    say_call("PR_SET_PTRACER any", call(PR_SET_PTRACER, -1, 0, 0, 0));
    say_call("PR_SET_PTRACER a process", call(PR_SET_PTRACER, getpid(), 0, 0, 0));
    say_call("PR_SET_PTRACER nobody's number", call(PR_SET_PTRACER, 999999, 0, 0, 0));
    say_call("PR_SET_PTRACER a negative number", call(PR_SET_PTRACER, -5, 0, 0, 0));
    say_call("PR_SET_PTRACER none", call(PR_SET_PTRACER, 0, 0, 0, 0));
}

static bool named(void *area, char *out) {
    static char text[1 << 16];
    char start[20];
    size_t length = 0;
    ssize_t n;
    int fd = MUST(open("/proc/self/maps", O_RDONLY));
    while (length < sizeof(text) - 1 && (n = read(fd, text + length, sizeof(text) - 1 - length)) > 0) {
        length += (size_t)n;
    }
    close(fd);
    text[length] = 0;
    snprintf(start, sizeof(start), "%08lx-", (long)area);
    char *line = strstr(text, start);
    if (!line) {
        return false;
    }
    char *end = strchr(line, '\n');
    *end = 0;
    char *name = strchr(line, '[');
    strcpy(out, name ? name : "(none)");
    return true;
}

static void mapping_names(void) {
    char *area = MUST(mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    char name[100];
    MUST(mprotect(area, PAGE, PROT_READ));
    MUST(mprotect(area + 7 * PAGE, PAGE, PROT_READ));
    say_call("PR_SET_VMA name",
             call(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (long)(area + PAGE), 2 * PAGE, (long)"heap of mine"));
    say_call("PR_SET_VMA another kind", call(PR_SET_VMA, 1, (long)area, PAGE, (long)"x"));
    say_call("PR_SET_VMA odd address", call(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (long)area + 1, PAGE, (long)"x"));
    say_call("PR_SET_VMA bad characters",
             call(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (long)(area + PAGE), PAGE, (long)"a[b]"));
    say_call("PR_SET_VMA no name", call(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (long)(area + PAGE), PAGE, 0));
    say_bool("the mapping is found", named(area + PAGE, name));
    say("its name", "%s", name);
}

static void cores(void) {
    unsigned long cookie = 7;
    say_call("PR_SCHED_CORE get", call(PR_SCHED_CORE, CORE_GET, 0, CORE_SCOPE_THREAD, (long)&cookie));
    say_call("PR_SCHED_CORE create", call(PR_SCHED_CORE, CORE_CREATE, 0, CORE_SCOPE_THREAD, 0));
    say_call("PR_SCHED_CORE another command", call(PR_SCHED_CORE, CORE_MAX, 0, 0, 0));
}

int main(void) {
    foreign();
    mapping_names();
    cores();
    return 0;
}
