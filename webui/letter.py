"""A message as the pages show it: its header's fields, its parts, and the text in them. Nothing is rendered.

The same walk that looks for findings takes the message apart here, within the same limits, so what no mail
program could read ends in words too.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from time import monotonic
from urllib.parse import quote

from mailweir import charsets
from mailweir.config import Content
from mailweir.content import mime
from mailweir.content.budget import Budget
from mailweir.content.item import Item
from mailweir.content.trouble import Corrupt, LimitExceeded, Unsupported
from mailweir.content.walk import Hooks, Walk
from mailweir.milter.headers import text_of

SECONDS = 5.0  # for taking a message apart
MOST_FIELDS = 500
LONGEST_FIELD = 20_000  # characters of one field that are shown
LONGEST_TEXT = 200_000  # characters of one part's text that are shown
MOST_PARTS = 500
_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:(.*(?:\n[ \t].*)*)")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_ENDS_WORD = re.compile(r"=\?[^?\s]+\?[bBqQ]\?")


@dataclass(frozen=True)
class Field:
    """One field of a header; `meaning` is its text with encoded words decoded, where it has any."""

    name: str
    text: str
    meaning: str = ""

    @property
    def lines(self) -> list[str]:
        """The text as it is folded."""
        return self.text.expandtabs().split("\n")


@dataclass(frozen=True)
class Part:
    """One part of a message; text is None where it is no text, is_cut says that there is more of it."""

    path: str
    name: str
    type: str
    data: bytes
    text: str | None = None
    is_cut: bool = False

    @property
    def lines(self) -> list[str]:
        """The text's lines."""
        return (self.text or "").expandtabs().split("\n")


@dataclass(frozen=True)
class Parts:
    """The parts found; trouble says in words why there are no more."""

    found: list[Part]
    trouble: str = ""


def header(data: bytes) -> list[Field]:
    """The fields of a message's header in their order; a line that is none is a field without a name."""
    block = data.partition(b"\n\n")[0].decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    fields: list[Field] = []
    at = 0
    while at < len(block) and len(fields) < MOST_FIELDS:
        match = _FIELD.match(block, at)
        if match is None:
            end = block.find("\n", at)
            end = len(block) if end < 0 else end
            fields.append(Field("", block[at:end][:LONGEST_FIELD]))
            at = end + 1
            continue
        text = match[2].strip()[:LONGEST_FIELD]
        fields.append(Field(match[1], text, _meaning(text)))
        at = match.end() + 1
    return fields


def _meaning(text: str) -> str:
    """The text with RFC 2047 words decoded; "" when it has none."""
    if not _ENDS_WORD.search(text):
        return ""
    raw = text.encode("utf-8", "surrogateescape")
    return text_of(raw, len(raw)).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def parts(data: bytes, limits: Content) -> Parts:
    """What the message consists of, as far as the limits allow."""
    found: list[Item] = []

    def attached(item: Item) -> None:
        if len(found) >= MOST_PARTS:
            raise LimitExceeded(f"more than {MOST_PARTS} parts", whole=True)
        found.append(item)

    hooks = Hooks(report=_ignore, opened=_ignore, attached=attached, isolate=lambda *_: None)
    walk = Walk(Budget(limits, monotonic() + SECONDS), hooks)
    trouble = ""
    try:
        mime.look(walk, Item("", "", data))
    except (LimitExceeded, Corrupt, Unsupported) as error:
        trouble = str(error)
    return Parts([_part(item) for item in found], trouble)


def _ignore(_: object) -> None:
    pass


def _part(item: Item) -> Part:
    data = bytes(item.data[:])
    if not item.type.startswith("text/") or b"\0" in data[:LONGEST_TEXT]:
        return Part(item.part, item.name, item.type, data)
    text = _decoded(data[: 4 * LONGEST_TEXT], item.charset).replace("\r\n", "\n")
    return Part(item.part, item.name, item.type, data, text[:LONGEST_TEXT], len(text) > LONGEST_TEXT)


def _decoded(data: bytes, charset: str) -> str:
    for name in (charset, "utf-8"):
        if (text := charsets.decode(data, name)) is not None:
            return text
    return data.decode("cp1252", "replace")


def attachment(name: str) -> str:
    """Content-Disposition (RFC 6266) of a part: to be stored, never shown, under a harmless name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = _UNSAFE.sub("_", plain).strip("._")[-100:] or "part"
    shown = "".join(
        character if character.isprintable() and character not in "/\\" else "_" for character in name
    )
    extended = quote(shown[-150:].lstrip("."), safe="", errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{extended or plain}"
