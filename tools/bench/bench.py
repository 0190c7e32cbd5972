# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""`./invar bench`: Invar beside Debian's kernel in one run, repeatable to the last digit.

Boots both kernels in deterministic time with the same archive over several seeds, prints the tables, and leaves JSON and a picture. Status 0; 1 when a
row is broken or a machine crashed; 2 when the input is wrong or something cannot be had.
"""

import argparse
import os
import signal
import sys
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType
from typing import NoReturn

import compare
import processors
import reference
from boot import boot_machines, boots_measure
from failure import FAILED, USAGE, Failure
from kernels import FOLDER, RELEASE, ROOT, Kernel, Program, compiler_version, debian_fetch, invar_build, invar_file, program_build, program_compiler, revision
from machine import Boots, qemu_version
from measure import MITIGATIONS_OFF, Job, Wanted, column_jobs, columns_measure
from memory import memory_measure
from report import Provenance, Report, report_write
from report_markdown import markdown_write
from report_svg import report_svg
from report_table import report_text
from rows import ALL_SETS, DEFAULT_SETS, ROW_SETS, SCORED, SHOWN, rows_sorted
from sizes import sizes_of

USAGE_TEXT = """\
usage: ./invar bench [SET | ROW]... [options]     Invar beside Debian's kernel in deterministic time: instructions per operation
       SET: scored shown scale boot memory sizes processors all (default: scored shown boot memory sizes)
           --seeds N,...         one sample each (1,2,3,4)
           --jobs N              machines side by side (as many as processors)
           --invar-only          Invar alone            --linux-only  Debian's kernel alone
           --fresh               measure Debian's kernel again instead of taking what is kept
           --json FILE           (build/bench/bench.json)   --svg FILE  (build/bench/bench.svg)
           --markdown FILE       the scored rows as a table between the two marks of a page, as README.md has them
           --kernel FILE         this Invar kernel instead of the one that is built
           --draw SEED           sizes and counts of the rows drawn by a seed
           --compare REV         which rows moved between a revision's kernel and this tree's
           --profile ROW         where a row's instructions go, by function
           --accept              make Invar's figures of today the reference that ./invar test guards
           --list                the rows and what they are"""


class Options(argparse.Namespace):
    """What the command line says."""

    wanted: list[str]
    seeds: tuple[int, ...]
    jobs: int
    invar_only: bool
    linux_only: bool
    fresh: bool
    json: Path
    svg: Path
    markdown: Path | None
    kernel: Path | None
    compare: str | None
    profile: str | None
    draw: int | None
    accept: bool
    list: bool
    help: bool


class Parser(argparse.ArgumentParser):
    """Mistakes are one line and status 2."""

    def error(self, message: str) -> NoReturn:
        raise Failure(f"bench: {message.removeprefix('argument ')}")


def _seeds(text: str) -> tuple[int, ...]:
    """1,2,3 as numbers, each once."""
    seeds = tuple(dict.fromkeys(int(word) for word in text.split(",") if word.isdecimal()))
    if not seeds or len(text.split(",")) != len(seeds) or any(seed > 10**9 for seed in seeds):
        raise argparse.ArgumentTypeError(f"{text!r}: different numbers with commas between them are needed")
    return seeds


def _number(least: int, most: int) -> "type[int]":
    """A reader of numbers in a range."""

    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r}: a number from {least} to {most} is needed")
        return int(text)

    return read  # type: ignore[return-value]


def _path(text: str) -> Path:
    """Relative to where the person stands: ./invar says where that is."""
    return Path(os.environ.get("INVAR_CALLER", os.getcwd())) / text


def options_read(arguments: list[str]) -> Options:
    """Reads the command line; Failure for whatever does not fit together."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("wanted", nargs="*")
    parser.add_argument("--seeds", type=_seeds, default=(1, 2, 3, 4))
    parser.add_argument("--jobs", type=_number(1, 256), default=os.cpu_count() or 1)
    for flag in ("--invar-only", "--linux-only", "--fresh", "--accept", "--list", "--help", "-h"):
        parser.add_argument(flag, action="store_true", dest="help" if flag == "-h" else None)
    parser.add_argument("--json", type=_path, default=FOLDER / "bench.json")
    parser.add_argument("--svg", type=_path, default=FOLDER / "bench.svg")
    parser.add_argument("--markdown", type=_path)
    parser.add_argument("--kernel", type=_path)
    parser.add_argument("--compare", metavar="REV")
    parser.add_argument("--profile", metavar="ROW")
    parser.add_argument("--draw", type=_number(0, 2**63), metavar="SEED")
    options = parser.parse_intermixed_args(arguments, namespace=Options())
    modes = [name for name, given in (("--compare", options.compare), ("--profile", options.profile), ("--accept", options.accept)) if given]
    if len(modes) > 1:
        raise Failure(f"bench: {modes[0]} and {modes[1]}: one of them at a time")
    if options.invar_only and options.linux_only:
        raise Failure("bench: --invar-only and --linux-only: one of them at a time")
    if modes and options.linux_only:
        raise Failure(f"bench: {modes[0]} is about Invar, --linux-only leaves it out")
    if options.profile and (options.wanted or options.draw is not None or len(options.seeds) > 1 and options.seeds != (1, 2, 3, 4)):
        raise Failure("bench: --profile takes one row and one seed: no other row, set or draw can be given")
    if modes and (options.list or options.markdown):
        raise Failure(f"bench: {modes[0]} and {'--list' if options.list else '--markdown'}: one of them at a time")
    if options.accept and (options.wanted or options.kernel or options.draw is not None or options.seeds != (1, 2, 3, 4)):
        raise Failure("bench: --accept measures all that the reference holds, with this tree's kernel: no set, row, kernel, seed or draw can be given")
    return options


