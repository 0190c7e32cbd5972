// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Virtio over PCI (section 4.1): modern capabilities, one MSI-X message for all queues. Configuration space through mechanism 1 (ports 0xcf8, 0xcfc), bus 0
// alone: what a bus driver will do better. Boot thread, but for notify and interrupt_claim.
//
// Everything that the device says of itself (capability chain, offsets, sizes) is checked against its window before anything is mapped.

#include "virtio.h"

#include <arch/mmu.h>
#include <arch/port.h>
#include <kernel/kspace.h>
#include <kernel/log.h>
#include <kernel/mmio.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define PCI_DEVICES    32
#define PCI_FUNCTIONS  8
#define PCI_BARS       6
#define PCI_CAPS_MAX   48 // more than fit: a chain that is longer runs in a circle

enum { PCI_ID = 0x00, PCI_COMMAND = 0x04, PCI_HEADER = 0x0c, PCI_BAR = 0x10, PCI_CAPABILITIES = 0x34 };
#define COMMAND_MEMORY       0x0002u
#define COMMAND_MASTER       0x0004u
#define COMMAND_NO_INTX      0x0400u
#define STATUS_CAPABILITIES  (0x0010u << 16)
#define HEADER_MULTIFUNCTION (0x80u << 16)
#define BAR_PORTS            0x1u
#define BAR_TYPE_64          0x4u
#define CAP_VENDOR           0x09
#define CAP_MSIX             0x11
#define MSIX_ENABLE          0x8000u
#define MSIX_MASK_ALL        0x4000u

#define VENDOR_VIRTIO      0x1af4u
#define DEVICE_MODERN      0x1040u
#define DEVICE_CONSOLE_OLD 0x1003u // transitional: has the modern capabilities as well

enum { CFG_COMMON = 1, CFG_NOTIFY, CFG_ISR, CFG_DEVICE };
enum {
    COMMON_DEVICE_SELECT = 0,
    COMMON_DEVICE_FEATURES = 4,
    COMMON_DRIVER_SELECT = 8,
    COMMON_DRIVER_FEATURES = 12,
    COMMON_CONFIG_VECTOR = 16,
    COMMON_STATUS = 20,
    COMMON_QUEUE_SELECT = 22,
    COMMON_QUEUE_SIZE = 24,
    COMMON_QUEUE_VECTOR = 26,
    COMMON_QUEUE_ENABLE = 28,
    COMMON_QUEUE_NOTIFY = 30,
    COMMON_QUEUE_DESCRIPTORS = 32,
    COMMON_QUEUE_AVAILABLE = 40,
    COMMON_QUEUE_USED = 48,
    COMMON_LENGTH = 56,
};
#define RESET_POLLS 100000

static uint32_t config_read(uint16_t function, unsigned offset) {
    arch_port_write32(CONFIG_ADDRESS, 0x80000000u | (uint32_t)function << 8 | (offset & 0xfc));
    return arch_port_read32(CONFIG_DATA);
}

static void config_write(uint16_t function, unsigned offset, uint32_t value) {
    arch_port_write32(CONFIG_ADDRESS, 0x80000000u | (uint32_t)function << 8 | (offset & 0xfc));
    arch_port_write32(CONFIG_DATA, value);
}

static uint8_t config_read8(uint16_t function, unsigned offset) {
    return (uint8_t)(config_read(function, offset) >> (offset % 4 * 8));
}

static uint16_t load16(struct virtio_transport *t, unsigned offset) {
    return mmio_read16(t->common, offset);
}

static void store16(struct virtio_transport *t, unsigned offset, uint16_t value) {
    mmio_write16(t->common, offset, value);
}

static void store32(struct virtio_transport *t, unsigned offset, uint32_t value) {
    mmio_write32(t->common, offset, value);
}

static uint32_t load32(struct virtio_transport *t, unsigned offset) {
    return mmio_read32(t->common, offset);
}

static void store64(struct virtio_transport *t, unsigned offset, uint64_t value) {
    store32(t, offset, (uint32_t)value);
    store32(t, offset + 4, (uint32_t)(value >> 32));
}

// --- windows ---

struct window {
    paddr_t base;
    uint64_t size;
};

// The window of a base address register: its size is found by writing ones, with decoding off.
static bool bar_read(uint16_t function, unsigned bar, struct window *out) {
    unsigned at = PCI_BAR + 4 * bar;
    uint32_t low = config_read(function, at), command = config_read(function, PCI_COMMAND) & 0xffff;
    bool wide = (low & BAR_TYPE_64) != 0 && bar + 1 < PCI_BARS;
    uint32_t high = wide ? config_read(function, at + 4) : 0;

    if (low & BAR_PORTS)
        return false;
    config_write(function, PCI_COMMAND, command & ~COMMAND_MEMORY);
    config_write(function, at, UINT32_MAX);
    uint32_t mask_low = config_read(function, at) & ~0xfu, mask_high = UINT32_MAX;
    config_write(function, at, low);
    if (wide) {
        config_write(function, at + 4, UINT32_MAX);
        mask_high = config_read(function, at + 4);
        config_write(function, at + 4, high);
    }
    config_write(function, PCI_COMMAND, command);
    uint64_t mask = (uint64_t)mask_high << 32 | mask_low;
    *out = (struct window){.base = (uint64_t)high << 32 | (low & ~0xfu), .size = ~mask + 1};
    return out->base != 0 && mask_low != 0;
}

