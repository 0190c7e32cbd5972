// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Copies into and out of VMOs, to kernel and to user memory: read and write of files in memory stand on these. Thread
// context, no lock of rank VMO or above held; for user copies none that the page fault path takes.
//
// Each page is counted for the length of its own copy and no lock is held meanwhile. So the user's buffer may be a
// mapping of the very same object, and the fault that the copy takes can lock it. A page that another thread cuts off
// the object during the copy is still ours; what is written is lost with it.

#include "vmo_pages.h"
#include "vmo_slots.h"

#include <arch/usercopy.h>
#include <kernel/cpu.h>
#include <kernel/string.h>

// Where bytes come from or go to: copies n and returns the number NOT copied. from NULL: zeros.
typedef size_t (*copy_out_fn)(void *to, const void *from, size_t n);
typedef size_t (*copy_in_fn)(void *to, const void *from, size_t n);

static size_t out_to_kernel(void *to, const void *from, size_t n) {
    if (from) {
        memcpy(to, from, n);
        counter_add(bytes_copied, n);
    } else {
        memset(to, 0, n);
    }
    return 0;
}

static size_t out_to_user(void *to, const void *from, size_t n) {
    return from ? arch_copy_to_user_partial((void user_ptr *)to, from, n)
                : arch_zero_user_partial((void user_ptr *)to, n);
}

static size_t in_from_kernel(void *to, const void *from, size_t n) {
    memcpy(to, from, n);
    counter_add(bytes_copied, n);
    return 0;
}

static size_t in_from_user(void *to, const void *from, size_t n) {
    return arch_copy_from_user_partial(to, (const void user_ptr *)from, n);
}

// Bytes of [offset, offset + n) in the page of offset and inside the object.
static size_t chunk_size(struct vmo *v, uint64_t offset, size_t n) {
    uint64_t size = atomic_load_explicit(&v->size, memory_order_acquire);

    if (offset >= size)
        return 0;
    return (size_t)MIN(MIN((uint64_t)n, size - offset), PAGE_SIZE - (offset & ~PAGE_MASK));
}

static inline inv_status_t copy_out(struct vmo *v, uint64_t offset, void *to, size_t n, size_t *out_done,
                                    copy_out_fn copy) {
    inv_status_t status = INV_OK;
    size_t done = 0, chunk;

    while (done < n && (chunk = chunk_size(v, offset + done, n - done)) > 0) {
        struct page *p;
        status = vmo_get_page(v, (offset + done) >> PAGE_SHIFT, false, &p);
        if (status == INV_ERR_RANGE) { // it shrank just now
            status = INV_OK;
            break;
        }
        if (status != INV_OK)
            break;
        const char *from = p ? (char *)page_to_virt(p) + ((offset + done) & ~PAGE_MASK) : NULL;
        size_t left = copy((char *)to + done, from, chunk);
        if (p)
            page_put(p);
        done += chunk - left;
        if (left > 0) {
            status = INV_ERR_FAULT;
            break;
        }
    }
    *out_done = done;
    return status;
}

// Fills a whole page that is not there yet without zeroing it first. True if that was done (*out_left bytes were not
// copied); false: go the ordinary way.
static bool copy_in_fresh(struct vmo *v, uint64_t index, const void *from, copy_in_fn copy, size_t *out_left) {
    bool exclusive;

    mutex_lock(&v->lock);
    bool there = slots_lookup(&v->slots, index, &exclusive) != NULL;
    mutex_unlock(&v->lock);
    struct page *p = there ? NULL : page_alloc(0, PAGE_USER, v->page_state, v->obj.job);
    if (!p)
        return false;
    *out_left = copy(page_to_virt(p), from, PAGE_SIZE);
    if (*out_left > 0)
        memset((char *)page_to_virt(p) + PAGE_SIZE - *out_left, 0, *out_left);
    mutex_lock(&v->lock);
    struct slot_place place;
    bool stored = index < pages_in(v->size) && slots_prepare(&v->slots, index, v->obj.job, &place) && !slots_at(&place);
    if (stored) {
        (void)slots_store(&place, p);
        atomic_fetch_add_explicit(&v->resident, 1, memory_order_relaxed);
    }
    mutex_unlock(&v->lock);
    if (!stored)
        page_put(p); // another was faster, or no memory: the ordinary way finds out
    return stored;
}

static inline inv_status_t copy_in(struct vmo *v, uint64_t offset, const void *from, size_t n, size_t *out_done,
                                   copy_in_fn copy) {
    inv_status_t status = INV_OK;
    size_t done = 0, chunk, left;

    while (done < n && (chunk = chunk_size(v, offset + done, n - done)) > 0) {
        uint64_t at = offset + done;
        struct page *p;
        if (chunk != PAGE_SIZE || v->kind != VMO_ANONYMOUS ||
            !copy_in_fresh(v, at >> PAGE_SHIFT, (const char *)from + done, copy, &left)) {
            status = vmo_get_page(v, at >> PAGE_SHIFT, true, &p);
            if (status != INV_OK)
                break;
            left = copy((char *)page_to_virt(p) + (at & ~PAGE_MASK), (const char *)from + done, chunk);
            page_put(p);
        }
        done += chunk - left;
        if (left > 0) {
            status = INV_ERR_FAULT;
            break;
        }
    }
    *out_done = done;
    return status == INV_ERR_RANGE ? INV_OK : status; // it shrank under the copy: a short write
}

inv_status_t vmo_read(struct vmo *v, uint64_t offset, void *to, size_t n, size_t *out_done) {
    return copy_out(v, offset, to, n, out_done, out_to_kernel);
}

inv_status_t vmo_read_user(struct vmo *v, uint64_t offset, void user_ptr *to, size_t n, size_t *out_done) {
    return copy_out(v, offset, (void *)to, n, out_done, out_to_user);
}

inv_status_t vmo_write(struct vmo *v, uint64_t offset, const void *from, size_t n, size_t *out_done) {
    return copy_in(v, offset, from, n, out_done, in_from_kernel);
}

inv_status_t vmo_write_user(struct vmo *v, uint64_t offset, const void user_ptr *from, size_t n, size_t *out_done) {
    return copy_in(v, offset, (const void *)from, n, out_done, in_from_user);
}
