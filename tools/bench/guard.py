# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""The guard of the suite `bench`: Invar's figures against the reference in the tree, and against Linux's.

    guard.py [--kernel FILE] [--drawn SEED]

Prints "ok bench/NAME" or "FAIL bench/NAME: repeat with: COMMAND" for each test, with the reason above it. Runs the scored and shown rows with seeds 1
and 2 and once more with seed 1; then the boot and the shell. --drawn SEED (release set): rows with drawn sizes and counts on both kernels, so that a
row which is short only at the benchmark's own sizes is found.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from bench import Parser
from boot import boot_machines, boots_measure
from failure import Failure
from figures import Column, outputs_combine, ratio_of
from kernels import FOLDER, ROOT, Kernel, Program, compiler_version, debian_fetch, invar_build, invar_file, program_build, program_compiler
from lines import Output
from machine import Boots
from measure import Job, Wanted, column_jobs, columns_measure, output_read
from memory import owners_parse, shell_try, used_of
from reference import HOW_TO_ACCEPT, Kept, Reference, linux_read, reference_read
from rows import SCORED, SCORED_ROWS, SHOWN, rows_sorted

SEEDS = (1, 2)
# Instructions to the first user instruction: a target on microvm, a twentieth of Linux's fair boot on q35.
BOOT_LIMITS = {"microvm": 16_000_000, "q35": 31_300_000}
SHELL_LIMIT = 8  # MiB
DRAWN_TOLERANCE = 1.15


class Verdicts:
    """Prints verdicts and remembers whether one failed."""

    def __init__(self) -> None:
        self.failed = 0

    def give(self, name: str, faults: list[str], repeat: str) -> None:
        """One test: its faults, none of them for a pass."""
        for fault in faults:
            print(f"    {fault}")
        if faults:
            self.failed += 1
            print(f"FAIL bench/{name}: repeat with: {repeat}")
        else:
            print(f"ok bench/{name}")
        sys.stdout.flush()


# --- the rows -----------------------------------------------------------------------------------------------------------


def unlike(first: Output, second: Output) -> list[str]:
    """Rows that two machines printed differently, in any figure or event."""
    names = first.verdicts() | second.verdicts()
    return [name for name in rows_sorted(names) if first.rows.get(name) != second.rows.get(name) or (name in first.none) != (name in second.none)]


def same_twice(first: Output, second: Output, third: Callable[[], Output]) -> list[str]:
    """What two machines with the same seed printed differently.

    The emulator itself lets its own threads race once in a great while (machine.py, Boots.bound): where the two differ, a third machine decides. A row
    is at fault unless the third is as the first or the second was, and more rows than one are always.
    """
    names = unlike(first, second)
    if len(names) == 1:
        decides = third()
        names = sorted(set(unlike(first, decides)) & set(unlike(second, decides)))
    return [f"{name}: {first.rows.get(name)} and then {second.rows.get(name)}" for name in names]


def row_faults(name: str, column: Column, kept: Kept | None) -> list[str]:
    """A row against its reference."""
    if name in column.broken:
        return [f"{name} is broken: {column.broken[name]}"]
    if name in column.none:
        return [f"{name} was {kept.median:.2f} and is none: {column.none[name]}"] if kept else []
    median = column.rows[name].median
    if kept is None:
        return [f"{name} is not in bench/reference.json: ./invar bench --accept puts it there"]
    if median > kept.limit:
        more = 100 * (median / kept.median - 1)
        return [f"{name}: {median:.2f} instructions, {more:.1f} % over the reference's {kept.median:.2f} (limit {kept.limit:.2f}); {HOW_TO_ACCEPT}"]
    return []


def above_linux_faults(name: str, column: Column, linux: dict[str, Kept], caveats: str) -> list[str]:
    """A scored row above Linux's needs its reason in CAVEATS.md."""
    if name not in column.rows or name not in linux:
        return []
    ours, theirs = column.rows[name].median, linux[name].median
    if ours <= theirs or f"`{name}`" in caveats:
        return []
    return [f"{name}: {ours:.2f} instructions, above Linux's {theirs:.2f}, and no line in CAVEATS.md names `{name}`"]


def jobs_run(boots: Boots, jobs: list[Job]) -> list[Output]:
    """What the machines printed, read."""
    return [output_read(boots, job, text) for job, text in zip(jobs, boots.all([(job.machine, False) for job in jobs]))]


def rows_guard(boots: Boots, invar: Kernel, program: Program, reference: Reference, verdicts: Verdicts) -> None:
    """Scored and shown rows: repeated, against the reference, against Linux."""
    wanted = Wanted((SCORED, SHOWN), (), SEEDS)
    jobs = column_jobs("guard", invar, False, program, wanted)
    again = column_jobs("guard again", invar, False, program, Wanted((SCORED, SHOWN), (), SEEDS[:1]))
    outputs = jobs_run(boots, jobs + again)
    faults = []
    for job, second in zip(again, outputs[len(jobs) :]):
        first = next(output for one, output in zip(jobs, outputs) if (one.seed, one.expected) == (job.seed, job.expected))
        faults += same_twice(first, second, lambda job=job: jobs_run(boots, [job])[0])  # type: ignore[misc]
    verdicts.give("same_figures_twice", faults, "./invar test bench")
    column = outputs_combine([(job.seed, output) for job, output in zip(jobs, outputs)])
    linux, caveats = linux_read(), (ROOT / "CAVEATS.md").read_text()
    for name in rows_sorted(column.names() | set(reference.rows)):
        if name not in column.names():
            verdicts.give(name, [f"{name} is in bench/reference.json and not in the program"], "./invar bench --list")
            continue
        faults = row_faults(name, column, reference.rows.get(name))
        if name in SCORED_ROWS:
            faults += above_linux_faults(name, column, linux, caveats)
        verdicts.give(name, faults, f"./invar bench --seeds 1,2 {name}")


