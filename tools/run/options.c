// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Reads invar-run's command line. The caller is ./invar, which has built what the options name; a person may call it
// too, so every mistake gives one line and status 2.

#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COMMAND_MAX = RELAY_ROOM - 4096 }; // it waits in the control port's queue

static const char usage[] =
    "usage: invar-run --kernel FILE [--initrd FILE] | --iso FILE [--firmware FILE]\n"
    "                 [--machine q35|microvm] [--smp N] [--mem SIZE] [--append TEXT] [--icount] [--seed N]\n"
    "                 [--timeout SECONDS] [--quiet] [--plain] [--kvm] [--gdb SOCKET] [--log FILE] [-- COMMAND "
    "ARG...]\n";

void complain(const char *format, ...) {
    va_list list;
    char line[2048];

    va_start(list, format);
    vsnprintf(line, sizeof(line), format, list);
    va_end(list);
    fprintf(stderr, "invar: %s\n", line);
}

static void __attribute__((noreturn)) refuse(const char *option, const char *value, const char *wanted) {
    complain("%s %s: %s", option, value, wanted);
    exit(STATUS_USAGE);
}

static int number(const char *option, const char *text, long low, long high) {
    char *end, wanted[80];

    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < low || n > high) {
        snprintf(wanted, sizeof(wanted), "a number from %ld to %ld is needed", low, high);
        refuse(option, text, wanted);
    }
    return (int)n;
}

static const char *memory(const char *text) {
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (end == text || n == 0 || (strcmp(end, "") != 0 && strcmp(end, "M") != 0 && strcmp(end, "G") != 0)) {
        refuse("--mem", text, "a size like 256M or 1G is needed");
    }
    return text;
}

static const char *readable(const char *option, const char *path) {
    if (access(path, R_OK) != 0) {
        refuse(option, path, strerror(errno));
    }
    return path;
}

static void check(const struct options *o) {
    if ((o->kernel == NULL) == (o->iso == NULL)) {
        complain("either --kernel or --iso is needed");
        exit(STATUS_USAGE);
    }
    if (o->iso != NULL && o->mode != MODE_PLAIN && o->argc > 0) {
        complain("an ISO image runs its own shell: no command can be given");
        exit(STATUS_USAGE);
    }
    if (strcmp(o->machine, "q35") != 0 && (strcmp(o->machine, "microvm") != 0 || o->iso != NULL)) {
        refuse("--machine", o->machine, "q35 or microvm is needed (and q35 for an ISO image)");
    }
    size_t length = 0;
    for (int i = 0; i < o->argc; i++) {
        length += strlen(o->argv[i]) + 1;
    }
    if (length > COMMAND_MAX) {
        complain("the command and its arguments are longer than %d bytes", COMMAND_MAX);
        exit(STATUS_USAGE);
    }
    if (o->kvm && o->icount) {
        complain("--icount needs QEMU's own processor, not KVM");
        exit(STATUS_USAGE);
    }
}

void options_read(struct options *o, int argc, char **argv) {
    static const struct option names[] = {
        {"kernel", required_argument, NULL, 'k'},  {"initrd", required_argument, NULL, 'i'},
        {"iso", required_argument, NULL, 'c'},     {"firmware", required_argument, NULL, 'f'},
        {"machine", required_argument, NULL, 'm'}, {"smp", required_argument, NULL, 's'},
        {"mem", required_argument, NULL, 'M'},     {"append", required_argument, NULL, 'a'},
        {"log", required_argument, NULL, 'l'},     {"timeout", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 'S'},    {"quiet", no_argument, NULL, 'q'},
        {"icount", no_argument, NULL, 'I'},        {"plain", no_argument, NULL, 'p'},
        {"kvm", no_argument, NULL, 'K'},           {"gdb", required_argument, NULL, 'g'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };

    *o = (struct options){.machine = "q35", .memory = "256M", .append = "", .processors = 2, .seed = 1};
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "+:", names, NULL)) != -1;) {
        switch (c) {
        case 'k': o->kernel = readable("--kernel", optarg); break;
        case 'i': o->initrd = readable("--initrd", optarg); break;
        case 'c': o->iso = readable("--iso", optarg); break;
        case 'f': o->firmware = readable("--firmware", optarg); break;
        case 'm': o->machine = optarg; break;
        case 's': o->processors = number("--smp", optarg, 1, 64); break;
        case 'M': o->memory = memory(optarg); break;
        case 'a': o->append = optarg; break;
        case 'l': o->log = optarg; break;
        case 't': o->timeout_seconds = number("--timeout", optarg, 1, 1000000); break;
        case 'S': o->seed = number("--seed", optarg, 0, 1000000000); break;
        case 'q': o->quiet = true; break;
        case 'I': o->icount = true; break;
        case 'p': o->mode = MODE_PLAIN; break;
        case 'K': o->kvm = true; break;
        case 'g': o->gdb = optarg; break;
        case 'h': fputs(usage, stdout); exit(0);
        case ':': refuse(argv[optind - 1], "", "a value is missing");
        default: refuse(argv[optind - 1], "", "no such option");
        }
    }
    o->argv = argv + optind;
    o->argc = argc - optind;
    if (o->mode != MODE_PLAIN) {
        o->mode = o->argc > 0 ? MODE_COMMAND : MODE_SHELL;
    }
    if (o->mode == MODE_SHELL && o->iso == NULL && o->gdb == NULL && !isatty(0)) {
        static char *script_shell[] = {"/bin/sh", NULL}; // input from a pipe or a file is a script, as for any shell
        o->mode = MODE_COMMAND;
        o->argv = script_shell;
        o->argc = 1;
    }
    o->ports = o->mode != MODE_PLAIN && o->iso == NULL;
    check(o);
}
