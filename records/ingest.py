"""Takes journal lines, log lines and queue listings into the records, each exactly once.

Whatever one call takes in is committed in ONE transaction together with the positions it was read up to, so
a kill at any point leaves either all of it or nothing, and the next start goes on from there.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from peewee import Database, PeeweeException

from mailweir.errors import Unavailable
from mailweir.plain import visible
from mailweir.postlog import journal, lines, listed
from mailweir.postlog.importing import dump_state, load_state
from mailweir.postlog.lines import Counts
from mailweir.postlog.position import Chunk, Position
from mailweir.postlog.queue import QueueEntry
from mailweir.postlog.stamps import Stamps
from mailweir.postlog.track import Tracker
from mailweir.records.ingest_cursors import Cursors
from mailweir.records.ingest_faults import MOST, Lines, is_refusal
from mailweir.records.ingest_memory import DatabaseMemory
from mailweir.records.ingest_rows import Writer

logger = logging.getLogger("mailweir.records")
LOG = "log"  # the cursor's name of the followed log; its row also holds the tracker's state


class Ingest:
    """The one writer of a node's messages, legs and deliveries."""

    def __init__(self, database: Database, node: int) -> None:
        """`node` is config.node.number; the tracker's state is loaded from the database when first needed."""
        self._database = database
        self._node = node
        self._writer = Writer(database)
        self._cursors = Cursors(self._writer, node)
        self._tracker: Tracker | None = None
        self._stamps = Stamps(0.0)
        self._seen: dict[str, int] = {}  # what the last queue listing said, by queue ID
        self.counts = Counts()

    def position(self, name: str) -> Position | None:
        """Where following `name` ("log", "journal:00" …) left off; None when it never began."""
        with self._connected():
            if name == LOG and self._tracker is None:
                self.counts = Counts(**self._cursors.load(LOG)[1])
            return self._cursors.position(name)

    def take(
        self, *, journals: Mapping[str, Chunk] | None = None, log: Chunk | None = None, now: float
    ) -> Counts:
        """Take in what the journals' chunks (by cursor name) and then the log's chunk hold; one transaction.

        `now` is in seconds since 1970. Returns the counts of the log so far. Raises Unavailable when the
        database does not answer: nothing was taken then, and the same chunks may be given again.
        """
        given = {name: chunk for name, chunk in (journals or {}).items() if chunk}
        log = log or None
        if not log and not given:
            return self.counts
        try:
            self._take(given, log, now)
        except Unavailable as error:
            if not is_refusal(error):
                raise
            self._take_others(Lines(given, log), error, now)
        return self.counts

    def _take(
        self,
        journals: Mapping[str, Chunk],
        log: Chunk | None,
        now: float,
        *,
        left_out: Sequence[bytes] = (),
        keep: bool = True,
    ) -> None:
        """take(), all or nothing. Raises _Undone, with nothing changed, when it is not to be kept."""
        with self._transaction(now) as tracker:
            for name, chunk in journals.items():
                _, bad = journal.take(tracker.book, chunk.lines)
                self._cursors.moved(name, chunk.position, now, {"not_understood": bad})
            if log:
                tracker.feed(lines.read(log.texts, self._stamps, self.counts))
                self.counts.orphaned = tracker.orphaned
            lines.left_out(left_out, self.counts)
            self._writer.apply(tracker.flush())
            if not keep:
                raise _Undone
            if log is not None:
                self._cursors.finished(LOG, log.position, now)
            state = dump_state(tracker, self._stamps)
            self._cursors.save(LOG, log.position if log is not None else None, state, self.counts, now)

    def _take_others(self, given: Lines, error: Unavailable, now: float) -> None:
        """Take in all but the lines whose rows the database refuses, which are told of and counted."""

        def is_refused(journals: Mapping[str, Chunk], log: Chunk | None) -> bool:
            try:
                self._take(journals, log, now, keep=False)
            except Unavailable as error:
                if is_refusal(error):
                    return True
                raise
            except _Undone:
                pass
            return False

        for _ in range(MOST):
            line = visible(given.leave_out(is_refused).decode("utf-8", "replace"))
            logger.error("%s. Left out: %s", error, line)
            try:
                return self._take(*given.first(), now, left_out=given.left_out)
            except Unavailable as another:
                if not is_refusal(another):
                    raise
                error = another
        raise error

    def reconcile(self, entries: Sequence[QueueEntry], now: float) -> None:
        """Compare the records with a listing of the queue (queue.snapshot); one transaction.

        A pending recipient is cleared only when two listings in a row miss its queue file.
        """
        with self._transaction(now) as tracker:
            before, self._seen = self._seen, {entry.queue_id: hash(entry) for entry in entries}
            for entry in entries:
                if before.get(entry.queue_id) != self._seen[entry.queue_id]:
                    listed.take(tracker.book, entry, now)
            listed.missed(tracker.book, self._cursors.open_legs(), self._seen, now)
            self._writer.apply(tracker.flush())
            self._cursors.save(LOG, None, dump_state(tracker, self._stamps), self.counts, now)

    def _load(self, now: float) -> Tracker:
        memory = DatabaseMemory(self._writer, self._node)
        tracker = Tracker(
            self._node, memory, known_until=memory.known_until(), taken_until=memory.taken_until()
        )
        state, counts = self._cursors.load(LOG)
        last = load_state(state, tracker)
        self.counts = Counts(**counts)
        tracker.orphaned = self.counts.orphaned
        self._stamps = Stamps(now, last=last)
        self._stamps.steps_back = self.counts.steps_back
        self._seen = {}
        return tracker

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        """Turn the database's troubles into one error that says what to do."""
        try:
            self._database.connect(reuse_if_open=True)
            yield
        except (PeeweeException, sqlite3.Error, OSError, OverflowError) as error:
            raise Unavailable(f"the database does not take records: {str(error).strip()}") from error
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "psycopg":
                raise
            raise Unavailable(f"the database does not take records: {str(error).strip()}") from error

    def forget_addresses(self) -> None:
        """Ask the database for address numbers anew: records/purge.py removes those that nothing names."""
        self._writer.addresses.forget()

    @contextlib.contextmanager
    def _transaction(self, now: float) -> Iterator[Tracker]:
        """All or nothing; after a failure the tracker is loaded anew, as it has seen what was not written."""
        done = False
        try:
            with self._connected(), self._database.atomic():
                if self._tracker is None:
                    self._tracker = self._load(now)
                yield self._tracker
            done = True
        finally:
            if not done:
                self._tracker = None
                self._writer.addresses.forget()
                with contextlib.suppress(Exception):
                    self._database.close()


class _Undone(Exception):
    """What was taken in for a trial is not kept."""
