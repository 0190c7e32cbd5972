// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// /proc: a small framework. A directory is a table of entries; an entry that is a file has a function that writes its text. Every name below a process is
// looked up anew unless the process still lives (revalidate), so nothing stale is ever seen under a reused number.
//
//   proc.c               file system, directories, links
//   proc_file.c          open, read, write of generated files
//   proc_text.c          the growing text
//   proc_view.c          one consistent look at a process
//   proc_process.c, proc_status.c, proc_memory.c, proc_smaps.c, proc_mem.c, proc_descriptors.c           below a process
//   proc_system.c, proc_machine.c, proc_sysctl.c, proc_invar.c, proc_locks.c                             the machine
//   sysfs.c              /sys, a second file system from the same tables
#ifndef LINUX_PROC_H
#define LINUX_PROC_H

#include "process.h"
#include "system.h"

struct proc_text {
    char *buffer;
    size_t used, size;
    bool failed; // no memory, or too long
};
void proc_print(struct proc_text *t, const char *format, ...) printf_like(2, 3);
void proc_print_word(void *text, const char *word); // " word"
void proc_append(struct proc_text *t, const char *bytes, size_t n);
void proc_text_free(struct proc_text *t);

// What an inode of /proc stands for.
struct proc_node {
    const struct proc_entry *entry;
    struct linux_process *process; // counted; NULL outside process directories
    int number;                    // tid of a task directory and what is below it; descriptor
};

enum proc_kind { PROC_FILE, PROC_DIRECTORY, PROC_LINK, PROC_SPECIAL /* a directory with lookup and list of its own */ };
#define PROC_INSPECT   (1u << 0) // needs the right to inspect the process
#define PROC_AT_OPEN   (1u << 1) // text is made at open alone: it takes locks that a read may not
#define PROC_NO_TASK   (1u << 2) // not in task directories
#define PROC_TASK_ONLY (1u << 3) // in task directories alone
#define PROC_AT_READ   (1u << 4) // the right to inspect is asked for, and the text made, when it is read, not at open

struct proc_entry {
    const char *name;
    uint32_t mode; // permission bits
    enum proc_kind kind;
    unsigned flags;
    // Files. show: the whole text. store: what a write means; the text is terminated. -errno or 0.
    void (*show)(struct proc_text *t, const struct proc_node *n);
    int64_t (*store)(const struct proc_node *n, char *text);
    struct linux_tunable *number;    // instead of both
    const struct file_ops *file_ops; // instead of generated text
    // Directories: entries, terminated by a name of NULL.
    const struct proc_entry *children;
    // Links. readlink: the text, NOT_FOUND if there is none. follow: where it leads directly (NULL: by its text).
    inv_status_t (*readlink)(const struct proc_node *n, char *buffer, size_t size, size_t *out_length);
    inv_status_t (*follow)(const struct proc_node *n, struct path *out);
    // Special directories.
    inv_status_t (*lookup)(struct inode *dir, const char *name, size_t length, struct inode **out);
    inv_status_t (*list)(struct file *f, struct dir_context *c);
};

static inline const struct proc_node *proc_node(const struct inode *i) {
    return i->data;
}
// An inode for entry, of process and number. NULL: no memory.
struct inode *proc_inode(struct superblock *sb, const struct proc_entry *entry, struct linux_process *process,
                         int number);
void proc_inode_delete(struct inode *i);
// A superblock that shows entry's tree. NO_MEMORY.
inv_status_t proc_super_make(struct superblock *sb, const struct proc_entry *entry, uint64_t magic);
const struct proc_entry *proc_entry_find(const struct proc_entry *table, const char *name, size_t length);
// Lists a table from position c->position on (2 is its first); positions end at 2 + entries. False: the buffer is full.
bool proc_list_table(struct dir_context *c, const struct proc_entry *table, unsigned skip_flags);
bool proc_number(const char *name, size_t length, int *out); // a decimal number without leading zeros
extern const struct file_ops proc_file_ops, proc_machine_file_ops, proc_directory_ops; // machine: of no process

// Numbers for show functions: "NUMBER\n".
void proc_show_number(struct proc_text *t, uint64_t n);
// A word or a number of a write: the text up to white space, which alone may follow. False: something else follows.
bool proc_parse_number(const char *text, uint64_t *out);

void proc_print_cpus(struct proc_text *t, const cpuset_t *set); // "0-2,5"

