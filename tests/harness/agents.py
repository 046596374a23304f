"""Agents that a test turns by hand, one after the other on the same state, over a real Postfix.

So a test can end one at any point, as a kill does, and see what the next one makes of what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from peewee import Database

from mailweir.agent.loop import Agent
from mailweir.config import Config, load
from mailweir.content.scanner import Scanner
from mailweir.records import db
from mailweir.records.models import Command
from trial.stack import Stack
from trial.waiting import wait_for


class Killed(BaseException):
    """What nothing in the agent catches."""


class House:
    """Agents of one state; `patch` is for what is to hold for one of them only."""

    def __init__(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stack = stack
        self.patch = monkeypatch
        self.config: Config = load(stack.config_file, {})
        self.database: Database = db.connect(self.config)
        self.scanner = Scanner(self.config, clamd=False)

    def agent(self, **clock: Callable[[], float]) -> Agent:
        """A fresh one; to be closed before the next."""
        return Agent(self.config, self.database, lambda: self.scanner, **clock)

    def close(self) -> None:
        """Let go of everything."""
        self.scanner.close()
        self.database.close()


def turn_until(agent: Agent, condition: Callable[[], Any], what: str) -> None:
    """Turn the agent until that holds."""

    def turned() -> bool:
        agent.turn()
        return bool(condition())

    wait_for(turned, what, explain=lambda: str([(row.state, row.result) for row in Command.select()][-1:]))
