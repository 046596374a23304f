"""Carries out what people asked for: requested → running → done, failed or refused, with the reason.

Nothing is believed: before an act the queue file is compared with what the user saw, after it the queue is
read again, and a command that an earlier agent left running is first checked against the queue.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from peewee import Database

from mailweir.agent import envelope, plan, rescan
from mailweir.agent.divide import WAS_NOT_HELD, Divider, Halves, choose, read_note
from mailweir.agent.envelope import Envelope
from mailweir.agent.queue import BATCH, SHORT_ID_SLACK, Outcome, QueueHelper, Target
from mailweir.agent.request import request
from mailweir.agent.rescan import Addressee
from mailweir.agent.unlock import Wish, check_attempts
from mailweir.config import Config
from mailweir.content.findings import Class
from mailweir.errors import MailweirError, Refused, Unavailable
from mailweir.policies.scopes import PolicySet
from mailweir.policies.verdict import Action
from mailweir.postlog.queue_id import arrival_us
from mailweir.records import audit, ids
from mailweir.records.models import Address, Command, Leg, Message, Recipient
from mailweir.records.text import storable
from mailweir.records.words import PENDING, CommandState, Direction

log = logging.getLogger("mailweir.agent")

ID_FIELD = b"x-mailweir-id:"
_HEADER_READ = 1 << 18  # bytes of a message in which our header field is looked for


@dataclass
class Job:
    """A command under way: what it aims at, what stands there now, and what is to be done."""

    command: Command
    target: Target
    seen: Envelope
    verb: str = ""
    remark: str = ""  # what the result begins with


class Commands:
    """Runs the commands of one node."""

    def __init__(
        self,
        config: Config,
        database: Database,
        helper: QueueHelper,
        scanner: Callable[[], rescan.Scanner],
        policies: Callable[[], PolicySet],
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._database = database
        self._node = config.node.number
        self._helper = helper
        self._scanner = scanner
        self._policies = policies
        self._clock = clock
        self._divider = Divider(config, helper, clock)

    def run(self) -> int:
        """Carry out a batch of what is asked for; how many there were.

        Raises Unavailable when the queue-helper or the database does not answer; what was running then is
        checked against the queue by the next call.
        """
        self._recover()
        batch = self._take()
        if batch:
            self._carry_out(batch)
        return len(batch)

    def unlock(self, wish: Wish) -> list[Command]:
        """Scan with that password, and release what then passes; the commands as they ended.

        Raises InputError and Refused when it cannot be asked for.
        """
        check_attempts(self._config, wish.message_id, self._clock())
        commands = request(
            action="unlock",
            message_id=wish.message_id,
            address=wish.address,
            user=wish.user,
            ip=wish.ip,
            reason="",
            key=secrets.token_hex(16),
            clock=self._clock,
        )
        numbers = [command.id for command in commands]
        Command.update(state=CommandState.RUNNING, started=self._clock()).where(
            Command.id.in_(numbers)
        ).execute()
        self._carry_out(commands, [wish.password])
        return list(Command.select().where(Command.id.in_(numbers)).order_by(Command.id))

    def _take(self) -> list[Command]:
        """The oldest requested ones, one for each queue file, marked as running."""
        rows = Command.select().where(Command.node_id == self._node, Command.state == CommandState.REQUESTED)
        chosen: dict[str, Command] = {}
        for command in rows.order_by(Command.id).limit(4 * BATCH):
            if len(chosen) < BATCH:
                chosen.setdefault(command.queue_id, command)
        batch = list(chosen.values())
        if batch:
            Command.update(state=CommandState.RUNNING, started=self._clock()).where(
                Command.id.in_([command.id for command in batch])
            ).execute()
        return batch

    def _recover(self) -> None:
        """Check what an earlier run left running: done if the queue shows it, else asked for again."""
        left = list(
            Command.select().where(Command.node_id == self._node, Command.state == CommandState.RUNNING)
        )
        for command in left:
            (found,) = self._helper.read([_target(command)])
            if found.result == "unreadable":
                continue
            same = found.envelope if found.result == "same" else None
            halves = read_note(command.result, command.sender, self._clock)
            effect = plan.visible_effect(command.action, same.queue if same else None)
            if command.action == "unlock" and not effect and not halves:
                text = "the agent was interrupted; give the password again"
                self._finish(command, CommandState.FAILED, text)
            elif halves and found.result == "gone":
                self._act_on_half(command, halves)
            elif effect and not halves and (command.address_id is None or same is None):
                self._finish(command, CommandState.DONE, f"{effect}; seen in the queue after an interruption")
            else:
                Command.update(state=CommandState.REQUESTED, started=None).where(
                    Command.id == command.id
                ).execute()

    def _carry_out(self, batch: Sequence[Command], passwords: Sequence[str] = ()) -> None:
        jobs: dict[str, list[Job]] = {}
        for command, found in zip(
            batch, self._helper.read([_target(command) for command in batch]), strict=True
        ):
            try:
                job = self._prepare(command, found)
                chosen = self._rescan(job, passwords) if job.verb == plan.RESCAN else self._meant(job)
                if job.verb == plan.RESCAN:
                    job.verb = plan.verb("force", job.seen.queue, *self._ages(job))
                if chosen is None:
                    jobs.setdefault(job.verb, []).append(job)
                else:
                    self._divide(job, chosen)
            except Refused as error:
                self._finish(command, CommandState.REFUSED, str(error))
            except _Stays as error:
                self._finish(command, CommandState.FAILED, str(error))
            except Unavailable:
                raise
            except Exception as error:  # one command must not stop all others
                if not isinstance(error, MailweirError):
                    log.exception("command %d", command.id)
                self._finish(command, CommandState.FAILED, str(error) or type(error).__name__)
        for verb, several in jobs.items():
            self._act(verb, several)

    def _prepare(self, command: Command, found: Outcome) -> Job:
        """Make sure that the target is still what the user saw. Raises Refused."""
        target = _target(command)
        if found.result == "gone":
            raise Refused(found.reason)
        if found.envelope is None:
            raise _Stays(found.reason)
        if found.result == "refused":
            target = replace(target, sender=found.envelope.sender)
            if not self._is_ours(command, target, found.envelope):
                raise Refused(found.reason)
        job = Job(command, target, found.envelope)
        queue = found.envelope.queue
        if queue == "hold" and not self._was_held(command, found.envelope):
            queue = "deferred"
        job.verb = plan.verb(command.action, queue, *self._ages(job))
        return job

    def _is_ours(self, command: Command, target: Target, seen: Envelope) -> bool:
        """Whether a file with another sender still is the message, since Postfix can rewrite senders.

        Then it is of the same time and carries our own header field, which the filter lets nobody forge.
        """
        if envelope.difference(seen, target.arrival_us, target.slack, target.sender):
            return False
        with self._helper.content(target) as (message, _):
            header = message.read(_HEADER_READ).partition(b"\n\n")[0]
        wanted = ids.to_text(command.message_id).encode()
        return any(
            line[len(ID_FIELD) :].strip() == wanted
            for line in header.split(b"\n")
            if line[: len(ID_FIELD)].lower() == ID_FIELD
        )

    def _ages(self, job: Job) -> tuple[float, float]:
        """The queue file's age, and the shortest lifetime that its recipients' policies grant."""
        policies = self._policies()
        lifetimes = [
            policies.lifetime(one.direction, job.command.sender, one.address) for one in self._addressees(job)
        ]
        return self._clock() - job.seen.created, min(lifetimes, default=float("inf"))

    def _addressees(self, job: Job) -> list[Addressee]:
        """The pending recipients that the command means and the file holds, as the records know them."""
        wanted = [
            Recipient.message_id == job.command.message_id,
            Recipient.status.in_(PENDING),
        ]
        if job.command.address_id is not None:
            wanted.append(Recipient.address_id == job.command.address_id)
        rows = (
            Recipient.select(Recipient.address_id, Address.address, Recipient.direction)
            .join(Address, on=(Address.id == Recipient.address_id))
            .where(*wanted)
            .tuples()
        )
        found = cast("Iterable[tuple[int, str, int]]", rows)  # peewee's types do not know what tuples() does
        return [
            Addressee(number, address, Direction(direction))
            for number, address, direction in found
            if any(one.is_called(address) for one in job.seen.recipients)
        ]

    def _meant(self, job: Job) -> list[str] | None:
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

    def _rescan(self, job: Job, passwords: Sequence[str]) -> list[str] | None:
        """Scan again and record what was found; for whom it passes now, None for all of the file.

        Raises _Stays when it passes for nobody.
        """
        message = Message.get_by_id(job.command.message_id)
        with self._helper.content(job.target) as (body, size):
            scan = self._scanner().scan_message(body, size, passwords=passwords)
        verdicts = rescan.judge(
            scan,
            sender=job.command.sender,
            addressees=self._addressees(job),
            authenticated_domains=rescan.proven_domains(message),
            policies=self._policies(),
            now=self._clock(),
        )
        if job.command.action == "unlock" and any(one.cls is Class.ENCRYPTED for one in scan.findings):
            raise _Stays("the password does not open all that is encrypted")
        rescan.record(self._database, job.command.message_id, scan, verdicts)
        if scan.unavailable:
            raise _Stays(f"not released: {scan.unavailable}")
        if not verdicts:
            raise _Stays("not released: the records do not know for whom it is yet")
        stays = [one for one, verdict in verdicts.items() if verdict.action is not Action.ACCEPT]
        passes = [one.address for one in verdicts if one not in stays]
        if stays:
            why = verdicts[stays[0]].reason
            if not passes:
                raise _Stays(f"scanned again, still stalled: {why}")
            job.remark = f"scanned again, passes now for {', '.join(passes)}, but for others: {why}; "
        else:
            job.remark = "scanned again, passes now; "
        return passes if choose(job.seen, passes)[1] else None

    def _divide(self, job: Job, addresses: Sequence[str]) -> None:
        """The act for some recipients of a queue file that has others too."""
        halves = self._divider.divide(
            job.target,
            job.seen,
            addresses,
            was_held=self._was_held(job.command, job.seen),
            note=lambda note: self._note(job.command, note),
        )
        if halves.chosen == halves.rest:  # the others were settled meanwhile
            self._act(job.verb, [job])
            return
        self._retarget(job.command, halves)
        self._act_on_half(job.command, halves, job.remark)

    def _act_on_half(self, command: Command, halves: Halves, remark: str = "") -> None:
        """The act on the copy that is meant, now that the original is gone; again after an interruption."""
        verb = plan.verb_for_copy(command.action)
        chosen, rest = (self._helper.read([half])[0] for half in (halves.chosen, halves.rest))
        if verb and chosen.envelope and chosen.envelope.queue == "hold":
            (outcome,) = self._helper.act(verb, [halves.chosen])
            done = outcome.result == "done" and plan.took_effect(verb, outcome.after or None)
        else:  # it was done before the interruption
            done, outcome = True, chosen
        if not halves.was_held and rest.envelope and rest.envelope.queue == "hold":
            self._helper.act("release", [halves.rest])
        copy = f" (as {halves.chosen.queue_id})"
        if done:
            said = plan.WORDS[verb or "hold"] + copy
            self._finish(command, CommandState.DONE, remark + said)
        else:
            self._finish(command, CommandState.FAILED, (outcome.reason or "Postfix did nothing") + copy)

    def _was_held(self, command: Command, seen: Envelope) -> bool:
        """Whether it was on hold before the command began, which an interrupted one has noted."""
        return seen.queue == "hold" and WAS_NOT_HELD not in command.result

    def _note(self, command: Command, note: str) -> None:
        """Remember how far it came."""
        Command.update(result=note).where(Command.id == command.id).execute()

    def _retarget(self, command: Command, halves: Halves) -> None:
        """What else was asked for on the original now concerns the copy for the rest."""
        Command.update(queue_id=halves.rest.queue_id, arrival=halves.rest.arrival_us).where(
            Command.node_id == self._node,
            Command.state == CommandState.REQUESTED,
            Command.queue_id == command.queue_id,
            Command.arrival == command.arrival,
        ).execute()

    def _act(self, verb: str, jobs: Sequence[Job]) -> None:
        """One verb on several queue files; the helper looked at each of them again afterwards."""
        targets = [job.target for job in jobs]
        for job, outcome in zip(jobs, self._helper.act(verb, targets), strict=True):
            queue = outcome.after or None
            if outcome.result == "done" and plan.took_effect(verb, queue):
                self._finish(job.command, CommandState.DONE, job.remark + plan.WORDS[verb])
            elif outcome.result in ("gone", "refused"):
                self._finish(job.command, CommandState.REFUSED, outcome.reason)
            elif outcome.result == "done":
                where = f"it stands in the queue {queue}" if queue else "it is gone from the queue"
                self._finish(job.command, CommandState.FAILED, f"Postfix said that it was done, but {where}")
            else:
                self._finish(job.command, CommandState.FAILED, outcome.reason)

    def _finish(self, command: Command, state: CommandState, result: str) -> None:
        """Record what truly happened, together with its line in the audit trail."""
        with self._database.atomic():
            Command.update(state=state, result=storable(result), finished=self._clock()).where(
                Command.id == command.id
            ).execute()
            audit.append(
                self._database,
                clock=self._clock,
                who=command.by_user,
                ip=command.by_ip,
                what=f"{command.action} {state.word}",
                message_id=command.message_id,
                detail={"command": command.id, "queue_id": command.queue_id, "result": result},
            )


class _Stays(Exception):
    """The message stays where it is; the text says why."""


def _target(command: Command) -> Target:
    long = arrival_us(command.queue_id) is not None
    return Target(command.queue_id, command.arrival, command.sender, 0.0 if long else SHORT_ID_SLACK)


def leg_target(leg: Leg, sender: str) -> Target:
    """The target that a leg of the records stands for."""
    long = arrival_us(leg.queue_id) is not None
    return Target(leg.queue_id, leg.arrival, sender, 0.0 if long else SHORT_ID_SLACK)
