"""What the block headers of RAR 1.5 to 4 and RAR 5 archives say, read without unpacking anything.

Formats: unrar's technote.txt for RAR 4, and the RAR 5.0 archive format note.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from mailweir.content.item import Buffer

RAR4, RAR5 = b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00"
_MAX_BLOCKS = 100_000


@dataclass(slots=True)
class Summary:
    """What the headers say, of one volume or of all."""

    files: int = 0
    locked: list[str] = field(default_factory=list)
    headers_locked: bool = False
    before: bool = False  # its first file began in the volume before, where it is counted
    before_locked: bool = False  # and that one is encrypted
    after: bool = False  # another volume follows
    size: int = 0
    complete: bool = False
    old: bool = False  # needs RAR 2 or older to unpack

    @property
    def encryption(self) -> str:
        """What is encrypted, in words; empty when nothing is."""
        if self.headers_locked:
            return "headers and contents"
        if self.locked:
            return f"contents: {len(self.locked)} of {self.files} files"
        return "contents of a file that began in the volume before" if self.before_locked else ""

    @property
    def split(self) -> bool:
        """Whether there are other volumes."""
        return self.before or self.after

    def followed_by(self, other: Summary) -> None:
        """Take in what the next volume says, which must go on where this one ends."""
        self.files += other.files
        self.locked += other.locked
        self.headers_locked |= other.headers_locked
        self.size += other.size
        self.old |= other.old
        self.complete &= other.complete and self.after
        self.after = other.after


def read(data: Buffer, cuts: Sequence[int] = ()) -> Summary:
    """The headers of an archive, whose volumes, when it came in several, begin at the cuts."""
    whole: Summary | None = None
    for start, end in pairwise([*(cuts or (0,)), len(data)]):
        volume = Summary()
        if data[start : start + 8] == RAR5:
            _read5(data, start, end, volume)
        else:
            _read4(data, start, end, volume)
        if whole:
            whole.followed_by(volume)
        else:
            whole = volume
        if whole.headers_locked:
            break
    return whole or Summary()


def is_one_of_several(data: Buffer) -> bool:
    """Whether the archive's own header calls it a volume, or hides what it is."""
    if data[:7] == RAR4:
        return len(data) > 11 and bool(data[10] & 1)
    if data[:8] != RAR5:
        return False
    try:
        _, at = _vint(data, 12)
        kind, at = _vint(data, at)
        flags, at = _vint(data, at)
        if flags & 1:
            _, at = _vint(data, at)
        return kind == 4 or (kind == 1 and bool(_vint(data, at)[0] & 1))
    except IndexError:
        return False


def _read4(data: Buffer, start: int, end: int, summary: Summary) -> None:
    at = start + 7
    for _ in range(_MAX_BLOCKS):
        if at + 7 > end:
            summary.complete = at == end  # old archives have no end block
            break
        kind, flags, size = struct.unpack_from("<B2H", data, at + 2)
        added = struct.unpack_from("<L", data, at + 7)[0] if flags & 0x8000 and at + 11 <= end else 0
        if size < 7:
            break
        if kind == 0x73:
            summary.headers_locked = bool(flags & 0x80)
            if summary.headers_locked:
                break
        elif kind == 0x74 and at + 32 <= end:
            _file4(data, at, flags, size, summary)
            if flags & 0x100:
                added += struct.unpack_from("<L", data, at + 32)[0] << 32
        elif kind == 0x7B:
            summary.complete = True
            summary.after |= bool(flags & 1)
            break
        at += size + added
        if at > end:
            break


def _file4(data: Buffer, at: int, flags: int, size: int, summary: Summary) -> None:
    unpacked = struct.unpack_from("<L", data, at + 11)[0]
    length = struct.unpack_from("<H", data, at + 26)[0]
    start = at + (40 if flags & 0x100 else 32)
    if flags & 0xE0 == 0xE0:
        return  # a directory
    summary.old |= data[at + 24] < 29
    summary.after = bool(flags & 2)
    if flags & 1:
        summary.before, summary.before_locked = True, bool(flags & 4)
        return
    summary.files += 1
    summary.size += unpacked
    if flags & 4:
        raw = data[start : min(start + length, at + size)]
        summary.locked.append(raw.partition(b"\0")[0].decode("utf-8", "replace"))


def _read5(data: Buffer, start: int, end: int, summary: Summary) -> None:
    at = start + 8
    for _ in range(_MAX_BLOCKS):
        try:
            size, body = _vint(data, at + 4)
            kind, cursor = _vint(data, body)
            flags, cursor = _vint(data, cursor)
            extra, cursor = _vint(data, cursor) if flags & 1 else (0, cursor)
            added, cursor = _vint(data, cursor) if flags & 2 else (0, cursor)
            if kind == 4:
                summary.headers_locked = True
                break
            if kind == 2:
                _file5(data, cursor, body + size, extra, flags, summary)
            elif kind == 5:
                summary.complete = True
                summary.after |= bool(_vint(data, cursor)[0] & 1)
                break
        except IndexError:
            break
        if not size or body + size > end:
            break
        at = body + size + added


def _file5(data: Buffer, at: int, end: int, extra: int, flags: int, summary: Summary) -> None:
    kind, at = _vint(data, at)
    unpacked, at = _vint(data, at)
    if kind & 1:
        return  # a directory
    summary.after = bool(flags & 0x10)
    locked = bool(extra) and _has_encryption_record(data, end - extra, end)
    if flags & 8:
        summary.before, summary.before_locked = True, locked
        return
    summary.files += 1
    summary.size += 0 if kind & 8 else unpacked
    if locked:
        summary.locked.append("")


def _has_encryption_record(data: Buffer, at: int, end: int) -> bool:
    while at < end:
        length, at = _vint(data, at)
        if _vint(data, at)[0] == 1:
            return True
        if not length:
            return False
        at += length
    return False


def _vint(data: Buffer, at: int) -> tuple[int, int]:
    """A number of seven bits a byte and where it ends. Raises IndexError at the end of the data."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    raise IndexError("a number without end")
