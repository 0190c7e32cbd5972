// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/net/unix and /proc/sys/net: the lines of a test's own sockets, limits and how they bind.
#include "sockets.h"

// The line of an inode, without its address and inode; of names of which no other test has.
static void say_line(const char *what, int fd) {
    struct stat st;
    char line[400], word[32];
    fstat(fd, &st);
    snprintf(word, sizeof(word), " %lu", (unsigned long)st.st_ino);
    FILE *f = fopen("/proc/net/unix", "r");
    while (f && fgets(line, sizeof(line), f)) {
        unsigned count, protocol, flags, type, state;
        unsigned long ino;
        char name[120] = "";
        if (sscanf(line, "%*[^:]: %x %x %x %x %x %lu %119[^\n]", &count, &protocol, &flags, &type, &state, &ino, name) <
                6 ||
            ino != st.st_ino) {
            continue;
        }
        say(what, "count %u protocol %u flags %08X type %04X state %02X \"%s\"", count, protocol, flags, type, state,
            name);
        fclose(f);
        return;
    }
    say(what, "no line");
}

static void say_value(const char *name) {
    char path[100], text[64] = "";
    snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    struct stat st;
    fstat(fd, &st);
    if (n > 0) {
        text[n - 1] = 0;
    }
    say(name, "%s mode %o", n > 0 ? text : error_name(errno), (unsigned)st.st_mode);
    close(fd);
}

static void set(const char *name, const char *value) {
    char path[100], what[120];
    snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
    snprintf(what, sizeof(what), "%s to %s", name, value);
    int fd = open(path, O_WRONLY);
    say_call(what, write(fd, value, strlen(value)));
    close(fd);
}

int main(void) {
    char text[64];
    ssize_t n = readlink("/proc/net", text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = 0;
    say("/proc/net", "%s", text);
    FILE *f = fopen("/proc/net/unix", "r");
    char line[200] = "";
    fgets(line, sizeof(line), f);
    fclose(f);
    say("heading", "%.*s", (int)strcspn(line, "\n"), line);
    int ends[2], fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    say_line("fresh", fd);
    bind_to(fd, "name");
    say_line("bound to a path", fd);
    listen(fd, 3);
    say_line("a listener", fd);
    int client = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    connect_to(client, "name");
    say_line("a client that waits", client);
    int in = accept(fd, NULL, NULL);
    say_line("accepted", in);
    say_line("a client", client);
    close(in);
    close(client);
    close(fd);
    fd = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
    bind_to(fd, "@abstract name");
    say_line("abstract", fd);
    close(fd);
    pair(SOCK_SEQPACKET, ends);
    say_line("one of a pair", ends[0]);
    close(ends[0]);
    close(ends[1]);

    say_value("core/somaxconn");
    say_value("core/wmem_default");
    say_value("core/wmem_max");
    say_value("core/rmem_default");
    say_value("core/rmem_max");
    say_value("unix/max_dgram_qlen");
    set("core/wmem_default", "100");
    set("core/wmem_max", "4607");
    set("core/rmem_max", "2303");
    set("core/somaxconn", "-1");
    set("core/somaxconn", "x");
    set("unix/max_dgram_qlen", "3");
    fd = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
    int other = MUST(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)), count = 0;
    bind_to(fd, "@few");
    connect_to(other, "@few");
    while (send(other, "x", 1, 0) == 1) {
        count++;
    }
    say("datagrams that fit", "%d", count);
    set("unix/max_dgram_qlen", "10");
    set("core/wmem_default", "8192");
    fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
    socklen_t length = sizeof(count);
    getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &count, &length);
    say("SO_SNDBUF of a new socket", "%d", count);
    set("core/wmem_default", "212992");
    return 0;
}
