# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""What ends `./invar bench` early, as one line for the person who called it.

Every module raises Failure where the person's input or the machine's behaviour makes going on pointless; the program's entry prints
"invar: TEXT" and leaves with the status. Mistakes of our own stay ordinary exceptions, with their trace.
"""

USAGE = 2  # the input is wrong, or something that the run needs cannot be had
FAILED = 1  # the run took place and something in it is wrong


class Failure(Exception):
    """One line for people and the status to leave with."""

    def __init__(self, text: str, status: int = USAGE) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
