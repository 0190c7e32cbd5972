// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// capget and capset: versions, errors and their order, whose sets are shown; the bounding and ambient sets; securebits and their locks; what changes of user
// make of the sets.
#include "testing.h"

#include <pthread.h>
#include <sys/prctl.h>

#define BAD ((void *)8)
enum {
    _LINUX_CAPABILITY_VERSION_1 = 0x19980330,
    _LINUX_CAPABILITY_VERSION_2 = 0x20071026,
    _LINUX_CAPABILITY_VERSION_3 = 0x20080522
};
struct __user_cap_header_struct {
    uint32_t version;
    int pid;
};
struct __user_cap_data_struct {
    uint32_t effective, permitted, inheritable;
};
#define BIT(n) (1ull << (n))

static long get(uint32_t version, int pid, struct __user_cap_data_struct *data, uint32_t *out_version) {
    struct __user_cap_header_struct header = {version, pid};
    long result = syscall(SYS_capget, &header, data);
    if (out_version) {
        *out_version = header.version;
    }
    return result;
}
static long set(int pid, uint64_t e, uint64_t p, uint64_t i) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, pid};
    struct __user_cap_data_struct data[2] = {{(uint32_t)e, (uint32_t)p, (uint32_t)i},
                                             {(uint32_t)(e >> 32), (uint32_t)(p >> 32), (uint32_t)(i >> 32)}};
    return syscall(SYS_capset, &header, data);
}

static void show(const char *name) {
    struct __user_cap_data_struct d[2];
    MUST(get(_LINUX_CAPABILITY_VERSION_3, 0, d, NULL));
    int ambient = 0;
    for (int i = 0; i <= 40; i++) {
        ambient += prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1;
    }
    say(name, "effective %x%08x, permitted %x%08x, inheritable %x%08x, %d ambient", d[1].effective, d[0].effective,
        d[1].permitted, d[0].permitted, d[1].inheritable, d[0].inheritable, ambient);
}

static void versions(void) {
    struct __user_cap_data_struct d[2];
    uint32_t version;
    const uint32_t all[] = {_LINUX_CAPABILITY_VERSION_1, _LINUX_CAPABILITY_VERSION_2, _LINUX_CAPABILITY_VERSION_3, 0,
                            7};
    for (size_t i = 0; i < COUNT(all); i++) {
        char text[64];
        memset(d, 0xee, sizeof(d));
        snprintf(text, sizeof(text), "capget, version %x", all[i]);
        say_call(text, get(all[i], 0, d, &version));
        say("then", "version %x, second word %s", version, d[1].permitted == 0xeeeeeeee ? "untouched" : "written");
        snprintf(text, sizeof(text), "capget, version %x, without data", all[i]);
        say_call(text, get(all[i], 0, NULL, &version));
        say("then", "version %x", version);
    }
    say_call("capget, pid -1", get(_LINUX_CAPABILITY_VERSION_3, -1, d, NULL));
    say_call("capget, pid -1 without data", get(_LINUX_CAPABILITY_VERSION_3, -1, NULL, NULL));
    say_call("capget, no such pid", get(_LINUX_CAPABILITY_VERSION_3, 0x7ffffff0, d, NULL));
    say_call("capget of process 1", get(_LINUX_CAPABILITY_VERSION_3, 1, d, NULL));
    say_call("capget, bad header", syscall(SYS_capget, BAD, d));
    say_call("capget, bad data", get(_LINUX_CAPABILITY_VERSION_3, 0, BAD, NULL));
    struct __user_cap_header_struct header = {7, 0};
    say_call("capset, unknown version", syscall(SYS_capset, &header, d));
    say("then", "version %x", header.version);
    header.pid = 1;
    say_call("capset of another", syscall(SYS_capset, &header, BAD));
    header.pid = 0;
    say_call("capset, bad data", syscall(SYS_capset, &header, BAD));
    say_call("capset, bad header", syscall(SYS_capset, BAD, d));
}

static int subsets(void) {
    show("root's");
    say_call("inheritable beyond the bounding set", set(0, ~0ull, ~0ull, ~0ull));
    say_call("bits that there are not", set(0, ~0ull, ~0ull, 0));
    say_call("effective beyond permitted", set(0, BIT(1), BIT(0), 0));
    say_call("fewer", set(getpid(), BIT(5) | BIT(40), BIT(5) | BIT(7) | BIT(40), BIT(5)));
    show("then");
    say_call("permitted grows", set(0, BIT(5), BIT(5) | BIT(8), BIT(5)));
    say_call("inheritable grows by a permitted one", set(0, BIT(5), BIT(5) | BIT(7), BIT(5) | BIT(7)));
    say_call("inheritable grows by another", set(0, BIT(5), BIT(5) | BIT(7), BIT(5) | BIT(7) | BIT(9)));
    say_call("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 7, 0, 0));
    show("with it");
    say_call("its permitted goes", set(0, 0, BIT(5), BIT(5) | BIT(7)));
    show("so it goes");
    return 0;
}

static int ambient(void) {
    say_call("IS_SET", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 3, 0, 0));
    say_call("RAISE, not inheritable", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 3, 0, 0));
    MUST(set(0, ~0ull, ~0ull, BIT(3) | BIT(4)));
    say_call("RAISE", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 3, 0, 0));
    say_call("RAISE", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 4, 0, 0));
    say_call("IS_SET", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 3, 0, 0));
    say_call("LOWER", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, 3, 0, 0));
    say_call("LOWER, one that is not set", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, 9, 0, 0));
    say_call("IS_SET", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 3, 0, 0));
    say_call("41", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 41, 0, 0));
    say_call("unknown command", prctl(PR_CAP_AMBIENT, 5, 4, 0, 0));
    say_call("command 0", prctl(PR_CAP_AMBIENT, 0, 4, 0, 0));
    say_call("a fourth argument", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 3, 1, 0));
    say_call("CLEAR_ALL with an argument", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0));
    show("before");
    say_call("CLEAR_ALL", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    show("after");
    say_call("no raising", prctl(PR_SET_SECUREBITS, 1 << 6, 0, 0, 0));
    say_call("RAISE", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 3, 0, 0));
    return 0;
}

