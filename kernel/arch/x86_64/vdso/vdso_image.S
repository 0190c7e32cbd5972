// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The vDSO's image inside the kernel: whole pages of rodata, mapped into processes as they are.
    .section .rodata.vdso, "a"
    .balign 4096
    .globl vdso_image_start, vdso_image_end
vdso_image_start:
    .incbin "vdso.so"
    .balign 4096
vdso_image_end:
    .section .note.GNU-stack, "", @progbits
