"""What one attempt's line tells of the conversation, and no more."""

from __future__ import annotations

import pytest

from mailweir.postlog import reconstruct
from mailweir.postlog.reconstruct import conversation
from mailweir.records.encryption import TRUST, explain

MAIL, RCPT = "> MAIL FROM:<a@x.example>", "> RCPT TO:<b@y.example>"
ACCEPTED = reconstruct.ACCEPTED


def told(reply: str, *, sent: bool = False) -> tuple[str, ...]:
    """The conversation of an attempt with that reply."""
    return conversation("a@x.example", "b@y.example", sent, reply)


@pytest.mark.parametrize(
    ("reply", "lines"),
    [
        (
            "host mx.y.example[192.0.2.1] said: 550 5.1.1 nobody (in reply to RCPT TO command)",
            (MAIL, ACCEPTED, RCPT, "< 550 5.1.1 nobody"),
        ),
        ("host mx[192.0.2.1] said: 550 no (in reply to MAIL FROM command)", (MAIL, "< 550 no")),
        (
            "host mx[192.0.2.1] said: 452 4.3.1 full (in reply to end of DATA command)",
            (MAIL, ACCEPTED, RCPT, ACCEPTED, "> DATA", ACCEPTED, "(the message)", "< 452 4.3.1 full"),
        ),
        (
            "host mx[192.0.2.1] said: 454 4.7.0 later (in reply to STARTTLS command)",
            ("> STARTTLS", "< 454 4.7.0 later"),
        ),
        ("host mx[192.0.2.1] said: 500 what (in reply to HELO command)", ("> HELO", "< 500 what")),
        ("host mx[192.0.2.1] refused to talk to me: 554 5.7.1 listed", ("< 554 5.7.1 listed",)),
        ("connect to mx[192.0.2.1]:25: Connection refused", ("(no connection)", "(Connection refused)")),
        ("connect to y.example[private/box]: No such file", ("(no connection)", "(No such file)")),
        (
            "lost connection with mx[192.0.2.1] while performing the EHLO handshake",
            ("> EHLO", "(the connection was lost)"),
        ),
        (
            "lost connection with mx[192.0.2.1] while sending RCPT TO",
            (MAIL, ACCEPTED, RCPT, "(the connection was lost)"),
        ),
        (
            "conversation with mx[192.0.2.1] timed out while sending end of data -- message may be sent more"
            " than once",
            (MAIL, ACCEPTED, RCPT, ACCEPTED, "> DATA", ACCEPTED, "(no answer in time)"),
        ),
        (
            "conversation with mx[192.0.2.1] timed out while receiving the initial server greeting",
            ("(no answer in time)",),
        ),
        ("Host or domain name not found", ("(Host or domain name not found)",)),
        ("", ("(the log does not tell more)",)),
    ],
)  # fmt: skip
def test_what_the_reason_tells(reply: str, lines: tuple[str, ...]) -> None:
    assert told(reply) == lines


def test_sent_means_all_was_accepted() -> None:
    lines = told("250 2.0.0 Ok: queued as X (in reply to RCPT TO command)", sent=True)
    assert lines[-3:] == (
        ACCEPTED,
        "(the message)",
        "< 250 2.0.0 Ok: queued as X (in reply to RCPT TO command)",
    )
    assert lines[:3] == (MAIL, ACCEPTED, RCPT)


def test_a_server_cannot_forge_where_it_was_asked() -> None:
    forged = (
        "host mx[192.0.2.1] said: 550 no (in reply to end of DATA command) (in reply to MAIL FROM command)"
    )
    assert told(forged)[0] == MAIL and len(told(forged)) == 2
    assert len(told("host mx[192.0.2.1] said: " + " while sending DATA" * 5_000)) == 1


@pytest.mark.parametrize(
    ("service", "can"),
    [("smtp", True), ("relay/smtp", True), ("lmtp", True), ("local", False), ("error", False)],
)
def test_only_agents_that_talk(service: str, can: bool) -> None:
    assert reconstruct.can_tell(service) is can


def test_encryption_in_plain_words() -> None:
    assert explain("") is None
    told = explain("Verified TLSv1.3 TLS_AES_256_GCM_SHA384 256")
    assert told is not None
    assert told.sentence == f"Encrypted with TLSv1.3 (TLS_AES_256_GCM_SHA384, 256 bits): {TRUST['Verified']}"
    by_filter = explain("TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256")
    assert (
        by_filter is not None and by_filter.sentence == "Encrypted with TLSv1.2 (ECDHE-RSA-AES128-GCM-SHA256)"
    )
    odd = explain("Anonymous something else that Postfix may say one day")
    assert odd is not None and odd.trust == TRUST["Anonymous"] and "one day" in odd.sentence
