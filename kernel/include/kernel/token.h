// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Tokens: who somebody is, for both kinds of check (object security descriptors and the Linux personality). Immutable once shared: a change makes a
// new token, so that readers need no lock.
#ifndef KERNEL_TOKEN_H
#define KERNEL_TOKEN_H

#include <kernel/object.h>

#define TOKEN_MAX_GROUPS 65536

// Supplementary groups, ascending; shared by the tokens that were cloned from one, immutable once a token has them.
struct token_groups {
    _Atomic uint32_t count; // tokens
    uint32_t number;
    struct job *job; // charged; counted
    uint32_t ids[];
};

struct token {
    struct object obj;
    uint32_t uid, euid, suid, fsuid;
    uint32_t gid, egid, sgid, fsgid;
    uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient; // bit n: capability n of Linux
    uint32_t securebits;
    bool no_new_privs;
    struct token_groups *groups; // NULL: none. Counted
};
extern struct object_type token_type;
void token_init_boot(void);      // after object_init_boot
extern struct token *token_root; // uid 0, all capabilities
// A writable copy with one pointer, to be changed before it is shared. NO_MEMORY, QUOTA.
must_check inv_status_t token_clone(const struct token *from, struct job *job, struct token **out);
// Groups for one token, charged to job; the caller fills ids. NO_MEMORY, QUOTA. number is at most TOKEN_MAX_GROUPS.
must_check inv_status_t token_groups_create(struct job *job, uint32_t number, struct token_groups **out);
void token_groups_put(struct token_groups *g); // NULL: nothing. May sleep
// Sorts g and gives it, with its count, to a token that is not shared yet.
void token_set_groups(struct token *t, struct token_groups *g);
static inline uint32_t token_group_count(const struct token *t) {
    return t->groups != NULL ? t->groups->number : 0;
}
bool token_in_group(const struct token *t, uint32_t gid); // fsgid or a supplementary group
static inline bool token_capable(const struct token *t, unsigned cap) {
    return (t->cap_effective >> cap) & 1;
}
#define CAP_CHOWN           0
#define CAP_DAC_OVERRIDE    1
#define CAP_DAC_READ_SEARCH 2
#define CAP_FOWNER          3
#define CAP_FSETID          4
#define CAP_KILL            5
#define CAP_SETGID          6
#define CAP_SETUID          7
#define CAP_SETPCAP         8
#define CAP_NET_ADMIN       12
#define CAP_SYS_CHROOT      18
#define CAP_SYS_PTRACE      19
#define CAP_SYS_ADMIN       21
#define CAP_SYS_BOOT        22
#define CAP_SYS_NICE        23
#define CAP_SYS_RESOURCE    24
#define CAP_SYS_TIME        25
#define CAP_SYS_TTY_CONFIG  26
#define CAP_MKNOD           27
#define CAP_SETFCAP         31
#define CAP_SYSLOG          34
#define CAP_WAKE_ALARM      35
#define CAP_BLOCK_SUSPEND   36
#define CAP_CHECKPOINT      40 // CAP_CHECKPOINT_RESTORE
#define CAP_LAST            40

#endif
