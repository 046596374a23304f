"""Queue IDs of both kinds, as Postfix 3.7 made them."""

from __future__ import annotations

import pytest

from mailweir.postlog import queue_id


def long_id(seconds: int, micros: int, inode: int) -> str:
    """A long ID made the way mail_queue.h says."""

    def digits(number: int, base: int, width: int) -> str:
        text = ""
        while number:
            number, digit = divmod(number, base)
            text = queue_id.DIGITS[digit] + text
        return text.rjust(width, "0")

    return digits(seconds, 52, 6) + digits(micros, 52, 4) + "z" + digits(inode, 51, 1)


@pytest.mark.parametrize("seconds", [1_000_000_000, 1_795_536_225, 4_000_000_000])
@pytest.mark.parametrize("micros", [0, 1, 999_999])
@pytest.mark.parametrize("inode", [1, 51, 17_563_648])
def test_a_long_id_gives_back_its_time(seconds: int, micros: int, inode: int) -> None:
    assert queue_id.arrival_us(long_id(seconds, micros, inode)) == seconds * 1_000_000 + micros


@pytest.mark.parametrize(
    "text", ["", "z", "ABCDEF12345", "4XyZ", "NOQUEUE", "4Fabcde123z1", "0000000000z", "é" * 16]
)
def test_what_is_not_a_long_id_has_no_arrival(text: str) -> None:
    assert queue_id.arrival_us(text) is None


def test_a_short_id_tells_its_microseconds() -> None:
    assert queue_id.short_micros("3A9F81C2") == 0x3A9F8
    assert queue_id.short_micros("FFFFF1C2") is None  # more than a million
    assert queue_id.short_micros("3A9F8") is None
    assert queue_id.short_micros("warning") is None


def test_is_queue_id_knows_both() -> None:
    assert queue_id.is_queue_id(long_id(1_795_536_225, 5, 99))
    assert queue_id.is_queue_id("3A9F81C2")
    assert not queue_id.is_queue_id("connect")
