"""Office Open XML: macros, macro sheets, tracked changes, remote templates and remote images.

What a part is, its content type and the relationship that leads to it say; its name can be anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailweir.content import wordml, zip_members
from mailweir.content.item import Item
from mailweir.content.walk import Walk

if TYPE_CHECKING:
    from mailweir.content.zip import Archive

TYPES = "[Content_Types].xml"
_PART = re.compile(rb"<(?:\w+:)?(?:Override|Default)\b([^>]*)>")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\b([^>]*)>")
_ATTRIBUTE = re.compile(rb"""([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_SPACE = b"\xef\xbb\xbf \r\n\t"
_MACROS = {b"vnd.ms-office.vbaproject": "VBA", b"macrosheet": "Excel 4.0 macro sheet"}
_REMOTE = re.compile(r"(?:https?|ftp|webdav):|\\\\|//|file:/*\\\\|file://[^/\\]|file:////+[^/]|mhtml:", re.I)


def inspect(walk: Walk, item: Item, archive: Archive) -> set[str]:
    """Report what is seen; returns the names that need no further look."""
    types = archive.text(TYPES)
    word = b"wordprocessingml" in types or b"ms-word" in types
    _macros(walk, item, archive, types)
    plain = {entry.name for entry in archive.entries if _is_plain_xml(archive, entry.name)}
    for name in plain:
        if name.endswith(".rels"):
            relations(walk, item, archive.text(name))
        elif word and not name.endswith(".vml"):
            wordml.inspect(walk, item, archive.text(name))
    return plain


def _macros(walk: Walk, item: Item, archive: Archive, types: bytes) -> None:
    """Parts that are there and whose content type only macros have."""
    for tag in _PART.finditer(types):
        found = attributes(tag[1])
        what = macro_type(found.get(b"ContentType", b""))
        name = found.get(b"PartName", b"").decode("utf-8", "replace").lstrip("/")
        extension = "." + found.get(b"Extension", b"").decode("utf-8", "replace")
        if what and (name in archive.by_name or any(one.endswith(extension) for one in archive.by_name)):
            walk.found("macro", item, what)


def macro_type(content_type: bytes) -> str:
    """Which macros a content type stands for; empty when for none."""
    low = content_type.lower()
    return next((what for mark, what in _MACROS.items() if mark in low), "")


def attributes(tag: bytes) -> dict[bytes, bytes]:
    """The attributes of one XML tag."""
    return {key: one or other for key, one, other in _ATTRIBUTE.findall(tag)}


def relations(walk: Walk, item: Item, text: bytes) -> None:
    """Relationships to macros, and to what stands elsewhere."""
    for tag in _RELATION.finditer(text):
        found = attributes(tag[1])
        kind = found.get(b"Type", b"").rsplit(b"/", 1)[-1].lower()
        if kind == b"vbaproject":
            walk.found("macro", item, "VBA")
        elif kind in (b"xlmacrosheet", b"xlintlmacrosheet"):
            walk.found("macro", item, "Excel 4.0 macro sheet")
        if found.get(b"TargetMode", b"").lower() == b"external":
            relation(walk, item, kind.decode("latin-1"), found.get(b"Target", b"").decode("utf-8", "replace"))


def relation(walk: Walk, item: Item, kind: str, target: str) -> None:
    """An external relationship: a template or a picture fetched from elsewhere."""
    if kind in ("attachedtemplate", "image", "frame", "oleobject", "subdocument") and _REMOTE.match(
        target.strip()
    ):
        what = {"attachedtemplate": "template", "oleobject": "object"}.get(kind, kind)
        walk.found("tracking", item, f"remote {what} {target}")


def _is_plain_xml(archive: Archive, name: str) -> bool:
    """XML is known by now; only its beginning is unpacked, to see that it is nothing else by that name."""
    if not name.endswith((".xml", ".rels", ".vml")):
        return False
    head = zip_members.peek(archive.item.data, archive.by_name[name], 256)
    return not head or head.startswith((b"\xff\xfe", b"\xfe\xff")) or head.lstrip(_SPACE).startswith(b"<")
