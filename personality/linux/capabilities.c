// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Capabilities: capget, capset, the bounding and ambient sets and securebits (which prctl decodes), and what exec makes of an identity. Context: system call.
#include "credentials.h"
#include "exec.h"
#include "process.h"

#include <arch/usercopy.h>
#include <executive/xattr.h>

#define CAPABILITIES_ALL ((1ull << (CAP_LAST + 1)) - 1)

static int64_t token_copy(struct token **out) {
    return linux_result(token_clone(linux_token(), linux_job(), out));
}

// --- capget, capset ---

struct capability_header {
    uint32_t version;
    int32_t pid;
};
#define CAPABILITY_V1 0x19980330u
#define CAPABILITY_V2 0x20071026u
#define CAPABILITY_V3 0x20080522u

// Words of each set by version; EINVAL: unknown, and the version preferred is written back.
static int64_t version_get(uint64_t user, unsigned *words) {
    uint32_t version;

    if (arch_user_load32((const uint32_t user_ptr *)user, &version) != INV_OK)
        return -LINUX_EFAULT;
    *words = version == CAPABILITY_V1 ? 1 : 2;
    if (version == CAPABILITY_V1 || version == CAPABILITY_V2 || version == CAPABILITY_V3)
        return 0;
    return arch_user_store32((uint32_t user_ptr *)user, CAPABILITY_V3) == INV_OK ? -LINUX_EINVAL : -LINUX_EFAULT;
}

static int64_t pid_get(uint64_t user, int *out) {
    user += offsetof(struct capability_header, pid);
    return arch_user_load32((const uint32_t user_ptr *)user, (uint32_t *)out) == INV_OK ? 0 : -LINUX_EFAULT;
}

struct capability_sets {
    uint64_t effective, permitted, inheritable;
};

// Of a thread, or of a process that has ended.
static int64_t sets_of(int tid, struct capability_sets *out) {
    const struct token *found = NULL;

    if (tid == 0)
        tid = linux_current()->pid->number;
    spin_lock(&linux_tree_lock);
    const struct linux_thread *t = linux_thread_find_locked(tid);
    struct linux_process *p = t != NULL ? t->process : linux_process_find_locked(tid);
    if (p != NULL) {
        irq_flags_t flags = spin_lock_irq(&p->lock);
        found = t != NULL ? t->token : p->token;
        *out = (struct capability_sets){found->cap_effective, found->cap_permitted, found->cap_inheritable};
        spin_unlock_irq(&p->lock, flags);
    }
    spin_unlock(&linux_tree_lock);
    return found != NULL ? 0 : -LINUX_ESRCH;
}

int64_t linux_capget(struct arch_frame *f) {
    struct capability_sets sets;
    uint32_t data[2][3];
    unsigned words;
    int pid;
    int64_t result = version_get(LINUX_ARG(f, 0), &words);

    if (LINUX_ARG(f, 1) == 0 && result != -LINUX_EFAULT)
        return 0; // only the version was asked for
    if (result == 0)
        result = pid_get(LINUX_ARG(f, 0), &pid);
    if (result == 0)
        result = pid < 0 ? -LINUX_EINVAL : sets_of(pid, &sets);
    if (result != 0)
        return result;
    for (unsigned i = 0; i < 2; i++) {
        data[i][0] = (uint32_t)(sets.effective >> (32 * i));
        data[i][1] = (uint32_t)(sets.permitted >> (32 * i));
        data[i][2] = (uint32_t)(sets.inheritable >> (32 * i));
    }
    return arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 1), data, words * sizeof(data[0])) == INV_OK ? 0
                                                                                                        : -LINUX_EFAULT;
}

