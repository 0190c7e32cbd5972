# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
obj-y += ipc.c sem.c sem_undo.c msg.c shm.c mqueue.c mqueue_fs.c
