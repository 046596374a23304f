"""When a pending recipient is tried next, and when its lifetime ends: what Pending says beside the row.

The rules for lifetimes are the agent's own, so a page never promises what the agent does not keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from mailweir.agent import publish
from mailweir.agent.lifetimes import Pending, deadline
from mailweir.policies.scopes import PolicySet
from mailweir.records.words import Direction, Queue, Status

WAITS = (Status.DEFERRED, Status.QUEUED)


class Ends:
    """The ends of lifetimes under today's policies, which are read once, and only when they are needed."""

    @cached_property
    def _policies(self) -> PolicySet:
        return publish.load(lists=False)

    def of(self, row: Sequence[Any]) -> tuple[float | None, float | None]:
        """When the recipient of a row of search_load's statement is returned, and its lifetime in seconds."""
        leg_id, kind, arrival = row[17:20]
        if leg_id is None or row[8] == Status.FILTERING or row[15] == Queue.GONE:
            return None, None
        direction, sender, recipient = Direction(row[7]), row[4] or "", row[5] or ""
        pending = Pending(leg_id, kind, arrival, row[0], sender, recipient, row[6], direction)
        return deadline(self._policies, pending), self._policies.lifetime(direction, sender, recipient)


def next_attempt(row: Sequence[Any]) -> float | None:
    """Before when Postfix does not try it again; None where that is not known.

    What the agent saw counts until an attempt is recorded: from then on Postfix has set another time.
    """
    due, seen = row[20:22]
    if due is None or row[15] != Queue.DEFERRED or row[8] not in WAITS or row[14] > seen:
        return None
    return float(due)
