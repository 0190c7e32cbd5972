// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Bind mounts, whole trees of them, moves, and the propagation of mounts and unmounts between peers, to slaves and not to others.
#include "testing.h"
#include <sys/mount.h>

static char here[200];

static void place(char *out, size_t size, const char *path) {
    snprintf(out, size, "%s/%s", here, path);
}

// The optional fields of the topmost mount at path: the groups are named by the order in which they are seen.
static int groups[64], groups_count;

static char group_name(int id) {
    for (int i = 0; i < groups_count; i++) {
        if (groups[i] == id) {
            return (char)('A' + i);
        }
    }
    groups[groups_count++] = id;
    return (char)('A' + groups_count - 1);
}

static void say_fields(const char *name, const char *path) {
    char line[2048], wanted[300], text[200] = "no mount";
    place(wanted, sizeof(wanted), path);
    FILE *file = fopen("/proc/self/mountinfo", "r");
    while (fgets(line, sizeof(line), file)) {
        char target[300] = "";
        sscanf(line, "%*d %*d %*s %*s %299s", target);
        if (strcmp(target, wanted) != 0) {
            continue;
        }
        char *end = strstr(line, " - ");
        *end = 0;
        strcpy(text, "private");
        bool any = false;
        for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
            int id;
            char one[64] = "";
            if (sscanf(word, "shared:%d", &id) == 1) {
                snprintf(one, sizeof(one), "shared %c", group_name(id));
            } else if (sscanf(word, "master:%d", &id) == 1) {
                snprintf(one, sizeof(one), "master %c", group_name(id));
            } else if (sscanf(word, "propagate_from:%d", &id) == 1) {
                snprintf(one, sizeof(one), "from %c", group_name(id));
            } else if (strcmp(word, "unbindable") == 0) {
                strcpy(one, word);
            }
            if (*one) {
                if (any) {
                    strcat(text, ", ");
                    strcat(text, one);
                } else {
                    strcpy(text, one);
                }
                any = true;
            }
        }
    }
    fclose(file);
    say(name, "%s", text);
}

static int mounts_at(const char *path) {
    char line[2048], wanted[300];
    int count = 0;
    place(wanted, sizeof(wanted), path);
    FILE *file = fopen("/proc/self/mountinfo", "r");
    while (fgets(line, sizeof(line), file)) {
        char target[300] = "";
        sscanf(line, "%*d %*d %*s %*s %299s", target);
        count += strcmp(target, wanted) == 0;
    }
    fclose(file);
    return count;
}

static void say_has(const char *name, const char *path) {
    say(name, "%s", access(path, F_OK) == 0 ? "there" : error_name(errno));
}

static void bound(const char *path) {
    MUST(mkdir(path, 0755));
}

static void tmpfs_at(const char *path, const char *mark) {
    char file[200];
    MUST(mount("t", path, "tmpfs", 0, NULL));
    snprintf(file, sizeof(file), "%s/%s", path, mark);
    file_make(file, mark, 0644);
}

static void all_off(void) {
    while (umount2("base", MNT_DETACH) == 0) {}
    MUST(mount("base", "base", "tmpfs", 0, NULL));
    MUST(mount(NULL, "base", NULL, MS_PRIVATE, NULL));
    groups_count = 0;
}

