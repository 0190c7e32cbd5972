// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The vDSO: image and data page (built and updated by the architecture; mapped into each process by the personality at exec).
#ifndef KERNEL_VDSO_H
#define KERNEL_VDSO_H

#include <kernel/types.h>

struct vmo;
// Layout in a process: data page first (read-only), then the image (read, execute). Both VMOs are made at boot by vdso_init.
extern struct vmo *vdso_data_vmo, *vdso_image_vmo;
extern size_t vdso_image_size;                   // bytes, page multiple
void vdso_init(void);                            // boot, after vmo and clock
void vdso_update_clock(uint64_t wall_offset_ns); // from clock_wall_set
uint64_t vdso_sigreturn_offset(void); // of __vdso_rt_sigreturn in the image (for handlers without SA_RESTORER)

#endif
