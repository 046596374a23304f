"""The writing half of an import: one transaction a batch, with the positions of all sources in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from peewee import Database

from mailweir.errors import InputError, Unavailable
from mailweir.postlog import importing
from mailweir.postlog.changes import DELIVERY, Changes
from mailweir.postlog.history import History, Source
from mailweir.postlog.lines import Counts
from mailweir.postlog.position import Position
from mailweir.records.ids import IMPORT_SLOT
from mailweir.records.ingest_cursors import Cursors
from mailweir.records.ingest_memory import DatabaseMemory
from mailweir.records.ingest_rows import Writer
from mailweir.records.words import Outcome

IMPORT = "import"  # the cursor's name of the tracker's state between imports
_STATUS = DELIVERY.index("status")


class Importer:
    """Imports sources into a database for one node."""

    def __init__(self, database: Database, node: int) -> None:
        self._database = database
        self._node = node
        self._writer = Writer(database)
        self._cursors = Cursors(self._writer, node)
        self.added: Counter[str] = Counter()
        self.counts = Counts()

    def new(self, sources: Sequence[Source]) -> list[Source]:
        """The sources that are not in the records already; the others are skipped or continued.

        What the agent is following is its own to read: it is left out as a whole. Raises InputError when two
        sources are the same log, which would be taken in twice.
        """
        followed = self._cursors.position("log")
        result: list[Source] = []
        for source in sources:
            if followed is not None and source.holds(followed):
                continue
            if twin := next((other for other in result if source.begins_like(other)), None):
                raise InputError(f"{source.name} and {twin.name} are the same log: name one of them")
            taken = {other.identity for other in result}
            source.identity, before = self._cursors.file(source.first, source.holds, taken)
            if before is not None:
                source.skip_to(before.offset)
            if source.next_time() is not None:
                result.append(source)
        return result

    def run(
        self,
        history: History,
        batch: int,
        reopen: Callable[[], Database],
        now: Callable[[], float],
        progress: Callable[[int, int], None],
    ) -> None:
        """Import. reopen opens the reading process's own database; progress is told bytes and lines."""
        memory = DatabaseMemory(self._writer, self._node)
        state, counts = self._cursors.load(IMPORT)
        start = importing.Start(
            self._node, memory.known_until(), memory.taken_until(), state, counts,
            {source.identity: source.offset for source in history.sources},
        )  # fmt: skip
        before = Counts(**counts)
        self._database.close()  # a connection must not be carried over a fork
        reader = importing.Reader(
            history, start, batch, lambda: DatabaseMemory(Writer(reopen()), self._node, IMPORT_SLOT)
        )
        connection, process = reader.start()
        self._database.connect()
        if self._writer.is_sqlite:  # a mapped file would count as memory, the more the larger it grows
            self._writer.execute("PRAGMA mmap_size = 0")
            self._writer.execute("PRAGMA cache_size = -16000")  # KiB
            # The same pages of the indexes change again and again: carried over to the file less often.
            self._writer.execute("PRAGMA wal_autocheckpoint = 16000")  # pages

        def write(arrived: importing.Batch) -> None:
            try:
                with self._database.atomic():
                    self._write(arrived, now())
            except Exception as error:
                if not any(kind.__name__ == "IntegrityError" for kind in type(error).__mro__):
                    raise
                raise Unavailable(
                    "the agent has just taken in the same mail: repeat the import, which goes on from here"
                ) from error
            progress(arrived.progress, arrived.counts["read"] - before.read)

        try:
            importing.batches(connection, write)
        finally:
            connection.close()
            importing.wait(process)

    def _write(self, arrived: importing.Batch, now: float) -> None:
        changes = Changes.from_list(arrived.changes)
        self._writer.apply(changes)
        for identity, position in arrived.positions:
            self._cursors.moved(f"file:{identity}", Position.from_dict(position), now, {})
        self.counts = Counts(**arrived.counts)
        self._cursors.save(IMPORT, Position(), arrived.state, self.counts, now)
        added = self.added
        added["messages"] += len(changes.messages) - len(changes.rekeyed)
        added["recipients"] += len(changes.recipients)
        added["rejects"] += len(changes.rejects)
        added["sessions"] += len(changes.sessions)
        added["deliveries"] += len(changes.deliveries)
        for outcome, count in Counter(row[_STATUS] for row in changes.deliveries).items():
            added[Outcome(outcome).word] += count
