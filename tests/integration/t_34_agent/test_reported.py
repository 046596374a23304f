"""What the agent reports of its node's Postfix, for pages that run where no Postfix is."""

from __future__ import annotations

from mailweir.agent import health, publish
from tests.harness.agents import House, turn_until


def test_the_pages_compare_addresses_as_postfix_does(house: House) -> None:
    assert publish.load().recipient_delimiter == ""
    house.stack.postfix.command("postconf", "-e", "recipient_delimiter=+-")
    agent = house.agent()
    turn_until(agent, health.delimiters, "the report")
    agent.close()
    assert publish.load().recipient_delimiter == "+-"
