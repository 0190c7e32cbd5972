# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Reads what the program in the machine prints: one line a row, strictly.

What the kernel says before the program's first line is the boot's and is skipped, and so is what it says behind the line `end`. Between the two every
line has to be one of the program's own, complete and consistent; anything else raises Malformed, because a figure out of a broken output is no figure.
"""

import re
from dataclasses import dataclass, field


class Malformed(Exception):
    """The output is not what the program prints; the text says where and why."""


@dataclass(frozen=True)
class Row:
    """One figure: the median, least and greatest of its batches."""

    name: str
    unit: str  # op: per operation; kB: per 1,000 bytes; late: later than asked
    median: float
    minimum: float
    maximum: float
    batches: int
    operations: int
    events: dict[str, float]  # per operation, empty where the kernel does not count


@dataclass(frozen=True)
class Parallel:
    """Operations that a row did on several processors together."""

    name: str
    processors: int
    operations: int


@dataclass
class Output:
    """All that one machine printed."""

    rows: dict[str, Row] = field(default_factory=dict)
    none: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    parallel: dict[str, Parallel] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    mitigations: dict[str, str] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    kernel: list[str] = field(default_factory=list)  # lines of the kernel's log among the program's

    def verdicts(self) -> set[str]:
        """The rows that the program said anything about."""
        return set(self.rows) | set(self.none) | set(self.broken)


_NAME = r"[a-z][a-z0-9_]*"
_FIGURE = r"\d+\.\d\d"
_ROW = re.compile(rf"({_NAME}) (op|kB|late) ({_FIGURE}) ({_FIGURE}) ({_FIGURE}) batches=(\d+) ops=(\d+)((?: {_NAME}={_FIGURE})*)")
_SAID = re.compile(rf"({_NAME}) (\S.*)")
_PARALLEL = re.compile(rf"({_NAME}) processors=(\d+) ops=(\d+)")
_MITIGATION = re.compile(r"mitigation (\S+) (\S.*)")
_ENVIRONMENT = re.compile(r"(\S+)(?: (.*))?")
_END = re.compile(r"(\d+) (\d+) (\d+)")
_FILE = re.compile(r"(\S+)")
_KERNEL = re.compile(r"\[ *\d+\.\d{6}\] ")
_FIRST = re.compile(rf"(row|none|broken|parallel|env|file) ")
_KEYWORD = re.compile(r"(row|none|broken|parallel|env|file|end|\|)(?: (.*))?")
# What no machine says unless it is broken, wherever it stands.
_CRASH = re.compile(r"Kernel panic|\bpanic:|\bBUG:|\bOops\b")


def output_parse(text: str) -> Output:
    """The program's lines; raises Malformed for anything that is not whole."""
    output = Output()
    reader = _Reader(output)
    for number, line in enumerate(text.replace("\r", "").split("\n"), 1):
        reader.take(number, line.rstrip())
    if not reader.started:
        raise Malformed(f"the program printed nothing{reader.last_words()}")
    if reader.end is None:
        raise Malformed(f"no line 'end': the machine crashed or was stopped{reader.last_words()}")
    counts = (len(output.rows) + len(output.parallel), len(output.none), len(output.broken))
    if reader.end != counts:
        raise Malformed("the line 'end' counts {}, {} and {} where {}, {} and {} lines were read".format(*reader.end, *counts))
    return output


