# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Rows over seeds: which machines that takes, booting them, and one column a kernel out of what they print.

Each set is a machine of its own, so that a row's figure does not depend on which other sets were asked for; rows that were named one by one share one.
"""

from dataclasses import dataclass
from pathlib import Path

from archive import archive_extend
from failure import FAILED, Failure
from figures import Column, outputs_combine
from kernels import FOLDER, Kernel, Program
from lines import Malformed, Output, output_parse
from machine import INVAR_WORDS, LINUX_WORDS, Boots, Machine
from rows import ROW_SETS, SCALE

_INIT = "/bench/bench"
_MEMORY = 256
_MEMORY_SCALE = 2048
MITIGATIONS_OFF = "mitigations=off"


@dataclass(frozen=True)
class Wanted:
    """What to run: whole sets, or rows by name; sizes drawn by a seed or nominal."""

    sets: tuple[str, ...]
    rows: tuple[str, ...]
    seeds: tuple[int, ...]
    draw: int | None = None

    def parts(self, program: Program) -> list[tuple[str, str, list[str], int]]:
        """The machines of one seed: (name, the program's arguments, the rows that it must print, MiB)."""
        drawn = f" --draw {self.draw}" if self.draw is not None else ""
        parts = [
            (name, f"--set {name}{drawn}", program.of_set(name), _MEMORY_SCALE if name == SCALE else _MEMORY)
            for name in ROW_SETS
            if name in self.sets and program.of_set(name)
        ]
        for memory in (_MEMORY, _MEMORY_SCALE):
            rows = [row for row in self.rows if (program.rows[row][0] == SCALE) == (memory == _MEMORY_SCALE) and program.rows[row][0] not in self.sets]
            if rows:
                parts.append((f"rows {memory}", " ".join(f"--row {row}" for row in rows) + drawn, rows, memory))
        return parts


@dataclass(frozen=True)
class Job:
    """One boot of the run and what belongs to it."""

    column: str
    seed: int
    expected: frozenset[str]
    machine: Machine
    cached: bool


def archive_for(program: Program, arguments: str) -> Path:
    """The program's archive with its command."""
    return archive_extend(program.archive, [("bench/command", f"{arguments}\n".encode(), 0o644)], FOLDER / "archive")


def column_jobs(column: str, kernel: Kernel, linux: bool, program: Program, wanted: Wanted, words: str = "") -> list[Job]:
    """The boots of one column: every part with every seed."""
    append = f"{LINUX_WORDS} rdinit={_INIT}" if linux else f"{INVAR_WORDS} init={_INIT}"
    append += f" {words}" if words else ""
    jobs = []
    for name, arguments, expected, memory in wanted.parts(program):
        archive = archive_for(program, arguments)
        for seed in wanted.seeds:
            machine = Machine(f"{column} {name} seed {seed}", kernel.path, archive, append, seed=seed, memory=memory)
            jobs.append(Job(column, seed, frozenset(expected), machine, cached=linux))
    return jobs


def output_read(boots: Boots, job: Job, text: str) -> Output:
    """What the machine printed, checked; Failure names its console's file."""
    try:
        output = output_parse(text)
        lacking, strange = job.expected - output.verdicts(), output.verdicts() - job.expected
        if lacking or strange:
            raise Malformed(f"rows that are {'lacking' if lacking else 'not asked for'}: {' '.join(sorted(lacking or strange))}")
    except Malformed as malformed:
        boots.forget(job.machine)
        raise Failure(f"bench: {job.machine.what}: {malformed}; its console: {boots.log_of(job.machine)}", FAILED) from malformed
    return output


def columns_measure(boots: Boots, jobs: list[Job]) -> dict[str, Column]:
    """Boots them all and gives the columns by name."""
    outputs: dict[str, list[tuple[int, Output]]] = {job.column: [] for job in jobs}
    for job, text in zip(jobs, boots.all([(job.machine, job.cached) for job in jobs])):
        outputs[job.column].append((job.seed, output_read(boots, job, text)))
    return {name: outputs_combine(of_column) for name, of_column in outputs.items()}
