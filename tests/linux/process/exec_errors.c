// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// execve: each way in which it fails, with the program that called it intact.
#include "testing.h"

static void try_exec(const char *name, const char *path) {
    char *const argv[] = {(char *)"x", NULL};
    char *const envp[] = {NULL};
    say_call(name, execve(path, argv, envp));
}

static void make_bytes(const char *path, const void *bytes, size_t length) {
    int fd = MUST(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755));
    MUST(write(fd, bytes, length));
    close(fd);
}

static unsigned char image[256 * 1024];
static size_t image_length;

// Writes this program's own file with one byte changed, executes it in a child, and prints the error or how the child
// ended.
static void try_changed(const char *name, size_t length, size_t offset, unsigned char value) {
    unsigned char kept = image[offset];
    image[offset] = value;
    make_bytes("changed", image, length);
    image[offset] = kept;
    pid_t pid = MUST(fork());
    if (pid == 0) {
        char *const argv[] = {(char *)"changed", (char *)"again", NULL};
        execv("./changed", argv);
        _exit(errno == ENOEXEC ? 50 : 51);
    }
    int status = reap(pid);
    bool refused = WIFEXITED(status) && WEXITSTATUS(status) == 50;
    say(name, "%s", refused ? "ENOEXEC" : status_text(status));
}

static void try_headers(const char *self) {
    int fd = MUST(open(self, O_RDONLY));
    image_length = (size_t)MUST(read(fd, image, sizeof(image)));
    close(fd);
    try_changed("unchanged copy", image_length, 0, 127);
    try_changed("wrong magic", image_length, 1, 'e');
    try_changed("magic alone", 4, 0, 127);
    try_changed("half an ELF header", 32, 0, 127);
    try_changed("ELF header alone", 64, 0, 127);
    try_changed("other machine", image_length, 18, 183);
    try_changed("relocatable file", image_length, 16, 1);
    try_changed("core file", image_length, 16, 4);
    try_changed("wrong size of program headers", image_length, 54, 57);
    try_changed("no program headers", image_length, 56, 0);
    try_changed("program headers beyond the end", image_length, 36, 1);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        return 3;
    }
    char name[300];
    try_exec("missing file", "missing");
    try_exec("empty path", "");
    try_exec("missing folder", "missing/file");
    try_exec("bad address", (const char *)8);
    MUST(mkdir("folder", 0755));
    try_exec("folder", "folder");
    file_make("plain", "#!/bin/false\n", 0644);
    try_exec("no execute permission", "plain");
    try_exec("file used as a folder", "plain/x");
    file_make("text", "just some text\n", 0755);
    try_exec("text without an interpreter line", "text");
    file_make("empty", "", 0755);
    try_exec("empty file", "empty");
    file_make("script", "#!/no/such/interpreter\n", 0755);
    try_exec("interpreter missing", "script");
    file_make("script2", "#!./plain\n", 0755);
    try_exec("interpreter not executable", "script2");
    file_make("script3", "#!\n", 0755);
    try_exec("interpreter line empty", "script3");
    file_make("script4", "#!   \t \n", 0755);
    try_exec("interpreter line blank", "script4");
    file_make("loop", "#!./loop\n", 0755);
    try_exec("script that is its own interpreter", "loop");
    MUST(symlink("ring", "ring"));
    try_exec("symbolic link to itself", "ring");
    memset(name, 'n', 256);
    name[256] = 0;
    try_exec("name of 256 bytes", name);
    try_exec("device", "/dev/null");
    MUST(mknod("fifo", S_IFIFO | 0777, 0));
    try_exec("fifo", "fifo");

    try_headers(argv[0]);
    int writer = MUST(open("text", O_WRONLY));
    try_exec("file open for writing", "text");
    close(writer);
    say("still here", "yes");
    return 0;
}
