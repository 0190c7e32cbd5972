# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Text, data and bss of the kernel by folder, from the built objects, and the size of its image.

    sizes.py FOLDER        FOLDER is a kernel's build folder (build/release): prints the table

`./invar check sizes` prints it too.
"""

import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from failure import Failure


@dataclass
class Size:
    """Bytes of the sections of some objects."""

    files: int = 0
    text: int = 0  # code and what is only read
    data: int = 0
    bss: int = 0

    def add(self, text: int, data: int, bss: int) -> None:
        """Counts one object."""
        self.files += 1
        self.text += text
        self.data += data
        self.bss += bss


@dataclass
class Sizes:
    """A kernel's sizes."""

    image: int  # bytes that a loader reads: the file without symbols and debugging information
    folders: dict[str, Size]
    all: Size

    def to_json(self) -> dict[str, object]:
        """For the report."""
        return {"image": self.image, "all": asdict(self.all), "folders": {name: asdict(size) for name, size in self.folders.items()}}


def _size_lines(arguments: list[str]) -> list[tuple[int, int, int, str]]:
    """What binutils' `size` says: text, data, bss and file."""
    run = subprocess.run(["size", *arguments], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Failure(f"bench: size: {run.stderr.strip().splitlines()[0] if run.stderr.strip() else 'failed'}")
    lines = []
    for line in run.stdout.splitlines()[1:]:
        words = line.split(None, 5)
        lines.append((int(words[0]), int(words[1]), int(words[2]), words[5]))
    return lines


def _image_size(kernel: Path) -> int:
    """What of the file is loaded: the sum of its segments in the file."""
    run = subprocess.run(["readelf", "-lW", str(kernel)], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Failure(f"bench: readelf cannot read {kernel}")
    loads = [line.split() for line in run.stdout.splitlines() if line.strip().startswith("LOAD")]
    return sum(int(words[4], 16) for words in loads)


def sizes_of(folder: Path) -> Sizes:
    """Reads a kernel's build folder: its objects, linked into invar.elf."""
    objects = sorted(folder.glob("obj/**/*.o"))
    if not objects:
        raise Failure(f"bench: {folder}/obj holds no objects")
    base = folder / "obj"
    folders: dict[str, Size] = {}
    total = Size()
    for text, data, bss, name in _size_lines([str(path) for path in objects]):
        folders.setdefault(str(Path(name).relative_to(base).parent), Size()).add(text, data, bss)
        total.add(text, data, bss)
    return Sizes(_image_size(folder / "invar.elf"), dict(sorted(folders.items())), total)


def table(sizes: Sizes) -> str:
    """For people."""
    line = "{:<34} {:>6} {:>9} {:>8} {:>8}".format
    rows = [line("folder", "files", "text", "data", "bss")]
    rows += [line(name, size.files, size.text, size.data, size.bss) for name, size in sizes.folders.items()]
    rows.append(line("all", sizes.all.files, sizes.all.text, sizes.all.data, sizes.all.bss))
    rows.append(f"image: {sizes.image} bytes are loaded")
    return "\n".join(rows)


def main() -> int:
    """The program."""
    if len(sys.argv) != 2:
        print("invar: sizes.py needs one build folder", file=sys.stderr)
        return 2
    try:
        print(table(sizes_of(Path(sys.argv[1]))))
    except Failure as failure:
        print(f"invar: {failure.text}", file=sys.stderr)
        return failure.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
