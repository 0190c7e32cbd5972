// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// prctl: every option that means something on this processor, its values and errors; what a child and a new thread get of them; what an option of other
// processors says.
#include "testing.h"

#include <pthread.h>
#include <sys/prctl.h>

#define BAD ((void *)8)

static long call(long option, long a, long b, long c, long d) {
    return syscall(SYS_prctl, option, a, b, c, d);
}

static void three(const char *name, int get, int set, long good, long bad) {
    char text[80];
    snprintf(text, sizeof(text), "%s: at first", name);
    say_call(text, call(get, 0, 0, 0, 0));
    snprintf(text, sizeof(text), "%s: set to %ld", name, good);
    say_call(text, call(set, good, 0, 0, 0));
    snprintf(text, sizeof(text), "%s: then", name);
    say_call(text, call(get, 0, 0, 0, 0));
    snprintf(text, sizeof(text), "%s: set to %ld", name, bad);
    say_call(text, call(set, bad, 0, 0, 0));
    snprintf(text, sizeof(text), "%s: set with a third argument", name);
    say_call(text, call(set, good, 1, 0, 0));
}

static void names(void) {
    char name[32] = {0};
    say_call("PR_SET_NAME, 20 bytes", prctl(PR_SET_NAME, "abcdefghijklmnopqrst"));
    prctl(PR_GET_NAME, name);
    say("PR_GET_NAME", "%s", name);
    say_call("PR_SET_NAME at a bad address", prctl(PR_SET_NAME, BAD));
    say_call("PR_GET_NAME at a bad address", prctl(PR_GET_NAME, BAD));
    say_call("PR_SET_NAME, empty", prctl(PR_SET_NAME, ""));
    prctl(PR_GET_NAME, name);
    say("PR_GET_NAME of it", "\"%s\"", name);
}

static void death_signal(void) {
    int signal = -1;
    say_call("PR_GET_PDEATHSIG", prctl(PR_GET_PDEATHSIG, &signal));
    say("death signal", "%d", signal);
    say_call("PR_SET_PDEATHSIG 64", prctl(PR_SET_PDEATHSIG, 64));
    say_call("PR_SET_PDEATHSIG 65", prctl(PR_SET_PDEATHSIG, 65));
    say_call("PR_SET_PDEATHSIG -1", prctl(PR_SET_PDEATHSIG, -1));
    prctl(PR_GET_PDEATHSIG, &signal);
    say("death signal", "%d", signal);
    say_call("PR_GET_PDEATHSIG at a bad address", prctl(PR_GET_PDEATHSIG, BAD));
    say_call("PR_SET_PDEATHSIG 0", prctl(PR_SET_PDEATHSIG, 0));
}

