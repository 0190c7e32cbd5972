// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The first process: mounts what every program expects, learns over the control port what to run, runs it, reports its
// status and powers the machine off. Static, and plain POSIX and Linux, so that one archive boots on Invar and on Linux.
//
// With ports (./invar run; it says invar.ports on the command line): a command has the ports as its standard streams, a
// shell has the console.
// Without (an ISO image): a shell on the console; its end powers off.
//
// The control port's lines stand in tools/run/control.c. While the program runs, init waits in one poll for the port and
// for a pipe that the SIGCHLD handler writes.

#define _GNU_SOURCE
#include "ports.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { PORTS_WAIT_SECONDS = 10, ARGUMENTS_MAX = 4096, STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127 };

struct job {
    bool shell;
    char **argv;
};

static struct reader control = {.fd = -1};
static struct winsize size;
static int child_died[2] = {-1, -1};

static void on_child(int signal) {
    int saved = errno;

    (void)signal;
    (void)!write(child_died[1], "", 1);
    errno = saved;
}

// --- the tree ---------------------------------------------------------------------------------------------------------

static void mount_at(const char *type, const char *where, const char *options) {
    if (mkdir(where, 0755) == 0 || errno == EEXIST) {
        mount(type, where, type, MS_NOSUID, options); // what a kernel does not have is left out
    }
}

static void tree_prepare(void) {
    umask(022);
    mount_at("proc", "/proc", NULL);
    mount_at("sysfs", "/sys", NULL);
    mount_at("objfs", "/invar", NULL);
    if (access("/dev/null", F_OK) != 0) {
        mount_at("devtmpfs", "/dev", NULL);
    }
    mount_at("devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666");
    mount_at("tmpfs", "/dev/shm", "mode=1777");
    mount_at("mqueue", "/dev/mqueue", NULL);
    symlink("/proc/self/fd", "/dev/fd"); // shells name descriptors so
    symlink("/proc/self/fd/0", "/dev/stdin");
    symlink("/proc/self/fd/1", "/dev/stdout");
    symlink("/proc/self/fd/2", "/dev/stderr");
    if (mkdir("/tmp", 01777) != 0 && errno != EEXIST) {
        mount_at("tmpfs", "/tmp", NULL);
    }
    chmod("/tmp", 01777);
    mkdir("/run", 0755);
}

static bool streams_from(const char *device) {
    int fd = open(device, O_RDWR | O_NOCTTY);

    if (fd < 0) {
        return false;
    }
    for (int i = 0; i <= 2; i++) {
        if (fd != i) {
            dup2(fd, i);
        }
    }
    if (fd > 2) {
        close(fd);
    }
    return true;
}

// The last word of the kernel's command line that begins with prefix, less the prefix, into value; false if there is none.
static bool command_line_value(const char *prefix, char *value, size_t capacity) {
    char text[4096];
    bool found = false;
    int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    for (char *rest = text, *w; (w = strtok_r(rest, " \n", &rest)) != NULL;) {
        if (strncmp(w, prefix, strlen(prefix)) == 0) {
            snprintf(value, capacity, "%s", w + strlen(prefix));
            found = true;
        }
    }
    return found;
}

// The shell's terminal is the device behind the console: files of /dev/console itself are exempt from job control, so that a job in the background would
// take the shell's input.
static void streams_from_terminal(void) {
    char name[64], path[80];

    if (command_line_value("console=", name, sizeof(name))) {
        name[strcspn(name, ",")] = '\0'; // ttyS0,115200
        snprintf(path, sizeof(path), "/dev/%s", name);
        if (streams_from(path)) {
            return;
        }
    }
    streams_from("/dev/console");
}

static bool command_line_has(const char *word) {
    char rest[8];
    return command_line_value(word, rest, sizeof(rest)) && rest[0] == '\0';
}

static void environment_prepare(void) {
    clearenv();
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", "/root", 1);
    setenv("USER", "root", 1);
    setenv("SHELL", "/bin/sh", 1);
    setenv("TERM", "vt100", 1);
}

// --- the end ----------------------------------------------------------------------------------------------------------

static void __attribute__((noreturn)) power_off(void) {
    sync();
    reboot(RB_POWER_OFF);
    for (;;) {
        pause();
    }
}

static void __attribute__((noreturn)) finish(int status) {
    char line[32];

    kill(-1, SIGKILL); // what the program left behind
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {}
    if (control.fd >= 0) {
        int length = snprintf(line, sizeof(line), "exit %d\n", status);
        (void)!write(control.fd, line, (size_t)length);
    }
    power_off();
}

// --- the program ------------------------------------------------------------------------------------------------------

static void command_streams(void) {
    static const struct {
        const char *name;
        int flags, fd;
    } streams[] = {{"invar.in", O_RDONLY, 0}, {"invar.out", O_WRONLY, 1}, {"invar.err", O_WRONLY, 2}};

    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        int fd = port_wait(streams[i].name, streams[i].flags, PORTS_WAIT_SECONDS);
        if (fd >= 0 && fd != streams[i].fd) {
            dup2(fd, streams[i].fd);
            close(fd);
        }
    }
}

