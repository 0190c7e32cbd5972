// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Process 1: made at the end of the boot from the boot tree's /init (or init=PATH of the command line; what stands behind "--" are its arguments), with
// descriptors 0 to 2 on /dev/console. If it cannot be made, a line says why and the machine is switched off, or halted or restarted by panic=.
#include "exec.h"

#include <kernel/boot.h>
#include <kernel/log.h>
#include <kernel/platform.h>
#include <kernel/slab.h>

#define ARGUMENTS_MAX 32

static const char *const environment[] = {"HOME=/", "TERM=linux", NULL};

static noreturn_fn cold_fn void machine_give_up(void) {
    char policy[16];

    if (boot_option("panic", policy, sizeof(policy)) && strcmp(policy, "halt") == 0)
        arch_halt();
    if (boot_option("panic", policy, sizeof(policy)) && strcmp(policy, "reset") == 0)
        platform_reset();
    platform_power_off();
}

// The words behind "--" on the command line. text is cut up.
static void arguments_collect(char *text, const char *path, const char **argv) {
    unsigned n = 0;
    bool after = false;

    argv[n++] = path;
    for (char *at = text; *at != '\0' && n < ARGUMENTS_MAX;) {
        while (*at == ' ')
            at++;
        char *word = at;
        while (*at != '\0' && *at != ' ')
            at++;
        if (*at != '\0')
            *at++ = '\0';
        if (after && *word != '\0')
            argv[n++] = word;
        else if (strcmp(word, "--") == 0)
            after = true;
    }
    argv[n] = NULL;
}

// Process and thread as the personality knows them.
static int64_t init_state(struct linux_process **out_process, struct linux_thread **out_thread) {
    struct linux_process *p = linux_process_alloc(NULL);
    struct linux_thread *t = p != NULL ? linux_thread_alloc(p) : NULL;
    inv_status_t s;

    if (t == NULL)
        return -LINUX_ENOMEM;
    p->unkillable = true;
    p->sighand = sighand_create(NULL);
    p->token = token_root;
    object_get(&token_root->obj);
    t->token = token_root;
    object_get(&token_root->obj);
    s = fd_table_create(&root_job, &t->files);
    if (s == INV_OK)
        s = fs_context_copy(fs_context_boot, &t->fs);
    *out_process = p;
    *out_thread = t;
    return s != INV_OK || p->sighand == NULL ? -LINUX_ENOMEM : 0;
}

static void console_open(const struct vfs_caller *c) {
    struct file *file;
    int fd;

    if (vfs_open(c, AT_FDCWD_, "/dev/console", O_RDWR_, 0, &file) != INV_OK) {
        log_warning("linux", "/dev/console cannot be opened: process 1 starts without descriptors");
        return;
    }
    for (int i = 0; i < 3; i++) {
        file_get(file);
        if (fd_install(c->fds, file, 0, 1024, false, &fd) != INV_OK)
            file_put(file);
    }
    file_put(file);
}

static int64_t init_image(struct linux_process *p, const struct vfs_caller *caller, const char *path,
                          struct exec_image *x) {
    const char **argv = kmalloc((ARGUMENTS_MAX + 1) * sizeof(char *));
    char *text = kstrdup(boot_info.cmdline);
    struct exec_strings strings;

    exec_strings_init(&strings, &root_job, p->limits[LINUX_RLIMIT_STACK].current);
    int64_t result = argv == NULL || text == NULL ? -LINUX_ENOMEM : 0;
    if (result == 0) {
        arguments_collect(text, path, argv);
        result = exec_strings_from_kernel(&strings, argv, environment);
    }
    *x = (struct exec_image){.process = p, .caller = caller, .strings = &strings, .name = path};
    if (result == 0)
        result = exec_image_make(x, AT_FDCWD_, path, WALK_FOLLOW);
    exec_strings_free(&strings);
    kfree(argv);
    kfree(text);
    return result;
}

// Places process 1 at the root of the tree.
static int64_t init_place(struct linux_process *p, struct linux_thread *t) {
    struct linux_pid *pid = linux_pid_alloc();

    if (pid == NULL || pid->number != LINUX_INIT_PID)
        return -LINUX_ENOMEM;
    p->number = pid->number;
    p->pid = t->pid = pid;
    int64_t result = linux_group_create_first(p);
    spin_lock(&linux_tree_lock);
    linux_pid_get_locked(pid);
    pid->process = p;
    pid->thread = t;
    pid->user = linux_user_get_locked(0);
    list_push_back(&linux_processes, &p->all_node);
    p->state = LINUX_PROCESS_LIVE;
    p->has_executed = true;
    list_push_back(&p->threads, &t->node);
    p->thread_count = 1;
    linux_init = p;
    spin_unlock(&linux_tree_lock);
    return pid->user != NULL ? result : -LINUX_ENOMEM;
}

static int64_t init_start(struct linux_process *p, struct linux_thread *t, struct exec_image *x) {
    struct arch_frame frame;
    struct thread *core;

    inv_status_t s = process_create(&root_job, x->aspace, &linux_ops, "init", &p->process);
    if (s != INV_OK)
        return linux_result(s);
    x->aspace = NULL;
    linux_process_get(p);
    p->process->personality_data = p;
    atomic_store_explicit(&p->process->oom_protected, true, memory_order_relaxed);
    p->exe = x->file;
    x->file = NULL;
    arch_frame_init_user(&frame, x->entry, x->sp);
    s = thread_create_user(p->process, &frame, "init", &core);
    if (s != INV_OK)
        return linux_result(s);
    core->personality_data = t;
    t->thread = core;
    core->sched.slack = t->timer_slack;
    int64_t result = init_place(p, t);
    if (result == 0) {
        exec_image_free(x);
        boot_mark(BOOT_MARK_EXEC);
        thread_start(core);
    }
    object_put(&core->obj);
    return result;
}

static inv_status_t linux_init_start(void) {
    static char path[256] = "/init";
    struct linux_process *p;
    struct linux_thread *t;
    struct exec_image x;

    boot_mark(BOOT_MARK_PERSONALITY);
    (void)boot_option("init", path, sizeof(path));
    int64_t result = init_state(&p, &t);
    if (result == 0) {
        struct vfs_caller caller = {.fs = t->fs, .fds = t->files, .token = t->token, .job = &root_job};
        console_open(&caller);
        result = init_image(p, &caller, path, &x);
    }
    if (result == 0)
        result = init_start(p, t, &x);
    if (result != 0) {
        log_write(LOG_CRITICAL, "linux", "cannot start %s: error %ld%s", path, (long)-result,
                  boot_info.archive_start == 0 ? " (the machine was started without a boot archive)" : "");
        machine_give_up();
    }
    return INV_OK;
}
BOOT_CALL("linux init", BOOT_STAGE_PERSONALITY, linux_init_start);
