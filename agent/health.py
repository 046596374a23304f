"""What the agent reports of itself and its node, for the pages and for monitoring.

One row for each node: whoever reads it sees from `seen` whether the agent lives, and from the rest how well.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailweir.config import Config
from mailweir.records.models import Node


@dataclass
class Health:
    """The node's state; problems are by what they concern, in words, and vanish when they are over."""

    log_lag: int = 0  # bytes of the mail log not taken in yet
    journal_lag: int = 0  # bytes of the journals not taken in yet
    log_time: float = 0.0  # when the log was last read to its end
    counts: dict[str, int] = field(default_factory=dict)  # log lines: read, understood, ignored …
    problems: dict[str, str] = field(default_factory=dict)
    clock: dict[str, Any] = field(default_factory=dict)
    recipient_delimiter: str = ""  # Postfix's, by which the pages compare addresses, too

    def report(self, config: Config, now: float) -> None:
        """Write the node's row."""
        values = {
            "log_lag_bytes": self.log_lag,
            "journal_lag_bytes": self.journal_lag,
            "log_read_to_end": self.log_time,
            "lines": self.counts,
            "problems": self.problems,
            "disk_free": _disk_free(config.state_dir),
            "clock": self.clock,
            "recipient_delimiter": self.recipient_delimiter,
        }
        row = {"name": config.node.label, "seen": now, "health": json.dumps(values)}
        Node.insert(id=config.node.number, **row).on_conflict(conflict_target=[Node.id], update=row).execute()


def last(config: Config) -> Mapping[str, Any]:
    """What this node's agent reported last; empty when it never did."""
    row = Node.get_or_none(Node.id == config.node.number)
    return _values(row) if row else {}


def delimiters() -> str:
    """The recipient_delimiter of the nodes, each character once; they share their policies."""
    told = (_values(row).get("recipient_delimiter") for row in Node.select(Node.health).order_by(Node.id))
    return "".join(dict.fromkeys("".join(one for one in told if isinstance(one, str))))


def _values(row: Node) -> Mapping[str, Any]:
    try:
        values = json.loads(row.health)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _disk_free(directory: str) -> int:
    """Bytes free where the state stands."""
    path = Path(directory)
    return shutil.disk_usage(path).free if path.exists() else 0
