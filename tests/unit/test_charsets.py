"""Which character sets of mail are decoded, and which codecs nobody gets at by another spelling."""

from __future__ import annotations

import pytest

from mailweir import charsets
from mailweir.content.headers import Header
from mailweir.milter.headers import text_of
from mailweir.webui import letter

SPELLINGS = ("punycode", "PunyCode", "-punycode", "punycode-", "+idna", "IDNA", "unicode_escape", "utf-7")


@pytest.mark.parametrize("name", SPELLINGS)
def test_what_is_no_character_set_of_mail_is_left_alone(name: str) -> None:
    r"""A long text in Punycode would take minutes, and b'\\u0041' would turn into something else."""
    assert charsets.decode(b"A-9z", name) is None
    word = f"=?{name}?q?A-9z?=".encode()
    assert text_of(word) == "A-9z"
    assert (
        Header(b'Content-Disposition: attachment; filename="' + word + b'"', b"text/plain").filename == "A-9z"
    )
    (field,) = letter.header(b"Subject: " + word + b"\n\n")
    assert field.meaning == "A-9z"


def test_others_are_decoded() -> None:
    assert charsets.decode(b"\xfc", "ISO-8859-1") == "ü"
    assert charsets.decode(b"\x83\x65", "shift_jis") == "テ"
    assert (charsets.decode(b"\xfc", "utf-8"), charsets.decode(b"a", "no such")) == (None, None)
    assert charsets.decode(b"a\xfcb", "ascii", "replace") == "a\ufffdb"
