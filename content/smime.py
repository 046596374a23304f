"""CMS, the format of S/MIME (RFC 5652): enveloped data is a finding, signed and compressed data is opened.

Only the outermost structure is read, so DER, and BER with indefinite lengths as stream encoders write it,
cost the same whatever their size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailweir.content import inflate
from mailweir.content.item import Buffer, Collector, Item
from mailweir.content.sniff import HEAD, looks_like_entity
from mailweir.content.trouble import Corrupt, LimitExceeded
from mailweir.content.walk import Walk

_PKCS7 = bytes.fromhex("2a864886f70d0107")
_CT = bytes.fromhex("2a864886f70d01091001")
_NAMES = {
    _PKCS7 + b"\x02": "signed",
    _PKCS7 + b"\x03": "enveloped data",
    _PKCS7 + b"\x04": "signed and enveloped data",
    _PKCS7 + b"\x06": "encrypted data",
    _CT + b"\x17": "authenticated enveloped data",
    _CT + b"\x09": "compressed",
}
_MAX_NESTING = 64


@dataclass(slots=True)
class Element:
    """One BER element: tag octet, where its content starts and ends (-1: at an end-of-contents mark)."""

    tag: int
    start: int
    end: int


def look(walk: Walk, item: Item) -> None:
    """Report encryption; look at what was signed or compressed."""
    data = item.data
    outer = _element(data, 0)
    parts = list(_children(data, outer, 2))
    if not parts or parts[0].tag != 6:
        return
    kind = _NAMES.get(data[parts[0].start : parts[0].end], "")
    if kind not in ("signed", "compressed"):
        if kind:
            walk.found("smime-encrypted", item, kind)
        return
    if len(parts) < 2:
        return
    sequence = next(_children(data, parts[1], 1), None)
    if not sequence:
        return
    fields = list(_children(data, sequence, 3))  # version, algorithms, EncapsulatedContentInfo
    if len(fields) == 3 and fields[2].tag == 0x30:
        _content(walk, item, fields[2], kind)


def _content(walk: Walk, item: Item, info: Element, kind: str) -> None:
    data = item.data
    wrapped = [element for element in _children(data, info, 2) if element.tag & 0xDF == 0x80]
    if not wrapped:
        return  # a detached signature: what it signs is another part
    inner = next(_children(data, wrapped[0], 1), None) if wrapped[0].tag == 0xA0 else wrapped[0]
    if inner is None:
        return
    pieces = _octets(data, inner, 0)
    if kind == "compressed":
        content = inflate.whole(walk.budget, pieces, len(data))
    else:
        out = Collector(walk.budget.take)
        for piece in pieces:
            out.write(piece)
        content = out.buffer()
    inside = item.member("smime", content)
    if kind == "compressed":
        walk.opened(inside)
    if looks_like_entity(content[:HEAD]):
        inside.type = "message/rfc822"
    walk.look(inside)


def _octets(data: Buffer, element: Element, level: int) -> Iterator[bytes]:
    """The bytes of an OCTET STRING, put together when it comes in pieces."""
    if element.tag & 0x20 == 0:
        yield data[element.start : element.end]
        return
    if level > 8:
        raise LimitExceeded("an octet string nested too deeply")
    for piece in _children(data, element):
        yield from _octets(data, piece, level + 1)


def _children(data: Buffer, parent: Element, limit: int = 1 << 30) -> Iterator[Element]:
    at = parent.start
    stop = parent.end if parent.end >= 0 else len(data)
    while at < stop and limit:
        if parent.end < 0 and data[at : at + 2] == b"\0\0":
            return
        limit -= 1
        element = _element(data, at)
        yield element
        if limit:
            at = element.end if element.end >= 0 else _skip(data, element, 0)


def _skip(data: Buffer, element: Element, level: int) -> int:
    """Where an element of indefinite length ends, its end mark included."""
    if level > _MAX_NESTING:
        raise LimitExceeded("nested too deeply")
    at = element.start
    while data[at : at + 2] != b"\0\0":
        child = _element(data, at)
        at = child.end if child.end >= 0 else _skip(data, child, level + 1)
    return at + 2


def _element(data: Buffer, at: int) -> Element:
    head = data[at : at + 10]
    if len(head) < 2:
        raise Corrupt("cut off")
    tag, length, size = head[0], head[1], 2
    if length == 0x80:
        return Element(tag, at + 2, -1)
    if length > 0x80:
        count = length & 0x7F
        if count > 8 or len(head) < 2 + count:
            raise Corrupt("a length is malformed")
        length, size = int.from_bytes(head[2 : 2 + count], "big"), 2 + count
    if at + size + length > len(data):
        raise Corrupt("cut off")
    return Element(tag, at + size, at + size + length)
