# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Memory at the shell: the least -m with which a shell starts, and who owns what in the machine then (/proc/invar/memory)."""

import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

from failure import FAILED, Failure
from kernels import FOLDER, HOST
from lines import Malformed, named_numbers

LEAST = 4  # MiB tried
MOST = 16
_LIMIT = 120  # host seconds a machine


@dataclass
class Memory:
    """What the shell needs."""

    least: int  # MiB of the smallest machine with a shell; 0: none up to MOST
    owners: list[tuple[str, int]] = field(default_factory=list)  # KiB; a name with a dot is a part of an owner; empty where the kernel does not say

    @property
    def used(self) -> int:
        """KiB of all owners but "free" together; 0 where the kernel does not say."""
        return used_of(self.owners)

    def to_json(self) -> dict[str, object]:
        """For the report."""
        return asdict(self)


# The shell itself reads and prints the file: no second process is there.
_SCRIPT = 'echo shell $((6 * 7)); [ ! -r /proc/invar/memory ] || while read -r owner kib rest; do echo "| $owner $kib$rest"; done </proc/invar/memory'


def shell_try(kernel: Path, megabytes: int) -> list[str] | None:
    """Boots to a shell in so much memory; what it printed behind its greeting, None when it did not come up."""
    log = FOLDER / "log/shell.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [str(HOST / "invar-run"), "--kernel", str(kernel), "--initrd", str(HOST / "root.cpio"), "--machine", "q35"]
    command += ["--smp", "1", "--icount", "--mem", f"{megabytes}M", "--quiet", "--timeout", str(_LIMIT), "--log", str(log), "--", "sh", "-c", _SCRIPT]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    for old in log.parent.glob(f"{log.name}.*"):  # it names its log by its process
        old.replace(log)
    lines = run.stdout.splitlines()
    if run.returncode != 0 or not lines or lines[0] != "shell 42":
        return None
    return lines[1:]


def memory_measure(kernel: Path) -> Memory:
    """Tries from the least upwards."""
    for megabytes in range(LEAST, MOST + 1):
        lines = shell_try(kernel, megabytes)
        if lines is not None:
            return Memory(megabytes, owners_parse(lines))
    return Memory(0)


def used_of(owners: list[tuple[str, int]]) -> int:
    """KiB that somebody owns."""
    found = dict(owners)
    return found.get("total", 0) - found.get("free", 0)


def owners_parse(lines: list[str]) -> list[tuple[str, int]]:
    """The owners out of the shell's lines: all together are the total."""
    try:
        if any(not line.startswith("| ") for line in lines):
            raise Malformed("a line that is not the file's")
        owners = named_numbers([line[2:] for line in lines])
        total = [kib for name, kib in owners if name == "total"]
        if owners and (len(total) != 1 or total[0] != sum(kib for name, kib in owners if name != "total" and "." not in name)):
            raise Malformed("the owners together are not the total")
    except Malformed as malformed:
        raise Failure(f"bench: /proc/invar/memory: {malformed}", FAILED) from malformed
    return owners
