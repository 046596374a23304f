"""The entries of a ZIP file as its central directory names them (PKWARE APPNOTE 6.3.10).

Python's zipfile refuses what mail filters must be able to name: strong encryption, an encrypted central
directory, split archives, and directories that do not say what the files say.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from mailweir.content.item import Buffer
from mailweir.content.trouble import Corrupt

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
SPANNED = b"PK\x07\x08"  # begins the first volume of several
_END64, _LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"
ENCRYPTED, DESCRIPTOR, STRONG, UTF8, MASKED = 1, 8, 0x40, 0x800, 0x2000
AES = 99


@dataclass(slots=True)
class Entry:
    """One file of the archive; offset is where its local header stands in the buffer."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    disk: int = 0
    start: int = -1  # of its data, once the local header was read

    @property
    def is_directory(self) -> bool:
        return self.name.endswith("/")

    @property
    def encryption(self) -> str:
        """Which encryption, in words; empty when there is none."""
        if not self.flags & ENCRYPTED and self.method != AES:
            return ""
        if self.method == AES:
            return "AES"
        return "PKWARE strong encryption" if self.flags & STRONG else "ZipCrypto"


@dataclass(slots=True)
class Directory:
    """All entries, and what is special about the archive as a whole."""

    entries: list[Entry]
    encrypted: bool = False  # the directory itself
    split: bool = False


def stands_at_end(data: Buffer) -> bool:
    """Whether what begins as something else ends as a ZIP: with an end record that leads to entries."""
    at = find_end(data)
    if at < 0:
        return False
    count, size = struct.unpack_from("<HL", data, at + 10)
    if data[at - 20 : at - 16] == _LOCATOR64:
        return True
    return bool(count) and data[at - size : at - size + 4] == CENTRAL


def read(data: Buffer) -> Directory:
    """Parse the directory. Raises Corrupt when there is none or it is damaged."""
    at = find_end(data)
    if at < 0:
        raise Corrupt("the central directory is missing")
    disk, _, _, count, size, offset = struct.unpack_from("<4H2L", data, at + 4)
    end = at
    encrypted = False
    if at >= 20 and data[at - 20 : at - 16] == _LOCATOR64:
        where = _find_end64(data, at)
        if where >= 0:
            version = struct.unpack_from("<H", data, where + 14)[0]
            disk, _, _, count, size, offset = struct.unpack_from("<2L4Q", data, where + 16)
            length = struct.unpack_from("<Q", data, where + 4)[0]
            encrypted = version >= 62 and length >= 72
            end = where
    begin = end - size
    if begin < 0 or (size and data[begin : begin + 4] != CENTRAL and data[offset : offset + 4] == CENTRAL):
        begin = offset
    prefix = begin - offset
    split = bool(disk and disk not in (0xFFFF, 0xFFFFFFFF))
    if encrypted or (size and data[begin : begin + 4] != CENTRAL and _masked(data)):
        return Directory([], encrypted=True, split=split)
    entries = _entries(data, begin, count, prefix, split)
    return Directory(entries, split=split)


def find_end(data: Buffer) -> int:
    """The end record: the last signature whose comment fits the file."""
    at = len(data)
    floor = max(0, len(data) - 65_557 - 4096)  # some mail gateways append a little
    best = -1
    while (at := data.rfind(END, floor, at)) >= 0:
        if at + 22 <= len(data):
            comment = struct.unpack_from("<H", data, at + 20)[0]
            if at + 22 + comment == len(data):
                return at
            if best < 0 and at + 22 + comment <= len(data):
                best = at
        at += 3
        if at <= floor + 3:
            break
        at -= 3
    return best


def _find_end64(data: Buffer, end: int) -> int:
    claimed = struct.unpack_from("<Q", data, end - 12)[0]
    if data[claimed : claimed + 4] == _END64 and claimed + 56 <= end:
        return int(claimed)
    return data.rfind(_END64, max(0, end - 20 - 4096), end)


def _masked(data: Buffer) -> bool:
    """Whether the first local header says that headers are encrypted."""
    first = data.find(LOCAL)
    return (
        first >= 0 and first + 8 <= len(data) and bool(struct.unpack_from("<H", data, first + 6)[0] & MASKED)
    )


def _entries(data: Buffer, at: int, count: int, prefix: int, split: bool) -> list[Entry]:
    entries: list[Entry] = []
    while data[at : at + 4] == CENTRAL:
        if at + 46 > len(data):
            raise Corrupt("the central directory is cut off")
        flags, method, _, crc, packed, size, names, extras, comments, disk, _, _, offset = struct.unpack_from(
            "<2HL3L5H2L", data, at + 8
        )
        raw = data[at + 46 : at + 46 + names]
        extra = data[at + 46 + names : at + 46 + names + extras]
        packed, size, offset, disk = _zip64(extra, packed, size, offset, disk)
        name = raw.decode("utf-8" if flags & UTF8 else "cp437", "surrogateescape")
        entries.append(Entry(name, raw, flags, method, crc, packed, size, offset + prefix, disk))
        at += 46 + names + extras + comments
    if len(entries) & 0xFFFF != count & 0xFFFF and not split:
        raise Corrupt(f"the central directory lists {len(entries)} of {count} files")
    return entries


def _zip64(extra: bytes, packed: int, size: int, offset: int, disk: int) -> tuple[int, int, int, int]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            values = extra[at + 4 : at + 4 + length]
            wanted = [size == 0xFFFFFFFF, packed == 0xFFFFFFFF, offset == 0xFFFFFFFF]
            numbers = [
                int.from_bytes(values[index * 8 : index * 8 + 8], "little") for index in range(sum(wanted))
            ]
            if len(values) < 8 * sum(wanted):
                raise Corrupt("a ZIP64 field is cut off")
            taken = iter(numbers)
            size = next(taken) if wanted[0] else size
            packed = next(taken) if wanted[1] else packed
            offset = next(taken) if wanted[2] else offset
            break
        at += 4 + length
    return packed, size, offset, disk


def local_entries(data: Buffer, limit: int = 1000) -> list[Entry]:
    """The files that local headers alone show, for archives whose directory is lost or on another volume."""
    entries: list[Entry] = []
    at = data.find(LOCAL)
    while at >= 0 and at + 30 <= len(data) and len(entries) < limit:
        flags, method, _, crc, packed, size, names, extras = struct.unpack_from("<2HL3L2H", data, at + 6)
        raw = data[at + 30 : at + 30 + names]
        name = raw.decode("utf-8" if flags & UTF8 else "cp437", "surrogateescape")
        start = at + 30 + names + extras
        entries.append(Entry(name, raw, flags, method, crc, packed, size, at, start=start))
        at = data.find(LOCAL, start + (0 if flags & DESCRIPTOR else packed))
    return entries
