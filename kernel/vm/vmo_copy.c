// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Copies into and out of VMOs, to kernel and to user memory: read and write of files in memory stand on these. Thread
// context, no lock of rank VMO or above held; for moves to and from user memory none that the page fault path takes.
//
// Each page is counted while it is copied and no lock is held meanwhile. So the user's buffer may be a mapping of the
// very same object, and the fault that the copy takes can lock it. A page that another thread cuts off the object during
// the copy is still ours; what is written is lost with it. Reads look up several pages at a time.

#include "vmo_pages.h"
#include "vmo_slots.h"

#include <arch/usercopy.h>
#include <kernel/cpu.h>
#include <kernel/string.h>

#define READ_PAGES 8 // looked up at a time

// Bytes of [offset, offset + n) inside the object.
static size_t bytes_inside(struct vmo *v, uint64_t offset, size_t n) {
    uint64_t size = atomic_load_explicit(&v->size, memory_order_acquire);

    return offset >= size ? 0 : (size_t)MIN((uint64_t)n, size - offset);
}

// Bytes of the n from offset on that lie in offset's page.
static size_t bytes_in_page(uint64_t offset, size_t n) {
    return MIN(n, (size_t)(PAGE_SIZE - (offset & ~PAGE_MASK)));
}

// The pages of [offset, offset + n), counted, at most READ_PAGES, as far as the object goes; NULL for a hole. Returns their
// number.
static inv_status_t pages_get(struct vmo *v, uint64_t offset, size_t n, struct page **pages, size_t *out_count) {
    uint64_t first = offset >> PAGE_SHIFT, end = pages_in(offset + n);
    size_t count = (size_t)MIN(end - first, (uint64_t)READ_PAGES);

    *out_count = 1;
    if (v->kind == VMO_PHYSICAL)
        return vmo_get_page(v, first, false, &pages[0]);
    mutex_lock(&v->lock);
    uint64_t limit = pages_in(v->size);
    count = first < limit ? (size_t)MIN((uint64_t)count, limit - first) : 0; // it may have shrunk just now
    slots_window(&v->slots, first, count, pages);
    for (size_t i = 0; i < count; i++)
        if (pages[i])
            page_get(pages[i]);
    mutex_unlock(&v->lock);
    *out_count = count;
    return INV_OK;
}

inv_status_t vmo_read_by(struct vmo *v, uint64_t offset, size_t n, vmo_move_fn move, void *context, size_t *out_done) {
    inv_status_t status = INV_OK;
    size_t done = 0, inside, count;
    struct page *pages[READ_PAGES];

    while (status == INV_OK && done < n && (inside = bytes_inside(v, offset + done, n - done)) > 0) {
        status = pages_get(v, offset + done, inside, pages, &count);
        if (status != INV_OK || count == 0)
            break;
        for (size_t i = 0; i < count; i++) {
            size_t in_page = (offset + done) & ~PAGE_MASK, chunk = bytes_in_page(in_page, inside);
            if (status == INV_OK) {
                size_t left = move(context, pages[i] ? (char *)page_to_virt(pages[i]) + in_page : NULL, chunk);
                done += chunk - left;
                inside -= chunk;
                status = left > 0 ? INV_ERR_FAULT : INV_OK;
            }
            if (pages[i])
                page_put(pages[i]);
        }
    }
    *out_done = done;
    return status == INV_ERR_RANGE ? INV_OK : status;
}

// Puts a page whose contents are ready into an empty slot. False: there is one by now, or the object was cut, or no memory.
static bool page_store(struct vmo *v, uint64_t index, struct page *p) {
    struct slot_place place;

    mutex_lock(&v->lock);
    bool stored = index < pages_in(v->size) && slots_prepare(&v->slots, index, v->obj.job, &place) && !slots_at(&place);
    if (stored) {
        (void)slots_store(&place, p);
        atomic_fetch_add_explicit(&v->resident, 1, memory_order_relaxed);
    }
    mutex_unlock(&v->lock);
    return stored;
}

