"""Text from outside becomes harmless to look at, and loses nothing."""

from __future__ import annotations

import pytest

from mailweir.plain import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("Grüße, 世界 🎉", "Grüße, 世界 🎉"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\r\nb\tc\0", "a\\r\\nb\\tc\\x00"),
        ("invoice\u202egpj.exe", "invoice\\u202egpj.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("pay\u200bpal", "pay\\u200bpal"),
        ("line\u2028next", "line\\u2028next"),
        ("\udcff", "\\udcff"),
        ("a\u00a0b\u3000c", "a b c"),
        ("\U000e0041", "\\U000e0041"),
        ("\x7f", "\\x7f"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_nothing_that_acts_is_left() -> None:
    every = "".join(map(chr, range(0x110000)))
    assert visible(every).isprintable()
