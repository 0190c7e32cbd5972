// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Epoll: a set of files that are watched together. A file that becomes ready puts its item on the set's list of ready items, from its own queue's wake-up;
// a wait asks only the files on that list. No file that nobody woke is ever looked at. Thread context, but for item_wake (any, under a queue's lock).
//
// An item's way: epoll_add registers it on the file's queues and looks once; item_wake puts it on the list; report takes it off, asks the file, and puts it
// back behind the others if it is level-triggered and was ready. So every event that comes after the file was asked puts the item on the list again.
//
// The end of a file: file_put calls epoll_file_gone before the file's own release, while its queues still stand. The end of a set: its file's release.
// Either ends the item, under the set's mutex, and takes it off the file's list under the file's watch lock: who finds it there, with both held, owns it.
//
// Invariants:
//   I1 an item is in its set's tree, on its file's list and on the file's queues, or in none of them, but for within epoll_add and item_end;
//   I2 ready says whether an item is on the set's list;
//   I3 sets watch each other without a loop (epoll_nest.c), which orders their mutexes and locks: the watching set's mutex first; in wake-ups, which run
//      the other way, the watched set's queue first.
// Locking: EPOLL_NEST, mutex (EPOLL) > watch lock (VFS_SPIN); queue of a file (WAITQ) > lock of the set (WAITQ) or its queues (WAITQ).
#include <arch/usercopy.h>
#include <kernel/assert.h>
#include <kernel/boot.h>
#include <kernel/epoch.h>
#include <kernel/job.h>
#include <kernel/page.h>
#include <kernel/slab.h>

#include "epoll_set.h"

#define ALWAYS       (POLL_ERR | POLL_HUP)
#define IN_OUT       (POLL_IN | POLL_OUT)
#define MODES        (EPOLL_WAKEUP | EPOLL_ONESHOT | EPOLL_EDGE | EPOLL_EXCLUSIVE)
#define WATCHES_PART 25u // of memory that items may take: a 25th, as in Linux
#define READ_BITS    (POLL_IN | POLL_RDNORM)

struct spinlock epoll_watch_lock = SPINLOCK_INIT(LOCK_RANK_VFS_SPIN);
static struct slab_cache item_cache;
_Atomic uint64_t epoll_user_watches_max;

static inv_status_t limit_init(void) {
    struct page_stats stats;
    page_get_stats(&stats);
    atomic_store(&epoll_user_watches_max, stats.total * PAGE_SIZE / WATCHES_PART / sizeof(struct epoll_item));
    return INV_OK;
}
BOOT_CALL("epoll limit", BOOT_STAGE_EXECUTIVE, limit_init);

// --- wake-ups ---------------------------------------------------------------------------------------------------------

static void set_wake(struct epoll_set *e, unsigned n) {
    atomic_thread_fence(memory_order_seq_cst);
    if (!list_empty(&e->wait.waiters))
        waitq_wake(&e->wait, n, 0);
    if (!list_empty(&e->poll_wait.waiters))
        waitq_wake(&e->poll_wait, UINT32_MAX, READ_BITS);
}

// Puts the item on the list. Interrupts off.
static void make_ready(struct epoll_item *i) {
    struct epoll_set *e = i->set;
    spin_lock(&e->lock);
    if (!i->ready) {
        i->ready = true;
        list_push_back(&e->ready, &i->ready_node);
    }
    spin_unlock(&e->lock);
}

// An exclusive item has used the wake-up if it woke somebody with an event of the kind that is waited for.
static bool wake_used(uint32_t events, uint32_t key, bool anybody) {
    if (!anybody || !(events & EPOLL_EXCLUSIVE))
        return false;
    uint32_t kind = key & IN_OUT;
    return kind == 0 || (kind != IN_OUT && (events & kind) != 0);
}

static bool item_wake(struct waiter *w, uint32_t key) {
    struct epoll_waiter *ew = container_of(w, struct epoll_waiter, waiter);
    struct epoll_item *i = w->arg;
    uint32_t events = atomic_load_explicit(&i->events, memory_order_relaxed);
    if (unlikely(key == POLL_FREE)) {
        make_ready(i); // who asks next hears what is left to hear
        set_wake(i->set, 1);
        list_remove(&w->node);
        atomic_store_explicit(&ew->queue, NULL, memory_order_release);
        return false; // i may be gone from here on
    }
    if (!(events & ~MODES) || (key != 0 && !(key & events)))
        return false;
    make_ready(i);
    struct epoll_set *e = i->set;
    atomic_thread_fence(memory_order_seq_cst);
    bool anybody = !list_empty(&e->wait.waiters);
    if (anybody)
        waitq_wake(&e->wait, 1, 0);
    if (!list_empty(&e->poll_wait.waiters))
        waitq_wake(&e->poll_wait, UINT32_MAX, READ_BITS);
    return wake_used(events, key, anybody);
}

