"""Rich Text Format: tracked revisions, remote templates and pictures, embedded objects."""

from __future__ import annotations

import binascii
import re

from mailweir.content import ole_package, ooxml
from mailweir.content.item import Item
from mailweir.content.walk import Walk

_REVISION = re.compile(rb"(?<!\\)\\(revisions|revised|deleted|mvf|mvt)(?![a-z0-9])")
_FORMATTING = re.compile(rb"(?<!\\)\\(?:crauth|pnrauth|srauth)(?:[1-9]\d*)(?!\d)")
_TEMPLATE = re.compile(rb"\{\\\*\\template\s+([^{}]{1,2000})\}")
_PICTURE = re.compile(rb'INCLUDEPICTURE\s+(?:\\[a-z*]\s+\w*\s*)*"?([^"\s}]{1,2000})', re.I)
_BRACE = re.compile(rb"[{}]")
_OBJECT = re.compile(rb"\\objdata\b")
_JUNK = re.compile(rb"\\[a-z]+-?\d* ?|\{\\\*[^{}]*\}", re.I)


def look(walk: Walk, item: Item) -> None:
    """Search the control words; open each object."""
    data = item.data
    revision = _REVISION.search(data)
    if revision:
        word = revision[1].decode()
        walk.found(
            "tracking", item, "revision tracking is on" if word == "revisions" else f"tracked \\{word}"
        )
    elif _FORMATTING.search(data):
        walk.found("tracking", item, "tracked formatting")
    for kind, pattern in (("attachedtemplate", _TEMPLATE), ("image", _PICTURE)):
        for match in pattern.finditer(data):
            target = match[1].replace(b"\\\\", b"\\").decode("latin-1").strip()
            ooxml.relation(walk, item, kind, target)
    for index, mark in enumerate(_OBJECT.finditer(data), 1):
        _object(walk, item, index, mark.end())


def _object(walk: Walk, item: Item, index: int, start: int) -> None:
    stop, level = start, 0
    for brace in _BRACE.finditer(item.data, start):
        stop = brace.start()
        level += 1 if brace[0] == b"{" else -1
        if level < 0:
            break
    digits = re.sub(rb"[^0-9a-fA-F]", b"", _JUNK.sub(b"", item.data[start:stop]))
    raw = binascii.unhexlify(digits[: len(digits) // 2 * 2])
    walk.budget.take(len(raw))
    name, content = ole_package.object_data(raw)
    at = raw.find(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    if at >= 0 and content[:4] != raw[at : at + 4] and not name:
        content = raw[at:]
    walk.member(item, name or f"object{index}", content)