static void binds(void) {
    all_off();
    bound("base/a");
    bound("base/b");
    bound("base/c");
    tmpfs_at("base/a", "on-a");
    bound("base/a/sub");
    tmpfs_at("base/a/sub", "on-sub");
    say_call("bind", mount("base/a", "base/b", NULL, MS_BIND, NULL));
    say_has("the file", "base/b/on-a");
    say_has("what is mounted below it", "base/b/sub/on-sub");
    say_call("recursive bind", mount("base/a", "base/c", NULL, MS_BIND | MS_REC, NULL));
    say_has("what is mounted below it", "base/c/sub/on-sub");
    file_make("base/c/sub/new", "x", 0644);
    say_has("it is the same file system", "base/a/sub/new");
    say_call("umount of a mount with one on it", umount("base/c"));
    say_call("lazily", umount2("base/c", MNT_DETACH));
    say_has("gone", "base/c/on-a");
    say_call("bind of a file on a file", (file_make("base/f", "f", 0644), file_make("base/g", "g", 0644),
                                          mount("base/f", "base/g", NULL, MS_BIND, NULL)));
    say_file("it shows", "base/g");
    say_call("unlink of it", unlink("base/g"));
    say_call("rename of it", rename("base/g", "base/h"));
    say_call("rename onto it", rename("base/f", "base/g"));
    say_call("link onto it", link("base/f", "base/g"));
    say_call("umount of it", umount("base/g"));
    say_file("back", "base/g");
    say_call("bind on itself", mount("base/a", "base/a", NULL, MS_BIND, NULL));
    say("mounts there", "%d", mounts_at("base/a"));
    say_call("umount", umount("base/a"));
    say("mounts there", "%d", mounts_at("base/a"));
    say_call("bind of a folder in its own subfolder", mount("base", "base/b", NULL, MS_BIND, NULL));
    say_has("it ends there", "base/b/b/on-a");
    say_call("recursive bind in its own subfolder", mount("base", "base/c", NULL, MS_BIND | MS_REC, NULL));
    say_has("with what was there before", "base/c/b/a");
    say_has("not itself", "base/c/c/a");
    MUST(mount(NULL, "base/a", NULL, MS_UNBINDABLE, NULL));
    say_fields("an unbindable one", "base/a");
    say_call("bind of it", mount("base/a", "base/b", NULL, MS_BIND, NULL));
    say_call("recursive bind around it", mount("base", "base/b", NULL, MS_BIND | MS_REC, NULL));
    say_has("leaves it out", "base/b/a/on-a");
    int fd = MUST(open("base/a/on-a", O_PATH));
    MUST(umount2("base/a", MNT_DETACH));
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    say_call("bind of what was taken off", mount(path, "base/g", NULL, MS_BIND, NULL));
    close(fd);
    say_call("a folder moved out of what is bound",
             (mkdir("base/x", 0755), mkdir("base/x/y", 0755), mkdir("base/z", 0755),
              mount("base/x", "base/z", NULL, MS_BIND, NULL)));
    MUST(chdir("base/z/y"));
    MUST(rename("../../x/y", "../../moved"));
    say_has("its .. is not to be had", "..");
    say_has("nor what is there", "../f");
    say_has("the folder itself is", ".");
    MUST(chdir(here));
}

static void moves(void) {
    all_off();
    bound("base/a");
    bound("base/b");
    tmpfs_at("base/a", "on-a");
    bound("base/a/sub");
    tmpfs_at("base/a/sub", "on-sub");
    int fd = MUST(open("base/a", O_RDONLY | O_DIRECTORY));
    say_call("move", mount("base/a", "base/b", NULL, MS_MOVE, NULL));
    say_has("there", "base/b/on-a");
    say_has("with what is on it", "base/b/sub/on-sub");
    say_has("not here", "base/a/on-a");
    say_ok("an open folder stays", faccessat(fd, "on-a", F_OK, 0));
    close(fd);
    say_call("move into itself", mount("base/b", "base/b/sub", NULL, MS_MOVE, NULL));
    say_call("move of a folder", mount("base/a", "base/b", NULL, MS_MOVE, NULL));
    file_make("base/f", "f", 0644);
    say_call("move onto a file", mount("base/b", "base/f", NULL, MS_MOVE, NULL));
    say_call("move onto itself", mount("base/b", "base/b", NULL, MS_MOVE, NULL));
    MUST(mount(NULL, "base", NULL, MS_SHARED, NULL));
    say_call("move out of a shared one", mount("base/b", "base/a", NULL, MS_MOVE, NULL));
    say_call("of what stands on a private one", mount("base/b/sub", "base/a", NULL, MS_MOVE, NULL));
    say_fields("moved to a shared one", "base/a");
    MUST(mount("t", "base/b/sub", "tmpfs", 0, NULL));
    MUST(mount(NULL, "base/b/sub", NULL, MS_UNBINDABLE, NULL));
    say_call("unbindable to a shared one", mount("base/b/sub", "base/a", NULL, MS_MOVE, NULL));
}

