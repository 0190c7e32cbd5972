// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Files: names, inodes, mounts, open files and descriptor tables (executive/vfs). File systems stand behind struct fs_ops, inode_ops and file_ops; the first is tmpfs.
// The personality decodes calls, maps status to errno and calls the functions at the end.
#ifndef EXECUTIVE_VFS_H
#define EXECUTIVE_VFS_H

#include <executive/async.h>
#include <kernel/aspace.h>
#include <kernel/epoch.h>
#include <kernel/list.h>
#include <kernel/mutex.h>
#include <kernel/token.h>
#include <kernel/vmo.h>
#include <kernel/wait.h>

struct inode;
struct dentry;
struct mount;
struct superblock;
struct file;

// File types and modes are those of Linux (octal, S_IFMT ...), as the field's standard.
#define MODE_FMT       0170000
#define MODE_SOCKET    0140000
#define MODE_SYMLINK   0120000
#define MODE_REGULAR   0100000
#define MODE_BLOCK     0060000
#define MODE_DIRECTORY 0040000
#define MODE_CHARACTER 0020000
#define MODE_FIFO      0010000
#define MODE_SETUID    04000
#define MODE_SETGID    02000
#define MODE_STICKY    01000

#define NAME_MAX_BYTES       255
#define PATH_MAX_BYTES       4096
#define SYMLINK_MAX_FOLLOWED 40

typedef uint64_t devno_t; // major << 32 | minor
#define DEVNO(major, minor) ((devno_t)(major) << 32 | (uint32_t)(minor))

struct timestamp {
    int64_t seconds;
    uint32_t nanoseconds;
};

// What stat tells.
struct inode_stat {
    devno_t device, rdev;
    uint64_t ino, size, blocks; // blocks of 512 bytes
    uint32_t mode, nlink, uid, gid, block_size;
    struct timestamp atime, mtime, ctime, btime;
};

#define ATTR_MODE      (1u << 0)
#define ATTR_UID       (1u << 1)
#define ATTR_GID       (1u << 2)
#define ATTR_SIZE      (1u << 3)
#define ATTR_ATIME     (1u << 4)
#define ATTR_MTIME     (1u << 5)
#define ATTR_ATIME_NOW (1u << 6)
#define ATTR_MTIME_NOW (1u << 7)
#define ATTR_CHOWN     (1u << 8) // a chown call, also one that changes neither number: set-id bits fall
struct inode_attributes {
    uint32_t valid, mode, uid, gid;
    uint64_t size;
    struct timestamp atime, mtime;
};

struct path {
    struct mount *mount;
    struct dentry *dentry;
};
struct path_target { // of a magic link: counted
    struct path path;
};

// Context of all operations: thread, may sleep, the lock of the inode(s) concerned held where the line says [lock]. Names are not terminated: (name, length).
struct inode_ops {
    inv_status_t (*lookup)(struct inode *dir, const char *name, size_t length,
                           struct inode **out); // [lock] counted; NOT_FOUND
    inv_status_t (*create)(struct inode *dir, const char *name, size_t length, uint32_t mode, devno_t rdev,
                           struct token *who, struct inode **out); // [lock] regular, device, fifo, socket
    inv_status_t (*mkdir)(struct inode *dir, const char *name, size_t length, uint32_t mode, struct token *who,
                          struct inode **out); // [lock]
    inv_status_t (*symlink)(struct inode *dir, const char *name, size_t length, const char *target, struct token *who,
                            struct inode **out);                                                      // [lock]
    inv_status_t (*link)(struct inode *dir, const char *name, size_t length, struct inode *target);   // [lock both]
    inv_status_t (*unlink)(struct inode *dir, const char *name, size_t length, struct inode *target); // [lock both]
    inv_status_t (*rmdir)(struct inode *dir, const char *name, size_t length,
                          struct inode *target); // [lock both] NOT_EMPTY
    inv_status_t (*rename)(struct inode *old_dir, const char *old_name, size_t old_length, struct inode *source,
                           struct inode *new_dir, const char *new_name, size_t new_length, struct inode *replaced,
                           bool exchange); // [lock all]
    // A rename that leaves whiteout, made by create_whiteout and taken over on success, in the old place. NULL: INVALID. [lock all]
    inv_status_t (*rename_whiteout)(struct inode *old_dir, const char *old_name, size_t old_length,
                                    struct inode *source, struct inode *new_dir, const char *new_name,
                                    size_t new_length, struct inode *replaced, struct inode *whiteout);
    inv_status_t (*create_whiteout)(struct inode *dir, struct token *who, struct inode **out); // [lock]
    inv_status_t (*tmpfile)(struct inode *dir, uint32_t mode, struct token *who,
                            struct inode **out);                                                 // [lock] O_TMPFILE
    inv_status_t (*readlink)(struct inode *link, char *buffer, size_t size, size_t *out_length); // not terminated
    inv_status_t (*follow)(struct inode *link, struct path_target *out);  // magic links of /proc; NULL: readlink
    inv_status_t (*getattr)(struct inode *inode, struct inode_stat *out); // NULL: from struct inode
    inv_status_t (*setattr)(
        struct inode *inode,
        const struct inode_attributes *
            a); // [lock] already permitted; what stands in struct inode is changed by vfs afterwards. NULL: no size, else fine
    inv_status_t (*permission)(struct inode *inode, struct token *who, unsigned want); // NULL: mode bits
    bool (*revalidate)(
        struct dentry *
            d); // of the PARENT's ops: is this name of it still right? May sleep. NULL: names never go stale (procfs has one)
};

