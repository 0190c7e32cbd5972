// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The registry of character devices: see executive/device.h. Drivers register at boot or when a device appears; opening a node finds its device here;
// devtmpfs is told of each device exactly once, in the order of registration, with no lock held.
//
// Locking: registry_lock (rank DEVICE) guards the list and the place up to which the watcher has been told. Devices are never removed, so one that was
// found stays valid without it.

#include <executive/device.h>

#include <kernel/lock.h>
#include <kernel/log.h>

static struct spinlock registry_lock = SPINLOCK_INIT(LOCK_RANK_DEVICE);
static struct list_node registry = LIST_INIT(registry); // registry_lock
static struct list_node *announced = &registry;         // registry_lock: the last device that the watcher knows
static bool announcing;                                 // registry_lock: somebody is calling the watcher
static void (*watcher)(struct character_device *d);     // registry_lock

static struct character_device *registry_find(devno_t number) {
    struct character_device *d;

    list_for_each(d, &registry, node) {
        if (d->number == number)
            return d;
    }
    return NULL;
}

// Tells the watcher of what it does not know yet. One thread does so at a time; others leave theirs to it.
static void registry_announce(void) {
    irq_flags_t flags = spin_lock_irq(&registry_lock);

    if (watcher != NULL && !announcing) {
        announcing = true;
        while (announced->next != &registry) {
            announced = announced->next;
            void (*fn)(struct character_device *) = watcher;
            struct character_device *d = list_entry(announced, struct character_device, node);
            spin_unlock_irq(&registry_lock, flags);
            fn(d);
            flags = spin_lock_irq(&registry_lock);
        }
        announcing = false;
    }
    spin_unlock_irq(&registry_lock, flags);
}

inv_status_t character_device_register(struct character_device *d) {
    irq_flags_t flags = spin_lock_irq(&registry_lock);
    bool taken = registry_find(d->number) != NULL;

    if (!taken)
        list_push_back(&registry, &d->node);
    spin_unlock_irq(&registry_lock, flags);
    if (taken) {
        log_error("io", "device number %u:%u is taken: no %s", (unsigned)(d->number >> 32), (unsigned)d->number,
                  d->name);
        return INV_ERR_EXISTS;
    }
    registry_announce();
    return INV_OK;
}

inv_status_t character_device_open(devno_t number, struct file *file) {
    irq_flags_t flags = spin_lock_irq(&registry_lock);
    struct character_device *d = registry_find(number);

    spin_unlock_irq(&registry_lock, flags);
    if (d == NULL)
        return INV_ERR_NO_ADDRESS;
    file->ops = d->ops;
    file->data = d->data;
    return d->ops->open != NULL ? d->ops->open(file->inode, file) : INV_OK;
}

void character_device_watch(void (*fn)(struct character_device *d)) {
    irq_flags_t flags = spin_lock_irq(&registry_lock);

    watcher = fn;
    announced = &registry;
    spin_unlock_irq(&registry_lock, flags);
    registry_announce();
}