def table_guard(program: Program, verdicts: Verdicts) -> None:
    """The program and the tables agree about the scored rows."""
    listed = set(program.of_set(SCORED))
    faults = [f"{name}: scored in tools/bench/rows.py, not in the program" for name in SCORED_ROWS if name not in listed]
    faults += [f"{name}: scored in the program, not in tools/bench/rows.py" for name in sorted(listed - set(SCORED_ROWS))]
    verdicts.give("scored_rows_are_the_published_ones", faults, "./invar bench --list")


# --- boot and shell -----------------------------------------------------------------------------------------------------


def over(name: str, value: float, kept: float | None, limit: float | None) -> list[str]:
    """A single figure against reference and limit."""
    faults = []
    if kept is not None and value > Kept(kept, 0).limit:
        faults.append(f"{name}: {value:,.0f}, more than 10 % over the reference's {kept:,.0f}; {HOW_TO_ACCEPT}")
    if limit is not None and value > limit:
        faults.append(f"{name}: {value:,.0f}, over the limit {limit:,}")
    return faults


def boot_guard(boots: Boots, invar: Kernel, reference: Reference, verdicts: Verdicts) -> None:
    """Instructions to the first user instruction on both boards."""
    for boot in boots_measure(boots, boot_machines(invar.path, None)):
        name = f"boot_{boot.board}"
        print(f"    {name}: {boot.first:,} instructions to the first user instruction")
        verdicts.give(name, over(name, boot.first, reference.boot.get(boot.board), BOOT_LIMITS[boot.board]), "./invar bench boot")


def shell_guard(invar: Kernel, reference: Reference, verdicts: Verdicts) -> None:
    """A shell in as little memory as before, and in 8 MiB at most."""
    least = min(reference.shell_least, SHELL_LIMIT)
    lines = shell_try(invar.path, least)
    if lines is None:
        verdicts.give("shell_memory", [f"no shell with {least} MiB; {HOW_TO_ACCEPT}"], f"./invar run --mem {least}M --smp 1 -- sh -c 'echo shell'")
        return
    used = used_of(owners_parse(lines))
    print(f"    shell_kib: {used:,} KiB used at the shell with {least} MiB")
    faults = over("shell_kib", used, reference.shell_used, None) if reference.shell_used else []
    verdicts.give("shell_memory", faults, "./invar bench memory")


# --- drawn sizes --------------------------------------------------------------------------------------------------------


def drawn_guard(boots: Boots, invar: Kernel, program: Program, reference: Reference, draw: int, verdicts: Verdicts) -> None:
    """Rows at or under Linux's with nominal sizes stay near it with drawn ones."""
    kept = linux_read()
    wanted = Wanted((SCORED, SHOWN), (), SEEDS, draw)
    linux = debian_fetch()
    jobs = column_jobs(f"drawn {draw} linux", linux, True, program, wanted) + column_jobs(f"drawn {draw} invar", invar, False, program, wanted)
    columns = columns_measure(boots, jobs)
    theirs, ours = columns[f"drawn {draw} linux"], columns[f"drawn {draw} invar"]
    for name in rows_sorted(ours.names()):
        faults = [f"{name} is broken on {title}: {column.broken[name]}" for title, column in (("Linux", theirs), ("Invar", ours)) if name in column.broken]
        if name in ours.rows and name in theirs.rows and is_at_most_linux(name, reference, kept):
            ratio = ratio_of(ours.rows[name].median, theirs.rows[name].median)
            if ratio > DRAWN_TOLERANCE:
                nominal = ratio_of(reference.rows[name].median, kept[name].median)
                faults.append(f"{name}: {ratio:.2f} of Linux's with sizes drawn by seed {draw}, {nominal:.2f} without")
        verdicts.give(f"drawn_{draw}/{name}", faults, f"./invar bench --draw {draw} --seeds 1,2 {name}")


def is_at_most_linux(name: str, reference: Reference, linux: dict[str, Kept]) -> bool:
    """Whether the reference has the row at or under Linux's."""
    return name in reference.rows and name in linux and reference.rows[name].median <= linux[name].median


def compiler_note(reference: Reference) -> None:
    """Other compilers make other figures: says so before a row fails."""
    for what, kept, here in (("kernel", reference.compiler, compiler_version()), ("program", reference.program_compiler, program_compiler())):
        if kept != here:
            print(f"    note: the reference's {what} was compiled by {kept}, this one by {here}: figures may differ")


def main() -> int:
    """The program: status 1 when a test failed, 2 when they cannot be run."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--kernel", type=Path)
    parser.add_argument("--drawn", type=int)
    verdicts = Verdicts()
    try:
        options = parser.parse_args(sys.argv[1:], namespace=argparse.Namespace())
        program = program_build()
        reference = reference_read()
        invar = invar_file(options.kernel) if options.kernel else invar_build()
        boots = Boots(FOLDER, os.cpu_count() or 1, fresh=False)
        compiler_note(reference)
        if options.drawn is not None:
            drawn_guard(boots, invar, program, reference, options.drawn, verdicts)
            return 1 if verdicts.failed else 0
        table_guard(program, verdicts)
        rows_guard(boots, invar, program, reference, verdicts)
        boot_guard(boots, invar, reference, verdicts)
        shell_guard(invar, reference, verdicts)
    except Failure as failure:
        print(f"    {failure.text}")
        print(f"FAIL bench/run: repeat with: ./invar test bench")
        return failure.status
    return 1 if verdicts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
