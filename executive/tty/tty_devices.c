// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The nodes that stand for some terminal: /dev/tty (the controlling terminal of the caller's session) and /dev/console (the one that tty_set_console named),
// with the redirection of what is written to the console (TIOCCONS). Thread context.
//
// Invariants: I1. The file that the console is redirected to is a terminal's, counted, until the terminal hangs up or somebody with /dev/console
// takes the redirection back.
// Locking: redirect_lock (rank TTY, taken with no terminal's lock held) guards redirect; the file is counted out of it before it is written to.

#include "tty_private.h"

#include <kernel/boot.h>

#define DEVICE_TTY     DEVNO(5, 0)
#define DEVICE_CONSOLE DEVNO(5, 1)

static _Atomic(struct tty *) console;
static struct mutex redirect_lock;
static struct file *_Atomic redirect; // redirect_lock

void tty_set_console(struct tty *t) {
    atomic_store_explicit(&console, t, memory_order_release);
}

// /dev/console never becomes a controlling terminal by being opened.
static inv_status_t console_open(struct inode *inode, struct file *file) {
    struct tty *t = atomic_load_explicit(&console, memory_order_acquire);

    (void)inode;
    if (t == NULL)
        return INV_ERR_NO_DEVICE;
    tty_get(t);
    return tty_open_file(file, t, true, false);
}

static inv_status_t controlling_open(struct inode *inode, struct file *file) {
    struct tty *t = tty_job_ops != NULL ? tty_job_ops->session_terminal() : NULL;

    (void)inode;
    return t != NULL ? tty_open_file(file, t, false, false) : INV_ERR_NO_ADDRESS;
}

// --- TIOCCONS ---

struct file *tty_console_target(void) {
    struct file *file = NULL;

    if (atomic_load_explicit(&redirect, memory_order_relaxed) == NULL)
        return NULL;
    mutex_lock(&redirect_lock);
    file = atomic_load_explicit(&redirect, memory_order_relaxed);
    if (file != NULL)
        file_get(file);
    mutex_unlock(&redirect_lock);
    return file;
}

inv_status_t tty_console_redirect(struct file *file) {
    struct tty_file *f = file->data;
    inv_status_t status = INV_OK;

    if (!tty_capable(CAP_SYS_ADMIN))
        return INV_ERR_NOT_PERMITTED;
    if (f->console) {
        tty_console_restore(NULL);
        return INV_OK;
    }
    if (!file_writable(file))
        return INV_ERR_BAD_FD;
    mutex_lock(&redirect_lock);
    if (atomic_load_explicit(&redirect, memory_order_relaxed) != NULL) {
        status = INV_ERR_BUSY;
    } else {
        file_get(file);
        atomic_store_explicit(&redirect, file, memory_order_relaxed);
    }
    mutex_unlock(&redirect_lock);
    return status;
}

void tty_console_restore(const struct tty *t) {
    if (atomic_load_explicit(&redirect, memory_order_relaxed) == NULL)
        return;
    mutex_lock(&redirect_lock);
    struct file *file = atomic_load_explicit(&redirect, memory_order_relaxed);
    bool ends = file != NULL && (t == NULL || ((struct tty_file *)file->data)->tty == t);
    if (ends)
        atomic_store_explicit(&redirect, NULL, memory_order_relaxed);
    mutex_unlock(&redirect_lock);
    if (ends)
        file_put(file);
}

// --- the nodes ---

static const struct file_ops console_ops = {.open = console_open};
static const struct file_ops controlling_ops = {.open = controlling_open};

static struct character_device console_device = {
    .number = DEVICE_CONSOLE, .name = "console", .mode = 0600, .ops = &console_ops};
static struct character_device controlling_device = {
    .number = DEVICE_TTY, .name = "tty", .mode = 0666, .ops = &controlling_ops};

static inv_status_t tty_start(void) {
    mutex_init(&redirect_lock, LOCK_RANK_TTY);
    tty_job_init();
    inv_status_t status = tty_worker_start();

    if (status == INV_OK)
        status = character_device_register(&console_device);
    if (status == INV_OK)
        status = character_device_register(&controlling_device);
    return status == INV_OK ? pty_start() : status;
}
BOOT_CALL("terminals", BOOT_STAGE_EXECUTIVE, tty_start);
