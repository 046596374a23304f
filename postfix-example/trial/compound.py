"""Writing a small Compound File (the OLE container of legacy Office and of VBA projects).

Only what the samples need: streams below 4096 bytes, one sector of allocation table. [MS-CFB]
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Union

SECTOR, MINI_SECTOR = 512, 64
FREE, END, FAT_SECTOR = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
STORAGE, STREAM, ROOT = 1, 2, 5
NOTHING = 0xFFFFFFFF  # of directory entries
ENTRIES = SECTOR // 4

Tree = Mapping[str, Union[bytes, "Tree"]]


@dataclass
class _Entry:
    name: str
    kind: int
    content: bytes = b""
    right: int = NOTHING
    child: int = NOTHING
    start: int = 0
    size: int = 0

    def packed(self) -> bytes:
        name = self.name.encode("utf-16-le")
        # The name's length counts its two closing zero bytes; colour 1 is black; 36 bytes of class ID,
        # flags and times are zero.
        head = struct.pack("<64sHBBIII", name, len(name) + 2, self.kind, 1, NOTHING, self.right, self.child)
        return head + bytes(36) + struct.pack("<IQ", self.start, self.size)


def compound_file(tree: Tree) -> bytes:
    """The bytes of a file with these streams (bytes) and storages (mappings)."""
    entries = [_Entry("Root Entry", ROOT)]
    entries[0].child = _add(entries, tree)

    mini = b""
    mini_fat: list[int] = []
    for entry in entries[1:]:
        if entry.kind != STREAM:
            continue
        entry.start, entry.size = len(mini_fat), len(entry.content)
        count = -(-entry.size // MINI_SECTOR)
        mini_fat += _chain(len(mini_fat), count)
        mini += entry.content.ljust(count * MINI_SECTOR, b"\0")

    directory = b"".join(entry.packed() for entry in entries)
    directory_sectors = -(-len(directory) // SECTOR)
    mini_sectors = -(-len(mini) // SECTOR)
    # Sector 0 is the allocation table, 1 the mini one; then the directory, then the mini streams.
    fat = [FAT_SECTOR, END, *_chain(2, directory_sectors), *_chain(2 + directory_sectors, mini_sectors)]
    entries[0].start, entries[0].size = 2 + directory_sectors, len(mini)
    directory = b"".join(entry.packed() for entry in entries)
    header = struct.pack(
        "<8s16sHHHHH6xIIIIIIIIII",
        bytes.fromhex("D0CF11E0A1B11AE1"),
        bytes(16),
        0x3E,  # minor version
        3,
        0xFFFE,  # little endian
        9,  # 2 ** 9 bytes in a sector
        6,  # 2 ** 6 in a mini sector
        0,
        1,  # sectors of the allocation table
        2,  # first sector of the directory
        0,
        4096,  # smaller streams are mini streams
        1,  # first sector of the mini allocation table
        1,
        END,
        0,
        0,  # sector of the allocation table, then the rest of the list of those
    ).ljust(SECTOR, b"\xff")
    return b"".join(
        part.ljust(-(-len(part) // SECTOR) * SECTOR, b"\0")
        for part in (header, _table(fat), _table(mini_fat), directory, mini)
    )


def _add(entries: list[_Entry], tree: Tree) -> int:
    """Append a storage's members and return the first one's number; siblings hang right of each other."""
    numbers = []
    for name in sorted(tree, key=lambda name: (len(name), name.upper())):
        content = tree[name]
        numbers.append(len(entries))
        if isinstance(content, bytes):
            entries.append(_Entry(name, STREAM, content))
        else:
            entries.append(storage := _Entry(name, STORAGE))
            storage.child = _add(entries, content)
    for one, next_one in pairwise(numbers):
        entries[one].right = next_one
    return numbers[0]


def _chain(first: int, count: int) -> list[int]:
    return [*range(first + 1, first + count), END] if count else []


def _table(numbers: list[int]) -> bytes:
    if len(numbers) > ENTRIES:
        raise ValueError("too large for one sector of allocation table")
    return struct.pack(f"<{ENTRIES}I", *numbers, *[FREE] * (ENTRIES - len(numbers)))