struct dir_context; // getdents: executive/vfs/readdir.c
// Returns false when the buffer is full: the entry was not taken. offset: the position AFTER this entry. type: DT_* = mode >> 12.
typedef bool (*dir_emit_fn)(struct dir_context *c, const char *name, size_t length, uint64_t ino, uint8_t type,
                            uint64_t offset);
struct dir_context {
    dir_emit_fn emit;
    uint64_t position; // where to start: 0 is "."; the file system emits "." and ".." itself (vfs_emit_dots helps)
};

struct poll_set;
struct epoll_item;
// What a wake-up of a queue that can be polled carries as its key: the bits that became true (0: unknown, everybody looks).
#define POLL_IN     0x0001u
#define POLL_PRI    0x0002u
#define POLL_OUT    0x0004u
#define POLL_ERR    0x0008u
#define POLL_HUP    0x0010u
#define POLL_NVAL   0x0020u
#define POLL_RDNORM 0x0040u
#define POLL_RDBAND 0x0080u
#define POLL_WRNORM 0x0100u
#define POLL_WRBAND 0x0200u
#define POLL_RDHUP  0x2000u
// Key of the last wake of a queue that ends before the files that were polled on it: who stands on it must be off it when the wake returns, or has never
// heard of this key, because its own life keeps the queue. The queue's memory is freed through the epoch.
#define POLL_FREE 0x4000u

// Where read and write copy to or from: user memory or kernel memory, possibly in pieces.
struct io_vector {
    void *base; // user address if user is set
    size_t length;
};
struct io {
    struct io_vector *vectors;
    unsigned count, index; // next piece
    size_t offset;         // within vectors[index]
    size_t left;           // bytes in all
    bool user;
    bool append; // a write goes to the end, as with O_APPEND
};
// Copy n bytes (at most io->left) between kernel memory and the io and advance it; *done counts even when FAULT is returned.
inv_status_t io_to(struct io *io, const void *from, size_t n, size_t *out_done); // data read by the program
inv_status_t io_from(struct io *io, void *to, size_t n, size_t *out_done);       // data written by the program
inv_status_t io_zero(struct io *io, size_t n, size_t *out_done);
// The next piece of memory that is not empty and its length (io->left > 0), for copies that are done elsewhere; then how much of it was used.
void *io_piece(struct io *io, size_t *out_length);
void io_advance(struct io *io, size_t n);
void io_init_kernel(struct io *io, struct io_vector *v, void *base, size_t n);
void io_init_user(struct io *io, struct io_vector *v, void user_ptr *base, size_t n);

// Where a text about an open file goes (/proc/PID/fdinfo): the reader of the text makes one.
struct text_sink {
    void (*write)(struct text_sink *sink, const char *text, size_t length);
};
// At most 255 bytes a call; longer texts in several.
void text_sink_print(struct text_sink *sink, const char *format, ...) printf_like(2, 3);

