// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Timers as files (timerfd): a read takes how often the timer has expired. Through file operations in thread context; the timer's handler runs in interrupt
// context.
//
//   off --set--> armed --expiry--> expired --read, get or set of a periodic one: what was missed is counted--> armed
//
// A periodic timer is armed again by who looks at it, not by its expiry: nobody can fill a processor with interrupts that nobody reads.
//
// Invariants:
//   I1 armed: the timer is queued, or its handler is on the way and will look again under the lock.
//   I2 a timer that counts absolute wall time is on the list of wall watches from then until its end.
// Locking: lock (EVENT, interrupts off), after WALL_WATCH.
#include <executive/event.h>

struct event_timer {
    struct ktimer timer;
    struct waitq wait;
    struct wall_watch watch;
    struct spinlock lock;
    /* lock: */
    uint64_t ticks;
    nstime_t expires, interval; // expires: of wall time if absolute_wall
    bool armed, expired, absolute_wall;
    bool cancel_on_set, moved; // moved: the clock was set and nobody was told yet
    unsigned flags;            // of the last set
    /* immutable: */
    int clock;
    bool wall;
    struct job *job; // charged; counted
};

// --- under the lock ---

static nstime_t now_of(const struct event_timer *t) {
    return t->absolute_wall ? clock_wall() : clock_monotonic();
}

static void arm_locked(struct event_timer *t) {
    t->armed = true;
    timer_set(&t->timer, t->absolute_wall ? wall_deadline(t->expires) : t->expires);
}

// The periods that have passed since a periodic timer expired; it goes on.
static void catch_up_locked(struct event_timer *t) {
    nstime_t now = now_of(t);
    if (!t->expired || t->interval == 0)
        return;
    t->expired = false;
    uint64_t periods = now >= t->expires ? (now - t->expires) / t->interval + 1 : 0;
    t->ticks += periods - 1;
    if (__builtin_mul_overflow(periods, t->interval, &periods) || t->expires + periods < t->expires)
        t->expires = NSTIME_NEVER;
    else
        t->expires += periods;
    arm_locked(t);
}

static nstime_t left_locked(const struct event_timer *t) {
    nstime_t now = now_of(t);
    return t->armed && t->expires > now ? t->expires - now : 0;
}

// Takes the news that the clock was set.
static bool cancelled_locked(struct event_timer *t) {
    if (!t->cancel_on_set || !t->moved)
        return false;
    t->moved = false;
    return true;
}

// --- expiry and the clock ---

static void fired(struct ktimer *timer) {
    struct event_timer *t = container_of(timer, struct event_timer, timer);
    irq_flags_t flags = spin_lock_irq(&t->lock);
    bool due = t->armed && now_of(t) >= t->expires;
    if (due) {
        t->armed = false;
        t->expired = true;
        t->ticks++;
    } else if (t->armed) {
        arm_locked(t); // set anew, or the clock was, since it fired
    }
    spin_unlock_irq(&t->lock, flags);
    if (due)
        waitq_wake(&t->wait, UINT32_MAX, POLL_IN);
}

static void clock_moved(struct wall_watch *w) {
    struct event_timer *t = container_of(w, struct event_timer, watch);
    irq_flags_t flags = spin_lock_irq(&t->lock);
    bool told = t->cancel_on_set;
    if (told) {
        t->moved = true;
        t->ticks++;
    }
    if (t->armed && t->absolute_wall)
        arm_locked(t);
    spin_unlock_irq(&t->lock, flags);
    if (told)
        waitq_wake(&t->wait, UINT32_MAX, POLL_IN);
}

// --- file operations ---

static uint64_t ticks_of(struct event_timer *t) {
    return *(volatile uint64_t *)&t->ticks;
}

static inv_status_t timer_read(struct file *file, struct io *io, uint64_t *position, size_t *out_done) {
    struct event_timer *t = file->data;
    inv_status_t s = INV_OK;
    (void)position;
    *out_done = 0;
    if (io->left < sizeof(uint64_t))
        return INV_ERR_INVALID;
    for (;;) {
        irq_flags_t flags = spin_lock_irq(&t->lock);
        bool cancelled = cancelled_locked(t);
        if (cancelled) {
            t->ticks = 0;
            t->expired = false;
        }
        uint64_t ticks = 0;
        if (t->ticks != 0) {
            catch_up_locked(t);
            ticks = t->ticks;
            t->expired = false;
            t->ticks = 0;
        }
        spin_unlock_irq(&t->lock, flags);
        if (ticks != 0) {
            s = io_to(io, &ticks, sizeof(ticks), out_done);
            if (*out_done != sizeof(ticks))
                *out_done = 0;
            return s;
        }
        if (cancelled)
            return INV_ERR_CANCELLED;
        if (file_nonblocking(file))
            return INV_ERR_SHOULD_WAIT;
        if (s != INV_OK)
            return INV_ERR_RESTART;
        WAIT_EVENT(&t->wait, ticks_of(t) != 0, WAIT_INTERRUPTIBLE, NSTIME_NEVER, s);
    }
}

