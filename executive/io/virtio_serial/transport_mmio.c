// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Virtio over memory-mapped registers, version 2 (section 4.2). Devices come from the command line, `virtio_mmio.device=SIZE@BASE:GSI` (several times), and
// from the firmware's description (hardware id LNRO0005). Boot thread; notify and interrupt_claim in any context.

#include "virtio.h"

#include <arch/mmu.h>
#include <kernel/boot.h>
#include <kernel/kspace.h>
#include <kernel/log.h>
#include <kernel/mmio.h>
#include <kernel/platform.h>
#include <kernel/string.h>

#define MAGIC       0x74726976 // "virt"
#define VERSION     2
#define OPTION      "virtio_mmio.device="
#define HARDWARE_ID "LNRO0005"
#define REGISTERS   0x100
#define RESET_POLLS 100000

enum {
    REG_MAGIC = 0x00,
    REG_VERSION = 0x04,
    REG_DEVICE_ID = 0x08,
    REG_DEVICE_FEATURES = 0x10,
    REG_DEVICE_FEATURES_SELECT = 0x14,
    REG_DRIVER_FEATURES = 0x20,
    REG_DRIVER_FEATURES_SELECT = 0x24,
    REG_QUEUE_SELECT = 0x30,
    REG_QUEUE_MAX = 0x34,
    REG_QUEUE_SIZE = 0x38,
    REG_QUEUE_READY = 0x44,
    REG_QUEUE_NOTIFY = 0x50,
    REG_INTERRUPT_STATUS = 0x60,
    REG_INTERRUPT_ACKNOWLEDGE = 0x64,
    REG_STATUS = 0x70,
    REG_QUEUE_DESCRIPTORS = 0x80,
    REG_QUEUE_AVAILABLE = 0x90,
    REG_QUEUE_USED = 0xa0,
    REG_CONFIG = 0x100,
};

static uint32_t reg_read(struct virtio_transport *t, unsigned offset) {
    return mmio_read32(t->common, offset);
}

static void reg_write(struct virtio_transport *t, unsigned offset, uint32_t value) {
    mmio_write32(t->common, offset, value);
}

static void reg_write64(struct virtio_transport *t, unsigned offset, uint64_t value) {
    reg_write(t, offset, (uint32_t)value);
    reg_write(t, offset + 4, (uint32_t)(value >> 32));
}

static uint8_t mmio_get_status(struct virtio_transport *t) {
    return (uint8_t)reg_read(t, REG_STATUS);
}

static void mmio_set_status(struct virtio_transport *t, uint8_t status) {
    reg_write(t, REG_STATUS, status);
    for (unsigned i = 0; status == 0 && i < RESET_POLLS && reg_read(t, REG_STATUS) != 0; i++)
        arch_pause();
}

static uint64_t mmio_get_features(struct virtio_transport *t) {
    reg_write(t, REG_DEVICE_FEATURES_SELECT, 0);
    uint64_t low = reg_read(t, REG_DEVICE_FEATURES);
    reg_write(t, REG_DEVICE_FEATURES_SELECT, 1);
    return low | (uint64_t)reg_read(t, REG_DEVICE_FEATURES) << 32;
}