static void memory_failure(void) {
    say_call("PR_MCE_KILL_GET", call(PR_MCE_KILL_GET, 0, 0, 0, 0));
    say_call("PR_MCE_KILL early", call(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
    say_call("PR_MCE_KILL_GET", call(PR_MCE_KILL_GET, 0, 0, 0, 0));
    say_call("PR_MCE_KILL late", call(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_LATE, 0, 0));
    say_call("PR_MCE_KILL_GET", call(PR_MCE_KILL_GET, 0, 0, 0, 0));
    say_call("PR_MCE_KILL 3", call(PR_MCE_KILL, PR_MCE_KILL_SET, 3, 0, 0));
    say_call("PR_MCE_KILL_CLEAR with an argument", call(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 1, 0, 0));
    say_call("PR_MCE_KILL_CLEAR", call(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0));
    say_call("PR_MCE_KILL with a fourth argument", call(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 1, 0));
    say_call("PR_MCE_KILL, unknown command", call(PR_MCE_KILL, 2, 0, 0, 0));
    say_call("PR_MCE_KILL_GET with an argument", call(PR_MCE_KILL_GET, 1, 0, 0, 0));
    say_call("PR_MCE_KILL_GET", call(PR_MCE_KILL_GET, 0, 0, 0, 0));
}

static int slack_of_child(void) {
    say_call("timer slack of a child", call(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    call(PR_SET_TIMERSLACK, 5, 0, 0, 0);
    call(PR_SET_TIMERSLACK, 0, 0, 0, 0);
    say_call("its default is its parent's", call(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    return 0;
}

static void slack(void) {
    say_call("PR_GET_TIMERSLACK", call(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    say_call("PR_SET_TIMERSLACK", call(PR_SET_TIMERSLACK, 12345, 1, 2, 3));
    say_call("PR_GET_TIMERSLACK", call(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    say_child("child", slack_of_child);
    say_call("PR_SET_TIMERSLACK 0", call(PR_SET_TIMERSLACK, 0, 0, 0, 0));
    say_call("PR_GET_TIMERSLACK", call(PR_GET_TIMERSLACK, 0, 0, 0, 0));
}

static int unprivileged(void) {
    MUST(setresuid(1000, 1000, 1000));
    say_call("user: PR_SET_MM", call(PR_SET_MM, 1, 0, 0, 0));
    say_call("user: PR_GET_IO_FLUSHER", call(PR_GET_IO_FLUSHER, 0, 0, 0, 0));
    say_call("user: PR_SET_IO_FLUSHER with bad arguments", call(PR_SET_IO_FLUSHER, 5, 1, 1, 1));
    say_call("user: PR_SET_SECUREBITS", call(PR_SET_SECUREBITS, 0, 0, 0, 0));
    say_call("user: PR_SET_SECUREBITS, unknown bits", call(PR_SET_SECUREBITS, 0x100, 0, 0, 0));
    say_call("user: PR_CAPBSET_DROP", call(PR_CAPBSET_DROP, 0, 0, 0, 0));
    say_call("user: PR_CAPBSET_DROP 99", call(PR_CAPBSET_DROP, 99, 0, 0, 0));
    say_call("user: PR_CAPBSET_READ 99", call(PR_CAPBSET_READ, 99, 0, 0, 0));
    return 0;
}

static void *set_in_thread(void *unused) {
    (void)unused;
    say_call("thread: timer slack", call(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    say_call("thread: memory failure", call(PR_MCE_KILL_GET, 0, 0, 0, 0));
    call(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    call(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    call(PR_SET_PDEATHSIG, 5, 0, 0, 0);
    call(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return NULL;
}

static void per_thread(void) {
    pthread_t thread;
    int value = -1;
    call(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
    MUST(pthread_create(&thread, NULL, set_in_thread, NULL));
    pthread_join(thread, NULL);
    say_call("no-new-privileges of another thread", call(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    prctl(PR_GET_CHILD_SUBREAPER, &value);
    say("subreaper of another thread", "%d", value);
    prctl(PR_GET_PDEATHSIG, &value);
    say("death signal of another thread", "%d", value);
    say_call("dumpable of another thread", call(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

static void tid_address(void) {
    int word;
    int *seen = NULL;
    syscall(SYS_set_tid_address, &word);
    say_call("PR_GET_TID_ADDRESS", prctl(PR_GET_TID_ADDRESS, &seen));
    say_bool("is what was set", seen == &word);
    say_call("PR_GET_TID_ADDRESS at a bad address", prctl(PR_GET_TID_ADDRESS, BAD));
}

static void other_processors(void) {
    int value = 0;
    say_call("PR_SET_UNALIGN", call(PR_SET_UNALIGN, PR_UNALIGN_SIGBUS, 0, 0, 0));
    say_call("PR_GET_UNALIGN", prctl(PR_GET_UNALIGN, &value));
    say_call("PR_SET_FPEMU", call(PR_SET_FPEMU, PR_FPEMU_NOPRINT, 0, 0, 0));
    say_call("PR_GET_FPEMU", prctl(PR_GET_FPEMU, &value));
    say_call("PR_SET_FPEXC", call(PR_SET_FPEXC, PR_FP_EXC_SW_ENABLE, 0, 0, 0));
    say_call("PR_GET_FPEXC", prctl(PR_GET_FPEXC, &value));
    say_call("PR_SET_ENDIAN", call(PR_SET_ENDIAN, PR_ENDIAN_BIG, 0, 0, 0));
    say_call("PR_GET_ENDIAN", prctl(PR_GET_ENDIAN, &value));
    say_call("PR_SET_FP_MODE", call(PR_SET_FP_MODE, PR_FP_MODE_FR, 0, 0, 0));
    say_call("PR_GET_FP_MODE", call(PR_GET_FP_MODE, 0, 0, 0, 0));
    say_call("PR_SVE_SET_VL", call(PR_SVE_SET_VL, 16, 0, 0, 0));
    say_call("PR_SVE_GET_VL", call(PR_SVE_GET_VL, 0, 0, 0, 0));
    say_call("PR_PAC_RESET_KEYS", call(PR_PAC_RESET_KEYS, 0, 0, 0, 0));
    say_call("PR_SET_TAGGED_ADDR_CTRL", call(PR_SET_TAGGED_ADDR_CTRL, 0, 0, 0, 0));
    say_call("PR_GET_TAGGED_ADDR_CTRL", call(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0));
    say_call("PR_MPX_ENABLE_MANAGEMENT", call(PR_MPX_ENABLE_MANAGEMENT, 0, 0, 0, 0));
    say_call("PR_MPX_DISABLE_MANAGEMENT", call(PR_MPX_DISABLE_MANAGEMENT, 0, 0, 0, 0));
    say_call("an unknown option", call(123456, 0, 0, 0, 0));
}

int main(void) {
    int value = -1;
    names();
    death_signal();
    three("dumpable", PR_GET_DUMPABLE, PR_SET_DUMPABLE, 0, 2);
    call(PR_SET_DUMPABLE, 1, 0, 0, 0);
    three("keep capabilities", PR_GET_KEEPCAPS, PR_SET_KEEPCAPS, 1, 2);
    say_call("securebits show it", call(PR_GET_SECUREBITS, 0, 0, 0, 0));
    three("timing", PR_GET_TIMING, PR_SET_TIMING, PR_TIMING_STATISTICAL, PR_TIMING_TIMESTAMP);
    three("huge pages off", PR_GET_THP_DISABLE, PR_SET_THP_DISABLE, 1, 5);
    say_call("PR_GET_THP_DISABLE with an argument", call(PR_GET_THP_DISABLE, 1, 0, 0, 0));
    three("I/O flusher", PR_GET_IO_FLUSHER, PR_SET_IO_FLUSHER, 1, 2);
    say_call("PR_GET_IO_FLUSHER with an argument", call(PR_GET_IO_FLUSHER, 1, 0, 0, 0));
    say_call("PR_GET_TSC", prctl(PR_GET_TSC, &value));
    say("time stamp counter", "%d", value);
    say_call("PR_SET_TSC enable", call(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0));
    say_call("PR_SET_TSC 3", call(PR_SET_TSC, 3, 0, 0, 0));
    say_call("PR_GET_SECCOMP", call(PR_GET_SECCOMP, 0, 0, 0, 0));
    say_call("PR_SET_SECCOMP, no mode", call(PR_SET_SECCOMP, 0, 0, 0, 0));
    say_call("PR_TASK_PERF_EVENTS_DISABLE", call(PR_TASK_PERF_EVENTS_DISABLE, 0, 0, 0, 0));
    say_call("PR_TASK_PERF_EVENTS_ENABLE", call(PR_TASK_PERF_EVENTS_ENABLE, 0, 0, 0, 0));
    say_call("PR_SET_CHILD_SUBREAPER", call(PR_SET_CHILD_SUBREAPER, 7, 1, 1, 1));
    say_call("PR_GET_CHILD_SUBREAPER", prctl(PR_GET_CHILD_SUBREAPER, &value));
    say("subreaper", "%d", value);
    say_call("PR_GET_CHILD_SUBREAPER at a bad address", prctl(PR_GET_CHILD_SUBREAPER, BAD));
    call(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    say_call("PR_GET_SPECULATION_CTRL with an argument", call(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 1, 0, 0));
    say_call("PR_GET_SPECULATION_CTRL, unknown", call(PR_GET_SPECULATION_CTRL, 77, 0, 0, 0));
    say_call("PR_SET_SPECULATION_CTRL, unknown", call(PR_SET_SPECULATION_CTRL, 77, PR_SPEC_ENABLE, 0, 0));
    say_call("PR_SET_SPECULATION_CTRL with an argument",
             call(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_ENABLE, 1, 0));
    tid_address();
    memory_failure();
    slack();
    say_child("unprivileged", unprivileged);
    say_call("PR_SET_NO_NEW_PRIVS 0", call(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    say_call("PR_SET_NO_NEW_PRIVS with an argument", call(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
    say_call("PR_GET_NO_NEW_PRIVS with an argument", call(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 1));
    per_thread();
    other_processors();
    return 0;
}
