// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc/sysvipc: the segments, sets and queues that there are, a line each. Context: thread.
#include "../ipc_files.h"
#include "../proc.h"

static void line_write(void *text, const char *line) {
    proc_append(text, line, strlen(line));
}

static void show_shm(struct proc_text *t, const struct proc_node *n) {
    (void)n;
    linux_shm_list(line_write, t);
}

static void show_sem(struct proc_text *t, const struct proc_node *n) {
    (void)n;
    linux_sem_list(line_write, t);
}

static void show_msg(struct proc_text *t, const struct proc_node *n) {
    (void)n;
    linux_msg_list(line_write, t);
}

const struct proc_entry proc_sysvipc_children[] = {
    {.name = "msg", .mode = 0444, .show = show_msg},
    {.name = "sem", .mode = 0444, .show = show_sem},
    {.name = "shm", .mode = 0444, .show = show_shm},
    {.name = NULL},
};
