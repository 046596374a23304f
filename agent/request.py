"""Asks for an act on the queue: page, API and command line all come through here.

A request is only a row; the agent of the node that holds the queue file carries it out, and only if the file
is still the one that is noted here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from peewee import Database

from mailweir.errors import InputError, MailweirError, Refused
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
READS = {
    "headers": Act("Headers", "Show the message's header."),
    "content": Act("Content", "Show the message's text and the files in it."),
}  # asked for with reading.py
STALLED_ONLY = frozenset({"force", "release", "unlock"})
MAX_REASON = 1_000  # characters


@dataclass(frozen=True)
class Wanted:
    """One message, or one recipient of it, that an act is asked for; the key makes asking twice ask once."""

    message_id: int
    address: str | None
    key: str


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
    wanted = Wanted(message_id, address, key)
    (answer,) = request_all([wanted], action=action, user=user, ip=ip, reason=reason, clock=clock)
    if isinstance(answer, MailweirError):
        raise answer
    return answer


def request_all(
    wanted: Sequence[Wanted],
    *,
    action: str,
    user: str,
    ip: str,
    reason: str,
    clock: Callable[[], float],
) -> list[list[Command] | MailweirError]:
    """The same for several at once, in one transaction: for each its commands, or why there are none.

    Raises InputError for what is wrong with all of them: an unknown act or a missing reason.
    """
    act = UNLOCK if action == "unlock" else ACTS.get(action) or READS.get(action)
    reason = storable(reason).strip()[:MAX_REASON]
    if act is None:
        raise InputError(
            "there is no act %(action)s; there are %(all)s", action=repr(action[:20]), all=", ".join(ACTS)
        )
    if act.needs_reason and not reason:
        raise InputError("%(name)s needs a reason", name=act.name)
    if not all(one.key for one in wanted):
        raise InputError("a request needs a key")
    database: Database = models.database.obj
    refused: dict[Wanted, MailweirError] = {}
    with database.atomic():
        # Of two clicks at the same instant the second is to find what the first asked for.
        audit.one_at_a_time(database)
        known = _Known([one.message_id for one in wanted])
        rows: list[dict[str, Any]] = []
        entries: list[audit.Entry] = []
        now = clock()
        for one in wanted:
            if known.commands(one):
                continue
            try:
                legs = known.legs(one, action, bool(reason))
            except (_Unasked, Refused) as error:
                refused[one] = error.why if isinstance(error, _Unasked) else error
                continue
            sender = known.senders[one.message_id]
            for leg, address_id in legs:
                rows.append(
                    {
                        "key": f"{one.key}:{leg.id}",
                        "node_id": leg.node_id,
                        "action": action,
                        "leg_id": leg.id,
                        "message_id": one.message_id,
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
                )
            queue_ids = [leg.queue_id for leg, _ in legs]
            detail = {"recipient": one.address, "reason": reason, "queue_ids": queue_ids}
            entries.append(audit.Entry(user, ip, f"{action} requested", one.message_id, detail))
        if rows:
            Command.insert_many(rows).execute()
            audit.append_all(database, entries, clock)
            known.read_commands()
        return [refused[one] if one in refused else known.commands(one) for one in wanted]


class _Unasked(Exception):
    """What is asked for does not exist."""

    def __init__(self, why: InputError) -> None:
        self.why = why
        super().__init__(str(why))


@dataclass(frozen=True)
class _Carried:
    """A recipient, and the queue file that carries it."""

    address_id: int
    address: str
    status: int
    verdict: str
    leg_id: int | None


class _Known:
    """What the records have of some messages."""

    def __init__(self, message_ids: Sequence[int]) -> None:
        self._ids = list(dict.fromkeys(message_ids))
        senders = (
            Message.select(Message.id, Address.address)
            .join(Address, on=(Address.id == Message.sender_id))
            .where(Message.id.in_(self._ids))
            .tuples()
        )
        # peewee's types do not know what tuples() does.
        self.senders = dict(cast("Iterable[tuple[int, str]]", senders))
        recipients = (
            Recipient.select(
                Recipient.message_id,
                Recipient.address_id,
                Address.address,
                Recipient.status,
                Recipient.verdict,
                Recipient.leg_id,
            )
            .join(Address, on=(Address.id == Recipient.address_id))
            .where(Recipient.message_id.in_(self._ids))
            .tuples()
        )
        self._recipients: dict[int, list[_Carried]] = {}
        for row in cast("Iterable[tuple[int, int, str, int, str, int | None]]", recipients):
            self._recipients.setdefault(row[0], []).append(_Carried(*row[1:]))
        legs = Leg.select().where(Leg.message_id.in_(self._ids), Leg.queue != Queue.GONE)
        self._legs: dict[int, Leg] = {leg.id: leg for leg in legs}
        self.read_commands()

    def read_commands(self) -> None:
        """Learn what has been asked for."""
        self._commands: dict[int, list[Command]] = {}
        for row in Command.select().where(Command.message_id.in_(self._ids)).order_by(Command.id):
            self._commands.setdefault(row.message_id, []).append(row)

    def commands(self, wanted: Wanted) -> list[Command]:
        """Those with its key."""
        rows = self._commands.get(wanted.message_id, ())
        return [row for row in rows if row.key.startswith(f"{wanted.key}:")]

    def legs(self, wanted: Wanted, action: str, reasoned: bool) -> list[tuple[Leg, int | None]]:
        """The queue files that the act concerns, with the one recipient meant.

        Raises _Unasked and Refused, and InputError when a reason is missing.
        """
        if wanted.message_id not in self.senders:
            raise _Unasked(
                InputError("there is no message %(message)s", message=ids.to_text(wanted.message_id))
            )
        recipients = self._recipients.get(wanted.message_id, [])
        address_id = None
        if wanted.address is not None:
            recipients = [one for one in recipients if one.address.lower() == wanted.address.lower()]
            if not recipients:
                text = ids.to_text(wanted.message_id)
                raise _Unasked(
                    InputError(
                        "%(message)s has no recipient %(address)s",
                        message=text,
                        address=repr(wanted.address[:80]),
                    )
                )
            address_id = recipients[0].address_id
        carried = [one for one in recipients if one.status in PENDING and one.leg_id in self._legs]
        if action in STALLED_ONLY:
            carried = [one for one in carried if one.status == Status.STALLED or self._is_held(one)]
        if not carried:
            what = "stalled" if action in STALLED_ONLY else "in the queue any more"
            raise Refused("nothing of it is %(what)s", what=what)
        if action == "release" and not reasoned and any(one.verdict == "stall" for one in carried):
            raise InputError("releasing stalled mail delivers it unscanned, as Force does: give a reason")
        numbers = sorted({one.leg_id for one in carried if one.leg_id is not None})
        if action in READS:
            return [(self._legs[numbers[0]], None)]  # all hold the same
        return [(self._legs[number], address_id) for number in numbers]

    def _is_held(self, one: _Carried) -> bool:
        return one.leg_id is not None and self._legs[one.leg_id].queue == Queue.HOLD