static void mmio_set_features(struct virtio_transport *t, uint64_t features) {
    reg_write(t, REG_DRIVER_FEATURES_SELECT, 0);
    reg_write(t, REG_DRIVER_FEATURES, (uint32_t)features);
    reg_write(t, REG_DRIVER_FEATURES_SELECT, 1);
    reg_write(t, REG_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static unsigned mmio_queue_max(struct virtio_transport *t, unsigned index) {
    reg_write(t, REG_QUEUE_SELECT, index);
    return reg_read(t, REG_QUEUE_READY) == 0 ? reg_read(t, REG_QUEUE_MAX) : 0;
}

static inv_status_t mmio_queue_enable(struct virtio_transport *t, const struct virtq *q) {
    reg_write(t, REG_QUEUE_SELECT, q->index);
    reg_write(t, REG_QUEUE_SIZE, q->size);
    reg_write64(t, REG_QUEUE_DESCRIPTORS, q->physical);
    reg_write64(t, REG_QUEUE_AVAILABLE, virtq_available_address(q));
    reg_write64(t, REG_QUEUE_USED, virtq_used_address(q));
    reg_write(t, REG_QUEUE_READY, 1);
    return reg_read(t, REG_QUEUE_READY) == 1 ? INV_OK : INV_ERR_IO;
}

static void mmio_notify(struct virtio_transport *t, const struct virtq *q) {
    reg_write(t, REG_QUEUE_NOTIFY, q->index);
}

static uint32_t mmio_config_read32(struct virtio_transport *t, unsigned offset) {
    return reg_read(t, REG_CONFIG + offset);
}

static inv_status_t mmio_connect(struct virtio_transport *t, struct irq_handler *h) {
    return irq_register(t->gsi, t->level, t->active_low, h);
}

static bool mmio_interrupt_claim(struct virtio_transport *t) {
    uint32_t status = reg_read(t, REG_INTERRUPT_STATUS);

    if (status != 0)
        reg_write(t, REG_INTERRUPT_ACKNOWLEDGE, status);
    return status != 0;
}

static const struct virtio_transport_ops mmio_ops = {.name = "mmio",
                                                     .get_status = mmio_get_status,
                                                     .set_status = mmio_set_status,
                                                     .get_features = mmio_get_features,
                                                     .set_features = mmio_set_features,
                                                     .queue_max = mmio_queue_max,
                                                     .queue_enable = mmio_queue_enable,
                                                     .notify = mmio_notify,
                                                     .config_read32 = mmio_config_read32,
                                                     .connect = mmio_connect,
                                                     .interrupt_claim = mmio_interrupt_claim};

// "SIZE@BASE:GSI", SIZE with K or M. False: it is none.
static bool parse_option(const char *text, struct platform_device *out) {
    const char *end;
    uint64_t gsi;

    if (string_to_u64(text, &end, 0, &out->size) != INV_OK)
        return false;
    if (*end == 'K' || *end == 'k' || *end == 'M')
        out->size <<= *end++ == 'M' ? 20 : 10;
    if (*end != '@' || string_to_u64(end + 1, &end, 0, &out->base) != INV_OK)
        return false;
    if (*end != ':' || string_to_u64(end + 1, &end, 0, &gsi) != INV_OK || gsi > 255)
        return false;
    out->gsi = (unsigned)gsi;
    out->level = true;
    out->active_low = false;
    return *end == ' ' || *end == '\0' || *end == ':';
}

// The index-th device that the command line or the firmware names.
static bool device_named(unsigned index, struct platform_device *out) {
    for (const char *p = boot_info.cmdline; (p = strstr(p, OPTION)) != NULL;) {
        p += sizeof(OPTION) - 1;
        if (!parse_option(p, out))
            log_warning("virtio", "bad option %s%.40s", OPTION, p);
        else if (index-- == 0)
            return true;
    }
    return platform_device_find(HARDWARE_ID, index, out);
}

// Maps the device if it is of the type.
static inv_status_t device_map(const struct platform_device *d, unsigned type, struct virtio_transport *out) {
    *out = (struct virtio_transport){.ops = &mmio_ops, .gsi = d->gsi, .level = d->level, .active_low = d->active_low};
    if (d->size < REGISTERS + 16)
        return INV_ERR_INVALID;
    out->common = kspace_map_physical(d->base, d->size, MMU_READ | MMU_WRITE | MMU_UNCACHED);
    if (out->common == NULL)
        return INV_ERR_NO_MEMORY;
    if (reg_read(out, REG_MAGIC) == MAGIC && reg_read(out, REG_VERSION) == VERSION &&
        reg_read(out, REG_DEVICE_ID) == type)
        return INV_OK;
    if (reg_read(out, REG_MAGIC) == MAGIC && reg_read(out, REG_VERSION) == 1 && reg_read(out, REG_DEVICE_ID) == type)
        log_warning("virtio", "device at %#lx is of the legacy version 1: not used", (unsigned long)d->base);
    kspace_unmap_physical((void *)out->common);
    return INV_ERR_NOT_FOUND;
}

inv_status_t virtio_mmio_find(unsigned type, unsigned index, struct virtio_transport *out) {
    struct platform_device d;

    for (unsigned i = 0; device_named(i, &d); i++) {
        inv_status_t status = device_map(&d, type, out);
        if (status == INV_ERR_NOT_FOUND)
            continue;
        if (index-- == 0 || status != INV_OK)
            return status;
        kspace_unmap_physical((void *)out->common);
    }
    return INV_ERR_NOT_FOUND;
}
