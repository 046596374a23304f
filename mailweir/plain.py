"""Makes text that came from outside safe to look at, on a terminal and on a page.

A subject or a remote reply may hold escape sequences that drive the terminal, or characters that turn the
text around or hide in it; each is shown as what it is instead of doing what it does.
"""

from __future__ import annotations

import unicodedata


def visible(text: str) -> str:
    """The text with every character that does not show itself written out: `\\x1b`, `\\u202e`, `\\udcff`.

    That is control and format characters (bidirectional marks and joiners among them), line and paragraph
    separators, private and unassigned characters, and the lone surrogates that stand for invalid bytes.
    Unusual spaces become plain ones.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _shown(character) for character in text)


def _shown(character: str) -> str:
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")
