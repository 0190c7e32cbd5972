# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""The same rows on 1, 2, 4 and 8 processors at once: instructions an operation, those of waiting apart.

Every processor runs a copy of the row (`bench --parallel N`) on a machine whose processors are threads of the host, and the counting plugin counts from
outside, the same way on every kernel, all between the rows' marks: also what a row prepares in its batches outside its own clock readings. busy: user and
kernel; spin: waiting with PAUSE; idle: the idle loop. No two such runs are alike, so each figure is the median of several, with their spread. With more
processors than the host has, one that waits for another spins or idles longer than on real ones: busy is the figure to read.
"""

import argparse
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from archive import archive_extend
from failure import FAILED, Failure
from guest import invar_ranges, linux_ranges, map_write
from kallsyms import linux_symbols
from kernels import FOLDER, Kernel, Program, debian_fetch, invar_build, program_build
from lines import Malformed, output_parse
from machine import Boots
from measure import Wanted
from observe import Window, observe, plugin_build
from report import Scaling
from symbols import symbols_of_elf
from threads import ThreadMachine

COUNTS = (1, 2, 4, 8)
RUNS = 3
# Where processors could get in each other's way: nothing shared, memory, names, descriptors, scheduling, processes.
ROWS = (
    *("null_call", "pagefault_anon", "open_close", "pipe_rtt_1", "futex_rtt", "mmap_touch_munmap_1", "fork_exit", "create_close", "unlink"),
    *("shared_open_close", "shared_pread_4k", "shared_create_unlink"),  # all copies on the same file and folder
)

_LINUX_WORDS = "console=ttyS0 nokaslr norandmaps random.trust_cpu=on panic=-1 quiet rdinit=/bench/bench"
_INVAR_WORDS = "console=ttyS0 panic=-1 quiet init=/bench/bench"
_MEMORY = 512
_LIMIT = 3600  # host seconds of one boot
_WAITS = ("spin", "idle")
_EVENTS = ("icr_write", "invlpg", "cr3_write")

# Figures of one row on one number of processors: "busy", "busy spread", "spin", "idle" and events, each per operation.
Figures = dict[str, float]


@dataclass(frozen=True)
class Guest:
    """One kernel under observation."""

    name: str
    kernel: Path
    words: str
    guest_map: Path


def figures_of(window: Window, operations: int) -> Figures:
    """One run's figures per operation."""
    figures = {"busy": (window.total("user") + window.total("kernel")) / operations}
    figures |= {name: window.total(name) / operations for name in (*_WAITS, *_EVENTS)}
    return figures


def figures_combine(runs: list[Figures]) -> Figures:
    """Medians of several runs; beside busy its spread, from the least to the greatest, as a part of the median."""
    combined: Figures = {}
    for name in runs[0]:
        values = [run[name] for run in runs]
        combined[name] = statistics.median(values)
        if name == "busy":
            combined["busy spread"] = (max(values) - min(values)) / combined[name] if combined[name] else 0.0
    return combined


def _run(boots: Boots, guest: Guest, rows: list[str], count: int, plugin: Path, archive: Path, folder: Path) -> dict[str, Figures]:
    """One boot with all rows, one after the other; those that the kernel does not have are not in the answer."""
    arguments = f"--parallel {count} " + " ".join(f"--row {row}" for row in rows)
    extended = archive_extend(archive, [("bench/command", f"{arguments}\n".encode(), 0o644)], folder / "archive")
    machine = ThreadMachine(f"{guest.name} on {count}", guest.kernel, extended, guest.words, memory=_MEMORY, processors=count, limit=_LIMIT)
    text, windows = observe(boots, machine, plugin, guest.guest_map, folder / f"processors-{guest.name}.out")
    try:
        output = output_parse(text)
    except Malformed as malformed:
        raise Failure(f"bench: {machine.what}: {malformed}; its console: {boots.log_of(machine)}", FAILED) from malformed
    if output.broken or len(windows) != len(output.parallel):
        broken = ", ".join(f"{row}: {what}" for row, what in output.broken.items())
        raise Failure(f"bench: {machine.what}: {broken or 'rows and measured stretches are not as many'}; its console: {boots.log_of(machine)}", FAILED)
    return {row: figures_of(window, parallel.operations) for (row, parallel), window in zip(output.parallel.items(), windows)}


