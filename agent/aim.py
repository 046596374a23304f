"""Makes out what a command aims at now: is it still the message that the user saw, and whom is the act for?

Postfix may have used the queue ID again, rewritten the sender or served some recipients meanwhile; so nothing
is done on the strength of what the records say alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from mailweir.agent import envelope, plan
from mailweir.agent.divide import WAS_NOT_HELD, choose
from mailweir.agent.envelope import Envelope
from mailweir.agent.queue import SHORT_ID_SLACK, Outcome, QueueHelper, Target
from mailweir.errors import Refused
from mailweir.policies.scopes import PolicySet
from mailweir.postlog.queue_id import arrival_us
from mailweir.records import ids
from mailweir.records.models import Address, Command, Message, Recipient
from mailweir.records.words import PENDING, Direction, Source

ID_FIELD = b"x-mailweir-id:"
_HEADER_READ = 1 << 18  # bytes of a message in which our header field is looked for


class Stays(Exception):
    """The message stays where it is; the text says why."""


@dataclass(frozen=True)
class Addressee:
    """One pending recipient of a message, as the records know it."""

    address_id: int
    address: str
    direction: Direction


@dataclass
class Job:
    """A command under way: what it aims at, what stands there now, and what is to be done."""

    command: Command
    target: Target
    seen: Envelope
    verb: str = ""
    remark: str = ""  # what the result begins with


class Aim:
    """Turns commands into jobs."""

    def __init__(
        self, helper: QueueHelper, policies: Callable[[], PolicySet], clock: Callable[[], float]
    ) -> None:
        self._helper = helper
        self._policies = policies
        self._clock = clock
        self._pending: dict[int, list[Addressee]] = {}  # of the messages learned of last

    def prepare(self, command: Command, found: Outcome) -> Job:
        """Make sure that the target is still what the user saw. Raises Refused."""
        target = target_of(command)
        if found.result == "gone":
            raise Refused(found.reason)
        if found.envelope is None:
            raise Stays(found.reason)
        if found.result == "refused":
            target = replace(target, sender=found.envelope.sender)
            if not self._is_ours(command, target, found.envelope):
                raise Refused(found.reason)
        elif target.slack and _passed_the_filter(command) and not self._bears_its_id(command, target):
            # Within seconds a short ID may have gone to another message of the same sender.
            raise Refused("the queue ID now belongs to another message")
        job = Job(command, target, found.envelope)
        queue = found.envelope.queue
        if queue == "hold" and not was_held(command, found.envelope):
            queue = "deferred"
        job.verb = plan.verb(command.action, queue, *self.ages(job))
        return job

    def _is_ours(self, command: Command, target: Target, seen: Envelope) -> bool:
        """Whether a file with another sender still is the message, since Postfix can rewrite senders.

        Then it is of the same time and carries our own header field, which the filter lets nobody forge.
        """
        different = envelope.difference(seen, target.arrival_us, target.slack, target.sender)
        return not different and self._bears_its_id(command, target)

    def _bears_its_id(self, command: Command, target: Target) -> bool:
        """Whether our header field in the queue file names the command's message."""
        with self._helper.content(target) as (message, _):
            header = message.read(_HEADER_READ).partition(b"\n\n")[0]
        wanted = ids.to_text(command.message_id).encode()
        return any(
            line[len(ID_FIELD) :].strip() == wanted
            for line in header.split(b"\n")
            if line[: len(ID_FIELD)].lower() == ID_FIELD
        )

    def ages(self, job: Job) -> tuple[float, float]:
        """The queue file's age, and the shortest lifetime that its recipients' policies grant."""
        policies = self._policies()
        lifetimes = [
            policies.lifetime(one.direction, job.command.sender, one.address) for one in self.addressees(job)
        ]
        return self._clock() - job.seen.created, min(lifetimes, default=float("inf"))

    def learn(self, commands: Sequence[Command]) -> None:
        """Read what the records know of the pending recipients of these commands' messages."""
        rows = (
            Recipient.select(Recipient.message_id, Recipient.address_id, Address.address, Recipient.direction)
            .join(Address, on=(Address.id == Recipient.address_id))
            .where(
                Recipient.message_id.in_([command.message_id for command in commands]),
                Recipient.status.in_(PENDING),
            )
            .tuples()
        )
        self._pending = {command.message_id: [] for command in commands}
        # peewee's types do not know what tuples() does.
        for message_id, number, address, direction in cast("Iterable[tuple[int, int, str, int]]", rows):
            self._pending[message_id].append(Addressee(number, address, Direction(direction)))

    def addressees(self, job: Job) -> list[Addressee]:
        """The pending recipients that the command means and the file holds, as `learn` found them."""
        return [
            one
            for one in self._pending[job.command.message_id]
            if job.command.address_id in (None, one.address_id)
            and any(there.is_called(one.address) for there in job.seen.recipients)
        ]

    def meant(self, job: Job) -> list[str] | None:
        """The addresses that the act is for; None when it is for all that the queue file still has.

        Raises Refused when the one recipient meant is not in it any more.
        """
        if job.command.address_id is None or job.verb == "deliver-now":
            return None
        address = Address.get_by_id(job.command.address_id).address
        chosen, rest = choose(job.seen, [address])
        if not chosen:
            raise Refused("it was delivered or returned for this recipient meanwhile")
        return [address] if rest else None


def _passed_the_filter(command: Command) -> bool:
    """Whether the message has our header field."""
    message = Message.get_or_none(Message.id == command.message_id)
    return message is not None and message.source == Source.MILTER


def target_of(command: Command) -> Target:
    """The queue file that the command names."""
    long = arrival_us(command.queue_id) is not None
    return Target(command.queue_id, command.arrival, command.sender, 0.0 if long else SHORT_ID_SLACK)


def was_held(command: Command, seen: Envelope) -> bool:
    """Whether it was on hold before the command began, which an interrupted one has noted."""
    return seen.queue == "hold" and WAS_NOT_HELD not in command.result