def wanted_of(options: Options, program: Program) -> tuple[Wanted, tuple[str, ...]]:
    """The rows to run, and all sets that were asked for."""
    words = options.wanted or list(DEFAULT_SETS)
    if "all" in words:
        words = [*ALL_SETS, *words]
    sets = tuple(name for name in ALL_SETS if name in words)
    rows = [word for word in dict.fromkeys(words) if word not in ALL_SETS and word != "all"]
    for row in rows:
        if row not in program.rows:
            raise Failure(f"bench: {row}: neither a set ({' '.join(ALL_SETS)} all) nor a row (--list names them)")
    return Wanted(tuple(name for name in sets if name in ROW_SETS), tuple(rows_sorted(rows)), options.seeds, options.draw), sets


def provenance_of(options: Options, linux: Kernel | None, jobs: list[Job]) -> Provenance:
    """With what the figures are made; one command line for each kernel and set."""
    head, dirty = revision()
    lines = {(job.column, job.machine.append, job.machine.archive): " ".join(_quoted(word) for word in job.machine.command_line()) for job in reversed(jobs)}
    return Provenance(
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        revision=head,
        dirty=dirty,
        qemu=qemu_version(),
        compiler=compiler_version(),
        program_compiler=program_compiler(),
        linux=linux.version if linux else "",
        seeds=list(options.seeds),
        draw=options.draw,
        command_lines=list(reversed(lines.values())),
    )


def _quoted(word: str) -> str:
    """For a shell, with paths from the tree's root."""
    word = word.removeprefix(f"{ROOT}/")
    return f'"{word}"' if " " in word else word


def run(options: Options, boots: Boots, invar: Kernel | None, linux: Kernel | None, program: Program) -> Report:
    """Measures what was asked for."""
    wanted, sets = wanted_of(options, program)
    jobs: list[Job] = []
    if linux:
        jobs += column_jobs("linux", linux, True, program, wanted)
        if not options.accept:
            jobs += column_jobs("linux-mitigations-off", linux, True, program, wanted, MITIGATIONS_OFF)
    if invar:
        jobs += column_jobs("invar", invar, False, program, wanted)
    report = Report(provenance_of(options, linux, jobs), sets=sets)
    columns = columns_measure(boots, jobs)
    report.linux, report.linux_off, report.invar = columns.get("linux"), columns.get("linux-mitigations-off"), columns.get("invar")
    if invar and report.invar and report.invar.mitigations and not options.accept:
        off = column_jobs("invar-mitigations-off", invar, False, program, wanted, MITIGATIONS_OFF)
        report.invar_off = columns_measure(boots, off)["invar-mitigations-off"]
    if "boot" in sets:
        report.boots = boots_measure(boots, boot_machines(invar.path if invar else None, linux.path if linux else None))
    if invar and "memory" in sets:
        report.memory = memory_measure(invar.path)
    if invar and "sizes" in sets and not options.kernel:
        report.sizes = sizes_of(RELEASE)
    if invar and "processors" in sets:
        report.scaling = processors.measure(boots, invar, program, wanted, linux)
    return report