// --- items ------------------------------------------------------------------------------------------------------------

// The set mutex is held.
static struct epoll_item *item_find(struct epoll_set *e, const struct file *f, int fd, struct rb_node **out_parent,
                                    struct rb_node ***out_link) {
    struct rb_node **link = &e->items.root, *parent = NULL;
    while (*link != NULL) {
        struct epoll_item *i = rb_entry(*link, struct epoll_item, node);
        if (i->file == f && i->fd == fd)
            return i;
        parent = *link;
        link = f < i->file || (f == i->file && fd < i->fd) ? &parent->left : &parent->right;
    }
    *out_parent = parent;
    *out_link = link;
    return NULL;
}

static unsigned item_poll(struct epoll_item *i, struct poll_set *set) {
    return file_poll(i->file, set) & atomic_load_explicit(&i->events, memory_order_relaxed);
}

static void watch_link(struct epoll_item *i) {
    struct file *f = i->file;
    spin_lock(&epoll_watch_lock);
    i->file_next = f->watches;
    i->file_link = &f->watches;
    if (i->file_next != NULL)
        i->file_next->file_link = &i->file_next;
    f->watches = i;
    spin_unlock(&epoll_watch_lock);
    atomic_fetch_or_explicit(&f->holds, FILE_HOLDS_WATCHED, memory_order_relaxed);
}

// After it the file may go.
static void watch_unlink(struct epoll_item *i) {
    spin_lock(&epoll_watch_lock);
    *i->file_link = i->file_next;
    if (i->file_next != NULL)
        i->file_next->file_link = i->file_link;
    spin_unlock(&epoll_watch_lock);
}

static void waiter_leave(struct epoll_waiter *w) {
    epoch_enter(); // a queue that ends at this moment stays readable
    struct waitq *q = atomic_load_explicit(&w->queue, memory_order_acquire);
    if (q != NULL)
        waitq_remove(q, &w->waiter);
    epoch_exit();
}

static void item_free(struct epoll_item *i, struct job *job) {
    struct epoll_waiter *next;
    for (struct epoll_waiter *w = i->first.next; w != NULL; w = next) {
        next = w->next;
        kfree(w);
        job_uncharge(job, JOB_MEMORY, sizeof(*w));
    }
    slab_free(&item_cache, i);
    job_uncharge(job, JOB_MEMORY, sizeof(*i));
}

// Ends an item of the tree, registered in full or in part. The set mutex is held.
static void item_end(struct epoll_item *i) {
    struct epoll_set *e = i->set;
    for (struct epoll_waiter *w = &i->first; w != NULL; w = w->next)
        waiter_leave(w);
    watch_unlink(i);
    irq_flags_t flags = spin_lock_irq(&e->lock);
    if (i->ready)
        list_remove(&i->ready_node);
    spin_unlock_irq(&e->lock, flags);
    rb_remove(&e->items, &i->node);
    item_free(i, e->job);
    atomic_fetch_sub_explicit(&e->user->epoll_watches, 1, memory_order_relaxed);
}

// --- registering ---

struct registration {
    struct poll_set set;
    struct epoll_item *item;
    bool failed;
};

static struct epoll_waiter *waiter_alloc(struct job *job) {
    if (job_charge(job, JOB_MEMORY, sizeof(struct epoll_waiter)) != INV_OK)
        return NULL;
    struct epoll_waiter *w = kzalloc(sizeof(*w));
    if (w == NULL)
        job_uncharge(job, JOB_MEMORY, sizeof(*w));
    return w;
}

static void register_queue(struct poll_set *set, struct waitq *q) {
    struct registration *r = container_of(set, struct registration, set);
    struct epoll_item *i = r->item;
    struct epoll_waiter *w = &i->first;
    if (atomic_load_explicit(&w->queue, memory_order_relaxed) != NULL) {
        w = waiter_alloc(i->set->job);
        if (w == NULL) {
            r->failed = true;
            return;
        }
        w->next = i->first.next;
        i->first.next = w;
    }
    waiter_init(&w->waiter);
    w->waiter.thread = NULL;
    w->waiter.wake = item_wake;
    w->waiter.arg = i;
    w->waiter.exclusive = (atomic_load_explicit(&i->events, memory_order_relaxed) & EPOLL_EXCLUSIVE) != 0;
    atomic_store_explicit(&w->queue, q, memory_order_relaxed);
    waitq_add(q, &w->waiter);
}

