// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Native calls on memory objects. What each does and which errors it has, in order: abi/idl/core.idl.
#include <kernel/native_calls.h>
#include <kernel/vmo.h>

_Static_assert(INV_VMO_SIZE_MAX == VMO_MAX_SIZE, "one greatest size");

inv_status_t sys_vmo_create(struct job *job, uint64_t size, inv_vmo_options_t options, struct vmo **out_vmo) {
    inv_status_t status = vmo_create(job, size, out_vmo);

    if (status == INV_OK)
        (*out_vmo)->resizable = (options & INV_VMO_OPTION_RESIZABLE) != 0;
    return status;
}

inv_status_t sys_vmo_read(struct vmo *vmo, uint64_t offset, void user_ptr *data, size_t data_size, uint64_t *out_done) {
    return vmo_read_user(vmo, offset, data, data_size, out_done);
}

inv_status_t sys_vmo_write(struct vmo *vmo, uint64_t offset, const void user_ptr *data, size_t data_size,
                           uint64_t *out_done) {
    return vmo_write_user(vmo, offset, data, data_size, out_done);
}

inv_status_t sys_vmo_get_size(struct vmo *vmo, uint64_t *out_size) {
    *out_size = atomic_load_explicit(&vmo->size, memory_order_relaxed);
    return INV_OK;
}

inv_status_t sys_vmo_set_size(struct vmo *vmo, uint64_t size) {
    if (size > VMO_MAX_SIZE)
        return INV_ERR_RANGE;
    return vmo->resizable ? vmo_resize(vmo, size) : INV_ERR_BAD_STATE;
}

inv_status_t sys_vmo_clone(struct vmo *vmo, struct job *job, uint64_t offset, uint64_t size, struct vmo **out_clone) {
    inv_status_t status = vmo_clone(vmo, offset, size, job, out_clone);

    if (status == INV_OK)
        (*out_clone)->resizable = vmo->resizable;
    return status;
}