struct file_ops {
    inv_status_t (*open)(struct inode *inode, struct file *file); // NULL: fine
    void (*release)(struct file *file);                           // last reference gone
    void (*flush)(struct file *file, const void *owner);          // each close of a descriptor
    // *position is the file's or pread's; for a stream file it is ignored. *out_done: bytes moved; OK with 0 is end of file. Nonblocking files: SHOULD_WAIT.
    // Interrupted waits before any byte moved: RESTART. Partial success is OK.
    inv_status_t (*read)(struct file *file, struct io *io, uint64_t *position, size_t *out_done);
    inv_status_t (*write)(struct file *file, struct io *io, uint64_t *position, size_t *out_done);
    inv_status_t (*seek)(struct file *file, int64_t offset, int whence, uint64_t *out_position); // NULL: NOT_SEEKABLE
    bool seek_ignored; // without seek: lseek succeeds and moves nothing, as event files have it
    inv_status_t (*readdir)(struct file *file, struct dir_context *c); // [inode lock]
    inv_status_t (*ioctl)(struct file *file, unsigned command, uint64_t argument,
                          int64_t *out_result); // NULL: NOT_TTY. argument is often a user address
    unsigned (*poll)(struct file *file,
                     struct poll_set *set); // registers with poll_add and returns the mask. NULL: always ready
    // For mmap: the VMO behind the file, counted. flags are adjusted (max_prot). NULL: NO_DEVICE.
    inv_status_t (*map)(struct file *file, bool shared, struct vmo **out);
    inv_status_t (*fsync)(struct file *file, bool data_only); // NULL: OK
    inv_status_t (*fallocate)(struct file *file, unsigned mode, uint64_t offset,
                              uint64_t length); // NULL: OP_NOT_SUPPORTED
    // Splicing: the page behind position, counted, that stays the file's (not written by who gets it), and where in it the data is. Length 0: the end. NULL:
    // data are copied by read.
    inv_status_t (*lend)(struct file *file, uint64_t position, struct page **out, unsigned *out_offset,
                         size_t *out_length);
    struct async_list *(*async)(struct file *file); // O_ASYNC: who is signalled of what happens here. NULL: nobody
    // The lines that this kind of file adds to its fdinfo, each with its end of line. May sleep; any thread. NULL: none.
    void (*show)(struct file *file, struct text_sink *sink);
};

struct inode {
    _Atomic uint32_t count;
    _Atomic uint32_t mode;         // written under lock (type bits immutable), read by walks without
    struct superblock *superblock; // immutable
    struct acl
        *_Atomic acl; // lock; read inside an epoch: who else may (executive/vfs/acl.c). NULL: the mode says it all
    uint64_t ino;
    const struct inode_ops *ops;
    const struct file_ops *file_ops;
    struct mutex lock; // rank VFS_DIR for directories, VFS_INODE else
    /* lock: */
    uint32_t nlink;
    _Atomic uint32_t uid, gid; // written under lock, read by walks without
    devno_t rdev;
    struct timestamp atime, mtime, ctime, btime;
    struct vmo *_Atomic
        vmo; // set once under lock, read without: file data of memory file systems and page cache; NULL until needed. Size: vmo->size
    _Atomic int32_t writers;        // > 0: open for writing; < 0: being executed (ETXTBSY)
    struct pipe *pipe;              // fifos in use
    void *data;                     // the file system's own
    struct list_node locks;         // record locks (executive/vfs/lock.c)
    struct list_node leases;        // executive/vfs/lease.c
    _Atomic uint32_t readers;       // open for reading alone: regular files
    _Atomic int32_t shared_writers; // shared mappings that may write; -1: sealed against them
    struct list_node superblock_node;
    struct job *job;                 // who is charged for it; counted, immutable
    struct xattr *xattrs;            // lock: extended attributes, newest first (executive/vfs/xattr.c)
    struct acl *_Atomic default_acl; // lock: of a directory, for what is made in it
    uint8_t write_hint;              // lock: F_SET_RW_HINT
    bool linkable;                   // lock: O_TMPFILE without O_EXCL: may be linked though nlink is 0
    struct epoch_node reclaim;
};

struct superblock {
    const struct fs_type *type;
    devno_t device; // st_dev: major 0, minor counted up
    struct dentry *root;
    _Atomic unsigned flags; // MOUNT_*; written under VFS_MOUNT
    uint32_t block_size;
    uint64_t magic;          // statfs f_type
    _Atomic uint32_t active; // mounts; at 0 nobody can reach it any more
    _Atomic uint32_t count;  // its names, and one while it is active; at 0 it goes
    struct epoch_node reclaim;
    _Atomic uint64_t next_ino;
    bool keeps_birth;     // its inodes know when they were made (statx); immutable
    uint64_t xattr_limit; // bytes of extended attributes in all; 0: keeps none. Immutable after mount
    _Atomic uint64_t xattr_used;
    void *data;
    char source[64];
    struct list_node mounts; // all of it (executive/vfs/mount.c)
};
struct fs_statistics {
    uint64_t magic, block_size, blocks, blocks_free, blocks_available, files, files_free, name_max;
};
struct fs_type {
    const char *name;
    bool needs_device; // /proc/filesystems: "nodev" if not
    bool uncached;     // names are forgotten when nobody uses them (their inodes would keep what they stand for)
    inv_status_t (*mount)(const struct fs_type *type, const char *source, unsigned flags, const char *options,
                          struct superblock *sb); // makes sb->root
    void (*unmount)(struct superblock *sb);
    void (*inode_delete)(struct inode *inode); // last reference and (nlink 0 or the name cache let go)
    inv_status_t (*statfs)(struct superblock *sb, struct fs_statistics *out);
    inv_status_t (*remount)(struct superblock *sb, unsigned flags, const char *options);
    void (*show_options)(struct superblock *sb, char *buffer, size_t size);
    // Would it take this option? NOT_FOUND (there is none), WRONG_TYPE (it takes no value), INVALID. NULL: it says so when all are there.
    inv_status_t (*check_option)(const char *key, const char *value);
    struct superblock *shared; // every mount shows this one tree (devtmpfs); NULL: each mount makes its own
    struct list_node node;
};
void fs_register(struct fs_type *type);
inv_status_t fs_takes_no_option(const char *key, const char *value);         // for check_option: NOT_FOUND
void fs_for_each(bool (*fn)(const struct fs_type *t, void *arg), void *arg); // for /proc/filesystems
// Makes type's one tree, which every mount of it shows from now on, and a mount of it that is in no tree: for files that calls of their own reach.
// *out_root is counted. NO_MEMORY. Boot.
must_check inv_status_t vfs_mount_apart(struct fs_type *type, struct path *out_root);
struct inode *inode_alloc(struct superblock *sb, uint32_t mode); // count 1, times now, nlink 1. NULL: no memory
void inode_get(struct inode *i);
void inode_put(struct inode *i);
struct dentry *dentry_make_root(
    struct inode *root); // takes over the inode's reference, also when it fails. NULL: no memory
