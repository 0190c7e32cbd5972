# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""What is booted: Invar's kernel (built here, or a file), Debian's (fetched, unpacked, never installed), and the benchmark's program."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from failure import Failure
from rows import ROW_SETS

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD") or ROOT / "build").absolute()
HOST = BUILD / "host"
FOLDER = BUILD / "bench"
_CC = os.environ.get("CC", "gcc")
RELEASE = BUILD / ("release" if _CC == "gcc" else f"release-{os.path.basename(_CC)}")  # as ./invar has it


@dataclass(frozen=True)
class Kernel:
    """A kernel's file and its name for people."""

    path: Path
    version: str


@dataclass(frozen=True)
class Program:
    """The benchmark's program: its archive, and its rows as it lists them itself: name -> (set, unit, meaning)."""

    archive: Path
    rows: dict[str, tuple[str, str, str]]

    def of_set(self, name: str) -> list[str]:
        """The rows of a set."""
        return [row for row, (row_set, _, _) in self.rows.items() if row_set == name]


def command(words: list[str], what: str, show: bool = False) -> str:
    """Runs a command in the tree and gives its output; Failure with its last line where it fails. `show`: its messages go to the person."""
    errors = None if show else subprocess.PIPE
    run = subprocess.run(
        words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace", check=False
    )
    if run.returncode != 0:
        said = [line for line in ((run.stderr or "") + "\n" + run.stdout).splitlines() if line.strip()]
        reasons = [line for line in said if "error" in line.lower()] or said[-1:]
        raise Failure(f"bench: {what}{': ' + reasons[0].strip() if reasons else ''}")
    return run.stdout


def make_path(path: Path) -> str:
    """From the tree's root, if it is below it: make takes no path with blanks."""
    return str(path).removeprefix(f"{ROOT}/")


def invar_build() -> Kernel:
    """Builds the release kernel, the tools and the root archive."""
    command([str(ROOT / "invar"), "build", "--profile", "release"], "the kernel does not build", show=True)
    return Kernel(RELEASE / "invar.elf", "invar")


def invar_file(path: Path) -> Kernel:
    """A kernel that was built elsewhere; the tools and the root archive are built."""
    if not path.is_file():
        raise Failure(f"bench: --kernel {path}: no such file")
    command(["make", "-s", "tools", "root"], "the tools do not build", show=True)
    return Kernel(path, path.name)


def compiler_version() -> str:
    """The compiler of the kernel."""
    flags = RELEASE / ".flags"
    words = flags.read_text().split() if flags.exists() else []
    return " ".join(words[:2]) if len(words) > 1 else "unknown"


def program_compiler() -> str:
    """The compiler of the benchmark's program."""
    lines = command(["musl-gcc", "--version"], "musl-gcc cannot be run (./invar setup bench installs it)").splitlines()
    return lines[0] if lines else "unknown"


def debian_fetch() -> Kernel:
    """Debian's kernel in the version that tests/linux/KERNEL names."""
    script = '. tests/linux/debian.sh; debian_fetch; echo "$package $version $vmlinuz"'
    package, version, path = command(["sh", "-euc", script], "Debian's kernel cannot be had").split()
    return Kernel(ROOT / path, f"{package} {version}")


def program_build() -> Program:
    """Builds the program and its archive, and asks it for its rows."""
    command(["make", "-s", "-f", "bench/Makefile", f"O={make_path(FOLDER)}"], "the benchmark's program does not build")
    rows: dict[str, tuple[str, str, str]] = {}
    for line in command([str(FOLDER / "bench"), "--list"], "the benchmark's program does not list its rows").splitlines():
        words = line.split(None, 3)
        if len(words) != 4 or words[1] not in ROW_SETS or words[0] in rows:
            raise Failure(f"bench: the program lists {line!r}")
        rows[words[0]] = (words[1], words[2], words[3])
    if not rows:
        raise Failure("bench: the program lists no rows")
    return Program(FOLDER / "bench.cpio", rows)


def revision() -> tuple[str, bool]:
    """The tree's revision, and whether files differ from it; ("unknown", True) outside a repository."""
    try:
        head = command(["git", "rev-parse", "HEAD"], "git").strip()
        return head, bool(command(["git", "status", "--porcelain", "--untracked-files=no"], "git").strip())
    except (Failure, FileNotFoundError):
        return "unknown", True
