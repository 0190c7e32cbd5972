# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""The picture: bars of Invar's instructions over Linux's on a logarithmic axis, scored rows by area. It brings its own background, so that it reads the
same on light and dark pages."""

import math
from html import escape

from report import Report
from rows import SCORED_AREAS

_WIDTH = 900
_LABEL = 190  # right end of the rows' names
_LEFT, _RIGHT = 232, 830  # of the axis: room for a figure left of the longest bar
_ROW = 17
_TITLE = 74
_BACKGROUND, _INK, _SOFT, _GRID = "#fbfbf8", "#1d2330", "#5c6472", "#d9dbd6"
_FEWER, _MORE, _MEAN = "#2f6fae", "#c2571a", "#1f7a4d"
_SUBTITLE = "The same static program on both kernels in deterministic time. Left of 1.0: Invar takes fewer instructions (no claim about speed)."
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)


class _Axis:
    """From ratios to places."""

    def __init__(self, values: list[float]) -> None:
        least, most = min([0.5, *values]) / 1.1, max([1.3, *values]) * 1.1
        self.low, self.high = math.log(least), math.log(most)

    def x(self, ratio: float) -> float:
        share = (math.log(ratio) - self.low) / (self.high - self.low)
        return _LEFT + share * (_RIGHT - _LEFT)

    def ticks(self) -> list[float]:
        return [tick for tick in _TICKS if self.low <= math.log(tick) <= self.high]


def _text(x: float, y: float, text: str, size: int = 12, anchor: str = "start", colour: str = _INK, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}"{more}>{escape(text)}</text>'


def _line(x: float, top: float, bottom: float, colour: str, more: str = "") -> str:
    return f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" stroke="{colour}"{more}/>'


def _bar(axis: _Axis, y: float, ratio: float) -> str:
    """A bar from 1.0 to the ratio."""
    one, end = axis.x(1.0), axis.x(ratio)
    left, width = min(one, end), max(abs(end - one), 1.0)
    return f'<rect x="{left:.1f}" y="{y + 2:.1f}" width="{width:.1f}" height="{_ROW - 5}" fill="{_MORE if ratio > 1 else _FEWER}"/>'


def _labels(axis: _Axis, y: float, name: str, ratio: float) -> list[str]:
    """A row's name at the left, and its figure at the bar's end, readable over lines."""
    halo = f' paint-order="stroke" stroke="{_BACKGROUND}" stroke-width="3"'
    end, above = axis.x(ratio), ratio > 1
    return [
        _text(_LABEL, y + 12, name, 12, "end", more=' font-family="monospace"'),
        _text(end + (5 if above else -5), y + 12, f"{ratio:.2f}", 11, "start" if above else "end", _MORE if above else _FEWER, halo),
    ]


def _wrapped(words: list[str], limit: int) -> list[str]:
    """Words in lines of at most so many letters."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 2 <= limit:
            lines[-1] += f", {word}"
        else:
            lines = [*lines[:-1], f"{lines[-1]},", word] if lines else [word]
    return lines


def _footer(report: Report, y: float) -> tuple[list[str], float]:
    """What has no bar, and with what the picture was made."""
    lines = []
    if none := report.none_scored():
        lines += _wrapped([f"not on Invar yet ({len(none)}): {none[0]}", *none[1:]], 125)
    if report.invar and (broken := [name for name in report.invar.broken]):
        lines += _wrapped([f"broken on Invar: {broken[0]}", *broken[1:]], 135)
    made = report.provenance
    lines.append(f"Linux: {made.linux}, default mitigations. {made.qemu.split(' (')[0]}, icount, q35, one processor, seeds {', '.join(map(str, made.seeds))}.")
    lines.append(f"Invar {made.revision[:12]}{' with changes' if made.dirty else ''}, {made.compiler}, {made.date[:10]}.")
    drawn = []
    for line in lines:
        drawn.append(_text(20, y, line, 10, colour=_SOFT))
        y += 14
    return drawn, y


def report_svg(report: Report) -> str:
    """The picture as text."""
    found = report.scored_ratios()
    score = report.score()
    axis = _Axis(list(found.values()))
    bars: list[str] = []
    labels: list[str] = []
    y = float(_TITLE + 24)
    top = y - 4
    for area, names in SCORED_AREAS:
        present = [name for name in names if name in found]
        if not present:
            continue
        labels.append(_text(20, y + 12, area, 12, more=' font-weight="bold"'))
        y += _ROW
        for name in present:
            bars.append(_bar(axis, y, found[name]))
            labels += _labels(axis, y, name, found[name])
            y += _ROW
        y += 5
    bottom = y
    lines = [_line(axis.x(tick), top, bottom, _GRID) for tick in axis.ticks()]
    lines += [_text(axis.x(tick), top - 6, "Linux = 1" if tick == 1 else f"{tick:g}", 11, "middle", _SOFT) for tick in axis.ticks()]
    marks = [_line(axis.x(1.0), top, bottom, _INK, ' stroke-width="1.5"')]
    if score is not None:
        marks.append(_line(axis.x(score), top, bottom + 6, _MEAN, ' stroke-width="1.5" stroke-dasharray="5 3"'))
        marks.append(_text(axis.x(score), bottom + 19, f"geometric mean {score:.2f}", 12, "middle", _MEAN, ' font-weight="bold"'))
    footer, height = _footer(report, bottom + 44)
    head = [
        _text(20, 28, "Instructions per operation: Invar over Linux", 19, more=' font-weight="bold"'),
        _text(20, 48, _SUBTITLE, 12, colour=_SOFT),
    ]
    if not found:
        head.append(_text(20, 80, "No scored row ran on both kernels.", 14))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" viewBox="0 0 {_WIDTH} {height:.0f}"',
            ' font-family="sans-serif" role="img">',
            "<title>Instructions per operation: Invar over Linux</title>",
            f'<rect width="100%" height="100%" rx="6" fill="{_BACKGROUND}"/>',
            *head,
            *lines,
            *bars,
            *marks,
            *labels,
            *footer,
            "</svg>",
            "",
        ]
    )
