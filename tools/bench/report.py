# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""What a run found, as one structure, and its JSON form. Tables and pictures are made from it, and never from anything else."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

from boot import Boot
from figures import Column, Series, geometric_mean, ratios
from memory import Memory
from rows import SCORED_ROWS, rows_sorted
from sizes import Sizes

SCHEMA = 1


@dataclass
class Provenance:
    """With what the figures were made."""

    date: str
    revision: str
    dirty: bool
    qemu: str
    compiler: str  # of the kernel
    program_compiler: str  # of the benchmark's program
    linux: str  # package and version; empty when Linux was not measured
    seeds: list[int]
    draw: int | None
    command_lines: list[str]  # one for each kernel and set

    def to_json(self) -> dict[str, object]:
        """For the report."""
        return dict(vars(self))


@dataclass
class Scaling:
    """One row on several processors: what the counting observer says of it, by number of processors."""

    name: str
    processors: dict[int, dict[str, float]]


@dataclass
class Report:
    """All that a run found; what was not asked for is None or empty."""

    provenance: Provenance
    invar: Column | None = None
    linux: Column | None = None
    invar_off: Column | None = None  # mitigations off; None where Invar has none to turn off
    linux_off: Column | None = None
    boots: list[Boot] = field(default_factory=list)
    memory: Memory | None = None
    sizes: Sizes | None = None
    scaling: list[Scaling] = field(default_factory=list)
    sets: tuple[str, ...] = ()

    def row_names(self) -> list[str]:
        """Every row of any column, in order."""
        names: set[str] = set()
        for column in (self.linux, self.invar):
            names |= column.names() if column else set()
        return rows_sorted(names)

    def scored_ratios(self) -> dict[str, float]:
        """Invar over Linux on the scored rows that both ran."""
        return ratios(self.invar, self.linux, SCORED_ROWS) if self.invar and self.linux else {}

    def score(self) -> float | None:
        """The geometric mean of the scored rows' ratios."""
        return geometric_mean(list(self.scored_ratios().values()))

    def score_trimmed(self) -> tuple[float, str, str] | None:
        """The score without its lowest and its highest row, and their names: one odd row shall not carry it. None where too few are left."""
        found = self.scored_ratios()
        order = sorted(found, key=lambda name: found[name])
        mean = geometric_mean([found[name] for name in order[1:-1]])
        return None if mean is None else (mean, order[0], order[-1])

    def off_ratios(self) -> dict[str, float]:
        """The same of all rows with both kernels' mitigations off."""
        ours = self.invar_off or self.invar
        return ratios(ours, self.linux_off, self.row_names()) if ours and self.linux_off else {}

    def none_scored(self) -> list[str]:
        """Scored rows that Invar cannot run yet."""
        return [name for name in SCORED_ROWS if self.invar and name in self.invar.none]


def _series_json(series: Series) -> dict[str, object]:
    return {
        "unit": series.unit,
        "median": series.median,
        "spread": round(series.spread, 6),
        "events": series.events,
        "seeds": {
            str(seed): {
                "median": row.median,
                "minimum": row.minimum,
                "maximum": row.maximum,
                "batches": row.batches,
                "operations": row.operations,
                "events": row.events,
            }
            for seed, row in series.seeds.items()
        },
    }


def _column_json(column: Column | None) -> dict[str, object] | None:
    if column is None:
        return None
    return {
        "rows": {name: _series_json(column.rows[name]) for name in rows_sorted(column.rows)},
        "none": column.none,
        "broken": column.broken,
        "environment": column.environment,
        "mitigations": column.mitigations,
    }


def report_json(report: Report) -> dict[str, object]:
    """The report as what json.dumps takes."""
    score, trimmed = report.score(), report.score_trimmed()
    return {
        "schema": SCHEMA,
        "provenance": report.provenance.to_json(),
        "sets": list(report.sets),
        "score": {
            "geometric_mean": None if score is None else round(score, 4),
            "without_lowest_and_highest": None if trimmed is None else round(trimmed[0], 4),
            "rows": len(report.scored_ratios()),
            "above_one": [name for name, ratio in report.scored_ratios().items() if ratio > 1],
            "none": report.none_scored(),
            "ratios": {name: round(ratio, 4) for name, ratio in report.scored_ratios().items() if not math.isinf(ratio)},
        },
        "invar": _column_json(report.invar),
        "linux": _column_json(report.linux),
        "invar_mitigations_off": _column_json(report.invar_off),
        "linux_mitigations_off": _column_json(report.linux_off),
        "boot": [boot.to_json() for boot in report.boots],
        "memory": report.memory.to_json() if report.memory else None,
        "sizes": report.sizes.to_json() if report.sizes else None,
        "processors": [
            {"row": scaling.name, "processors": {str(n): figures for n, figures in scaling.processors.items()}} for scaling in report.scaling
        ],
    }


def report_write(report: Report, path: Path) -> None:
    """Writes the JSON file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(report_json(report), indent=1, allow_nan=False) + "\n")
    part.replace(path)
