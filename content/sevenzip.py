"""7z archives: py7zr reads the directory, which says what is encrypted; libarchive unpacks, being faster."""

from __future__ import annotations

import lzma
from typing import Any

import py7zr
from py7zr.exceptions import ArchiveError, PasswordRequired, UnsupportedCompressionMethodError

from mailweir.content import archives, sevenzip_header
from mailweir.content.item import Collector, Item, file_of
from mailweir.content.sniff import is_volume
from mailweir.content.trouble import Corrupt, Unsupported
from mailweir.content.walk import Walk

_ERRORS = (
    ArchiveError,
    lzma.LZMAError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
)


def look(walk: Walk, item: Item) -> None:
    """Report encryption of contents or of the directory itself; open the rest."""
    if sevenzip_header.is_cut_off(item.data):
        if is_volume(item.name):
            raise Unsupported("one part of a split archive")
        raise Corrupt("cut off")
    try:
        with py7zr.SevenZipFile(file_of(item.data)) as archive:
            names = [info for info in archive.list() if not info.is_directory]
            locked = archive.needs_password()
    except PasswordRequired:
        if not _unlock(walk, item):
            walk.found("encrypted-7z", item, "headers and contents")
        return
    except UnsupportedCompressionMethodError as error:
        raise Unsupported(str(error)) from error
    except _ERRORS as error:
        raise Corrupt(f"its directory is damaged: {error}") from error
    walk.budget.announce(len(names), sum(info.uncompressed or 0 for info in names))
    walk.budget.ratio(len(item.data), sum(info.uncompressed or 0 for info in names))
    if not locked:
        archives.members(walk, item, "7zip")
    elif not _unlock(walk, item):
        walk.found("encrypted-7z", item, f"contents, {len(names)} files")


def _unlock(walk: Walk, item: Item) -> bool:
    """Try the passwords; with the right one the contents are looked at in memory."""
    for password in walk.passwords:
        keep = _Keep(walk, item)
        try:
            with py7zr.SevenZipFile(file_of(item.data), password=password) as archive:
                archive.extractall(factory=keep)
        except _ERRORS:
            continue
        walk.unlocked("encrypted-7z")
        for name, content in keep.contents():
            inside = item.member(name, content)
            walk.opened(inside)
            walk.look(inside)
        return True
    return False


class _Keep(py7zr.io.WriterFactory):
    """Receives unpacked files in memory, counted against the budget."""

    def __init__(self, walk: Walk, item: Item) -> None:
        self._take = walk.budget.taker(len(item.data))
        self._files: dict[str, _File] = {}

    def create(self, filename: str) -> Any:
        self._files[filename] = file = _File(self._take)
        return file

    def contents(self) -> list[tuple[str, Any]]:
        return [(name, file.out.buffer()) for name, file in self._files.items()]


class _File(py7zr.io.Py7zIO):
    def __init__(self, take: Any) -> None:
        self.out = Collector(take)

    def write(self, s: bytes | bytearray) -> int:
        return self.out.write(bytes(s))

    def read(self, size: int | None = None) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return offset

    def flush(self) -> None:
        pass

    def size(self) -> int:
        return self.out.size