struct inode *dentry_inode(const struct dentry *d); // NULL: a negative name. Lives as long as d is counted
struct inode *path_inode(const struct path *p);     // = dentry_inode(p->dentry)
struct timestamp timestamp_now(void);
void inode_stat_fill(struct inode *i, struct inode_stat *out); // what struct inode knows: for getattr of file systems
// For readdir: emits "." and ".." while c->position is 0 or 1; returns false when the buffer is full. file: the open directory.
bool vfs_emit_dots(struct file *file, struct dir_context *c);

#define MOUNT_READ_ONLY   (1u << 0) // numbers of Linux's MS_*
#define MOUNT_NOSUID      (1u << 1)
#define MOUNT_NODEV       (1u << 2)
#define MOUNT_NOEXEC      (1u << 3)
#define MOUNT_REMOUNT     (1u << 5)
#define MOUNT_NOSYMFOLLOW (1u << 8)
#define MOUNT_NOATIME     (1u << 10)
#define MOUNT_NODIRATIME  (1u << 11)
#define MOUNT_BIND        (1u << 12)
#define MOUNT_RELATIME    (1u << 21)
#define MOUNT_STRICTATIME (1u << 24) // of a call: without it access times are relative

// An open file description.
struct file {
    _Atomic uint32_t count;
    _Atomic uint32_t flags; // O_* of Linux: access mode and status flags
    const struct file_ops *ops;
    struct path path;           // counted; dentry may be unnamed (pipes: a pseudo file system)
    struct inode *inode;        // = path.dentry's inode, counted through it
    struct mutex position_lock; // rank VFS_FILE_POS
    uint64_t position;
    void *data;                              // the driver's own
    struct file_owner *_Atomic signal_owner; // F_SETOWN: set once, when there is one (executive/async.h)
    struct async_entry *async;               // O_ASYNC: the list's lock
    struct epoch_node reclaim;
    struct mapping_owner owner,
        writing_owner; // of file mappings, so that an address space can hold the file; of shared ones that may write
    _Atomic uint32_t holds;     // FILE_HOLDS_*: what the last put gives back (executive/vfs/file.c)
    struct job *job;            // charged; counted
    struct epoll_item *watches; // by which it is in epolls (executive/event/epoll.c, which has the lock)
};
#define FILE_HOLDS_WATCHED (1u << 31) // in holds: watches may not be NULL

#define O_ACCMODE_   3u
#define O_WRONLY_    01u
#define O_RDWR_      02u
#define O_CREAT_     0100u
#define O_EXCL_      0200u
#define O_NOCTTY_    0400u
#define O_TRUNC_     01000u
#define O_APPEND_    02000u
#define O_NONBLOCK_  04000u
#define O_DSYNC_     010000u
#define O_ASYNC_     020000u
#define O_DIRECT_    040000u
#define O_LARGEFILE_ 0100000u
#define O_DIRECTORY_ 0200000u
#define O_NOFOLLOW_  0400000u
#define O_NOATIME_   01000000u
#define O_CLOEXEC_   02000000u
#define O_SYNC_      04010000u
#define O_PATH_      010000000u
#define O_TMPFILE_   020200000u

