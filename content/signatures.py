"""clamd's answers in our words: a virus, or one of its heuristics that names what the walk looks for too."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailweir.content.findings import KINDS, Finding
from mailweir.content.item import Buffer, Collector, Item, windows
from mailweir.content.walk import Walk

_HEURISTICS = (
    (re.compile(r"Heuristics\.Encrypted\.(?:Encrypted)?(?:Zip|Arj)", re.I), "encrypted-zip"),
    (re.compile(r"Heuristics\.Encrypted\.(?:Encrypted)?RAR", re.I), "encrypted-rar"),
    (re.compile(r"Heuristics\.Encrypted\.(?:Encrypted)?7Zip", re.I), "encrypted-7z"),
    (re.compile(r"Heuristics\.Encrypted\.(?:Encrypted)?PDF", re.I), "encrypted-pdf"),
    (re.compile(r"Heuristics\.Encrypted", re.I), "encrypted-office"),
    (re.compile(r"Heuristics\.OLE2\.ContainsMacros", re.I), "macro"),
    (re.compile(r"Heuristics\.Limits\.Exceeded", re.I), "limit-exceeded"),
    (re.compile(r"Heuristics\.Broken", re.I), "corrupt"),
)
# What clamd takes for mail by its first bytes; anything else gets an mbox line in front.
_MAIL = (
    b"From ",
    b"Received: ",
    b"Return-Path: ",
    b"Return-path: ",
    b"From: ",
    b"To: ",
    b"Date: ",
    b"Subject: ",
)


def as_mail(data: Buffer) -> Buffer:
    """The message such that clamd reads it as mail and opens its attachments."""
    if data[:16].startswith(_MAIL):
        return data
    out = Collector()
    out.write(b"From mailweir\n")
    for piece in windows(data):
        out.write(piece)
    return out.buffer()


def report(walk: Walk, findings: Sequence[Finding], item: Item, name: str) -> None:
    """Add what clamd named; its heuristics only where the walk came to nothing of that class by itself.

    The walk opens what clamd merely suspects: a PDF with nothing but an owner password, for example.
    """
    for pattern, kind in _HEURISTICS:
        if pattern.match(name):
            known = kind in walk.readable or any(finding.cls is KINDS[kind] for finding in findings)
            if not known:
                walk.found(kind, item, name)
            return
    walk.found("virus", item, name)
