"""A message's story: received, held, each attempt, each act, the end; and where its queue files come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailweir.records import search

_RANK = {"received": 0, "logged": 0, "held": 1, "bounce": 3, "notice": 3, "removed": 4}
_AMID = 2


@dataclass(frozen=True)
class Event:
    """One thing that happened: when, its word (as a status, for the colour), about whom, and details."""

    time: float
    word: str
    about: str = ""
    detail: str = ""
    queue_id: str = ""


@dataclass(frozen=True)
class Branch:
    """One queue file in the picture of legs; depth is how many queue files stand above it."""

    leg: search.LegRow
    depth: int


def events(view: search.MessageView) -> list[Event]:
    """Everything in order of time.

    Most logs tell whole seconds only; what falls into one second stands in the order in which it can happen.
    """
    found = [
        Event(view.time, "received" if view.source == "milter" else "logged", view.sender, view.client_name)
    ]
    found += _legs(view)
    found += [
        Event(row.time, row.status, row.recipient, row.reply or row.relay_host, row.queue_id)
        for row in view.deliveries
    ]
    for row in view.commands:
        found.append(
            Event(row.requested, "requested", f"{row.action} · {row.by_user}", row.reason, row.queue_id)
        )
        if row.finished is not None:
            found.append(Event(row.finished, row.state, row.action, row.result, row.queue_id))
    settled = {"deleted", "rejected", "returned", "unknown"}
    found += [Event(row.changed, row.status, row.address) for row in view.recipients if row.status in settled]
    return sorted(found, key=lambda event: (int(event.time), _RANK.get(event.word, _AMID), event.time))


def _legs(view: search.MessageView) -> Iterator[Event]:
    for leg in view.legs:
        if leg.held is not None:
            yield Event(leg.held, "held", queue_id=leg.queue_id)
        if leg.kind not in ("first", "filter"):
            yield Event(leg.time, leg.kind, queue_id=leg.queue_id)
        if leg.removed is not None:
            yield Event(leg.removed, "removed", queue_id=leg.queue_id)


def branches(legs: tuple[search.LegRow, ...]) -> list[Branch]:
    """The queue files as a tree, each after the one it came from."""
    numbers = {leg.id for leg in legs}
    children: dict[int | None, list[search.LegRow]] = {}
    for leg in legs:
        parent = leg.parent_id if leg.parent_id in numbers and leg.parent_id != leg.id else None
        children.setdefault(parent, []).append(leg)
    found: list[Branch] = []
    waiting = [(leg, 0) for leg in reversed(children.get(None, []))]
    while waiting:
        leg, depth = waiting.pop()
        found.append(Branch(leg, depth))
        waiting += [(child, depth + 1) for child in reversed(children.pop(leg.id, []))]
    return found