static inline bool file_readable(const struct file *f) {
    return ((f->flags + 1) & 1) != 0 && !(f->flags & O_PATH_); // access mode 3 is neither
}
static inline bool file_writable(const struct file *f) {
    return ((f->flags + 1) & 2) != 0 && !(f->flags & O_PATH_);
}
static inline bool file_nonblocking(const struct file *f) {
    return (f->flags & O_NONBLOCK_) != 0;
}
static inline void file_get(struct file *f) {
    atomic_fetch_add_explicit(&f->count, 1, memory_order_relaxed);
}
void file_put(struct file *f); // may sleep
// A file without a name (pipes, memfd, pidfd, ...): label shows in /proc/PID/fd as "label:[ino]", or as it is if it ends with a bracket.
must_check inv_status_t file_create_anonymous(const char *label, const struct file_ops *ops, void *data, uint32_t flags,
                                              uint32_t mode, struct file **out);

// Descriptor tables: shared by threads (and CLONE_FILES), copied at fork. Lookups are lock-free under an epoch.
struct fd_table;
must_check inv_status_t fd_table_create(struct job *job, struct fd_table **out);
must_check inv_status_t fd_table_copy(struct fd_table *from, struct job *job, struct fd_table **out);
void fd_table_get(struct fd_table *t);
void fd_table_put(struct fd_table *t); // last: closes all
void fd_table_close_on_exec(struct fd_table *t);
bool fd_table_shared(struct fd_table *t);
unsigned fd_table_size(
    struct fd_table *t); // no descriptor is as large: a power of two from 64 up (select looks no further)
must_check inv_status_t fd_get(struct fd_table *t, int fd, struct file **out); // counted. BAD_FD
// Takes over the file's reference on success. lowest: smallest number allowed. limit: RLIMIT_NOFILE. TOO_MANY_FILES, NO_MEMORY, INVALID.
must_check inv_status_t fd_install(struct fd_table *t, struct file *f, int lowest, uint64_t limit, bool close_on_exec,
                                   int *out_fd);
must_check inv_status_t fd_install_at(struct fd_table *t, struct file *f, int fd, uint64_t limit,
                                      bool close_on_exec); // dup2: closes what was there
must_check inv_status_t fd_close(struct fd_table *t, int fd);
must_check inv_status_t fd_get_flags(struct fd_table *t, int fd, bool *out_close_on_exec);
must_check inv_status_t fd_set_flags(struct fd_table *t, int fd, bool close_on_exec);
// Two steps of fd_install: a number is taken first (so that EMFILE comes before the walk's errors), the file put there later; or given back.
must_check inv_status_t fd_reserve(struct fd_table *t, int lowest, uint64_t limit, bool close_on_exec, int *out_fd);
void fd_fill(struct fd_table *t, int fd, struct file *f); // takes over the reference
void fd_unreserve(struct fd_table *t, int fd);
// For the length of one call of the table's own thread: no count is taken when nobody else uses the table.
struct fd_ref {
    struct file *file;
    bool counted;
};
must_check inv_status_t fd_borrow(struct fd_table *t, int fd, struct fd_ref *out); // BAD_FD
static inline void fd_return(struct fd_ref *r) {
    if (r->counted)
        file_put(r->file);
}
int fd_next(struct fd_table *t, int from); // next open descriptor >= from, or -1 (for /proc/PID/fd, close_range)

// Where a process stands in the tree: root, working directory, umask.
struct fs_context {
    _Atomic uint32_t count;
    struct spinlock lock; // rank VFS_SPIN
    /* lock: */
    struct path root, cwd;
    uint32_t users; // threads whose own it is; the other counts are of those who look
    bool executing; // a set-id program is being started on the word that nobody else uses it: no new user
    _Atomic uint32_t umask;
    struct list_node node; // all of them (executive/vfs/fs_context.c)
};
must_check inv_status_t fs_context_copy(struct fs_context *from, struct fs_context **out);
void fs_context_get(struct fs_context *c);
void fs_context_put(struct fs_context *c);
// One thread more or less whose own it is, beside the count. False: a program is being started in it (EAGAIN).
must_check bool fs_context_join(struct fs_context *c);
void fs_context_leave(struct fs_context *c);
uint32_t fs_context_users(struct fs_context *c);
// exec: true if no more than the threads given use it; then nobody joins before fs_context_exec_end. *out_began: that is owed.
bool fs_context_exec_begin(struct fs_context *c, uint32_t (*threads)(struct fs_context *c), bool *out_began);
void fs_context_exec_end(struct fs_context *c);
extern struct fs_context *fs_context_boot; // root of the boot tree