class _Reader:
    """Where the reading stands: before, among or behind the program's lines."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.started = False
        self.end: tuple[int, int, int] | None = None
        self.last = ""
        self.file: list[str] | None = None  # takes lines that begin with "| "

    def last_words(self) -> str:
        return f" (last line: {self.last[:100]!r})" if self.last else ""

    def take(self, number: int, line: str) -> None:
        if not line:
            return
        self.last = line
        if self.end is not None:
            if _CRASH.search(line):
                raise Malformed(f"line {number}: the kernel crashed behind the last row: {line[:100]!r}")
            if _KEYWORD.fullmatch(line) and not line.startswith("|"):
                raise Malformed(f"line {number}: a line of the program behind 'end': {line[:100]!r}")
            return
        if not self.started:
            if not _FIRST.match(line):
                return
            self.started = True
        if _KERNEL.match(line):
            self.output.kernel.append(line)
            return
        keyword = _KEYWORD.fullmatch(line)
        if keyword is None:
            raise Malformed(f"line {number} is not the program's: {line[:100]!r}")
        if keyword[1] != "|" and keyword[1] != "file":
            self.file = None
        if not self.of_keyword(keyword[1], keyword[2] or ""):
            raise Malformed(f"line {number} is not whole: {line[:100]!r}")

    def of_keyword(self, keyword: str, rest: str) -> bool:
        """Takes one line; false when it is not of its form or a second one of its kind."""
        match keyword:
            case "row":
                return self.row(rest)
            case "none":
                return self.said(rest, self.output.none)
            case "broken":
                return self.said(rest, self.output.broken)
            case "parallel":
                return self.parallel(rest)
            case "env":
                return self.environment(rest)
            case "file":
                return self.file_begin(rest)
            case "|":
                return self.file_line(rest)
        return self.ended(rest)

    def is_new(self, name: str) -> bool:
        return name not in self.output.verdicts()

    def row(self, rest: str) -> bool:
        found = _ROW.fullmatch(rest)
        if found is None or not self.is_new(found[1]):
            return False
        row = Row(
            name=found[1],
            unit=found[2],
            median=float(found[3]),
            minimum=float(found[4]),
            maximum=float(found[5]),
            batches=int(found[6]),
            operations=int(found[7]),
            events={name: float(value) for name, value in (event.split("=") for event in found[8].split())},
        )
        if not row.minimum <= row.median <= row.maximum or row.batches == 0 or row.operations == 0:
            return False
        self.output.rows[row.name] = row
        return True

    def said(self, rest: str, into: dict[str, str]) -> bool:
        found = _SAID.fullmatch(rest)
        if found is None or not self.is_new(found[1]):
            return False
        into[found[1]] = found[2]
        return True

    def parallel(self, rest: str) -> bool:
        found = _PARALLEL.fullmatch(rest)
        if found is None or found[1] in self.output.parallel or int(found[3]) == 0:
            return False
        self.output.parallel[found[1]] = Parallel(found[1], int(found[2]), int(found[3]))
        return True

    def environment(self, rest: str) -> bool:
        if mitigation := _MITIGATION.fullmatch(rest):
            self.output.mitigations[mitigation[1]] = mitigation[2]
            return True
        found = _ENVIRONMENT.fullmatch(rest)
        if found is None or found[1] == "mitigation":
            return False
        self.output.environment[found[1]] = found[2] or ""
        return True

    def file_begin(self, rest: str) -> bool:
        found = _FILE.fullmatch(rest)
        if found is None or found[1] in self.output.files:
            return False
        self.file = self.output.files[found[1]] = []
        return True

    def file_line(self, rest: str) -> bool:
        if self.file is None:
            return False
        self.file.append(rest)
        return True

    def ended(self, rest: str) -> bool:
        found = _END.fullmatch(rest)
        if found is None:
            return False
        self.end = (int(found[1]), int(found[2]), int(found[3]))
        return True


def named_numbers(lines: list[str], prefix: str = "") -> list[tuple[str, int]]:
    """Lines `[prefix] NAME NUMBER`, as /proc/invar/boot and /proc/invar/memory have them; raises Malformed for any other."""
    found = []
    for line in lines:
        words = line.split()
        if prefix:
            if not words or words[0] != prefix:
                raise Malformed(f"not a line '{prefix} NAME NUMBER': {line[:100]!r}")
            words = words[1:]
        if len(words) != 2 or not words[1].isdigit():
            raise Malformed(f"not a line with a name and a number: {line[:100]!r}")
        found.append((words[0], int(words[1])))
    return found