static int bounding(void) {
    say_call("CAPBSET_READ", prctl(PR_CAPBSET_READ, 5));
    say_call("CAPBSET_READ 40", prctl(PR_CAPBSET_READ, 40));
    say_call("CAPBSET_READ 41", prctl(PR_CAPBSET_READ, 41));
    say_call("CAPBSET_DROP 41", prctl(PR_CAPBSET_DROP, 41));
    say_call("CAPBSET_DROP", prctl(PR_CAPBSET_DROP, 5));
    say_call("CAPBSET_READ", prctl(PR_CAPBSET_READ, 5));
    show("permitted stays");
    say_call("inheritable outside of it", set(0, ~0ull, ~0ull, BIT(5)));
    MUST(set(0, 0, 0, 0));
    say_call("CAPBSET_DROP without SETPCAP", prctl(PR_CAPBSET_DROP, 6));
    return 0;
}

static int locks(void) {
    say_call("bits", prctl(PR_SET_SECUREBITS, 0x15, 0, 0, 0));
    say_call("read", prctl(PR_GET_SECUREBITS));
    say_call("unknown bits", prctl(PR_SET_SECUREBITS, 0x100, 0, 0, 0));
    say_call("KEEPCAPS is one of them", prctl(PR_GET_KEEPCAPS));
    say_call("KEEPCAPS off", prctl(PR_SET_KEEPCAPS, 0));
    say_call("read", prctl(PR_GET_SECUREBITS));
    say_call("lock it", prctl(PR_SET_SECUREBITS, 0x25, 0, 0, 0));
    say_call("KEEPCAPS on", prctl(PR_SET_KEEPCAPS, 1));
    say_call("KEEPCAPS off again", prctl(PR_SET_KEEPCAPS, 0));
    say_call("KEEPCAPS 2", prctl(PR_SET_KEEPCAPS, 2));
    say_call("a locked bit changes", prctl(PR_SET_SECUREBITS, 0x35, 0, 0, 0));
    say_call("a lock goes", prctl(PR_SET_SECUREBITS, 0x05, 0, 0, 0));
    say_call("another bit", prctl(PR_SET_SECUREBITS, 0x24, 0, 0, 0));
    say_call("read", prctl(PR_GET_SECUREBITS));
    MUST(set(0, 0, 0, 0));
    say_call("without SETPCAP", prctl(PR_SET_SECUREBITS, 0x24, 0, 0, 0));
    return 0;
}

static void *other_thread(void *pipes) {
    int *fd = pipes;
    char byte = 0;
    pid_t tid = (pid_t)syscall(SYS_gettid);
    MUST(set(0, 0, BIT(2), 0));
    write(fd[1], &tid, sizeof(tid));
    read(fd[2], &byte, 1);
    return NULL;
}

static void threads(void) {
    int fd[4];
    pid_t tid;
    pthread_t thread;
    struct __user_cap_data_struct d[2];
    MUST(pipe(fd));
    MUST(pipe(fd + 2));
    MUST(pthread_create(&thread, NULL, other_thread, fd));
    read(fd[0], &tid, sizeof(tid));
    MUST(get(_LINUX_CAPABILITY_VERSION_3, tid, d, NULL));
    say("another thread's", "%x, %x", d[0].effective, d[0].permitted);
    MUST(get(_LINUX_CAPABILITY_VERSION_3, getpid(), d, NULL));
    say("the first one's", "%x, %x", d[0].effective, d[0].permitted);
    say_call("capset of another thread", set(tid, 0, 0, 0));
    write(fd[3], "x", 1);
    pthread_join(thread, NULL);
}

static int change_user(void) {
    show("root");
    MUST(setresuid(-1, 1000, -1));
    show("effective user changed");
    MUST(setresuid(-1, 0, -1));
    show("and back");
    MUST(prctl(PR_SET_KEEPCAPS, 1));
    MUST(setresuid(1000, 1000, 1000));
    show("all changed, with KEEPCAPS");
    say_call("setuid(0)", setuid(0));
    MUST(set(0, BIT(7), BIT(7), 0));
    say_call("setuid(0) with the capability", setuid(0));
    show("root again");
    return 0;
}

static int dumpable(void) {
    MUST(set(0, BIT(7), BIT(7), 0));
    say_call("capset leaves it dumpable", prctl(PR_GET_DUMPABLE));
    MUST(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    MUST(setresuid(-1, 5, -1));
    int signal;
    prctl(PR_GET_PDEATHSIG, &signal);
    say("setresuid takes dumpable and the death signal", "%d, %d", prctl(PR_GET_DUMPABLE), signal);
    return 0;
}

int main(void) {
    versions();
    say_child("subsets", subsets);
    say_child("ambient", ambient);
    say_child("bounding", bounding);
    say_child("locks", locks);
    threads();
    say_child("change of user", change_user);
    say_child("dumpable", dumpable);
    return 0;
}
