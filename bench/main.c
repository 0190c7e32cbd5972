// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The benchmark's command: which rows, each in a process of its own with a limit of time, and the line that ends the run. As process 1 it is the machine's
// init (init.c), takes its arguments from /bench/command and powers off at the end.
//
//     bench [--set scored|shown|scale]... [--row NAME]... [--draw SEED] [--parallel N] [--list]
//
// Without --set and --row: scored and shown rows. Status 0: every row ran or is none; 1: one is broken; 2: bad arguments. --here runs one row in the
// process itself: it is what the program calls itself with.
#define _GNU_SOURCE
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS_MAX = 256, PARALLEL_MAX = 64, STATUS_USAGE = 2 };

// Seconds for one row, in the machine's time, by set.
static const unsigned limit_seconds[] = {[BENCH_SCORED] = 5, [BENCH_SHOWN] = 20, [BENCH_SCALE] = 60};
// With --parallel it is the host's time, and the host may have fewer processors.
enum { LIMIT_PARALLEL_SECONDS = 600 };

extern const struct bench_row __start_bench_rows[], __stop_bench_rows[];

struct options {
    unsigned sets; // bit per enum bench_set
    const char *row[ROWS_MAX];
    unsigned rows;
    bool here, list, draw;
    char *seed; // text of draw
    unsigned parallel;
};

struct result {
    unsigned rows, none, broken;
};

// All rows by set, then by name: the linker's order is not the same for every compiler.
static const struct bench_row *table[ROWS_MAX];
static unsigned table_rows;

static const char *const set_names[] = {[BENCH_SCORED] = "scored", [BENCH_SHOWN] = "shown", [BENCH_SCALE] = "scale"};
static volatile sig_atomic_t time_over;

// --- arguments ----------------------------------------------------------------------------------------------------------

static _Noreturn void usage(const char *what, const char *word) {
    printf("bench: %s%s%s\n", what, word != NULL ? ": " : "", word != NULL ? word : "");
    fflush(stdout);
    if (getpid() == 1) {
        init_power_off();
    }
    exit(STATUS_USAGE);
}

static int row_compare(const void *a, const void *b) {
    const struct bench_row *x = *(const struct bench_row *const *)a, *y = *(const struct bench_row *const *)b;

    return x->set != y->set ? (int)x->set - (int)y->set : strcmp(x->name, y->name);
}

static void table_make(void) {
    for (const struct bench_row *r = __start_bench_rows; r < __stop_bench_rows && table_rows < ROWS_MAX; r++) {
        table[table_rows++] = r;
    }
    qsort(table, table_rows, sizeof(table[0]), row_compare);
}

static const struct bench_row *row_find(const char *name) {
    for (unsigned i = 0; i < table_rows; i++) {
        if (strcmp(table[i]->name, name) == 0) {
            return table[i];
        }
    }
    return NULL;
}

static void option_set(struct options *o, const char *value) {
    for (unsigned i = 0; i < sizeof(set_names) / sizeof(set_names[0]); i++) {
        if (strcmp(set_names[i], value) == 0) {
            o->sets |= 1u << i;
            return;
        }
    }
    usage("no such set (scored, shown, scale)", value);
}

static void option_row(struct options *o, const char *value) {
    if (row_find(value) == NULL) {
        usage("no such row", value);
    }
    if (o->rows == ROWS_MAX) {
        usage("too many rows", NULL);
    }
    o->row[o->rows++] = value;
}

static uint64_t number(const char *option, const char *value, uint64_t least, uint64_t most) {
    char *end;
    uint64_t n;

    errno = 0;
    n = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || n < least || n > most) {
        usage(option, value);
    }
    return n;
}

static void option_value(struct options *o, const char *option, char *value) {
    if (strcmp(option, "--set") == 0) {
        option_set(o, value);
    } else if (strcmp(option, "--row") == 0) {
        option_row(o, value);
    } else if (strcmp(option, "--draw") == 0) {
        (void)number("--draw wants a number", value, 0, UINT64_MAX);
        o->draw = true;
        o->seed = value;
    } else if (strcmp(option, "--parallel") == 0) {
        o->parallel = (unsigned)number("--parallel wants a number from 1 to 64", value, 1, PARALLEL_MAX);
    } else {
        usage("no such option", option);
    }
}

static void options_parse(struct options *o, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            o->list = true;
        } else if (strcmp(argv[i], "--here") == 0) {
            o->here = true;
        } else if (i + 1 < argc) {
            option_value(o, argv[i], argv[i + 1]);
            i++;
        } else {
            usage("no such option, or its value is missing", argv[i]);
        }
    }
    if (o->here && o->rows != 1) {
        usage("--here wants one --row", NULL);
    }
    if (o->sets == 0 && o->rows == 0) {
        o->sets = 1u << BENCH_SCORED | 1u << BENCH_SHOWN;
    }
}

