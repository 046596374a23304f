"""The first 32 bytes of a 7z file, checked by their checksum (7zFormat.txt)."""

from __future__ import annotations

import struct
import zlib

from mailweir.content.item import Buffer


def is_start(data: Buffer, at: int) -> bool:
    """Whether a 7z archive begins there."""
    head = data[at : at + 32]
    return len(head) == 32 and struct.unpack_from("<L", head, 8)[0] == zlib.crc32(head[12:32])


def is_cut_off(data: Buffer) -> bool:
    """Whether the header that the archive ends with lies beyond the end of the file."""
    if len(data) < 32:
        return True
    offset, size = struct.unpack_from("<2Q", data, 12)
    return bool(32 + offset + size > len(data))
