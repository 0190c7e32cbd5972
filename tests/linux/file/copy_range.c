// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// copy_file_range and sendfile: offsets and positions, ends, overlaps, what may not be copied, errors in their order.
#include "testing.h"
#include <sys/sendfile.h>
#include <sys/mount.h>

static int in, out, channel[2];
static char text[100000];

static void positions(const char *name) {
    say(name, "%d %d", (int)lseek(in, 0, SEEK_CUR), (int)lseek(out, 0, SEEK_CUR));
}

static void copying(void) {
    loff_t from = 2, to = 20;
    struct stat st;
    say_call("copy", copy_file_range(in, NULL, out, NULL, 4, 0));
    positions("positions");
    say_call("copy from and to offsets", copy_file_range(in, &from, out, &to, 3, 0));
    say("offsets", "%d %d", (int)from, (int)to);
    positions("positions");
    fstat(out, &st);
    say("size", "%d", (int)st.st_size);
    say_call("copy beyond the end", copy_file_range(in, &from, out, NULL, 1000, 0));
    say("offset", "%d", (int)from);
    say_call("copy at the end", copy_file_range(in, &from, out, NULL, 1000, 0));
    say_call("copy of nothing", copy_file_range(in, NULL, out, NULL, 0, 0));
    say_call("flags", copy_file_range(in, NULL, out, NULL, 1, 1));
    say_call("no file", copy_file_range(-1, NULL, out, NULL, 1, 0));
    say_call("no other file", copy_file_range(in, NULL, -1, NULL, 1, 0));
    say_call("a bad address", copy_file_range(in, (void *)8, out, NULL, 1, 0));
    say_call("a bad address and flags", copy_file_range(in, (void *)8, out, NULL, 1, 1));
    say_call("a pipe", copy_file_range(in, NULL, channel[1], NULL, 1, 0));
    int folder = open(".", O_RDONLY), reading = open("out", O_RDONLY), append = open("out", O_WRONLY | O_APPEND),
        path = open("in", O_PATH), null = open("/dev/null", O_RDWR);
    say_call("a folder", copy_file_range(folder, NULL, out, NULL, 1, 0));
    say_call("a device", copy_file_range(in, NULL, null, NULL, 1, 0));
    say_call("to a file open for reading", copy_file_range(in, NULL, reading, NULL, 1, 0));
    say_call("to a file that is appended to", copy_file_range(in, NULL, append, NULL, 1, 0));
    say_call("from an O_PATH descriptor", copy_file_range(path, NULL, out, NULL, 1, 0));
    from = 0, to = 2;
    say_call("overlapping", copy_file_range(in, &from, in, &to, 5, 0));
    to = 5;
    say_call("in one file, side by side", copy_file_range(in, &from, in, &to, 5, 0));
    from = -1, to = 0;
    say_call("a negative offset", copy_file_range(in, &from, out, &to, 5, 0));
    from = 0, to = -1;
    say_call("a negative other offset", copy_file_range(in, &from, out, &to, 5, 0));
    from = 0x7fffffffffffffff, to = 0;
    say_call("an offset at the end of all", copy_file_range(in, &from, out, &to, 5, 0));
    mkdir("m", 0755);
    MUST(mount("tmpfs", "m", "tmpfs", 0, NULL));
    int far = MUST(open("m/f", O_RDWR | O_CREAT, 0600));
    say_call("to another file system", copy_file_range(in, NULL, far, NULL, 1, 0));
    close(far);
    umount("m");
    struct rlimit limit = {8, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    from = 0, to = 5;
    say_call("up to the limit of sizes", copy_file_range(in, &from, out, &to, 9, 0));
    to = 8, from = 0;
    say_call("at the limit", copy_file_range(in, &from, out, &to, 9, 0));
    setrlimit(RLIMIT_FSIZE, &none);
    int big = MUST(open("big", O_RDWR | O_CREAT, 0600)), copy = MUST(open("copy", O_RDWR | O_CREAT, 0600));
    memset(text, 'x', sizeof(text));
    write(big, text, sizeof(text));
    from = 0;
    say_call("a large one", copy_file_range(big, &from, copy, NULL, 1 << 20, 0));
    close(big), close(copy), close(folder), close(reading), close(append), close(path), close(null);
}

static void sending(void) {
    off_t from = 3;
    lseek(in, 0, SEEK_SET), lseek(out, 0, SEEK_SET);
    say_call("sendfile", sendfile(out, in, NULL, 4));
    positions("positions");
    say_call("from an offset", sendfile(out, in, &from, 4));
    say("offset", "%d", (int)from);
    positions("positions");
    say_call("to a pipe", sendfile(channel[1], in, NULL, 100));
    say("in it", "%d", (int)read(channel[0], text, 100));
    lseek(in, 0, SEEK_SET);
    fcntl(channel[1], F_SETFL, O_NONBLOCK);
    int big = MUST(open("big", O_RDWR));
    say_call("more than a pipe holds", sendfile(channel[1], big, NULL, 1 << 20));
    say_call("its position", lseek(big, 0, SEEK_CUR));
    say_call("to a full pipe", sendfile(channel[1], in, NULL, 5));
    say("drained", "%d", (int)read(channel[0], text, sizeof(text)));
    fcntl(channel[1], F_SETFL, 0);
    from = 2;
    say_call("from a pipe", sendfile(out, channel[0], NULL, 1));
    say_call("from a pipe with an offset", sendfile(out, channel[0], &from, 1));
    say_call("from a pipe to a pipe", sendfile(channel[1], channel[0], NULL, 1));
    int reading = open("out", O_RDONLY), append = open("out", O_WRONLY | O_APPEND), folder = open(".", O_RDONLY),
        zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_RDWR), path = open("in", O_PATH),
        writing = open("in", O_WRONLY);
    say_call("to a file that is appended to", sendfile(append, in, NULL, 1));
    say_call("to a file open for reading", sendfile(reading, in, NULL, 1));
    say_call("from a file open for writing", sendfile(out, writing, NULL, 1));
    say_call("from a folder", sendfile(out, folder, NULL, 1));
    say_call("from an O_PATH descriptor", sendfile(out, path, NULL, 1));
    say_call("from /dev/zero to /dev/null", sendfile(null, zero, NULL, 10000));
    say_call("of nothing", sendfile(out, in, NULL, 0));
    say_call("no file", sendfile(-1, in, NULL, 1));
    say_call("no source", sendfile(out, -1, NULL, 1));
    say_call("neither, with a bad address", sendfile(-1, -1, (void *)8, 1));
    from = -1;
    say_call("a negative offset", sendfile(out, in, &from, 1));
    from = 0x7fffffffffffffff;
    say_call("an offset at the end of all", sendfile(out, in, &from, 1));
    from = 1000;
    say_call("an offset beyond the end", sendfile(out, in, &from, 1));
    close(channel[0]);
    signal(SIGPIPE, SIG_IGN);
    from = 0;
    say_call("to a pipe that nobody reads", sendfile(channel[1], in, &from, 1));
    say("offset", "%d", (int)from);
}

int main(void) {
    file_make("in", "0123456789", 0600);
    file_make("out", "", 0600);
    in = MUST(open("in", O_RDWR));
    out = MUST(open("out", O_RDWR));
    MUST(pipe(channel));
    copying();
    sending();
    return 0;
}