// Who asks: every path function takes one.
struct vfs_caller {
    struct fs_context *fs;
    struct fd_table *fds;
    struct token *token;
    struct job *job;
};
#define AT_FDCWD_        (-100)
#define WALK_FOLLOW      (1u << 0) // follow a symbolic link in the last place
#define WALK_DIRECTORY   (1u << 1) // NOT_DIR unless it is one
#define WALK_EMPTY_PATH  (1u << 2) // AT_EMPTY_PATH
#define WALK_NO_SYMLINKS (1u << 3)
// Walks that are kept (openat2): CROSS_DEVICE where they would leave, LOOP at a link that is not to be followed.
#define WALK_NO_CROSSING   (1u << 4) // stays on the mount where it begins
#define WALK_NO_MAGICLINKS (1u << 5)
#define WALK_BENEATH       (1u << 6) // stays below where it begins; TRY_AGAIN if names moved meanwhile
#define WALK_IN_ROOT       (1u << 7) // where it begins is its root; TRY_AGAIN likewise
#define WALK_CACHED        (1u << 8) // by cached names alone: TRY_AGAIN

// The permission bits wanted.
#define WANT_READ    4u
#define WANT_WRITE   2u
#define WANT_EXECUTE 1u
must_check inv_status_t vfs_permission(struct inode *i, struct token *who, unsigned want);

// path is a kernel string (PATH_MAX checked by the copy in). All are the whole of a call: walk, permission, operation, times. Errors in Linux's order.
must_check inv_status_t vfs_lookup(const struct vfs_caller *c, int dirfd, const char *path, unsigned walk,
                                   struct path *out); // counted
void path_get(const struct path *p);
void path_put(struct path *p);
must_check inv_status_t vfs_open(const struct vfs_caller *c, int dirfd, const char *path, unsigned flags, uint32_t mode,
                                 struct file **out);
// The same by a walk of its own (WALK_NO_SYMLINKS and the kept ones).
must_check inv_status_t vfs_open_walk(const struct vfs_caller *c, int dirfd, const char *path, unsigned flags,
                                      uint32_t mode, unsigned walk, struct file **out);
must_check inv_status_t vfs_open_exec(const struct vfs_caller *c, int dirfd, const char *path, unsigned walk,
                                      struct file **out); // X permission, regular, not noexec; denies writers until put
must_check inv_status_t vfs_stat(const struct path *p, struct inode_stat *out);
must_check inv_status_t vfs_access(const struct vfs_caller *c, int dirfd, const char *path, unsigned want,
                                   unsigned walk, bool effective);
must_check inv_status_t vfs_mkdir(const struct vfs_caller *c, int dirfd, const char *path, uint32_t mode);
must_check inv_status_t vfs_mknod(const struct vfs_caller *c, int dirfd, const char *path, uint32_t mode, devno_t rdev);
must_check inv_status_t vfs_unlink(const struct vfs_caller *c, int dirfd, const char *path, bool directory);
// The same, and tells where the new name is; counted.
must_check inv_status_t vfs_mknod_path(const struct vfs_caller *c, int dirfd, const char *path, uint32_t mode,
                                       devno_t rdev, struct path *out);
must_check inv_status_t vfs_symlink(const struct vfs_caller *c, const char *target, int dirfd, const char *path);
must_check inv_status_t vfs_link(const struct vfs_caller *c, int old_dirfd, const char *old_path, int new_dirfd,
                                 const char *new_path, unsigned walk);
must_check inv_status_t vfs_rename(const struct vfs_caller *c, int old_dirfd, const char *old_path, int new_dirfd,
                                   const char *new_path, unsigned flags); // RENAME_* of Linux
must_check inv_status_t vfs_readlink(const struct vfs_caller *c, int dirfd, const char *path, char *buffer, size_t size,
                                     size_t *out_length);
must_check inv_status_t vfs_setattr(const struct path *p, struct token *who,
                                    struct inode_attributes *a); // chmod, chown, utimes, truncate with their rules
must_check inv_status_t vfs_chdir(const struct vfs_caller *c, const struct path *p);
must_check inv_status_t vfs_chroot(const struct vfs_caller *c, const struct path *p);
must_check inv_status_t vfs_mount(const struct vfs_caller *c, const char *source, const char *target, const char *type,
                                  unsigned flags, const char *options);
must_check inv_status_t vfs_unmount(const struct vfs_caller *c, const char *target, unsigned flags);
unsigned vfs_path_mount_flags(const struct path *p); // MOUNT_* of mount and superblock together
// What guards folders that many may write (sysctls of fs/): links that are not followed, files that are not linked or opened by O_CREAT.
struct vfs_protection {
    _Atomic int symlinks, hardlinks; // 0 or 1
    _Atomic int fifos, regular;      // 0 to 2
};
extern struct vfs_protection vfs_protection;
must_check inv_status_t vfs_statfs(const struct path *p, struct fs_statistics *out);
// The absolute path as seen from the caller's root, at the end of buffer; *out_start within it. " (deleted)" is appended for unlinked names. NAME_TOO_LONG.
bool vfs_path_deleted(const struct path *p);                               // its name was removed
bool vfs_path_reachable(const struct vfs_caller *c, const struct path *p); // from the caller's root
must_check inv_status_t vfs_path_name(const struct vfs_caller *c, const struct path *p, char *buffer, size_t size,
                                      char **out_start);
