"""The mail log may be rotated at any time: no delivery is missed, none is counted twice."""

from __future__ import annotations

import json
import smtplib
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.harness.stack import running_stack
from trial.stack import Stack
from trial.waiting import wait_for


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack() as running:
        yield running


def send(stack: Stack, first: int, last: int, domain: str) -> None:
    with smtplib.SMTP("127.0.0.1", stack.ports.smtp) as smtp:
        for number in range(first, last):
            smtp.sendmail("sender@example.com", [f"user{number}@{domain}"], f"Subject: {number}\n\n")


def deliveries(stack: Stack, domain: str) -> Counter[str]:
    lines = stack.mailweir("delivery", "--json", "--all").splitlines()
    counted = Counter(item["recipient"] for item in map(json.loads, lines) if item["status"] == "sent")
    return Counter({address: number for address, number in counted.items() if address.endswith(domain)})


def expect_each_once(stack: Stack, count: int, domain: str) -> None:
    wanted = Counter(f"user{number}@{domain}" for number in range(count))
    wait_for(
        lambda: deliveries(stack, domain) == wanted,
        "each delivery to be recorded once",
        explain=lambda: f"{deliveries(stack, domain)} are",
    )


def test_rotation_while_the_agent_follows(stack: Stack) -> None:
    send(stack, 0, 10, "following.example.org")
    expect_each_once(stack, 10, "following.example.org")
    for part in range(1, 4):
        send(stack, part * 10, part * 10 + 10, "following.example.org")
        stack.postfix.rotate()
    send(stack, 40, 50, "following.example.org")
    assert len(list(stack.postfix.log.parent.iterdir())) == 4
    expect_each_once(stack, 50, "following.example.org")


def test_rotation_while_the_agent_is_down(stack: Stack) -> None:
    send(stack, 0, 10, "down.example.org")
    stack.processes.kill("agent")
    send(stack, 10, 20, "down.example.org")
    stack.postfix.rotate()
    send(stack, 20, 30, "down.example.org")
    stack.start_daemon("agent")
    expect_each_once(stack, 30, "down.example.org")
