"""Waiting for a condition with a deadline.

Daemons tell nobody when they are ready, so trial and tests look again and again, and give up in words.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL = 0.05  # seconds between two looks


class WaitedTooLong(Exception):
    """The condition did not come true in time; the message says which."""


def wait_for(
    condition: Callable[[], T],
    what: str = "the condition",
    *,
    deadline: float = 30.0,
    explain: Callable[[], str] | None = None,
) -> T:
    """Call `condition` until it returns something true, and return that; deadline in seconds from now.

    Raises WaitedTooLong with `what`, and with what `explain` says of how things stand then.
    """
    end = time.monotonic() + deadline
    while True:
        if value := condition():
            return value
        if time.monotonic() > end:
            detail = f": {explain()}" if explain else ""
            raise WaitedTooLong(f"waited {deadline:g} s for {what}{detail}")
        time.sleep(POLL)
