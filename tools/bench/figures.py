# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Statistics over seeds: one sample a seed (reruns of a seed are identical), the median of them, their spread, ratios and the score."""

import math
import statistics
from dataclasses import dataclass, field

from lines import Output, Row


@dataclass
class Series:
    """One row over the seeds on one kernel."""

    name: str
    unit: str
    seeds: dict[int, Row]

    @property
    def median(self) -> float:
        """The median over the seeds of the medians of batches."""
        return statistics.median(row.median for row in self.seeds.values())

    @property
    def spread(self) -> float:
        """How far the seeds lie apart: (greatest - least) / median; 0 where the median is."""
        return spread_of([row.median for row in self.seeds.values()])

    @property
    def events(self) -> dict[str, float]:
        """Events per operation, the median over the seeds; a seed without an event counts as none of it."""
        names: dict[str, None] = {}
        for row in self.seeds.values():
            names.update(dict.fromkeys(row.events))
        return {name: statistics.median(row.events.get(name, 0.0) for row in self.seeds.values()) for name in names}


@dataclass
class Column:
    """All rows over all seeds on one kernel."""

    rows: dict[str, Series] = field(default_factory=dict)
    none: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    mitigations: dict[str, str] = field(default_factory=dict)
    kernel_lines: dict[int, list[str]] = field(default_factory=dict)  # by seed: what the kernel's log said meanwhile

    def names(self) -> set[str]:
        """The rows that the column knows of."""
        return set(self.rows) | set(self.none) | set(self.broken)


def spread_of(values: list[float]) -> float:
    """(greatest - least) / median of values; 0 where the median is 0."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def outputs_combine(outputs: list[tuple[int, Output]]) -> Column:
    """One column out of what machines printed, each with its seed; a seed may have several machines with other rows.

    A row that is there with one seed and not with another is broken: a kernel has something or it does not.
    """
    column = Column()
    rows: dict[str, dict[int, Row]] = {}
    for seed, output in outputs:
        for name, row in output.rows.items():
            rows.setdefault(name, {})[seed] = row
        column.none.update(output.none)
        for name, what in output.broken.items():
            column.broken.setdefault(name, f"seed {seed}: {what}")
        column.environment.update(output.environment)
        column.mitigations.update(output.mitigations)
        if output.kernel:
            column.kernel_lines.setdefault(seed, []).extend(output.kernel)
    for name, by_seed in rows.items():
        units = {row.unit for row in by_seed.values()}
        if name in column.none or len(units) != 1:
            column.broken.setdefault(name, "not the same with every seed")
            column.none.pop(name, None)
        elif name not in column.broken:
            column.rows[name] = Series(name, units.pop(), dict(sorted(by_seed.items())))
    for name in column.broken:
        column.none.pop(name, None)
    return column


def ratio_of(ours: float, theirs: float) -> float:
    """Ours over theirs; infinite where theirs is nothing and ours is not, 1 where both are nothing."""
    if theirs:
        return ours / theirs
    return 1.0 if not ours else math.inf


def ratios(column: Column, base: Column, names: "list[str] | tuple[str, ...]") -> dict[str, float]:
    """The ratio of every named row that both columns have."""
    return {name: ratio_of(column.rows[name].median, base.rows[name].median) for name in names if name in column.rows and name in base.rows}


def geometric_mean(values: list[float]) -> float | None:
    """The geometric mean, one weight each; None where there is nothing, or a value has no logarithm."""
    if not values or any(value <= 0 or math.isinf(value) for value in values):
        return None
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))
