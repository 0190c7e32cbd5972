# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Instructions from the start of the machine to the first user instruction, by stage, on q35 and microvm.

One processor, 256 MiB, the built-in root archive with tools/bench/first.c behind it as init: the same archive on every kernel. Firmware and loader are
in the figure. Linux is measured twice: as it is, and without the self-tests of its cryptography, which is the fair rival.
"""

import re
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from archive import archive_extend
from failure import FAILED, Failure
from kernels import FOLDER, HOST, ROOT
from lines import Malformed, named_numbers
from machine import INVAR_WORDS, LINUX_WORDS, Boots, Machine

BOARDS = ("q35", "microvm")
LINUX_FAIR = "cryptomgr.notests"
_INIT = "bench-first"
# The kernel's own figure is taken a few instructions before the program's.
_TOLERANCE = 20000


@dataclass
class Boot:
    """One boot: where its stages end, and the first user instruction."""

    kernel: str  # "invar", "linux" or "linux without self-tests"
    board: str
    stages: list[tuple[str, int]]
    first: int

    def to_json(self) -> dict[str, object]:
        """For the report."""
        return asdict(self)


def first_build() -> Path:
    """Compiles the program."""
    program = FOLDER / "first"
    FOLDER.mkdir(parents=True, exist_ok=True)
    source = ROOT / "tools/bench/first.c"
    command = ["gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-nostdlib", "-nostartfiles", "-ffreestanding", "-fno-pie", "-no-pie"]
    command += ["-fno-stack-protector", "-fcf-protection=none", "-fno-asynchronous-unwind-tables", "-s", "-Wl,--build-id=none", "-o", str(program), str(source)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Failure(f"bench: {source} does not compile: {(run.stderr.strip().splitlines() or ['no reason given'])[0]}")
    return program


def boot_parse(text: str) -> tuple[int, list[tuple[str, int]]]:
    """The first user instruction and the stages out of a console; raises Malformed."""
    first: int | None = None
    stages: list[str] = []
    ended = False
    for line in text.replace("\r", "").split("\n"):
        if found := re.fullmatch(r"first_user_instruction (\d+)", line):
            if first is not None:
                raise Malformed("two lines 'first_user_instruction'")
            first = int(found[1])
        elif first is not None and not ended and line.startswith("| "):
            stages.append(line[2:])
        elif first is not None and line == "end":
            ended = True
    if first is None or not ended:
        raise Malformed("the first program did not run to its end")
    return first, _stages_check(named_numbers(stages, "stage"), first)


def _stages_check(stages: list[tuple[str, int]], first: int) -> list[tuple[str, int]]:
    """Stages end one after another, the last at the first user instruction."""
    ends = [cycle for _, cycle in stages]
    if ends != sorted(ends):
        raise Malformed("/proc/invar/boot: the stages are not in order")
    if stages and (stages[-1][0] != "first_user_instruction" or not 0 <= first - stages[-1][1] <= _TOLERANCE):
        raise Malformed(f"/proc/invar/boot: the last stage is {stages[-1]}, the program's own figure {first}")
    return stages


def boot_machines(invar: Path | None, linux: Path | None, boards: tuple[str, ...] = BOARDS) -> list[tuple[Boot, Machine]]:
    """What is to be booted: each board with each kernel that is given."""
    archive = archive_extend(HOST / "root.cpio", [(_INIT, first_build().read_bytes(), 0o755)], FOLDER / "archive")
    kinds: list[tuple[str, Path, str]] = []
    if linux is not None:
        kinds.append(("linux", linux, f"{LINUX_WORDS} rdinit=/{_INIT}"))
        kinds.append(("linux without self-tests", linux, f"{LINUX_WORDS} {LINUX_FAIR} rdinit=/{_INIT}"))
    if invar is not None:
        kinds.append(("invar", invar, f"{INVAR_WORDS} init=/{_INIT}"))
    return [
        (Boot(kind, board, [], 0), Machine(f"boot {kind} {board}", kernel, archive, append, board=board, limit=300))
        for board in boards
        for kind, kernel, append in kinds
    ]


def boots_measure(boots: Boots, wanted: list[tuple[Boot, Machine]]) -> list[Boot]:
    """Boots them all; Linux's figures may come from the cache."""
    texts = boots.all([(machine, boot.kernel != "invar") for boot, machine in wanted])
    for (boot, machine), text in zip(wanted, texts):
        try:
            boot.first, boot.stages = boot_parse(text)
        except Malformed as malformed:
            boots.forget(machine)
            raise Failure(f"bench: {machine.what}: {malformed}; its console: {boots.log_of(machine)}", FAILED) from malformed
    return [boot for boot, _ in wanted]
