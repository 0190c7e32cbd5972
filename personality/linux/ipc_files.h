// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What /proc shows of System V IPC and POSIX message queues (personality/linux/ipc): the lines of /proc/sysvipc and the limits below /proc/sys.
#ifndef LINUX_IPC_FILES_H
#define LINUX_IPC_FILES_H

#include "system.h"

// Calls write for the heading and for each object's line, with arg. The object is locked meanwhile: write does not sleep on anything but memory. Thread.
typedef void (*linux_ipc_write_fn)(void *arg, const char *line);
void linux_shm_list(linux_ipc_write_fn write, void *arg);
void linux_sem_list(linux_ipc_write_fn write, void *arg);
void linux_msg_list(linux_ipc_write_fn write, void *arg);

extern struct linux_tunable shm_max, shm_all, shm_count_max, msg_max, msg_bytes_max, msg_queues_max;
extern struct linux_tunable sem_limits[4]; // semmsl, semmns, semopm, semmni
extern struct linux_tunable mq_message_default, mq_message_max, mq_size_default, mq_size_max, mq_queues_max;

#endif
