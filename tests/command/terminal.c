// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Runs a command on a pseudo-terminal of its own and plays a person's part by a script. Host program of tests/command/run.
//
//     terminal ROWS COLUMNS SCRIPT COMMAND ARG...
//
// Lines of the script:   send TEXT       types TEXT            (\r \n \e \xNN are understood, in TEXT alone)
//                        expect TEXT     waits, 30 s at most, until TEXT has appeared behind what was matched before
//                        never TEXT      fails if TEXT has appeared behind what was matched before
//                        resize R C      changes the terminal's size
//                        pause MS        waits
//                        status N        waits for the end of the command, whose status must be N
// Prints nothing when all went well; else the line that failed and what was seen, with status 1.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { EXPECT_MS = 30000, SEEN_ROOM = 1 << 20 };

static char seen[SEEN_ROOM + 1];
static size_t seen_used, matched;
static int master;
static pid_t child;

static long long now_ms(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void __attribute__((noreturn)) fail(const char *line, const char *why) {
    printf("terminal: %s: %s\n--- seen since the last match:\n", line, why);
    for (size_t i = matched; i < seen_used; i++) {
        unsigned char c = (unsigned char)seen[i];
        if (c == '\n' || (c >= ' ' && c < 0x7f)) {
            putchar(c);
        } else if (c != '\r') {
            printf("\\x%02x", c);
        }
    }
    printf("\n---\n");
    kill(child, SIGKILL);
    exit(1);
}

static size_t unescape(char *text) {
    size_t kept = 0;
    unsigned code;

    for (const char *p = text; *p != '\0'; p++) {
        char c = *p;
        if (c == '\\' && p[1] != '\0') {
            p++;
            c = *p == 'r' ? '\r' : *p == 'n' ? '\n' : *p == 'e' ? '\033' : *p;
            if (*p == 'x' && sscanf(p + 1, "%2x", &code) == 1) {
                c = (char)code;
                p += 2;
            }
        }
        text[kept++] = c;
    }
    text[kept] = '\0';
    return kept;
}

// Reads what is there, waiting `ms` at most. False when the terminal has hung up.
static bool take(int ms) {
    struct pollfd fd = {.fd = master, .events = POLLIN};

    if (poll(&fd, 1, ms) <= 0) {
        return true;
    }
    ssize_t n = read(master, seen + seen_used, SEEN_ROOM - seen_used);
    if (n <= 0) {
        return n < 0 && errno == EINTR;
    }
    seen_used += (size_t)n;
    return true;
}

static void expect(const char *line, const char *text, size_t length) {
    long long end = now_ms() + EXPECT_MS;
    bool open = true;

    for (;;) {
        char *at = memmem(seen + matched, seen_used - matched, text, length);
        if (at != NULL) {
            matched = (size_t)(at - seen) + length;
            return;
        }
        if (!open) {
            fail(line, "the terminal hung up first");
        }
        long long left = end - now_ms();
        if (left <= 0 || seen_used == SEEN_ROOM) {
            fail(line, "did not appear");
        }
        open = take((int)left);
    }
}

static void pass(int ms) {
    for (long long end = now_ms() + ms, left; (left = end - now_ms()) > 0 && take((int)left);) {}
}

static void status(const char *line, int wanted) {
    long long end = now_ms() + EXPECT_MS;
    int got;

    while (waitpid(child, &got, WNOHANG) == 0) {
        if (now_ms() > end) {
            fail(line, "the command did not end");
        }
        if (!take(50)) {
            usleep(10000);
        }
    }
    if (!WIFEXITED(got) || WEXITSTATUS(got) != wanted) {
        printf("terminal: wait status 0x%x\n", (unsigned)got);
        fail(line, "another status");
    }
}

static void resize(int rows, int columns) {
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

    ioctl(master, TIOCSWINSZ, &size);
}

static void obey(char *line) {
    char shown[512], *text = strchr(line, ' ');
    int rows, columns;

    snprintf(shown, sizeof(shown), "%.*s", (int)sizeof(shown) - 1, line);
    text = text != NULL ? text + 1 : line + strlen(line);
    if (sscanf(line, "resize %d %d", &rows, &columns) == 2) {
        resize(rows, columns);
    } else if (strncmp(line, "send ", 5) == 0) {
        size_t length = unescape(text);
        (void)!write(master, text, length);
    } else if (strncmp(line, "expect ", 7) == 0) {
        size_t length = unescape(text);
        expect(shown, text, length);
    } else if (strncmp(line, "never ", 6) == 0) {
        size_t length = unescape(text);
        if (memmem(seen + matched, seen_used - matched, text, length) != NULL) {
            fail(shown, "has appeared");
        }
    } else if (strncmp(line, "pause ", 6) == 0) {
        pass(atoi(text));
    } else if (strncmp(line, "status ", 7) == 0) {
        status(shown, atoi(text));
    } else if (line[0] != '\0' && line[0] != '#') {
        fail(shown, "not understood");
    }
}

static void start(int rows, int columns, char **command) {
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        perror("terminal: no pseudo-terminal");
        exit(1);
    }
    resize(rows, columns);
    child = fork();
    if (child == 0) {
        setsid();
        int slave = open(ptsname(master), O_RDWR);
        ioctl(slave, TIOCSCTTY, 0);
        for (int i = 0; i <= 2; i++) {
            dup2(slave, i);
        }
        if (slave > 2) {
            close(slave);
        }
        setenv("TERM", "vt100", 1);
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
}

int main(int argc, char **argv) {
    char line[4096];

    if (argc < 5) {
        fprintf(stderr, "usage: terminal ROWS COLUMNS SCRIPT COMMAND ARG...\n");
        return 2;
    }
    FILE *script = fopen(argv[3], "r");
    if (script == NULL) {
        perror(argv[3]);
        return 2;
    }
    start(atoi(argv[1]), atoi(argv[2]), argv + 4);
    while (fgets(line, sizeof(line), script) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        obey(line);
    }
    fclose(script);
    kill(child, SIGTERM);
    return 0;
}