int64_t linux_capset(struct arch_frame *f) {
    uint32_t data[2][3] = {{0}};
    unsigned words;
    struct token *t;
    int pid;
    int64_t result = version_get(LINUX_ARG(f, 0), &words);

    if (result == 0)
        result = pid_get(LINUX_ARG(f, 0), &pid);
    if (result != 0)
        return result;
    if (pid != 0 && pid != linux_current()->pid->number)
        return -LINUX_EPERM;
    if (arch_copy_from_user(data, (const void user_ptr *)LINUX_ARG(f, 1), words * sizeof(data[0])) != INV_OK)
        return -LINUX_EFAULT;
    uint64_t effective = ((uint64_t)data[1][0] << 32 | data[0][0]) & CAPABILITIES_ALL;
    uint64_t permitted = ((uint64_t)data[1][1] << 32 | data[0][1]) & CAPABILITIES_ALL;
    uint64_t inheritable = ((uint64_t)data[1][2] << 32 | data[0][2]) & CAPABILITIES_ALL;
    const struct token *me = linux_token();
    bool may_inherit = token_capable(me, CAP_SETPCAP) || !(inheritable & ~(me->cap_inheritable | me->cap_permitted));
    if (!may_inherit || (inheritable & ~(me->cap_inheritable | me->cap_bounding)) || (permitted & ~me->cap_permitted) ||
        (effective & ~permitted))
        return -LINUX_EPERM;
    result = token_copy(&t);
    if (result != 0)
        return result;
    t->cap_effective = effective;
    t->cap_permitted = permitted;
    t->cap_inheritable = inheritable;
    t->cap_ambient &= permitted & inheritable;
    linux_token_install(t);
    return 0;
}

// --- sets and bits that prctl changes ---

int64_t linux_capability_bound_read(uint64_t cap) {
    return cap > CAP_LAST ? -LINUX_EINVAL : (int64_t)(linux_token()->cap_bounding >> cap & 1);
}

int64_t linux_capability_bound_drop(uint64_t cap) {
    struct token *t;

    if (!token_capable(linux_token(), CAP_SETPCAP))
        return -LINUX_EPERM;
    if (cap > CAP_LAST)
        return -LINUX_EINVAL;
    int64_t result = token_copy(&t);
    if (result != 0)
        return result;
    t->cap_bounding &= ~(1ull << cap);
    linux_token_install(t);
    return 0;
}

int64_t linux_capability_ambient(uint64_t what, uint64_t cap) {
    enum { IS_SET = 1, RAISE, LOWER, CLEAR_ALL };
    const struct token *me = linux_token();
    struct token *t;

    if (what == CLEAR_ALL ? cap != 0 : cap > CAP_LAST || what < IS_SET || what > LOWER)
        return -LINUX_EINVAL;
    if (what == IS_SET)
        return (int64_t)(me->cap_ambient >> cap & 1);
    if (what == RAISE &&
        (!((me->cap_permitted & me->cap_inheritable) >> cap & 1) || (me->securebits & SECURE_NO_CAP_AMBIENT_RAISE)))
        return -LINUX_EPERM;
    int64_t result = token_copy(&t);
    if (result != 0)
        return result;
    if (what == CLEAR_ALL)
        t->cap_ambient = 0;
    else
        t->cap_ambient = what == RAISE ? t->cap_ambient | 1ull << cap : t->cap_ambient & ~(1ull << cap);
    linux_token_install(t);
    return 0;
}

static int64_t securebits_store(uint32_t bits) {
    struct token *t;
    int64_t result = token_copy(&t);

    if (result != 0)
        return result;
    t->securebits = bits;
    linux_token_install(t);
    return 0;
}

int64_t linux_securebits_set(uint64_t bits) {
    uint64_t old = linux_token()->securebits, locks = old & SECURE_ALL_LOCKS;

    // What is locked does not change, locks stay.
    if ((locks >> 1 & (old ^ bits)) || (locks & ~bits) || (bits & ~(uint64_t)(SECURE_ALL_BITS | SECURE_ALL_LOCKS)) ||
        !token_capable(linux_token(), CAP_SETPCAP))
        return -LINUX_EPERM;
    return securebits_store((uint32_t)bits);
}

