"""Word in one XML file: Flat OPC (2007 and later) and WordprocessingML 2003."""

from __future__ import annotations

import re

from mailweir.content import ooxml, transfer, wordml
from mailweir.content.item import Item
from mailweir.content.walk import Walk

_TYPE = re.compile(rb"""pkg:contentType\s*=\s*["']([^"']*)""")
_BINARY = re.compile(rb"<(?:pkg:binaryData|w:binData|w:docOleData|o:OLEObject)\b[^>]*>([A-Za-z0-9+/=\s]+)<")
_OLD = re.compile(rb"""w:type\s*=\s*["']Word\.(Insertion|Deletion|Formatting|Numbering)["']""")
_OLD_MACROS = re.compile(rb"""w:macrosPresent\s*=\s*["']yes["']""")
_OLD_TEMPLATE = re.compile(rb"""<w:attachedTemplate\s+w:val\s*=\s*["']([^"']*)""")


def look(walk: Walk, item: Item) -> None:
    """What ooxml.py looks for in parts of their own stands here in one file."""
    text = item.data[:]
    for tag in _TYPE.finditer(text):
        what = ooxml.macro_type(tag[1])
        if what:
            walk.found("macro", item, what)
    wordml.inspect(walk, item, text)
    ooxml.relations(walk, item, text)
    if _OLD_MACROS.search(text):
        walk.found("macro", item, "VBA")
    old = _OLD.search(text)
    if old:
        walk.found("tracking", item, f"tracked {old[1].decode().lower()}")
    template = _OLD_TEMPLATE.search(text)
    if template:
        ooxml.relation(walk, item, "attachedtemplate", template[1].decode("utf-8", "replace"))
    for index, found in enumerate(_BINARY.finditer(text)):
        content = transfer.base64(found[1])
        walk.budget.take(len(content))
        walk.member(item, f"binary{index + 1}", content)
