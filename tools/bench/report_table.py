# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""The tables that people read, as plain text."""

from boot import BOARDS, Boot
from figures import Column, geometric_mean, ratio_of
from report import Report, Scaling
from rows import AREA_OF, SCORED_ROWS, rows_sorted
from sizes import table as sizes_table

_UNITS = {"op": "", "kB": "/kB", "late": "late"}


def table(lines: list[list[str]], left: int = 1) -> str:
    """Columns as wide as their widest cell; the first `left` of them flush left."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = []
    for line in lines:
        cells = [cell.ljust(width) if i < left else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths))]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def figure(value: float) -> str:
    """A figure for people: three places that say something, thousands apart."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def percent(value: float) -> str:
    """A spread for people."""
    return f"{100 * value:.1f}%"


def _cells(column: Column, name: str) -> list[str]:
    """Figure and spread of a row in a column."""
    if name in column.rows:
        return [figure(column.rows[name].median), percent(column.rows[name].spread)]
    return ["broken" if name in column.broken else "none" if name in column.none else "", ""]


def _ratio(ours: Column | None, theirs: Column | None, name: str) -> str:
    if not ours or not theirs or name not in ours.rows or name not in theirs.rows:
        return ""
    return f"{ratio_of(ours.rows[name].median, theirs.rows[name].median):.2f}"


def _unit(report: Report, name: str) -> str:
    for column in (report.linux, report.invar):
        if column and name in column.rows:
            return _UNITS[column.rows[name].unit]
    return ""


def rows_table(report: Report, names: list[str]) -> str:
    """One line a row: the kernels that were measured, the ratio, and the same with mitigations off."""
    head, both = ["row", ""], bool(report.linux and report.invar)
    for title, column in (("Linux", report.linux), ("Invar", report.invar)):
        head += [title, "spread"] if column else []
    head += ["ratio", ""] if both else []
    head += ["Linux off", "spread"] if report.linux_off else []
    head += ["ratio"] if report.linux_off and both else []
    return table([head, *(_row_line(report, name) for name in names)], left=2)


def _row_line(report: Report, name: str) -> list[str]:
    """A row's cells under rows_table's head."""
    line = [name, _unit(report, name)]
    for column in (report.linux, report.invar):
        line += _cells(column, name) if column else []
    if report.linux and report.invar:
        ratio = _ratio(report.invar, report.linux, name)
        line += [ratio, "above" if ratio and report.invar.rows[name].median > report.linux.rows[name].median else ""]
    if report.linux_off:
        line += _cells(report.linux_off, name)
        line += [_ratio(report.invar_off or report.invar, report.linux_off, name)] if report.invar else []
    return line


def score_text(report: Report) -> str:
    """The score, and what it does not say."""
    score = report.score()
    found = report.scored_ratios()
    lines = []
    if score is None:
        lines.append("score: none (no scored row ran on both kernels)")
    else:
        lines.append(f"score: {score:.3f}, the geometric mean of Invar/Linux over {len(found)} of {len(SCORED_ROWS)} scored rows (below 1: fewer instructions)")
        trimmed = report.score_trimmed()
        if trimmed:
            mean, low, high = trimmed
            lines.append(f"       {mean:.3f} without its lowest and its highest row ({low} {found[low]:.2f}, {high} {found[high]:.2f})")
        off = [ratio for name, ratio in report.off_ratios().items() if name in AREA_OF]
        if off:
            lines.append(f"       {_mean(off)} with the mitigations of both kernels off")
    above = [f"{name} ({ratio:.2f})" for name, ratio in found.items() if ratio > 1]
    lines.append(f"above 1.0: {len(above)}{': ' if above else ''}{', '.join(above)}")
    none = report.none_scored()
    lines.append(f"none on Invar: {len(none)}{': ' if none else ''}{', '.join(none)}")
    return "\n".join(lines)


def _mean(values: list[float]) -> str:
    mean = geometric_mean(values)
    return "none" if mean is None else f"{mean:.3f}"


def missing_text(report: Report) -> str:
    """Why rows are none or broken, by kernel."""
    lines = []
    off = (("Linux, mitigations off", report.linux_off), ("Invar, mitigations off", report.invar_off))
    for title, column in (("Linux", report.linux), ("Invar", report.invar), *off):
        if column:
            lines += [f"broken on {title}: {name}: {column.broken[name]}" for name in rows_sorted(column.broken)]
    for title, column in (("Linux", report.linux), ("Invar", report.invar)):
        if column:
            lines += [f"none on {title}: {name}: {column.none[name]}" for name in rows_sorted(column.none)]
    return "\n".join(lines)


