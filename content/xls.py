"""Excel workbooks in BIFF ([MS-XLS] and its forerunners): encryption and macro sheets."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import olefile

from mailweir.content import office_unlock
from mailweir.content.item import Buffer, Item
from mailweir.content.walk import Walk

_FILEPASS, _BOUNDSHEET, _MACRO_SHEET = 0x2F, 0x85, 0x40
_MODULE = 6  # a sheet of VBA, in Excel 5 and 95
_BOFS = (0x09, 0x209, 0x409, 0x809)


def look(walk: Walk, item: Item) -> None:
    """A workbook of BIFF 2 to 4 that stands in the file without a compound file around it."""
    _records(walk, item, item.data, alone=True)


def inspect(walk: Walk, item: Item, ole: olefile.OleFileIO, path: list[str]) -> None:
    """Look at the records of the workbook stream."""
    _records(walk, item, ole.openstream(path).read(), alone=len(path) > 1)


def _records(walk: Walk, item: Item, data: Buffer, *, alone: bool) -> None:
    for kind, body in records(data):
        if kind == _FILEPASS:
            if alone or not office_unlock.unlock(walk, item):
                walk.found("encrypted-office", item, "XOR obfuscation" if body[:2] == b"\0\0" else "password")
            return
        macro_sheet = (kind == _BOUNDSHEET and len(body) > 5 and body[5] == 1) or (
            kind in _BOFS and len(body) >= 4 and struct.unpack_from("<H", body, 2)[0] == _MACRO_SHEET
        )
        if macro_sheet:
            walk.found("macro", item, "Excel 4.0 macro sheet")
        elif kind == _BOUNDSHEET and len(body) > 5 and body[5] == _MODULE:
            walk.found("macro", item, "VBA")


def records(data: Buffer) -> Iterator[tuple[int, bytes]]:
    """Type and body of each record."""
    at, end = 0, len(data)
    while at + 4 <= end:
        kind, length = struct.unpack_from("<2H", data, at)
        yield kind, data[at + 4 : at + 4 + min(length, 64)]
        at += 4 + length
