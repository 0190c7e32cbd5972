// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The two legacy interrupt controllers: moved off the exception vectors, then masked for good. Boot processor.
#include "pc.h"

#include <arch/vectors.h>
#include <arch/x86.h>

#define PIC1 0x20
#define PIC2 0xa0

void pic_disable(void) {
    port_write8(PIC1, 0x11); // initialise, four words
    port_write8(PIC2, 0x11);
    port_write8(PIC1 + 1, VECTOR_PIC_FIRST);
    port_write8(PIC2 + 1, VECTOR_PIC_FIRST + 8);
    port_write8(PIC1 + 1, 4); // second controller on line 2
    port_write8(PIC2 + 1, 2);
    port_write8(PIC1 + 1, 1);
    port_write8(PIC2 + 1, 1);
    port_write8(PIC1 + 1, 0xff);
    port_write8(PIC2 + 1, 0xff);
}
