// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// User and group identities: the calls that read and change them, and who may signal or inspect whom. Capabilities stand in capabilities.c.
//
// A token never changes once it is shared: every call makes a copy, changes it, and puts it in the place of the old one. Others look at a thread's token
// under its process's lock.
#include "credentials.h"
#include "process.h"

#include <arch/usercopy.h>

#define ID_NONE UINT32_MAX // -1: leave it
// What an unprivileged fsuid takes away from the effective set.
#define CAPABILITIES_FS                                                                               \
    (1ull << CAP_CHOWN | 1ull << CAP_MKNOD | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH | \
     1ull << CAP_FOWNER | 1ull << CAP_FSETID | 1ull << 9 | 1ull << 32)

void linux_token_install(struct token *token) {
    struct linux_thread *t = linux_current();
    struct linux_process *p = t->process;
    struct token *old = t->token, *old_process = NULL;
    irq_flags_t flags = spin_lock_irq(&p->lock);

    t->token = token;
    if (t->pid == p->pid) {
        old_process = p->token;
        p->token = token;
        object_get(&token->obj);
    }
    spin_unlock_irq(&p->lock, flags);
    object_put(&old->obj);
    if (old_process != NULL)
        object_put(&old_process->obj);
}

static int64_t token_copy(struct token **out) {
    return linux_result(token_clone(linux_token(), linux_job(), out));
}

// Identity changes drop or return capabilities (capabilities(7), "Effect of user ID changes on capabilities").
static void capabilities_fix(struct token *t, const struct token *old) {
    bool had_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
    bool has_root = t->uid == 0 || t->euid == 0 || t->suid == 0;

    if (t->securebits & SECURE_NO_SETUID_FIXUP)
        return;
    if (had_root && !has_root) {
        if (!(t->securebits & SECURE_KEEP_CAPS)) {
            t->cap_permitted = 0;
            t->cap_effective = 0;
        }
        t->cap_ambient =
            0; // even if the others are kept: a program that knows nothing of these expects exec to drop all
    }
    if (old->euid == 0 && t->euid != 0)
        t->cap_effective = 0;
    if (old->euid != 0 && t->euid == 0)
        t->cap_effective = t->cap_permitted;
}

static int64_t ids_commit(struct token *t) {
    const struct token *old = linux_token();
    int64_t result = t->uid != old->uid ? linux_user_change(t->uid) : 0;

    if (result != 0) {
        object_put(&t->obj);
        return result;
    }
    capabilities_fix(t, old);
    linux_token_commit(t);
    return 0;
}

void linux_token_commit(struct token *t) {
    const struct token *old = linux_token();

    if (t->euid != old->euid || t->egid != old->egid || t->fsuid != old->fsuid || t->fsgid != old->fsgid ||
        (t->cap_permitted & ~old->cap_permitted)) {
        atomic_store(&linux_current_process()->dumpable, 0);
        linux_current()->parent_death_signal = 0;
    }
    linux_token_install(t);
}

static int64_t refuse(struct token *t) {
    object_put(&t->obj);
    return -LINUX_EPERM;
}

// The identities of one kind in a token, users or groups, which the calls change by the same rules.
struct id_set {
    uint32_t *real, *effective, *saved, *fs;
    unsigned capability; // exempts from the rules
};
typedef struct id_set (*ids_of_fn)(struct token *t);

static struct id_set users_of(struct token *t) {
    return (struct id_set){&t->uid, &t->euid, &t->suid, &t->fsuid, CAP_SETUID};
}
static struct id_set groups_of(struct token *t) {
    return (struct id_set){&t->gid, &t->egid, &t->sgid, &t->fsgid, CAP_SETGID};
}

static bool one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c) {
    return id == ID_NONE || id == a || id == b || id == c;
}

// setuid, setgid: all three with the capability, else the effective one.
static int64_t set_one(struct arch_frame *f, ids_of_fn ids_of) {
    uint32_t id = (uint32_t)LINUX_ARG(f, 0);
    struct token *t;

    if (id == ID_NONE)
        return -LINUX_EINVAL;
    int64_t result = token_copy(&t);
    if (result != 0)
        return result;
    struct id_set ids = ids_of(t);
    if (token_capable(t, ids.capability))
        *ids.real = *ids.saved = id;
    else if (id != *ids.real && id != *ids.saved)
        return refuse(t);
    *ids.effective = *ids.fs = id;
    return ids_commit(t);
}

