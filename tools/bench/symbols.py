# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Addresses to function names: from ELF files through nm, and from a text of Linux's /proc/kallsyms."""

import bisect
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from failure import Failure

_PART = re.compile(r"\.(isra|constprop|part|cold|lto_priv|llvm)(\..*|$)")


@dataclass(frozen=True)
class Function:
    """One function: the addresses from start to before end."""

    name: str
    start: int
    end: int


class Symbols:
    """Functions sorted by address. One without a size reaches to the next; the compiler's parts of a function bear its name."""

    def __init__(self, functions: list[Function]) -> None:
        self.functions = sorted(functions, key=lambda function: function.start)
        self.starts = [function.start for function in self.functions]

    def __add__(self, other: "Symbols") -> "Symbols":
        return Symbols(self.functions + other.functions)

    def find(self, address: int) -> Function | None:
        """The function that an address lies in."""
        index = bisect.bisect_right(self.starts, address) - 1
        if index < 0 or address >= self.functions[index].end:
            return None
        return self.functions[index]

    def name(self, address: int) -> str:
        """Its name; the address where there is none."""
        found = self.find(address)
        return found.name if found else f"{address:#x}"

    def named(self, pattern: str) -> list[Function]:
        """Every function with a name that fits the whole pattern."""
        wanted = re.compile(pattern)
        return [function for function in self.functions if wanted.fullmatch(function.name)]


def _functions(symbols: list[tuple[int, int, str]]) -> list[Function]:
    """From (start, size or 0, name); of several names for one address the first, and those with a size before those without."""
    first: dict[int, tuple[int, str]] = {}
    for start, size, name in symbols:
        if start not in first or (first[start][0] == 0 and size):
            first[start] = (size, _PART.sub("", name))
    starts = sorted(first)
    nexts = [*starts[1:], starts[-1] + 4096] if starts else []
    return [Function(first[start][1], start, min(start + first[start][0], after) if first[start][0] else after) for start, after in zip(starts, nexts)]


def symbols_of_elf(path: Path) -> Symbols:
    """The functions of an ELF file; Failure where it has no symbols or nm cannot read it."""
    run = subprocess.run(["nm", "-S", "--defined-only", str(path)], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Failure(f"bench: {path}: {run.stderr.strip() or 'nm cannot read it'}")
    found = []
    for line in run.stdout.splitlines():
        words = line.split()
        if len(words) == 4 and words[2] in "tTwWi":
            found.append((int(words[0], 16), int(words[1], 16), words[3]))
        elif len(words) == 3 and words[1] in "tTwW":
            found.append((int(words[0], 16), 0, words[2]))
    if not found:
        raise Failure(f"bench: {path}: it has no symbols")
    return Symbols(_functions(found))


def symbols_of_kallsyms(text: str) -> Symbols:
    """From lines "ADDRESS NAME" or "ADDRESS TYPE NAME"; of the latter only functions."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 or (len(words) >= 3 and words[1] in "tTwW"):
            found.append((int(words[0], 16), 0, words[1] if len(words) == 2 else words[2]))
    return Symbols(_functions(found))
