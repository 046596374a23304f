"""Following a growing file of lines over rotation, truncation and restarts, losing and repeating nothing.

An open file is read to its end whatever it is called by then; it is left when a later one holds something,
and found again after a restart by what its position says of it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mailweir.errors import Unavailable
from mailweir.postlog.opened import OpenedLog
from mailweir.postlog.position import LAST, Chunk, Position, hash_of_first_line, hash_of_last
from mailweir.postlog.rotated import LogFile, files_of, settled

BLOCK = 1 << 20
LOOKS = 20  # before a file counts as gone; one that is being renamed may escape a look
LONGEST_LINE = 1 << 18  # bytes; what is longer is handed on in pieces, so that memory stays bounded

Opener = Callable[[Path], int]
log = logging.getLogger("mailweir.log")


def open_read_only(path: Path) -> int:
    """A descriptor of the file; the agent puts the queue-helper's in place of this for root's own logs."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


class Follower:
    """Reads a path's lines as they come, from a position on; the old file is finished before the new one."""

    def __init__(
        self, path: Path | str, position: Position | None = None, *, opener: Opener = open_read_only
    ) -> None:
        self.path = Path(path)
        self.position = position or Position()
        self._opener = opener
        self._file: OpenedLog | None = None
        self._last = b""  # the bytes before the position

    def read(self, max_lines: int) -> Chunk:
        """The next whole lines, at most so many; an empty chunk when there are none. Raises Unavailable."""
        try:
            return Chunk(self._next_lines(max_lines), self.position)
        except OSError as error:
            self.close()
            raise Unavailable(f"{self.path}: the log cannot be read: {error.strerror or error}") from error

    def check(self) -> None:
        """Raises Unavailable when there is no log and has been none."""
        if self._file is None and not self.position.offset and not self.path.exists():
            raise Unavailable(
                f"{self.path} does not exist; where Postfix logs to systemd's journal, "
                'set postfix.log = "journald:postfix@-.service"'
            )

    def lag(self) -> int:
        """Bytes that the file and those after it hold beyond the position."""
        if self._file is None:
            return 0
        with suppress(OSError):
            later = sum(file.size for file in self._later()) if self._is_put_aside() else 0
            return max(0, self._file.status().st_size - self.position.offset) + later
        return 0

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _next_lines(self, max_lines: int) -> bytes:
        while self._file is not None or self._begin():
            if self._is_truncated():
                self.close()
                continue
            if data := self._lines(max_lines):
                return data
            following = settled(self._following)  # asked before reading: what is read then is all
            if following is None:
                break
            if data := self._lines(max_lines, is_final=True):
                return data
            self._open(following, Position())
        return b""

    def _lines(self, max_lines: int, *, is_final: bool = False) -> bytes:
        """Whole lines, and the position after them; of a file nobody writes to, the last needs no end."""
        assert self._file is not None
        offset = self.position.offset
        data = self._file.read(offset, min(BLOCK, max_lines * 512))
        end = data.rfind(b"\n") + 1
        if not end and data:
            data += self._file.read(offset + len(data), LONGEST_LINE)
            end = data.find(b"\n") + 1 or (len(data) if len(data) >= LONGEST_LINE or is_final else 0)
        data = data[:end]
        if data.count(b"\n") > max_lines:
            data = data[: len(data) - len(data.split(b"\n", max_lines)[-1])]
        if data:
            self._last = (self._last + data[-LAST:])[-LAST:]
            self.position = replace(
                self.position,
                first=self.position.first or hash_of_first_line(data) or hash_of_first_line(data + b"\n"),
                last=hash_of_last(self._last),
                offset=offset + len(data),
            )
        return data

    def _begin(self) -> bool:
        """Open the position's file, which rotation may have renamed or compressed, else the log as it is."""
        if self.position.offset:
            found = next(filter(None, (settled(self._holder) for _ in range(LOOKS))), None)
            if found is not None:
                return self._open(found, self.position)
            log.warning("%s: what was read last is not there any more, lines may be missing", self.path)
            self.position = Position()
        current = LogFile.at(self.path)
        return current is not None and self._open(current, self.position)

    def _open(self, file: LogFile, position: Position) -> bool:
        """Go over to that file; False when its name has just become another's, and the next call finds it."""
        opened = self._opened(file)
        if opened is None:
            return False
        self.close()
        self._file = opened
        start = max(0, position.offset - LAST)
        self._last = opened.read(start, position.offset - start)
        self.position = replace(position, device=file.device, inode=file.inode)
        return True

    def _opened(self, file: LogFile) -> OpenedLog | None:
        try:
            opened = OpenedLog(self._opener(file.path))
        except FileNotFoundError:
            return None
        status = opened.status()
        if file.is_same(status.st_dev, status.st_ino):
            return opened
        opened.close()
        return None

    def _is_truncated(self) -> bool:
        """Whether the open file has been emptied in place (copytruncate): what we read is not there now."""
        assert self._file is not None
        start = self.position.offset - len(self._last)
        return self._file.is_plain and self._file.read(start, len(self._last)) != self._last

    def _is_put_aside(self) -> bool:
        """Whether the log's name is not the open file's any more."""
        current = LogFile.at(self.path)
        return current is None or not current.is_same(self.position.device, self.position.inode)

    def _following(self) -> LogFile | None:
        """The file after the open one, when that is finished."""
        return next(iter(self._later()), None) if self._is_put_aside() else None

    def _later(self) -> list[LogFile]:
        """The files after the open one, oldest first.

        A log that holds nothing yet is none: the logger may still be writing to the one before.
        """
        assert self._file is not None
        files = [file for file in files_of(self.path) if file.size or file.path != self.path]
        for index, file in enumerate(files):
            if file.is_same(self.position.device, self.position.inode):
                return files[index + 1 :]
        written = self._file.status().st_mtime_ns  # removed, or compressed since
        return [file for file in files if file.written > written and not self._is_holder(file)]

    def _holder(self) -> LogFile | None:
        """The file that the position is of: the log itself, or a rotated one."""
        return next((file for file in reversed(files_of(self.path)) if self._is_holder(file)), None)

    def _is_holder(self, file: LogFile) -> bool:
        if file.size < self.position.offset and not file.is_compressed:
            return False
        opened = self._opened(file)
        if opened is None:
            return False
        try:
            return opened.holds(self.position)
        finally:
            opened.close()
