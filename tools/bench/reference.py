# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""The reference: Invar's own figures (bench/reference.json), which the suite `bench` guards, and Linux's beside them (bench/linux.json).

A figure may rise only with a line in docs/decisions/accepted-costs.md that names it: `accept` writes a new reference from a fresh run and refuses to
without those lines. Falling figures need none.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failure import FAILED, Failure
from figures import Column
from kernels import ROOT
from report import Report
from rows import rows_sorted

REFERENCE = ROOT / "bench/reference.json"
LINUX = ROOT / "bench/linux.json"
ACCEPTED = ROOT / "docs/decisions/accepted-costs.md"
HOW_TO_ACCEPT = "if it is meant: a line in docs/decisions/accepted-costs.md, then ./invar bench --accept"

TOLERANCE = 0.10  # of the guard, or a row's spread if that is larger
RISE = 0.01  # of the acceptance: less is not a rise
_SCHEMA = 1
_LINE = re.compile(r"\| *(\d{4}-\d\d-\d\d) *\| *`?([a-z0-9_]+)`? *\| *([0-9][0-9,.]*|none) *\| *([0-9][0-9,.]*|none) *\| *(\S.*?) *\|")


@dataclass(frozen=True)
class Kept:
    """One figure of a reference."""

    median: float
    spread: float

    @property
    def limit(self) -> float:
        """What the guard lets pass."""
        return self.median * (1 + max(TOLERANCE, self.spread))


@dataclass(frozen=True)
class Reference:
    """What a file of figures holds."""

    rows: dict[str, Kept]
    compiler: str
    program_compiler: str
    boot: dict[str, float]  # by board: instructions to the first user instruction
    shell_least: int  # MiB
    shell_used: int  # KiB of all owners in that machine; 0 when the kernel does not say

    def costs(self) -> dict[str, Kept]:
        """All that may rise, by the name that the accepted costs use."""
        costs = dict(self.rows)
        costs |= {f"boot_{board}": Kept(first, 0) for board, first in self.boot.items()}
        costs["shell_mib"] = Kept(self.shell_least, 0)
        if self.shell_used:
            costs["shell_kib"] = Kept(self.shell_used, 0)
        return costs


def reference_read(path: Path = REFERENCE) -> Reference:
    """Reads bench/reference.json; Failure where it is not there or not whole."""
    data = _read(path)
    try:
        return Reference(
            rows=_rows(data),
            compiler=str(data["compiler"]),
            program_compiler=str(data["program_compiler"]),
            boot={str(board): float(first) for board, first in data["boot"].items()},
            shell_least=int(data["shell"]["least_mib"]),
            shell_used=int(data["shell"]["used_kib"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Failure(f"bench: {path}: not a reference: {error}") from error


def linux_read(path: Path = LINUX) -> dict[str, Kept]:
    """Reads bench/linux.json: Linux's rows."""
    data = _read(path)
    try:
        return _rows(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Failure(f"bench: {path}: not a reference: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    """The JSON object of a file."""
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        raise Failure(f"bench: {path.relative_to(ROOT)} is not there (./invar bench --accept writes it)") from None
    except (OSError, ValueError) as error:
        raise Failure(f"bench: {path}: {error}") from error
    if not isinstance(data, dict) or data.get("schema") != _SCHEMA:
        raise Failure(f"bench: {path}: not a reference of schema {_SCHEMA}")
    return data


def _rows(data: dict[str, Any]) -> dict[str, Kept]:
    return {str(name): Kept(float(row["median"]), float(row["spread"])) for name, row in data["rows"].items()}


def _column_json(column: Column) -> dict[str, dict[str, float]]:
    return {name: {"median": column.rows[name].median, "spread": round(column.rows[name].spread, 4)} for name in rows_sorted(column.rows)}


def _write(path: Path, data: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(data, indent=1) + "\n")
    part.replace(path)


# --- acceptance ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rise:
    """A cost that the new reference would have higher than the old one."""

    name: str
    old: float
    new: float | None  # None: the row is no more

    def line(self, date: str) -> str:
        """The line that the accepted costs want, but for the reason."""
        return f"| {date} | {self.name} | {_number(self.old)} | {_number(self.new)} | why |"

    def is_accepted(self, lines: list[tuple[str, str, str]]) -> bool:
        """Whether a line names this rise: the row, and both figures within half a per cent."""
        return any(name == self.name and _near(old, self.old) and _near(new, self.new) for name, old, new in lines)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def _near(text: str, value: float | None) -> bool:
    if value is None or text == "none":
        return value is None and text == "none"
    return abs(float(text.replace(",", "")) - value) <= 0.005 * value


def accepted_lines(text: str) -> list[tuple[str, str, str]]:
    """(row, old, new) of each line of the accepted costs that is whole and gives a reason."""
    found = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return [(line[2], line[3], line[4]) for line in found if line and line[5] != "why"]


def rises(old: Reference, new: Reference) -> list[Rise]:
    """What is higher in the new reference by more than 1 % and more than either spread, and what is gone."""
    found = []
    ours = new.costs()
    for name, kept in old.costs().items():
        if name not in ours:
            if name in old.rows:
                found.append(Rise(name, kept.median, None))
        elif ours[name].median > kept.median * (1 + max(RISE, kept.spread, ours[name].spread)):
            found.append(Rise(name, kept.median, ours[name].median))
    return found


def accept(report: Report) -> str:
    """Makes a run's figures the reference; Failure with the lines that are wanted where something rose."""
    invar, memory, made = report.invar, report.memory, report.provenance
    if invar is None or memory is None or not report.boots:
        raise Failure("bench: --accept needs rows, boot and memory of Invar", FAILED)
    data: dict[str, Any] = {
        "schema": _SCHEMA,
        "compiler": made.compiler,
        "program_compiler": made.program_compiler,
        "qemu": made.qemu,
        "seeds": made.seeds,
        "boot": {boot.board: boot.first for boot in report.boots if boot.kernel == "invar"},
        "shell": {"least_mib": memory.least, "used_kib": memory.used},
        "rows": _column_json(invar),
    }
    new = Reference(
        rows={name: Kept(series.median, series.spread) for name, series in invar.rows.items()},
        compiler=made.compiler,
        program_compiler=made.program_compiler,
        boot={boot.board: float(boot.first) for boot in report.boots if boot.kernel == "invar"},
        shell_least=memory.least,
        shell_used=memory.used,
    )
    if REFERENCE.exists():
        lines = accepted_lines(ACCEPTED.read_text()) if ACCEPTED.exists() else []
        refused = [rise for rise in rises(reference_read(REFERENCE), new) if not rise.is_accepted(lines)]
        if refused:
            wanted = "\n".join(rise.line(made.date[:10]) for rise in refused)
            raise Failure(f"bench: --accept: docs/decisions/accepted-costs.md wants a line, with a reason, for each that rose:\n{wanted}", FAILED)
    _write(REFERENCE, data)
    if report.linux is None:
        return f"bench/reference.json: {len(invar.rows)} rows"
    linux: dict[str, Any] = {
        "schema": _SCHEMA,
        "linux": made.linux,
        "program_compiler": made.program_compiler,
        "qemu": made.qemu,
        "seeds": made.seeds,
        "rows": _column_json(report.linux),
    }
    _write(LINUX, linux)
    return f"bench/reference.json: {len(invar.rows)} rows; bench/linux.json: {len(report.linux.rows)} rows of {made.linux}"