static void peers(void) {
    all_off();
    bound("base/a");
    bound("base/b");
    bound("base/s");
    bound("base/p");
    tmpfs_at("base/a", "on-a");
    bound("base/a/x");
    bound("base/a/y");
    say_fields("new", "base/a");
    say_call("shared", mount(NULL, "base/a", NULL, MS_SHARED, NULL));
    say_fields("a", "base/a");
    say_call("shared once more", mount(NULL, "base/a", NULL, MS_SHARED, NULL));
    say_fields("a", "base/a");
    MUST(mount("base/a", "base/b", NULL, MS_BIND, NULL));
    say_fields("b, bound", "base/b");
    MUST(mount("base/a", "base/s", NULL, MS_BIND, NULL));
    say_call("slave", mount(NULL, "base/s", NULL, MS_SLAVE, NULL));
    say_fields("s", "base/s");
    MUST(mount("base/a", "base/p", NULL, MS_BIND, NULL));
    say_call("private", mount(NULL, "base/p", NULL, MS_PRIVATE, NULL));
    say_fields("p", "base/p");
    tmpfs_at("base/a/x", "on-x");
    say_has("mounted on a: in b", "base/b/x/on-x");
    say_has("in s", "base/s/x/on-x");
    say_has("in p", "base/p/x/on-x");
    say_fields("a/x", "base/a/x");
    say_fields("b/x", "base/b/x");
    say_fields("s/x", "base/s/x");
    tmpfs_at("base/b/y", "on-y");
    say_has("mounted on b: in a", "base/a/y/on-y");
    say_has("in s", "base/s/y/on-y");
    say_call("umount in b", umount("base/b/y"));
    say_has("gone from a", "base/a/y/on-y");
    say_has("gone from s", "base/s/y/on-y");
    tmpfs_at("base/s/y", "slave's");
    say_has("mounted on s: in a", "base/a/y/slave's");
    tmpfs_at("base/a/y", "below");
    say_has("mounted on a beneath what s has", "base/s/y/slave's");
    say("mounts there", "%d", mounts_at("base/s/y"));
    say_call("umount of what s has", umount("base/s/y"));
    say_has("what is below", "base/s/y/below");
    tmpfs_at("base/s/y", "above");
    say_call("umount in a", umount("base/a/y"));
    say("mounts left there", "%d", mounts_at("base/s/y"));
    say_has("what was above", "base/s/y/above");
    MUST(umount("base/s/y"));
    int fd = MUST(open("base/s/x/on-x", O_RDONLY));
    say_call("umount in a while a copy is in use", umount("base/a/x"));
    close(fd);
    bound("base/s/x/inner");
    tmpfs_at("base/s/x/inner", "deep");
    say_call("umount in a while something stands on a copy", umount("base/a/x"));
    say_has("gone from b", "base/b/x/on-x");
    say_has("stays in s", "base/s/x/inner/deep");
    say_fields("it", "base/s/x");
}

