// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The numbers of termios(3) and of the terminal requests of ioctl_tty(2), as Linux's generic ABI has them.
#ifndef TTY_TERMIOS_H
#define TTY_TERMIOS_H

#include <kernel/assert.h>
#include <kernel/types.h>

enum tty_character {
    VINTR,
    VQUIT,
    VERASE,
    VKILL,
    VEOF,
    VTIME,
    VMIN,
    VSWTC,
    VSTART,
    VSTOP,
    VSUSP,
    VEOL,
    VREPRINT,
    VDISCARD,
    VWERASE,
    VLNEXT,
    VEOL2,
    TTY_CHARACTERS = 19
};

// As user memory holds it: TCGETS copies the first 36 bytes, TCGETS2 all 44.
struct termios {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[TTY_CHARACTERS];
    uint32_t input_speed, output_speed;
};
#define TERMIOS_SIZE 36
STATIC_ASSERT(offsetof(struct termios, input_speed) == TERMIOS_SIZE && sizeof(struct termios) == 44,
              "the ABI's layout");

#define IGNBRK  0000001u
#define BRKINT  0000002u
#define IGNPAR  0000004u
#define PARMRK  0000010u
#define INPCK   0000020u
#define ISTRIP  0000040u
#define INLCR   0000100u
#define IGNCR   0000200u
#define ICRNL   0000400u
#define IUCLC   0001000u
#define IXON    0002000u
#define IXANY   0004000u
#define IXOFF   0010000u
#define IMAXBEL 0020000u
#define IUTF8   0040000u

#define OPOST  0000001u
#define OLCUC  0000002u
#define ONLCR  0000004u
#define OCRNL  0000010u
#define ONOCR  0000020u
#define ONLRET 0000040u
#define TABDLY 0014000u
#define XTABS  0014000u

#define CBAUD        0010017u
#define CIBAUD_SHIFT 16
#define B0           0000000u
#define BOTHER       0010000u
#define B9600        0000015u
#define B38400       0000017u
#define B115200      0010002u
#define CSIZE        0000060u
#define CS5          0000000u
#define CS8          0000060u
#define CSTOPB       0000100u
#define CREAD        0000200u
#define PARENB       0000400u
#define PARODD       0001000u
#define HUPCL        0002000u
#define CLOCAL       0004000u

#define ISIG    0000001u
#define ICANON  0000002u
#define ECHO    0000010u
#define ECHOE   0000020u
#define ECHOK   0000040u
#define ECHONL  0000100u
#define NOFLSH  0000200u
#define TOSTOP  0000400u
#define ECHOCTL 0001000u
#define ECHOPRT 0002000u
#define ECHOKE  0004000u
#define IEXTEN  0100000u
#define EXTPROC 0200000u

#define TTY_SIGHUP   1
#define TTY_SIGINT   2
#define TTY_SIGQUIT  3
#define TTY_SIGCONT  18
#define TTY_SIGTSTP  20
#define TTY_SIGTTIN  21
#define TTY_SIGTTOU  22
#define TTY_SIGWINCH 28

#define TCGETS         0x5401u
#define TCSETS         0x5402u
#define TCSETSW        0x5403u
#define TCSETSF        0x5404u
#define TCGETA         0x5405u
#define TCSETA         0x5406u
#define TCSETAW        0x5407u
#define TCSETAF        0x5408u
#define TCSBRK         0x5409u
#define TCXONC         0x540au
#define TCFLSH         0x540bu
#define TIOCEXCL       0x540cu
#define TIOCNXCL       0x540du
#define TIOCSCTTY      0x540eu
#define TIOCGPGRP      0x540fu
#define TIOCSPGRP      0x5410u
#define TIOCOUTQ       0x5411u
#define TIOCSTI        0x5412u
#define TIOCGWINSZ     0x5413u
#define TIOCSWINSZ     0x5414u
#define TIOCGSOFTCAR   0x5419u
#define TIOCSSOFTCAR   0x541au
#define FIONREAD       0x541bu
#define TIOCCONS       0x541du
#define TIOCPKT        0x5420u
#define TIOCNOTTY      0x5422u
#define TIOCSETD       0x5423u
#define TIOCGETD       0x5424u
#define TCSBRKP        0x5425u
#define TIOCSBRK       0x5427u
#define TIOCCBRK       0x5428u
#define TIOCGSID       0x5429u
#define TCGETS2        0x802c542au
#define TCSETS2        0x402c542bu
#define TCSETSW2       0x402c542cu
#define TCSETSF2       0x402c542du
#define TIOCGDEV       0x80045432u
#define TIOCGPTN       0x80045430u
#define TIOCSPTLCK     0x40045431u
#define TIOCSIG        0x40045436u
#define TIOCVHANGUP    0x5437u
#define TIOCGPKT       0x80045438u
#define TIOCGPTLCK     0x80045439u
#define TIOCGEXCL      0x80045440u
#define TIOCGPTPEER    0x5441u
#define TIOCGLCKTRMIOS 0x5456u
#define TIOCSLCKTRMIOS 0x5457u

// Arguments of TCXONC and TCFLSH.
#define TCOOFF    0u
#define TCOON     1u
#define TCIOFF    2u
#define TCION     3u
#define TCIFLUSH  0u
#define TCOFLUSH  1u
#define TCIOFLUSH 2u

// What packet mode tells (TIOCPKT).
#define TIOCPKT_DATA       0u
#define TIOCPKT_FLUSHREAD  1u
#define TIOCPKT_FLUSHWRITE 2u
#define TIOCPKT_STOP       4u
#define TIOCPKT_START      8u
#define TIOCPKT_NOSTOP     16u
#define TIOCPKT_DOSTOP     32u
#define TIOCPKT_IOCTL      64u

// The older form of struct termios (TCGETA): the lower halves of the flags, and the first characters.
#define TERMIO_CHARACTERS 8
struct termio {
    uint16_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[TERMIO_CHARACTERS];
};
#define TERMIO_SIZE 17 // without the padding

struct window_size {
    uint16_t rows, columns, x_pixels, y_pixels;
};

#endif
