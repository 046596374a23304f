"""How text is stored and compared, the same way in both databases.

Stored text holds neither NUL, which PostgreSQL refuses, nor the lone surrogates by which Python carries
bytes that are no UTF-8; compared text is in lower case.
"""

from __future__ import annotations


def storable(text: str) -> str:
    """The text with NUL and undecodable bytes written out (\\x00, \\udcff), so that nothing is lost."""
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def fold(text: str | None) -> str:
    """The text as searches compare it; SQLite calls this by the name fold()."""
    return "" if text is None else text.lower()


def reversed_domain(address: str) -> str:
    """The address's domain backwards in lower case (`moc.elpmaxe`); empty when it has none."""
    return address.rpartition("@")[2].lower()[::-1] if "@" in address else ""