static void groups_change(void) {
    all_off();
    bound("base/a");
    bound("base/b");
    bound("base/c");
    bound("base/d");
    bound("base/e");
    tmpfs_at("base/a", "on-a");
    bound("base/a/x");
    bound("base/a/y");
    say_call("slave of a private one", mount(NULL, "base/a", NULL, MS_SLAVE, NULL));
    say_fields("a", "base/a");
    MUST(mount(NULL, "base/a", NULL, MS_SHARED, NULL));
    MUST(mount("base/a", "base/b", NULL, MS_BIND, NULL));
    MUST(mount(NULL, "base/b", NULL, MS_SLAVE, NULL));
    MUST(mount(NULL, "base/b", NULL, MS_SHARED, NULL));
    say_fields("a", "base/a");
    say_fields("b, slave and shared", "base/b");
    MUST(mount("base/b", "base/c", NULL, MS_BIND, NULL));
    say_fields("c, its peer", "base/c");
    MUST(mount("base/c", "base/d", NULL, MS_BIND, NULL));
    MUST(mount(NULL, "base/d", NULL, MS_SLAVE, NULL));
    say_fields("d, slave of the slaves", "base/d");
    MUST(mount("base/d", "base/e", NULL, MS_BIND, NULL));
    say_fields("e, bound of a slave", "base/e");
    tmpfs_at("base/a/x", "on-x");
    say_has("mounted on a: in c", "base/c/x/on-x");
    say_has("in d", "base/d/x/on-x");
    say_has("in e", "base/e/x/on-x");
    say_fields("a/x", "base/a/x");
    say_fields("b/x", "base/b/x");
    say_fields("c/x", "base/c/x");
    say_fields("d/x", "base/d/x");
    tmpfs_at("base/c/y", "on-y");
    say_has("mounted on c: in a", "base/a/y/on-y");
    say_has("in b", "base/b/y/on-y");
    say_has("in e", "base/e/y/on-y");
    MUST(umount("base/a/x"));
    say_has("umount in a: in e", "base/e/x/on-x");
    MUST(mount(NULL, "base/b", NULL, MS_PRIVATE, NULL));
    MUST(mount(NULL, "base/c", NULL, MS_PRIVATE, NULL));
    say_fields("b and c private: d follows their master", "base/d");
    MUST(umount2("base/a", MNT_DETACH));
    say_fields("a gone: d", "base/d");
    MUST(mount(NULL, "base/d", NULL, MS_SHARED, NULL));
    MUST(mount(NULL, "base/d", NULL, MS_UNBINDABLE, NULL));
    say_fields("unbindable", "base/d");
    MUST(mount(NULL, "base/d", NULL, MS_SHARED, NULL));
    groups_count = 0; // numbers may come again
    say_fields("shared again", "base/d");
    say_call("all of the tree private", mount(NULL, "base", NULL, MS_PRIVATE | MS_REC, NULL));
    say_fields("d", "base/d");
    say_call("all of the tree shared", mount(NULL, "base", NULL, MS_SHARED | MS_REC, NULL));
    groups_count = 0;
    say_fields("base", "base");
    say_fields("d", "base/d");
    say_fields("e", "base/e");
    MUST(mount(NULL, "base", NULL, MS_SLAVE | MS_REC, NULL));
    say_fields("slaves without a master", "base/e");
}

static void subtrees(void) {
    all_off();
    bound("base/a");
    bound("base/b");
    tmpfs_at("base/a", "on-a");
    bound("base/a/x");
    bound("base/a/x/deep");
    bound("base/a/y");
    MUST(mount(NULL, "base/a", NULL, MS_SHARED, NULL));
    MUST(mount("base/a/x", "base/b", NULL, MS_BIND, NULL));
    say_fields("a part, bound", "base/b");
    tmpfs_at("base/a/x/deep", "in-deep");
    say_has("mounted in the part", "base/b/deep/in-deep");
    tmpfs_at("base/a/y", "in-y");
    say_has("mounted outside it", "base/b/y/in-y");
    MUST(umount("base/b/deep"));
    say_has("umount there is seen here", "base/a/x/deep/in-deep");
    MUST(umount("base/a/y"));
    bound("base/t");
    tmpfs_at("base/t", "on-t");
    bound("base/t/inner");
    tmpfs_at("base/t/inner", "on-inner");
    say_call("a tree bound into a shared one", mount("base/t", "base/a/x/deep", NULL, MS_BIND | MS_REC, NULL));
    say_has("comes as a whole", "base/b/deep/inner/on-inner");
    say_fields("its top", "base/a/x/deep");
    say_fields("what is on it", "base/a/x/deep/inner");
    say_fields("the copy's", "base/b/deep/inner");
    say_fields("the original", "base/t");
    say_call("taken off as a whole", umount2("base/a/x/deep", MNT_DETACH));
    say_has("there too", "base/b/deep/on-t");
    say_call("a shared one bound into itself", mount("base/a", "base/a/y", NULL, MS_BIND, NULL));
    say("mounts there", "%d", mounts_at("base/a/y"));
    say("mounts below", "%d", mounts_at("base/a/y/y"));
    MUST(umount("base/a/y"));
}

