"""RAR 1.5 to 4 and RAR 5 archives: their block headers say what is encrypted; libarchive unpacks the rest.

Formats: unrar's technote.txt for RAR 4, and the RAR 5.0 archive format note.
"""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass, field

from mailweir.content import archives, rar_tool
from mailweir.content.item import Buffer, Item
from mailweir.content.trouble import Corrupt, Unsupported
from mailweir.content.walk import Walk

_MAX_BLOCKS = 100_000


@dataclass(slots=True)
class Summary:
    """What the headers say."""

    files: int = 0
    locked: list[str] = field(default_factory=list)
    headers_locked: bool = False
    split: bool = False  # a file begins or goes on in another volume
    size: int = 0
    complete: bool = False
    old: bool = False  # needs RAR 2 or older to unpack


def look(walk: Walk, item: Item) -> None:
    """Report encryption; open what is not encrypted."""
    five = item.data[:8] == b"Rar!\x1a\x07\x01\x00"
    summary = _read5(item.data) if five else _read4(item.data)
    if summary.headers_locked or summary.locked:
        if not rar_tool.unlock(walk, item):
            detail = f"contents: {len(summary.locked)} of {summary.files} files"
            walk.found("encrypted-rar", item, "headers and contents" if summary.headers_locked else detail)
        return
    if summary.split:
        raise Unsupported("one volume of an archive in several")
    if not summary.complete and not summary.files:
        raise Corrupt("its headers are damaged")
    walk.budget.announce(summary.files, summary.size)
    walk.budget.ratio(len(item.data), summary.size)
    if not summary.complete:
        _what_is_whole(walk, item, five)
        raise Corrupt("cut off")
    try:
        archives.members(walk, item, "rar5" if five else "rar")
    except Unsupported:
        rar_tool.members(walk, item)
    except Corrupt:
        if not summary.old:
            raise
        rar_tool.members(walk, item)


def _what_is_whole(walk: Walk, item: Item, five: bool) -> None:
    """Look at the files that come before the damage."""
    with contextlib.suppress(Corrupt, Unsupported):
        archives.members(walk, item, "rar5" if five else "rar")


def _read4(data: Buffer) -> Summary:
    summary = Summary()
    at = 7
    for _ in range(_MAX_BLOCKS):
        if at + 7 > len(data):
            summary.complete = at == len(data)  # old archives have no end block
            break
        kind, flags, size = struct.unpack_from("<B2H", data, at + 2)
        added = struct.unpack_from("<L", data, at + 7)[0] if flags & 0x8000 and at + 11 <= len(data) else 0
        if size < 7:
            break
        if kind == 0x73:
            summary.headers_locked = bool(flags & 0x80)
            if summary.headers_locked:
                break
        elif kind == 0x74 and at + 32 <= len(data):
            _file4(data, at, flags, size, summary)
            if flags & 0x100:
                added += struct.unpack_from("<L", data, at + 32)[0] << 32
        elif kind == 0x7B:
            summary.complete = True
            summary.split |= bool(flags & 1)
            break
        at += size + added
        if at > len(data):
            break
    return summary


def _file4(data: Buffer, at: int, flags: int, size: int, summary: Summary) -> None:
    unpacked = struct.unpack_from("<L", data, at + 11)[0]
    length = struct.unpack_from("<H", data, at + 26)[0]
    start = at + (40 if flags & 0x100 else 32)
    if flags & 0xE0 == 0xE0:
        return  # a directory
    summary.files += 1
    summary.size += unpacked
    summary.old |= data[at + 24] < 29
    summary.split |= bool(flags & 3)
    if flags & 4:
        raw = data[start : min(start + length, at + size)]
        summary.locked.append(raw.partition(b"\0")[0].decode("utf-8", "replace"))


def _read5(data: Buffer) -> Summary:
    summary = Summary()
    at = 8
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
                break
        except IndexError:
            break
        if not size or body + size > len(data):
            break
        at = body + size + added
    return summary


def _file5(data: Buffer, at: int, end: int, extra: int, flags: int, summary: Summary) -> None:
    kind, at = _vint(data, at)
    unpacked, at = _vint(data, at)
    if kind & 1:
        return  # a directory
    summary.files += 1
    summary.size += 0 if kind & 8 else unpacked
    summary.split |= bool(flags & 0x18)
    cursor = end - extra
    while extra and cursor < end:
        length, cursor = _vint(data, cursor)
        record, _ = _vint(data, cursor)
        if record == 1:
            summary.locked.append("")
        cursor += length
        if not length:
            return


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
