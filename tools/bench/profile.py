# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Where the instructions of one row go, by function, in the kernel and in user code: `./invar bench --profile ROW`.

Boots Invar in deterministic time with the counting plugin and that row alone, and prints instructions per operation by function, with those of all that it
called and without, beside the figure that the row itself printed. Leaves a flame graph as SVG, and the stacks as text for other tools.

Counted is what the row's own clock readings enclose, where they come in pairs, as many in each batch; else all between its marks. The table's sum is the
mean of all batches; the check computes the median of the batches as the row does, and has to agree with the row's own figure.
"""

import argparse
import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from archive import archive_extend
from failure import FAILED, Failure
from flame import flame_svg
from guest import Range, invar_ranges, linux_ranges, map_write, program_ranges
from kallsyms import linux_symbols
from kernels import command, debian_fetch
from lines import Malformed, Output, Row, output_parse
from machine import INVAR_WORDS, LINUX_WORDS, Boots, Machine
from observe import WORK, Window, observe, plugin_build
from stacks import ENTRY, Frame, Stack, folded_text, stacks_fold, sums_by_function
from symbols import Symbols, symbols_of_elf

LEAST_SHARE = 0.005  # functions with less of the whole are left out of the table
AGREEMENT = 0.01


@dataclass
class Profile:
    """One row's profile."""

    row: Row
    window: Window
    folded: dict[Stack, int]
    by_clock: bool

    @property
    def operations(self) -> int:
        """All operations that were counted."""
        return self.row.batches * self.row.operations

    @property
    def total(self) -> int:
        """All instructions of all stacks."""
        return sum(self.folded.values())

    def median(self) -> float:
        """Instructions an operation in the median batch; of all batches where they cannot be told apart."""
        stretches = self.window.stretches
        each = len(stretches) // self.row.batches
        if not self.by_clock or each == 0:
            return self.total / self.operations
        batches = [sum(stretches[i * each : (i + 1) * each]) for i in range(self.row.batches)]
        return statistics.median(batches) / self.row.operations

    def difference(self) -> float:
        """How far that is from the figure that the row printed, as a part of it."""
        return self.median() / self.row.median - 1 if self.row.median else 0.0


def _row_of(text: str, name: str) -> Row:
    """The row's line; Failure where the row did not run."""
    try:
        output: Output = output_parse(text)
    except Malformed as malformed:
        raise Failure(f"bench: --profile {name}: {malformed}", FAILED) from malformed
    if name in output.none:
        raise Failure(f"bench: --profile {name}: the kernel does not have it: {output.none[name]}")
    if name not in output.rows:
        raise Failure(f"bench: --profile {name}: {output.broken.get(name, 'the row printed nothing')}", FAILED)
    return output.rows[name]


@dataclass(frozen=True)
class Guest:
    """The kernel that is profiled: its name for people, its file, its symbols, what the plugin has to know of it, its command line."""

    name: str
    path: Path
    symbols: Symbols
    ranges: list[Range]
    append: str


def invar_guest(kernel_elf: Path) -> Guest:
    """Invar's kernel."""
    symbols = symbols_of_elf(kernel_elf)
    return Guest("Invar", kernel_elf, symbols, invar_ranges(symbols), f"{INVAR_WORDS} init=/bench/bench")


def linux_guest(archive: Path, folder: Path) -> Guest:
    """Debian's kernel: one boot more, the first time, tells its symbols."""
    kernel = debian_fetch()
    symbols = linux_symbols(Boots(folder, 1, True), kernel.path, archive, folder)
    return Guest("Linux", kernel.path, symbols, linux_ranges(symbols), f"{LINUX_WORDS} rdinit=/bench/bench")


def profile_take(row: str, guest: Guest, archive: Path, seed: int, folder: Path) -> Profile:
    """Boots and counts. The program with its symbols stands beside its archive."""
    program = symbols_of_elf(archive.parent / "bench")
    user = program + symbols_of_elf(archive.parent / "child")
    guest_map, out, raw = (folder / f"profile-{row}.{kind}" for kind in ("map", "out", "stacks"))
    map_write(guest_map, guest.ranges + program_ranges(user))
    extended = archive_extend(archive, [("bench/command", f"--row {row}\n".encode(), 0o644)], folder / "archive")
    machine = Machine(f"profile {row}", guest.path, extended, guest.append, seed=seed)
    plugin = plugin_build(folder)
    boots = Boots(folder, 1, True)
    for by_clock in (True, False):
        text, windows = observe(boots, machine, plugin, guest_map, out, raw, by_clock)
        found = _row_of(text, row)
        if len(windows) != 1:
            raise Failure(f"bench: --profile {row}: the row has {len(windows)} measured stretches, 1 is needed", FAILED)
        if windows[0].readings > 0 and windows[0].readings % (2 * found.batches) == 0:
            break
    folded = stacks_fold(raw.read_text(), guest.symbols, user)
    for path in (guest_map, out, raw):
        path.unlink()
    return Profile(found, windows[0], folded, by_clock)


