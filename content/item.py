"""One thing to look at, whatever it came out of: its bytes, its name and where it stands.

The bytes are either `bytes` or a read-only memory map, which slice, search and measure alike, so a part of
100 MB costs no heap.
"""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

Buffer = bytes | mmap.mmap

MAX_NAME = 255
IN_MEMORY = 1 << 20  # larger contents go to an anonymous file
WINDOW = 1 << 24  # of a mapped file that is read through


@dataclass(slots=True)
class Item:
    """A part, member or embedded object; depth counts the containers around it.

    type and charset are what the header declares, of parts of a message; cuts is where its pieces begin, of
    what came in several and was put together.
    """

    part: str
    name: str
    data: Buffer
    depth: int = 0
    type: str = ""
    charset: str = ""
    cuts: tuple[int, ...] = ()

    def member(self, name: str, data: Buffer, type_: str = "") -> Item:
        """Something found inside this one, one level deeper, with its name added to the path."""
        name = name[-MAX_NAME:]
        part = f"{self.part}/{name}" if name else self.part
        return Item(part[-16 * MAX_NAME :], name.rsplit("/", 1)[-1], data, self.depth + 1, type_)


class Reader(io.RawIOBase):
    """A seekable binary file over a buffer without copying it, for the libraries that want a file."""

    def __init__(self, data: Buffer) -> None:
        super().__init__()
        self._view = memoryview(data)
        self._at = 0

    def __repr__(self) -> str:
        return "the file"

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, len(self._view))[whence]
        if base + offset < 0:
            raise ValueError("seek before the start")
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            size = len(self._view)
        chunk = self._view[self._at : self._at + size].tobytes()
        self._at += len(chunk)
        return chunk

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        chunk = self._view[self._at : self._at + len(target)]
        target[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            self._view.release()
        super().close()


def file_of(data: Buffer) -> BinaryIO:
    """The buffer as a file to read."""
    return cast(BinaryIO, Reader(data))


def find(data: Buffer, what: bytes, start: int, end: int) -> int:
    """As bytes.find, but a mapped file's pages are let go again on the way."""
    if not isinstance(data, mmap.mmap):
        return data.find(what, start, end)
    for at in range(start, end, WINDOW):
        found = data.find(what, at, min(end, at + WINDOW + len(what) - 1))
        if found >= 0:
            return found
        forget(data)
    return -1


def windows(data: Buffer) -> Iterator[memoryview]:
    """The bytes in pieces, of which only one is in memory at a time."""
    with memoryview(data) as view:
        for at in range(0, len(view), WINDOW):
            yield view[at : at + WINDOW]
            forget(data)


def forget(data: Buffer) -> None:
    """Let a mapped file's pages go from this process's memory; they stand in the file still."""
    if isinstance(data, mmap.mmap):
        data.madvise(mmap.MADV_DONTNEED)


class Mapped(mmap.mmap):
    """A read-only map of an anonymous file that keeps the file's descriptor, to be handed on uncopied."""

    fd: int = -1

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


class Collector:
    """Takes bytes in pieces and gives them back as one buffer: in memory while small, else in a file.

    take, where given, counts the bytes against the budget before they are kept.
    """

    def __init__(self, take: Callable[[int], None] | None = None) -> None:
        self._take = take
        self._small: bytearray | None = bytearray()
        self._fd = -1
        self.size = 0

    def write(self, piece: bytes | memoryview) -> int:
        """Add a piece. Raises what `take` raises when the budget is spent."""
        if self._take:
            self._take(len(piece))
        self.size += len(piece)
        if self._small is not None and self.size <= IN_MEMORY:
            self._small += piece
            return len(piece)
        if self._small is not None:
            self._fd = anonymous_file()
            write_all(self._fd, self._small)
            self._small = None
        write_all(self._fd, piece)
        return len(piece)

    def buffer(self) -> Buffer:
        """All that was written; the collector is spent."""
        if self._small is not None:
            return bytes(self._small)
        fd, self._fd = self._fd, -1
        return adopt_fd(fd)

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


def anonymous_file() -> int:
    """A new file without a name, on disk so that it does not count as memory, where the system can."""
    try:
        return os.open(os.environ.get("TMPDIR", "/tmp"), os.O_TMPFILE | os.O_RDWR, 0o600)  # noqa: S108 - no name
    except OSError:
        return os.memfd_create("mailweir")


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def adopt_fd(fd: int) -> Buffer:
    """The file's bytes; the descriptor belongs to the buffer from now on."""
    size = os.fstat(fd).st_size
    if size <= IN_MEMORY:
        try:
            return os.pread(fd, size, 0)
        finally:
            os.close(fd)
    try:
        mapped = Mapped(fd, size, prot=mmap.PROT_READ)
    except BaseException:
        os.close(fd)
        raise
    mapped.fd = fd
    return mapped


def to_fd(data: Buffer) -> int:
    """A descriptor of an anonymous file with these bytes; the caller closes it."""
    if isinstance(data, Mapped):
        return os.dup(data.fd)
    fd = os.memfd_create("mailweir")
    try:
        with memoryview(data) as view:
            write_all(fd, view)
    except BaseException:
        os.close(fd)
        raise
    return fd
