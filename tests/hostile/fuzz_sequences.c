// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Sequences: a few calls that belong together, because single calls by chance hardly ever meet in that order. Each returns what
// shall be tallied: not negative where its main part succeeded.
#define _GNU_SOURCE
#include "fuzz.h"
#include "sentinel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMES = 512, NAMES_SIZE = 40000, THREADS_MORE = 4 };

static uint64_t below(struct chance *chance, uint64_t bound) {
    return random_below(&chance->random, bound);
}

// ---- Files of /proc and /sys ----

static char names[NAMES_SIZE];
static char *name[NAMES];
static unsigned names_count, names_used;

static void names_collect(const char *folder, int depth) {
    char path[300];
    DIR *list = opendir(folder);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        bool number = entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
        size_t length = (size_t)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) + 1;
        if (entry->d_name[0] == '.' || (number && strcmp(folder, "/proc") == 0)) {
            continue;
        }
        if (names_count < NAMES && names_used + length <= NAMES_SIZE) {
            name[names_count++] = memcpy(names + names_used, path, length);
            names_used += (unsigned)length;
        }
        if (depth > 0 && (entry->d_type == DT_DIR || strcmp(path, "/proc/self") == 0)) {
            names_collect(path, depth - 1);
        }
    }
    if (list) {
        closedir(list);
    }
}

// Reads in odd pieces at odd places, writes, lists, polls what is open.
static long file_use(struct chance *chance, int fd, bool write_too) {
    static const char *const texts[] = {"0", "1\n", "-17", "99999999999999999999", "a b c\n", "", "0x10\n", "/"};
    long best = -EIO;
    for (uint64_t n = 1 + below(chance, 5); n > 0; n--) {
        const char *text = texts[below(chance, sizeof(texts) / sizeof(texts[0]))];
        uint64_t at = one_in(chance, 12) ? extreme(chance) : below(chance, 5000), size = 1 + below(chance, 5000);
        long result = -1;
        switch (below(chance, write_too ? 7 : 5)) {
        case 0: result = read(fd, plain(chance), size % 4096); break;
        case 1: result = syscall(SYS_pread64, fd, pointer(chance), size % 4096, at); break;
        case 2: result = syscall(SYS_getdents64, fd, plain(chance), size % 4096); break;
        case 3: result = syscall(SYS_lseek, fd, at, below(chance, 6)); break;
        case 4: result = syscall(SYS_poll, &(int[2]){fd, (int)random_next(&chance->random)}, 1, 0); break;
        case 5: result = syscall(SYS_pwrite64, fd, text, strlen(text), one_in(chance, 4) ? at : 0); break;
        default:
            result = syscall(SYS_write, fd, one_in(chance, 4) ? bad_pointer(chance) : (uint64_t)text, size % 100);
            break;
        }
        best = result > best ? result : best;
    }
    return best;
}

// What root writes must not change how the machine treats the judge: its own files, and names and limits that it can bear.
static bool root_may_write(const char *path) {
    static const char *const mild[] = {"/proc/self/",           "/proc/sys/fs/mqueue/", "/proc/sys/kernel/msg",
                                       "/proc/sys/kernel/sem",  "/proc/sys/kernel/shm", "/proc/sys/kernel/hostname",
                                       "/proc/sys/fs/protected"};
    for (size_t i = 0; i < sizeof(mild) / sizeof(mild[0]); i++) {
        if (strncmp(path, mild[i], strlen(mild[i])) == 0) {
            return true;
        }
    }
    return false;
}

static long system_file(struct chance *chance) {
    char path[300];
    if (names_count == 0) {
        names_collect("/proc", 3);
        names_collect("/sys", 6);
    }
    if (names_count == 0) {
        return -ENOENT;
    }
    const char *chosen = name[below(chance, names_count)];
    if (strncmp(chosen, "/proc/self/", 11) == 0 && one_in(chance, 2)) { // of another process, who may be ending
        int pid = one_in(chance, 2) ? waiting_child() : (int)below(chance, chance->root ? 1 : 40);
        snprintf(path, sizeof(path), "/proc/%d/%s", pid ? pid : getpid(), chosen + 11);
    } else {
        snprintf(path, sizeof(path), "%s", chosen);
    }
    bool write_too = one_in(chance, 3) && (!chance->root || root_may_write(path));
    int fd = open(path, (write_too ? (one_in(chance, 2) ? O_RDWR : O_WRONLY) : O_RDONLY) | O_NONBLOCK | O_NOCTTY);
    long result = fd < 0 ? -errno : file_use(chance, fd, write_too);
    close(fd);
    return result;
}

