"""`mailweir doctor`: is everything read, understood and up to date, and if not, what to do about it.

Nothing is hidden: lines not understood are counted and shown, and so is how far behind the records are.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import click

from mailweir.config import Config
from mailweir.plain import visible

SILENT = 30.0  # seconds without a report after which an agent counts as not running
BEHIND = 60.0  # seconds that the records may be behind the log
LITTLE_DISK = 1 << 30  # bytes free below which it is time to act
FEW = 0.001  # share of lines not understood that is worth no alarm


@dataclass(frozen=True)
class Finding:
    """One thing looked at: well, or what is wrong and what to do."""

    node: str
    what: str
    well: bool
    words: str


def findings(name: str, seen: float, health: Mapping[str, Any], now: float) -> Iterator[Finding]:
    """What a node's last report says."""
    silent = now - seen
    yield Finding(
        name, "agent", silent < SILENT, "reports" if silent < SILENT else
        f"silent for {silent:.0f} s: start `mailweir agent`, or look at its log",
    )  # fmt: skip
    behind = max(0.0, seen - float(health.get("log_read_to_end") or 0))
    unread = int(health.get("log_lag_bytes") or 0)
    words = f"{unread} bytes of the log not taken in, last read to its end {behind:.0f} s before the report"
    yield Finding(name, "log", behind < BEHIND, words)
    unread = int(health.get("journal_lag_bytes") or 0)
    yield Finding(name, "journals", unread < 1 << 20, f"{unread} bytes of the filter's journals not taken in")
    yield from _lines(name, health.get("lines") or {})
    free = int(health.get("disk_free") or 0)
    yield Finding(name, "disk", free > LITTLE_DISK, f"{free / (1 << 30):.1f} GiB free where the state stands")
    for concern, problem in (health.get("problems") or {}).items():
        yield Finding(name, str(concern), False, str(problem))


def _lines(name: str, counts: Mapping[str, Any]) -> Iterator[Finding]:
    read, unknown = int(counts.get("read") or 0), int(counts.get("not_understood") or 0)
    yield Finding(
        name, "lines", unknown <= read * FEW,
        f"{read} read, {counts.get('understood', 0)} understood, {counts.get('ignored', 0)} of no concern, "
        f"{unknown} not understood, {counts.get('orphaned', 0)} about mail that nothing is known of, "
        f"{counts.get('steps_back', 0)} steps back in time",
    )  # fmt: skip
    for sample in counts.get("samples") or []:
        yield Finding(name, "not understood", True, str(sample))


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.pass_obj
def doctor(config: Config, as_json: bool) -> None:
    """Look at every node's last report; the exit code is 1 when something is wrong."""
    from mailweir.records import db
    from mailweir.records.models import Node

    database = db.connect(config)
    now = time.time()
    found: list[Finding] = []
    for node in Node.select().order_by(Node.id):
        try:
            health = json.loads(node.health)
        except ValueError:
            health = {}
        found += findings(node.name, node.seen, health, now)
    database.close()
    if not found:
        found = [Finding("-", "agent", False, "no agent has ever reported: start `mailweir agent`")]
    for one in found:
        if as_json:
            click.echo(json.dumps(asdict(one)))
        else:
            click.echo(
                f"{'well ' if one.well else 'WRONG'}  {visible(one.node)}  {one.what}: {visible(one.words)}"
            )
    if not all(one.well for one in found):
        raise SystemExit(1)
