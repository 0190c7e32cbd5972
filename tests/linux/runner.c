// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Runs the differential test programs in turn, inside the machine, and prints their output in frames that
// `tests/linux/run` takes apart on the host. On Invar it is the command that `./invar run` starts, and prints on its
// standard output. On Linux it is /init itself (process 1): then it mounts what the tests need, prints on the second
// serial port, reaps orphans as an init does, and powers the machine off.
//
//   @begin AREA/NAME          a test starts
//   | text                    one line of its output
//   @end AREA/NAME exit 0 T ms  how it ended: `exit N`, `signal N` or `timeout 0`, and after how long
//   @done                     all of the list was run
//
// As process 1 it also serves other suites: where there is a file /tests/command, it runs that instead of the list.
//
// The list of tests is the file /tests/list, one AREA/NAME a line, with a limit in seconds behind it where it is not 20. Each test gets: an empty
// folder of its own as
// current folder, a session of its own,
// /dev/null as input, a pipe as output and error, default signals, a fixed environment and fixed limits.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_SECONDS = 20, /* unless the list says another */ OUTPUT_MAX = 64 * 1024 };

static int out = STDOUT_FILENO;

static void emit(const char *text, size_t length) {
    while (length > 0) {
        ssize_t n = write(out, text, length);
        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            _exit(97);
        }
        text += n;
        length -= (size_t)n;
    }
}

static void emit_text(const char *text) {
    emit(text, strlen(text));
}

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

// Prints the collected output, each line behind a bar.
static void emit_output(const char *text, size_t length) {
    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        size_t line = end ? (size_t)(end - text) : length;
        emit_text("| ");
        emit(text, line);
        emit_text("\n");
        if (!end) {
            break;
        }
        text += line + 1;
        length -= line + 1;
    }
}

static void limit_set(int resource, rlim_t soft, rlim_t hard) {
    struct rlimit limit = {soft, hard};
    setrlimit(resource, &limit);
}

