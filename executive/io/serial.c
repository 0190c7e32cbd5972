// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The first serial line (16550A at 0x3f8) as the terminal ttyS0 and the console, by interrupts. The kernel's log is written to the same chip by polling
// (kernel/debug/log.c): both take the console's lock for each piece of output, and this driver lets a record be finished before it goes on.
//
// The debugger key enters the kernel debugger from the interrupt handler and is not passed on.
//
//   output: write() -> ring -> transmitter, as long as it is empty; the rest at each "transmitter empty" interrupt
//   input:  interrupt -> tty_input(); a terminal without room switches the receiver's interrupt off until unthrottle()
//
// Locking: serial->lock (rank DEVICE, interrupts off) guards the ring and the chip's registers; the console's lock is taken inside it.

#include <executive/random.h>
#include <executive/tty.h>

#include <arch/port.h>
#include <kernel/boot.h>
#include <kernel/debug.h>
#include <kernel/irq.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/platform.h>
#include <kernel/string.h>
#include <kernel/time.h>

#define SERIAL_PORT    0x3f8
#define SERIAL_ISA_IRQ 4
#define SERIAL_NUMBER  DEVNO(4, 64)
#define SERIAL_CLOCK   115200u

// Registers (National Semiconductor PC16550D data sheet, section 8).
enum { REG_DATA, REG_INTERRUPTS, REG_IDENT, REG_LINE, REG_MODEM, REG_STATUS, REG_MODEM_STATUS, REG_SCRATCH };
#define REG_FIFO REG_IDENT // when written

#define INTERRUPT_RECEIVED 0x01
#define INTERRUPT_EMPTY    0x02
#define INTERRUPT_STATUS   0x04
#define IDENT_NONE         0x01
#define IDENT_FIFO         0xc0
#define FIFO_ON            0x01
#define LINE_TWO_STOPS     0x04
#define LINE_PARITY        0x08
#define LINE_EVEN          0x10
#define LINE_BREAK         0x40
#define LINE_DIVISOR       0x80
#define MODEM_ON           0x0b // DTR, RTS, and the gate of the interrupt line
#define MODEM_OFF          0x08
#define STATUS_RECEIVED    0x01
#define STATUS_PARITY      0x04
#define STATUS_FRAMING     0x08
#define STATUS_BREAK       0x10
#define STATUS_EMPTY       0x20 // room for a FIFO of bytes
#define STATUS_IDLE        0x40 // the last bit has left

#define RING_SIZE  4096u
#define WAKE_ROOM  (RING_SIZE / 2)
#define SEND_MAX   64u // bytes at a time with interrupts off
#define ROUNDS_MAX 256 // of one interrupt: a chip that never gets quiet must not stop the machine
#define RETRY_TIME NSEC_PER_MSEC

struct serial {
    struct tty *tty;
    struct irq_handler handler;
    struct ktimer retry;
    unsigned fifo; // bytes that the transmitter takes when it is empty
    struct spinlock lock;
    /* lock: */
    uint8_t interrupts; // shadow of the register
    uint8_t line;       // shadow, without break
    uint32_t head, tail;
    char ring[RING_SIZE];
};
static struct serial serial;

static uint8_t reg_read(unsigned reg) {
    return arch_port_read8((uint16_t)(SERIAL_PORT + reg));
}

static void reg_write(unsigned reg, uint8_t value) {
    arch_port_write8((uint16_t)(SERIAL_PORT + reg), value);
}

// [lock]
static void set_interrupts(struct serial *s, uint8_t wanted) {
    if (s->interrupts == wanted)
        return;
    s->interrupts = wanted;
    reg_write(REG_INTERRUPTS, wanted);
}

// [lock] Sends while the transmitter is empty. Returns the bytes sent.
static unsigned send(struct serial *s) {
    unsigned sent = 0;
    irq_flags_t flags = log_console_begin();

    while (s->tail != s->head && sent < SEND_MAX && (reg_read(REG_STATUS) & STATUS_EMPTY)) {
        for (unsigned i = 0; i < s->fifo && s->tail != s->head; i++, sent++)
            reg_write(REG_DATA, (uint8_t)s->ring[s->tail++ % RING_SIZE]);
    }
    log_console_end(flags);
    return sent;
}