static bool page_is_there(struct vmo *v, uint64_t index) {
    bool exclusive;

    mutex_lock(&v->lock);
    bool there = slots_lookup(&v->slots, index, &exclusive) != NULL;
    mutex_unlock(&v->lock);
    return there;
}

// Moves n bytes into the page of offset, which is not zeroed first where the whole of it is written and it is not there yet.
static inv_status_t write_page(struct vmo *v, uint64_t offset, size_t n, vmo_move_fn move, void *context,
                               size_t *out_left) {
    uint64_t index = offset >> PAGE_SHIFT;
    bool whole = n == PAGE_SIZE && v->kind == VMO_ANONYMOUS && !page_is_there(v, index);
    struct page *fresh = whole ? page_alloc(0, PAGE_USER, v->page_state, v->obj.job) : NULL, *p;

    if (fresh) {
        *out_left = move(context, page_to_virt(fresh), PAGE_SIZE);
        if (*out_left > 0)
            memset((char *)page_to_virt(fresh) + PAGE_SIZE - *out_left, 0, *out_left);
        if (page_store(v, index, fresh))
            return INV_OK;
    }
    inv_status_t status = vmo_get_page(v, index, true, &p);
    if (status == INV_OK) {
        char *to = (char *)page_to_virt(p) + (offset & ~PAGE_MASK);
        if (fresh) // another was faster; what was moved cannot be moved again
            memcpy(to, page_to_virt(fresh), PAGE_SIZE - *out_left);
        else
            *out_left = move(context, to, n);
        page_put(p);
    }
    if (fresh)
        page_put(fresh);
    return status;
}

inv_status_t vmo_write_by(struct vmo *v, uint64_t offset, size_t n, vmo_move_fn move, void *context, size_t *out_done) {
    inv_status_t status = INV_OK;
    size_t done = 0, inside, left;

    while (status == INV_OK && done < n && (inside = bytes_inside(v, offset + done, n - done)) > 0) {
        size_t chunk = bytes_in_page(offset + done, inside);
        status = write_page(v, offset + done, chunk, move, context, &left);
        if (status == INV_OK) {
            done += chunk - left;
            status = left > 0 ? INV_ERR_FAULT : INV_OK;
        }
    }
    *out_done = done;
    return status == INV_ERR_RANGE ? INV_OK : status; // it shrank under the copy: a short write
}

// --- plain memory ----------------------------------------------------------------------------------------------------

// Each moves on the pointer that context leads to.
static size_t move_to_kernel(void *context, void *page, size_t n) {
    char **to = context;

    if (page) {
        memcpy(*to, page, n);
        counter_add(bytes_copied, n);
    } else {
        memset(*to, 0, n);
    }
    *to += n;
    return 0;
}

static size_t move_from_kernel(void *context, void *page, size_t n) {
    const char **from = context;

    memcpy(page, *from, n);
    counter_add(bytes_copied, n);
    *from += n;
    return 0;
}

static size_t move_to_user(void *context, void *page, size_t n) {
    char user_ptr **to = context;
    size_t left = page ? arch_copy_to_user_partial(*to, page, n) : arch_zero_user_partial(*to, n);

    *to += n;
    return left;
}

static size_t move_from_user(void *context, void *page, size_t n) {
    const char user_ptr **from = context;
    size_t left = arch_copy_from_user_partial(page, *from, n);

    *from += n;
    return left;
}

inv_status_t vmo_read(struct vmo *v, uint64_t offset, void *to, size_t n, size_t *out_done) {
    return vmo_read_by(v, offset, n, move_to_kernel, &to, out_done);
}

inv_status_t vmo_read_user(struct vmo *v, uint64_t offset, void user_ptr *to, size_t n, size_t *out_done) {
    return vmo_read_by(v, offset, n, move_to_user, &to, out_done);
}

inv_status_t vmo_write(struct vmo *v, uint64_t offset, const void *from, size_t n, size_t *out_done) {
    return vmo_write_by(v, offset, n, move_from_kernel, &from, out_done);
}

inv_status_t vmo_write_user(struct vmo *v, uint64_t offset, const void user_ptr *from, size_t n, size_t *out_done) {
    return vmo_write_by(v, offset, n, move_from_user, &from, out_done);
}
