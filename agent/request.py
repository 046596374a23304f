"""Asks for an act on the queue: page, API and command line all come through here.

A request is only a row; the agent of the node that holds the queue file carries it out, and only if the file
is still the one that is noted here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from peewee import Database, fn

from mailweir.errors import InputError, Refused
from mailweir.records import audit, ids, models
from mailweir.records.models import Address, Command, Leg, Message, Recipient
from mailweir.records.text import storable
from mailweir.records.words import PENDING, CommandState, Queue, Status


@dataclass(frozen=True)
class Act:
    """What can be asked for: its name on the pages, what it does, and whether it needs a reason."""

    name: str
    meaning: str
    needs_reason: bool = False


ACTS = {
    "retry": Act("Retry", "Scan again and release what now passes; attempt deferred mail now."),
    "force": Act("Force", "Deliver without scanning. It will not be scanned or stalled again.", True),
    "delete": Act("Delete", "Remove from the queue. The sender is not told, and it cannot be undone."),
    "return": Act("Return", "Send it back to the sender now, with Postfix's own notice."),
    "hold": Act("Hold", "Make no more attempts until it is released."),
    "release": Act("Release", "Resume the attempts of mail that somebody put on hold."),
}
UNLOCK = Act(
    "Unlock", "Scan what a password opens, then as Retry."
)  # asked for with unlock.py, never by itself
MAX_REASON = 1_000  # characters


def request(
    *,
    action: str,
    message_id: int,
    address: str | None,
    user: str,
    ip: str,
    reason: str,
    key: str,
    clock: Callable[[], float],
) -> list[Command]:
    """Ask for an act on a message, or on one of its recipients; one Command for each queue file concerned.

    The same key twice gives the commands of the first time. Raises InputError for an unknown act, message or
    recipient or a missing reason, Refused when nothing of it is in the queue any more.
    """
    act = UNLOCK if action == "unlock" else ACTS.get(action)
    reason = storable(reason).strip()[:MAX_REASON]
    if act is None:
        raise InputError(f"there is no act {action[:20]!r}; there are {', '.join(ACTS)}")
    if act.needs_reason and not reason:
        raise InputError(f"{act.name} needs a reason")
    if not key:
        raise InputError("a request needs a key")
    database: Database = models.database.obj
    with database.atomic():
        if earlier := _with_key(message_id, key):
            return earlier
        message = Message.get_or_none(Message.id == message_id)
        if message is None:
            raise InputError(f"there is no message {ids.to_text(message_id)}")
        address_id = _address_id(message_id, address) if address is not None else None
        carried = _carried(message_id, address_id)
        if action in ("force", "release", "unlock"):
            carried = [one for one in carried if Status.STALLED in (one.status, _held(one.leg))]
        if not carried:
            what = "stalled" if action in ("force", "release", "unlock") else "in the queue any more"
            raise Refused(f"nothing of it is {what}")
        if action == "release" and not reason and any(one.verdict == "stall" for one in carried):
            raise InputError("releasing stalled mail delivers it unscanned, as Force does: give a reason")
        legs = list({one.leg.id: one.leg for one in carried}.values())
        sender = Address.get_by_id(message.sender_id).address
        now = clock()
        rows = [
            {
                "key": f"{key}:{leg.id}",
                "node_id": leg.node_id,
                "action": action,
                "leg_id": leg.id,
                "message_id": message_id,
                "address_id": address_id,
                "queue_id": leg.queue_id,
                "arrival": leg.arrival,
                "sender": sender,
                "reason": reason,
                "by_user": storable(user),
                "by_ip": storable(ip),
                "requested": now,
                "state": CommandState.REQUESTED,
            }
            for leg in legs
        ]
        Command.insert_many(rows).on_conflict_ignore().execute()
        audit.append(
            database,
            clock=clock,
            who=user,
            ip=ip,
            what=f"{action} requested",
            message_id=message_id,
            detail={"recipient": address, "reason": reason, "queue_ids": [leg.queue_id for leg in legs]},
        )
        return _with_key(message_id, key)


def _with_key(message_id: int, key: str) -> list[Command]:
    rows = Command.select().where(Command.message_id == message_id).order_by(Command.id)
    return [row for row in rows if row.key.startswith(f"{key}:")]


def _address_id(message_id: int, address: str) -> int:
    row = (
        Recipient.select(Recipient.address_id)
        .join(Address, on=(Address.id == Recipient.address_id))
        .where(Recipient.message_id == message_id, fn.LOWER(Address.address) == address.lower())
        .tuples()
        .first()
    )
    if row is None:
        raise InputError(f"{ids.to_text(message_id)} has no recipient {address[:80]!r}")
    return int(row[0])


@dataclass(frozen=True)
class _Carried:
    """A pending recipient and the queue file that carries it."""

    status: int
    verdict: str
    leg: Leg


def _carried(message_id: int, address_id: int | None) -> list[_Carried]:
    wanted = [Recipient.message_id == message_id, Recipient.status.in_(PENDING)]
    if address_id is not None:
        wanted.append(Recipient.address_id == address_id)
    recipients = list(Recipient.select().where(*wanted))
    numbers = [row.leg_id for row in recipients if row.leg_id is not None]
    legs = {leg.id: leg for leg in Leg.select().where(Leg.id.in_(numbers), Leg.queue != Queue.GONE)}
    return [
        _Carried(row.status, row.verdict, legs[row.leg_id])
        for row in sorted(recipients, key=lambda row: row.leg_id or 0)
        if row.leg_id in legs
    ]


def _held(leg: Leg) -> Status | None:
    return Status.STALLED if leg.queue == Queue.HOLD else None
