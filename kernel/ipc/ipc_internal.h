// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the files of kernel/ipc share. docs/ipc.md tells the states; the steps of a call bear the same names there, here and in the model.
#ifndef IPC_INTERNAL_H
#define IPC_INTERNAL_H

#include <arch/ipc.h>
#include <kernel/handle.h>
#include <kernel/ipc.h>
#include <kernel/process.h>

// What of a message does not fit in registers, on its way. It belongs to one side at a time: the sender, then the thread that it is for.
struct ipc_parcel {
    struct job *job;   // counted: charged
    struct page *page; // of a message longer than the words; or NULL
    uint32_t length, handle_count;
    struct handle_transfer handles[INV_MESSAGE_HANDLES];
};
static inline unsigned words_length(uint64_t tag) { // bytes of the message that travel in the words
    return INV_TAG_LENGTH(tag) <= INV_MESSAGE_WORDS_BYTES ? INV_TAG_LENGTH(tag) : 0;
}

// parcel.c. What the current thread sends with tag and the block in its memory; *out NULL if the words are all. INVALID (flags, counts, no block where
// one is needed, reserved fields), RANGE (length), FAULT, then those of handle_take (each handle needs TRANSFER), NO_MEMORY, QUOTA. May sleep.
must_check inv_status_t parcel_make(uint64_t tag, vaddr_t block, struct ipc_parcel **out);
// To the current thread: data and handles go to where the block says. Returns what became of the tag. The parcel is gone. May sleep.
uint64_t parcel_unpack(struct ipc_parcel *p, uint64_t tag, vaddr_t block);
void parcel_drop(struct ipc_parcel *p); // NULL: nothing. Handles in it are closed. May sleep
// Handles go back to the sender, the current thread, where there is room.
void parcel_return(struct ipc_parcel *p);

// lease.c. What the current thread lends with a call, from the block: INVALID (count, rights, reserved field), RANGE (not user memory), FAULT, NO_MEMORY, QUOTA.
// May sleep.
must_check inv_status_t leases_make(uint64_t tag, vaddr_t block);
// The call has ended: returns when nobody uses the leases any more. The current thread.
void leases_end(struct thread *me);
void leases_free(struct thread *t); // at its end

// endpoint.c. With e->lock held, interrupts off. The thread has been taken off, and has the result of its wait; the caller wakes it.
void receiver_take(struct thread *t, struct endpoint *e);
// The same; its reply is FREE, and its wait ends with status.
void receiver_refuse(struct endpoint *e, struct thread *t, inv_status_t status);
// Interrupts, which flags are of, are off all the while, so t, which was found on a list, has not gone. t NULL: nobody.
void unlock_and_wake(struct endpoint *e, struct thread *t, irq_flags_t flags);
void endpoint_join(struct endpoint *e); // the current thread receives here from now on
// The current thread waits at e no longer for a message, or was just given one: callers that are still queued make it as urgent as they are.
void endpoint_inherit(struct endpoint *e);
// The threads that serve e become as urgent as its callers. No lock held.
void endpoint_urge(struct endpoint *e);

// With e->lock held: t, whose connection is c, joins e's callers, behind its equals; leaves them. Bounded by the logarithm of their number.
void caller_add(struct endpoint *e, struct thread *t, struct connection *c);
void caller_remove(struct endpoint *e, struct thread *t);

// The first packet of e goes to the current thread's frame; *out_owner's count is the caller's to put, without the lock. False: there is none.
bool packet_receive(struct endpoint *e, struct object **out_owner);
void endpoint_init_boot(void);
void reply_init_boot(void);

// call.c. e->lock is held: t, taken off the callers, learns status instead of an answer. The caller wakes it.
void call_refuse(struct thread *t, inv_status_t status);
// e->lock is held: caller's call begins to be served under r, which server named and which is ARMED; words and parcel go to server.
void call_serve(struct endpoint *e, struct thread *caller, struct thread *server, struct reply *r);
// Ends the call that r stands for, as far as caller has not left it: true if this was it, and the caller's frame and parcel may be written; then call_replied
// lets it go, and it is to be woken. In an epoch.
bool call_reply(struct reply *r, struct thread *caller);
void call_replied(struct thread *caller);
// What comes after the wait, with the result in the frame.
void call_return(struct arch_frame *f, struct thread *me);
void receive_return(struct arch_frame *f, struct thread *me);
// Until the call is REPLIED, or left: then the status says why. Or until something was received.
must_check inv_status_t call_wait(struct thread *me, nstime_t deadline);
must_check inv_status_t receive_wait(struct thread *me, nstime_t deadline);
// The deadline of a message call; NEVER without one. INVALID, FAULT.
must_check inv_status_t deadline_of(uint64_t tag, vaddr_t block, nstime_t *out);

static inline struct arch_frame *frame_of(struct thread *t) {
    return arch_thread_frame(&t->arch);
}

#endif
