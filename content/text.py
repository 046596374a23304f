"""Text parts: what can hide in them is armoured PGP, PEM-wrapped S/MIME and uuencoded files."""

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
    if data.find(_AGE) >= 0:
        raise Unsupported("encrypted with age")
