// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Finds the machine's named ports and reads lines from them; see ports.h.

#include "ports.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RETRY_NS = 2000000 };

static bool file_says(const char *path, const char *text) {
    char buffer[128];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, buffer, sizeof(buffer) - 1) : -1;

    if (fd >= 0) {
        close(fd);
    }
    if (n <= 0) {
        return false;
    }
    buffer[n] = '\0';
    buffer[strcspn(buffer, "\n")] = '\0';
    return strcmp(buffer, text) == 0;
}

static int port_open_by_class(const char *name, int flags) {
    char path[320];
    int fd = -1;
    DIR *class = opendir("/sys/class/virtio-ports");

    if (class == NULL) {
        return -1;
    }
    for (struct dirent *e; fd < 0 && (e = readdir(class)) != NULL;) {
        snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", e->d_name);
        if (e->d_name[0] != '.' && file_says(path, name)) {
            snprintf(path, sizeof(path), "/dev/%s", e->d_name);
            fd = open(path, flags | O_CLOEXEC);
        }
    }
    closedir(class);
    return fd;
}

int port_open(const char *name, int flags) {
    char path[128];

    snprintf(path, sizeof(path), "/dev/virtio-ports/%s", name);
    int fd = open(path, flags | O_CLOEXEC);
    return fd >= 0 ? fd : port_open_by_class(name, flags);
}

int port_wait(const char *name, int flags, int seconds) {
    struct timespec now, end, nap = {0, RETRY_NS};

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += seconds;
    for (;;) {
        int fd = port_open(name, flags);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (fd >= 0 || now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec)) {
            return fd;
        }
        nanosleep(&nap, NULL);
    }
}

bool reader_fill(struct reader *r) {
    ssize_t n;

    if (r->used == READER_ROOM) {
        r->used = 0; // a line that long is no line of ours
    }
    do {
        n = read(r->fd, r->buffer + r->used, READER_ROOM - r->used);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        r->ended = true;
        return false;
    }
    r->used += (size_t)n;
    return true;
}

char *reader_take(struct reader *r, char stop) {
    static char piece[READER_ROOM + 1];
    char *end = memchr(r->buffer, stop, r->used);

    if (end == NULL) {
        return NULL;
    }
    size_t length = (size_t)(end - r->buffer);
    memcpy(piece, r->buffer, length);
    piece[length] = '\0';
    r->used -= length + 1;
    memmove(r->buffer, end + 1, r->used);
    return piece;
}
