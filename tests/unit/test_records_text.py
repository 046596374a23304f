"""Text is stored without loss and compared alike; IDs sort by time and come back from their text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.errors import InputError
from mailweir.records import ids
from mailweir.records.text import fold, reversed_domain, storable
from mailweir.records.texts import trigrams


@given(st.text(alphabet=st.characters()))
def test_storable_is_utf8_without_nul(text: str) -> None:
    kept = storable(text)
    assert "\0" not in kept
    assert storable(kept) == kept
    kept.encode()


def test_storable() -> None:
    assert storable("plain ü") == "plain ü"
    assert storable(b"a\xff\0".decode("utf-8", "surrogateescape")) == "a\\udcff\\x00"


def test_fold_and_domain() -> None:
    assert fold("ÜBER") == "über"
    assert fold(None) == ""
    assert reversed_domain('"a@b"@Example.COM') == "moc.elpmaxe"
    assert reversed_domain("postmaster") == ""


def test_trigrams_are_few_rare_and_quoted() -> None:
    assert trigrams("abc") == '"abc"'
    assert trigrams('a"b') == '"a""b"'
    assert "".join(sorted(trigrams("aaaaaaaa"))) == '""aaa'
    many = trigrams("the quick brown fox jumps over the lazy dog 7x9")
    assert many.count(" AND ") == 4
    assert '"7x9"' in many
    assert '"the"' not in many


@given(st.integers(0, (1 << 62) - 1))
def test_ids_come_back(identifier: int) -> None:
    assert ids.from_text(ids.to_text(identifier)) == identifier


@pytest.mark.parametrize("text", ["", "a", "0", "Z" * 40, "not an id", "ü", "\0"])
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(InputError, match="not a Mail In ID"):
        ids.from_text(text)


def test_ids_rise_whatever_the_clock_does() -> None:
    source = ids.IdSource(3, 5)
    clock = [1000, 1000, 900, 1001, 1001, 0, *([1001] * 200), 5000]
    made = [source.next(milliseconds) for milliseconds in clock]
    assert made == sorted(set(made))
    assert ids.milliseconds_of(made[-1]) == 5000
    assert {(identifier >> ids.SEQUENCE_BITS) & 0x3FFF for identifier in made} == {(3 << ids.SLOT_BITS) | 5}
    assert ids.IdSource(3, 5, last=made[-1]).next(0) > made[-1]