// Maps [offset, offset + length) of a base address register's window, if it lies in it.
static volatile uint8_t *bar_map(uint16_t function, unsigned bar, uint32_t offset, uint32_t length) {
    struct window w;

    if (bar >= PCI_BARS || length == 0 || !bar_read(function, bar, &w) || offset > w.size || length > w.size - offset)
        return NULL;
    return kspace_map_physical(w.base + offset, length, MMU_READ | MMU_WRITE | MMU_UNCACHED);
}

// --- operations ---

static uint8_t pci_get_status(struct virtio_transport *t) {
    return t->common[COMMON_STATUS];
}

static void pci_set_status(struct virtio_transport *t, uint8_t status) {
    t->common[COMMON_STATUS] = status;
    for (unsigned i = 0; status == 0 && i < RESET_POLLS && t->common[COMMON_STATUS] != 0; i++)
        arch_pause();
}

static uint64_t pci_get_features(struct virtio_transport *t) {
    store32(t, COMMON_DEVICE_SELECT, 0);
    uint64_t low = load32(t, COMMON_DEVICE_FEATURES);
    store32(t, COMMON_DEVICE_SELECT, 1);
    return low | (uint64_t)load32(t, COMMON_DEVICE_FEATURES) << 32;
}

static void pci_set_features(struct virtio_transport *t, uint64_t features) {
    store32(t, COMMON_DRIVER_SELECT, 0);
    store32(t, COMMON_DRIVER_FEATURES, (uint32_t)features);
    store32(t, COMMON_DRIVER_SELECT, 1);
    store32(t, COMMON_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static unsigned pci_queue_max(struct virtio_transport *t, unsigned index) {
    store16(t, COMMON_QUEUE_SELECT, (uint16_t)index);
    return load16(t, COMMON_QUEUE_SIZE);
}

static inv_status_t pci_queue_enable(struct virtio_transport *t, const struct virtq *q) {
    store16(t, COMMON_QUEUE_SELECT, (uint16_t)q->index);
    uint32_t notify = load16(t, COMMON_QUEUE_NOTIFY) * t->notify_multiplier;
    if (q->index >= ARRAY_SIZE(t->notify_offsets) || notify + 2 > t->notify_length)
        return INV_ERR_BAD_MESSAGE;
    t->notify_offsets[q->index] = notify;
    store16(t, COMMON_QUEUE_SIZE, (uint16_t)q->size);
    store16(t, COMMON_QUEUE_VECTOR, 0);
    if (load16(t, COMMON_QUEUE_VECTOR) != 0)
        return INV_ERR_NO_MEMORY;
    store64(t, COMMON_QUEUE_DESCRIPTORS, q->physical);
    store64(t, COMMON_QUEUE_AVAILABLE, virtq_available_address(q));
    store64(t, COMMON_QUEUE_USED, virtq_used_address(q));
    store16(t, COMMON_QUEUE_ENABLE, 1);
    return INV_OK;
}

static void pci_notify(struct virtio_transport *t, const struct virtq *q) {
    mmio_write16(t->notify_base, t->notify_offsets[q->index], (uint16_t)q->index);
}

static uint32_t pci_config_read32(struct virtio_transport *t, unsigned offset) {
    return mmio_read32(t->config, offset);
}

// All queues and the configuration share the message of entry 0.
static inv_status_t pci_connect(struct virtio_transport *t, struct irq_handler *h) {
    uint64_t address;
    uint32_t data;
    inv_status_t status = irq_register_message(h, &address, &data);

    if (status != INV_OK)
        return status;
    uint32_t control = config_read(t->pci_address, t->msix);
    config_write(t->pci_address, t->msix, control | (MSIX_ENABLE | MSIX_MASK_ALL) << 16);
    mmio_write32(t->vectors, 0, (uint32_t)address);
    mmio_write32(t->vectors, 4, (uint32_t)(address >> 32));
    mmio_write32(t->vectors, 8, data);
    mmio_write32(t->vectors, 12, 0); // not masked
    control = (control | MSIX_ENABLE << 16) & ~(MSIX_MASK_ALL << 16);
    config_write(t->pci_address, t->msix, control);
    store16(t, COMMON_CONFIG_VECTOR, 0);
    return INV_OK;
}

// The message is the device's own.
static bool pci_interrupt_claim(struct virtio_transport *t) {
    (void)t;
    return true;
}

static const struct virtio_transport_ops pci_ops = {.name = "pci",
                                                    .get_status = pci_get_status,
                                                    .set_status = pci_set_status,
                                                    .get_features = pci_get_features,
                                                    .set_features = pci_set_features,
                                                    .queue_max = pci_queue_max,
                                                    .queue_enable = pci_queue_enable,
                                                    .notify = pci_notify,
                                                    .config_read32 = pci_config_read32,
                                                    .connect = pci_connect,
                                                    .interrupt_claim = pci_interrupt_claim};

// --- discovery ---

// A capability of 4.1.4: what it describes, where, and how long it is.
static void map_capability(struct virtio_transport *t, unsigned at) {
    uint16_t f = t->pci_address;
    unsigned type = config_read8(f, at + 3), bar = config_read8(f, at + 4);
    uint32_t offset = config_read(f, at + 8), length = config_read(f, at + 12);

    if (type == CFG_COMMON && t->common == NULL && length >= COMMON_LENGTH) {
        t->common = bar_map(f, bar, offset, length);
    } else if (type == CFG_NOTIFY && t->notify_base == NULL && length >= 2) {
        t->notify_multiplier = config_read(f, at + 16);
        t->notify_length = length;
        t->notify_base = bar_map(f, bar, offset, length);
    } else if (type == CFG_DEVICE && t->config == NULL && length >= 8) {
        t->config = bar_map(f, bar, offset, length);
    }
}

static void map_vectors(struct virtio_transport *t, unsigned at) {
    uint32_t table = config_read(t->pci_address, at + 4);

    t->msix = (uint8_t)at;
    t->vectors = bar_map(t->pci_address, table & 7, table & ~7u, 16);
}

static void unmap_all(struct virtio_transport *t) {
    kspace_unmap_physical((void *)t->common);
    kspace_unmap_physical((void *)t->notify_base);
    kspace_unmap_physical((void *)t->config);
    kspace_unmap_physical((void *)t->vectors);
}

static inv_status_t function_map(uint16_t function, struct virtio_transport *t) {
    *t = (struct virtio_transport){.ops = &pci_ops, .pci_address = function};
    uint32_t command = config_read(function, PCI_COMMAND);

    if (!(command & STATUS_CAPABILITIES))
        return INV_ERR_NOT_SUPPORTED;
    unsigned at = config_read8(function, PCI_CAPABILITIES) & 0xfc;
    for (unsigned i = 0; at >= 0x40 && i < PCI_CAPS_MAX; i++) {
        unsigned id = config_read8(function, at);
        if (id == CAP_VENDOR)
            map_capability(t, at);
        else if (id == CAP_MSIX && t->vectors == NULL)
            map_vectors(t, at);
        at = config_read8(function, at + 1) & 0xfc;
    }
    if (t->common == NULL || t->notify_base == NULL || t->config == NULL || t->vectors == NULL) {
        log_warning("virtio", "PCI device 0:%u.%u lacks a modern capability: not used", function >> 3, function & 7);
        unmap_all(t);
        return INV_ERR_NOT_SUPPORTED;
    }
    config_write(function, PCI_COMMAND, (command & 0xffff) | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX);
    return INV_OK;
}

static bool function_is(uint16_t function, unsigned type) {
    uint32_t id = config_read(function, PCI_ID);

    return id == ((DEVICE_MODERN + type) << 16 | VENDOR_VIRTIO) ||
           (type == VIRTIO_ID_CONSOLE && id == (DEVICE_CONSOLE_OLD << 16 | VENDOR_VIRTIO));
}

// No bus at all reads as ones everywhere.
static bool bus_present(void) {
    arch_port_write32(CONFIG_ADDRESS, 0x80000000u);
    return arch_port_read32(CONFIG_ADDRESS) == 0x80000000u && config_read(0, PCI_ID) != UINT32_MAX;
}

inv_status_t virtio_pci_find(unsigned type, unsigned index, struct virtio_transport *out) {
    if (!bus_present())
        return INV_ERR_NOT_FOUND;
    for (unsigned device = 0; device < PCI_DEVICES; device++) {
        uint16_t first = (uint16_t)(device << 3);
        if ((config_read(first, PCI_ID) & 0xffff) == 0xffff)
            continue;
        unsigned functions = config_read(first, PCI_HEADER) & HEADER_MULTIFUNCTION ? PCI_FUNCTIONS : 1;
        for (unsigned f = 0; f < functions; f++) {
            if (function_is((uint16_t)(first + f), type) && index-- == 0)
                return function_map((uint16_t)(first + f), out);
        }
    }
    return INV_ERR_NOT_FOUND;
}