static struct epoll_item *item_create(struct epoll_set *e, struct file *f, int fd, const struct epoll_report *wanted,
                                      inv_status_t *out_status) {
    *out_status = INV_ERR_NO_SPACE;
    if (atomic_fetch_add_explicit(&e->user->epoll_watches, 1, memory_order_relaxed) >=
        atomic_load_explicit(&epoll_user_watches_max, memory_order_relaxed))
        goto uncount;
    *out_status = job_charge(e->job, JOB_MEMORY, sizeof(struct epoll_item));
    if (*out_status != INV_OK)
        goto uncount;
    struct epoll_item *i = slab_zalloc(&item_cache);
    if (i != NULL) {
        i->set = e;
        i->file = f;
        i->fd = fd;
        i->data = wanted->data;
        atomic_init(&i->events, wanted->events | ALWAYS);
        list_init(&i->ready_node);
        list_init(&i->first.waiter.node);
        return i;
    }
    *out_status = INV_ERR_NO_MEMORY;
    job_uncharge(e->job, JOB_MEMORY, sizeof(struct epoll_item));
uncount:
    atomic_fetch_sub_explicit(&e->user->epoll_watches, 1, memory_order_relaxed);
    return NULL;
}

static void ready_and_wake(struct epoll_item *i) {
    irq_flags_t flags = arch_irq_save();
    preempt_disable();
    make_ready(i);
    arch_irq_restore(flags);
    preempt_enable();
    set_wake(i->set, 1);
}

// The set mutex is held, and, where sets are in sets, the nest.
static inv_status_t insert(struct epoll_set *e, struct file *f, int fd, const struct epoll_report *wanted,
                           bool nested) {
    struct rb_node *parent, **link;
    inv_status_t s;
    if (item_find(e, f, fd, &parent, &link) != NULL)
        return INV_ERR_EXISTS;
    struct epoll_item *i = item_create(e, f, fd, wanted, &s);
    if (i == NULL)
        return s;
    rb_insert(&e->items, &i->node, parent, link);
    watch_link(i);
    struct registration r = {.set.add = register_queue, .item = i};
    unsigned now = item_poll(i, &r.set);
    s = r.failed ? INV_ERR_NO_MEMORY : nested ? epoll_nest_paths(f) : INV_OK;
    if (s != INV_OK) {
        item_end(i);
        return s;
    }
    if (now != 0)
        ready_and_wake(i);
    return INV_OK;
}

inv_status_t epoll_add(struct file *epoll, struct file *f, int fd, const struct epoll_report *wanted) {
    struct epoll_set *e = epoll_set_of(epoll);
    // A set's place among sets matters if it watches a set, or is watched itself.
    bool nested = epoll_is(f) || (epoll->holds & FILE_HOLDS_WATCHED) != 0;
    inv_status_t s = INV_OK;
    if (nested) {
        epoll_nest_begin();
        s = epoll_nest_loop(e, f);
    }
    if (s == INV_OK) {
        mutex_lock(&e->mutex);
        s = insert(e, f, fd, wanted, nested);
        mutex_unlock(&e->mutex);
    }
    if (nested)
        epoll_nest_end();
    return s;
}

inv_status_t epoll_modify(struct file *epoll, struct file *f, int fd, const struct epoll_report *wanted) {
    struct epoll_set *e = epoll_set_of(epoll);
    struct rb_node *parent, **link;
    mutex_lock(&e->mutex);
    struct epoll_item *i = item_find(e, f, fd, &parent, &link);
    inv_status_t s = i == NULL ? INV_ERR_NOT_FOUND : (i->events & EPOLL_EXCLUSIVE) != 0 ? INV_ERR_INVALID : INV_OK;
    if (s == INV_OK) {
        i->data = wanted->data;
        atomic_store(&i->events,
                     wanted->events | ALWAYS); // before the file is asked: a wake-up in between counts by the new ones
        if (item_poll(i, NULL) != 0)
            ready_and_wake(i);
    }
    mutex_unlock(&e->mutex);
    return s;
}

