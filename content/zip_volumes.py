"""The volumes of a split ZIP (a.z01, a.z02 … a.zip), made one archive again (PKWARE APPNOTE 6.3.10, 8).

Each place in the directory of such an archive is a volume and an offset in it; once the volumes stand one
after the other, that is one number, and every reader understands it.
"""

from __future__ import annotations

import struct

from mailweir.content.item import WINDOW, Buffer, Collector, Item
from mailweir.content.trouble import Corrupt, Unsupported
from mailweir.content.zip_directory import CENTRAL, find_end

_NO_NUMBER = 0xFFFF_FFFF  # stands in ZIP64's fields, which no message is large enough to need


def is_last_of_several(data: Buffer) -> bool:
    """Whether its end record says that other volumes come before it."""
    at = find_end(data)
    return at >= 0 and struct.unpack_from("<H", data, at + 4)[0] not in (0, 0xFFFF)


def merged(item: Item) -> Item:
    """The same as a single archive. Raises Unsupported when volumes are missing, and Corrupt."""
    data, cuts = item.data, item.cuts
    end = find_end(data)
    if end < 0:
        raise Corrupt("the central directory is missing")
    disk, first, _, count, size, offset = struct.unpack_from("<4H2L", data, end + 4)
    if disk != len(cuts) - 1 or first > disk:
        raise Unsupported("a split archive of which a part is missing")
    begin = cuts[first] + offset
    directory = bytearray(data[begin:end])
    at = 0
    while directory[at : at + 4] == CENTRAL and at + 46 <= len(directory):
        names, extras, comments, volume = struct.unpack_from("<4H", directory, at + 28)
        (place,) = struct.unpack_from("<L", directory, at + 42)
        if volume > disk or place == _NO_NUMBER:
            raise Unsupported("a split archive whose directory names other parts")
        struct.pack_into("<H", directory, at + 34, 0)
        struct.pack_into("<L", directory, at + 42, cuts[volume] + place)
        at += 46 + names + extras + comments
    out = Collector()
    with memoryview(data) as view:
        for at in range(0, begin, WINDOW):
            out.write(view[at : min(at + WINDOW, begin)])
        out.write(bytes(directory))
        out.write(struct.pack("<4s4H2L", data[end : end + 4], 0, 0, count, count, size, begin))
        out.write(view[end + 20 :])
    return Item(item.part, item.name, out.buffer(), item.depth, item.type)
