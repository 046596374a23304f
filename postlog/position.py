"""How far a log has been read, and the lines that were read up to there.

A position names its file by the hashes of its first line and of the bytes before the offset, so the file is
recognised under any name, and taken for no other that begins like it.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from typing import Any

FIRST_LINE = 4096  # bytes of the first line that count for its hash
LAST = 256  # bytes before a position that its hash is of


@dataclass(frozen=True)
class Position:
    """How far which file has been read: the hashes of its first line and of what precedes the offset (bytes).

    cursor is systemd's journal's instead of all these.
    """

    device: int = 0
    inode: int = 0
    first: str = ""
    offset: int = 0
    last: str = ""
    cursor: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For the cursor's JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Position:
        """The inverse of as_dict; fields that are missing start from nothing."""
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})


@dataclass(frozen=True)
class Chunk:
    """Whole lines as they stood in the file, and the position after them."""

    data: bytes
    position: Position

    @property
    def lines(self) -> list[bytes]:
        """The lines without their line ends."""
        lines = self.data.split(b"\n")
        if not lines[-1]:
            del lines[-1]
        return lines

    @property
    def texts(self) -> list[str]:
        r"""The lines as text a database takes: bytes that are not UTF-8 appear as \xNN, NUL as \x00."""
        text = self.data.decode("utf-8", "backslashreplace")
        if "\0" in text:
            text = text.replace("\0", "\\x00")
        lines = text.split("\n")
        if not lines[-1]:
            del lines[-1]
        return lines

    def __bool__(self) -> bool:
        return bool(self.data)


def hash_of_first_line(head: bytes) -> str:
    """The hash that names a file, from its first bytes; empty while the first line is not complete."""
    line, newline, _ = head[:FIRST_LINE].partition(b"\n")
    if not newline and len(head) < FIRST_LINE:
        return ""
    return _hash(line)


def hash_of_last(before: bytes) -> str:
    """The hash of the bytes before a position; empty at the beginning."""
    return _hash(before[-LAST:]) if before else ""


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
