"""Replies explained: whose side it is and what happened, for classic texts and whatever servers invent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.records.reason_table import CODES, PHRASES, REPLIES, STAGES, Side
from mailweir.records.reasons import explain, of_delivery, of_recipient
from mailweir.records.words import Outcome, Status

SAID = "host mx.example.com[192.0.2.1] said: "  # stands for ! below
ADDRESS, NETWORK, RULES = Side.ADDRESS, Side.NETWORK, Side.THEIR_POLICY
RCPT = " (in reply to RCPT TO command)"


@pytest.mark.parametrize(
    ("dsn", "reply", "side", "what"),
    [
        ("5.0.0", "! 553 sorry, mailbox syntax incorrect" + RCPT, ADDRESS, "mailbox name is not allowed"),
        ("5.0.0", "! 550 Requested action not taken: mailbox unavailable", ADDRESS, "is unavailable"),
        ("5.1.1", "! 550 5.1.1 <x@y>: Recipient address rejected" + RCPT, ADDRESS, "no such mailbox"),
        ("5.1.1", "! 550-5.1.1 The email account that you tried to reach", ADDRESS, "no such mailbox"),
        ("5.7.1", "! 550 5.7.1 Denied by policy", RULES, "policy does not allow"),
        ("5.0.0", "! 554 Message refused by policy", RULES, "policy does not allow"),
        ("5.3.4", "! 552 5.3.4 Message size exceeds fixed limit", Side.MESSAGE, "larger than the receiving"),
        ("5.0.0", "! 552 Requested mail action aborted: storage", Side.RECIPIENT, "too large there, or"),
        ("5.2.2", "! 552 5.2.2 The account is over quota", Side.RECIPIENT, "mailbox is full"),
        ("5.0.0", "! 550 Invalid recipient <a@b>", ADDRESS, "no such mailbox"),
        ("5.0.0", "! 554 delivery error: This user doesn't have a x.com account", ADDRESS, "no account"),
        ("5.0.0", "! 550 Rule imposed mailbox access for a@b refused: user invalid", RULES, "A rule of"),
        ("4.4.1", "connect to mx.a[192.0.2.1]:25: Connection timed out", NETWORK, "did not answer in time"),
        ("4.4.1", "connect to mx.a[192.0.2.1]:25: Connection refused", NETWORK, "refused the connection"),
        ("4.4.1", "connect to mx.a[2001:db8::1]:25: No route to host", NETWORK, "no network route"),
        ("5.4.4", "Host or domain name not found. Name service error for name=x type=A",
         NETWORK, "DNS did not answer"),
        ("5.4.6", "mail for example.org loops back to myself", Side.OUR_SERVER, "MX, but is not set up"),
        ("4.2.0", "! 450 4.2.0 <x>: Recipient address rejected: Greylisted", RULES, "greylisting"),
        ("5.7.1", "! 554 5.7.1 Service unavailable; blocked using spamhaus", Side.SENDER, "reputation"),
        ("5.7.1", "! 554 5.7.1 <x>: Relay access denied" + RCPT, Side.THEIR_SERVER, "does not take mail for"),
        ("5.7.26", "! 550 5.7.26 Unauthenticated email from x", Side.SENDER, "authentication"),
        ("5.1.10", "! 550 5.1.10 RESOLVER.ADR.RecipientNotFound", ADDRESS, "no mail at all"),
        ("4.4.2", "lost connection with mx.a[192.0.2.1] while sending RCPT TO", NETWORK, "broke off"),
        ("5.0.0", "", Side.UNKNOWN, "no closer reason"),
        ("", "250 fine", Side.UNKNOWN, "not one that Mailweir knows"),
    ],
)  # fmt: skip
def test_classic_replies(dsn: str, reply: str, side: Side, what: str) -> None:
    reason = explain(dsn, reply.replace("! ", SAID))
    assert (reason.side, what in reason.what) == (side, True), reason
    assert reason.advice


def test_code_enhanced_and_stage() -> None:
    reason = explain("5.1.1", SAID + "550 5.1.1 unknown" + RCPT)
    assert (reason.code, reason.enhanced, reason.stage) == ("550", "5.1.1", "when the recipient was named")
    assert not reason.temporary
    late = explain("4.3.0", SAID + "451 4.3.0 try later (in reply to end of DATA command)")
    assert (late.code, late.stage, late.temporary) == ("451", "after the whole message was sent", True)
    assert explain("4.4.1", "connect to a[192.0.2.1]:25: Connection refused").stage == STAGES["connect"]


def test_host_names_are_not_words_of_the_reply() -> None:
    reply = "host spam-virus-filter.example[192.0.2.1] said: 550 5.1.1 unknown"
    assert explain("5.1.1", reply).side is Side.ADDRESS


def test_tables_are_complete() -> None:
    """Every detail of RFC 3463 and every reply code of RFC 5321 that refuses."""
    rfc3463 = {1: 8, 2: 4, 3: 5, 4: 7, 5: 5, 6: 5, 7: 7}
    for subject, last in rfc3463.items():
        for detail in range(last + 1):
            assert f"{subject}.{detail}" in CODES
    for code in (421, 450, 451, 452, 455, 500, 501, 502, 503, 504, 550, 551, 552, 553, 554, 555):
        assert code in REPLIES
    for entry in [*CODES.values(), *REPLIES.values(), *(entry for _, entry in PHRASES)]:
        assert entry.what.endswith(".")
        assert entry.advice.endswith((".", "?"))


def test_recipients_and_attempts() -> None:
    assert of_recipient(Status.DELIVERED, "2.0.0", "250 ok", "accept") == ""
    assert of_recipient(Status.QUEUED, "", "", "accept") == ""
    assert "no such mailbox" in of_recipient(Status.FAILED, "5.1.1", "550 5.1.1 no", "accept")


def test_what_a_policy_stalled_is_told_from_what_somebody_put_on_hold() -> None:
    assert "policy" in of_recipient(Status.STALLED, "", "", "stall")
    for held in (("", "", "accept"), ("", "", ""), ("4.4.1", "connection refused", "stall")):
        assert "put on hold" in of_recipient(Status.STALLED, *held)
    assert of_delivery(Outcome.SENT, "2.0.0", "250 user unknown") == ""
    assert "(The recipient's address.)" in of_delivery(Outcome.BOUNCED, "5.1.1", "550 5.1.1 no")


@given(st.text(max_size=300), st.text(max_size=20))
def test_anything_is_answered(reply: str, dsn: str) -> None:
    assert explain(dsn, reply).sentence()


def test_huge_replies_are_answered_at_once() -> None:
    assert explain("5.0.0", SAID + "550 " + "polic size account " * 100_000).what