def rows_list(program: Program) -> str:
    """The rows for people."""
    width = max(len(name) for name in program.rows)
    return "\n".join(f"{name:{width}}  {program.rows[name][0]:6}  {program.rows[name][1]:4}  {program.rows[name][2]}" for name in rows_sorted(program.rows))


def bench(options: Options) -> int:
    """Does what the command line says; the status."""
    program = program_build()
    if options.list:
        print(rows_list(program))
        return 0
    wanted_of(options, program)  # mistakes come before the long work
    for path in (options.json, options.svg, *([options.markdown] if options.markdown else [])):
        writable_check(path)
    if options.profile and options.profile not in program.rows:
        raise Failure(f"bench: --profile {options.profile}: no such row (--list names them)")
    base = compare.revision_check(options.compare) if options.compare else ""
    invar = None if options.linux_only else invar_file(options.kernel) if options.kernel else invar_build()
    boots = Boots(FOLDER, options.jobs, options.fresh)
    if options.profile and invar:
        return profile_row(options, invar, program)
    if options.compare and invar:
        print(compare.compare(boots, base, options.compare, invar, program, wanted_of(options, program)[0], bool(options.kernel)))
        return 0
    linux = None if options.invar_only else debian_fetch()
    if options.accept and invar:
        options.wanted = [SCORED, SHOWN, "boot", "memory"]
    report = run(options, boots, invar, linux, program)
    files_write(options, report)
    broken = any(column and column.broken for column in (report.invar, report.linux, report.invar_off, report.linux_off))
    if options.accept:
        if broken:
            raise Failure(f"bench: --accept: rows are broken: {' '.join(rows_sorted(report.invar.broken if report.invar else {}))}", FAILED)
        print(reference.accept(report))
        return 0
    print(report_text(report))
    print(f"\n{shown(options.json)}  {shown(options.svg)}" if report.scored_ratios() else f"\n{shown(options.json)}")
    return FAILED if broken else 0


def writable_check(path: Path) -> None:
    """Failure where the file could not be written, before the long work."""
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if path.is_dir() or not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise Failure(f"bench: {path}: cannot be written")


def files_write(options: Options, report: Report) -> None:
    """JSON always, the picture where there are ratios."""
    try:
        report_write(report, options.json)
        if report.scored_ratios():
            options.svg.parent.mkdir(parents=True, exist_ok=True)
            options.svg.write_text(report_svg(report))
        if options.markdown:
            markdown_write(report, options.markdown)
    except OSError as error:
        raise Failure(f"bench: {error.filename}: {error.strerror}") from error


def shown(path: Path) -> str:
    """A path from the tree's root."""
    return str(path).removeprefix(f"{ROOT}/")


def profile_row(options: Options, invar: Kernel, program: Program) -> int:
    """Hands over to the profiler, which counts by function."""
    import profile  # the module of this folder

    assert options.profile
    return int(profile.main(options.profile, str(invar.path), str(program.archive), options.seeds[0], str(FOLDER)) or 0)


def _interrupted(number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM and SIGHUP end the run as Ctrl-C does: machines are killed on the way out."""
    raise KeyboardInterrupt(number)


def main() -> int:
    """The program."""
    signal.signal(signal.SIGTERM, _interrupted)
    signal.signal(signal.SIGHUP, _interrupted)
    try:
        options = options_read(sys.argv[1:])
        if options.help:
            print(USAGE_TEXT)
            return 0
        return bench(options)
    except Failure as failure:
        print(f"invar: {failure.text}", file=sys.stderr)
        return failure.status
    except BrokenPipeError:
        sys.stderr.close()
        return USAGE
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