must_check inv_status_t file_read(struct file *f, struct io *io,
                                  size_t *out_done); // at the file position, which it moves
must_check inv_status_t file_write(struct file *f, struct io *io, size_t *out_done);
must_check inv_status_t file_read_at(struct file *f, struct io *io, uint64_t position,
                                     size_t *out_done); // pread: NOT_SEEKABLE for streams
must_check inv_status_t file_write_at(struct file *f, struct io *io, uint64_t position, size_t *out_done);
must_check inv_status_t file_seek(struct file *f, int64_t offset, int whence, uint64_t *out_position);
must_check inv_status_t file_readdir(struct file *f, struct dir_context *c);
must_check inv_status_t file_truncate(struct file *f, uint64_t size);
must_check inv_status_t file_fsync(struct file *f, bool data_only);
must_check inv_status_t file_fallocate(struct file *f, unsigned mode, uint64_t offset, uint64_t length);
// Helpers of file systems: seek over size bytes (SEEK_SET, CUR, END; position of f); how much of n bytes at position may be written (RLIMIT_FSIZE: FILE_TOO_BIG).
must_check inv_status_t file_seek_in(struct file *f, uint64_t size, int64_t offset, int whence, uint64_t *out_position);
must_check inv_status_t file_write_limit(struct file *f, uint64_t position, size_t *inout_n);
void file_touch_atime(struct file *f); // after a read, by the rules of relatime and O_NOATIME
must_check inv_status_t file_ioctl(struct file *f, unsigned command, uint64_t argument, int64_t *out_result);
// Kernel read of file contents for exec: exact or short at the end.
must_check inv_status_t file_read_kernel(struct file *f, uint64_t position, void *to, size_t n, size_t *out_done);
must_check inv_status_t file_map(struct file *f, bool shared, struct vmo **out);

// For mmap, from begin until the mapping is made: what it maps, who owns it, whether it may ever write. NOT_PERMITTED (seals), or file_map's errors; end gives
// vmo back.
struct file_mapping {
    struct file *file;
    struct vmo *vmo;
    struct mapping_owner *owner;
    bool may_write;
};
must_check inv_status_t file_map_begin(struct file *f, bool shared, bool write, struct file_mapping *out);
void file_map_end(struct file_mapping *m);
struct file *file_of_mapping(const struct mapping_owner *o); // whose mapping it is

// Files in memory without a name in any folder (executive/vfs/memory_file.c): label shows as "/label (deleted)". Open for reading and writing, size 0.
must_check inv_status_t memory_file_create(const char *label, uint32_t mode, const struct token *who, bool sealable,
                                           struct file **out);
#define FILE_SEAL_SEAL         0x01u // numbers of Linux's F_SEAL_*
#define FILE_SEAL_SHRINK       0x02u
#define FILE_SEAL_GROW         0x04u
#define FILE_SEAL_WRITE        0x08u
#define FILE_SEAL_FUTURE_WRITE 0x10u
#define FILE_SEAL_ALL          0x1fu
must_check inv_status_t file_seals_get(struct file *f, unsigned *out_seals); // INVALID: not such a file
must_check inv_status_t file_seals_add(struct file *f, unsigned seals);      // NOT_PERMITTED, INVALID, BUSY

// poll: a set of waiters over several files.
struct poll_set *poll_set_create(unsigned expected); // NULL: no memory
void poll_set_destroy(struct poll_set *s);           // takes all waiters off
// A set is made by poll_set_create or by who has other ways to be woken (executive/event/epoll.c).
struct poll_set {
    void (*add)(struct poll_set *s, struct waitq *q);
    uint32_t key; // events that matter, for the file that is asked now; 0: all
};
// From file_ops->poll, for each queue that the file's events wake. s may be NULL: only the mask is wanted.
static inline void poll_add(struct poll_set *s, struct waitq *q) {
    if (s != NULL)
        s->add(s, q);
}
static inline unsigned file_poll(struct file *f, struct poll_set *s) {
    return f->ops->poll != NULL ? f->ops->poll(f, s) : POLL_IN | POLL_OUT | POLL_RDNORM | POLL_WRNORM;
}
// Waits until one of the registered queues woke. OK, TIMED_OUT, INTERRUPTED.
must_check inv_status_t poll_set_wait(struct poll_set *s, nstime_t deadline);