// What a descriptor is, opened once more through /proc.
static long reopen(struct chance *chance) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", (int)below(chance, DESCRIPTORS_END));
    int fd = open(path,
                  (int)PICK(chance, O_RDONLY, O_RDWR, O_WRONLY, O_PATH, O_RDWR | O_TRUNC, O_RDONLY | O_DIRECTORY) |
                      O_NONBLOCK | O_NOCTTY);
    long result = fd < 0 ? -errno : file_use(chance, fd, true);
    if (fd >= 0) {
        uint64_t values[6] = {(uint64_t)fd, 0, 0, structure_make(chance, EPOLL_EVENT), 0, 0};
        raw_call(SYS_fstat, (uint64_t[6]){(uint64_t)fd, (uint64_t)plain(chance)});
        values[1] = 1; // EPOLL_CTL_ADD
        values[2] = values[0];
        values[0] = descriptor(chance, FD_EPOLL);
        raw_call(SYS_epoll_ctl, values);
        close(fd);
    }
    return result;
}

// ---- Threads and programs ----

static _Atomic int more_threads;

static void *thread_brief(void *argument) {
    struct chance chance = *(struct chance *)argument;
    free(argument);
    calls_few(&chance);
    more_threads--;
    return NULL;
}

static long thread(struct chance *chance) {
    pthread_attr_t attributes;
    pthread_t id;
    if (more_threads >= THREADS_MORE) {
        return -EAGAIN;
    }
    struct chance *own = malloc(sizeof(*own));
    if (own == NULL) {
        return -ENOMEM;
    }
    *own = (struct chance){random_next(&chance->random), chance->root};
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    more_threads++;
    int wrong = pthread_create(&id, &attributes, thread_brief, own);
    if (wrong != 0) {
        more_threads--;
        free(own);
    }
    return -wrong;
}

// A child executes what it finds; the parent learns whether the program began.
static long program(struct chance *chance) {
    volatile long failed = 0;
    uint64_t plain_values[6] = {
        value_make(chance, EXECUTABLE), structure_make(chance, STRINGS), structure_make(chance, STRINGS), 0, 0, 0};
    bool at = one_in(chance, 2);
    uint64_t values[6] = {
        value_make(chance, FOLDER), plain_values[0], plain_values[1], plain_values[2], value_make(chance, AT), 0};
    pid_t pid = vfork();
    if (pid == 0) {
        failed = at ? raw_call(SYS_execveat, values) : raw_call(SYS_execve, plain_values);
        _exit(0);
    }
    for (int i = 0; i < 10 && pid > 0 && waitpid(pid, NULL, WNOHANG) == 0; i++) {
        usleep(1000);
    }
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, WNOHANG);
    }
    return pid < 0 ? -errno : failed;
}

// ---- Futexes ----

static long futex(volatile int *at, int operation, uint64_t value, const void *more, volatile int *to,
                  uint64_t value3) {
    uint64_t values[6] = {(uint64_t)at, (uint64_t)operation, value, (uint64_t)more, (uint64_t)to, value3};
    return raw_call(SYS_futex, values);
}

// Lock, perhaps some calls, unlock; or leave it to whoever comes. The times are short.
static long inherit(struct chance *chance) {
    volatile int *at = shared_words + 8 + below(chance, 3), *other = shared_words + 12 + below(chance, 3);
    const struct timespec *soon = (void *)value_make(chance, DEADLINE);
    int private = one_in(chance, 2) ? 128 : 0;
    long result;
    switch (below(chance, 6)) {
    case 0:
        return futex(other, (11 | private) ^ (one_in(chance, 2) ? 256 : 0), (uint64_t)*other, soon, at,
                     0);                                                                          // wait, requeue
    case 1: return futex(other, 12 | private, 1, (void *)below(chance, 5), at, (uint64_t)*other); // requeue
    case 2: return futex(other, 3 + (int)below(chance, 2), 1, (void *)below(chance, 5), other + 4, (uint64_t)*other);
    default: break;
    }
    if (one_in(chance, 8)) {
        *at = (int)PICK(chance, 0, 0, 0x40000000, (uint64_t)waiting_child(), 0x80000000 | (uint64_t)waiting_child());
    }
    result = futex(at, (int)PICK(chance, 6, 13, 8) | private, 0, soon, NULL, 0);
    if (result == 0) {
        if (one_in(chance, 3)) {
            sched_yield();
        }
        if (!one_in(chance, 8)) {
            futex(at, 7 | private, 0, NULL, NULL, 0);
        }
    }
    return result;
}

// ---- Descriptors under way ----

static int send_descriptors(int socket, const int *fds, unsigned count) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct iovec byte = {(char *)"x", 1};
    struct msghdr message = {
        .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    control.header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    return (int)sendmsg(socket, &message, MSG_DONTWAIT);
}