int64_t linux_keep_capabilities(bool keep) {
    uint32_t old = linux_token()->securebits;

    if (old & SECURE_KEEP_CAPS_LOCKED)
        return -LINUX_EPERM;
    return securebits_store(keep ? old | SECURE_KEEP_CAPS : old & ~SECURE_KEEP_CAPS);
}

int64_t linux_no_new_privileges(void) {
    struct token *t;
    int64_t result = token_copy(&t);

    if (result != 0)
        return result;
    t->no_new_privs = true;
    linux_token_install(t);
    return 0;
}

// --- exec ---

// The identity that the file's set-id bits give. True: it has some that count.
static bool identity_of_file(struct file *file, struct token *t) {
    struct inode *inode = file->inode;
    bool counts = false;

    if (t->no_new_privs || (vfs_path_mount_flags(&file->path) & MOUNT_NOSUID))
        return false;
    mutex_lock(&inode->lock);
    if (inode->mode & MODE_SETUID) {
        t->euid = inode->uid;
        counts = true;
    }
    if ((inode->mode & (MODE_SETGID | 0010)) == (MODE_SETGID | 0010)) {
        t->egid = inode->gid;
        counts = true;
    }
    mutex_unlock(&inode->lock);
    return counts;
}

// The permitted set that the file's own capabilities give; none otherwise. EPERM: the file demands some that the bounding set withholds.
static bool capabilities_of_file(struct file *file, struct token *t, bool *out_effective, int64_t *out_result) {
    struct file_capabilities c;

    t->cap_permitted = 0;
    if ((vfs_path_mount_flags(&file->path) & MOUNT_NOSUID) || !inode_file_capabilities(file->inode, &c) ||
        c.root_user != 0)
        return false;
    t->cap_permitted = (t->cap_bounding & c.permitted) | (t->cap_inheritable & c.inheritable);
    *out_effective = c.effective;
    if (c.effective && (c.permitted & ~t->cap_permitted))
        *out_result = -LINUX_EPERM;
    return true;
}

int64_t linux_exec_token(struct file *file, struct token *old, bool unsafe, struct job *job,
                         struct exec_identity *out) {
    struct token *t;
    int64_t result = linux_result(token_clone(old, job, &t));

    if (result != 0)
        return result;
    out->clears_personality = identity_of_file(file, t);
    // capabilities(7), "Transformation of capabilities during execve()".
    bool effective = false, has_own = capabilities_of_file(file, t, &effective, &result);
    if (result != 0) {
        object_put(&t->obj);
        return result;
    }
    if (!(t->securebits & SECURE_NOROOT) && (t->euid == 0 || t->uid == 0) && !(has_own && t->uid != 0)) {
        t->cap_permitted = old->cap_bounding | old->cap_inheritable;
        effective = effective || t->euid == 0;
    }
    bool gained = (t->cap_permitted & ~old->cap_permitted) != 0;
    bool set_id = t->euid != old->uid || t->egid != old->gid;
    if ((set_id || gained) && (unsafe || t->no_new_privs)) { // no more than it had
        if (!token_capable(old, CAP_SETUID) || t->no_new_privs) {
            t->euid = t->uid;
            t->egid = t->gid;
        }
        t->cap_permitted &= old->cap_permitted;
    }
    out->clears_personality = out->clears_personality || gained;
    t->suid = t->fsuid = t->euid;
    t->sgid = t->fsgid = t->egid;
    if (set_id || has_own)
        t->cap_ambient = 0;
    t->cap_permitted |= t->cap_ambient;
    t->cap_effective = effective ? t->cap_permitted : t->cap_ambient;
    t->securebits &= ~SECURE_KEEP_CAPS;
    out->secure = set_id || (t->uid != 0 && (effective || (t->cap_permitted & ~t->cap_ambient) != 0));
    out->token = t;
    return 0;
}
