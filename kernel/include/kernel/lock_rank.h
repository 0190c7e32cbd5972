// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The order of all locks of the machine, outermost first: a thread may only take locks of a higher rank than all that it holds (equal ranks only where a
// comment says in which order). Debug builds check it at every acquisition, by name.
#ifndef KERNEL_LOCK_RANK_H
#define KERNEL_LOCK_RANK_H

#define LOCK_RANK_LIST(X)                                                                            \
    /* sleeping locks (struct mutex) */                                                              \
    X(VFS_FILE_POS)     /* any operation of a file, of /proc too, runs under it */                   \
    X(PERSONALITY_TREE) /* personality: process tree, sessions, groups */                            \
    X(PERSONALITY)      /* personality: one process's own state */                                   \
    X(EPOLL_NEST)       /* executive/event: one epoll is put into another */                         \
    X(EPOLL)            /* files of one epoll; the watching one before the watched */                \
    X(VFS_RENAME)       /* executive/vfs: whole-tree renames */                                      \
    X(VFS_MOUNT)                                                                                     \
    X(TTY)            /* executive/tty: one terminal */                                              \
    X(VFS_DIR)        /* directory inode; parent before child, else by address */                    \
    X(VFS_INODE)      /* non-directory inode */                                                      \
    X(PIPE)           /* user copies happen under it: before ASPACE */                               \
    X(SOCKET_RECEIVE) /* one reader of a socket at a time; user copies happen under it */            \
    X(SOCKET_FLIGHT)  /* which sockets are under way in messages */                                  \
    X(FUTEX_PI)                                                                                      \
    X(IPC_TABLE) /* personality: identifiers of one kind of IPC objects */                           \
    X(IPC)       /* personality: one IPC object */                                                   \
    X(PROCESS)   /* kernel/process: threads and handles of a process */                              \
    X(VMO_UNMAP) /* one at a time unmaps a range of an object everywhere (kernel/vm/vmo_unmap.c) */  \
    X(ASPACE)    /* mappings and page tables of one address space; two at fork: parent then child */ \
    X(VMO)       /* page slots; by address when two (clone) */                                       \
    X(KSPACE)                                                                                        \
    X(HANDLE_GROW) /* one table of handles grows */                                                  \
    /* spin locks */                                                                                 \
    X(SPIN_FIRST)                                                                                    \
    X(VMO_MAPPINGS) /* who maps an object */                                                         \
    X(IRQ)          /* one interrupt line: held while its handlers run */                            \
    X(VFS_DCACHE)                                                                                    \
    X(VFS_SPIN)     /* fd tables, file lists, superblock lists */                                    \
    X(SOCKET_NAMES) /* executive/net: who is bound where */                                          \
    X(SOCKET)       /* two: a listener before who connects to it */                                  \
    X(SOCKET_LIST)  /* short lists of executive/net */                                               \
    X(DEVICE)       /* serial, virtio and other drivers */                                           \
    X(TTY_INPUT)                                                                                     \
    X(PERSONALITY_SPIN) /* personality: process tree, sessions, groups, pids */                      \
    X(SIGNAL)           /* pending signals of a process */                                           \
    X(SIGNAL_ACTION)    /* personality: signal actions, shared by CLONE_SIGHAND */                   \
    X(FUTEX_BUCKET)                                                                                  \
    X(WALL_WATCH)    /* executive/event: who is told when the wall clock is set */                   \
    X(EVENT)         /* executive/event: one timer's file */                                         \
    X(FUTEX_OWNER)   /* owners and waiters of all priority-inheriting futexes */                     \
    X(HANDLE_RETIRE) /* which tables wait for an epoch */                                            \
    X(CHANNEL)       /* both queues of a channel */                                                  \
    X(SIGNALS)       /* what an object that can be waited for signals, and who observes it */        \
    X(ENDPOINT)      /* who waits at an endpoint, and what waits for it */                           \
    X(HANDLE_TABLE)                                                                                  \
    X(DIRECTORY_TREE) /* one directory is put into another */                                        \
    X(DIRECTORY)                                                                                     \
    X(OBJECT)                                                                                        \
    X(JOB)                                                                                           \
    X(EPOCH)                                                                                         \
    X(MUTEX_INTERNAL) /* inside struct mutex */                                                      \
    X(WAITQ)          /* also an epoll's ready list; several: the watched before the watching */     \
    X(THREAD)         /* state of one thread, before the run queue */                                \
    X(RUN_QUEUE)      /* two: by processor number */                                                 \
    X(TIMER_QUEUE)                                                                                   \
    X(SLAB)                                                                                          \
    X(PAGE_ALLOCATOR)                                                                                \
    X(CPU_CALL)                                                                                      \
    X(RANDOM)                                                                                        \
    X(TRACE)                                                                                         \
    X(LOG)                                                                                           \
    X(CONSOLE)

enum lock_rank {
#define LOCK_RANK_ENUM(name) LOCK_RANK_##name,
    LOCK_RANK_LIST(LOCK_RANK_ENUM)
#undef LOCK_RANK_ENUM
        LOCK_RANK_COUNT
};

// Called by the lock implementations; real in debug builds (kernel/sync/lock_debug.c), empty otherwise (kernel/sync/lock_debug_off.c is not needed: macros).
#ifdef CONFIG_DEBUG
void lock_debug_acquire(const void *lock, enum lock_rank rank, const void *at, _Bool spinning);
void lock_debug_release(const void *lock, enum lock_rank rank);
void lock_debug_may_sleep(const char *file,
                          int line); // panics with the spin locks held if this thread may not sleep here
#define might_sleep() lock_debug_may_sleep(__FILE__, __LINE__)
#else
#define lock_debug_acquire(lock, rank, at, spinning) ((void)0)
#define lock_debug_release(lock, rank)               ((void)0)
#define might_sleep()                                ((void)0)
#endif

#endif