// Sockets in each other's queues and in their own, then closed; some are received meanwhile by the other thread.
static long flight(struct chance *chance) {
    int a[2], b[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, a) == -1) {
        return -errno;
    }
    if (socketpair(AF_UNIX, one_in(chance, 2) ? SOCK_DGRAM : SOCK_SEQPACKET, 0, b) == -1) {
        close(a[0]);
        close(a[1]);
        return -EMFILE;
    }
    int any = (int)descriptor(chance, one_in(chance, 2) ? SOCKET : FD);
    int all[] = {a[0], a[1], b[0], b[1], any};
    long result = -1;
    for (uint64_t n = 1 + below(chance, 6); n > 0; n--) {
        int some[3];
        for (int i = 0; i < 3; i++) {
            some[i] = all[below(chance, one_in(chance, 3) ? 5 : 4)];
        }
        long sent = send_descriptors(one_in(chance, 4) ? (int)descriptor(chance, SOCKET) : all[below(chance, 4)], some,
                                     1 + (unsigned)below(chance, 3));
        result = sent > result ? sent : result;
        if (one_in(chance, 4)) {
            uint64_t values[6] = {(uint64_t)all[below(chance, 4)], structure_make(chance, MESSAGE),
                                  MSG_DONTWAIT | (one_in(chance, 2) ? MSG_PEEK : 0)};
            raw_call(SYS_recvmsg, values);
        }
    }
    for (int i = 0; i < 4; i++) {
        close(all[i]);
    }
    return result;
}

// ---- Mounts ----

// A new file system, or a copy of a tree, that is attached at times and otherwise given up; options good and bad.
static long mount_descriptors(struct chance *chance) {
    long config = syscall(SYS_fsopen, one_in(chance, 4) ? "devpts" : "tmpfs", 1), tree;
    syscall(SYS_fsconfig, config, 1, "size", one_in(chance, 3) ? "x" : "64k", 0);
    syscall(SYS_fsconfig, config, below(chance, 6), "nothing", plain(chance), below(chance, 20));
    syscall(SYS_fsconfig, config, 6, NULL, NULL, 0);
    tree = syscall(SYS_fsmount, config, 1, one_in(chance, 2) ? 0 : 1u << below(chance, 4));
    if (one_in(chance, 3)) {
        close((int)tree);
        tree = syscall(SYS_open_tree, AT_FDCWD, "d", 1 | O_CLOEXEC | (one_in(chance, 2) ? 0x8000 : 0));
    }
    syscall(SYS_read, config, pointer(chance), 400);
    syscall(SYS_mkdirat, tree, "below", 0700);
    long result = tree;
    if (one_in(chance, 2)) {
        result = syscall(SYS_move_mount, tree, "", AT_FDCWD, "d", 4 | (one_in(chance, 8) ? 0x100 : 0));
        result = result < 0 ? -errno : result;
        umount2("d", MNT_DETACH);
    }
    result = result == -1 ? -errno : result;
    close((int)config);
    close((int)tree);
    return result;
}

// In the worker's own folder. The user tries in vain.
static long mounts(struct chance *chance) {
    long result = mount("tmpfs", "d", "tmpfs", 0, "size=64k");
    mount(one_in(chance, 2) ? "d" : ".", "d/d", NULL, MS_BIND | (one_in(chance, 2) ? MS_REC : 0), NULL);
    mount(NULL, "d", NULL,
          PICK(chance, MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE) | (one_in(chance, 2) ? MS_REC : 0), NULL);
    if (one_in(chance, 2)) {
        mkdir("d/d", 0777);
        mkdir("e", 0777);
        mount("d", "e", NULL, one_in(chance, 2) ? MS_MOVE : MS_BIND, NULL);
        calls_few(chance);
        umount2("e", (int)below(chance, 8));
    }
    umount2("d/d", MNT_DETACH);
    while (umount2("d", one_in(chance, 2) ? MNT_DETACH : MNT_EXPIRE) == 0) {}
    umount2("d", MNT_DETACH);
    return result < 0 ? -errno : result;
}

#define SEQUENCE(weight, function)                          \
    {                                                       \
        -2, "(" #function ")", weight, NULL, 0, function, { \
            NONE                                            \
        }                                                   \
    }

const struct call calls_sequences[] = {
    SEQUENCE(40, system_file), SEQUENCE(25, reopen), SEQUENCE(8, thread), SEQUENCE(4, program),
    SEQUENCE(40, inherit),     SEQUENCE(12, flight), SEQUENCE(5, mounts), SEQUENCE(5, mount_descriptors),
};
const int calls_sequences_count = sizeof(calls_sequences) / sizeof(calls_sequences[0]);