static void expiring(void) {
    all_off();
    bound("base/a");
    tmpfs_at("base/a", "on-a");
    say_call("MNT_EXPIRE", umount2("base/a", MNT_EXPIRE));
    say_has("stays", "base/a/on-a");
    int fd = MUST(open("base/a/on-a", O_RDONLY));
    close(fd);
    say_call("after a use", umount2("base/a", MNT_EXPIRE));
    say_call("again, not used since", umount2("base/a", MNT_EXPIRE));
    say_has("gone", "base/a/on-a");
    tmpfs_at("base/a", "on-a");
    fd = MUST(open("base/a/on-a", O_RDONLY));
    say_call("in use", umount2("base/a", MNT_EXPIRE));
    say_call("with MNT_DETACH", umount2("base/a", MNT_EXPIRE | MNT_DETACH));
    say_call("with MNT_FORCE", umount2("base/a", MNT_EXPIRE | MNT_FORCE));
    say_call("MNT_FORCE alone, in use", umount2("base/a", MNT_FORCE));
    close(fd);
    say_call("MNT_FORCE", umount2("base/a", MNT_FORCE));
    tmpfs_at("base/a", "on-a");
    MUST(symlink("a", "base/link"));
    say_call("UMOUNT_NOFOLLOW of a link", umount2("base/link", UMOUNT_NOFOLLOW));
    say_call("UMOUNT_NOFOLLOW", umount2("base/a", UMOUNT_NOFOLLOW));
    tmpfs_at("base/a", "on-a");
    say_call("through a link", umount2("base/link", 0));
    tmpfs_at("base/a", "on-a");
    MUST(chdir("base/a"));
    say_call("the current folder", umount("."));
    say_call("lazily", umount2(".", MNT_DETACH));
    say_has("it is still there", "on-a");
    say_call("umount once more", umount2(".", MNT_DETACH));
    say_call("mount on a folder in it", (mkdir("inside", 0755), mount("t", "inside", "tmpfs", 0, NULL)));
    MUST(chdir(here));
    say_call("mount on a removed folder",
             (mkdir("base/gone", 0755), chdir("base/gone"), rmdir("../gone"), mount("t", ".", "tmpfs", 0, NULL)));
    MUST(chdir(here));
    tmpfs_at("base/a", "first");
    tmpfs_at("base/a", "second");
    say("mounts there", "%d", mounts_at("base/a"));
    say_has("the second", "base/a/second");
    MUST(umount("base/a"));
    say_has("the first", "base/a/first");
    MUST(umount("base/a"));
    say_call("proc twice in one place", (mount("p", "base/a", "proc", 0, NULL), mount("p", "base/a", "proc", 0, NULL)));
    umount("base/a");
}

int main(void) {
    MUST(getcwd(here, sizeof(here)) ? 0 : -1);
    MUST(mkdir("base", 0755));
    binds();
    moves();
    peers();
    groups_change();
    subtrees();
    expiring();
    while (umount2("base", MNT_DETACH) == 0) {}
    return 0;
}
