"""Follows the filter's journals: for each worker slot the rotated files in order, then the one in use.

A position names its file by inode and first line, so it is found again under whatever name rotation gave it;
a file is only left once a newer one exists, for then nobody writes to it any more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mailweir.postlog.position import FIRST_LINE, Chunk, Position, hash_of_first_line

BLOCK = 4 << 20  # bytes read at once
_NAME = re.compile(r"(\d\d)(?:-(\d+))?\.journal")


@dataclass(frozen=True, slots=True)
class _File:
    """A journal as a listing shows it; the inode stays with it when it is renamed."""

    path: Path
    inode: int


class Slot:
    """The journals of one worker slot, from a position on."""

    def __init__(self, directory: Path, number: str, position: Position | None) -> None:
        self._directory = directory
        self._number = number
        self._position = position
        self._descriptor: int | None = None

    def read(self) -> Chunk:
        """The next whole lines; an empty chunk when there are none."""
        while True:
            if self._descriptor is None and not self._begin():
                break
            ended = self._after(self._files()) is not None  # asked before reading: what is read then is all
            if data := self._lines():
                return Chunk(data, self._position or Position())
            later = self._agreed(self._after) if ended else None
            if later is None or not self._open(later, 0):
                break
        return Chunk(b"", self._position or Position())

    def finished(self) -> list[Path]:
        """Files that lie before the one being read."""
        files = self._files()
        current = self._index(files)
        return [file.path for file in files[:current]] if current is not None else []

    def lag(self) -> int:
        """Bytes not read yet."""
        if self._descriptor is None or self._position is None:
            return 0
        files = self._files()
        current = self._index(files)
        sizes = sum(_size(file.path) for file in files[current:]) if current is not None else 0
        return max(0, sizes - self._position.offset)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _files(self) -> list[_File]:
        """Rotated files, oldest first, then the one in use."""
        found = []
        with suppress(FileNotFoundError), os.scandir(self._directory) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                if match and match[1] == self._number:
                    order = int(match[2]) if match[2] else float("inf")
                    found.append((order, _File(Path(entry.path), entry.inode())))
        return [file for _, file in sorted(found, key=lambda one: one[0])]

    def _agreed(self, pick: Callable[[list[_File]], _File | None]) -> _File | None:
        """What two listings in a row make us pick.

        One listing may miss a file that is being renamed. A file is renamed once, so the next shows it.
        """
        before, now = pick(self._files()), pick(self._files())
        while (before and before.inode) != (now and now.inode):
            before, now = now, pick(self._files())
        return now

    def _index(self, files: list[_File]) -> int | None:
        assert self._descriptor is not None
        inode = os.fstat(self._descriptor).st_ino
        return next((index for index, file in enumerate(files) if file.inode == inode), None)

    def _after(self, files: list[_File]) -> _File | None:
        """The file after the one being read; after one that was removed by hand, the next not older."""
        current = self._index(files)
        if current is None:
            assert self._descriptor is not None
            written = os.fstat(self._descriptor).st_mtime
            return next((file for file in files if _written(file.path) > written), None)
        return files[current + 1] if current + 1 < len(files) else None

    def _begin(self) -> bool:
        """Open the position's file or, when there is none any more, the oldest."""
        position = self._position
        if position and position.first:
            file = self._agreed(lambda files: next((one for one in files if _is_at(one, position)), None))
            if file is not None:
                return self._open(file, position.offset)
        oldest = self._agreed(lambda files: files[0] if files else None)
        return oldest is not None and self._open(oldest, 0)

    def _open(self, file: _File, offset: int) -> bool:
        """Go over to that file; False when its name has just become another's, and the next call finds it."""
        try:
            descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        status = os.fstat(descriptor)
        if status.st_ino != file.inode:
            os.close(descriptor)
            return False
        self.close()
        self._descriptor = descriptor
        first = hash_of_first_line(os.pread(descriptor, FIRST_LINE, 0))
        self._position = Position(status.st_dev, status.st_ino, first, offset)
        return True

    def _lines(self) -> bytes:
        assert self._descriptor is not None
        assert self._position
        offset, size = self._position.offset, BLOCK
        while True:
            data = os.pread(self._descriptor, size, offset)
            end = data.rfind(b"\n") + 1
            if end or len(data) < size:
                break
            size *= 2
        first = self._position.first or hash_of_first_line(os.pread(self._descriptor, FIRST_LINE, 0))
        self._position = Position(self._position.device, self._position.inode, first, offset + end)
        return data[:end]


class Journals:
    """All slots of a directory; new ones are noticed by themselves."""

    def __init__(self, directory: Path, position: Callable[[str], Position | None]) -> None:
        self._directory = directory
        self._position_of = position
        self._slots: dict[str, Slot] = {}

    def read(self) -> dict[str, Chunk]:
        """The next lines of every slot that has any, by cursor name ("journal:00")."""
        chunks = {name: slot.read() for name, slot in self._known()}
        return {name: chunk for name, chunk in chunks.items() if chunk}

    def lag(self) -> int:
        """Bytes not read yet."""
        return sum(slot.lag() for slot in self._slots.values())

    def remove_older_than(self, moment: float) -> list[Path]:
        """Delete journals that have been read to their end and were last written before that time."""
        removed = []
        for slot in self._slots.values():
            for path in slot.finished():
                with suppress(OSError):
                    if path.stat().st_mtime < moment:
                        path.unlink()
                        removed.append(path)
        return removed

    def _known(self) -> Iterator[tuple[str, Slot]]:
        with suppress(FileNotFoundError):
            for path in self._directory.iterdir():
                match = _NAME.fullmatch(path.name)
                if match and f"journal:{match[1]}" not in self._slots:
                    name = f"journal:{match[1]}"
                    self._slots[name] = Slot(self._directory, match[1], self._position_of(name))
        yield from sorted(self._slots.items())


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _written(path: Path) -> float:
    """When it was last written; before everything else, when it is not there."""
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _is_at(file: _File, position: Position) -> bool:
    """Whether it is the file of a position."""
    with suppress(OSError), file.path.open("rb") as opened:
        first = hash_of_first_line(opened.read(FIRST_LINE))
        return first == position.first and os.fstat(opened.fileno()).st_size >= position.offset
    return False
