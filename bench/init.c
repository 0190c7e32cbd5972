// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The first process of either kernel: the tree, the console, the loopback device, what is known about the machine, and the end.
#define _GNU_SOURCE
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define COMMAND_FILE    "/bench/command"
#define VULNERABILITIES "/sys/devices/system/cpu/vulnerabilities"

static void mount_at(const char *type, const char *where, const char *options) {
    if (mkdir(where, 0755) == 0 || errno == EEXIST) {
        mount(type, where, type, MS_NOSUID, options); // what a kernel does not have is left out
    }
}

static void console_open(void) {
    int fd = open("/dev/console", O_RDWR | O_NOCTTY);

    if (fd < 0) {
        return;
    }
    for (int i = 0; i <= 2; i++) {
        if (fd != i) {
            dup2(fd, i);
        }
    }
    if (fd > 2) {
        close(fd);
    }
}

static void loopback_up(void) {
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return;
    }
    if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
        request.ifr_flags |= IFF_UP | IFF_RUNNING;
        ioctl(fd, SIOCSIFFLAGS, &request);
    }
    close(fd);
}

// The scale rows hold more descriptors and processes than the limits a first process begins with.
static void limits_raise(void) {
    struct rlimit files = {65536, 65536}, processes = {RLIM_INFINITY, RLIM_INFINITY};

    setrlimit(RLIMIT_NOFILE, &files);
    setrlimit(RLIMIT_NPROC, &processes);
}

void init_prepare(void) {
    umask(022);
    mount_at("proc", "/proc", NULL);
    mount_at("sysfs", "/sys", NULL);
    if (access("/dev/null", F_OK) != 0) {
        mount_at("devtmpfs", "/dev", NULL);
    }
    mount_at("devpts", "/dev/pts", "ptmxmode=0666");
    mount_at("tmpfs", "/tmp", NULL);
    console_open();
    loopback_up();
    limits_raise();
    clearenv();
    setenv("PATH", "/bench", 1);
    (void)!chdir("/root");
}

// --- what is known about the machine ----------------------------------------------------------------------------------

// The text of a small file, without its last line end; false if it cannot be read.
static bool file_text(const char *path, char *text, size_t capacity) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;

    if (fd < 0) {
        return false;
    }
    for (ssize_t n; length < capacity - 1 && (n = read(fd, text + length, capacity - 1 - length)) > 0;) {
        length += (size_t)n;
    }
    close(fd);
    while (length > 0 && text[length - 1] == '\n') {
        length--;
    }
    text[length] = '\0';
    return true;
}

static int not_hidden(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static void mitigations_print(void) {
    struct dirent **names;
    char path[384], text[256];
    int n = scandir(VULNERABILITIES, &names, not_hidden, alphasort);

    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), VULNERABILITIES "/%s", names[i]->d_name);
        if (file_text(path, text, sizeof(text))) {
            printf("env mitigation %s %s\n", names[i]->d_name, text);
        }
        free(names[i]);
    }
    if (n >= 0) {
        free(names);
    }
}

static void file_print(const char *path) {
    char text[4096];

    if (!file_text(path, text, sizeof(text))) {
        return;
    }
    printf("file %s\n", path);
    for (char *rest = text, *line; (line = strtok_r(rest, "\n", &rest)) != NULL;) {
        printf("| %s\n", line);
    }
}

void init_describe(void) {
    struct utsname name;
    char text[1024];

    if (uname(&name) == 0) {
        printf("env release %s\nenv version %s\nenv machine %s\n", name.release, name.version, name.machine);
    }
    if (file_text("/proc/cmdline", text, sizeof(text))) {
        printf("env command_line %s\n", text);
    }
    mitigations_print();
    file_print("/proc/invar/boot");
    file_print("/proc/invar/memory");
    fflush(stdout);
}

// --- the command and the end ------------------------------------------------------------------------------------------

char **init_command(char *program, int *out_count) {
    static char text[4096];
    static char *words[256];
    int n = 0;

    words[n++] = program;
    if (file_text(COMMAND_FILE, text, sizeof(text))) {
        for (char *rest = text, *w; n < 255 && (w = strtok_r(rest, " \n", &rest)) != NULL;) {
            words[n++] = w;
        }
    }
    words[n] = NULL;
    *out_count = n;
    return words;
}

void init_power_off(void) {
    fflush(stdout);
    sync();
    reboot(RB_POWER_OFF);
    for (;;) {
        pause();
    }
}
