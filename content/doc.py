"""Word 97 to 2003 documents and their forerunners ([MS-DOC]): encryption, tracked revisions, WordBasic."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import olefile

from mailweir.content import office_unlock, ooxml
from mailweir.content.item import Item
from mailweir.content.walk import Walk

_WORD97, _WORD6 = 0xA5EC, 0xA5DC
_COMMANDS = 0x118  # of Word 6 and 95: offset and length of the table of macros, menus and keys
_MACROS = 1  # the entry of that table which lists macros
_ENCRYPTED, _OTHER_TABLE, _OBFUSCATED = 0x0100, 0x0200, 0x8000
# Where the pairs (offset, length) of these tables stand in the file information block.
_CHPX, _PAPX, _DOP, _ASSOCIATED = 0xFA, 0x102, 0x192, 0x19A
_REVISIONS = {
    0x0800: "deletion",
    0x0801: "insertion",
    0xCA57: "formatting",
    0xCA89: "formatting",
    0xC63F: "paragraph formatting",
    0xC66F: "paragraph formatting",
}
_PICTURE = re.compile(rb'INCLUDEPICTURE\s+"?\s*([!-~]{4,2000})', re.I)
_SIZES = (1, 1, 2, 4, 2, 2, 0, 3)  # of operands, by the operation's upper three bits


def inspect(walk: Walk, item: Item, ole: olefile.OleFileIO, path: list[str]) -> None:
    """Read the file information block at the start of the WordDocument stream, and the tables it names."""
    main = ole.openstream(path).read()
    if len(main) < 12:
        return
    magic, flags = struct.unpack_from("<H", main)[0], struct.unpack_from("<H", main, 10)[0]
    if flags & _ENCRYPTED:
        if len(path) > 1 or not office_unlock.unlock(walk, item):
            walk.found("encrypted-office", item, "XOR obfuscation" if flags & _OBFUSCATED else "password")
        return
    if magic == _WORD6 and _has_wordbasic(main):
        walk.found("macro", item, "WordBasic")
    table_path = [*path[:-1], "1Table" if flags & _OTHER_TABLE else "0Table"]
    if magic != _WORD97 or len(main) < 0x1A2 or not ole.exists(table_path):
        return
    table = ole.openstream(table_path).read()
    dop = _part(main, table, _DOP)
    if len(dop) > 5 and dop[5] & 0x80:
        walk.found("tracking", item, "revision tracking is on")
    what = _revision(main, table)
    if what:
        walk.found("tracking", item, f"tracked {what}")
    picture = _PICTURE.search(main) or _PICTURE.search(main.replace(b"\0", b""))
    if picture:
        ooxml.relation(walk, item, "image", picture[1].decode("latin-1"))
    template = _template(_part(main, table, _ASSOCIATED))
    if template:
        ooxml.relation(walk, item, "attachedtemplate", template)


def _has_wordbasic(main: bytes) -> bool:
    """Whether the table of commands begins with macros; no other entry comes before them."""
    if len(main) < _COMMANDS + 8:
        return False
    offset, length = struct.unpack_from("<2L", main, _COMMANDS)
    table = main[offset : offset + length]
    return len(table) > 3 and table[0] == 0xFF and table[1] == _MACROS and table[2:4] != b"\0\0"


def _part(main: bytes, table: bytes, field: int) -> bytes:
    offset, length = struct.unpack_from("<2L", main, field)
    return table[offset : offset + length]


def _revision(main: bytes, table: bytes) -> str:
    """What kind of tracked revision the formatting of characters or paragraphs shows, if any."""
    for field, entry_size in ((_CHPX, 1), (_PAPX, 13)):
        plc = _part(main, table, field)
        count = (len(plc) - 4) // 8
        for index in range(max(0, count)):
            page = struct.unpack_from("<L", plc, (count + 1) * 4 + index * 4)[0] & 0x3FFFFF
            for code in _operations(main[page * 512 : page * 512 + 512], entry_size):
                if code in _REVISIONS:
                    return _REVISIONS[code]
    return ""


def _operations(page: bytes, entry_size: int) -> Iterator[int]:
    """The operations (sprm) in one formatted disk page; switched-off ones left out."""
    if len(page) < 512:
        return
    runs = page[511]
    for index in range(runs):
        where = (runs + 1) * 4 + index * entry_size
        if where >= 511 or not page[where]:
            continue
        at = page[where] * 2
        length = page[at]
        at += 1
        if entry_size == 13:  # paragraphs: length in words, or in the next byte; then a style number
            if length:
                length = length * 2 - 1
            else:
                length = page[at] * 2 if at < 511 else 0
                at += 1
            at, length = at + 2, length - 2
        yield from _sprms(page[at : min(at + max(length, 0), 511)])


def _sprms(properties: bytes) -> Iterator[int]:
    at = 0
    while at + 3 <= len(properties):
        code = struct.unpack_from("<H", properties, at)[0]
        at += 2
        size = _SIZES[code >> 13]
        if not size:
            if code in (0xD606, 0xD608) and at + 2 <= len(properties):
                size = struct.unpack_from("<H", properties, at)[0] + 1
            else:
                size = properties[at] + 1
        if size != 1 or properties[at]:
            yield code
        at += size


def _template(table: bytes) -> str:
    """The attached template's name, from the table of associated strings."""
    if len(table) < 6 or table[:2] != b"\xff\xff":
        return ""
    at = 6
    for index in range(2):
        if at + 2 > len(table):
            return ""
        length = struct.unpack_from("<H", table, at)[0]
        if index == 1:
            return table[at + 2 : at + 2 + length * 2].decode("utf-16-le", "replace")
        at += 2 + length * 2
    return ""
