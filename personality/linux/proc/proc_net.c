// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What /proc tells of sockets: /proc/PID/net and the limits below /proc/sys/net.
#include "../proc.h"

#include <executive/net.h>

struct net_sink {
    struct text_sink sink;
    struct proc_text *text;
};

static void net_write(struct text_sink *sink, const char *text, size_t length) {
    proc_append(container_of(sink, struct net_sink, sink)->text, text, length);
}

static void show_unix(struct proc_text *t, const struct proc_node *n) {
    struct net_sink sink = {.sink.write = net_write, .text = t};

    unix_show_all(&sink.sink);
}

const struct proc_entry proc_net_children[] = {
    {.name = "unix", .mode = 0444, .show = show_unix},
    {.name = NULL},
};

// --- /proc/sys/net ---

static const struct {
    const char *name;
    _Atomic uint32_t *value;
    uint32_t least;
} limits[] = {
    {"max_dgram_qlen", &socket_limits.datagram_queue, 0},
    {"optmem_max", &socket_limits.control_max, 0},
    {"rmem_default", &socket_limits.receive_default, 2304},
    {"rmem_max", &socket_limits.receive_max, 2304},
    {"somaxconn", &socket_limits.backlog_max, 0},
    {"wmem_default", &socket_limits.send_default, 4608},
    {"wmem_max", &socket_limits.send_max, 4608},
};

static unsigned limit_of(const struct proc_node *n) {
    unsigned i = 0;

    while (strcmp(limits[i].name, n->entry->name) != 0)
        i++;
    return i;
}

static void show_limit(struct proc_text *t, const struct proc_node *n) {
    proc_show_number(t, atomic_load(limits[limit_of(n)].value));
}

static int64_t store_limit(const struct proc_node *n, char *text) {
    const char *end;
    uint64_t value;
    unsigned i = limit_of(n);

    while (*text == ' ' || *text == '\t' || *text == '\n')
        text++;
    if (string_to_u64(text, &end, 0, &value) != INV_OK || (*end != 0 && *end != '\n' && *end != ' ') ||
        value < limits[i].least || value > INT32_MAX)
        return -LINUX_EINVAL;
    atomic_store(limits[i].value, (uint32_t)value);
    return 0;
}

#define LIMIT(limit) \
    { .name = limit, .mode = 0644, .show = show_limit, .store = store_limit }

static const struct proc_entry core_children[] = {
    LIMIT("optmem_max"),   LIMIT("rmem_default"), LIMIT("rmem_max"), LIMIT("somaxconn"),
    LIMIT("wmem_default"), LIMIT("wmem_max"),     {.name = NULL},
};
static const struct proc_entry unix_children[] = {
    LIMIT("max_dgram_qlen"),
    {.name = NULL},
};
const struct proc_entry proc_sys_net_children[] = {
    {.name = "core", .mode = 0555, .kind = PROC_DIRECTORY, .children = core_children},
    {.name = "unix", .mode = 0555, .kind = PROC_DIRECTORY, .children = unix_children},
    {.name = NULL},
};
