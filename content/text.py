"""Text parts: what can hide in them is armoured PGP, PEM-wrapped S/MIME and uuencoded files."""

from __future__ import annotations

import binascii
import re

from mailweir.content import pgp, uu
from mailweir.content.item import Item
from mailweir.content.walk import Walk

_PEM = re.compile(rb"-----BEGIN (?:PKCS7|CMS)-----(.{1,200000000}?)(?:-----END|\Z)", re.S)


def look(walk: Walk, item: Item) -> None:
    """Each check begins with a plain search, so ordinary text costs next to nothing."""
    data = item.data
    if data.find(pgp.MARK) >= 0:
        pgp.armoured(walk, item)
    if data.find(b"begin ") >= 0 or data.find(b"begin-base64 ") >= 0:
        for name, content in uu.files(data):
            walk.budget.take(len(content))
            walk.member(item, name, content)
    if data.find(b"-----BEGIN PKCS7") >= 0 or data.find(b"-----BEGIN CMS") >= 0:
        for pem in _PEM.finditer(data):
            letters = re.sub(rb"[^A-Za-z0-9+/=]", b"", pem[1])
            walk.member(item, "", binascii.a2b_base64(letters + b"=="))
