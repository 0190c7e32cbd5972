// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Builds QEMU's command line and starts it. Every stream of the machine is one socket pair: socket chardevs keep bytes
// as they are, hold back a fast writer, and tell the guest when our end was closed.

#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const port_names[PORT_COUNT] = {"invar.in", "invar.out", "invar.err", "invar.ctl", "serial"};

enum { ARGUMENTS_ROOM = 128 };

struct arguments {
    char *list[ARGUMENTS_ROOM];
    int count;
};

static void __attribute__((format(printf, 2, 3))) add(struct arguments *a, const char *format, ...) {
    va_list list;

    if (a->count == ARGUMENTS_ROOM - 1) {
        abort(); // the list below is fixed, and shorter
    }
    va_start(list, format);
    if (vasprintf(&a->list[a->count], format, list) < 0) {
        abort();
    }
    va_end(list);
    a->list[++a->count] = NULL;
}

static void add_pair(struct arguments *a, const char *option, const char *value) {
    add(a, "%s", option);
    add(a, "%s", value);
}

// The processor and its clock. With --icount one virtual nanosecond is one instruction and a run repeats exactly: the
// flags are those of deterministic measurement and belong together.
static void add_processor(struct arguments *a, const struct options *o) {
    if (o->icount) {
        add_pair(a, "-accel", "tcg");
        add_pair(a, "-cpu", "max,-erms,-fsrm");
        add_pair(a, "-icount", "shift=0,sleep=off");
        add_pair(a, "-rtc", "base=2026-01-01,clock=vm");
        add(a, "-seed");
        add(a, "%d", o->seed);
    } else if (o->kvm) {
        add_pair(a, "-accel", "kvm");
        add_pair(a, "-cpu", "host");
    } else {
        add_pair(a, "-accel", "tcg,thread=multi");
        add_pair(a, "-cpu", "max");
    }
    add(a, "-smp");
    add(a, "%d", o->processors);
    add_pair(a, "-m", o->memory);
}

static void add_image(struct arguments *a, const struct options *o) {
    if (o->iso != NULL) {
        add_pair(a, "-cdrom", o->iso);
        add_pair(a, "-boot", "d");
        if (o->firmware != NULL) {
            add_pair(a, "-bios", o->firmware);
        }
        add_pair(a, "-vga", "std");
        return;
    }
    add_pair(a, "-kernel", o->kernel);
    if (o->initrd != NULL) {
        add_pair(a, "-initrd", o->initrd);
    }
    add(a, "-append");
    // In deterministic time a processor's turn ends with the next timer: the heartbeat keeps turns short.
    add(a, "console=ttyS0%s%s%s%s%s%s", o->ports ? " invar.ports" : "", o->quiet ? " quiet" : "",
        o->gdb ? " panic=halt" : " panic=-1", o->icount && o->processors > 1 ? " heartbeat=1000" : "",
        *o->append ? " " : "", o->append);
}

static void add_ports(struct arguments *a, const struct options *o, const int guest_end[PORT_COUNT]) {
    bool pci = strcmp(o->machine, "q35") == 0;

    add_pair(a, "-device",
             pci ? "virtio-serial-pci,disable-legacy=on,max_ports=8" : "virtio-serial-device,max_ports=8");
    for (int i = 0; i < PORT_SERIAL; i++) {
        add(a, "-chardev");
        add(a, "socket,id=port%d,fd=%d", i, guest_end[i]);
        add(a, "-device");
        add(a, "virtserialport,nr=%d,chardev=port%d,name=%s", i + 1, i, port_names[i]);
    }
}

static void arguments_build(struct arguments *a, const struct options *o, const int guest_end[PORT_COUNT]) {
    add(a, "%s", getenv("INVAR_QEMU") ? getenv("INVAR_QEMU") : "qemu-system-x86_64");
    add_pair(a, "-M", o->machine);
    add(a, "-nodefaults");
    add_pair(a, "-display", "none");
    add(a, "-no-reboot");
    add_pair(a, "-global", "virtio-mmio.force-legacy=false");
    add_processor(a, o);
    add_image(a, o);
    add(a, "-chardev");
    add(a, "socket,id=serial,fd=%d", guest_end[PORT_SERIAL]);
    add_pair(a, "-serial", "chardev:serial");
    if (o->ports) {
        add_ports(a, o, guest_end);
    }
    if (o->gdb) {
        add(a, "-chardev");
        add(a, "socket,id=gdb,path=%s,server=on,wait=off", o->gdb);
        add_pair(a, "-gdb", "chardev:gdb");
        add(a, "-S");
    }
}

// In the child: what QEMU may inherit is its ends of the sockets, an empty input, and the pipe for its messages. It
// leaves our process group, since the terminal's Ctrl-C is for the program in the machine, and dies with us.
static void __attribute__((noreturn)) child_exec(struct arguments *a, const int guest_end[PORT_COUNT], int messages) {
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    int empty = open("/dev/null", O_RDWR);
    dup2(empty, 0);
    dup2(messages, 1);
    dup2(messages, 2);
    for (int i = 0; i < PORT_COUNT; i++) {
        if (guest_end[i] >= 0) {
            fcntl(guest_end[i], F_SETFD, 0);
        }
    }
    execvp(a->list[0], a->list);
    dprintf(2, "%s: %s\n", a->list[0], strerror(errno));
    _exit(127);
}

static bool sockets_open(struct machine *m, const struct options *o, int guest_end[PORT_COUNT]) {
    for (int i = 0; i < PORT_COUNT; i++) {
        m->port[i] = guest_end[i] = -1;
    }
    for (int i = o->ports ? 0 : PORT_SERIAL; i < PORT_COUNT; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
            return false;
        }
        fcntl(pair[0], F_SETFL, O_NONBLOCK);
        m->port[i] = pair[0];
        guest_end[i] = pair[1];
    }
    return true;
}

bool machine_start(struct machine *m, const struct options *o) {
    struct arguments arguments = {0};
    int guest_end[PORT_COUNT], pipe_ends[2];

    if (!sockets_open(m, o, guest_end) || pipe2(pipe_ends, O_CLOEXEC) != 0) {
        return false;
    }
    arguments_build(&arguments, o, guest_end);
    m->pid = fork();
    if (m->pid == 0) {
        child_exec(&arguments, guest_end, pipe_ends[1]);
    }
    int error = errno;
    close(pipe_ends[1]);
    fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK);
    m->messages = pipe_ends[0];
    for (int i = 0; i < PORT_COUNT; i++) {
        if (guest_end[i] >= 0) {
            close(guest_end[i]);
        }
    }
    for (int i = 0; i < arguments.count; i++) {
        free(arguments.list[i]);
    }
    errno = error;
    return m->pid > 0;
}

void machine_kill(struct machine *m) {
    if (m->pid > 0) {
        kill(m->pid, SIGKILL);
        while (waitpid(m->pid, NULL, 0) < 0 && errno == EINTR) {}
        m->pid = 0;
    }
}
