"""What a file is, by its first (or last) bytes and never by its name.

Returns one of the formats that walk.py knows, or an empty string for what needs no look inside: pictures,
sound, programs and unknown bytes.
"""

from __future__ import annotations

import re

from mailweir.content import pgp_packets
from mailweir.content.item import Buffer, Item

_START = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08PK", "zip"),
    (b"PK00PK\x03\x04", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
)
_PDF = re.compile(rb"%PDF-\d")
_CMS = re.compile(
    rb"\x30(?:\x80|[\x00-\x7f]|\x81.|\x82..|\x83...|\x84....)\x06[\x09\x0b]\x2a\x86\x48\x86\xf7\x0d\x01(?:\x07|\x09\x10\x01)",
    re.S,
)
_TEXT = re.compile(rb"[^\x00-\x08\x0e-\x1a\x1c-\x1f]*\Z")
_HEADER = re.compile(rb"(?:>?From [^\n]*\n)?(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+", re.S)
_MAIL = re.compile(
    rb"^(?:received|return-path|from|date|mime-version|message-id|delivered-to|content-type):",
    re.I | re.M,
)
HEAD = 4096


def sniff(item: Item) -> str:
    """The item's format."""
    data = item.data
    head = data[:HEAD]
    for signature, format_ in _START:
        if head.startswith(signature):
            return format_
    if _PDF.search(head, 0, 1024 + 8):
        return "pdf"
    if _CMS.match(head):
        return "cms"
    if not data:
        return ""
    if item.type.startswith("message/") or looks_like_mail(head):
        return "message"
    if _TEXT.match(head):
        return "text"
    if pgp_packets.looks_like(data):
        return "pgp"
    if data.rfind(b"PK\x05\x06", max(0, len(data) - 65_557)) >= 0:
        return "zip"
    return ""


def looks_like_mail(head: bytes) -> bool:
    """Whether this begins like an RFC 5322 message: a header block with at least two of its fields."""
    block = _HEADER.match(head)
    return block is not None and len({name.lower() for name in _MAIL.findall(block[0])}) >= 2


def is_message(data: Buffer) -> bool:
    """Whether a file given by hand should be read as a message."""
    return looks_like_mail(data[:HEAD])