// [lock] Sends what may be sent now and arranges to be called for the rest. True if writers may be interested.
static bool transmit(struct serial *s) {
    if (s->tail == s->head || tty_output_stopped(s->tty)) {
        set_interrupts(s, s->interrupts & (uint8_t)~INTERRUPT_EMPTY);
        return false;
    }
    if (log_console_busy()) {
        set_interrupts(s, s->interrupts & (uint8_t)~INTERRUPT_EMPTY);
        timer_set(&s->retry, deadline_after(RETRY_TIME));
        return false;
    }
    unsigned sent = send(s);
    bool more = s->tail != s->head;
    set_interrupts(s, more ? s->interrupts | INTERRUPT_EMPTY : s->interrupts & (uint8_t)~INTERRUPT_EMPTY);
    uint32_t room = RING_SIZE - (s->head - s->tail);
    return sent > 0 && (!more || (room >= WAKE_ROOM && room - sent < WAKE_ROOM));
}

static void retry_fired(struct ktimer *t) {
    struct serial *s = container_of(t, struct serial, retry);
    irq_flags_t flags = spin_lock_irq(&s->lock);

    transmit(s);
    spin_unlock_irq(&s->lock, flags);
    tty_output_ready(s->tty);
}

// --- the terminal's driver ---

static size_t serial_write(struct tty *t, const char *text, size_t n) {
    struct serial *s = tty_driver_data(t);
    irq_flags_t flags = spin_lock_irq(&s->lock);
    size_t taken = MIN(n, (size_t)(RING_SIZE - (s->head - s->tail)));

    for (size_t i = 0; i < taken; i++)
        s->ring[s->head++ % RING_SIZE] = text[i];
    transmit(s);
    spin_unlock_irq(&s->lock, flags);
    return taken;
}

static size_t serial_write_room(struct tty *t) {
    struct serial *s = tty_driver_data(t);
    irq_flags_t flags = spin_lock_irq(&s->lock);
    size_t room = RING_SIZE - (s->head - s->tail);

    spin_unlock_irq(&s->lock, flags);
    return room;
}

// The bytes in the ring; 1 while the transmitter still sends its last ones (no interrupt tells of their end: a timer looks).
static size_t serial_output_queued(struct tty *t) {
    struct serial *s = tty_driver_data(t);
    irq_flags_t flags = spin_lock_irq(&s->lock);
    size_t queued = s->head - s->tail;

    if (queued == 0 && !(reg_read(REG_STATUS) & STATUS_IDLE)) {
        timer_set(&s->retry, deadline_after(RETRY_TIME));
        queued = 1;
    }
    spin_unlock_irq(&s->lock, flags);
    return queued;
}

static void serial_flush_output(struct tty *t) {
    struct serial *s = tty_driver_data(t);
    irq_flags_t flags = spin_lock_irq(&s->lock);

    s->tail = s->head;
    spin_unlock_irq(&s->lock, flags);
}

static uint8_t line_register(const struct tty_line *line) {
    return (uint8_t)((line->bits - 5) | (line->two_stop_bits ? LINE_TWO_STOPS : 0) | (line->parity ? LINE_PARITY : 0) |
                     (line->parity && !line->odd ? LINE_EVEN : 0));
}

// The divisor shares its address with the data: the console must not write meanwhile.
static void serial_set_termios(struct tty *t) {
    struct serial *s = tty_driver_data(t);
    struct tty_line line;

    tty_get_line(t, &line);
    irq_flags_t flags = spin_lock_irq(&s->lock);
    irq_flags_t console = log_console_begin();
    s->line = line_register(&line);
    if (line.speed > 0 && line.speed <= SERIAL_CLOCK) {
        uint32_t divisor = MIN((SERIAL_CLOCK + line.speed / 2) / line.speed, 0xffffu);
        reg_write(REG_LINE, s->line | LINE_DIVISOR);
        reg_write(REG_DATA, (uint8_t)divisor);
        reg_write(REG_INTERRUPTS, (uint8_t)(divisor >> 8));
    }
    reg_write(REG_LINE, s->line);
    reg_write(REG_MODEM, line.speed == 0 ? MODEM_OFF : MODEM_ON);
    log_console_end(console);
    uint8_t received = line.receiver_on ? INTERRUPT_RECEIVED | INTERRUPT_STATUS : 0;
    set_interrupts(s, received | (s->interrupts & INTERRUPT_EMPTY));
    spin_unlock_irq(&s->lock, flags);
}

static void serial_unthrottle(struct tty *t) {
    struct serial *s = tty_driver_data(t);
    irq_flags_t flags = spin_lock_irq(&s->lock);

    set_interrupts(s, s->interrupts | INTERRUPT_RECEIVED | INTERRUPT_STATUS);
    spin_unlock_irq(&s->lock, flags);
}

