# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Which rows moved between a revision's kernel and this tree's: this tree's programs on both, in the same machines.

The revision is checked out as a git worktree below build/bench/compare/, which goes when its kernel is built; the kernel and its objects' sizes stay.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from boot import Boot, boot_machines, boots_measure
from failure import FAILED, Failure
from figures import Column, Series
from kernels import FOLDER, RELEASE, ROOT, Kernel, Program
from machine import Boots
from measure import Wanted, column_jobs, columns_measure
from report_table import figure, percent, table
from rows import rows_sorted
from sizes import Sizes, sizes_of


def revision_check(name: str) -> str:
    """The commit that a name means."""
    if shutil.which("git") is None:
        raise Failure(f"bench: --compare {name}: git is not there")
    words = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Failure(f"bench: --compare {name}: no such revision")
    return run.stdout.strip()


def _git(*words: str) -> None:
    """Runs git in the tree."""
    run = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Failure(f"bench: git {words[0]} {words[1]}: {(run.stderr.strip().splitlines() or ['failed'])[-1]}")


def revision_build(commit: str, name: str, jobs: int) -> Path:
    """Builds the revision's release kernel unless it is there already; its build folder."""
    folder = FOLDER / "compare" / commit[:12]
    built = folder / "release"
    if (built / "invar.elf").exists():
        return built
    print(f"invar: bench: building {name}", file=sys.stderr)
    tree = folder / "tree"
    worktree_remove(tree)
    folder.mkdir(parents=True, exist_ok=True)
    _git("worktree", "add", "--detach", "--force", str(tree), commit)
    try:
        log = folder / "build.log"
        with log.open("wb") as out:
            words = ["make", f"-j{jobs}", "O=build/release", "PROFILE=release", f"CC={os.environ.get('CC', 'gcc')}", "kernel"]
            environment = {key: value for key, value in os.environ.items() if key not in ("BUILD", "MAKEFLAGS", "O", "PROFILE")}
            status = subprocess.run(words, cwd=tree, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, check=False).returncode
        if status != 0 or not (tree / "build/release/invar.elf").exists():
            raise Failure(f"bench: --compare {name}: its kernel does not build; the build's messages: {log}")
        shutil.rmtree(built, ignore_errors=True)
        (tree / "build/release").rename(built)
    finally:
        worktree_remove(tree)
    return built


def worktree_remove(tree: Path) -> None:
    """Takes a worktree away, and what git remembers of it."""
    if tree.exists():
        subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, capture_output=True, check=False)
        shutil.rmtree(tree, ignore_errors=True)
    subprocess.run(["git", "worktree", "prune"], cwd=ROOT, capture_output=True, check=False)


def compare(boots: Boots, commit: str, name: str, invar: Kernel, program: Program, wanted: Wanted, is_file: bool) -> str:
    """Measures both kernels; the text for people. `is_file`: the new kernel is a file without objects."""
    built = revision_build(commit, name, os.cpu_count() or 1)
    old = Kernel(built / "invar.elf", name)
    jobs = column_jobs(f"compare {commit[:12]}", old, False, program, wanted) + column_jobs("compare this", invar, False, program, wanted)
    columns = columns_measure(boots, jobs)
    before, after = columns.get(f"compare {commit[:12]}", Column()), columns.get("compare this", Column())
    first = boots_measure(boots, boot_machines(old.path, None))
    second = boots_measure(boots, boot_machines(invar.path, None))
    parts = [f"{name} ({commit[:12]}) and this tree, seeds {', '.join(map(str, wanted.seeds))}", rows_text(before, after), boots_text(first, second)]
    if not is_file:
        parts.append(sizes_text(sizes_of(built), sizes_of(RELEASE)))
    broken = [f"broken: {row}: {column.broken[row]}" for column in (before, after) for row in rows_sorted(column.broken)]
    if broken:
        raise Failure("bench: --compare: " + "; ".join(broken), FAILED)
    return "\n\n".join(parts)


def change(old: float, new: float) -> str:
    """The difference in per cent of the old."""
    return f"{100 * (new - old) / old:+.2f}%" if old else "new"


def moved(old: Series, new: Series) -> bool:
    """Whether a row moved by more than its spread, on either side."""
    return abs(new.median - old.median) > max(old.spread, new.spread) * old.median


def rows_text(before: Column, after: Column) -> str:
    """The rows that moved, appeared or went."""
    both = [name for name in rows_sorted(before.rows) if name in after.rows]
    lines = [["row", "old", "new", "difference", "spread"]]
    for name in both:
        old, new = before.rows[name], after.rows[name]
        if moved(old, new):
            lines.append([name, figure(old.median), figure(new.median), change(old.median, new.median), percent(max(old.spread, new.spread))])
    text = table(lines) if len(lines) > 1 else "no row moved by more than its spread"
    gone = [name for name in rows_sorted(before.rows) if name not in after.rows]
    come = [name for name in rows_sorted(after.rows) if name not in before.rows]
    text += f"\n{len(lines) - 1} of {len(both)} rows moved"
    text += f"\nonly in the old kernel: {', '.join(gone)}" if gone else ""
    text += f"\nonly in this tree's: {', '.join(come)}" if come else ""
    return text


def boots_text(first: list[Boot], second: list[Boot]) -> str:
    """Instructions to the first user instruction."""
    lines = [["boot", "old", "new", "difference"]]
    lines += [[old.board, f"{old.first:,}", f"{new.first:,}", change(old.first, new.first)] for old, new in zip(first, second)]
    return table(lines)


def sizes_text(old: Sizes, new: Sizes) -> str:
    """The image, and the folders whose size changed."""
    lines = [["bytes", "old", "new", "difference"], ["image", f"{old.image:,}", f"{new.image:,}", f"{new.image - old.image:+,}"]]
    for folder in sorted(old.folders | new.folders):
        sums = [size.text + size.data + size.bss if (size := sizes.folders.get(folder)) else 0 for sizes in (old, new)]
        if sums[0] != sums[1]:
            lines.append([folder, f"{sums[0]:,}", f"{sums[1]:,}", f"{sums[1] - sums[0]:+,}"])
    return table(lines)
