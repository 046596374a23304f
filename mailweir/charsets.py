"""Turns bytes of mail into text by the name of the character set that the mail gives them.

Python knows codecs that are no character sets of mail; some of them take minutes for a long text, others run
escapes that no mail program would. They are told by what Python calls them, as it takes any spelling.
"""

from __future__ import annotations

import codecs

_REFUSED = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"})


def decode(data: bytes, charset: str, errors: str = "strict") -> str | None:
    """The text; None when the character set is unknown, none of mail, or not that of the data."""
    try:
        if codecs.lookup(charset).name in _REFUSED:
            return None
        return data.decode(charset, errors)
    except (LookupError, ValueError):  # ValueError: also of a codec that does not take such errors
        return None
