// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Job control of terminals: controlling terminals, foreground groups, background access (POSIX.1 chapter 11.1). Sessions and groups themselves belong to the
// personality, which registers a table; a terminal keeps their numbers. Thread context, no terminal's lock held.
//
// Invariants: I1. A terminal names a session exactly while that session has it; the session counts the terminal.
// Locking: job_lock (rank TTY, never held together with a terminal's lock) over every change of t->session and t->foreground, and over the personality's
// own record of it; the personality's locks come after it. Reads go without.

#include "tty_private.h"

#include <kernel/process.h>
#include <kernel/token.h>

const struct tty_job_ops *tty_job_ops;
static struct mutex job_lock;

void tty_job_init(void) {
    mutex_init(&job_lock, LOCK_RANK_TTY);
}

void tty_register_job_ops(const struct tty_job_ops *ops) {
    tty_job_ops = ops;
}

bool tty_capable(unsigned capability) {
    return tty_job_ops != NULL && tty_job_ops->current_capable != NULL && tty_job_ops->current_capable(capability);
}

int tty_foreground_group(struct tty *t) {
    return atomic_load(&t->foreground);
}

static bool standing(const struct tty *t, struct tty_standing *out) {
    *out = (struct tty_standing){0};
    return tty_job_ops != NULL && tty_job_ops->standing(t, out);
}

bool tty_is_controlling(const struct tty *t) {
    struct tty_standing s;

    return standing(t, &s) && s.by_this;
}

void tty_signal_foreground(struct tty *t, int signal) {
    int session = atomic_load(&t->session), group = atomic_load(&t->foreground);

    if (group > 0 && session > 0 && tty_job_ops != NULL)
        tty_job_ops->signal_group(group, session, signal);
}

inv_status_t tty_check_background(struct tty *t, int signal) {
    struct tty_standing s;
    int foreground = atomic_load_explicit(&t->foreground, memory_order_relaxed);

    if (foreground == 0 || !standing(t, &s) || !s.by_this || s.group == foreground)
        return INV_OK;
    if (tty_job_ops->current_ignores_or_blocks(signal))
        return signal == TTY_SIGTTIN ? INV_ERR_IO : INV_OK;
    if (tty_job_ops->group_is_orphaned(s.group))
        return INV_ERR_IO;
    tty_job_ops->signal_group(s.group, s.session, signal);
    return INV_ERR_RESTART;
}

static void make_controlling_locked(struct tty *t, const struct tty_standing *s) {
    tty_get(t); // the session's
    atomic_store(&t->session, s->session);
    atomic_store(&t->foreground, s->group);
    tty_job_ops->take_terminal(t);
}

void tty_adopt_if_leader(struct tty *t) {
    struct tty_standing s;

    if (!standing(t, &s) || !s.leader || s.controlled)
        return;
    mutex_lock(&job_lock);
    if (standing(t, &s) && s.leader && !s.controlled && atomic_load(&t->session) == 0)
        make_controlling_locked(t, &s);
    mutex_unlock(&job_lock);
}

static inv_status_t set_controlling_locked(struct tty *t, const struct file *file, bool steal) {
    struct tty_standing s;
    int session = atomic_load(&t->session);

    if (!standing(t, &s))
        return INV_ERR_NOT_PERMITTED;
    if (s.leader && session != 0 && session == s.session)
        return INV_OK;
    if (!s.leader || s.controlled)
        return INV_ERR_NOT_PERMITTED;
    if (session != 0) {
        if (!steal || !tty_capable(CAP_SYS_ADMIN))
            return INV_ERR_NOT_PERMITTED;
        tty_job_ops->clear_session_terminal(session, 0);
    }
    if (!file_readable(file) && !tty_capable(CAP_SYS_ADMIN))
        return INV_ERR_NOT_PERMITTED;
    make_controlling_locked(t, &s);
    return INV_OK;
}

// TIOCSCTTY, in the order of its errors: not a leader, or a leader that has a terminal; a terminal that has a session.
inv_status_t tty_set_controlling(struct tty *t, const struct file *file, bool steal) {
    mutex_lock(&job_lock);
    inv_status_t status = set_controlling_locked(t, file, steal);
    mutex_unlock(&job_lock);
    return status;
}

// The terminal forgets its session, and the session it. False: it had none (any more).
static bool let_go(struct tty *t, bool remember_foreground, int *out_session, int *out_foreground) {
    mutex_lock(&job_lock);
    *out_session = atomic_exchange(&t->session, 0);
    *out_foreground = atomic_exchange(&t->foreground, 0);
    if (*out_session != 0 && tty_job_ops != NULL)
        tty_job_ops->clear_session_terminal(*out_session, remember_foreground ? *out_foreground : 0);
    mutex_unlock(&job_lock);
    return *out_session != 0 && tty_job_ops != NULL;
}

void tty_let_go_of_session(struct tty *t, bool leader_ends) {
    int session, foreground;

    if (!let_go(t, true, &session, &foreground))
        return;
    tty_job_ops->signal_session_leader(session, TTY_SIGHUP);
    tty_job_ops->signal_session_leader(session, TTY_SIGCONT);
    if (leader_ends && foreground > 0)
        tty_job_ops->signal_group(foreground, session, TTY_SIGHUP);
}

void tty_session_leader_exit(struct tty *t) {
    int session, foreground;

    if (t->driver->refill == NULL) {
        tty_hang_up_line(t, true);
        return;
    }
    if (let_go(t, false, &session, &foreground) && foreground > 0)
        tty_job_ops->signal_group(foreground, session, TTY_SIGHUP);
}

// TIOCNOTTY: a leader lets go for its whole session, another process for itself.
inv_status_t tty_give_up_controlling(struct tty *t) {
    struct tty_standing s;
    int session, foreground;

    if (!standing(t, &s) || !s.by_this)
        return INV_ERR_NOT_TTY;
    if (!s.leader) {
        tty_job_ops->leave_terminal();
        return INV_OK;
    }
    if (let_go(t, false, &session, &foreground) && foreground > 0) {
        tty_job_ops->signal_group(foreground, session, TTY_SIGHUP);
        tty_job_ops->signal_group(foreground, session, TTY_SIGCONT);
    }
    return INV_OK;
}

void tty_hangup_self(void) {
    struct tty *t = tty_job_ops != NULL ? tty_job_ops->session_terminal() : NULL;

    if (t == NULL)
        return;
    tty_hangup(t);
    tty_put(t);
}

inv_status_t tty_get_foreground(struct tty *t, bool from_master, int *out) {
    if (!from_master && !tty_is_controlling(t))
        return INV_ERR_NOT_TTY;
    *out = atomic_load(&t->foreground);
    return INV_OK;
}

inv_status_t tty_set_foreground(struct tty *t, int group) {
    struct tty_standing s;

    if (group < 0)
        return INV_ERR_INVALID;
    mutex_lock(&job_lock);
    inv_status_t status = INV_ERR_NOT_TTY;
    if (standing(t, &s) && s.by_this && atomic_load(&t->session) == s.session)
        status = tty_job_ops->group_in_session(group, s.session);
    if (status == INV_OK)
        atomic_store(&t->foreground, group);
    mutex_unlock(&job_lock);
    return status;
}

inv_status_t tty_get_session(struct tty *t, bool from_master, int *out) {
    int session = atomic_load(&t->session);

    if ((!from_master && !tty_is_controlling(t)) || session == 0)
        return INV_ERR_NOT_TTY;
    *out = session;
    return INV_OK;
}