static bool row_wanted(const struct options *o, const struct bench_row *row) {
    for (unsigned i = 0; i < o->rows; i++) {
        if (strcmp(o->row[i], row->name) == 0) {
            return true;
        }
    }
    return (o->sets >> row->set & 1) != 0;
}

static void rows_list(void) {
    static const char *const units[] = {
        [BENCH_PER_OPERATION] = "op", [BENCH_PER_KILOBYTE] = "kB", [BENCH_LATE] = "late"};

    for (unsigned i = 0; i < table_rows; i++) {
        const struct bench_row *r = table[i];
        printf("%s %s %s %s\n", r->name, set_names[r->set], units[r->unit], r->what);
    }
}

// --- one row in a process of its own --------------------------------------------------------------------------------------

static void on_alarm(int signal) {
    (void)signal;
    time_over = 1;
}

static _Noreturn void row_exec(const struct options *o, const struct bench_row *row, const char *self) {
    char copies[16];
    char *argv[9] = {(char *)self, (char *)"--here", (char *)"--row", (char *)row->name};
    unsigned n = 4;

    if (o->draw) {
        argv[n++] = (char *)"--draw";
        argv[n++] = o->seed;
    }
    if (o->parallel > 0) {
        snprintf(copies, sizeof(copies), "%u", o->parallel);
        argv[n++] = (char *)"--parallel";
        argv[n++] = copies;
    }
    setpgid(0, 0);
    signal(SIGALRM, SIG_DFL);
    execv(self, argv);
    _exit(127);
}

// Ends what the row left behind: the processes of its group, and its folder.
static void row_clear(const struct bench_row *row, pid_t pid) {
    char path[128];

    kill(-pid, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {}
    row_folder_name(row->name, path, sizeof(path));
    tree_remove(path);
}

// The wait status of the row's process; -1 when its time was over.
static int row_wait(pid_t pid, unsigned seconds) {
    int status = -1;
    pid_t got;

    time_over = 0;
    alarm(seconds);
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR && !time_over);
    alarm(0);
    return got == pid ? status : -1;
}

static void row_judge(const struct bench_row *row, int status, struct result *result) {
    if (status == -1) {
        printf("broken %s timed out\n", row->name);
        result->broken++;
    } else if (WIFSIGNALED(status)) {
        printf("broken %s killed by signal %d\n", row->name, WTERMSIG(status));
        result->broken++;
    } else if (WEXITSTATUS(status) == ROW_DONE) {
        result->rows++;
    } else if (WEXITSTATUS(status) == ROW_NONE) {
        result->none++;
    } else {
        if (WEXITSTATUS(status) != ROW_BROKEN) {
            printf("broken %s status %d\n", row->name, WEXITSTATUS(status));
        }
        result->broken++;
    }
    fflush(stdout);
}

static void row_start(const struct options *o, const struct bench_row *row, const char *self, struct result *result) {
    pid_t pid = fork();

    if (pid < 0) {
        printf("broken %s fork: %s\n", row->name, strerror(errno));
        result->broken++;
        return;
    }
    if (pid == 0) {
        row_exec(o, row, self);
    }
    setpgid(pid, pid); // both do: whoever comes first
    int status = row_wait(pid, o->parallel > 0 ? LIMIT_PARALLEL_SECONDS : limit_seconds[row->set]);
    row_clear(row, pid);
    row_judge(row, status, result);
}

static int rows_run(const struct options *o, const char *self) {
    struct sigaction action = {.sa_handler = on_alarm};
    struct result result = {0};

    sigaction(SIGALRM, &action, NULL); // without SA_RESTART: the wait is to end
    prctl(PR_SET_CHILD_SUBREAPER, 1);  // what a row leaves behind comes here, not to the init
    for (unsigned i = 0; i < table_rows; i++) {
        if (row_wanted(o, table[i])) {
            row_start(o, table[i], self, &result);
        }
    }
    printf("end %u %u %u\n", result.rows, result.none, result.broken);
    fflush(stdout);
    return result.broken > 0 ? 1 : 0;
}

static _Noreturn void row_here(const struct options *o) {
    const struct bench_row *row = row_find(o->row[0]);

    if (o->draw) {
        draw_start(strtoull(o->seed, NULL, 10), row->name);
    }
    if (o->parallel > 0) {
        parallel_run(row, o->parallel);
    }
    row_run(row);
}

int main(int argc, char **argv) {
    static struct options o;
    bool init = getpid() == 1;
    int status = 0;

    table_make();
    if (init) {
        init_prepare();
        argv = init_command(argv[0], &argc); // a kernel hands its own words to its first process
    }
    options_parse(&o, argc, argv);
    if (o.here) {
        row_here(&o);
    }
    if (init) {
        init_describe();
    }
    if (o.list) {
        rows_list();
    } else {
        status = rows_run(&o, bench_program("bench"));
    }
    if (init) {
        init_power_off();
    }
    return status;
}
