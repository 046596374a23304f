"""Takes journal lines, log lines and queue listings into the records, each exactly once.

Whatever one call takes in is committed in ONE transaction together with the positions it was read up to, so
a kill at any point leaves either all of it or nothing, and the next start goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from peewee import Database

from mailweir.postlog.follow import Chunk, Position
from mailweir.postlog.queue import QueueEntry


@dataclass
class Counts:
    """What became of the lines read, for the pages and `mailweir doctor`; they only ever grow."""

    read: int = 0
    understood: int = 0
    ignored: int = 0  # deliberately: nothing for the records in them
    not_understood: int = 0
    orphaned: int = 0  # about a queue file that neither log nor records had told of before


class Ingest:
    """The one writer of a node's messages, legs and deliveries."""

    def __init__(self, database: Database, node: int) -> None:
        """`node` is config.node.number; the tracker's state is loaded from the database."""
        raise NotImplementedError

    def position(self, name: str) -> Position | None:
        """Where following `name` ("log", "journal:00" …) left off; None when it never began."""
        raise NotImplementedError

    def take(
        self, *, journals: Mapping[str, Chunk] | None = None, log: Chunk | None = None, now: float
    ) -> Counts:
        """Take in what the journals' chunks (by cursor name) and then the log's chunk hold; one transaction.

        `now` is in seconds since 1970. An empty chunk (or none) only lets what waited come of age. Returns
        the counts of the log so far. Raises Unavailable when the database does not answer: nothing was
        taken then, and the same chunks may be given again.
        """
        raise NotImplementedError

    def reconcile(self, entries: Sequence[QueueEntry], now: float) -> None:
        """Compare the records with a listing of the queue (queue.snapshot); one transaction.

        A pending recipient is cleared only when two listings in a row miss its queue file.
        """
        raise NotImplementedError
