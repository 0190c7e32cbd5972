// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Rights of a handle: declared in abi/idl/base.idl, from which <invar/base.h> is made.
#ifndef INVAR_RIGHTS_H
#define INVAR_RIGHTS_H

#include <invar/base.h>

#endif