// setreuid, setregid: the saved one follows when the real one is set, or the effective one to something new.
static int64_t set_real_effective(struct arch_frame *f, ids_of_fn ids_of) {
    uint32_t r = (uint32_t)LINUX_ARG(f, 0), e = (uint32_t)LINUX_ARG(f, 1);
    struct token *t;
    int64_t result = token_copy(&t);

    if (result != 0)
        return result;
    struct id_set ids = ids_of(t);
    uint32_t real = *ids.real, effective = *ids.effective;
    if (!token_capable(t, ids.capability) &&
        !(one_of(r, real, effective, real) && one_of(e, real, effective, *ids.saved)))
        return refuse(t);
    if (r != ID_NONE)
        *ids.real = r;
    if (e != ID_NONE)
        *ids.effective = e;
    if (r != ID_NONE || (e != ID_NONE && e != real))
        *ids.saved = *ids.effective;
    *ids.fs = *ids.effective;
    return ids_commit(t);
}

// setresuid, setresgid: each as given.
static int64_t set_all(struct arch_frame *f, ids_of_fn ids_of) {
    uint32_t r = (uint32_t)LINUX_ARG(f, 0), e = (uint32_t)LINUX_ARG(f, 1), s = (uint32_t)LINUX_ARG(f, 2);
    struct token *t;
    int64_t result = token_copy(&t);

    if (result != 0)
        return result;
    struct id_set ids = ids_of(t);
    uint32_t real = *ids.real, effective = *ids.effective, saved = *ids.saved;
    if (!token_capable(t, ids.capability) &&
        !(one_of(r, real, effective, saved) && one_of(e, real, effective, saved) && one_of(s, real, effective, saved)))
        return refuse(t);
    if (r != ID_NONE)
        *ids.real = r;
    if (e != ID_NONE)
        *ids.effective = e;
    if (s != ID_NONE)
        *ids.saved = s;
    *ids.fs = *ids.effective;
    return ids_commit(t);
}

int64_t linux_setuid(struct arch_frame *f) {
    return set_one(f, users_of);
}
int64_t linux_setgid(struct arch_frame *f) {
    return set_one(f, groups_of);
}
int64_t linux_setreuid(struct arch_frame *f) {
    return set_real_effective(f, users_of);
}
int64_t linux_setregid(struct arch_frame *f) {
    return set_real_effective(f, groups_of);
}
int64_t linux_setresuid(struct arch_frame *f) {
    return set_all(f, users_of);
}
int64_t linux_setresgid(struct arch_frame *f) {
    return set_all(f, groups_of);
}

// setfsuid and setfsgid return the old value and no error.
int64_t linux_setfsuid(struct arch_frame *f) {
    uint32_t id = (uint32_t)LINUX_ARG(f, 0), old = linux_token()->fsuid;
    struct token *t;

    if (id == ID_NONE || id == old || token_copy(&t) != 0)
        return old;
    if (!token_capable(t, CAP_SETUID) && !one_of(id, t->uid, t->euid, t->suid)) {
        (void)refuse(t);
        return old;
    }
    t->fsuid = id;
    bool fixup = !(t->securebits & SECURE_NO_SETUID_FIXUP);
    if (fixup && old == 0 && id != 0)
        t->cap_effective &= ~CAPABILITIES_FS;
    if (fixup && old != 0 && id == 0)
        t->cap_effective |= t->cap_permitted & CAPABILITIES_FS;
    (void)ids_commit(t);
    return old;
}

int64_t linux_setfsgid(struct arch_frame *f) {
    uint32_t id = (uint32_t)LINUX_ARG(f, 0), old = linux_token()->fsgid;
    struct token *t;

    if (id == ID_NONE || id == old || token_copy(&t) != 0)
        return old;
    if (!token_capable(t, CAP_SETGID) && !one_of(id, t->gid, t->egid, t->sgid)) {
        (void)refuse(t);
        return old;
    }
    t->fsgid = id;
    (void)ids_commit(t);
    return old;
}

