// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Interrupts by message: a write to the local APIC's window raises a vector (Intel SDM volume 3, section 11.11). Without interrupt remapping the address
// holds 8 bits of a processor's number.
#include "pc.h"

#include <kernel/platform.h>

#define MESSAGE_ADDRESS     0xfee00000u
#define MESSAGE_DESTINATION 12
#define MAX_APIC_ID         0xff

inv_status_t platform_irq_message(unsigned vector, uint64_t *out_address, uint32_t *out_data) {
    uint32_t apic_id = cpus[0].arch.apic_id;

    if (apic_id > MAX_APIC_ID)
        return INV_ERR_NOT_SUPPORTED;
    *out_address = MESSAGE_ADDRESS | apic_id << MESSAGE_DESTINATION;
    *out_data = vector; // fixed delivery, edge
    return INV_OK;
}