static unsigned timer_poll(struct file *file, struct poll_set *set) {
    struct event_timer *t = file->data;
    poll_add(set, &t->wait);
    return ticks_of(t) != 0 ? POLL_IN : 0;
}

static void timer_release(struct file *file) {
    struct event_timer *t = file->data;
    wall_watch_remove(&t->watch);
    timer_cancel_sync(&t->timer);
    event_memory_put(t, sizeof(*t), t->job);
}

static void timer_show(struct file *file, struct text_sink *sink) {
    struct event_timer *t = file->data;
    irq_flags_t flags = spin_lock_irq(&t->lock);
    nstime_t left = left_locked(t), interval = t->interval;
    uint64_t ticks = t->ticks;
    unsigned set_flags = t->flags;
    spin_unlock_irq(&t->lock, flags);
    text_sink_print(
        sink, "clockid: %d\nticks: %lu\nsettime flags: 0%o\nit_value: (%lu, %lu)\nit_interval: (%lu, %lu)\n", t->clock,
        (unsigned long)ticks, set_flags, (unsigned long)(left / NSEC_PER_SEC), (unsigned long)(left % NSEC_PER_SEC),
        (unsigned long)(interval / NSEC_PER_SEC), (unsigned long)(interval % NSEC_PER_SEC));
}

#define IOC_SET_TICKS 0x40085400u // TFD_IOC_SET_TICKS

static inv_status_t timer_ioctl(struct file *file, unsigned command, uint64_t argument, int64_t *out_result) {
    struct event_timer *t = file->data;
    uint64_t ticks;
    (void)out_result;
    if (command != IOC_SET_TICKS)
        return INV_ERR_NOT_TTY;
    if (arch_user_load64((const uint64_t user_ptr *)(uintptr_t)argument, &ticks) != INV_OK)
        return INV_ERR_FAULT;
    if (ticks == 0)
        return INV_ERR_INVALID;
    irq_flags_t flags = spin_lock_irq(&t->lock);
    bool cancelled = cancelled_locked(t);
    if (!cancelled)
        t->ticks = ticks;
    spin_unlock_irq(&t->lock, flags);
    if (cancelled)
        return INV_ERR_CANCELLED;
    waitq_wake(&t->wait, UINT32_MAX, POLL_IN);
    return INV_OK;
}

static const struct file_ops timer_ops = {.read = timer_read,
                                          .seek_ignored = true,
                                          .poll = timer_poll,
                                          .release = timer_release,
                                          .show = timer_show,
                                          .ioctl = timer_ioctl};

// --- for the personality ---

bool event_timer_is(const struct file *f) {
    return f->ops == &timer_ops;
}

int event_timer_clock(const struct file *f) {
    const struct event_timer *t = f->data;
    return t->clock;
}

inv_status_t event_timer_create(int clock, bool wall, uint32_t flags, struct file **out) {
    struct job *job;
    struct event_timer *t = event_memory_get(sizeof(*t), &job);
    if (t == NULL)
        return INV_ERR_NO_MEMORY;
    t->job = job;
    t->clock = clock;
    t->wall = wall;
    timer_init(&t->timer, fired);
    waitq_init(&t->wait);
    wall_watch_init(&t->watch, clock_moved);
    spin_lock_init(&t->lock, LOCK_RANK_EVENT);
    inv_status_t s = file_create_anonymous("anon_inode:[timerfd]", &timer_ops, t, flags, 0600, out);
    if (s != INV_OK)
        event_memory_put(t, sizeof(*t), job);
    return s;
}

inv_status_t event_timer_set(struct file *f, unsigned set_flags, const struct event_timer_setting *s,
                             struct event_timer_setting *out_old) {
    struct event_timer *t = f->data;
    bool absolute = (set_flags & EVENT_TIMER_ABSOLUTE) != 0;
    if (t->wall && absolute)
        wall_watch_add(&t->watch);
    irq_flags_t flags = spin_lock_irq(&t->lock);
    catch_up_locked(t);
    *out_old = (struct event_timer_setting){.value = left_locked(t), .interval = t->interval};
    t->flags = set_flags;
    t->cancel_on_set = t->wall && absolute && (set_flags & EVENT_TIMER_CANCEL_ON_SET) != 0;
    t->absolute_wall = t->wall && absolute;
    t->armed = t->expired = false;
    t->ticks = 0;
    t->interval = s->interval;
    bool cancelled = false;
    if (s->value != 0) {
        t->expires = absolute ? s->value : deadline_after(s->value);
        arm_locked(t);
        cancelled = cancelled_locked(t);
    } else {
        timer_cancel(&t->timer);
    }
    spin_unlock_irq(&t->lock, flags);
    return cancelled ? INV_ERR_CANCELLED : INV_OK;
}

void event_timer_get(struct file *f, struct event_timer_setting *out) {
    struct event_timer *t = f->data;
    irq_flags_t flags = spin_lock_irq(&t->lock);
    catch_up_locked(t);
    *out = (struct event_timer_setting){.value = left_locked(t), .interval = t->interval};
    spin_unlock_irq(&t->lock, flags);
}