// In the child: becomes the test program. Never returns.
static void test_exec(const char *name, int output) {
    static char *const environment[] = {"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/root", "TERM=linux", NULL};
    char path[256];
    setsid();
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(output, 1);
    dup2(output, 2);
    for (int fd = 3; fd < 64; fd++) {
        close(fd);
    }
    for (int i = 1; i < 65; i++) {
        signal(i, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
    limit_set(RLIMIT_CORE, 0, 0);
    limit_set(RLIMIT_NOFILE, 1024, 4096);
    limit_set(RLIMIT_STACK, 8 << 20, RLIM_INFINITY);
    snprintf(path, sizeof(path), "/tmp/test-%d", (int)getpid());
    mkdir(path, 0755);
    if (chdir(path) == -1) {
        dprintf(2, "cannot enter %s: %s\n", path, strerror(errno));
        _exit(96);
    }
    snprintf(path, sizeof(path), "/tests/%s", name);
    char *const arguments[] = {path, NULL};
    execve(path, arguments, environment);
    dprintf(2, "cannot execute %s: %s\n", path, strerror(errno));
    _exit(95);
}

// Runs one test to its end or to its time limit.
static void test_run(const char *name, int seconds) {
    static char output[OUTPUT_MAX];
    size_t length = 0;
    char line[512];
    int pipes[2];
    snprintf(line, sizeof(line), "@begin %s\n", name);
    emit_text(line);
    if (pipe2(pipes, O_CLOEXEC) == -1) {
        emit_text("| no pipe\n");
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        test_exec(name, pipes[1]);
    }
    close(pipes[1]);
    long long deadline = now_ms() + seconds * 1000LL;
    bool late = pid == -1;
    while (!late) {
        struct pollfd poll_in = {pipes[0], POLLIN, 0};
        long long rest = deadline - now_ms();
        int ready = rest > 0 ? poll(&poll_in, 1, (int)rest) : 0;
        if (ready == -1 && errno == EINTR) {
            continue;
        }
        if (ready <= 0) {
            late = true;
            break;
        }
        char drop[4096];
        bool full = length == sizeof(output);
        ssize_t n = full ? read(pipes[0], drop, sizeof(drop))
                         : read(pipes[0], output + length, sizeof(output) - length);
        if (n <= 0) {
            break;
        }
        length += full ? 0 : (size_t)n;
    }
    close(pipes[0]);
    int status = 0;
    // A test that has closed its output may run on: give it the rest of its time.
    while (!late && pid > 0 && waitpid(pid, &status, WNOHANG) == 0) {
        late = now_ms() > deadline;
        usleep(2000);
    }
    if (pid > 0) {
        kill(-pid, SIGKILL);
    }
    if (late && pid > 0) {
        waitpid(pid, &status, 0);
    }
    emit_output(output, length);
    int took = (int)(now_ms() - (deadline - seconds * 1000LL));
    if (late) {
        snprintf(line, sizeof(line), "@end %s timeout 0 %d ms\n", name, took);
    } else if (WIFSIGNALED(status)) {
        snprintf(line, sizeof(line), "@end %s signal %d %d ms\n", name, WTERMSIG(status), took);
    } else {
        snprintf(line, sizeof(line), "@end %s exit %d %d ms\n", name, WEXITSTATUS(status), took);
    }
    emit_text(line);
}

static int list_run(void) {
    FILE *list = fopen("/tests/list", "re");
    char line[220], name[200];
    if (!list) {
        emit_text("@error no /tests/list\n");
        return 1;
    }
    while (fgets(line, sizeof(line), list)) {
        int seconds = LIMIT_SECONDS;
        if (sscanf(line, "%199s %d", name, &seconds) >= 1) {
            test_run(name, seconds);
        }
    }
    fclose(list);
    emit_text("@done\n");
    return 0;
}

// In place of the list: executes the command in /tests/command, one word a line, with its output where ours goes, in a session of its own and with
// default signals: a shell can never undo what was ignored when it began.
static int command_run(void) {
    static char words[2048];
    char *arguments[32] = {NULL};
    int count = 0;
    FILE *file = fopen("/tests/command", "re");
    size_t length = file ? fread(words, 1, sizeof(words) - 1, file) : 0;
    words[length] = 0;
    for (char *word = strtok(words, "\n"); word && count < 31; word = strtok(NULL, "\n")) {
        arguments[count++] = word;
    }
    setsid();
    signal(SIGPIPE, SIG_DFL);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    if (count > 0) {
        execv(arguments[0], arguments);
    }
    emit_text("@error cannot execute /tests/command\n");
    return 1;
}

// As process 1 on Linux: prepares the machine, runs the list in a child, reaps whatever is orphaned, powers off.
static int init_run(void) {
    struct termios raw;
    mount("proc", "/proc", "proc", 0, NULL);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    mount("tmp", "/tmp", "tmpfs", 0, "mode=1777");
    symlink("/proc/self/fd", "/dev/fd"); // as every init does, Invar's too
    symlink("/proc/self/fd/0", "/dev/stdin");
    symlink("/proc/self/fd/1", "/dev/stdout");
    symlink("/proc/self/fd/2", "/dev/stderr");
    mkdir("/dev/pts", 0755);
    mount("devpts", "/dev/pts", "devpts", MS_NOSUID, "gid=5,mode=620,ptmxmode=666");
    mkdir("/dev/shm", 01777);
    mount("shm", "/dev/shm", "tmpfs", 0, "mode=1777");
    out = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (out != -1 && tcgetattr(out, &raw) == 0) {
        cfmakeraw(&raw);
        cfsetspeed(&raw, B115200);
        tcsetattr(out, TCSANOW, &raw);
    }
    pid_t pid = fork();
    if (pid == 0) {
        _exit(access("/tests/command", F_OK) == 0 ? command_run() : list_run());
    }
    while (wait(NULL) != pid) {}
    if (out != -1) {
        tcdrain(out);
    }
    reboot(RB_POWER_OFF);
    return 0;
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    return getpid() == 1 ? init_run() : list_run();
}
