# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""A flame graph as SVG, readable without scripts: a rectangle a frame, as wide as its instructions, on top of the frame that called it.

Each rectangle has its name and figures as <title>, which viewers show under the pointer. At the foot stand the entries: user code, each kind of entry to
the kernel. Colours tell kernel, user and entries apart, and within them the functions, by their name alone: the same function has the same one everywhere.
"""

import zlib
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from stacks import ENTRY, KERNEL, USER, Frame, Stack

_WIDTH = 1400
_MARGIN = 10
_ROW = 18
_HEAD = 62
_FOOT = 12
_LETTER = 6.4  # pixels of one letter of the font below, about
_LEAST = 0.4  # narrower frames are not drawn
_HUES = {KERNEL: (8, 45), USER: (95, 150), ENTRY: (210, 215)}


@dataclass
class _Node:
    """A frame of the picture: all stacks that begin alike."""

    frame: Frame
    count: int = 0
    above: dict[Frame, "_Node"] = field(default_factory=dict)

    def depth(self, least: float) -> int:
        """Levels from here up, of frames with that count or more."""
        return 1 + max((node.depth(least) for node in self.above.values() if node.count >= least), default=0)


def _tree(folded: dict[Stack, int]) -> _Node:
    root = _Node((ENTRY, "all"))
    for stack, count in folded.items():
        root.count += count
        node = root
        for frame in stack:
            node = node.above.setdefault(frame, _Node(frame))
            node.count += count
    return root


def _colour(frame: Frame) -> str:
    kind, name = frame
    low, high = _HUES[kind]
    value = zlib.crc32(name.encode())
    saturation = 12 if kind == ENTRY else 62 + value // 97 % 20
    return f"hsl({low + value % (high - low)},{saturation}%,{66 + value // 13 % 14}%)"


def _label(name: str, width: float) -> str:
    """As much of a name as fits."""
    letters = int((width - 6) / _LETTER)
    if letters < 3:
        return ""
    return name if len(name) <= letters else name[: letters - 1] + "…"


class _Picture:
    """Collects the rectangles."""

    def __init__(self, root: _Node, operations: float) -> None:
        self.root = root
        self.operations = operations
        self.scale = (_WIDTH - 2 * _MARGIN) / max(root.count, 1)
        self.height = _HEAD + root.depth(_LEAST / self.scale) * _ROW + _FOOT
        self.parts: list[str] = []

    def draw(self, node: _Node, left: float, level: int) -> None:
        width = node.count * self.scale
        if width < _LEAST:
            return
        kind, name = node.frame
        shown = f"[{name}]" if kind == ENTRY else name
        top = self.height - _FOOT - (level + 1) * _ROW
        own = node.count - sum(above.count for above in node.above.values())
        title = (
            f"{shown} ({kind}): {node.count / self.operations:,.1f} instructions an operation, {100 * node.count / self.root.count:.1f} %; "
            f"its own {own / self.operations:,.1f}"
        )
        label = _label(shown, width)
        text = f'<text x="{left + 3:.1f}" y="{top + 13}">{escape(label)}</text>' if label else ""
        self.parts.append(
            f'<g><title>{escape(title)}</title><rect x="{left:.1f}" y="{top}" width="{max(width - 0.5, 0.4):.1f}" height="{_ROW - 1}" rx="1.5" '
            f'fill="{_colour(node.frame)}"/>{text}</g>'
        )
        for above in sorted(node.above.values(), key=lambda other: (-other.count, other.frame)):
            self.draw(above, left, level + 1)
            left += above.count * self.scale


def flame_svg(folded: dict[Stack, int], operations: float, title: str, subtitle: str) -> str:
    """The picture. operations: by how many the counts are divided in the figures shown."""
    root = _tree({stack: count for stack, count in folded.items() if count > 0})
    picture = _Picture(root, operations)
    picture.draw(root, _MARGIN, 0)
    legend = "".join(
        f'<rect x="{_WIDTH - 330 + 110 * i}" y="14" width="12" height="12" rx="1.5" fill="{_colour((kind, name))}"/><text x="{_WIDTH - 312 + 110 * i}" y="24">{name}</text>'
        for i, (kind, name) in enumerate(((ENTRY, "entry"), (KERNEL, "kernel"), (USER, "user")))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {picture.height}" width="{_WIDTH}" height="{picture.height}" '
        f'font-family="DejaVu Sans Mono, Consolas, monospace" font-size="10.5">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
        f'<text x="{_MARGIN}" y="26" font-size="17" font-family="sans-serif" font-weight="bold">{escape(title)}</text>\n'
        f'<text x="{_MARGIN}" y="46" font-size="12" font-family="sans-serif" fill="#555">{escape(subtitle)}</text>\n{legend}\n'
        + "\n".join(picture.parts)
        + "\n</svg>\n"
    )
