"""Carries out what people asked for: requested → running → done, failed or refused, with the reason.

Nothing is believed: before an act the queue file is compared with what the user saw, after it the queue is
read again, and a command that an earlier agent left running is first checked against the queue.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any

from peewee import Database

from mailweir.agent import plan
from mailweir.agent.aim import Aim, Job, Stays, target_of, was_held
from mailweir.agent.command_rows import CommandRows, one_each
from mailweir.agent.divide import Divider, Halves, read_note
from mailweir.agent.entrusted import AGAIN, ENTRUSTED, Entrusted
from mailweir.agent.queue import Outcome, QueueHelper
from mailweir.agent.reading import READS, Reading
from mailweir.agent.rescan import Retry
from mailweir.agent.scans import Look, Scanner, Scans
from mailweir.config import Config
from mailweir.content.findings import Scan
from mailweir.errors import MailweirError, Refused, Unavailable
from mailweir.policies.scopes import PolicySet
from mailweir.records.models import Command
from mailweir.records.words import CommandState

log = logging.getLogger("mailweir.agent")

SCANS = 4  # messages scanned again at the same time


class Commands:
    """Runs the commands of one node."""

    def __init__(
        self,
        config: Config,
        database: Database,
        helper: QueueHelper,
        scanner: Callable[[], Scanner],
        policies: Callable[[], PolicySet],
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._rows = CommandRows(database, config.node.number, clock)
        self._helper = helper
        self._clock = clock
        self._aim = Aim(helper, policies, clock)
        self._retry = Retry(database, policies, clock)
        self._scanner = scanner
        self._scans = Scans(helper, SCANS)
        self._entrusted = Entrusted(config)
        self._reading = Reading(config, clock)
        self._divider = Divider(config, helper, clock)

    def run(self) -> int:
        """Carry out a batch of what is asked for; how many there were, scans that go on among them.

        Raises Unavailable when the queue-helper or the database does not answer; what was running then is
        checked against the queue by the next call.
        """
        self._recover()
        taken = self._rows.take(self._scans.room)
        if taken:
            self._carry_out(taken)
        scanned = self._scans.ended(wait=not taken)
        for batch in one_each(self._rows.running(scanned)):
            self._carry_out(batch, scanned=scanned)
        return len(taken) + len(scanned) + len(self._scans.under_way)

    def forget_read(self) -> None:
        """Remove what was read of messages long enough ago."""
        self._reading.forget()

    def _recover(self) -> None:
        """Check what an earlier run left running: done if the queue shows it, else asked for again."""
        for command in self._rows.left_running(self._scans.under_way):
            (found,) = self._helper.read([target_of(command)])
            if found.result == "unreadable":
                continue
            same = found.envelope if found.result == "same" else None
            halves = read_note(command.result, command.sender, self._clock)
            effect = plan.visible_effect(command.action, same.queue if same else None)
            if command.action in ENTRUSTED and not effect and not halves:
                self._finish(command, CommandState.FAILED, AGAIN[command.action])
            elif halves and found.result == "gone":
                self._act_on_half(command, halves)
            elif effect and not halves and (command.address_id is None or same is None):
                self._finish(command, CommandState.DONE, f"{effect}; seen in the queue after an interruption")
            else:
                self._rows.ask_again(command)

    def _carry_out(
        self,
        batch: Sequence[Command],
        *,
        scanned: Mapping[int, Future[Any]] = MappingProxyType({}),
    ) -> None:
        """Act on what can be acted on now, and begin the scans of what must be scanned before.

        What was scanned comes here again with the result, so that after a scan, however long it took, the
        queue file is compared with what the user saw as before any other act.
        """
        self._aim.learn(batch)
        jobs: dict[str, list[Job]] = {}
        for command, found in zip(
            batch, self._helper.read([target_of(command) for command in batch]), strict=True
        ):
            try:
                job = self._aim.prepare(command, found)
                if job.verb in (plan.RESCAN, plan.READ) and command.id not in scanned:
                    self._scans.begin(command.id, job.target, self._look(command))
                    continue
                if job.verb == plan.READ:
                    self._reading.keep(command, *scanned[command.id].result())
                    self._finish(command, CommandState.DONE, "read")
                    continue
                if job.verb == plan.RESCAN:
                    scan: Scan = scanned[command.id].result()
                    chosen = self._retry.weigh(job, scan, self._aim.addressees(job))
                    job.verb = plan.verb("force", job.seen.queue, *self._aim.ages(job))
                else:
                    chosen = self._aim.meant(job)
                if chosen is None:
                    jobs.setdefault(job.verb, []).append(job)
                else:
                    self._divide(job, chosen)
            except Refused as error:
                self._finish(command, CommandState.REFUSED, str(error))
            except Stays as error:
                self._finish(command, CommandState.FAILED, str(error))
            except Unavailable:
                raise
            except Exception as error:  # one command must not stop all others
                if not isinstance(error, MailweirError):
                    log.exception("command %d", command.id)
                self._finish(command, CommandState.FAILED, str(error) or type(error).__name__)
        for verb, several in jobs.items():
            self._act(verb, several)

    def _look(self, command: Command) -> Look:
        """What is to be done with the content of a message, beside the loop."""
        entrusted, action = self._entrusted.take(command), command.action
        if action in READS:
            return lambda body, size: (self._reading.read(action, body, size), entrusted)
        passwords = [entrusted] if entrusted else []
        return lambda body, size: self._scanner().scan_message(body, size, passwords=passwords)

    def _divide(self, job: Job, addresses: Sequence[str]) -> None:
        """The act for some recipients of a queue file that has others too."""
        halves = self._divider.divide(
            job.target,
            job.seen,
            addresses,
            was_held=was_held(job.command, job.seen),
            note=lambda note: self._rows.note(job.command, note),
        )
        if halves.chosen == halves.rest:  # the others were settled meanwhile
            self._act(job.verb, [job])
            return
        self._rows.retarget(job.command, halves, self._scans.under_way)
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

    def _act(self, verb: str, jobs: Sequence[Job]) -> None:
        """One verb on several queue files; the helper looked at each of them again afterwards."""
        targets = [job.target for job in jobs]
        results = [
            (job.command, *_result(job, verb, outcome))
            for job, outcome in zip(jobs, self._helper.act(verb, targets), strict=True)
        ]
        self._rows.finish(results)

    def _finish(self, command: Command, state: CommandState, result: str) -> None:
        self._rows.finish([(command, state, result)])


def _result(job: Job, verb: str, outcome: Outcome) -> tuple[CommandState, str]:
    """What an act truly came to, by what the queue showed after it."""
    queue = outcome.after or None
    if outcome.result == "done" and plan.took_effect(verb, queue):
        return CommandState.DONE, job.remark + plan.WORDS[verb]
    if outcome.result in ("gone", "refused"):
        return CommandState.REFUSED, outcome.reason
    if outcome.result == "done":
        where = f"it stands in the queue {queue}" if queue else "it is gone from the queue"
        return CommandState.FAILED, f"Postfix said that it was done, but {where}"
    return CommandState.FAILED, outcome.reason
