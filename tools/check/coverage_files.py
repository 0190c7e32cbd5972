# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Reads personality/linux/coverage/*.cov (README.md there says how they are written) and the table of system calls.

A mistake of form is a finding of its line, and the rest of the file is read nevertheless: one run tells all that is wrong.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TEST = re.compile(r"[a-z0-9_]+/[a-z0-9_]+")
ENTRY = re.compile(r"X\([0-9]+, ([a-z0-9_]+)\)")


@dataclass(frozen=True)
class Place:
    """A line of a file."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Claim:
    """That tests exercise a call or a flag; without tests there is a reason why not."""

    name: str
    tests: tuple[str, ...]
    reason: str
    place: Place


@dataclass(frozen=True)
class FlagSet:
    """Every constant of a header that fits the pattern must be a flag of the call, but for the excepted ones."""

    pattern: str
    header: str
    excepted: tuple[str, ...]
    place: Place


@dataclass
class Call:
    """A call with its flags, as one file has them."""

    family: str
    claim: Claim
    continues: bool = False  # another file has the call itself
    flags: list[Claim] = field(default_factory=list)
    sets: list[FlagSet] = field(default_factory=list)

    def tested(self) -> int:
        """How many flags have a test."""
        return sum(bool(flag.tests) for flag in self.flags)

    def complete(self) -> bool:
        """The call and all of its flags have tests."""
        return bool(self.claim.tests) and self.tested() == len(self.flags)


class Malformed(Exception):
    """What is wrong with a line."""


def table_read(path: Path) -> list[str]:
    """The names of the calls that there are."""
    return [found.group(1) for line in path.read_text().splitlines() if (found := ENTRY.match(line))]


def _claim(words: list[str], place: Place) -> Claim:
    """NAME TEST[,TEST...] or NAME - REASON."""
    if len(words) < 2:
        raise Malformed("a name and tests, or '-' and a reason, are needed")
    name, tests = words[0], words[1]
    if not NAME.fullmatch(name):
        raise Malformed(f"{name} is no name")
    if tests == "-":
        if len(words) < 3:
            raise Malformed(f"{name} has neither a test nor a reason")
        return Claim(name, (), " ".join(words[2:]), place)
    if len(words) > 2:
        raise Malformed(f"'{' '.join(words[2:])}' is too much (tests are divided by commas)")
    listed = tuple(tests.split(","))
    for test in listed:
        if not TEST.fullmatch(test):
            raise Malformed(f"'{test}' is not AREA/NAME of a test")
    if len(set(listed)) < len(listed):
        raise Malformed(f"{name} names a test twice")
    return Claim(name, listed, "", place)


def _set(words: list[str], place: Place) -> FlagSet:
    """PATTERN HEADER [except NAME,...]."""
    if len(words) not in (2, 4) or (len(words) == 4 and words[2] != "except"):
        raise Malformed("set PATTERN HEADER [except NAME,...] is needed")
    if not re.fullmatch(r"[A-Za-z0-9_*?\[\]!]+", words[0]) or not re.fullmatch(r"[a-z0-9_/-]+\.h", words[1]):
        raise Malformed(f"{words[0]} {words[1]} is no pattern of names and no header")
    return FlagSet(words[0], words[1], tuple(words[3].split(",")) if len(words) == 4 else (), place)


def _line_read(line: str, family: str, place: Place, calls: list[Call]) -> None:
    """One line that says something, into the calls read so far."""
    kind, *words = line.split()
    if kind == "call":
        calls.append(Call(family, _claim(words, place)))
    elif kind == "more":
        if len(words) != 1:
            raise Malformed("more CALL is needed")
        calls.append(Call(family, Claim(words[0], (), "", place), continues=True))
    elif kind not in ("flag", "set"):
        raise Malformed(f"'{kind}' is none of call, more, flag, set")
    elif not calls:
        raise Malformed(f"a {kind} before the first call")
    elif kind == "flag":
        calls[-1].flags.append(_claim(words, place))
    else:
        calls[-1].sets.append(_set(words, place))


def coverage_read(folder: Path, root: Path) -> tuple[list[Call], list[str]]:
    """All calls of the folder's files, and the findings about their form."""
    calls: list[Call] = []
    findings: list[str] = []
    for path in sorted(folder.glob("*.cov")):
        of_file: list[Call] = []
        for number, text in enumerate(path.read_text().splitlines(), 1):
            place = Place(path.relative_to(root), number)
            line = text.split("#", 1)[0].strip()
            if not line:
                continue
            try:
                _line_read(line, path.stem, place, of_file)
            except Malformed as error:
                findings.append(f"{place}: {error}")
        calls += of_file
    return _joined(calls, findings), findings


def _joined(calls: list[Call], findings: list[str]) -> list[Call]:
    """The calls themselves, each with what other files add to it."""
    whole = [call for call in calls if not call.continues]
    for part in calls:
        if part.continues:
            owner = next((call for call in whole if call.claim.name == part.claim.name), None)
            if owner:
                owner.flags += part.flags
                owner.sets += part.sets
            else:
                findings.append(f"{part.claim.place}: no file has call {part.claim.name}")
    return whole
