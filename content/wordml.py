"""WordprocessingML text: tracked revisions, the switch for them, and fields that fetch pictures.

The namespace decides and not the prefix, which is "w" when Word writes the file, and anything in other hands.
"""

from __future__ import annotations

import re
from functools import lru_cache

from mailweir.content import ooxml
from mailweir.content.item import Item
from mailweir.content.walk import Walk

_NAMESPACE = re.compile(
    rb"""xmlns(?::([\w.-]+))?\s*=\s*["'](?:http://schemas\.openxmlformats\.org/wordprocessingml/2006/main"""
    rb"""|http://purl\.oclc\.org/ooxml/wordprocessingml/main|http://schemas\.microsoft\.com/office/word/2003/wordml)["']"""
)
_REVISIONS = (
    rb"ins|del|moveFrom|moveTo|cellIns|cellDel|cellMerge|numberingChange|"
    rb"(?:r|p|sect|tbl|tblGrid|tblPrEx|tc|tr)(?:Pr)?Change"
)
_FIELD = re.compile(rb"INCLUDEPICTURE\s+(?:&quot;|&#34;|\")?\s*([^\s\"<&]{4,2000})", re.I)
_OFF = (b"0", b"false", b"off")


def inspect(walk: Walk, item: Item, text: bytes) -> None:
    """Report what the text of one part, or of a whole flat file, shows."""
    for prefix in {match[1] or b"" for match in _NAMESPACE.finditer(text)}:
        revision, switch, protection = _patterns(prefix)
        change = revision.search(text)
        if change:
            walk.found("tracking", item, f"tracked revision (w:{change[1].decode()})")
        on = switch.search(text)
        if (on and on[1] not in _OFF) or protection.search(text):
            walk.found("tracking", item, "revision tracking is on")
    for field in _FIELD.finditer(text):
        ooxml.relation(walk, item, "image", field[1].decode("utf-8", "replace"))


@lru_cache(maxsize=16)
def _patterns(prefix: bytes) -> tuple[re.Pattern[bytes], re.Pattern[bytes], re.Pattern[bytes]]:
    """For revisions, the switch with its value, and protection that allows tracked changes only."""
    colon = re.escape(prefix + b":" if prefix else b"")
    value = rb"""\s*=\s*["'](\w*)["']"""
    return (
        re.compile(rb"<" + colon + rb"(" + _REVISIONS + rb")[\s/>]"),
        re.compile(rb"<" + colon + rb"trackRevisions(?:\s+[\w.-]*:?val" + value + rb")?\s*/?>"),
        re.compile(rb"<" + colon + rb"documentProtection\b[^>]*edit\s*=\s*[\"']trackedChanges[\"']"),
    )
