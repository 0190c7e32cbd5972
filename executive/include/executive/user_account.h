// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What each real user has of things that only a sum over all of the user's processes can bound: pages of pipes, watches of epoll (executive/vfs/user_account.c).
#ifndef EXECUTIVE_USER_ACCOUNT_H
#define EXECUTIVE_USER_ACCOUNT_H

#include <kernel/types.h>

struct user_account {
    struct user_account *next; // the table's lock
    uint32_t uid;              // immutable
    uint32_t count;            // the table's lock
    /* atomic: */
    _Atomic uint64_t pipe_pages, epoll_watches;
};
// The account of the current thread's real user, counted: it is there as long as something is charged to it. NULL: no memory. Thread context.
struct user_account *user_account_get(void);
void user_account_put(struct user_account *a);

#endif
