"""The parts of a message, found on its bytes without building a tree of objects.

Python's email package takes milliseconds for each 100 kB; this walk only finds header ends and boundary lines
(RFC 2046), and decodes what has to be looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailweir.content.headers import Header
from mailweir.content.item import Item, find
from mailweir.content.pieces import Pieces
from mailweir.content.transfer import decode
from mailweir.content.trouble import LimitExceeded
from mailweir.content.walk import Walk

_BLANK = re.compile(rb"\n\r?\n")
_FIELDS = re.compile(rb"(?:(?:[!-9;-~][^\n:]*:|[ \t]|>?From )[^\n]*\n?)*")


@dataclass(slots=True)
class Entity:
    """A message or body part: its header, where its body stands, its number, multiparts around it.

    stray is what stands in the header's place but is none: some programs take it for the body's beginning.
    """

    header: Header
    start: int
    end: int
    number: str
    level: int = 0
    stray: bytes = b""


def look(walk: Walk, item: Item) -> None:
    """Look at every part of the message that the item holds."""
    data = item.data
    pieces = Pieces(walk)
    for entity in _leaves(item, _entity(item, 0, len(data), _number(item.part, 0), 0, b"text/plain"), walk):
        walk.budget.tick()
        header = entity.header
        if entity.stray:
            walk.look(Item(entity.number, "", entity.stray, item.depth + 1, "text/plain"))
        body = decode(data, entity.start, entity.end, header.encoding, walk.budget.take)
        name = header.filename
        part = f"{entity.number}/{name}" if name else entity.number
        charset = header.params.get("charset", "")
        leaf = Item(part, name.rsplit("/", 1)[-1], body, item.depth + 1, header.type, charset)
        walk.attachment(leaf)
        if pieces.take(leaf):
            continue
        if header.type == "message/partial":
            walk.found("unsupported", leaf, "a fragment of a message, to be put together by the reader")
        before = walk.count
        walk.look(leaf)
        if walk.count == before and header.says_enveloped:
            walk.found("smime-encrypted", leaf, "declared as enveloped data")
    pieces.look()


def _leaves(item: Item, entity: Entity, walk: Walk) -> Iterator[Entity]:
    """The parts that hold content, in order."""
    boundary = entity.header.boundary
    if not boundary:
        yield entity
        return
    if entity.level >= walk.budget.limits.max_depth:
        raise LimitExceeded(
            f"multiparts nested deeper than {walk.budget.limits.max_depth} levels (content.max_depth)"
        )
    before = walk.count
    default = b"message/rfc822" if entity.header.type == "multipart/digest" else b"text/plain"
    found = False
    for count, (start, end) in enumerate(_split(item, entity, boundary), 1):
        found = True
        if count > walk.budget.limits.max_files:
            raise LimitExceeded(
                f"more than {walk.budget.limits.max_files} parts (content.max_files)", whole=True
            )
        part = _entity(
            item, start, end, _number(entity.number, count, entity.level), entity.level + 1, default
        )
        yield from _leaves(item, part, walk)
    if not found:
        entity.header.params.pop("boundary", None)
        yield entity
    if entity.header.says_pgp_encrypted and walk.count == before:
        place = Item(entity.number, "", b"", item.depth)
        walk.found("pgp-encrypted", place, "multipart/encrypted")


def _number(parent: str, count: int, level: int = 0) -> str:
    """Part numbers as IMAP gives them: the parts of the outermost multipart are 1, 2, …"""
    if not count:
        return f"{parent}.1" if parent else "1"
    if not level:
        return f"{parent[:-1]}{count}"
    return f"{parent}.{count}"


def _entity(item: Item, start: int, end: int, number: str, level: int, default: bytes) -> Entity:
    """Split header and body of what stands between start and end."""
    data = item.data
    if data[start : start + 1] == b"\n" or data[start : start + 2] == b"\r\n":
        return Entity(Header(b"", default), data.find(b"\n", start, end) + 1, end, number, level)
    blank = _BLANK.search(data, start, end)
    block = data[start : blank.start() + 1 if blank else end]
    fields = _FIELDS.match(block)
    stray = block[fields.end() :] if fields else b""
    body = blank.end() if blank else end
    return Entity(Header(block, default), body, end, number, level, stray)


def _split(item: Item, entity: Entity, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each part between the boundary lines; the last may lack its closing line."""
    data, end = item.data, entity.end
    line = b"--" + boundary
    at, start = entity.start, -1
    while (at := find(data, line, at, end)) >= 0:
        after = data.find(b"\n", at, end)
        after = end if after < 0 else after + 1
        rest = data[at + len(line) : min(after, at + len(line) + 80)].strip()
        if rest not in (b"", b"--") or (at > entity.start and data[at - 1 : at] != b"\n"):
            at += len(line)
            continue
        if start >= 0:
            stop = at - 2 if data[at - 2 : at] == b"\r\n" else at - 1
            yield start, max(start, stop)
        start = -1
        if rest == b"--":
            return
        at = start = after
    if start >= 0:
        yield start, end
