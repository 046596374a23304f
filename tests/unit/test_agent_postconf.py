"""What Postfix's own settings mean for the policies."""

from __future__ import annotations

import pytest

from mailweir.agent.postconf import PostfixSettings, contradiction, parse

DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5d", 5 * DAY), ("5", 5 * DAY), ("36h", 1.5 * DAY), ("2w", 14 * DAY), ("90 s", 90.0), ("$x", 0.0)],
)
def test_postconf_s_answer(text: str, seconds: float) -> None:
    output = f"recipient_delimiter = +-\nmaximal_queue_lifetime = {text}\nenable_long_queue_ids = yes\n"
    output += "relay_domains = Example.ORG, hash:/etc/postfix/relay !not.example\nmydestination =\n"
    assert parse(output) == PostfixSettings("+-", frozenset({"example.org"}), seconds, True)
    assert parse("recipient_delimiter =\n").recipient_delimiter == ""


def test_a_lifetime_shorter_than_the_policies_and_short_ids_are_told() -> None:
    assert contradiction(PostfixSettings(lifetime=11 * DAY), 10.5 * DAY) == ""
    told = contradiction(PostfixSettings(lifetime=10 * DAY, long_ids=False), 10.5 * DAY)
    assert "postconf -e maximal_queue_lifetime=11d" in told
    assert "enable_long_queue_ids=yes" in told