def mitigations_text(report: Report) -> str:
    """What side-channel mitigations were on."""
    lines = []
    linux = (("Linux", report.linux), ("Linux with mitigations=off", report.linux_off))
    for title, column in (*linux, ("Invar", report.invar), ("Invar with mitigations=off", report.invar_off)):
        if column is None:
            continue
        if column.mitigations:
            lines.append(f"mitigations of {title}:")
            told = {name: text for name, text in sorted(column.mitigations.items()) if text != "Not affected"}
            lines += [f"  {name}: {text}" for name, text in told.items()]
            lines.append(f"  not affected, by its own account: {', '.join(sorted(column.mitigations.keys() - told.keys())) or 'none'}")
        else:
            lines.append(f"mitigations of {title}: it has no files that say so; what it does is stated in CAVEATS.md")
    return "\n".join(lines)


def _split(name: str) -> list[str]:
    """A column's title in short lines: context_switches as two."""
    return name.split("_")


def events_table(column: Column) -> str:
    """Events per operation of one kernel; events that no row has are left out."""
    events = {name: column.rows[name].events for name in rows_sorted(column.rows)}
    names = list(dict.fromkeys(event for row in events.values() for event, value in row.items() if value))
    if not names:
        return ""
    titles = [_split(name) for name in names]
    height = max(len(title) for title in titles)
    lines = [["row" if i == height - 1 else "", *(([""] * (height - len(title)) + title)[i] for title in titles)] for i in range(height)]
    for name, row in events.items():
        if row:
            lines.append([name, *(f"{row[event]:.2f}" if row.get(event) else "-" for event in names)])
    return table(lines)


def boot_table(boots: list[Boot]) -> str:
    """Stages by board in thousands of instructions, and the totals of all kernels in millions."""
    lines = [["to the first user instruction", *BOARDS]]
    for kernel in dict.fromkeys(boot.kernel for boot in boots):
        by_board = {boot.board: boot for boot in boots if boot.kernel == kernel}
        lines.append([f"{kernel}, million instructions", *(f"{by_board[board].first / 1e6:.3f}" if board in by_board else "" for board in BOARDS)])
        stages = list(dict.fromkeys(name for boot in by_board.values() for name, _ in boot.stages))
        for stage in stages:
            lines.append([f"  {stage}", *(_stage(by_board.get(board), stage) for board in BOARDS)])
    return table(lines)


def _stage(boot: Boot | None, name: str) -> str:
    """How long one stage took."""
    before = 0
    for stage, end in boot.stages if boot else []:
        if stage == name:
            return f"{(end - before) / 1e6:.3f}"
        before = end
    return ""


def memory_text(report: Report) -> str:
    """Memory at the shell."""
    memory = report.memory
    if memory is None:
        return ""
    if memory.least == 0:
        return "memory: no shell started"
    lines = [f"memory: a shell starts with {memory.least} MiB"]
    if memory.owners:
        owners = [(f"  {name}" if "." in name else name, kib) for name, kib in memory.owners if kib]
        lines.append(table([["owner", "KiB"], *([name, f"{kib:,}"] for name, kib in owners), ["used: all but free", f"{memory.used:,}"]]))
    else:
        lines.append("(the kernel does not say who owns what: no /proc/invar/memory)")
    return "\n".join(lines)


def scaling_table(scaling: list[Scaling]) -> str:
    """Figures by number of processors."""
    lines = []
    for row in scaling:
        names = list(dict.fromkeys(name for figures in row.processors.values() for name in figures))
        if not lines:
            lines.append(["row", "processors", *names])
        for number, figures in row.processors.items():
            lines.append([row.name, str(number), *(figure(figures[name]) if name in figures else "" for name in names)])
    return table(lines)


def report_text(report: Report) -> str:
    """Everything that the run found."""
    parts = []
    names = report.row_names()
    scored = [name for name in names if name in AREA_OF]
    others = [name for name in names if name not in AREA_OF]
    if names:
        parts.append("Instructions per operation (kB: per 1,000 bytes; late: later than asked), medians over seeds; fewer is not a claim about speed")
    if scored:
        parts.append("== scored\n" + rows_table(report, scored))
    if others:
        parts.append("== shown and scale, not in the score\n" + rows_table(report, others))
    if report.invar:
        events = events_table(report.invar)
        if events:
            parts.append("== events per operation on Invar\n" + events)
        elif report.invar.rows:
            parts.append("== events per operation on Invar\nnone: the kernel has no /proc/invar/counters")
    if report.scaling:
        parts.append("== processors\n" + scaling_table(report.scaling))
    if report.boots:
        parts.append("== boot\n" + boot_table(report.boots))
    if report.memory:
        parts.append("== memory\n" + memory_text(report))
    if report.sizes:
        parts.append("== sizes, bytes\n" + sizes_table(report.sizes))
    if names:
        parts.append("== mitigations\n" + mitigations_text(report))
        missing = missing_text(report)
        if missing:
            parts.append("== not measured\n" + missing)
    if report.invar and report.linux and scored:
        parts.append("== score\n" + score_text(report))
    return "\n\n".join(parts)
