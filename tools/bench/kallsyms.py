# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""The function symbols of a Linux kernel without a symbol table: one boot of it without address randomisation prints them. Kept by the kernel's hash."""

import subprocess
from pathlib import Path

from archive import archive_extend
from failure import FAILED, Failure
from kernels import ROOT
from machine import Boots, Machine, file_hash
from symbols import Symbols, symbols_of_kallsyms
from threads import ThreadMachine

_WORDS = "console=ttyS0 nokaslr quiet panic=-1 rdinit=/bench/kallsyms"


def _program_build(folder: Path) -> bytes:
    """The program that prints them."""
    program = folder / "kallsyms"
    run = subprocess.run(["musl-gcc", "-O2", "-static", "-s", "-Wall", "-Werror", "-o", str(program), str(ROOT / "tools/bench/kallsyms.c")], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Failure(f"bench: tools/bench/kallsyms.c does not build: {run.stderr.strip()[:200]}")
    return program.read_bytes()


def _functions_of(console: str) -> str:
    """The lines between the marks; Failure where they are not whole."""
    lines = console.replace("\r", "").split("\n")
    try:
        begin, end = lines.index("kallsyms"), lines.index("kallsyms end")
    except ValueError:
        raise Failure("bench: Linux did not print its symbols", FAILED) from None
    return "\n".join(line for line in lines[begin + 1 : end] if len(line.split()) == 2 and line.split()[0].isalnum())


def linux_symbols(boots: Boots, kernel: Path, archive: Path, folder: Path) -> Symbols:
    """The functions of the kernel, started with nokaslr. archive: any that has a folder /bench."""
    kept = folder / f"kallsyms-{file_hash(kernel)[:16]}.txt"
    if not kept.exists():
        extended = archive_extend(archive, [("bench/kallsyms", _program_build(folder), 0o755)], folder / "archive")
        machine: Machine = ThreadMachine("linux symbols", kernel, extended, _WORDS)
        part = kept.with_suffix(".part")
        part.write_text(_functions_of(boots.boot(machine, boots.log_of(machine))))
        part.replace(kept)
    return symbols_of_kallsyms(kept.read_text())
