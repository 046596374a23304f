"""The agent's loop: follow journals and log, carry out commands, keep lifetimes, publish policies.

Everything it knows stands in the database, in the same transaction as how far it has read; so it can be
killed at any point and started again.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from peewee import Database, PeeweeException

from mailweir.agent import health, lifetimes, postconf, publish
from mailweir.agent.commands import Commands
from mailweir.agent.health import Health
from mailweir.agent.journals import Journals
from mailweir.agent.notices import Outbox
from mailweir.agent.queue import QueueHelper
from mailweir.agent.scans import Scanner
from mailweir.config import Config
from mailweir.errors import ConfigError, InputError, Unavailable
from mailweir.policies.scopes import PolicySet
from mailweir.postlog.follow import open_read_only
from mailweir.postlog.journald import follow_log
from mailweir.postlog.position import Chunk
from mailweir.postlog.queue import parse_listing
from mailweir.records import next_attempts
from mailweir.records.audit_head import AuditHead
from mailweir.records.ingest import Ingest
from mailweir.records.purge import purge
from mailweir.records.texts import index_texts

log = logging.getLogger("mailweir.agent")

_BEHIND = 1 << 16  # bytes of the log not taken in: more is a backlog, to be worked off before other duties
_FORGET_EVERY = 43_200.0  # seconds; purge relies on less than two days
_RETRY_AFTER = 1.0  # seconds to wait when something we depend on is away
_PUBLISH_EVERY = 2.0  # seconds
_NOTICES_EVERY = 2.0  # seconds
_AUDIT_EVERY = 2.0  # seconds
_REPORT_EVERY = 5.0  # seconds
_TEXTS_EVERY = 1.0  # seconds
_PURGE_EVERY = 60.0  # seconds
_POSTCONF_EVERY = 300.0  # seconds
_LOAD_SHARE = 50  # loading the policies may take this part of the time at most


class Agent:
    """One node's agent; `turn` does what is due and says whether there may be more at once."""

    def __init__(
        self,
        config: Config,
        database: Database,
        scanner: Callable[[], Scanner],
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._helper = QueueHelper(config)
        self._ingest = Ingest(database, config.node.number)
        self._journals = Journals(config.journal_dir, self._ingest.position)
        self._log = follow_log(
            config.postfix.log,
            self._ingest.position("log"),
            opener=self._open_log,
            besides=lambda: postconf.of_postsuper(config),
        )
        self._owed_journals: Mapping[str, Chunk] = {}  # read, but not taken in yet
        self._owed_log: Chunk | None = None  # the same
        self._policies = PolicySet.default()
        self._commands = Commands(config, database, self._helper, scanner, lambda: self._policies, clock)
        self._outbox = Outbox(config, database, clock)
        self._health = Health()
        self._audit_head = AuditHead(config.audit_head)
        self._steady = lifetimes.SteadyClock(config.agent.clock_grace)
        self._steady.restore(dict(health.last(config).get("clock", {})))
        self._due: dict[str, float] = {}
        self._listed = 0.0  # when the last listing of the queue that was taken in was begun
        self._postfix = postconf.PostfixSettings()

    def turn(self) -> bool:
        """Do what is due; whether to go on without a pause. Raises Unavailable and PeeweeException."""
        behind = self._follow() >= _BEHIND
        more = behind
        self._every(_POSTCONF_EVERY, "postconf", self._read_postconf)
        self._every(_PUBLISH_EVERY, "policies", self._publish)
        more = self._guarded("commands", self._commands.run) or more
        if not behind:  # what the records do not know yet must not look like something that is missing
            self._every(self._config.postfix.queue_interval, "queue", self._reconcile)
            self._every(self._config.agent.lifetimes_interval, "lifetimes", self._lifetimes)
            self._every(_NOTICES_EVERY, "notices", self._notices)
        self._every(_AUDIT_EVERY, "audit", lambda: self._audit_head.look(self._clock()))
        self._every(_TEXTS_EVERY, "texts", self._index_texts)
        self._every(_TEXTS_EVERY, "content", self._commands.forget_read)
        self._every(_PURGE_EVERY, "purge", self._purge)
        self._every(_REPORT_EVERY, "log", self._log.check)
        self._every(_REPORT_EVERY, "report", self._report)
        return more

    def close(self) -> None:
        """Report a last time and let go of everything."""
        self._log.close()

    def _follow(self) -> int:
        """Take in what is new: journals before the log lines that mention their queue files.

        Returns how many bytes of the log are left.

        What was read while the database does not answer stays owed, and is taken in first the next time.
        """
        self._owed_log = chunk = self._owed_log or self._log.read(self._config.agent.batch)
        while journals := self._owed_journals or self._journals.read():
            self._owed_journals = journals
            self._take(journals, None)
            self._owed_journals = {}
        self._take({}, chunk)
        self._owed_log = None
        left = self._log.lag()
        if left < _BEHIND:
            self._health.log_time = self._clock()
        return left

    def _take(self, journals: Mapping[str, Chunk], chunk: Chunk | None) -> None:
        counts = self._ingest.take(journals=journals, log=chunk, now=self._clock())
        self._health.counts = asdict(counts)

    def _open_log(self, path: Path) -> int:
        """Open the log ourselves or, where only root may, have the queue-helper do it."""
        try:
            return open_read_only(path)
        except PermissionError:
            return self._helper.open_log(path.name)

    def _reconcile(self) -> None:
        began = self._clock()
        entries, bad = parse_listing(self._helper.listing())
        if bad:
            log.warning("%d lines of the queue's listing were not understood", bad)
        self._ingest.reconcile(entries, self._clock())
        self._listed = began
        seen = self._clock()  # an attempt recorded from now on makes what is read now out of date
        next_attempts.store(self._database, self._config.node.number, self._helper.schedule(), seen)

    def _read_postconf(self) -> None:
        self._postfix = postconf.read(self._config)
        if problem := postconf.contradiction(self._postfix, lifetimes.longest_lifetime(self._policies)):
            raise ConfigError(problem)

    def _publish(self) -> None:
        began = self._monotonic()
        self._policies = publish.load(self._postfix)
        if publish.write(self._policies, self._config.policy_snapshot):
            log.info("published the policies")
        took = self._monotonic() - began
        self._due["policies"] = began + max(_PUBLISH_EVERY, took * _LOAD_SHARE)

    def _lifetimes(self) -> None:
        now = self._clock()
        if self._steady.observe(now, lifetimes.since_boot(), lifetimes.boot_id()):
            lifetimes.enforce(self._database, self._config.node.number, self._policies, now, self._clock)
        else:
            raise Unavailable(
                "the clock was set lately: no mail is ended until it has been steady for a while"
            )

    def _notices(self) -> None:
        self._outbox.write(self._policies)
        self._outbox.send(self._listed)

    def _index_texts(self) -> None:
        index_texts(self._database, self._config.records.index_batch)

    def _purge(self) -> None:
        done = purge(self._database, self._config.records, self._clock())
        if done.more:
            self._due["purge"] = self._monotonic()
        self._every(_FORGET_EVERY, "addresses", self._ingest.forget_addresses)
        if done.addresses:
            self._ingest.forget_addresses()

    def _report(self) -> None:
        now = self._clock()
        self._health.log_lag = self._log.lag()
        self._health.journal_lag = self._journals.lag()
        self._health.recipient_delimiter = self._postfix.recipient_delimiter
        self._health.clock = self._steady.as_dict()
        self._health.report(self._config, now)
        self._journals.remove_older_than(now - self._config.journal.keep * 3600)

    def _every(self, interval: float, name: str, duty: Callable[[], object]) -> None:
        now = self._monotonic()
        if now >= self._due.get(name, now):
            self._due[name] = now + interval
            self._guarded(name, duty)

    def _guarded(self, name: str, duty: Callable[[], object]) -> bool:
        """Do it; what it depends on may be away, which concerns no other duty and is told on the pages."""
        try:
            result = bool(duty())
        except (Unavailable, InputError, ConfigError, OSError) as error:
            if self._health.problems.get(name) != str(error):
                log.warning("%s: %s", name, error)
            self._health.problems[name] = str(error)
            return False
        self._health.problems.pop(name, None)
        return result


def run(config: Config, database: Database, scanner: Callable[[], Scanner], stop: threading.Event) -> None:
    """Work until told to stop. Raises ConfigError when another agent works on the same state."""
    with _OnlyOne(config):
        agent = Agent(config, database, scanner)
        while not stop.is_set():
            try:
                more = agent.turn()
            except (Unavailable, PeeweeException) as error:
                log.warning("%s", error)
                database.close()
                stop.wait(_RETRY_AFTER)
                continue
            if not more:
                stop.wait(config.agent.poll)
        agent.close()


class _OnlyOne:
    """Holds a lock on the state directory, which the kernel drops with the process."""

    def __init__(self, config: Config) -> None:
        self._path = Path(config.state_dir, "agent.lock")

    def __enter__(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"another agent is running: it holds {self._path}") from None
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        self._file.close()
