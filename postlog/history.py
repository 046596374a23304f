"""Reading past logs: plain or compressed files and standard input, several of them in the order of time.

A source is known by its first line and what was read of it last, whatever it is called and however it is
compressed, and offsets count uncompressed bytes; so a file that was imported before goes on where it ended.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from mailweir.errors import InputError
from mailweir.postlog.compressed import open_compressed
from mailweir.postlog.follow import BLOCK, LONGEST_LINE, open_read_only
from mailweir.postlog.opened import OpenedLog
from mailweir.postlog.position import FIRST_LINE, LAST, Chunk, Position, hash_of_first_line, hash_of_last
from mailweir.postlog.stamps import Stamps

STANDARD_INPUT = "-"
BEGINNING = 1 << 16  # bytes that tell whether two sources are the same log


class Source:
    """One log to be imported."""

    def __init__(self, name: str) -> None:
        """Open it and read its beginning. Raises InputError when it cannot be read."""
        self.name = name
        self._before = 0  # bytes of the file before the block
        self._last = b""  # the last of them
        self._block = b""  # whole lines, handed on or not
        self._texts: list[str] = []  # the same lines
        self._next = 0  # index of the first line not handed on yet
        self._rest = b""  # the beginning of a line whose end has not been read yet
        try:
            if name == STANDARD_INPUT:
                self._file: BinaryIO = sys.stdin.buffer
                self.size, self.modified = 0, time.time()
            else:
                status = Path(name).stat()
                self.size, self.modified = status.st_size, status.st_mtime
                self._file = open_compressed(Path(name))
        except OSError as error:
            raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
        self._ahead = self._read(BLOCK)
        self._beginning = self._ahead[:BEGINNING]
        first = self._ahead[:FIRST_LINE]
        self.first = hash_of_first_line(first) or hash_of_first_line(first + b"\n")
        self.identity = self.first  # the importer gives another to a different file that begins alike
        self.stamps = Stamps(self.modified)
        self.starts = self.stamps.read(first.decode("utf-8", "backslashreplace").partition("\n")[0])[1]

    def holds(self, position: Position) -> bool:
        """Whether it is the file of that position; of standard input only its beginning can tell."""
        if self.name == STANDARD_INPUT or not position.last:
            return position.first == self.first
        opened = OpenedLog(open_read_only(Path(self.name)))
        try:
            return opened.holds(position)
        finally:
            opened.close()

    def begins_like(self, other: Source) -> bool:
        """Whether one is the beginning of the other, as far as a first block tells."""
        known = min(len(self._beginning), len(other._beginning))
        return self._beginning[:known] == other._beginning[:known]

    def skip_to(self, offset: int) -> None:
        """Go on where an earlier import ended."""
        while self.offset < offset:
            block = self._read(min(BLOCK, offset - self.offset))
            if not block:
                return
            self._pass(block)

    def next_time(self) -> float | None:
        """When the next line was written, as far as its stamp tells; None at the end."""
        if self._next >= len(self._texts) and not self._fill():
            return None
        return self.stamps.read(self._texts[self._next])[1]

    def take(self, most: int, until: float | None) -> list[str]:
        """At most so many of the next lines, none written after `until`; at least one."""
        if self._next >= len(self._texts) and not self._fill():
            return []
        start, end = self._next, min(self._next + most, len(self._texts))
        if until is not None and self.stamps.read(self._texts[end - 1])[1] > until:
            end = start + 1
            while self.stamps.read(self._texts[end])[1] <= until:
                end += 1
        self._next = end
        return self._texts[start:end]

    @property
    def offset(self) -> int:
        """Bytes handed on so far."""
        return self._before + len(self._handed())

    def position(self) -> Position:
        """Up to where lines were handed on."""
        handed = self._handed()
        last = hash_of_last(self._last + handed[-LAST:])
        return Position(first=self.first, offset=self._before + len(handed), last=last)

    def _handed(self) -> bytes:
        """What was handed on of the block."""
        if self._next >= len(self._texts):
            return self._block
        left = self._block.split(b"\n", self._next)[-1]
        return self._block[: len(self._block) - len(left)]

    def progress(self) -> int:
        """Bytes of the (perhaps compressed) file read so far, for a progress bar."""
        raw = getattr(self._file, "fileobj", None) or getattr(self._file, "_fp", None) or self._file
        try:
            return int(raw.tell())
        except (OSError, ValueError, AttributeError):
            return self.offset

    def _read(self, size: int) -> bytes:
        if getattr(self, "_ahead", b""):
            block, self._ahead = self._ahead[:size], self._ahead[size:]
            return block
        try:
            return self._file.read(size)
        except (OSError, EOFError) as error:  # a damaged archive: what came before it counts
            raise InputError(f"{self.name}: damaged after {self.offset} bytes: {error}") from error

    def _pass(self, data: bytes) -> None:
        self._before += len(data)
        self._last = (self._last + data[-LAST:])[-LAST:]

    def _fill(self) -> bool:
        """Read the next whole lines; a last line without an end is a line too."""
        data = self._rest
        while True:
            block = self._read(BLOCK)
            data += block
            end = data.rfind(b"\n") + 1
            if end or not block or len(data) >= LONGEST_LINE:
                break
        if not end:
            end = len(data)
        self._pass(self._block)
        self._block, self._rest = data[:end], data[end:]
        self._texts, self._next = Chunk(self._block, Position()).texts, 0
        return bool(self._texts)


class History:
    """Several sources as one log."""

    def __init__(self, sources: Sequence[Source], year: int | None) -> None:
        """year: of the earliest source's first line; without it, files' times of change give the years."""
        self.sources = sorted(sources, key=lambda source: source.starts)
        if year is not None and self.sources:
            shift = year - time.localtime(self.sources[0].starts).tm_year
            for source in self.sources if not self.sources[0].stamps.has_year else ():
                source.stamps.shift(source.starts, shift)
                source.starts = source.stamps.last or 0.0

    def batch(self, most: int) -> list[str]:
        """The next lines in the order of time; none at the end."""
        lines: list[str] = []
        while len(lines) < most:
            waiting = [(when, index) for index, source in enumerate(self.sources)
                       if (when := source.next_time()) is not None]  # fmt: skip
            if not waiting:
                break
            waiting.sort()
            until = waiting[1][0] if len(waiting) > 1 else None
            lines += self.sources[waiting[0][1]].take(most - len(lines), until)
        return lines