// fs/pipe-max-size in bytes; fs/pipe-user-pages-*: what a user's pipes may hold, 0: no limit. They bind who has neither CAP_SYS_RESOURCE nor CAP_SYS_ADMIN.
struct vfs_pipe_limits {
    _Atomic uint64_t max_size, user_pages_soft, user_pages_hard;
};
extern struct vfs_pipe_limits vfs_pipe_limits;
// What a size of a pipe in bytes becomes: a power of two of at least a page. 0: too large.
uint64_t pipe_size_rounded(uint64_t bytes);
// pipe2. capacity 64 KiB, atomic up to 4096 bytes. NO_MEMORY; FILE_TABLE_FULL: the user is at the hard limit.
must_check inv_status_t pipe_create(struct job *job, uint32_t flags, struct file **out_read, struct file **out_write);

// SIGPIPE and RLIMIT_FSIZE's SIGXFSZ are raised by the personality: a table it registers.
// Record locks. The owner is a struct fd_table (POSIX), or the file itself (OFD locks, flock).
#define FILE_LOCK_READ   0
#define FILE_LOCK_WRITE  1
#define FILE_LOCK_UNLOCK 2
struct file_lock_request {
    unsigned type;       // FILE_LOCK_*
    uint64_t start, end; // inclusive; end UINT64_MAX / 2: to the end of the file
    const void *owner;
    uint32_t pid;                  // for F_GETLK; UINT32_MAX for OFD locks
    bool flock, wait, description; // description: an OFD lock, which no circle is looked for
};
must_check inv_status_t file_lock(struct file *f,
                                  const struct file_lock_request *r); // TRY_AGAIN, DEADLOCK, NO_MEMORY, RESTART
void file_lock_test(struct file *f,
                    struct file_lock_request *r); // F_GETLK: r becomes what is in the way, or FILE_LOCK_UNLOCK
// For /proc: count lines of all locks from the one numbered from (from 0) on; one that waits follows the lock in its way and has its number. f not NULL: only
// the locks set through f that belong to it or to table. Returns how many there are, less than count at the end.
enum file_lock_kind { FILE_LOCK_KIND_RECORD, FILE_LOCK_KIND_DESCRIPTION, FILE_LOCK_KIND_FLOCK, FILE_LOCK_KIND_LEASE };
struct file_lock_description {
    enum file_lock_kind kind;
    unsigned type, number;  // FILE_LOCK_*; counted from 1
    uint32_t pid;           // UINT32_MAX: none (OFD locks)
    bool blocked, breaking; // waits; a lease that is being broken (type is what it will be)
    devno_t device;
    uint64_t ino, start, end; // inclusive; end INT64_MAX: EOF
};
unsigned file_lock_describe(const struct file *f, const void *table, unsigned from, struct file_lock_description *out,
                            unsigned count);

// Leases (executive/vfs/lease.c). A lease belongs to an open file; who opens the file so that it conflicts, or cuts it, makes the holder be signalled and waits
// until the lease is given back, or for file_lease_break_seconds. TRY_AGAIN (others have it open, or another's lease), ACCESS, INVALID, NO_MEMORY.
extern _Atomic uint32_t file_lease_break_seconds;
must_check inv_status_t file_lease_set(struct file *f, int fd, unsigned type, const struct token *who, uint32_t pid);
unsigned file_lease_get(struct file *f); // FILE_LOCK_*: what it will be after a break under way
bool file_is_pipe(const struct file *f);
must_check inv_status_t pipe_set_size(struct file *f, uint64_t size, bool privileged,
                                      uint64_t *out_size); // BUSY, NOT_PERMITTED, NO_MEMORY; BAD_FD: no pipe
must_check inv_status_t pipe_get_size(struct file *f, uint64_t *out_size);

struct vfs_signal_ops {
    void (*broken_pipe)(void); // on the current thread
    void (*file_too_big)(void);
    uint64_t (*file_size_limit)(void);
    struct token *(*current_token)(void); // whose writes clear set-id bits; borrowed
};
void vfs_register_signal_ops(const struct vfs_signal_ops *ops);
void vfs_broken_pipe(void);            // SIGPIPE for the current thread, if it is a program's
struct token *vfs_current_token(void); // borrowed; token_root for the kernel's own threads
struct job *vfs_current_job(void);     // pays for what the current thread makes

// Unpacks a cpio archive (newc, also several concatenated with zero padding) into the boot tree. Broken archives: BAD_MESSAGE with a log line that says where; what came before stays.
// done is called now and then: what lies below end of the archive is not looked at again.
must_check inv_status_t cpio_unpack(const void *archive, size_t size, void (*done)(const void *end));

#endif
