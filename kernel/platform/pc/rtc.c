// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Reads the wall clock of the MC146818 chip, once at boot. The chip holds UTC. Machines without it (all ones or nonsense is read) give 0.
#include <arch/cpu.h>
#include <arch/x86.h>
#include <kernel/platform.h>

#define INDEX      0x70
#define DATA       0x71
#define REGISTER_A 0x0a
#define REGISTER_B 0x0b
#define A_UPDATING 0x80
#define B_BINARY   0x04
#define B_24_HOURS 0x02
#define SPIN_LIMIT 10000

struct date {
    unsigned second, minute, hour, day, month, year;
};

static uint8_t rtc_read(uint8_t r) {
    port_write8(INDEX, r | 0x80); // bit 7 keeps the old NMI gate closed only while we read
    uint8_t v = port_read8(DATA);
    port_write8(INDEX, 0x0d);
    return v;
}

static struct date date_read(void) {
    return (struct date){rtc_read(0), rtc_read(2), rtc_read(4), rtc_read(7), rtc_read(8), rtc_read(9)};
}

static unsigned from_bcd(unsigned v) {
    return (v >> 4) * 10 + (v & 15);
}

// Days from 1970-01-01 to year-month-day of the Gregorian calendar (year >= 1970).
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day) {
    static const uint16_t before_month[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    unsigned y = year - 1;
    uint64_t days = (uint64_t)(year - 1970) * 365 + (y / 4 - y / 100 + y / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days + before_month[month - 1] + (leap && month > 2) + day - 1;
}

static uint64_t date_to_seconds(struct date d, uint8_t b) {
    bool afternoon = !(b & B_24_HOURS) && (d.hour & 0x80);

    d.hour &= b & B_24_HOURS ? 0xff : 0x7f;
    if (!(b & B_BINARY))
        d = (struct date){from_bcd(d.second), from_bcd(d.minute), from_bcd(d.hour),
                          from_bcd(d.day),    from_bcd(d.month),  from_bcd(d.year)};
    if (!(b & B_24_HOURS))
        d.hour = d.hour % 12 + (afternoon ? 12 : 0);
    if (d.second > 59 || d.minute > 59 || d.hour > 23 || d.day < 1 || d.day > 31 || d.month < 1 || d.month > 12 ||
        d.year > 99)
        return 0;
    return days_since_1970(2000 + d.year, d.month, d.day) * 86400 + d.hour * 3600ull + d.minute * 60ull + d.second;
}

uint64_t platform_rtc_seconds(void) {
    struct date first, second;

    for (unsigned i = 0; rtc_read(REGISTER_A) & A_UPDATING; i++) {
        if (i == SPIN_LIMIT)
            return 0;
        arch_pause();
    }
    first = date_read();
    second = date_read(); // an update in between shows
    if (first.second != second.second || first.minute != second.minute || first.hour != second.hour ||
        first.day != second.day)
        first = date_read();
    return date_to_seconds(first, rtc_read(REGISTER_B));
}
