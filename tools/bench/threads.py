# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Machines with several processors that really run side by side: TCG with a host thread for each, in host time. No two runs are alike."""

from machine import QEMU, Machine


class ThreadMachine(Machine):
    """As Machine, without deterministic time; the seed says nothing here."""

    def deterministic(self) -> bool:
        """Its processors are to run side by side, on as many of the host's."""
        return False

    def command_line(self) -> list[str]:
        """QEMU and its arguments."""
        return [
            *(QEMU, "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"),
            *("-M", self.board, "-m", str(self.memory), "-smp", str(self.processors), "-accel", "tcg,thread=multi", "-cpu", "max,-erms,-fsrm"),
            *self.more,
            *("-kernel", str(self.kernel), "-initrd", str(self.archive), "-append", self.append),
        ]
