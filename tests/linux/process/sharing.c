// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// unshare, setns and kcmp: what is parted, what is refused, what is found to be shared.
#include "testing.h"

#include <pthread.h>

enum { KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM };

static char stack[64 * 1024] __attribute__((aligned(64)));

static long compare(pid_t a, pid_t b, int type, unsigned long i, unsigned long j) {
    return syscall(SYS_kcmp, a, b, type, i, j);
}
static const char *same(long result) {
    return result == 0 ? "same" : result == 1 || result == 2 ? "different" : error_name(errno);
}

static struct gate go;
static unsigned long wanted;

static int part(void *unused) {
    (void)unused;
    say_call("unshare", unshare((int)wanted));
    umask(0123);
    close(0);
    gate_raise(&go);
    pause();
    return 0;
}

static void parted(const char *name, unsigned long flags, unsigned long unshared) {
    char text[80];
    wanted = unshared;
    MUST(open("/dev/null", O_RDONLY));
    umask(022);
    pid_t pid = MUST(clone(part, stack + sizeof(stack), (int)flags | SIGCHLD, NULL));
    gate_wait(&go);
    snprintf(text, sizeof(text), "%s: umask and descriptor 0", name);
    say(text, "%03o, %s", umask(022), fcntl(0, F_GETFD) == -1 ? "closed" : "open");
    snprintf(text, sizeof(text), "%s: kcmp", name);
    say(text, "memory %s", same(compare(getpid(), pid, KCMP_VM, 0, 0)));
    say(text, "descriptors %s", same(compare(getpid(), pid, KCMP_FILES, 0, 0)));
    say(text, "folder %s", same(compare(getpid(), pid, KCMP_FS, 0, 0)));
    say(text, "actions %s", same(compare(getpid(), pid, KCMP_SIGHAND, 0, 0)));
    say(text, "an open file %s", same(compare(getpid(), pid, KCMP_FILE, 1, 1)));
    kill(pid, SIGKILL);
    reap(pid);
    close(0);
}

static int unprivileged(void) {
    MUST(setresuid(1000, 1000, 1000));
    say_call("user: unshare(CLONE_NEWNS)", unshare(CLONE_NEWNS));
    say_call("user: unshare(CLONE_NEWUTS)", unshare(CLONE_NEWUTS));
    say_call("user: unshare(CLONE_FILES)", unshare(CLONE_FILES));
    say("user: kcmp with root's", "%s", same(compare(getpid(), getppid(), KCMP_VM, 0, 0)));
    return 0;
}

static void *in_thread(void *unused) {
    (void)unused;
    pid_t tid = (pid_t)syscall(SYS_gettid);
    say("threads", "memory %s", same(compare(getpid(), tid, KCMP_VM, 0, 0)));
    say("threads", "descriptors %s", same(compare(getpid(), tid, KCMP_FILES, 0, 0)));
    say_call("unshare(CLONE_THREAD) with threads", unshare(CLONE_THREAD));
    say_call("unshare(CLONE_SIGHAND) with threads", unshare(CLONE_SIGHAND));
    say_call("unshare(CLONE_VM) with threads", unshare(CLONE_VM));
    say_call("unshare(CLONE_FILES | CLONE_FS) with threads", unshare(CLONE_FILES | CLONE_FS));
    say("threads, then", "descriptors %s", same(compare(getpid(), tid, KCMP_FILES, 0, 0)));
    say("threads, then", "folder %s", same(compare(getpid(), tid, KCMP_FS, 0, 0)));
    umask(0777);
    return NULL;
}

static void threads(void) {
    pthread_t thread;
    umask(022);
    MUST(pthread_create(&thread, NULL, in_thread, NULL));
    pthread_join(thread, NULL);
    say("umask of the first thread", "%03o", umask(022));
}

int main(void) {
    go = gate_create();
    close(0);
    parted("nothing", 0, 0);
    parted("shared folder", CLONE_FS, 0);
    parted("shared folder, unshared", CLONE_FS, CLONE_FS);
    parted("shared descriptors", CLONE_FILES, 0);
    parted("shared descriptors, unshared", CLONE_FILES, CLONE_FILES);
    parted("shared memory", CLONE_VM, 0);
    parted("shared memory, unshared", CLONE_VM, CLONE_VM);
    parted("shared actions", CLONE_VM | CLONE_SIGHAND, CLONE_SIGHAND);
    say_call("unshare(0)", unshare(0));
    say_call("unshare, alone, of all of a process", unshare(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_FS));
    say_call("unshare(CLONE_SYSVSEM)", unshare(0x40000));
    say_call("unshare(CLONE_PARENT)", unshare(CLONE_PARENT));
    say_call("unshare(CLONE_SETTLS)", unshare(CLONE_SETTLS));
    threads();
    int file = MUST(open("/dev/null", O_RDONLY)), copy = MUST(dup(file)), again = MUST(open("/dev/null", O_RDONLY));
    say("two descriptors of one open file", "%s", same(compare(getpid(), getpid(), KCMP_FILE, file, copy)));
    say("two open files", "%s", same(compare(getpid(), getpid(), KCMP_FILE, file, again)));
    long forth = compare(getpid(), getpid(), KCMP_FILE, file, again),
         back = compare(getpid(), getpid(), KCMP_FILE, again, file);
    say_bool("they have an order", forth + back == 3);
    say("a closed descriptor", "%s", same(compare(getpid(), getpid(), KCMP_FILE, 999, file)));
    say("nobody", "%s", same(compare(getpid(), 0x7ffffff0, KCMP_VM, 0, 0)));
    say("0", "%s", same(compare(0, getpid(), KCMP_VM, 0, 0)));
    say("unknown type", "%s", same(compare(getpid(), getpid(), 99, 0, 0)));
    say("unknown type of nobody", "%s", same(compare(getpid(), 0x7ffffff0, 99, 0, 0)));
    say("I/O context of oneself", "%s", same(compare(getpid(), getpid(), KCMP_IO, 0, 0)));
    say("undo list of oneself", "%s", same(compare(getpid(), getpid(), KCMP_SYSVSEM, 0, 0)));
    say_call("setns of a closed descriptor", setns(999, 0));
    say_call("setns of a file", setns(file, 0));
    say_call("setns of a file, with a kind", setns(file, CLONE_NEWNS));
    say_child("unprivileged", unprivileged);
    return 0;
}
