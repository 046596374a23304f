"""Text parts: armoured PGP, PEM-wrapped S/MIME, uuencoded files, and Word's HTML with tracked revisions."""

from __future__ import annotations

import re

from mailweir.content import pgp, transfer, uu
from mailweir.content.item import Item
from mailweir.content.trouble import Unsupported
from mailweir.content.walk import Walk

_PEM = re.compile(rb"-----BEGIN (?:PKCS7|CMS)-----(.{1,200000000}?)(?:-----END|\Z)", re.S)
# SYLK, Excel's old text format: the option E marks a macro sheet.
_SYLK_MACROS = re.compile(rb"^O;(?:[^;\r\n]*;)*E[;\r\n]", re.M)
_AGE = b"-----BEGIN AGE ENCRYPTED FILE-----"
# What `openssl enc -a` writes: "Salted__", the salt and at least one block; the mark alone is mere talk.
_OPENSSL = re.compile(rb"^[ \t>]*U2FsdGVkX1[0-9A-Za-z+/=\r\n>]{33}", re.M)
_WORD = b"urn:schemas-microsoft-com:office:word"
# Word names the author as a mail address; other HTML's <ins> and <del> cite the address of a page, if any.
_REVISION = re.compile(
    rb"""<(ins|del)\b[^<>]{0,500}\bcite\s*=\s*["']?mailto:[^<>]{0,500}\bdatetime\b""", re.I
)
_TRACKING = re.compile(rb"<w:TrackRevisions\s*/?>", re.I)


def mime_of(name: str) -> str:
    """pkcs7 for the names that S/MIME files have."""
    return "pkcs7" if name.lower().endswith((".p7m", ".p7c", ".p7s", ".p7")) else ""


def look(walk: Walk, item: Item) -> None:
    """Each check begins with a plain search, so ordinary text costs next to nothing."""
    data = item.data
    if data[:4] == b"ID;P" and _SYLK_MACROS.search(data):
        walk.found("macro", item, "Excel 4.0 macro sheet")
    if data.find(pgp.MARK) >= 0:
        pgp.armoured(walk, item)
    if data.find(b"begin ") >= 0 or data.find(b"begin-base64 ") >= 0:
        for name, content in uu.files(data):
            walk.budget.take(len(content))
            walk.member(item, name, content)
    if data.find(b"-----BEGIN PKCS7") >= 0 or data.find(b"-----BEGIN CMS") >= 0:
        for pem in _PEM.finditer(data):
            walk.member(item, "", transfer.base64(pem[1]))
    if data[:2] == b"MI" and "pkcs7" in item.type + mime_of(item.name):
        walk.member(item, "", transfer.base64(data[:]))
    if data.find(_WORD) >= 0:
        _word_html(walk, item)
    if data.find(b"U2FsdGVkX1") >= 0 and _OPENSSL.search(data):
        raise Unsupported("encrypted with openssl")
    if data.find(_AGE) >= 0:
        raise Unsupported("encrypted with age")


def _word_html(walk: Walk, item: Item) -> None:
    """What Word saves as a web page, and as a single file (MHT) too."""
    revision = _REVISION.search(item.data)
    if revision:
        what = "insertion" if revision[1].lower() == b"ins" else "deletion"
        walk.found("tracking", item, f"tracked {what}")
    if _TRACKING.search(item.data):
        walk.found("tracking", item, "revision tracking is on")