// proc_view.c: everything that stat and status show, taken under the locks at once.
struct proc_view {
    int pid, tid, parent, group, session, foreground;
    uint32_t terminal; // as stat shows it
    char state, name[LINUX_COMM_LENGTH];
    unsigned threads, cpu;
    cpuset_t affinity;
    bool has_executed;
    uint8_t priority; // the scheduler's
    int nice, policy, rt_priority, exit_signal;
    nstime_t start_time;
    struct linux_usage usage, children;
    linux_sigset_t pending, shared_pending, blocked, ignored, caught;
    uint64_t queued;
    uint64_t queue_limit;
    bool zombie;
    int exit_status;
};
// tid 0: the process. NOT_FOUND if it is gone.
must_check inv_status_t proc_view_get(struct linux_process *p, int tid, struct proc_view *out);
bool proc_gone(struct linux_process *p); // reaped
// Numbers of the children of one thread's process that come after from, in order; 0: none.
int proc_child_next(struct linux_process *p, int from);
// The process's token, counted.
struct token *proc_token(struct linux_process *p);
// Some live thread's descriptor table or place in the tree, counted, or NULL.
struct fd_table *proc_files(struct linux_process *p, int tid);
struct fs_context *proc_fs(struct linux_process *p, int tid);
struct file *proc_exe(struct linux_process *p);

extern const struct proc_entry proc_root_children[];
extern const struct proc_entry proc_root_entry, proc_process_entry, proc_task_entry;
extern const struct proc_entry proc_descriptor_link, proc_descriptor_info;
extern const struct proc_entry proc_sys_children[], proc_invar_children[], proc_net_children[], proc_sys_net_children[];
// Tables of several files.
int64_t proc_store_clear_refs(const struct proc_node *n, char *text);
void proc_show_stat(struct proc_text *t, const struct proc_node *n);
void proc_show_status(struct proc_text *t, const struct proc_node *n);
void proc_show_statm(struct proc_text *t, const struct proc_node *n);
void proc_show_maps(struct proc_text *t, const struct proc_node *n);
void proc_show_smaps(struct proc_text *t, const struct proc_node *n);
void proc_show_smaps_rollup(struct proc_text *t, const struct proc_node *n);
void proc_show_cmdline(struct proc_text *t, const struct proc_node *n);
void proc_show_environ(struct proc_text *t, const struct proc_node *n);
void proc_show_auxv(struct proc_text *t, const struct proc_node *n);
void proc_show_mounts(struct proc_text *t, const struct proc_node *n);
void proc_show_mountinfo(struct proc_text *t, const struct proc_node *n);
void proc_show_mountstats(struct proc_text *t, const struct proc_node *n);
void proc_show_sched(struct proc_text *t, const struct proc_node *n);
void proc_show_meminfo(struct proc_text *t, const struct proc_node *n);
void proc_show_vmstat(struct proc_text *t, const struct proc_node *n);
void proc_show_nothing(struct proc_text *t, const struct proc_node *n); // an empty list
void proc_show_consoles(struct proc_text *t, const struct proc_node *n);
void proc_show_execdomains(struct proc_text *t, const struct proc_node *n);
void proc_show_tty_drivers(struct proc_text *t, const struct proc_node *n);
void proc_show_tty_ldiscs(struct proc_text *t, const struct proc_node *n);
void proc_show_softirqs(struct proc_text *t, const struct proc_node *n);
void proc_show_locks(struct proc_text *t, const struct proc_node *n);
void proc_print_locks(struct proc_text *t, const char *head, const struct file *f, const void *table); // of f alone
extern const struct file_ops proc_mem_ops, proc_pagemap_ops, proc_kmsg_ops;
extern const struct proc_entry proc_ns_children[];
extern const struct proc_entry proc_sysvipc_children[];
// maps, line by line: fn is called for each mapping, the address space locked, with a struct proc_maps as arg.
struct proc_maps {
    struct proc_text *text;
    char *path; // PATH_MAX_BYTES + 16
    struct vfs_caller caller;
};
void proc_maps_visit(struct proc_text *t, const struct proc_node *n, bool (*fn)(const struct mapping *map, void *arg));
void proc_maps_line(struct proc_maps *m, const struct mapping *map);
// What kinds of pages a process has (proc_memory.c).
struct proc_pages {
    uint64_t anonymous, file; // bytes
};
void proc_pages_count(struct aspace *as, struct proc_pages *out);
struct proc_areas {
    uint64_t data, stack, code; // pages: private and writable, stacks, executable
};
void proc_areas_sum(struct aspace *as, struct proc_areas *out);
inv_status_t proc_task_lookup(struct inode *dir, const char *name, size_t length, struct inode **out);
inv_status_t proc_task_list(struct file *f, struct dir_context *c);
inv_status_t proc_fd_lookup(struct inode *dir, const char *name, size_t length, struct inode **out);
inv_status_t proc_fd_list(struct file *f, struct dir_context *c);
inv_status_t proc_fdinfo_lookup(struct inode *dir, const char *name, size_t length, struct inode **out);
inv_status_t proc_path_text(const struct path *p, char *buffer, size_t size, size_t *out_length);

#endif
