"""zlib streams unpacked in small pieces, so that a bomb is noticed while it grows."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from mailweir.content.budget import Budget
from mailweir.content.item import Buffer, Collector
from mailweir.content.trouble import Corrupt

_OUT = 1 << 18


def inflated(pieces: Iterable[bytes], wbits: int = 15) -> Iterator[bytes]:
    """The unpacked bytes, up to the stream's own end or that of the pieces. Raises zlib.error."""
    unpack = zlib.decompressobj(wbits)
    for piece in pieces:
        while piece and not unpack.eof:
            yield unpack.decompress(piece, _OUT)
            piece = unpack.unconsumed_tail
        if unpack.eof:
            return


def whole(budget: Budget, pieces: Iterable[bytes], packed: int) -> Buffer:
    """All unpacked bytes of a stream of that packed size, counted. Raises Corrupt and LimitExceeded."""
    out = Collector(budget.taker(packed))
    try:
        for plain in inflated(pieces):
            out.write(plain)
    except zlib.error as error:
        raise Corrupt(f"compressed data: {error}") from error
    return out.buffer()
