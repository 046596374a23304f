"""Makes hostile text safe to show: in terminals, log lines and plain-text mail.

Control characters can drive a terminal or begin a line of their own; bidirectional ones reverse what is read.
"""

from __future__ import annotations


def visible(text: str) -> str:
    r"""The text with everything unprintable written out: `\n`, `\x1b`, `\u202e`; undecodable bytes as `\xff`."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8, carried by surrogateescape (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