static void serial_start(struct tty *t) {
    struct serial *s = tty_driver_data(t);
    irq_flags_t flags = spin_lock_irq(&s->lock);

    transmit(s);
    spin_unlock_irq(&s->lock, flags);
}

static void serial_send_break(struct tty *t, bool on) {
    struct serial *s = tty_driver_data(t);
    irq_flags_t flags = spin_lock_irq(&s->lock);

    reg_write(REG_LINE, on ? s->line | LINE_BREAK : s->line);
    spin_unlock_irq(&s->lock, flags);
}

static const struct tty_driver driver = {.write = serial_write,
                                         .write_room = serial_write_room,
                                         .output_queued = serial_output_queued,
                                         .flush_output = serial_flush_output,
                                         .set_termios = serial_set_termios,
                                         .unthrottle = serial_unthrottle,
                                         .start = serial_start,
                                         .send_break = serial_send_break};

// --- interrupts ---

struct received {
    char bytes[64];
    size_t count, room;
    bool key, line_break;
};

// [lock] Takes what the receiver holds, as far as the terminal has room.
static void receive(struct serial *s, struct received *r, uint8_t status) {
    while ((status & STATUS_RECEIVED) && r->count < r->room) {
        uint8_t byte = reg_read(REG_DATA);

        if (status & STATUS_BREAK)
            r->line_break = true;
        else if (byte == DEBUGGER_KEY && debugger_wants_key())
            r->key = true;
        else if (!(status & (STATUS_PARITY | STATUS_FRAMING)))
            r->bytes[r->count++] = (char)byte;
        status = reg_read(REG_STATUS);
    }
    if ((status & STATUS_RECEIVED) && r->room == 0)
        set_interrupts(s, s->interrupts & (uint8_t) ~(INTERRUPT_RECEIVED | INTERRUPT_STATUS));
}

// One look at the chip. True if it had asked.
static bool serial_service(struct serial *s) {
    struct received r = {.room = MIN(tty_input_room(s->tty), sizeof(r.bytes))};
    irq_flags_t flags = spin_lock_irq(&s->lock);
    bool asked = !(reg_read(REG_IDENT) & IDENT_NONE), wake = false;

    if (asked) {
        receive(s, &r, reg_read(REG_STATUS));
        wake = transmit(s);
        reg_read(REG_MODEM_STATUS); // quiets a change of the modem lines
    }
    spin_unlock_irq(&s->lock, flags);
    if (r.count > 0)
        tty_input(s->tty, r.bytes, r.count);
    if (r.line_break)
        tty_input_break(s->tty);
    if (wake)
        tty_output_ready(s->tty);
    if (r.key)
        debugger_enter(NULL, "key");
    return asked;
}

static bool serial_interrupt(void *arg) {
    struct serial *s = arg;
    bool ours = false;

    random_event(SERIAL_PORT);
    for (int round = 0; round < ROUNDS_MAX && serial_service(s); round++)
        ours = true;
    return ours;
}

static bool chip_present(void) {
    reg_write(REG_SCRATCH, 0xa5);
    return reg_read(REG_SCRATCH) == 0xa5;
}

static inv_status_t serial_start_device(void) {
    struct serial *s = &serial;
    bool level, active_low;

    platform_console_write("", 0); // the early console sets the chip up when it is first used: not after this driver
    if (!chip_present()) {
        log_info("serial", "no chip at %#x", SERIAL_PORT);
        return INV_OK;
    }
    spin_lock_init(&s->lock, LOCK_RANK_DEVICE);
    timer_init(&s->retry, retry_fired);
    reg_write(REG_FIFO, FIFO_ON);
    s->fifo = (reg_read(REG_IDENT) & IDENT_FIFO) == IDENT_FIFO ? 16 : 1;
    inv_status_t status = tty_create("ttyS0", SERIAL_NUMBER, &driver, s, &s->tty);
    if (status != INV_OK)
        return status;
    unsigned gsi = platform_isa_gsi(SERIAL_ISA_IRQ, &level, &active_low);
    s->handler = (struct irq_handler){.fn = serial_interrupt, .arg = s, .name = "serial"};
    status = irq_register(gsi, level, active_low, &s->handler);
    if (status != INV_OK)
        log_error("serial", "no interrupt %u: input will not arrive", gsi);
    serial_set_termios(s->tty);
    tty_set_console(s->tty);
    return status;
}
BOOT_CALL("serial line", BOOT_STAGE_DEVICE, serial_start_device);