def guests_of(boots: Boots, invar: Kernel | None, linux: Kernel | None, archive: Path, folder: Path) -> list[Guest]:
    """The kernels, each with its map for the plugin."""
    guests = []
    if linux:
        guests.append(Guest("linux", linux.path, _LINUX_WORDS, folder / "processors-linux.map"))
        map_write(guests[-1].guest_map, linux_ranges(linux_symbols(boots, linux.path, archive, folder)))
    if invar:
        guests.append(Guest("invar", invar.path, _INVAR_WORDS, folder / "processors-invar.map"))
        map_write(guests[-1].guest_map, invar_ranges(symbols_of_elf(invar.path)))
    return guests


def rows_measure(boots: Boots, guests: list[Guest], rows: list[str], counts: list[int], archive: Path, folder: Path) -> dict[str, dict[str, dict[int, Figures]]]:
    """row -> kernel -> processors -> figures; what a kernel does not have is not there."""
    plugin = plugin_build(folder)
    found: dict[str, dict[str, dict[int, Figures]]] = {row: {guest.name: {} for guest in guests} for row in rows}
    for guest in guests:
        for count in counts:
            print(f"invar: bench: {guest.name} on {count} processor{'s' if count > 1 else ''}, {RUNS} runs", file=sys.stderr)
            runs = [_run(boots, guest, rows, count, plugin, archive, folder) for _ in range(RUNS)]
            for row in rows:
                figures = [run[row] for run in runs if row in run]
                if figures:
                    found[row][guest.name][count] = figures_combine(figures)
    return found


def _columns(guest: str, figures: Figures) -> dict[str, float]:
    """The report's columns of one kernel."""
    columns = {f"{guest} {name}": figures[name] for name in ("busy", *_WAITS, "icr_write", "invlpg")}
    return columns | {f"{guest} spread %": 100 * figures["busy spread"]}


def measure(boots: Boots, invar: Kernel, program: Program, wanted: Wanted, linux: Kernel | None = None) -> list[Scaling]:
    """For the whole report: the rows that were asked for, or else those of ROWS that the program has."""
    rows = [row for row in wanted.rows or ROWS if row in program.rows]
    folder = FOLDER
    found = rows_measure(boots, guests_of(boots, invar, linux, program.archive, folder), rows, list(COUNTS), program.archive, folder)
    scaling = []
    for row, guests in found.items():
        by_count: dict[int, dict[str, float]] = {}
        for guest, counts in guests.items():
            for count, figures in counts.items():
                by_count.setdefault(count, {}).update(_columns(guest, figures))
        scaling.append(Scaling(row, dict(sorted(by_count.items()))))
    return scaling


def table(found: dict[str, dict[str, dict[int, Figures]]]) -> str:
    """For people."""
    lines = [["row", "kernel", "processors", "busy", "spread", "spin", "idle", "ipis", "invlpg", "cr3"]]
    for row, guests in found.items():
        for guest, counts in guests.items():
            for count, f in counts.items():
                more = [f"{f[name]:,.2f}" for name in _EVENTS]
                lines.append([row, guest, str(count), f"{f['busy']:,.0f}", f"{100 * f['busy spread']:.1f} %", f"{f['spin']:,.0f}", f"{f['idle']:,.0f}", *more])
            if not counts:
                lines.append([row, guest, "-", "none", *[""] * 6])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths))) for line in lines)


def main(rows: list[str], counts: list[int], out_folder: str) -> dict[str, dict[str, dict[int, Figures]]]:
    """Measures rows on both kernels: row -> kernel ("linux", "invar") -> processors -> figures. Builds what is needed."""
    folder = Path(out_folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    program = program_build()
    for row in rows:
        if row not in program.rows:
            raise Failure(f"bench: {row}: no such row (./invar bench --list names them)")
    boots = Boots(folder, 1, True)
    return rows_measure(boots, guests_of(boots, invar_build(), debian_fetch(), program.archive, folder), rows, counts, program.archive, folder)


def counts_read(text: str) -> list[int]:
    """1,2,4 as numbers; Failure for what no machine has."""
    words = text.split(",")
    if not all(word.isdecimal() and 1 <= int(word) <= 64 for word in words):
        raise Failure(f"bench: --counts {text}: numbers of processors from 1 to 64 with commas between them are needed")
    return [int(word) for word in words]


def command_line() -> int:
    """processors.py [ROW]... [--counts 1,2,4,8] [--out FOLDER]"""
    parser = argparse.ArgumentParser(description="Rows on several processors at once, on both kernels.")
    parser.add_argument("rows", nargs="*", default=list(ROWS))
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)))
    parser.add_argument("--out", default=str(FOLDER))
    options = parser.parse_args()
    try:
        print(table(main(options.rows, counts_read(options.counts), options.out)))
    except Failure as failure:
        print(f"invar: {failure.text}", file=sys.stderr)
        return failure.status
    return 0


if __name__ == "__main__":
    sys.exit(command_line())