static void shell_streams(void) {
    streams_from_terminal();
    ioctl(0, TIOCSCTTY, 1);
    if (size.ws_row > 0) {
        ioctl(0, TIOCSWINSZ, &size);
    }
    if (chdir(getenv("HOME")) != 0) {
        (void)!chdir("/");
    }
}

static void __attribute__((noreturn)) child_run(const struct job *job) {
    static char *const login_shell[] = {"-sh", NULL};
    const char *file = job->shell ? "/bin/sh" : job->argv[0];
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    if (job->shell) {
        shell_streams();
    } else {
        command_streams();
    }
    execvp(file, job->shell ? login_shell : job->argv);
    bool missing = errno == ENOENT || errno == ENOTDIR;
    dprintf(2, "init: %s: %s\n", file, missing ? "not found" : strerror(errno));
    _exit(missing ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
}

// Reaps all that died. True once `program` was among them, with its status as a shell gives it.
static bool reap(pid_t program, int *out_status) {
    bool found = false;
    int status;

    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == program) {
            *out_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
            found = true;
        }
    }
    return found;
}

static void size_set(const char *line) {
    unsigned rows, columns;

    if (sscanf(line, "size %u %u", &rows, &columns) == 2 && rows < 65536 && columns < 65536) {
        size.ws_row = (unsigned short)rows;
        size.ws_col = (unsigned short)columns;
    }
}

// A line that came while the program runs.
static void line_obey(const char *line, const struct job *job, pid_t program) {
    int number;

    if (sscanf(line, "signal %d", &number) == 1) {
        if (kill(-program, number) != 0) { // the group is there once the child has made its session
            kill(program, number);
        }
    } else if (strncmp(line, "size ", 5) == 0) {
        size_set(line);
        if (job->shell) {
            ioctl(0, TIOCSWINSZ, &size);
        }
    }
}

static int job_run(const struct job *job) {
    struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART};
    int status = 0;
    char byte[64];

    if (pipe2(child_died, O_CLOEXEC | O_NONBLOCK) != 0 || sigaction(SIGCHLD, &action, NULL) != 0) {
        return STATUS_NOT_EXECUTABLE;
    }
    pid_t program = fork();
    if (program == 0) {
        child_run(job);
    }
    if (program < 0) {
        dprintf(2, "init: fork: %s\n", strerror(errno));
        return STATUS_NOT_EXECUTABLE;
    }
    while (!reap(program, &status)) {
        struct pollfd fds[] = {{.fd = child_died[0], .events = POLLIN},
                               {.fd = control.ended ? -1 : control.fd, .events = POLLIN}};
        if (poll(fds, 2, -1) <= 0) {
            continue;
        }
        while (read(child_died[0], byte, sizeof(byte)) > 0) {}
        if (fds[1].revents != 0 && reader_fill(&control)) {
            for (char *line; (line = reader_take(&control, '\n')) != NULL;) {
                line_obey(line, job, program);
            }
        }
    }
    return status;
}

// --- what to run ------------------------------------------------------------------------------------------------------

static char *take_waiting(char stop) {
    char *piece;

    while ((piece = reader_take(&control, stop)) == NULL) {
        if (!reader_fill(&control)) {
            return NULL;
        }
    }
    return piece;
}

static bool arguments_read(struct job *job, int count) {
    if (count < 1 || count > ARGUMENTS_MAX || (job->argv = calloc((size_t)count + 1, sizeof(char *))) == NULL) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        const char *text = take_waiting('\0');
        if (text == NULL || (job->argv[i] = strdup(text)) == NULL) {
            return false;
        }
    }
    return true;
}

// Reads the control port up to the line that says what to run. False: the port ended, or the line makes no sense.
static bool job_read(struct job *job) {
    int count;

    for (char *line; (line = take_waiting('\n')) != NULL;) {
        if (strncmp(line, "env ", 4) == 0) {
            char *value = strchr(line + 4, '=');
            if (value != NULL && value != line + 4) {
                *value = '\0';
                setenv(line + 4, value + 1, 1);
            }
        } else if (strncmp(line, "size ", 5) == 0) {
            size_set(line);
        } else if (strcmp(line, "shell") == 0) {
            job->shell = true;
            return true;
        } else if (sscanf(line, "run %d", &count) == 1) {
            return arguments_read(job, count);
        }
    }
    return false;
}

int main(void) {
    struct job job = {0};

    tree_prepare();
    streams_from("/dev/console");
    environment_prepare();
    if (!command_line_has("invar.ports")) {
        job.shell = true;
        finish(job_run(&job));
    }
    control.fd = port_wait("invar.ctl", O_RDWR, PORTS_WAIT_SECONDS);
    if (control.fd < 0) {
        dprintf(2, "init: no control port\n");
        power_off();
    }
    (void)!write(control.fd, "ready\n", 6);
    if (!job_read(&job)) {
        dprintf(2, "init: the control port does not say what to run\n");
        power_off();
    }
    finish(job_run(&job));
}
