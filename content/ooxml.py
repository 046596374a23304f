"""Office Open XML: macros, macro sheets, tracked changes, remote templates and remote images.

What a part is, its content type and the relationship that leads to it say; its name can be anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailweir.content import zip_members
from mailweir.content.item import Item
from mailweir.content.walk import Walk

if TYPE_CHECKING:
    from mailweir.content.zip import Archive

TYPES = "[Content_Types].xml"
_ITEM = re.compile(rb"<(?:\w+:)?(?:Override|Default)\b[^>]*>", re.S)
_ATTRIBUTE = re.compile(rb"""\b([\w:]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.S)
_VBA = b"vnd.ms-office.vbaproject"
_SHEET = (b"macrosheet",)
_TRACKED = re.compile(
    rb"<w:(ins|del|moveFrom|moveTo|cellIns|cellDel|cellMerge|numberingChange|"
    rb"(?:r|p|sect|tbl|tblGrid|tblPrEx|tc|tr)(?:Pr)?Change)[\s>]"
)
_SETTING = re.compile(rb"<w:trackRevisions(?:\s+w:val\s*=\s*[\"'](\w+)[\"'])?\s*/?>")
_REMOTE = re.compile(r"(?:https?|ftp|webdav):|\\\\|//|file:/*\\\\|file://[^/\\]|file:////+[^/]|mhtml:", re.I)
_STORY = re.compile(
    r"(?:^|/)(?:document|header|footer|footnotes|endnotes|comments|glossary)[^/]*\.xml$", re.I
)


def inspect(walk: Walk, item: Item, archive: Archive) -> set[str]:
    """Report what is seen; returns the names that need no further look."""
    types = archive.text(TYPES)
    word = b"wordprocessingml" in types or b"ms-word" in types
    macros(walk, item, types)
    for name in archive.by_name:
        if name.endswith(".rels"):
            relations(walk, item, archive.text(name))
        elif word and name.endswith("settings.xml"):
            settings(walk, item, archive.text(name))
        elif word and _STORY.search(name):
            tracked(walk, item, archive.text(name))
    return {entry.name for entry in archive.entries if _is_plain_xml(archive, entry.name)}


def macros(walk: Walk, item: Item, types: bytes) -> None:
    """Content types that only files with macros have."""
    low = types.lower()
    if _VBA in low:
        walk.found("macro", item, "VBA")
    if any(sheet in low for sheet in _SHEET):
        walk.found("macro", item, "Excel 4.0 macro sheet")


def settings(walk: Walk, item: Item, text: bytes) -> None:
    """Word's track-changes switch."""
    switch = _SETTING.search(text)
    if switch and switch[1] not in (b"0", b"false", b"off"):
        walk.found("tracking", item, "revision tracking is on")


def tracked(walk: Walk, item: Item, text: bytes) -> None:
    """Tracked revisions in a story of a Word document."""
    change = _TRACKED.search(text)
    if change:
        walk.found("tracking", item, f"tracked revision (w:{change[1].decode()})")


def relations(walk: Walk, item: Item, text: bytes) -> None:
    """Relationships to macros, and to what stands elsewhere."""
    for tag in re.finditer(rb"<(?:\w+:)?Relationship\b([^>]*)>", text):
        found = {key: one or other for key, one, other in _ATTRIBUTE.findall(tag[1])}
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
    return zip_members.peek(archive.item.data, archive.by_name[name], 256).lstrip(b"\xef\xbb\xbf \r\n\t")[
        :1
    ] in (b"<", b"")
