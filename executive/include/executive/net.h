// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The socket layer (executive/net): what all sockets have in common, and the tables by which protocol families stand behind it. A family registers a
// struct socket_family; its sockets begin with a struct socket, whose operations the functions below, the file operations of sockets and the personality
// call. AF_UNIX is the family that lives here (executive/net/unix*.c); protocol stacks register theirs.
//
// A socket is reached through its file. A family may keep one longer than its file (a message remembers its sender), but nobody calls it then.
// Numbers of families, types, message flags and options are Linux's, as the field's standard.
#ifndef EXECUTIVE_NET_H
#define EXECUTIVE_NET_H

#include <executive/vfs.h>
#include <kernel/time.h>

#define SOCKET_NAME_MAX    128u // bytes of an address
#define SOCKET_RIGHTS_MAX  253u // files in one message
#define SOCKET_FAMILIES    46
#define SOCKET_TYPES       11
#define SOCKET_FAMILY_UNIX 1

#define SOCKET_STREAM    1
#define SOCKET_DATAGRAM  2
#define SOCKET_RAW       3
#define SOCKET_SEQPACKET 5

#define MESSAGE_OUT_OF_BAND 0x1u // MSG_OOB ...
#define MESSAGE_PEEK        0x2u
#define MESSAGE_CUT_CONTROL 0x8u // MSG_CTRUNC
#define MESSAGE_TRUNCATED   0x20u
#define MESSAGE_DONT_WAIT   0x40u
#define MESSAGE_WAIT_ALL    0x100u
#define MESSAGE_NO_SIGNAL   0x4000u

#define SHUTDOWN_RECEIVE 1u
#define SHUTDOWN_SEND    2u
#define SHUTDOWN_BOTH    3u

struct socket;
struct socket_rights;

// Whom a message is from, and whom a socket is connected to.
struct socket_credentials {
    uint32_t pid, uid, gid;
};

// One message on its way in or out. Everything but io may be empty.
struct socket_message {
    struct io *io;
    const struct vfs_caller *caller; // send: who looks name up. Never NULL where name_length is not 0
    unsigned flags;                  // MESSAGE_* of the call
    unsigned out_flags;              // receive: MESSAGE_*
    uint8_t *name;                   // SOCKET_NAME_MAX bytes. send: where to. receive: from whom; NULL: nobody asks
    unsigned name_length;            // 0: none
    struct socket_rights *rights; // send: taken over where the pointer is NULL after it. receive: given to the caller
    uint64_t rights_limit;        // send: how many files the user may have under way
    struct socket_credentials credentials;
    bool has_credentials; // send: given by the caller. receive: there were some
};

// Thread context; may sleep; the socket's file is held by the caller unless said otherwise. Names are the caller's copies. NULL: OP_NOT_SUPPORTED.
struct socket_ops {
    void (*release)(struct socket *s); // its file is gone, or never came: the family drops its own reference
    inv_status_t (*bind)(struct socket *s, const struct vfs_caller *c, const uint8_t *name, unsigned length);
    inv_status_t (*connect)(struct socket *s, const struct vfs_caller *c, const uint8_t *name, unsigned length,
                            bool nonblocking);
    inv_status_t (*pair)(struct socket *a, struct socket *b);
    inv_status_t (*listen)(struct socket *s, unsigned backlog);
    inv_status_t (*accept)(struct socket *s, bool nonblocking, struct socket **out); // *out has no file yet
    inv_status_t (*name)(struct socket *s, bool peer, uint8_t *out, unsigned *out_length);
    inv_status_t (*send)(struct socket *s, struct socket_message *m, size_t *out_done);
    // OK with 0 is the end. A cut datagram: MESSAGE_TRUNCATED in out_flags; *out_done is its whole length if flags ask for that.
    inv_status_t (*receive)(struct socket *s, struct socket_message *m, size_t *out_done);
    inv_status_t (*shutdown)(struct socket *s, unsigned how); // SHUTDOWN_*
    unsigned (*poll)(struct socket *s, struct poll_set *set);
    inv_status_t (*ioctl)(struct socket *s, unsigned command, uint64_t argument, int64_t *out_result); // NULL: NOT_TTY
    inv_status_t (*peek_offset)(struct socket *s, int offset);                                         // SO_PEEK_OFF
    void (*room_changed)(struct socket *s); // the send buffer's size was set
    bool (*listening)(struct socket *s);
    uint32_t (*queued_out)(struct socket *s); // bytes charged to the send buffer
    void (*show)(struct socket *s, struct text_sink *sink);
};

struct socket_family {
    int number;
    // A fresh socket of that type, or which error: NO_PROTOCOL, NO_SOCKET_TYPE, NO_MEMORY, QUOTA.
    inv_status_t (*create)(struct job *job, int type, int protocol, struct socket **out);
};
// Once each, at boot.
void socket_family_register(const struct socket_family *family);

