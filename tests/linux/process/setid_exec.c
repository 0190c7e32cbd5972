// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Programs with set-id bits: ids, capabilities, what a changed identity takes away (death signal, flags of the execution domain, dumpable), and what keeps
// the bits from counting (no_new_privs, nosuid, a file-system context shared with another process).
#include "testing.h"

#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#define OTHER 4242

static int show(const char *name) {
    uid_t r, e, s;
    gid_t gr, ge, gs;
    int signal = -1;
    getresuid(&r, &e, &s);
    getresgid(&gr, &ge, &gs);
    prctl(PR_GET_PDEATHSIG, &signal);
    say(name, "users %d %d %d, groups %d %d %d, secure %lu, dumpable %d, death signal %d, domain %x", (int)r, (int)e,
        (int)s, (int)gr, (int)ge, (int)gs, getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE), signal,
        (unsigned)personality(0xffffffff));
    return 0;
}

static const char *program, *what;
static bool prepared_share, prepared_nnp;

static struct gate ready;

static int sleeper(void *unused) {
    (void)unused;
    MUST(setresuid(1000, 1000, 1000)); // else its parent's death would not reach it
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    gate_raise(&ready);
    pause();
    return 0;
}

static int run(void) {
    static char stack[16384] __attribute__((aligned(16)));
    if (prepared_share) {
        MUST(clone(sleeper, stack + sizeof(stack), CLONE_FS | SIGCHLD, NULL));
        gate_wait(&ready);
    }
    MUST(setresgid(1000, 1000, 1000));
    MUST(setresuid(1000, 1000, 1000));
    MUST(prctl(PR_SET_PDEATHSIG, SIGWINCH));
    MUST(personality(ADDR_NO_RANDOMIZE | SHORT_INODE));
    if (prepared_nnp) {
        MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    }
    execl(program, program, "show", what, NULL);
    say(what, "%s", error_name(errno));
    return 1;
}

static void try(const char *name, const char *path, mode_t mode, uid_t uid, gid_t gid) {
    MUST(chown("program", uid, gid));
    MUST(chmod("program", mode));
    program = path;
    what = name;
    int status = reap(spawn(run));
    if (status != 0) {
        say(name, "%s", status_text(status));
    }
}

static int root_run(void) {
    MUST(setresuid(OTHER, 0, 0));
    execl(program, program, "show", what, NULL);
    return 1;
}

static void copy_self(void) {
    char buffer[65536];
    int from = MUST(open("/proc/self/exe", O_RDONLY)), to = MUST(open("program", O_WRONLY | O_CREAT, 0755));
    for (ssize_t n; (n = read(from, buffer, sizeof(buffer))) > 0;) {
        MUST(write(to, buffer, (size_t)n));
    }
    close(from);
    close(to);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "show") == 0) {
        show(argv[2]);
        return 0;
    }
    MUST(chmod(".", 0755));
    copy_self();
    ready = gate_create();
    try("plain", "./program", 0755, 0, 0);
    try("unreadable", "./program", 0711, 0, 0);
    try("set-user-id root", "./program", 04755, 0, 0);
    try("set-user-id another", "./program", 04755, OTHER, 0);
    try("set-user-id oneself", "./program", 04755, 1000, 0);
    try("set-group-id", "./program", 02755, 0, OTHER);
    try("set-group-id without x of the group", "./program", 02745, 0, OTHER);
    try("both", "./program", 06755, OTHER, OTHER + 1);
    prepared_nnp = true;
    try("no_new_privs", "./program", 06755, 0, 0);
    try("no_new_privs, oneself", "./program", 04755, 1000, 0);
    prepared_nnp = false;
    prepared_share = true;
    try("shared context", "./program", 06755, 0, 0);
    try("shared context, plain", "./program", 0755, 0, 0);
    prepared_share = false;
    MUST(mkdir("mnt", 0755));
    MUST(mount("none", "mnt", "tmpfs", MS_NOSUID, "mode=755"));
    int from = MUST(open("program", O_RDONLY));
    MUST(chdir("mnt"));
    copy_self();
    close(from);
    try("nosuid", "./program", 06755, 0, 0);
    MUST(chdir(".."));
    MUST(umount("mnt"));
    MUST(chmod("program", 04755));
    MUST(chown("program", 0, 0));
    MUST(chmod("program", 04755));
    program = "./program";
    what = "root's program by a user with root's effective id";
    reap(spawn(root_run));
    return 0;
}
