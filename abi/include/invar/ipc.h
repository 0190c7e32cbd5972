// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Calls and replies as a program and the kernel exchange them: the tag, the block in memory, packets. Registers (x86-64): rax number and status; rdi handle (in
// receive and reply_receive the endpoint in the low half, the reply object in the high half), on return the badge; rsi tag; rdx r10 r8 r9 rbx r12 r13 r14
// the eight words; r15 the block's address or 0; rbp kept; rcx and r11 lost. Words that the length does not cover come back as zero.
#ifndef INVAR_IPC_H
#define INVAR_IPC_H

#include <invar/rights.h>
#include <stdint.h>

#define INV_SYS_CALL          0x1000
#define INV_SYS_REPLY_RECEIVE 0x1001
#define INV_SYS_RECEIVE       0x1002
#define INV_SYS_REPLY         0x1003

//   63            32 31   24 23    20 19     16 15          0
//  +----------------+-------+--------+---------+-------------+
//  |     label      | flags | leases | handles |   length    |     length in bytes
//  +----------------+-------+--------+---------+-------------+
// A message of at most 64 bytes travels in the words; a longer one in memory alone, at the block's message, and arrives at the receiver's buffer.
#define INV_TAG(label, length)  ((uint64_t)(label) << 32 | (uint64_t)(length))
#define INV_TAG_LABEL(tag)      ((uint32_t)((tag) >> 32))
#define INV_TAG_LENGTH(tag)     ((uint32_t)((tag)&0xffff))
#define INV_TAG_HANDLES(tag)    ((uint32_t)((tag) >> 16 & 0xf))
#define INV_TAG_LEASES(tag)     ((uint32_t)((tag) >> 20 & 0xf))
#define INV_TAG_WITH(tag, h, l) ((tag) | (uint64_t)(h) << 16 | (uint64_t)(l) << 20)
#define INV_TAG_PACKET          (1ull << 24) // receive: not a call but a packet; the label is its type, the badge its key
#define INV_TAG_TRUNCATED       (1ull << 25) // arrived: longer than the receiver's buffer, which holds its beginning
#define INV_TAG_LOST            (1ull << 26) // arrived: handles that the receiver had no room for are closed
#define INV_TAG_DEADLINE        (1ull << 27) // sent: the block has a deadline
#define INV_TAG_FLAGS           (0xffull << 24)

#define INV_MESSAGE_WORDS       8
#define INV_MESSAGE_WORDS_BYTES 64
#define INV_MESSAGE_MAX         4096
#define INV_MESSAGE_HANDLES     8
#define INV_MESSAGE_LEASES      4

#define INV_DEADLINE_NEVER UINT64_MAX

// What of the caller's memory the server may read or write until it replies.
struct inv_lease {
    uint64_t address, length;
    uint32_t rights; // INV_RIGHT_READ, INV_RIGHT_WRITE
    uint32_t reserved;
};

// The kernel reads what it needs when it needs it: what is sent at the beginning of a call, the room for what arrives at its end; and writes received alone.
struct inv_call_block {
    uint64_t deadline; // with INV_TAG_DEADLINE: on the monotonic clock, ns
    uint64_t message;  // address of what is sent, if it is longer than the words
    uint64_t buffer;   // address of the room for what arrives, if that is longer than the words
    uint32_t buffer_size;
    uint32_t reserved;
    inv_handle_t handles[INV_MESSAGE_HANDLES];  // sent: they leave the sender's table
    inv_handle_t received[INV_MESSAGE_HANDLES]; // arrived
    struct inv_lease leases[INV_MESSAGE_LEASES];
};

// Packets: word 0 is the count of what the packet stands for (signals that came together make one), word 1 as told here.
enum inv_packet {
    INV_PACKET_SIGNAL = 1, // an object that is bound has the signals asked for; word 1: its signals
    INV_PACKET_UNBLOCK =
        2, // the caller whose reply object has this key wants to leave its call: its deadline passed, or it is interrupted
    INV_PACKET_CLOSED = 3, // the last handle of the connection with this badge was closed
};

#endif