inv_status_t epoll_remove(struct file *epoll, struct file *f, int fd) {
    struct epoll_set *e = epoll_set_of(epoll);
    struct rb_node *parent, **link;
    mutex_lock(&e->mutex);
    struct epoll_item *i = item_find(e, f, fd, &parent, &link);
    if (i != NULL)
        item_end(i);
    mutex_unlock(&e->mutex);
    return i != NULL ? INV_OK : INV_ERR_NOT_FOUND;
}

// --- reporting --------------------------------------------------------------------------------------------------------

static bool anything_ready(struct epoll_set *e) {
    return !list_empty((const struct list_node *)&e->ready);
}

// Takes the first item off the list. NULL: it is empty.
static struct epoll_item *pop(struct epoll_set *e) {
    struct epoll_item *i = NULL;
    irq_flags_t flags = spin_lock_irq(&e->lock);
    if (!list_empty(&e->ready)) {
        i = list_first(&e->ready, struct epoll_item, ready_node);
        list_remove(&i->ready_node);
        i->ready = false;
    }
    spin_unlock_irq(&e->lock, flags);
    return i;
}

// first: before the others, else behind them.
static void push(struct epoll_item *i, bool first) {
    struct epoll_set *e = i->set;
    irq_flags_t flags = spin_lock_irq(&e->lock);
    if (!i->ready) {
        i->ready = true;
        if (first)
            list_insert_between(&i->ready_node, &e->ready, e->ready.next);
        else
            list_push_back(&e->ready, &i->ready_node);
    }
    spin_unlock_irq(&e->lock, flags);
}

// NULL: the list is empty. Only who holds the mutex takes items off: it stays where it is.
static const struct epoll_item *last_ready(struct epoll_set *e) {
    irq_flags_t flags = spin_lock_irq(&e->lock);
    const struct epoll_item *i = list_empty(&e->ready) ? NULL : list_last(&e->ready, struct epoll_item, ready_node);
    spin_unlock_irq(&e->lock, flags);
    return i;
}

// Reports what is on the list now, each item once. *out_count 0 without an error: none of them was ready after all.
static inv_status_t report(struct epoll_set *e, void user_ptr *to, unsigned most, unsigned *out_count) {
    struct epoll_item *i = NULL;
    unsigned n = 0;
    inv_status_t s = INV_OK;
    mutex_lock(&e->mutex);
    const struct epoll_item *last = last_ready(e);
    while (n < most && i != last && (i = pop(e)) != NULL) {
        uint32_t modes = atomic_load_explicit(&i->events, memory_order_relaxed) & MODES;
        unsigned events = item_poll(i, NULL);
        if (events == 0)
            continue;
        struct epoll_report r = {.events = events, .data = i->data};
        if (arch_copy_to_user((struct epoll_report user_ptr *)to + n, &r, sizeof(r)) != INV_OK) {
            push(i, true);
            s = n == 0 ? INV_ERR_FAULT : INV_OK;
            break;
        }
        n++;
        if (modes & EPOLL_ONESHOT)
            atomic_store_explicit(&i->events, modes, memory_order_relaxed);
        else if (!(modes & EPOLL_EDGE))
            push(i, false);
    }
    mutex_unlock(&e->mutex);
    if (n != 0 && anything_ready(e))
        set_wake(e, 1); // for another thread
    *out_count = n;
    return s;
}

inv_status_t epoll_wait(struct file *epoll, void user_ptr *to, unsigned most, nstime_t deadline, unsigned *out_count) {
    struct epoll_set *e = epoll_set_of(epoll);
    inv_status_t s = INV_OK;
    *out_count = 0;
    for (;;) {
        if (anything_ready(e)) {
            inv_status_t reported = report(e, to, most, out_count);
            if (reported != INV_OK || *out_count != 0)
                return reported;
        }
        if (deadline == 0 || s == INV_ERR_TIMED_OUT)
            return INV_OK;
        if (s != INV_OK)
            return s;
        WAIT_EVENT(&e->wait, anything_ready(e), WAIT_INTERRUPTIBLE, deadline, s);
    }
}

// --- the set as a file ------------------------------------------------------------------------------------------------

// Ready if one of its items is. Items that are not, after all, leave the list.
static unsigned set_poll(struct file *file, struct poll_set *set) {
    struct epoll_set *e = epoll_set_of(file);
    struct epoll_item *i;
    unsigned mask = 0;
    poll_add(set, &e->poll_wait);
    if (!anything_ready(e))
        return 0;
    mutex_lock(&e->mutex);
    while (mask == 0 && (i = pop(e)) != NULL) {
        if (item_poll(i, NULL) != 0) {
            push(i, true);
            mask = READ_BITS;
        }
    }
    mutex_unlock(&e->mutex);
    return mask;
}

