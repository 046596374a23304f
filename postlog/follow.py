"""Following a growing file of lines over rotation, truncation and restarts, losing and repeating nothing.

The mail log and the filter's journals are read by the same code: a position names the file by device, inode
and the hash of its first line, so a file is recognised wherever rotation has put it.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from mailweir.postlog.compressed import open_compressed

FIRST_LINE = 4096  # bytes of the first line that count for its hash
BLOCK = 1 << 20
LONGEST_LINE = 1 << 18  # bytes; what is longer is handed on in pieces, so that memory stays bounded

Opener = Callable[[Path], int]


@dataclass(frozen=True)
class Position:
    """How far which file has been read; `first` is the hash of its first line, offset in bytes.

    cursor is systemd's journal's instead of all these.
    """

    device: int = 0
    inode: int = 0
    first: str = ""
    offset: int = 0
    cursor: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For the cursor's JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Position:
        """The inverse of as_dict; fields that are missing start from nothing."""
        return cls(
            **{key: values[key] for key in ("device", "inode", "first", "offset", "cursor") if key in values}
        )


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


def open_read_only(path: Path) -> int:
    """A descriptor of the file; the agent puts the queue-helper's in place of this for root's own logs."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def hash_of_first_line(head: bytes) -> str:
    """The hash that names a file, from its first bytes; empty while the first line is not complete."""
    line, newline, _ = head[:FIRST_LINE].partition(b"\n")
    if not newline and len(head) < FIRST_LINE:
        return ""
    return hashlib.sha256(line).hexdigest()[:16]