int64_t linux_getuid(struct arch_frame *f) {
    return linux_token()->uid;
}
int64_t linux_geteuid(struct arch_frame *f) {
    return linux_token()->euid;
}
int64_t linux_getgid(struct arch_frame *f) {
    return linux_token()->gid;
}
int64_t linux_getegid(struct arch_frame *f) {
    return linux_token()->egid;
}

static int64_t three_store(struct arch_frame *f, uint32_t a, uint32_t b, uint32_t c) {
    if (arch_user_store32((uint32_t user_ptr *)LINUX_ARG(f, 0), a) != INV_OK ||
        arch_user_store32((uint32_t user_ptr *)LINUX_ARG(f, 1), b) != INV_OK ||
        arch_user_store32((uint32_t user_ptr *)LINUX_ARG(f, 2), c) != INV_OK)
        return -LINUX_EFAULT;
    return 0;
}

int64_t linux_getresuid(struct arch_frame *f) {
    const struct token *t = linux_token();
    return three_store(f, t->uid, t->euid, t->suid);
}

int64_t linux_getresgid(struct arch_frame *f) {
    const struct token *t = linux_token();
    return three_store(f, t->gid, t->egid, t->sgid);
}

int64_t linux_getgroups(struct arch_frame *f) {
    const struct token *t = linux_token();
    int size = (int)LINUX_ARG(f, 0);

    if (size < 0)
        return -LINUX_EINVAL;
    uint32_t n = token_group_count(t);
    if (size == 0)
        return n;
    if ((uint32_t)size < n)
        return -LINUX_EINVAL;
    if (n > 0 && arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 1), t->groups->ids, n * sizeof(uint32_t)) != INV_OK)
        return -LINUX_EFAULT;
    return n;
}

static int64_t groups_from_user(uint64_t user, uint32_t n, struct token_groups **out) {
    int64_t result = linux_result(token_groups_create(linux_job(), n, out));

    if (result != 0)
        return result;
    if (arch_copy_from_user((*out)->ids, (const void user_ptr *)user, n * sizeof(uint32_t)) != INV_OK)
        result = -LINUX_EFAULT;
    for (uint32_t i = 0; result == 0 && i < n; i++)
        if ((*out)->ids[i] == ID_NONE)
            result = -LINUX_EINVAL;
    if (result != 0)
        token_groups_put(*out);
    return result;
}

int64_t linux_setgroups(struct arch_frame *f) {
    uint32_t n = (uint32_t)LINUX_ARG(f, 0);
    struct token_groups *groups;
    struct token *t;

    if (!token_capable(linux_token(), CAP_SETGID))
        return -LINUX_EPERM;
    if (n > TOKEN_MAX_GROUPS)
        return -LINUX_EINVAL;
    int64_t result = groups_from_user(LINUX_ARG(f, 1), n, &groups);
    if (result != 0)
        return result;
    result = token_copy(&t);
    if (result != 0) {
        token_groups_put(groups);
        return result;
    }
    token_set_groups(t, groups);
    linux_token_install(t);
    return 0;
}

// --- who may do what to whom ---

bool linux_may_signal(const struct token *sender, const struct token *target) {
    return sender->euid == target->suid || sender->euid == target->uid || sender->uid == target->suid ||
           sender->uid == target->uid || token_capable(sender, CAP_KILL);
}

// ptrace(2), "Ptrace access mode checking", by the ids given.
static bool may_access(struct linux_process *p, uint32_t uid, uint32_t gid) {
    const struct token *me = linux_token();
    bool same, allowed;

    if (p == linux_current_process())
        return true;
    irq_flags_t flags = spin_lock_irq(&p->lock);
    const struct token *t = p->token;
    same = uid == t->uid && uid == t->euid && uid == t->suid && gid == t->gid && gid == t->egid && gid == t->sgid;
    allowed = same && !(t->cap_permitted & ~me->cap_permitted) && atomic_load(&p->dumpable) == 1;
    spin_unlock_irq(&p->lock, flags);
    return allowed || token_capable(me, CAP_SYS_PTRACE);
}

bool linux_may_inspect(struct linux_process *p) {
    return may_access(p, linux_token()->fsuid, linux_token()->fsgid);
}

bool linux_may_attach(struct linux_process *p) {
    return may_access(p, linux_token()->uid, linux_token()->gid);
}