const struct file *epoll_target(struct file *epoll, int fd, unsigned skip) {
    struct epoll_set *e = epoll_set_of(epoll);
    const struct file *found = NULL;
    mutex_lock(&e->mutex);
    for (struct rb_node *n = rb_first(&e->items); n != NULL && found == NULL; n = rb_next(n)) {
        const struct epoll_item *i = rb_entry(n, struct epoll_item, node);
        if (i->fd == fd && skip-- == 0)
            found = i->file;
    }
    mutex_unlock(&e->mutex);
    return found;
}

static void set_put(struct epoll_set *e) {
    if (atomic_fetch_sub_explicit(&e->count, 1, memory_order_acq_rel) == 1) {
        user_account_put(e->user);
        event_memory_put(e, sizeof(*e), e->job);
    }
}

static void set_release(struct file *file) {
    struct epoll_set *e = epoll_set_of(file);
    mutex_lock(&e->mutex);
    while (e->items.root != NULL)
        item_end(rb_entry(e->items.root, struct epoll_item, node));
    mutex_unlock(&e->mutex);
    set_put(e);
}

void epoll_file_gone(struct file *f) {
    for (;;) {
        spin_lock(&epoll_watch_lock);
        struct epoll_item *i = f->watches;
        struct epoll_set *e = i != NULL ? i->set : NULL;
        if (e != NULL)
            atomic_fetch_add_explicit(&e->count, 1, memory_order_relaxed); // the item is there, and so is its set
        spin_unlock(&epoll_watch_lock);
        if (e == NULL)
            return;
        mutex_lock(&e->mutex);
        // Nobody adds items for a file that has no count: if this one is still the first, it is the same.
        spin_lock(&epoll_watch_lock);
        bool same = f->watches == i;
        spin_unlock(&epoll_watch_lock);
        if (same)
            item_end(i);
        mutex_unlock(&e->mutex);
        set_put(e);
    }
}

static void show_item(struct epoll_item *i, struct text_sink *sink) {
    struct inode *inode = i->file->inode;
    text_sink_print(sink, "tfd: %8d events: %8x data: %16lx  pos:%ld ino:%lx sdev:%x\n", i->fd,
                    atomic_load_explicit(&i->events, memory_order_relaxed), (unsigned long)i->data,
                    (long)i->file->position, (unsigned long)inode->ino, (unsigned)inode->superblock->device);
}

static void set_show(struct file *file, struct text_sink *sink) {
    struct epoll_set *e = epoll_set_of(file);
    mutex_lock(&e->mutex);
    for (struct rb_node *n = rb_first(&e->items); n != NULL; n = rb_next(n))
        show_item(rb_entry(n, struct epoll_item, node), sink);
    mutex_unlock(&e->mutex);
}

const struct file_ops epoll_ops = {.poll = set_poll, .seek_ignored = true, .release = set_release, .show = set_show};

bool epoll_is(const struct file *f) {
    return f->ops == &epoll_ops;
}

inv_status_t epoll_create(struct file **out) {
    struct job *job;
    struct epoll_set *e = event_memory_get(sizeof(*e), &job);
    if (e == NULL)
        return INV_ERR_NO_MEMORY;
    e->job = job;
    e->user = user_account_get();
    if (e->user == NULL) {
        event_memory_put(e, sizeof(*e), job);
        return INV_ERR_NO_MEMORY;
    }
    atomic_init(&e->count, 1);
    mutex_init(&e->mutex, LOCK_RANK_EPOLL);
    spin_lock_init(&e->lock, LOCK_RANK_WAITQ);
    list_init(&e->ready);
    waitq_init(&e->wait);
    waitq_init(&e->poll_wait);
    inv_status_t s = file_create_anonymous("anon_inode:[eventpoll]", &epoll_ops, e, O_RDWR_, 0600, out);
    if (s == INV_OK)
        e->file = *out;
    else
        set_put(e);
    return s;
}

static inv_status_t epoll_init(void) {
    slab_cache_init(&item_cache, "epoll_item", sizeof(struct epoll_item), 0);
    return INV_OK;
}
BOOT_CALL("epoll", BOOT_STAGE_EXECUTIVE, epoll_init);