class Follower:
    """Reads a path's lines as they come, from a position on; the old file is finished before the new one."""

    def __init__(
        self, path: Path | str, position: Position | None = None, *, opener: Opener = open_read_only
    ) -> None:
        self.path = Path(path)
        self.position = position or Position()
        self._opener = opener
        self._file: BinaryIO | None = None
        self._older: list[Path] = []  # files between the position's and the path's, oldest first
        self._found = position is None or not position.first

    def read(self, max_lines: int) -> Chunk:
        """The next whole lines, at most so many; an empty chunk when there are none yet."""
        if not self._found:
            self._locate()
        while True:
            if self._file is None and not self._open():
                return Chunk(b"", self.position)
            if self._is_truncated():
                self._after_truncation()
                continue
            data = self._read_lines(max_lines)
            if data:
                self.position = replace(self.position, offset=self.position.offset + len(data))
                return Chunk(data, self.position)
            if not self._next_file():
                return Chunk(b"", self.position)

    def lag(self) -> int:
        """Bytes that the file holds beyond the position."""
        if self._file is None:
            return 0
        with suppress(OSError, ValueError):
            return max(0, os.fstat(self._file.fileno()).st_size - self.position.offset)
        return 0

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_lines(self, max_lines: int) -> bytes:
        assert self._file is not None
        if not self.position.first and not self._identify():
            return b""
        self._file.seek(self.position.offset)
        data = self._file.read(min(BLOCK, max_lines * 512))
        end = data.rfind(b"\n") + 1
        if not end and data:
            data += self._file.read(LONGEST_LINE)
            end = data.find(b"\n") + 1 or (len(data) if len(data) >= LONGEST_LINE or self._is_final() else 0)
        data = data[:end]
        if data.count(b"\n") > max_lines:
            data = data[: len(data) - len(data.split(b"\n", max_lines)[-1])]
        return data

    def _identify(self) -> bool:
        """Fill in the position's first-line hash, once the first line is complete."""
        assert self._file is not None
        self._file.seek(0)
        first = hash_of_first_line(self._file.read(FIRST_LINE))
        self.position = replace(self.position, first=first)
        return bool(first)

    def _is_final(self) -> bool:
        """Whether nobody will write to the open file again, as a newer one is in use."""
        return bool(self._older) or self._is_replaced()

    def _is_replaced(self) -> bool:
        # Until the new file holds something, the logger may still be writing to the old one.
        with suppress(OSError):
            status = self.path.stat()
            return (status.st_dev, status.st_ino) != self._identity() and status.st_size > 0
        return False

    def _identity(self) -> tuple[int, int]:
        return self.position.device, self.position.inode

    def _is_truncated(self) -> bool:
        """Whether the open file has been emptied in place (copytruncate) or its number reused."""
        assert self._file is not None
        if not self.position.first or self._older:
            return False
        self._file.seek(0)
        head = self._file.read(FIRST_LINE)
        self._file.seek(0, io.SEEK_END)
        shorter = self._file.tell() < self.position.offset
        return shorter or hash_of_first_line(head) not in (self.position.first, "")

    def _next_file(self) -> bool:
        """At the end of the open file: move on when it is finished. True when there may be more to read."""
        if self._older:
            following = self._older.pop(0)
            self.close()
            self.position = Position()
            if following != self.path:
                self._open_older(following, self.position)
            return True
        if self._is_replaced() and not self._read_lines(1):
            assert self._file is not None
            # It may have been rotated more than once since the last look.
            self._older = self._later_than(os.fstat(self._file.fileno()).st_mtime_ns, self.position.first)
            return self._next_file()
        return False

    def _later_than(self, written: int, first: str) -> list[Path]:
        """The files after one that was last written then (ns) and begins so, oldest first, the path last."""
        files = ((path.stat().st_mtime_ns, path) for path in self._siblings() if self._head(path) != first)
        return [*(path for mtime, path in sorted(files) if mtime > written), self.path]

    def _after_truncation(self) -> None:
        """Read the rest from the copy that copytruncate made, if there is one; then the file anew."""
        before = self.position
        self.close()
        self.position = Position()
        copy = self._find(before.first, before.offset)
        if copy is not None:
            self._older = [self.path]
            self._open_older(copy, before)

    def _open(self) -> bool:
        try:
            descriptor = self._opener(self.path)
        except FileNotFoundError:
            return False
        status = os.fstat(descriptor)
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        self.position = replace(self.position, device=status.st_dev, inode=status.st_ino)
        return True

    def _open_older(self, path: Path, position: Position) -> None:
        status = path.stat()
        self._file = open_compressed(path)
        self.position = replace(position, device=status.st_dev, inode=status.st_ino)

    def _locate(self) -> None:
        """After a restart: find the position's file, which rotation may have renamed or compressed."""
        self._found = True
        wanted = self.position
        if self._head(self.path) == wanted.first and self._size(self.path) >= wanted.offset:
            return
        found = self._find(wanted.first, wanted.offset)
        if found is None:
            self.position = Position()  # its file is gone for good: go on with the one that is there
            return
        self._older = self._later_than(found.stat().st_mtime_ns, wanted.first)
        self._open_older(found, wanted)

    def _siblings(self) -> Iterator[Path]:
        """Rotated files: mail.log.1, mail.log-20260101, mail.log.2.gz …"""
        with suppress(OSError):
            for path in self.path.parent.iterdir():
                tail = path.name.removeprefix(self.path.name)
                if tail != path.name and tail and tail[0] in ".-" and path.is_file():
                    yield path

    def _find(self, first: str, offset: int) -> Path | None:
        for path in self._siblings():
            if self._head(path) == first and self._size(path) >= offset:
                return path
        return None

    @staticmethod
    def _size(path: Path) -> int:
        """Bytes in the file; a compressed one is taken to be long enough."""
        try:
            return path.stat().st_size if path.suffix not in {".gz", ".xz", ".bz2", ".zst"} else 1 << 62
        except OSError:
            return -1

    def _head(self, path: Path) -> str:
        try:
            with open_compressed(path) as file:
                return hash_of_first_line(file.read(FIRST_LINE))
        except (OSError, EOFError):
            return ""