// Options that are on or off (struct socket: bits).
#define SOCKET_DEBUG            (1u << 0)
#define SOCKET_REUSE_ADDRESS    (1u << 1)
#define SOCKET_REUSE_PORT       (1u << 2)
#define SOCKET_DONT_ROUTE       (1u << 3)
#define SOCKET_BROADCAST        (1u << 4)
#define SOCKET_KEEP_ALIVE       (1u << 5)
#define SOCKET_URGENT_INLINE    (1u << 6)
#define SOCKET_NO_CHECK         (1u << 7)
#define SOCKET_LINGER           (1u << 8)
#define SOCKET_PASS_CREDENTIALS (1u << 9)
#define SOCKET_PASS_SECURITY    (1u << 10)
#define SOCKET_DROP_COUNT       (1u << 11)
#define SOCKET_WIFI_STATUS      (1u << 12)
#define SOCKET_NO_FCS           (1u << 13)
#define SOCKET_SELECT_ERRORS    (1u << 14)
#define SOCKET_FILTER_LOCKED    (1u << 15)
#define SOCKET_LOCKED_SEND      (1u << 16) // the size of the send buffer was set
#define SOCKET_LOCKED_RECEIVE   (1u << 17)

struct socket {
    /* immutable after create: */
    const struct socket_ops *ops;
    int family, type, protocol;
    struct job *job; // charged; counted
    /* its file's: */
    struct file *file; // set once before anybody else sees it; gone with release
    _Atomic uint64_t ino;
    /* atomic: */
    _Atomic uint32_t bits;                   // SOCKET_*
    _Atomic int32_t error;                   // a status, told once
    _Atomic int32_t send_size, receive_size; // of the buffers
    _Atomic int32_t receive_least;           // SO_RCVLOWAT
    _Atomic int32_t peek_at;                 // SO_PEEK_OFF; negative: off
    _Atomic int32_t priority, linger;
    _Atomic uint32_t mark;
    _Atomic nstime_t send_time, receive_time; // how long a wait may last; 0: for ever
    struct async_list async;
    struct spinlock lock; // rank SOCKET: the family's too
    /* lock: */
    struct token *peer_token; // counted; whom it is connected to, or NULL
    uint32_t peer_pid;
};

// Sets the common part up; counts and charges job with size bytes. QUOTA.
must_check inv_status_t socket_init(struct socket *s, const struct socket_ops *ops, int family, int type,
                                    struct job *job, size_t size);
void socket_fini(struct socket *s, size_t size); // the family frees the memory then

// A socket without a file. Errors in Linux's order: NO_FAMILY, INVALID (type), NO_FAMILY, then the family's.
must_check inv_status_t socket_create(struct job *job, int family, int type, int protocol, struct socket **out);
// A file for a fresh socket, which it takes over on success. flags: O_NONBLOCK_. On failure the caller releases the socket. NO_MEMORY, QUOTA.
must_check inv_status_t socket_file_create(struct socket *s, uint32_t flags, struct file **out);
struct socket *socket_of(struct file *f); // NULL: no socket
static inline void socket_release(struct socket *s) {
    s->ops->release(s);
}

// --- for families ---
// What is told once: the pending error, and none is left.
static inline inv_status_t socket_take_error(struct socket *s) {
    if (likely(atomic_load_explicit(&s->error, memory_order_relaxed) == INV_OK))
        return INV_OK;
    return atomic_exchange(&s->error, INV_OK);
}
static inline bool socket_has(const struct socket *s, uint32_t bit) {
    return (atomic_load_explicit(&s->bits, memory_order_relaxed) & bit) != 0;
}
static inline nstime_t socket_deadline(nstime_t most) {
    return most == 0 ? NSTIME_NEVER : deadline_after(most);
}
// What a wait that was cut short means to the caller: an interrupted one begins again only if it had no limit; one whose time is up would have to wait.
inv_status_t socket_wait_status(inv_status_t s, nstime_t deadline);
// The current thread as a peer, into s; or the same peer as from has.
void socket_peer_set(struct socket *s);
void socket_peer_copy(struct socket *s, struct socket *from);
void socket_credentials_now(struct socket_credentials *out); // of the current thread
// Counted, or NULL, and the process's number.
struct token *socket_peer_get(struct socket *s, uint32_t *out_pid);
void socket_urgent(struct socket *s); // urgent data has come: SIGURG to its owner

// --- files under way (rights.c) ---
struct flight_user;
struct socket_rights {
    unsigned count;
    unsigned sockets;         // how many of them are AF_UNIX sockets, once they are under way
    struct flight_user *user; // whose they are while under way, or NULL
    struct list_node waste;   // struct drain
    struct file *files[];     // counted; NULL: taken out
};
must_check inv_status_t socket_rights_create(unsigned count, struct socket_rights **out); // all NULL. NO_MEMORY
// Drops what is left in it. Thread context, no lock held: files close here, and sockets among them in turn, but never nested.
void socket_rights_free(struct socket_rights *r);

// --- options (option.c): level SOL_SOCKET, for the personality ---
// value: length bytes, user memory at address. Errors as setsockopt(2) and getsockopt(2) of Linux have them.
must_check inv_status_t socket_option_set(struct socket *s, int name, uint64_t address, int length, struct token *who);
must_check inv_status_t socket_option_get(struct socket *s, int name, uint64_t address, uint64_t length_address);

// --- limits: /proc/sys/net ---
struct socket_limits {
    _Atomic uint32_t send_default, send_max, receive_default, receive_max, backlog_max, control_max;
    _Atomic uint32_t datagram_queue; // AF_UNIX
};
extern struct socket_limits socket_limits;

// What the personality registers, once, at boot.
struct socket_host_ops {
    uint32_t (*process_number)(void); // of the current thread
};
void socket_register_host(const struct socket_host_ops *ops);

// The lines of /proc/net/unix, with the heading.
void unix_show_all(struct text_sink *sink);

#endif
