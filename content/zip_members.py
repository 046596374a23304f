"""Unpacks one ZIP entry in pieces, by its compression method, and checks its checksum."""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from mailweir.content.inflate import inflated
from mailweir.content.item import Buffer, Collector
from mailweir.content.trouble import Corrupt, Unsupported
from mailweir.content.zip_directory import AES, ENCRYPTED, LOCAL, Entry

_PIECE = 1 << 16
_OUT = 1 << 18


def locate(data: Buffer, entry: Entry) -> int:
    """Where the entry's data begins; its local header's flags are added to the entry's."""
    if entry.start >= 0:
        return entry.start
    at = entry.offset
    if at < 0 or data[at : at + 4] != LOCAL or at + 30 > len(data):
        raise Corrupt(f"{entry.name}: its local header is missing")
    flags, method = struct.unpack_from("<2H", data, at + 6)
    names, extras = struct.unpack_from("<2H", data, at + 26)
    if flags & ENCRYPTED and method == AES:
        entry.flags |= flags & ENCRYPTED
        entry.method = AES
    entry.start = at + 30 + names + extras
    return entry.start


def unpack(data: Buffer, entry: Entry, take: Callable[[int], None]) -> Buffer:
    """The whole content. Raises Corrupt, Unsupported, and what take raises."""
    start = locate(data, entry)
    if start + entry.packed > len(data):
        raise Corrupt(f"{entry.name}: cut off")
    out = Collector(take)
    crc = 0
    for piece in pieces(entry.method, data, start, start + entry.packed, entry.size, entry.name):
        crc = zlib.crc32(piece, crc)
        out.write(piece)
    if crc != entry.crc:
        raise Corrupt(f"{entry.name}: wrong checksum")
    return out.buffer()


def peek(data: Buffer, entry: Entry, size: int = 4096) -> bytes:
    """The first bytes of the content, or fewer when it is damaged."""
    head = b""
    try:
        start = locate(data, entry)
        for piece in pieces(entry.method, data, start, start + entry.packed, entry.size, entry.name):
            head += piece
            if len(head) >= size:
                break
    except (Corrupt, Unsupported):
        pass
    return head[:size]


def pieces(method: int, data: Buffer, start: int, end: int, size: int, name: str) -> Iterator[bytes]:
    """The unpacked bytes between start and end."""
    if method == 0:
        for at in range(start, end, _OUT):
            yield data[at : min(at + _OUT, end)]
        return
    try:
        if method == 8:
            yield from inflated((data[at : min(at + _PIECE, end)] for at in range(start, end, _PIECE)), -15)
            return
        yield from _decompressed(_decoder(method, data, start, size), data, *_body(method, data, start, end))
    except (zlib.error, OSError, lzma.LZMAError, ValueError, EOFError) as error:
        raise Corrupt(f"{name}: {error}") from error


def _body(method: int, data: Buffer, start: int, end: int) -> tuple[int, int]:
    if method == 14:  # LZMA: version, size of properties, properties
        return start + 4 + struct.unpack_from("<H", data, start + 2)[0], end
    if method == 98:
        return start + 2, end
    return start, end


def _decoder(method: int, data: Buffer, start: int, size: int) -> Any:
    if method == 12:
        return bz2.BZ2Decompressor()
    if method == 14:
        length = struct.unpack_from("<H", data, start + 2)[0]
        properties = data[start + 4 : start + 4 + length]
        filter_ = lzma._decode_filter_properties(lzma.FILTER_LZMA1, properties)  # type: ignore[attr-defined]
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filter_])
    if method == 95:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ)
    if method == 9:
        import inflate64

        return inflate64.Inflater()
    if method in (20, 93):
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj()
    if method == 98:
        import pyppmd

        head = struct.unpack_from("<H", data, start)[0]
        return _Ppmd(pyppmd.Ppmd8Decoder((head & 15) + 1, ((head >> 4 & 255) + 1) << 20, head >> 12), size)
    raise Unsupported(f"compression method {method}")


class _Ppmd:
    """PPMd has no end mark of its own: stop at the size."""

    def __init__(self, decoder: Any, size: int) -> None:
        self._decoder, self._left = decoder, size

    def decompress(self, piece: bytes) -> bytes:
        out: bytes = self._decoder.decode(piece, self._left) if self._left else b""
        self._left -= len(out)
        return out


def _decompressed(decoder: Any, data: Buffer, start: int, end: int) -> Iterator[bytes]:
    """For bz2 and lzma, which take a limit on their output, and others, which do not."""
    limited = hasattr(decoder, "needs_input")
    for at in range(start, end, _PIECE):
        piece = data[at : min(at + _PIECE, end)]
        if not limited:
            yield decoder.inflate(piece) if hasattr(decoder, "inflate") else decoder.decompress(piece)
            continue
        yield decoder.decompress(piece, _OUT)
        while not decoder.needs_input and not decoder.eof:
            yield decoder.decompress(b"", _OUT)
        if decoder.eof:
            return
