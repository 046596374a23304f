"""Imports past logs with two processes: one reads and tracks, the other writes to the database.

Each batch of lines becomes one transaction with the positions of all sources, so a killed import goes on
where it was, and importing the same file again adds nothing.
"""

from __future__ import annotations

import gc
import json
import marshal
import multiprocessing
import os
import signal
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any

from mailweir.errors import MailweirError, Unavailable
from mailweir.postlog import lines
from mailweir.postlog.history import History
from mailweir.postlog.lines import Counts
from mailweir.postlog.stamps import Stamps
from mailweir.postlog.track import Tracker
from mailweir.records.ids import IMPORT_SLOT

AHEAD = 2  # batches that the reader may be ahead of the writer


@dataclass
class Start:
    """What the database said before the import began."""

    node: int
    known_until: int
    taken_until: int
    state: bytes
    counts: dict[str, Any]
    offsets: dict[str, int]  # of sources imported before, by identity


@dataclass
class Batch:
    """What one batch of lines came to."""

    changes: list[list[Any]]
    positions: list[tuple[str, dict[str, Any]]]  # identity and position of each source
    state: bytes
    counts: dict[str, Any]
    progress: int  # bytes of the files read so far


def dump_state(tracker: Tracker, stamps: Stamps) -> bytes:
    """The tracker's state for a cursor row."""
    state = {"tracker": tracker.state(), "last": stamps.last}
    return zlib.compress(json.dumps(state, separators=(",", ":")).encode(), 1)


def load_state(state: bytes, tracker: Tracker) -> float | None:
    """Restore the tracker; returns the time of the last line."""
    if not state:
        return None
    values = json.loads(zlib.decompress(state))
    tracker.restore(values["tracker"])
    last: float | None = values["last"]
    return last


class _Waiting:
    """The reader's memory: asks the database only once all it sent has been written."""

    def __init__(self, memory: Any, settle: Callable[[], None]) -> None:
        self._memory = memory
        self._settle = settle

    def leg(self, queue_id: str, arrival: int | None = None) -> dict[str, Any] | None:
        self._settle()
        found: dict[str, Any] | None = self._memory.leg(queue_id, arrival)
        return found

    def arrivals(self, queue_id: str, since: int, until: int) -> list[int]:
        self._settle()
        found: list[int] = self._memory.arrivals(queue_id, since, until)
        return found

    def last_id(self, milliseconds: int) -> int:
        self._settle()
        return int(self._memory.last_id(milliseconds))


class Reader:
    """The process that reads, parses and tracks."""

    def __init__(self, history: History, start: Start, batch: int, memory: Callable[[], Any]) -> None:
        self._history = history
        self._start = start
        self._batch = batch
        self._memory = memory

    def start(self) -> tuple[Connection, int]:
        """Fork; returns the connection from which batches come, and the process ID."""
        ours, theirs = multiprocessing.Pipe()
        process = os.fork()
        if process:
            theirs.close()
            return ours, process
        code = 1
        try:
            ours.close()
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the writer ends us by closing the connection
            self._run(theirs)
            code = 0
        except (BrokenPipeError, EOFError, ConnectionResetError):
            pass
        except MailweirError as error:
            theirs.send_bytes(marshal.dumps(str(error)))
        except Exception as error:  # noqa: BLE001 - the writer reports it; there is nobody else
            theirs.send_bytes(marshal.dumps(f"{type(error).__name__}: {error}"))
        finally:
            os._exit(code)

    def _run(self, connection: Connection) -> None:
        gc.disable()  # nothing here refers to itself in circles; collecting would cost a tenth of the time
        start, history = self._start, self._history
        outstanding = 0

        def settle(most: int = 0) -> None:
            nonlocal outstanding
            while outstanding > most:
                connection.recv_bytes()
                outstanding -= 1

        memory = _Waiting(self._memory(), settle)
        tracker = Tracker(
            start.node, memory, known_until=start.known_until, taken_until=start.taken_until, slot=IMPORT_SLOT
        )
        last = load_state(start.state, tracker)
        counts = Counts(**start.counts)
        tracker.orphaned = counts.orphaned
        resumed = any(start.offsets.values())
        stamps = Stamps(0.0, last if resumed and last else history.sources[0].starts)
        stamps.steps_back = counts.steps_back
        while texts := history.batch(self._batch):
            tracker.feed(lines.read(texts, stamps, counts))
            counts.orphaned = tracker.orphaned
            batch = (
                tracker.flush().as_list(),
                [(source.identity, source.position().as_dict()) for source in history.sources],
                dump_state(tracker, stamps),
                asdict(counts),
                sum(source.progress() for source in history.sources),
            )
            settle(AHEAD - 1)
            connection.send_bytes(marshal.dumps(batch))
            outstanding += 1
        settle()
        connection.send_bytes(marshal.dumps(None))


def batches(connection: Connection, write: Callable[[Batch], None]) -> None:
    """Hand each batch to the writer until the reader is done. Raises Unavailable when the reader failed."""
    while True:
        try:
            message = marshal.loads(connection.recv_bytes())  # noqa: S302 - from our own child
        except EOFError:
            raise Unavailable(
                "the reading process ended early; the import goes on when it is run again"
            ) from None
        if message is None:
            return
        if isinstance(message, str):
            raise Unavailable(f"reading stopped: {message}")
        write(Batch(*message))
        connection.send_bytes(b".")


def wait(process: int) -> None:
    """Reap the reader, which ends when the connection is closed."""
    os.waitpid(process, 0)
