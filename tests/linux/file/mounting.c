// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// mount and umount of tmpfs and proc; what the tree shows before and after; errors.
#include "testing.h"
#include <sys/mount.h>

static bool listed(const char *path) {
    char line[4096], wanted[300];
    snprintf(wanted, sizeof(wanted), " %s ", path);
    FILE *mounts = fopen("/proc/mounts", "r");
    bool found = false;
    while (mounts && fgets(line, sizeof(line), mounts)) {
        found = found || strstr(line, wanted);
    }
    if (mounts) {
        fclose(mounts);
    }
    return found;
}

static int as_user(void) {
    setuid(1000);
    say_call("mount as a user", mount("t", "m", "tmpfs", 0, NULL));
    say_call("umount as a user", umount("/proc"));
    return 0;
}

static int as_user_set_uid(void) {
    char *arguments[] = {"program", "who", NULL};
    setuid(1000);
    execv("m/program", arguments);
    return errno == EACCES ? 13 : 1;
}

static void program_copy(void) {
    static char bytes[1 << 20];
    int from = MUST(open("/proc/self/exe", O_RDONLY)), to = MUST(open("m/program", O_WRONLY | O_CREAT, 0755));
    long n = MUST(read(from, bytes, sizeof(bytes)));
    MUST(write(to, bytes, (size_t)n));
    close(from);
    close(to);
    MUST(chmod("m/program", 04755));
}

static void flags(void) {
    MUST(mount("t", "m", "tmpfs", 0, NULL));
    program_copy();
    say_child("set-user-ID program", as_user_set_uid);
    say_call("remount nosuid", mount("t", "m", "tmpfs", MS_REMOUNT | MS_NOSUID, NULL));
    say_child("set-user-ID program, nosuid", as_user_set_uid);
    say_call("remount noexec", mount("t", "m", "tmpfs", MS_REMOUNT | MS_NOEXEC, NULL));
    say_child("set-user-ID program, noexec", as_user_set_uid);
    int fd = MUST(open("m/program", O_RDONLY));
    say_ok("map executable, noexec",
           mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
    char *map = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    say_call("make executable, noexec", mprotect(map, PAGE, PROT_READ | PROT_EXEC));
    munmap(map, PAGE);
    close(fd);
    say_call("umount", umount("m"));
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "who") == 0)
        return geteuid() == 0 ? 40 : 41;
    char path[256], folder[256];
    struct stat before, after;
    MUST(mkdir("m", 0755));
    getcwd(path, sizeof(path));
    snprintf(folder, sizeof(folder), "%s", path);
    strcat(path, "/m");
    file_make("m/under", "x", 0644);
    MUST(stat("m", &before));
    say_call("mount tmpfs", mount("t", "m", "tmpfs", 0, NULL));
    MUST(stat("m", &after));
    say_bool("another device", before.st_dev != after.st_dev);
    say_call("what was there is covered", access("m/under", F_OK));
    say_bool("in /proc/mounts", listed(path));
    file_make("m/new", "x", 0644);
    say_call("rename across", rename("m/new", "new"));
    say_call("link across", link("m/new", "new"));
    say_call("rmdir of a mount point", rmdir("m"));
    say_call("rename of a mount point", rename("m", "m2"));
    say_ok(".. leads out", access("m/../m/new", F_OK));
    int fd = MUST(open("m/new", O_RDONLY));
    say_call("umount while a file is open", umount("m"));
    close(fd);
    say_call("umount", umount("m"));
    say_call("what was covered is back", access("m/under", F_OK));
    say_call("what was on it is gone", access("m/new", F_OK));
    say_bool("in /proc/mounts", listed(path));
    say_call("umount again", umount("m"));
    say_call("mount of an unknown kind", mount("t", "m", "no-such-fs", 0, NULL));
    say_call("mount on a missing folder", mount("t", "missing", "tmpfs", 0, NULL));
    file_make("f", "x", 0644);
    say_call("mount on a file", mount("t", "f", "tmpfs", 0, NULL));
    say_call("umount of a missing one", umount("missing"));
    say_call("mount tmpfs read-only", mount("t", "m", "tmpfs", MS_RDONLY, NULL));
    say_ok("new file on it", open("m/new", O_RDWR | O_CREAT, 0644));
    say_call("mkdir on it", mkdir("m/d", 0755));
    say_call("umount", umount("m"));
    say_call("mount proc a second time", mount("p", "m", "proc", 0, NULL));
    say_ok("it has self", access("m/self/stat", F_OK));
    say_call("umount", umount("m"));
    say_call("mount tmpfs with a mode", mount("t", "m", "tmpfs", 0, "mode=0711"));
    MUST(stat("m", &after));
    say("mode", "%04o", (unsigned)after.st_mode & 07777);
    MUST(chdir("m"));
    say_call("umount of the current folder", umount(path));
    say_call("lazily", umount2(path, MNT_DETACH));
    MUST(chdir("/"));
    MUST(chdir(path[0] ? (*strrchr(path, 0x2f) = 0, path) : "/"));
    say_child("as a user", as_user);
    MUST(chdir(folder));
    flags();
    return 0;
}
