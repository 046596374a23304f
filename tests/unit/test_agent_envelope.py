"""Reading postcat's output, and telling one message from another."""

from __future__ import annotations

import pytest

from mailweir.agent import envelope

ONE = b"""*** ENVELOPE RECORDS deferred/A/4jYnnw4lpSzJ99s ***
message_size: 508 733 2 0 508 1
message_arrival_time: Tue Nov 24 16:09:54 2026
create_time: Tue Nov  3 16:09:56 2026
named_attribute: log_ident=4jYnnt3fJgzJ9C8
named_attribute: encoding=8bit
named_attribute: client_name=sender: eve@evil.example
sender: alice@far.example
named_attribute: helo_name=vm\x85sender: eve@evil.example
named_attribute: notify_flags=10
named_attribute: dsn_orig_rcpt=rfc822;bob+x@ours.example
original_recipient: bob+x@ours.example
recipient: bob@ours.example
sender: eve@evil.example
done_recipient: done@ours.example
recipient: b\xff@ours.example
*** MESSAGE CONTENTS deferred/A/4jYnnw4lpSzJ99s ***
*** HEADER EXTRACTED deferred/A/4jYnnw4lpSzJ99s ***
*** MESSAGE FILE END deferred/A/4jYnnw4lpSzJ99s ***
"""
NULL = b"""*** ENVELOPE RECORDS hold/0A1B2C3D4E ***
message_arrival_time: Tue Nov 24 16:09:54 2026
sender:
recipient: bob@ours.example
*** MESSAGE FILE END hold/0A1B2C3D4E ***
"""


def test_all_that_is_compared_and_shown() -> None:
    first, second = envelope.read(ONE + NULL)
    assert first == envelope.Envelope(
        "4jYnnw4lpSzJ99s",
        "deferred",
        1793722196,
        1795536594,
        "alice@far.example",
        [
            envelope.Addressee("bob@ours.example", "bob+x@ours.example", "rfc822;bob+x@ours.example", 10),
            envelope.Addressee("b\\xff@ours.example"),
        ],
        ["done@ours.example"],
        {"log_ident": "4jYnnt3fJgzJ9C8", "encoding": "8bit", "message_size": "508 733 2 0 508 1"},
    )
    assert envelope.Envelope.from_dict(first.as_dict()) == first
    assert (second.queue, second.sender, second.created) == ("hold", "", 1795536594)
    assert second.addresses == ["bob@ours.example"]


@pytest.mark.parametrize("missing", [b"sender:", b"message_arrival_time"])
def test_half_a_file_is_an_error_and_no_guess(missing: bytes) -> None:
    with pytest.raises(ValueError, match="no sender or no time"):
        envelope.read(NULL.replace(missing, b"other"))


@pytest.mark.parametrize(
    ("arrival", "slack", "sender", "same"),
    [
        (1793722196.4, 0, "alice@far.example", True),
        (1793722196.4, 0, "alice@FAR.example", True),
        (1793722196.4, 0, "Alice@far.example", False),
        (1793722196.4, 0, "", False),
        (1793722200.0, 0, "alice@far.example", False),
        (1793722192.0, 0, "alice@far.example", False),
        (1793722900.0, 3600, "alice@far.example", True),
        (1793722192.0, 3600, "alice@far.example", False),
    ],
)
def test_the_same_message_or_another_one(arrival: float, slack: float, sender: str, same: bool) -> None:
    (seen,) = envelope.read(ONE)
    assert (envelope.difference(seen, int(arrival * 1e6), slack, sender) == "") is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a@B.example", "a@b.example", True),
        ("A@b.example", "a@b.example", False),
        ('"john doe"@b.example', "john doe@b.example", True),
        ('"a\\"b@c"@b.example', 'a"b@c@b.example', True),
        ("", "", True),
        ("", "@", True),
        ("root", "root@b.example", False),
    ],
)
def test_two_spellings_of_an_address(one: str, other: str, same: bool) -> None:
    assert envelope.same_address(one, other) is same
