"""Postfix, its receiving servers and the queue-helper, for agents that the test turns by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.agents import House
from trial.stack import Stack
from trial.waiting import wait_for


@pytest.fixture
def house(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The queue is listed in each turn."""
    stack = Stack(state, settings={"postfix.queue_interval": 0.0}, postfix_settings={"in_flow_delay": "0"})
    try:
        stack.configure()
        stack.start_receiver()
        stack.postfix.start()
        stack.start_daemon("queue-helper")
        wait_for((state / "run" / "helper.sock").is_socket, "the queue-helper")
        house = House(stack, monkeypatch)
        yield house
        house.close()
    finally:
        stack.stop()
