# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Rows on 1, 2, 4 and 8 processors, counted by the observer outside the machine."""

from failure import Failure
from kernels import Kernel, Program
from machine import Boots
from measure import Wanted
from report import Scaling


def measure(boots: Boots, invar: Kernel, program: Program, wanted: Wanted) -> list[Scaling]:
    """Not there before the observer is."""
    raise Failure("bench: processors: comes with the observer that counts by processor")
