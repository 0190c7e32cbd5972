# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""`./invar check --coverage`: which system calls and flags the differential tests exercise, by the files that say so, which are checked.

Status 0; 1 when the files are wrong; 2 when the command line is.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NoReturn

from coverage_files import Call, Claim, coverage_read, table_read
from coverage_sources import header_names, uses_call, uses_flag

ROOT = Path(__file__).resolve().parents[2]
BEGIN = "<!-- coverage: begin -->"
END = "<!-- coverage: end -->"
USAGE_TEXT = """\
usage: ./invar check --coverage [options]    system calls and their flags, and whether a differential test exercises them
           --json FILE       the table, for programs
           --markdown FILE   the count, between the two marks of a page, as README.md has them
           --brief           the findings and the count alone"""


class Options(argparse.Namespace):
    """What the command line says."""

    json: Path | None
    markdown: Path | None
    brief: bool
    help: bool


class Failure(Exception):
    """One line for the person, and status 2."""


class Parser(argparse.ArgumentParser):
    """Mistakes are one line."""

    def error(self, message: str) -> NoReturn:
        raise Failure(message.removeprefix("argument "))


class Coverage:
    """The files' calls beside the table's, and all that is wrong with them."""

    def __init__(self, root: Path) -> None:
        personality = root / "personality/linux"
        self.tests = root / "tests/linux"
        self.table = table_read(personality / "syscalls.def")
        self.calls, self.findings = coverage_read(personality / "coverage", root)
        self._check_table()
        for call in self.calls:
            self._check_claim(call.claim, uses_call)
            self._check_flags(call)
            self._check_sets(call)

    def unlisted(self) -> list[str]:
        """Calls of the table that no file has."""
        return [name for name in self.table if name not in {call.claim.name for call in self.calls}]

    def complete(self) -> int:
        """Calls with tests of everything."""
        return sum(call.complete() for call in self.calls)

    def sentence(self) -> str:
        """The count, as the page has it."""
        flags, tested = sum(len(call.flags) for call in self.calls), sum(call.tested() for call in self.calls)
        return (
            f"{len(self.table)} calls; {self.complete()} of them ({percent(self.complete(), len(self.table))}) have tests of the call "
            f"and of all its flags; {tested} of {flags} flags ({percent(tested, flags)}) are tested."
        )

    def _check_table(self) -> None:
        """Each call of the table once, and none besides."""
        seen: dict[str, Call] = {}
        for call in self.calls:
            name, place = call.claim.name, call.claim.place
            if name in seen:
                self.findings.append(f"{place}: call {name} stands at {seen[name].claim.place} already")
            elif name not in self.table:
                self.findings.append(f"{place}: call {name} is not in syscalls.def")
            seen[name] = call

    def _check_claim(self, claim: Claim, uses: Callable[[Path, str], bool]) -> None:
        """Each test that is named exists, has its record and uses the name."""
        for test in claim.tests:
            source = self.tests / f"{test}.c"
            if not source.is_file():
                self.findings.append(f"{claim.place}: {claim.name}: there is no test {test}")
                continue
            if not source.with_suffix(".expected").is_file():
                self.findings.append(f"{claim.place}: {claim.name}: {test} has no record")
            if not uses(source, claim.name):
                self.findings.append(f"{claim.place}: {claim.name}: {test} does not use it")

    def _check_flags(self, call: Call) -> None:
        """No flag twice; its tests use it."""
        seen: dict[str, Claim] = {}
        for flag in call.flags:
            if flag.name in seen:
                self.findings.append(f"{flag.place}: flag {flag.name} stands at {seen[flag.name].place} already")
            seen[flag.name] = flag
            self._check_claim(flag, uses_flag)

    def _check_sets(self, call: Call) -> None:
        """Every constant of a set's header is a flag."""
        flags = {flag.name for flag in call.flags}
        for wanted in call.sets:
            try:
                names = {name for name in header_names(wanted.header) if fnmatchcase(name, wanted.pattern)}
            except OSError as error:
                self.findings.append(f"{wanted.place}: {wanted.header}: {error}")
                continue
            if not names:
                self.findings.append(f"{wanted.place}: {wanted.header} has no {wanted.pattern}")
            for name in sorted(names - flags - set(wanted.excepted)):
                self.findings.append(f"{wanted.place}: {name} of {wanted.header} is missing under call {call.claim.name}")
            for name in sorted(set(wanted.excepted) - names):
                self.findings.append(f"{wanted.place}: {name} is excepted, but not one of {wanted.pattern} in {wanted.header}")
            for name in sorted(set(wanted.excepted) & flags):
                self.findings.append(f"{wanted.place}: {name} is excepted, and a flag")


