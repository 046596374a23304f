"""Ends pending mail that is past its lifetime; the sender then gets Postfix's own notice.

Held mail never expires in Postfix, and deferred mail only by Postfix's one setting for all; here the policy
of each recipient says how long. A clock that has just jumped ends nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from peewee import Database

from mailweir.config import Config
from mailweir.policies.scopes import PolicySet
from mailweir.records import audit, ids
from mailweir.records.models import Address, Command, Leg, Message, Recipient
from mailweir.records.words import PENDING, CommandState, Direction, LegKind, Queue, Status

AGENT_USER = "mailweir"  # who asked, in commands and the audit trail
_STEADY = 30.0  # seconds by which wall clock and time since boot may drift apart between two looks


@dataclass(frozen=True)
class Pending:
    """One recipient that waits in one queue file."""

    leg_id: int
    leg_kind: int
    arrival: int  # of the queue file, microseconds since 1970
    message_id: int
    sender: str
    recipient: str
    address_id: int
    direction: Direction

    @property
    def since(self) -> float:
        """When its lifetime began: with the message, or anew when somebody had it queued again."""
        if self.leg_kind == LegKind.REQUEUE:
            return self.arrival / 1e6
        return min(ids.milliseconds_of(self.message_id) / 1000, self.arrival / 1e6)


def deadline(policies: PolicySet, pending: Pending) -> float:
    """When its lifetime ends, in seconds since 1970."""
    return pending.since + policies.lifetime(pending.direction, pending.sender, pending.recipient)


def ends_soon(config: Config, policies: PolicySet, pending: Pending, now: float) -> bool:
    """Whether the page should warn: the last part of the lifetime has begun."""
    lifetime = policies.lifetime(pending.direction, pending.sender, pending.recipient)
    return in_last_part(config, deadline(policies, pending), lifetime, now)


def in_last_part(config: Config, end: float, lifetime: float, now: float) -> bool:
    """The same for an end and a lifetime (in seconds) that are known already."""
    return now >= end - lifetime * config.agent.lifetime_warning


def overdue(policies: PolicySet, pending: Iterable[Pending], now: float) -> dict[int, list[Pending]]:
    """By leg, those that are past their deadline; those of a leg that are not stay out."""
    found: dict[int, list[Pending]] = {}
    for one in pending:
        if now >= deadline(policies, one):
            found.setdefault(one.leg_id, []).append(one)
    return found


@dataclass
class SteadyClock:
    """Notices that the wall clock was set, by comparing it with the time since boot.

    After a jump, and after a boot (when the clock may not be set yet), nothing is ended for `grace` seconds,
    so that a wrong clock can be noticed and put right.
    """

    grace: float
    boot_id: str = ""
    skew: float = 0.0  # wall clock minus time since boot, at the last look
    jumped: float = 0.0  # time since boot at which the last jump was noticed

    def observe(self, wall: float, since_boot: float, boot_id: str) -> bool:
        """Look at the clocks; whether the wall clock can be relied on. Both in seconds."""
        skew = wall - since_boot
        if boot_id != self.boot_id:
            self.boot_id, self.jumped = boot_id, 0.0
        elif abs(skew - self.skew) > _STEADY:
            self.jumped = since_boot
        self.skew = skew
        return since_boot - self.jumped >= self.grace

    def as_dict(self) -> dict[str, Any]:
        """To be kept over a restart."""
        return {"boot_id": self.boot_id, "skew": self.skew, "jumped": self.jumped}

    def restore(self, values: dict[str, Any]) -> None:
        """Go on from what as_dict gave."""
        self.boot_id = str(values.get("boot_id", ""))
        self.skew = float(values.get("skew", 0.0))
        self.jumped = float(values.get("jumped", 0.0))


def since_boot() -> float:
    """Seconds since the machine was started, suspended time included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Names this run of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def pending(node: int, now: float, shortest: float) -> list[Pending]:
    """What has waited on that node for at least the shortest lifetime there is."""
    sender = Address.alias()
    rows = (
        Recipient.select(
            Leg.id,
            Leg.kind,
            Leg.arrival,
            Recipient.message_id,
            sender.address.alias("sender"),
            Address.address,
            Recipient.address_id,
            Recipient.direction,
        )
        .join(Leg, on=(Leg.id == Recipient.leg_id))
        .join(Message, on=(Message.id == Recipient.message_id))
        .join(sender, on=(sender.id == Message.sender_id))
        .join(Address, on=(Address.id == Recipient.address_id))
        .where(
            Recipient.status.in_([status for status in PENDING if status != Status.FILTERING]),
            Recipient.message_id < ids.first_id(int((now - shortest) * 1000)),
            Leg.node_id == node,
            Leg.queue != Queue.GONE,
        )
        .tuples()
    )
    # peewee's types do not know what tuples() does.
    found = cast("Iterable[tuple[int, int, int, int, str, str, int, int]]", rows)
    return [Pending(*row[:-1], Direction(row[-1])) for row in found]


def shortest_lifetime(policies: PolicySet) -> float:
    """The shortest lifetime that any policy grants, in seconds."""
    return min(_lifetimes(policies))


def longest_lifetime(policies: PolicySet) -> float:
    """The longest lifetime that any policy grants, in seconds."""
    return max(_lifetimes(policies))


def _lifetimes(policies: PolicySet) -> list[float]:
    found = [policies.lifetime(direction, "", "") for direction in Direction]
    for scope in policies.scopes:
        found += [float(value) for name, value in scope.fields.items() if name.endswith(".lifetime")]
    return found


def enforce(
    database: Database, node: int, policies: PolicySet, now: float, clock: Callable[[], float]
) -> int:
    """Ask for the return of what is overdue; how many commands that made.

    A command for a recipient is asked for once an hour at most, so one that was refused is tried again.
    """
    waiting = pending(node, now, shortest_lifetime(policies))
    late = overdue(policies, waiting, now)
    asked = 0
    for leg_id, several in late.items():
        on_leg = [one for one in waiting if one.leg_id == leg_id]
        whole = len(several) == len(on_leg)
        for one in several[:1] if whole else several:
            asked += _ask(database, policies, one, whole=whole, now=now, clock=clock)
    return asked


def _ask(
    database: Database,
    policies: PolicySet,
    one: Pending,
    *,
    whole: bool,
    now: float,
    clock: Callable[[], float],
) -> int:
    leg = Leg.get_by_id(one.leg_id)
    lifetime = policies.lifetime(one.direction, one.sender, one.recipient)
    hour = int((now - deadline(policies, one)) // 3600)
    address_id = None if whole else one.address_id
    reason = f"pending for longer than its lifetime of {lifetime / 3600:g} hours"
    with database.atomic():
        made = (
            Command.insert(
                key=f"lifetime:{leg.id}:{address_id or ''}:{hour}",
                node_id=leg.node_id,
                action="return",
                leg_id=leg.id,
                message_id=one.message_id,
                address_id=address_id,
                queue_id=leg.queue_id,
                arrival=leg.arrival,
                sender=one.sender,
                reason=reason,
                by_user=AGENT_USER,
                requested=now,
                state=CommandState.REQUESTED,
            )
            .on_conflict_ignore()
            .as_rowcount()
            .execute()
        )
        if made:
            audit.append(
                database,
                clock=clock,
                who=AGENT_USER,
                ip="",
                what="return requested",
                message_id=one.message_id,
                detail={"queue_id": leg.queue_id, "reason": reason},
            )
    return int(bool(made))
