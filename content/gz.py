"""gzip files (RFC 1952), all members in a row; zlib checks their checksums, which libarchive does not."""

from __future__ import annotations

import zlib

from mailweir.content.archives import inner_name
from mailweir.content.item import Collector, Item
from mailweir.content.trouble import Corrupt
from mailweir.content.walk import Walk

_PIECE = 1 << 16
_OUT = 1 << 18


def look(walk: Walk, item: Item) -> None:
    """Look at the unpacked content; what follows the last member, such as padding, is passed over."""
    out = Collector(walk.budget.taker(len(item.data)))
    at = 0
    while item.data[at : at + 2] == b"\x1f\x8b":
        at = _member(item, at, out)
    walk.member(item, inner_name(item), out.buffer())


def _member(item: Item, at: int, out: Collector) -> int:
    """Unpack the member that begins there; gives where it ends."""
    unpack = zlib.decompressobj(31)
    try:
        while at < len(item.data) and not unpack.eof:
            piece = item.data[at : at + _PIECE]
            at += len(piece)
            while piece and not unpack.eof:
                out.write(unpack.decompress(piece, _OUT))
                piece = unpack.unconsumed_tail
    except zlib.error as error:
        raise Corrupt(str(error)) from error
    if not unpack.eof:
        raise Corrupt("cut off")
    return at - len(unpack.unused_data)
