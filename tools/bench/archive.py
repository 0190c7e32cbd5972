# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Adds files to a boot archive (cpio, newc): archives may stand behind each other, and a later member wins.

Every field is fixed (owner, time, inode), so that the same contents give the same bytes: the archive's hash is a key of the cache.
"""

import hashlib
from pathlib import Path

_REGULAR = 0o100000
_BLOCK = 512


def _member(name: str, contents: bytes, mode: int, inode: int) -> bytes:
    """One member with its padding."""
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(contents), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
    return head + b"\0" * (-len(head) % 4) + contents + b"\0" * (-len(contents) % 4)


def archive_of(files: list[tuple[str, bytes, int]]) -> bytes:
    """An archive of plain files: (path without a leading slash, contents, permissions). Their folders have to exist already."""
    data = b"".join(_member(name, contents, _REGULAR | mode, inode) for inode, (name, contents, mode) in enumerate(files, 1))
    data += _member("TRAILER!!!", b"", 0, 0)
    return data + b"\0" * (-len(data) % _BLOCK)


def archive_extend(base: Path, files: list[tuple[str, bytes, int]], folder: Path) -> Path:
    """Writes base with files behind it into folder, under a name made from the contents; the path."""
    data = base.read_bytes()
    data += b"\0" * (-len(data) % _BLOCK) + archive_of(files)
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}.cpio"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(data)
        part.replace(path)
    return path
