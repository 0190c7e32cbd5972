# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""The scored rows as a Markdown table, two rows a line, put between the two marks of a page (README.md has them)."""

from pathlib import Path

from failure import Failure
from report import Report
from report_table import figure
from rows import SCORED_ROWS

BEGIN = "<!-- bench: begin -->"
END = "<!-- bench: end -->"


def _cells(report: Report, name: str) -> str:
    """Three cells: Invar, Linux, ratio; the ratio of a row above Linux's is bold."""
    ours, theirs, ratio = "none", "none", ""
    if report.invar and name in report.invar.rows:
        ours = figure(report.invar.rows[name].median)
    if report.linux and name in report.linux.rows:
        theirs = figure(report.linux.rows[name].median)
    if name in (found := report.scored_ratios()):
        ratio = f"**{found[name]:.2f}**" if found[name] > 1 else f"{found[name]:.2f}"
    return f"`{name}` | {ours} | {theirs} | {ratio}"


def report_markdown(report: Report) -> str:
    """Table and score; the figures are instructions, medians over the seeds."""
    half = (len(SCORED_ROWS) + 1) // 2
    lines = ["| row | Invar | Linux | ratio | row | Invar | Linux | ratio |", "|---|--:|--:|--:|---|--:|--:|--:|"]
    for place in range(half):
        right = _cells(report, SCORED_ROWS[place + half]) if place + half < len(SCORED_ROWS) else "| | |"
        lines.append(f"| {_cells(report, SCORED_ROWS[place])} | {right} |")
    score, made = report.score(), report.provenance
    trimmed = report.score_trimmed()
    without = f" ({trimmed[0]:.2f} without the lowest, `{trimmed[1]}`, and the highest, `{trimmed[2]}`)" if trimmed else ""
    above, none = sum(ratio > 1 for ratio in report.scored_ratios().values()), report.none_scored()
    lines += [
        "",
        f"Geometric mean of the {len(report.scored_ratios())} rows that both have: **{'none' if score is None else format(score, '.2f')}**{without}; "
        f"above 1.0: {above}; not on Invar yet: {len(none)}. Seeds {', '.join(map(str, made.seeds))}; {made.compiler}; {made.linux}.",
    ]
    return "\n".join(lines)


def markdown_write(report: Report, path: Path) -> None:
    """Replaces what stands between the marks of the page."""
    try:
        text = path.read_text()
        before, rest = text.split(f"{BEGIN}\n")
        _, after = rest.split(f"{END}\n")
        path.write_text(f"{before}{BEGIN}\n{report_markdown(report)}\n{END}\n{after}")
    except OSError as error:
        raise Failure(f"bench: --markdown {path}: {error.strerror}") from error
    except ValueError:
        raise Failure(f"bench: --markdown {path}: the marks '{BEGIN}' and '{END}' are not in it, once each on lines of their own") from None
