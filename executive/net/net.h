// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Inside executive/net: what its files share beyond the public header.
#ifndef NET_NET_H
#define NET_NET_H

#include <executive/net.h>

// Sizes of buffers as Linux counts them: what a message of so many bytes takes with its header, rounded as its allocator rounds.
#define NET_HEADER_BYTES  256u // struct sk_buff
#define NET_SHARED_BYTES  320u // struct skb_shared_info
#define NET_SEND_LEAST    (2 * (2048 + NET_HEADER_BYTES))
#define NET_RECEIVE_LEAST (2048 + NET_HEADER_BYTES)

#endif
