"""What a worker does with a whole message: scan it, decide, split it, note it, and say what to answer.

Knows nothing of libmilter (that is filter.py), so all of it can be tried without Postfix. Several threads
use one desk at once.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from mailweir.config import Config
from mailweir.content.findings import Scan
from mailweir.errors import Unavailable
from mailweir.milter import authres, entry, outcome, split
from mailweir.milter.journal import Journal
from mailweir.milter.message import Message, Recipient
from mailweir.milter.outcome import Judged, Outcome
from mailweir.milter.snapshot import Snapshot
from mailweir.policies.direction import direction_of
from mailweir.policies.scopes import PolicySet
from mailweir.policies.verdict import Action, decide
from mailweir.records.ids import IdSource, to_text
from mailweir.records.words import Direction

log = logging.getLogger("mailweir.milter")


class ScansMessages(Protocol):
    """The part of content.scanner.Scanner that a desk uses."""

    def scan_message(self, body: BinaryIO, size: int) -> Scan:
        """Everything seen in one message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to tell Postfix of one message."""

    id_text: str  # the Mail In ID as people see it
    outcome: Outcome


class Desk:
    """One worker's, for all its connections."""

    def __init__(
        self,
        config: Config,
        scanner: ScansMessages,
        journal: Journal,
        snapshot: Snapshot,
        ids: IdSource,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self._scanner = scanner
        self._journal = journal
        self._snapshot = snapshot
        self._ids = ids
        self._ids_lock = threading.Lock()
        self._clock = clock
        self._unavailable = Action(config.clamd.unavailable)
        self._in_hand = 0
        self._stopping = False
        self._changed = threading.Condition()

    def judge(self, message: Message) -> Answer:
        """Decide on a complete message; once this returns, its journal line is on the disk.

        Raises OSError when the journal or the spool cannot be written; then nothing was decided.
        """
        with self._ids_lock:
            identifier = self._ids.from_clock(self._clock)
        policies = self._snapshot.current()
        directions = [
            (recipient, _direction(recipient, message, policies)) for recipient in message.recipients.values()
        ]
        node = self.config.node.number

        begun = time.monotonic()
        body = message.spool.reader()
        with self._journal.noted_when_slow(
            identifier, lambda: entry.filtering_entry(identifier, node, self._clock(), message, directions)
        ):
            scan = self._scanner.scan_message(body, message.spool.size)
        scan_ms = int((time.monotonic() - begun) * 1000)

        results = authres.results_of(
            message.values("authentication-results"), self.config.milter.trusted_authserv
        )
        decided = self._decide(message, directions, scan, policies, authres.domains_of(results))
        if decided.removed:
            decided = self._split(message, decided, to_text(identifier))
        self._journal.append(
            entry.message_entry(
                identifier,
                node,
                self._clock(),
                message,
                scan,
                decided,
                authres=results,
                scan_ms=scan_ms,
                most=self.config.journal.max_listed,
            )
        )
        return Answer(to_text(identifier), decided)

    def _decide(
        self,
        message: Message,
        directions: list[tuple[Recipient, Direction]],
        scan: Scan,
        policies: PolicySet,
        authenticated_domains: frozenset[str],
    ) -> Outcome:
        now = self._clock()
        judged = []
        for recipient, direction in directions:
            verdict = decide(
                policies,
                direction=direction,
                sender=message.sender,
                recipient=recipient.address,
                findings=scan.findings,
                authenticated_domains=authenticated_domains,
                unavailable=scan.unavailable,
                on_unavailable=self._unavailable,
                now=now,
            )
            judged.append(Judged(recipient, direction, verdict, verdict.action))
        return outcome.settle(judged, scan.findings)

    def _split(self, message: Message, decided: Outcome, id_text: str) -> Outcome:
        """Hand the copy over; when that fails, the client keeps the message and comes again."""
        if not all(split.can_be_named(recipient) for recipient in decided.removed):
            return outcome.stalled_whole(decided)
        if not decided.split:
            return decided
        stalled = [one.recipient for one in decided.split]
        try:
            reply = split.hand_over(
                message,
                stalled,
                id_text,
                service=self.config.postfix.holding_service,
                timeout=self.config.milter.handover_timeout,
                now=self._clock(),
            )
        except Unavailable as error:
            log.error("%s: %s %s", message.queue_id, id_text, error)
            return outcome.deferred(decided.judged, "4.3.0", "temporary failure, please try again later")
        log.info("%s: %s stalled apart for %d recipients: %s", message.queue_id, id_text, len(stalled), reply)
        return decided

    @contextlib.contextmanager
    def in_hand(self) -> Iterator[None]:
        """Around each message's end. Raises Unavailable once the worker is stopping."""
        with self._changed:
            if self._stopping:
                raise Unavailable("the filter is being stopped")
            self._in_hand += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_hand -= 1
                self._changed.notify_all()

    def drain(self) -> bool:
        """Take no more messages; wait for those in hand, for milter.stop_grace; whether all were finished."""
        with self._changed:
            self._stopping = True
            return self._changed.wait_for(lambda: not self._in_hand, self.config.milter.stop_grace)


def _direction(recipient: Recipient, message: Message, policies: PolicySet) -> Direction:
    return direction_of(
        rcpt_mailer=recipient.mailer,
        recipient=recipient.address,
        sender=message.sender,
        authenticated=bool(message.auth_user),
        local_submission=message.client.local,
        policies=policies,
    )
