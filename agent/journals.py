"""Follows the filter's journals: for each worker slot the rotated files in order, then the one in use.

A position names its file by inode and first line, so it is found again under whatever name rotation gave it;
a file is only left once a newer one exists, for then nobody writes to it any more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from mailweir.postlog.follow import FIRST_LINE, Chunk, Position, hash_of_first_line

BLOCK = 4 << 20  # bytes read at once
_NAME = re.compile(r"(\d\d)(?:-(\d+))?\.journal")


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
            if self._descriptor is None and not self._open(self._position):
                return Chunk(b"", self._position or Position())
            later = self._later()  # looked for before reading: what is read after it is all there will be
            if data := self._lines():
                return Chunk(data, self._position or Position())
            if later is None:
                return Chunk(b"", self._position or Position())
            self.close()
            self._position = None
            self._open_file(later, None)

    def finished(self) -> list[Path]:
        """Files that lie before the one being read."""
        files = self._files()
        current = self._index(files)
        return files[:current] if current is not None else []

    def lag(self) -> int:
        """Bytes not read yet."""
        if self._descriptor is None or self._position is None:
            return 0
        files = self._files()
        current = self._index(files)
        sizes = sum(_size(path) for path in files[current:]) if current is not None else 0
        return max(0, sizes - self._position.offset)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _files(self) -> list[Path]:
        """Rotated files, oldest first, then the one in use."""
        names = [
            (match, path)
            for path in self._directory.glob(f"{self._number}*.journal")
            if (match := _NAME.fullmatch(path.name))
        ]
        return [
            path
            for _, path in sorted(
                (int(match[2]) if match[2] else float("inf"), path) for match, path in names
            )
        ]

    def _index(self, files: list[Path]) -> int | None:
        assert self._descriptor is not None
        status = os.fstat(self._descriptor)
        for index, path in enumerate(files):
            with suppress(OSError):
                if os.path.samestat(path.stat(), status):
                    return index
        return None

    def _later(self) -> Path | None:
        """The file after the one being read."""
        files = self._files()
        current = self._index(files)
        if current is None:  # removed by hand: go on with the oldest there is
            return files[0] if files else None
        return files[current + 1] if current + 1 < len(files) else None

    def _open(self, position: Position | None) -> bool:
        files = self._files()
        for path in files if position and position.first else ():
            assert position
            if _first(path) == position.first and _size(path) >= position.offset:
                return self._open_file(path, position)
        return bool(files) and self._open_file(files[0], None)

    def _open_file(self, path: Path, position: Position | None) -> bool:
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # renamed just now; the next call finds it
            return False
        status = os.fstat(self._descriptor)
        offset = position.offset if position else 0
        first = hash_of_first_line(os.pread(self._descriptor, FIRST_LINE, 0))
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


def _first(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        return hash_of_first_line(file.read(FIRST_LINE))
    return ""
