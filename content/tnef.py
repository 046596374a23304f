"""winmail.dat: Microsoft's TNEF ([MS-OXTNEF]), read attribute by attribute for the files it carries."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from mailweir.content.item import Buffer, Item
from mailweir.content.trouble import Corrupt
from mailweir.content.walk import Walk

_TITLE, _DATA, _NEW, _PROPERTIES, _BODY = 0x8010, 0x800F, 0x9002, 0x9005, 0x800C
_MESSAGE_PROPERTIES = 0x9003
_NESTED = (b"\x78\x9f\x3e\x22", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
_LONG_NAME = (b"\x1f\x00\x07\x37", b"\x1e\x00\x07\x37")
_HTML = b"\x02\x01\x13\x10"


def look(walk: Walk, item: Item) -> None:
    """Look at each attachment, at nested messages and at the body."""
    attributes = list(_attributes(item.data))
    for name, content in _attachments(attributes):
        walk.member(item, name, content)
    for kind, data in attributes:
        if kind == _BODY:
            walk.member(item, "body", data)
        elif kind == _MESSAGE_PROPERTIES:
            body = _binary(data, _HTML)
            if body:
                walk.member(item, "body.html", body)


def _attributes(data: Buffer) -> Iterator[tuple[int, bytes]]:
    at = 6
    while at + 9 <= len(data):
        level, kind, _, length = struct.unpack_from("<B2HL", data, at)
        if level not in (1, 2):
            return
        if at + 9 + length > len(data):
            yield kind, data[at + 9 :]
            raise Corrupt("cut off")
        yield kind, data[at + 9 : at + 9 + length]
        at += 9 + length + 2


def _attachments(attributes: list[tuple[int, bytes]]) -> Iterator[tuple[str, bytes]]:
    name, content, properties = "", b"", b""
    for kind, data in [*attributes, (_NEW, b"")]:
        if kind == _NEW:
            if content or properties:
                yield _long_name(properties) or name or "attachment", content or _nested(properties)
            name, content, properties = "", b"", b""
        elif kind == _TITLE:
            name = data.rstrip(b"\0").decode("utf-8", "replace")
        elif kind == _DATA:
            content = data
        elif kind == _PROPERTIES:
            properties = data


def _nested(properties: bytes) -> bytes:
    """An attached message or OLE object stands among the attachment's properties as one of them."""
    found = [at for signature in _NESTED if (at := properties.find(signature)) >= 0]
    return properties[min(found) :] if found else b""


def _long_name(properties: bytes) -> str:
    for tag in _LONG_NAME:
        raw = _binary(properties, tag)
        if raw:
            text = raw.decode("utf-16-le" if tag[0] == 0x1F else "cp1252", "replace")
            return text.rstrip("\0")
    return ""


def _binary(properties: bytes, tag: bytes) -> bytes:
    """The value of a property of variable length: tag, count 1, length, bytes."""
    at = properties.find(tag)
    if at < 0 or at + 12 > len(properties):
        return b""
    count, length = struct.unpack_from("<2L", properties, at + 4)
    return properties[at + 12 : at + 12 + length] if count == 1 else b""