def percent(part: int, whole: int) -> str:
    """Rounded down: only all is 100 %."""
    return f"{100 * part // whole} %" if whole else "100 %"


def table_text(coverage: Coverage) -> str:
    """The calls by family, a sum for each."""
    lines = [f"{'call':26} {'flags':>6} {'tested':>7} {'share':>7}"]
    for family in sorted({call.family for call in coverage.calls}):
        calls = [call for call in coverage.calls if call.family == family]
        flags, tested = sum(len(call.flags) for call in calls), sum(call.tested() for call in calls)
        complete = sum(call.complete() for call in calls)
        lines.append(f"{family}: {complete} of {len(calls)} calls complete, {tested} of {flags} flags ({percent(tested, flags)})")
        for call in calls:
            share = percent(call.tested(), len(call.flags)) if call.claim.tests else "no test"
            lines.append(f"  {call.claim.name:24} {len(call.flags):6} {call.tested():7} {share:>7}")
    return "\n".join(lines)


def json_text(coverage: Coverage) -> str:
    """All that is known, for programs."""

    def claim(of: Claim) -> dict[str, object]:
        return {"name": of.name, "tests": list(of.tests)} | ({"reason": of.reason} if of.reason else {})

    calls = [claim(call.claim) | {"family": call.family, "complete": call.complete(), "flags": [claim(flag) for flag in call.flags]} for call in coverage.calls]
    whole = {
        "calls": len(coverage.table),
        "complete": coverage.complete(),
        "flags": sum(len(call.flags) for call in coverage.calls),
        "flags_tested": sum(call.tested() for call in coverage.calls),
        "unlisted": coverage.unlisted(),
        "findings": coverage.findings,
        "table": calls,
    }
    return json.dumps(whole, indent=1) + "\n"


def markdown_write(text: str, path: Path, shown: str) -> None:
    """Replaces what stands between the marks of the page."""
    page = path.read_text()
    if page.count(f"{BEGIN}\n") != 1 or page.count(f"{END}\n") != 1 or page.index(BEGIN) > page.index(END):
        raise Failure(f"--markdown {shown}: the marks '{BEGIN}' and '{END}' are not in it, once each on lines of their own")
    before, rest = page.split(f"{BEGIN}\n")
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}\n{rest.split(f'{END}{chr(10)}')[1]}")


def options_parse(arguments: list[str]) -> Options:
    """The command line."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("--help", "-h", action="store_true")
    return parser.parse_args(arguments, namespace=Options())


def run(arguments: list[str]) -> int:
    """The program."""
    options = options_parse(arguments)
    if options.help:
        print(USAGE_TEXT)
        return 0
    root, caller = Path(os.environ.get("INVAR_COVERAGE_ROOT", ROOT)), Path(os.environ.get("INVAR_CALLER", os.getcwd()))
    coverage = Coverage(root)
    try:
        if options.json:
            (caller / options.json).write_text(json_text(coverage))
        if options.markdown:
            markdown_write(coverage.sentence(), caller / options.markdown, str(options.markdown))
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}") from error
    if not options.brief:
        print(table_text(coverage))
    for finding in coverage.findings:
        print(finding)
    if unlisted := coverage.unlisted():
        print(f"not listed yet: {' '.join(unlisted)}")
    print(coverage.sentence())
    return 1 if coverage.findings else 0


def main() -> int:
    """Failures become one line."""
    try:
        return run(sys.argv[1:])
    except Failure as failure:
        print(f"invar: check --coverage: {failure}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
