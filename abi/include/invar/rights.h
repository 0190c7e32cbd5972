// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rights of a handle. A handle carries a set of these; duplication and transfer can only take rights away.
#ifndef INVAR_RIGHTS_H
#define INVAR_RIGHTS_H

#include <stdint.h>

typedef uint32_t inv_rights_t;
typedef uint32_t inv_handle_t;

#define INV_HANDLE_INVALID ((inv_handle_t)0)

#define INV_RIGHT_DUPLICATE (1u << 0) // make another handle with the same or fewer rights
#define INV_RIGHT_TRANSFER  (1u << 1) // send in a message
#define INV_RIGHT_READ      (1u << 2)
#define INV_RIGHT_WRITE     (1u << 3)
#define INV_RIGHT_EXECUTE   (1u << 4)
#define INV_RIGHT_MAP       (1u << 5)
#define INV_RIGHT_WAIT      (1u << 6)
#define INV_RIGHT_SIGNAL    (1u << 7)
#define INV_RIGHT_GET_INFO  (1u << 8)
#define INV_RIGHT_SET_INFO  (1u << 9)
#define INV_RIGHT_MANAGE    (1u << 10) // create children, set quotas and policy, kill
#define INV_RIGHT_DESTROY   (1u << 11)
#define INV_RIGHTS_ALL      ((1u << 12) - 1)
#define INV_RIGHTS_SAME     (1u << 31) // in place of a set: all that the handle has

#endif