def _table(header: list[str], rows: list[list[str]], left: int) -> str:
    """Columns under a header; the last `left` ones to the left, the others to the right."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    first_left = len(header) - left
    return "\n".join("  ".join(cell.rjust(width) if i < first_left else cell.ljust(width) for i, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def functions_table(profile: Profile) -> str:
    """Functions by their own instructions, then entries by all below them."""
    sums = sums_by_function(profile.folded)
    n, total = profile.operations, profile.total

    def line(frame: Frame) -> list[str]:
        own, inclusive = sums[frame].own, sums[frame].inclusive
        return [f"{own / n:,.1f}", f"{100 * own / total:.1f}", f"{inclusive / n:,.1f}", f"{100 * inclusive / total:.1f}", frame[0], frame[1]]

    shown = [frame for frame in sums if sums[frame].inclusive >= LEAST_SHARE * total]
    functions = sorted((frame for frame in shown if frame[0] != ENTRY), key=lambda frame: (-sums[frame].own, -sums[frame].inclusive, frame))
    entries = sorted((frame for frame in shown if frame[0] == ENTRY), key=lambda frame: (-sums[frame].inclusive, frame))
    header = ["own", "%", "with callees", "%", "where", "function"]
    return _table(header, [line(frame) for frame in (*functions, *entries)], 2)


def events_line(profile: Profile) -> str:
    """Events per operation, those that round to something."""
    n = profile.operations
    events = [(name, profile.window.total(name) / n) for name in profile.window.names() if name not in WORK]
    return ", ".join(f"{name} {value:,.2f}" for name, value in events if value >= 0.005)


def check_line(profile: Profile) -> str:
    """The sum of the functions beside the row's own figure."""
    what = "between the row's clock readings" if profile.by_clock else "between the row's marks, more than its clock readings enclose"
    difference = profile.difference()
    verdict = "agree" if abs(difference) <= AGREEMENT else "differ" if profile.row.unit != "late" else "differ, as time passes while nothing runs"
    return (
        f"sum of all functions: {profile.total / profile.operations:,.2f} instructions an operation ({what})\n"
        f"median batch as counted: {profile.median():,.2f}; the row itself: {profile.row.median:,.2f}; they {verdict} ({100 * difference:+.2f} %)"
    )


def profile_text(profile: Profile) -> str:
    """All that is printed."""
    works = ", ".join(f"{work} {profile.window.total(work) / profile.operations:,.1f}" for work in WORK if profile.window.total(work))
    unit = {"kB": "1,000 bytes", "late": "wake-up"}.get(profile.row.unit, "operation")
    head = f"{profile.row.name}: instructions per {unit}, {profile.operations:,} of them; functions with {100 * LEAST_SHARE:.1f} % and more"
    return f"{head}\n{functions_table(profile)}\n\n{check_line(profile)}\n{works}\nevents: {events_line(profile) or 'none'}"


def main(row: str, kernel_elf: str, archive: str, seed: int, out_folder: str) -> int:
    """Profiles the row on Invar, prints the table and leaves profile-ROW.svg and profile-ROW.folded in out_folder; the status."""
    folder = Path(out_folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return profile_guest(row, invar_guest(Path(kernel_elf)), Path(archive).resolve(), seed, folder / f"profile-{row}.svg")


def profile_guest(row: str, guest: Guest, archive: Path, seed: int, picture: Path) -> int:
    """The same on either kernel."""
    profile = profile_take(row, guest, archive, seed, picture.parent)
    title = f"{row}: {profile.total / profile.operations:,.0f} instructions an operation"
    subtitle = f"{guest.name}, one processor, deterministic time, seed {seed}, {profile.operations:,} operations; width is instructions with all that was called"
    picture.write_text(flame_svg(profile.folded, profile.operations, title, subtitle))
    picture.with_suffix(".folded").write_text(folded_text(profile.folded))
    print(profile_text(profile))
    print(f"\n{os.path.relpath(picture)}")
    return FAILED if abs(profile.difference()) > AGREEMENT and profile.by_clock and not profile.window.total("idle") else 0


def row_check(row: str, archive: Path) -> None:
    """Failure where the program beside the archive does not have the row."""
    program = archive.parent / "bench"
    if not program.exists() or not archive.exists():
        raise Failure(f"bench: {archive if program.exists() else program}: no such file (make -f bench/Makefile builds it)")
    if row not in (line.split()[0] for line in command([str(program), "--list"], "the program does not list its rows").splitlines()):
        raise Failure(f"bench: --profile {row}: no such row (./invar bench --list names them)")


def command_line() -> int:
    """profile.py ROW [--linux | --kernel FILE] [--archive FILE] [--seed N] [--out FOLDER]"""
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description="Where the instructions of a row go.")
    parser.add_argument("row")
    parser.add_argument("--kernel", default=str(root / "build/release/invar.elf"))
    parser.add_argument("--linux", action="store_true", help="profile Debian's kernel, to compare")
    parser.add_argument("--archive", default=str(root / "build/bench/bench.cpio"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=str(root / "build/bench"))
    options = parser.parse_args()
    try:
        row_check(options.row, Path(options.archive).resolve())
        if options.linux:
            folder, archive = Path(options.out).resolve(), Path(options.archive).resolve()
            folder.mkdir(parents=True, exist_ok=True)
            return profile_guest(options.row, linux_guest(archive, folder), archive, options.seed, folder / f"profile-linux-{options.row}.svg")
        return main(options.row, options.kernel, options.archive, options.seed, options.out)
    except Failure as failure:
        print(f"invar: {failure.text}", file=sys.stderr)
        return failure.status


if __name__ == "__main__":
    sys.exit(command_line())
