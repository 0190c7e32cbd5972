// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Job control of terminals: controlling terminals, foreground groups, background access (POSIX.1 chapter 11.1). Sessions and groups themselves belong to the
// personality, which registers a table; a terminal keeps their numbers. Thread context, no terminal's lock held.

#include "tty_private.h"

#include <kernel/process.h>
#include <kernel/token.h>

const struct tty_job_ops *tty_job_ops;

void tty_register_job_ops(const struct tty_job_ops *ops) {
    tty_job_ops = ops;
}

bool tty_capable(unsigned capability) {
    return tty_job_ops != NULL && tty_job_ops->current_capable != NULL && tty_job_ops->current_capable(capability);
}

int tty_foreground_group(struct tty *t) {
    return atomic_load(&t->foreground);
}

void tty_signal_foreground(struct tty *t, int signal) {
    int group = atomic_load(&t->foreground);

    if (group > 0 && tty_job_ops != NULL)
        tty_job_ops->signal_group(group, signal);
}

static bool is_controlling(struct tty *t) {
    return tty_job_ops != NULL && tty_job_ops->session_terminal() == t;
}

inv_status_t tty_check_background(struct tty *t, int signal) {
    int foreground = atomic_load(&t->foreground);

    if (!is_controlling(t) || foreground == 0)
        return INV_OK;
    int group = tty_job_ops->current_group();
    if (group == foreground)
        return INV_OK;
    if (tty_job_ops->current_ignores_or_blocks(signal))
        return signal == TTY_SIGTTIN ? INV_ERR_IO : INV_OK;
    if (tty_job_ops->group_is_orphaned(group))
        return INV_ERR_IO;
    tty_job_ops->signal_group(group, signal);
    return INV_ERR_RESTART;
}

static void make_controlling(struct tty *t) {
    atomic_store(&t->session, tty_job_ops->current_session());
    atomic_store(&t->foreground, tty_job_ops->current_group());
    tty_job_ops->set_session_terminal(t);
}

void tty_adopt_if_leader(struct tty *t) {
    if (tty_job_ops == NULL || !tty_job_ops->current_is_session_leader() || tty_job_ops->session_terminal() != NULL)
        return;
    // Two leaders may race for one terminal: the first one's number stays.
    int none = 0;
    if (atomic_compare_exchange_strong(&t->session, &none, tty_job_ops->current_session()))
        make_controlling(t);
}

// TIOCSCTTY, in the order of its errors: not a leader, or a leader that has a terminal; a terminal that has a session.
inv_status_t tty_set_controlling(struct tty *t, const struct file *file, bool steal) {
    if (tty_job_ops == NULL)
        return INV_ERR_NOT_PERMITTED;
    bool leader = tty_job_ops->current_is_session_leader();
    int session = atomic_load(&t->session);

    if (leader && session != 0 && session == tty_job_ops->current_session())
        return INV_OK;
    if (!leader || tty_job_ops->session_terminal() != NULL)
        return INV_ERR_NOT_PERMITTED;
    if (session != 0) {
        if (!steal || !tty_capable(CAP_SYS_ADMIN))
            return INV_ERR_NOT_PERMITTED;
        tty_job_ops->clear_session_terminal(session);
    }
    if (!file_readable(file) && !tty_capable(CAP_SYS_ADMIN))
        return INV_ERR_NOT_PERMITTED;
    make_controlling(t);
    return INV_OK;
}

void tty_session_leader_exit(struct tty *t) {
    int session = atomic_exchange(&t->session, 0), group = atomic_exchange(&t->foreground, 0);

    if (tty_job_ops == NULL)
        return;
    if (group > 0) {
        tty_job_ops->signal_group(group, TTY_SIGHUP);
        tty_job_ops->signal_group(group, TTY_SIGCONT);
    }
    if (session != 0)
        tty_job_ops->clear_session_terminal(session);
    // Files of the old session are dead, as after a hangup of the line; /dev/console is not (tty_hung_up).
    atomic_fetch_add_explicit(&t->hangups, 1, memory_order_release);
    tty_input_changed(t);
    tty_output_ready(t);
}

// TIOCNOTTY: only a leader lets go for its session; in other processes it changes nothing beyond the check.
inv_status_t tty_give_up_controlling(struct tty *t) {
    if (!is_controlling(t))
        return INV_ERR_NOT_TTY;
    if (!tty_job_ops->current_is_session_leader())
        return INV_OK;
    int group = atomic_exchange(&t->foreground, 0);
    atomic_store(&t->session, 0);
    if (group > 0) {
        tty_job_ops->signal_group(group, TTY_SIGHUP);
        tty_job_ops->signal_group(group, TTY_SIGCONT);
    }
    tty_job_ops->set_session_terminal(NULL);
    return INV_OK;
}

inv_status_t tty_get_foreground(struct tty *t, int *out) {
    if (!is_controlling(t))
        return INV_ERR_NOT_TTY;
    *out = atomic_load(&t->foreground);
    return INV_OK;
}

inv_status_t tty_set_foreground(struct tty *t, int group) {
    if (!is_controlling(t) || atomic_load(&t->session) != tty_job_ops->current_session())
        return INV_ERR_NOT_TTY;
    if (group < 0)
        return INV_ERR_INVALID;
    if (!tty_job_ops->group_exists(group))
        return INV_ERR_NO_PROCESS;
    if (!tty_job_ops->group_in_session(group, tty_job_ops->current_session()))
        return INV_ERR_NOT_PERMITTED;
    atomic_store(&t->foreground, group);
    return INV_OK;
}

inv_status_t tty_get_session(struct tty *t, int *out) {
    int session = atomic_load(&t->session);

    if (!is_controlling(t) || session == 0)
        return INV_ERR_NOT_TTY;
    *out = session;
    return INV_OK;
}
