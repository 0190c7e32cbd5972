// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the files of kernel/process share. Nothing outside includes it.
#ifndef PROCESS_INTERNAL_H
#define PROCESS_INTERNAL_H

#include <kernel/process.h>

void process_types_init(void);
// Closes the handles, leaves the job's list, lets the address space go. On the last thread of p, or when p never had one.
void process_drop_resources(struct process *p);
// Frees what a dead or never started thread stands on, and drops the pointer that the thread held of itself.
void thread_release(struct thread *t);

// A fault of p that the core cannot resolve: true if its job's policy says how that ends, and it does.
bool process_fault_ends(struct process *p);

#endif
