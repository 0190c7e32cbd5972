// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Between the input side (ldisc.c) and the output and echo side (ldisc_output.c) of the line discipline.
#ifndef TTY_LDISC_PRIVATE_H
#define TTY_LDISC_PRIVATE_H

#include "ldisc.h"

#define TTY_DISABLED 0 // _POSIX_VDISABLE

#define HAS_I(l, flag) (((l)->termios.iflag & (flag)) != 0)
#define HAS_O(l, flag) (((l)->termios.oflag & (flag)) != 0)
#define HAS_L(l, flag) (((l)->termios.lflag & (flag)) != 0)

enum ldisc_erase { LDISC_ERASE_CHARACTER, LDISC_ERASE_WORD, LDISC_ERASE_LINE };

// Erases from the line being edited and shows it.
void ldisc_erase(struct ldisc *l, enum ldisc_erase what);
// Echoes a byte of text: control characters as ^X with ECHOCTL.
void ldisc_echo_char(struct ldisc *l, uint8_t c);
// Echoes a byte through the output processing and nothing else.
void ldisc_echo_raw(struct ldisc *l, uint8_t c);
// ECHOPRT: closes the "\...erased.../" picture.
void ldisc_finish_erasing(struct ldisc *l);

#endif
