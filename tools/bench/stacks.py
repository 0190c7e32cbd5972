# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Stacks with counts: from the plugin's addresses to names, and sums by function."""

from dataclasses import dataclass

from guest import entry_name
from symbols import Symbols

UPPER_HALF = 1 << 63
USER, KERNEL, ENTRY = "user", "kernel", "entry"

# A frame: what it is (user code, kernel code, an entry) and its name.
Frame = tuple[str, str]
Stack = tuple[Frame, ...]


@dataclass
class Sum:
    """Instructions of one function: its own, and with all that it called."""

    own: int = 0
    inclusive: int = 0


def frame_of(word: str, kernel: Symbols, user: Symbols) -> Frame:
    """One of the plugin's frames (tools/bench/plugin/stacks.h)."""
    if word == "user":
        return ENTRY, "user"
    address = int(word[1:], 16)
    if word[0] == "e":
        return ENTRY, entry_name(kernel, address)
    if word[0] == "t":
        return ENTRY, "new thread"
    if word[0] == "c":
        address -= 1  # within the call, which may be the function's last instruction
    elif word[0] != "b":
        raise ValueError(f"not a frame of the plugin: {word!r}")
    return (KERNEL, kernel.name(address)) if address >= UPPER_HALF else (USER, user.name(address))


def stacks_fold(text: str, kernel: Symbols, user: Symbols) -> dict[Stack, int]:
    """The plugin's stacks by name, those of equal names together. Those without a root hang below "unknown"."""
    folded: dict[Stack, int] = {}
    frames: dict[str, Frame] = {}
    for line in text.splitlines():
        count, _, path = line.partition(" ")
        words = path.split(";")
        for word in words:
            if word not in frames:
                frames[word] = frame_of(word, kernel, user)
        stack = tuple(frames[word] for word in words)
        if stack[0][0] != ENTRY:
            stack = ((ENTRY, "unknown"), *stack)
        folded[stack] = folded.get(stack, 0) + int(count)
    return {stack: count for stack, count in folded.items() if count}


def sums_by_function(folded: dict[Stack, int]) -> dict[Frame, Sum]:
    """By function and by entry; a function that calls itself counts once in its inclusive figure."""
    sums: dict[Frame, Sum] = {}
    for stack, count in folded.items():
        for frame in set(stack):
            sums.setdefault(frame, Sum()).inclusive += count
        sums[stack[-1]].own += count
    return sums


def folded_text(folded: dict[Stack, int]) -> str:
    """One line a stack, "name;name;name COUNT": the form that flame graph tools read."""
    lines = [";".join(f"[{name}]" if kind == ENTRY else name for kind, name in stack) + f" {count}\n" for stack, count in folded.items()]
    return "".join(sorted(lines))
