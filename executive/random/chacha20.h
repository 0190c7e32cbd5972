// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The ChaCha20 block function (RFC 8439, section 2.3). Pure.
#ifndef RANDOM_CHACHA20_H
#define RANDOM_CHACHA20_H

#include <kernel/types.h>

#define CHACHA20_KEY   32
#define CHACHA20_BLOCK 64

void chacha20_block(const uint8_t key[CHACHA20_KEY], uint32_t counter, const uint32_t nonce[3],
                    uint8_t out[CHACHA20_BLOCK]);

#endif
