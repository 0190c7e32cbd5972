// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The status codes of every Invar interface: 0 or a negative number, one list for kernel, executive, components and native programs. The Linux
// personality maps them to errno in one file (personality/linux/errno.c). The texts stand beside the numbers, so that a table of either kind is
// made from INV_STATUS_LIST.
#ifndef INVAR_STATUS_H
#define INVAR_STATUS_H

#include <stdint.h>

// X(name, number, text). Numbers are ABI: append, never renumber.
#define INV_STATUS_LIST(X)                                                              \
    X(OK, 0, "success")                                                                 \
    X(ERR_BAD_HANDLE, -1, "handle is not open")                                         \
    X(ERR_WRONG_TYPE, -2, "object has another type")                                    \
    X(ERR_ACCESS, -3, "permission denied")                                              \
    X(ERR_INVALID, -4, "invalid argument")                                              \
    X(ERR_BAD_STATE, -5, "object is in the wrong state")                                \
    X(ERR_NO_MEMORY, -6, "out of memory")                                               \
    X(ERR_QUOTA, -7, "job quota exhausted")                                             \
    X(ERR_FAULT, -8, "bad user address")                                                \
    X(ERR_RANGE, -9, "value out of range")                                              \
    X(ERR_NOT_FOUND, -10, "not found")                                                  \
    X(ERR_EXISTS, -11, "already exists")                                                \
    X(ERR_TIMED_OUT, -12, "deadline passed")                                            \
    X(ERR_INTERRUPTED, -13, "wait was interrupted")                                     \
    X(ERR_CANCELLED, -14, "request was cancelled")                                      \
    X(ERR_PEER_GONE, -15, "peer is gone")                                               \
    X(ERR_SHOULD_WAIT, -16, "operation would block")                                    \
    X(ERR_NOT_SUPPORTED, -17, "not supported")                                          \
    X(ERR_NO_SYSCALL, -18, "no such system call")                                       \
    X(ERR_IO, -19, "input or output error")                                             \
    X(ERR_BUSY, -20, "resource is busy")                                                \
    X(ERR_NOT_PRESENT, -21, "page is not present")                                      \
    X(ERR_NOT_DIR, -22, "not a directory")                                              \
    X(ERR_IS_DIR, -23, "is a directory")                                                \
    X(ERR_NOT_EMPTY, -24, "directory not empty")                                        \
    X(ERR_LOOP, -25, "too many symbolic links")                                         \
    X(ERR_NAME_TOO_LONG, -26, "name too long")                                          \
    X(ERR_CROSS_DEVICE, -27, "cross-device link")                                       \
    X(ERR_READ_ONLY, -28, "read-only file system")                                      \
    X(ERR_NO_SPACE, -29, "no space left")                                               \
    X(ERR_FILE_TOO_BIG, -30, "file too large")                                          \
    X(ERR_TOO_MANY_LINKS, -31, "too many links")                                        \
    X(ERR_TOO_MANY_FILES, -32, "too many open files")                                   \
    X(ERR_FILE_TABLE_FULL, -33, "system file table full")                               \
    X(ERR_NOT_SEEKABLE, -34, "illegal seek")                                            \
    X(ERR_PIPE, -35, "broken pipe")                                                     \
    X(ERR_TEXT_BUSY, -36, "executable is busy")                                         \
    X(ERR_NOT_TTY, -37, "inappropriate request for device")                             \
    X(ERR_NO_DEVICE, -38, "no such device")                                             \
    X(ERR_NO_ADDRESS, -39, "no such device or address")                                 \
    X(ERR_NOT_EXECUTABLE, -40, "executable format not understood")                      \
    X(ERR_TOO_BIG, -41, "argument list too long")                                       \
    X(ERR_NO_CHILD, -42, "no child process")                                            \
    X(ERR_NO_PROCESS, -43, "no such process")                                           \
    X(ERR_NOT_PERMITTED, -44, "operation not permitted")                                \
    X(ERR_BAD_FD, -45, "bad file descriptor")                                           \
    X(ERR_OVERFLOW, -46, "value too large")                                             \
    X(ERR_TRY_AGAIN, -47, "resource temporarily unavailable")                           \
    X(ERR_BAD_MESSAGE, -48, "malformed message")                                        \
    X(ERR_DEADLOCK, -49, "deadlock would occur")                                        \
    X(ERR_RESTART, -50, "interrupted: restart if the handler asks for it (SA_RESTART)") \
    X(ERR_RESTART_NOHAND, -51, "interrupted: restart only when no handler runs")        \
    X(ERR_RESTART_BLOCK, -52, "interrupted: restart through the saved continuation")    \
    X(ERR_NOT_BLOCK, -53, "block device required")                                      \
    X(ERR_DOMAIN, -54, "argument out of domain")                                        \
    X(ERR_OP_NOT_SUPPORTED, -55, "operation not supported on this object")              \
    X(ERR_NO_DATA, -56, "no data available")                                            \
    X(ERR_ALREADY, -57, "operation already in progress")                                \
    X(ERR_STALE, -58, "stale object")                                                   \
    X(ERR_NOT_SOCKET, -59, "not a socket")                                              \
    X(ERR_NO_DESTINATION, -60, "destination address required")                          \
    X(ERR_MESSAGE_SIZE, -61, "message too long")                                        \
    X(ERR_PROTOTYPE, -62, "wrong type of socket for this peer")                         \
    X(ERR_NO_OPTION, -63, "no such option")                                             \
    X(ERR_NO_PROTOCOL, -64, "protocol not supported")                                   \
    X(ERR_NO_SOCKET_TYPE, -65, "socket type not supported")                             \
    X(ERR_NO_FAMILY, -66, "address family not supported")                               \
    X(ERR_ADDRESS_IN_USE, -67, "address already in use")                                \
    X(ERR_CONNECTION_RESET, -68, "connection reset by peer")                            \
    X(ERR_NO_BUFFERS, -69, "no buffer space")                                           \
    X(ERR_CONNECTED, -70, "already connected")                                          \
    X(ERR_NOT_CONNECTED, -71, "not connected")                                          \
    X(ERR_TOO_MANY_REFERENCES, -72, "too many references")                              \
    X(ERR_CONNECTION_REFUSED, -73, "connection refused")

enum inv_status {
#define INV_STATUS_ENUM(name, number, text) INV_##name = (number),
    INV_STATUS_LIST(INV_STATUS_ENUM)
#undef INV_STATUS_ENUM
};

// A status: INV_OK or one negative code of the list.
typedef int32_t inv_status_t;

#endif
