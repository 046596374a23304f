"""OpenDocument files: encryption, Basic macros and scripts, tracked changes, remote images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailweir.content.item import Item
from mailweir.content.walk import Walk

if TYPE_CHECKING:
    from mailweir.content.zip import Archive

MANIFEST = "META-INF/manifest.xml"
_REMOTE = re.compile(
    rb'<draw:(?:image|object|object-ole|plugin)\b[^>]*xlink:href="((?:https?|ftp|file://[^/"]|//|\\\\)[^"]*)',
    re.I,
)

_TRACKED = re.compile(rb"""<text:tracked-changes(?:\s+text:track-changes\s*=\s*["'](\w+)["'])?""")


def is_odf(archive: Archive) -> bool:
    """Whether the archive is an OpenDocument file: by its mimetype or its manifest."""
    return archive.text("mimetype").startswith(b"application/vnd.oasis.opendocument") or (
        b"urn:oasis:names:tc:opendocument:xmlns:manifest" in archive.text(MANIFEST)
    )


def inspect(walk: Walk, item: Item, archive: Archive) -> set[str]:
    """Report what is seen; returns the names that need no further look."""
    manifest = archive.text(MANIFEST)
    if b"encryption-data" in manifest or b"encrypted-key" in manifest:
        walk.found("encrypted-odf", item, "OpenPGP" if b"encrypted-key" in manifest else "password")
        return set(archive.by_name)
    scripts = [name for name in archive.by_name if _is_script(name)]
    if scripts:
        walk.found("macro", item, scripts[0])
    content = archive.text("content.xml")
    text(walk, item, content)
    text(walk, item, archive.text("styles.xml"))
    return {name for name in archive.by_name if name.endswith((".xml", ".rdf"))}


def text(walk: Walk, item: Item, content: bytes) -> None:
    """Tracked changes and remote images in the document's text."""
    changes = _TRACKED.search(content)
    if changes and (b"<text:changed-region" in content or changes[1] != b"false"):
        walk.found("tracking", item, "tracked changes")
    remote = _REMOTE.search(content)
    if remote:
        walk.found("tracking", item, "remote image " + remote[1].decode("utf-8", "replace"))


def _is_script(name: str) -> bool:
    if name.startswith("Scripts/"):
        return not name.endswith("/")
    return (
        name.startswith("Basic/")
        and name.endswith(".xml")
        and not name.endswith(("script-lc.xml", "script-lb.xml"))
    )
