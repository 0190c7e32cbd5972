# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Boots a machine with the counting plugin and reads what the plugin found."""

import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

from failure import FAILED, Failure
from kernels import ROOT, make_path
from machine import Boots, Machine

WORK = ("user", "kernel", "spin", "idle")


@dataclass
class Window:
    """One stretch between the marks: by processor the instructions of each kind of work, and events."""

    readings: int = 0  # of the row's clock
    stretches: list[int] = field(default_factory=list)  # instructions of each one that was counted
    processors: dict[int, dict[str, int]] = field(default_factory=dict)

    def total(self, name: str) -> int:
        """A figure of all processors together."""
        return sum(figures.get(name, 0) for figures in self.processors.values())

    def names(self) -> list[str]:
        """Every figure that any processor has, in the plugin's order."""
        return list(dict.fromkeys(name for figures in self.processors.values() for name in figures))

    def instructions(self) -> int:
        """All instructions."""
        return sum(self.total(work) for work in WORK)


def plugin_build(folder: Path) -> Path:
    """Builds the plugin; its path."""
    run = subprocess.run(
        ["make", "-s", "-f", "tools/bench/plugin/Makefile", f"O={make_path(folder)}"], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise Failure(f"bench: the plugin does not build: {(run.stderr.strip() or run.stdout.strip()).splitlines()[-1:]}")
    return folder / "plugin.so"


def windows_parse(text: str) -> list[Window]:
    """The plugin's figures; ValueError for a line that is none of its own."""
    windows: list[Window] = []
    for line in text.splitlines():
        words = line.split()
        if words[0] == "window":
            stretches = words[3].removeprefix("stretches=").split(",")
            windows.append(Window(int(words[2].removeprefix("readings=")), [int(stretch) for stretch in stretches if stretch]))
        elif words[0] == "cpu" and windows:
            pairs = (word.split("=") for word in words[2:])
            windows[-1].processors[int(words[1])] = {name: int(value) for name, value in pairs}
        else:
            raise ValueError(f"not a line of the plugin: {line!r}")
    return windows


def _escaped(path: Path) -> str:
    """For an option of QEMU: a comma is doubled."""
    return str(path.resolve()).replace(",", ",,")


def observe(boots: Boots, machine: Machine, plugin: Path, guest_map: Path | None, out: Path, profile: Path | None = None, clock: bool = False) -> tuple[str, list[Window]]:
    """Boots it; what it printed and the plugin's windows. `clock`: count only what the row's own clock readings enclose."""
    for path in (out, *([profile] if profile else [])):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
    words = [_escaped(plugin), f"out={_escaped(out)}"]
    words += [f"map={_escaped(guest_map)}"] if guest_map else []
    words += [f"profile={_escaped(profile)}"] if profile else []
    words += ["clock=on"] if clock else []
    text = boots.boot(replace(machine, more=(*machine.more, "-plugin", ",".join(words))), boots.log_of(machine))
    if not out.exists():
        raise Failure(f"bench: {machine.what}: the plugin left no figures; its console: {boots.log_of(machine)}", FAILED)
    return text, windows_parse(out.read_text())
