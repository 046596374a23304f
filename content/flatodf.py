"""OpenDocument in one XML file (.fodt and kin)."""

from __future__ import annotations

import re

from mailweir.content import odf
from mailweir.content.item import Item
from mailweir.content.walk import Walk

_MODULE = re.compile(rb"<(?:ooo:module|script:module|ooo:source-code|script:script)\b")


def look(walk: Walk, item: Item) -> None:
    """The same things as in the packaged form, in one text."""
    text = item.data[:]
    if _MODULE.search(text):
        walk.found("macro", item, "Basic")
    odf.text(walk, item, text)
