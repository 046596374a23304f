"""PDF: encrypted only when it does not open without a password; what is embedded is looked at in turn.

Readers open a file that has nothing but an owner password without asking, and so does this.
"""

from __future__ import annotations

import re
from typing import Any

import pikepdf

from mailweir.content.item import Buffer, Item, file_of
from mailweir.content.trouble import Corrupt
from mailweir.content.walk import Walk

_ACTIVE = {"/JavaScript": "JavaScript", "/Launch": "launches a program"}
_END = re.compile(rb"startxref\s+\d+\s+%%EOF")
_TAIL = 2048
# Without one of these names, or a way to hide them, no object needs a look.
_WORTH = re.compile(rb"/(?:ObjStm|JavaScript|JS|Launch|EF|EP|EncryptedPayload)\b|/[A-Za-z]*#[0-9A-Fa-f]{2}")


def look(walk: Walk, item: Item) -> None:
    """Open with the empty password, then with those that were given."""
    document = _document(item.data)
    pdf = _opened(walk, document)
    if pdf is None:
        walk.found("encrypted-pdf", item, "user password")
        return
    with pdf:
        if _WORTH.search(item.data) or pdf.is_encrypted:
            _objects(walk, item, pdf)
        damaged = any("damaged" in warning or "xref" in warning for warning in map(str, pdf.get_warnings()))
    if damaged and not _END.search(document[-_TAIL:]):
        raise Corrupt("cut off")


def _document(data: Buffer) -> Buffer:
    """The PDF alone where it stands in another file, such as a metafile that brings its picture twice."""
    head = data[:_TAIL]
    start = head.find(b"%PDF-")
    if not head[:start].strip():
        return data
    end = data.rfind(b"%%EOF")
    return data if end < 0 else data[start : end + 6]


def _opened(walk: Walk, document: Buffer) -> pikepdf.Pdf | None:
    for password in ["", *walk.passwords]:
        try:
            pdf = pikepdf.open(file_of(document), password=password, suppress_warnings=True)
        except pikepdf.PasswordError:
            continue
        except pikepdf.PdfError as error:
            if "unsupported encryption" in str(error):
                return None
            raise Corrupt(str(error).removeprefix("stream the file").lstrip(" (,:")) from error
        if pdf.is_encrypted:
            walk.unlocked("encrypted-pdf")
        return pdf
    return None


def _objects(walk: Walk, item: Item, pdf: pikepdf.Pdf) -> None:
    """Every dictionary is looked at, wherever it hangs: names, annotations, actions, portfolios."""
    for index, thing in enumerate(pdf.objects):
        if index % 256 == 0:
            walk.budget.tick()
        try:
            _dictionary(walk, item, pdf, thing)
        except (pikepdf.PdfError, ValueError, TypeError, KeyError, AttributeError):
            continue  # one malformed object in a file that opens


def _dictionary(walk: Walk, item: Item, pdf: pikepdf.Pdf, thing: Any) -> None:
    if not isinstance(thing, pikepdf.Dictionary | pikepdf.Stream):
        return
    for one in [thing, *_inner(thing)]:
        kind = str(one.get("/S", ""))
        if kind in _ACTIVE:
            walk.found("active-pdf", item, _ACTIVE[kind])
        if "/EP" in one or one.get("/AFRelationship") == "/EncryptedPayload":
            walk.found("encrypted-pdf", item, "the real document is an encrypted attachment")
        if "/EF" in one:
            _embedded(walk, item, pdf, one)


def _inner(thing: Any) -> list[Any]:
    """Dictionaries written directly within this one, such as an action."""
    values = [thing.get(key) for key in ("/A", "/OpenAction", "/FS", "/Next")]
    extra = thing.get("/AA")
    if isinstance(extra, pikepdf.Dictionary):
        values += [extra.get(key) for key in extra.keys()]  # noqa: SIM118 - not a Python dictionary
    names = thing.get("/Names")
    if isinstance(names, pikepdf.Array):
        values += list(names)
    return [value for value in values if isinstance(value, pikepdf.Dictionary)]


def _embedded(walk: Walk, item: Item, pdf: pikepdf.Pdf, spec: Any) -> None:
    stream = spec["/EF"].get("/F") or spec["/EF"].get("/UF")
    if not isinstance(stream, pikepdf.Stream):
        return
    name = str(spec.get("/UF") or spec.get("/F") or "attachment")
    packed = len(stream.read_raw_bytes())
    content = stream.read_bytes()
    walk.budget.taker(packed)(len(content))
    inside = item.member(name, content)
    if pdf.is_encrypted:
        walk.opened(inside)
    walk.look(inside)
