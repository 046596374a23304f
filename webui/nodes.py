"""How each node is, from what its agent last reported (agent/health.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mailweir.records.models import Node

SILENT = 30.0  # seconds without a report after which an agent counts as gone
BEHIND = 5_000_000  # bytes of log or journal not taken in yet, above which the pages are said to lag
LITTLE = 500_000_000  # bytes free on the disk, below which it is said


@dataclass(frozen=True)
class State:
    """One node as the pages tell of it; the problems are in words, none when all is well."""

    number: int
    name: str
    seen: float
    alive: bool
    log_lag: int
    journal_lag: int
    disk_free: int
    lines: Mapping[str, int]
    problems: Mapping[str, str]

    @property
    def well(self) -> bool:
        """Whether there is nothing to do."""
        return self.alive and not self.problems and not self.behind and not self.little_disk

    @property
    def behind(self) -> bool:
        """Whether the pages lag."""
        return max(self.log_lag, self.journal_lag) > BEHIND

    @property
    def little_disk(self) -> bool:
        """Whether the disk is nearly full."""
        return 0 < self.disk_free < LITTLE


def states(now: float) -> list[State]:
    """All nodes in the order of their numbers."""
    return [_state(row, now) for row in Node.select().order_by(Node.id)]


def _state(row: Node, now: float) -> State:
    try:
        health: Any = json.loads(row.health)
    except ValueError:
        health = {}
    if not isinstance(health, dict):
        health = {}
    return State(
        number=row.id,
        name=row.name,
        seen=row.seen,
        alive=now - row.seen < SILENT,
        log_lag=int(health.get("log_lag_bytes") or 0),
        journal_lag=int(health.get("journal_lag_bytes") or 0),
        disk_free=int(health.get("disk_free") or 0),
        lines=_mapping(health.get("lines")),
        problems=_mapping(health.get("problems")),
    )


def _mapping(value: object) -> dict[str, Any]:
    return {str(name): item for name, item in value.items()} if isinstance(value, dict) else {}
