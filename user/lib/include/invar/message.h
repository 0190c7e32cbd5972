// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The four message calls from C: registers as abi/include/invar/ipc.h has them. Context: any thread of a process whose job allows native calls. All wait until
// they are done, the deadline of the block has passed (INV_TAG_DEADLINE in the tag) or the thread is interrupted; what ended a call is its status.
#ifndef INVAR_MESSAGE_H
#define INVAR_MESSAGE_H

#include <invar/ipc.h>
#include <invar/status.h>

// A message as it stands in registers. Words that the tag's length does not cover are not sent, and arrive as zero.
struct inv_message {
    uint64_t tag, badge;
    uint64_t words[INV_MESSAGE_WORDS];
};

// One trap with all registers of a message. b NULL: no block.
static inline inv_status_t inv_message_trap(uint64_t number, uint64_t handles, struct inv_message *m,
                                            struct inv_call_block *b) {
    register uint64_t r10 __asm__("r10") = m->words[1];
    register uint64_t r8 __asm__("r8") = m->words[2];
    register uint64_t r9 __asm__("r9") = m->words[3];
    register uint64_t r12 __asm__("r12") = m->words[5];
    register uint64_t r13 __asm__("r13") = m->words[6];
    register uint64_t r14 __asm__("r14") = m->words[7];
    register uint64_t r15 __asm__("r15") = (uint64_t)b;
    uint64_t word0 = m->words[0], word4 = m->words[4];

    __asm__ volatile("syscall"
                     : "+a"(number), "+D"(handles), "+S"(m->tag), "+d"(word0), "+r"(r10), "+r"(r8), "+r"(r9),
                       "+b"(word4), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
                     :
                     : "rcx", "r11", "memory", "cc");
    m->badge = handles;
    m->words[0] = word0;
    m->words[1] = r10;
    m->words[2] = r8;
    m->words[3] = r9;
    m->words[4] = word4;
    m->words[5] = r12;
    m->words[6] = r13;
    m->words[7] = r14;
    return (inv_status_t)number;
}

// The same for a message without words and block, and when words that arrive are not wanted: nothing goes through memory.
static inline inv_status_t inv_message_trap_empty(uint64_t number, uint64_t *handles, uint64_t *tag) {
    register uint64_t r15 __asm__("r15") = 0;

    __asm__ volatile("syscall"
                     : "+a"(number), "+D"(*handles), "+S"(*tag)
                     : "r"(r15)
                     : "rcx", "r11", "rdx", "r10", "r8", "r9", "rbx", "r12", "r13", "r14", "memory", "cc");
    return (inv_status_t)number;
}

// Sends m through a connection (right CALL) and waits for the answer, which takes its place. In order: BAD_HANDLE, WRONG_TYPE, ACCESS, INVALID (tag, block),
// RANGE (length), FAULT, then what sending handles and memory can bring (BAD_HANDLE, ACCESS, QUOTA, NO_MEMORY), PEER_GONE (nobody will answer), TIMED_OUT,
// INTERRUPTED.
static inline inv_status_t inv_call(inv_handle_t connection, struct inv_message *m, struct inv_call_block *b) {
    return inv_message_trap(INV_SYS_CALL, connection, m, b);
}

// Sends label and no words; *out_tag is the answer's. Errors as inv_call's.
static inline inv_status_t inv_call_empty(inv_handle_t connection, uint32_t label, uint64_t *out_tag) {
    uint64_t handles = connection;

    *out_tag = INV_TAG(label, 0);
    return inv_message_trap_empty(INV_SYS_CALL, &handles, out_tag);
}

// Waits at an endpoint (right RECEIVE) for a call, for which reply (right RECEIVE) stands from then on, or a packet (INV_TAG_PACKET in the tag). m's tag holds
// INV_TAG_DEADLINE or nothing. BAD_HANDLE, WRONG_TYPE, ACCESS, INVALID, FAULT, BAD_STATE (the reply object stands for a call already), PEER_GONE (the
// endpoint is closed), TIMED_OUT, INTERRUPTED.
static inline inv_status_t inv_receive(inv_handle_t endpoint, inv_handle_t reply, struct inv_message *m,
                                       struct inv_call_block *b) {
    return inv_message_trap(INV_SYS_RECEIVE, (uint64_t)reply << 32 | endpoint, m, b);
}

// Answers the call that reply stands for. As inv_call as far as sending goes; BAD_STATE (it stands for none), CANCELLED (the caller has left).
static inline inv_status_t inv_reply(inv_handle_t reply, struct inv_message *m, struct inv_call_block *b) {
    return inv_message_trap(INV_SYS_REPLY, (uint64_t)reply << 32, m, b);
}

// Both: answers, if there is a call to answer and its caller is still there, and receives. Errors are those of sending and of inv_receive.
static inline inv_status_t inv_reply_receive(inv_handle_t endpoint, inv_handle_t reply, struct inv_message *m,
                                             struct inv_call_block *b) {
    return inv_message_trap(INV_SYS_REPLY_RECEIVE, (uint64_t)reply << 32 | endpoint, m, b);
}

// The same with label and no words, for servers whose requests have none: what arrived is told by *out_tag and *out_badge.
static inline inv_status_t inv_reply_receive_empty(inv_handle_t endpoint, inv_handle_t reply, uint32_t label,
                                                   uint64_t *out_tag, uint64_t *out_badge) {
    *out_badge = (uint64_t)reply << 32 | endpoint;
    *out_tag = INV_TAG(label, 0);
    return inv_message_trap_empty(INV_SYS_REPLY_RECEIVE, out_badge, out_tag);
}

#endif
