"""The journal: one line for each message, on disk before Postfix hears the answer.

Each worker slot has its own file. Lines of messages that end at the same time are synced together by one
writer thread (group commit), so the disk is waited for once and not once a message.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

BLOCK = 65_536  # bytes read at once while looking for a file's last line

Entry = Mapping[str, Any]


class _Ticket:
    """One line on its way to the disk, and the thread that waits for it."""

    __slots__ = ("_done", "_error", "line")

    def __init__(self, line: bytes) -> None:
        self.line = line
        self._error: OSError | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def finish(self, error: OSError | None) -> None:
        self._error = error
        self._done.release()

    def wait(self) -> None:
        self._done.acquire()
        if self._error:
            raise self._error


class Journal:
    """Appends to `NN.journal` in the directory, and begins a new file when one has grown large.

    A full file is renamed to `NN-<milliseconds>.journal`: whoever follows it by inode reads it to its end
    and then goes on with the new one. A write that failed is taken back, so that a file holds whole lines
    only; one that was torn by a crash is repaired when the file is opened again.
    """

    def __init__(
        self,
        directory: Path,
        slot: int,
        *,
        rotate_above: int,
        slow_after: float,
        clock: Callable[[], float] = time.time,
        warn: Callable[[str], None],
    ) -> None:
        """Open the slot's file and start the writer thread. Bytes and seconds. Raises OSError."""
        self.path = directory / f"{slot:02}.journal"
        self._directory = directory
        self._slot = slot
        self._rotate_above = rotate_above
        self._slow_after = slow_after
        self._clock = clock
        self._warn = warn
        self._fd, self._size = self._open()
        self._torn = False
        self._waiting: list[_Ticket] = []
        self._slow: dict[int, tuple[float, Callable[[], Entry]]] = {}  # Mail In ID -> when to note what
        self._closed = False
        self._asleep = False
        self._wake = threading.Condition()
        self._writer = threading.Thread(target=self._run, name="journal", daemon=True)
        self._writer.start()

    def last_id(self) -> int:
        """The newest Mail In ID in the slot's files; 0 when there is none."""
        rotated = sorted(self._directory.glob(f"{self._slot:02}-*.journal"))[-1:]
        return max(_last_id(path) for path in (self.path, *rotated))

    def append(self, entry: Entry) -> None:
        """Write one entry; return once it is on the disk. Raises OSError when it could not be put there."""
        ticket = _Ticket(as_line(entry))
        with self._wake:
            if self._closed:
                raise OSError("the journal is closed")
            self._waiting.append(ticket)
            self._wake.notify()
        ticket.wait()

    @contextlib.contextmanager
    def noted_when_slow(self, key: int, entry: Callable[[], Entry]) -> Iterator[None]:
        """Write the entry, without waiting for the disk, if what is done inside takes long."""
        due = time.monotonic() + self._slow_after
        with self._wake:
            self._slow[key] = (due, entry)
            if self._asleep:
                self._wake.notify()
        try:
            yield
        finally:
            with self._wake:
                self._slow.pop(key, None)

    def close(self) -> None:
        """Write what is waiting and end the writer."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._writer.join()
        os.close(self._fd)

    def _run(self) -> None:
        while True:
            with self._wake:
                if not self._waiting and not self._closed:
                    self._doze()
                batch, self._waiting = self._waiting, []
                slow = self._due()
                closed = self._closed
            if slow and (error := self._write(slow, sync=False)):
                self._warn(f"journal {self.path}: {error}")
            if batch:
                error = self._write([ticket.line for ticket in batch], sync=True)
                for ticket in batch:
                    ticket.finish(error)
            elif closed:
                return
            if self._size > self._rotate_above:
                self._rotate()

    def _doze(self) -> None:
        """Wait for work. Only after a while without any does the writer fall asleep and have to be woken
        for each message that begins, so a busy worker pays for no wake-ups."""
        if not self._wake.wait(self._slow_after) and not self._slow:
            self._asleep = True
            self._wake.wait()
            self._asleep = False

    def _due(self) -> list[bytes]:
        now = time.monotonic()
        due = [key for key, (when, _) in self._slow.items() if when <= now]
        return [as_line(self._slow.pop(key)[1]()) for key in due]

    def _open(self) -> tuple[int, int]:
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            size = _repair(fd)
            _sync_directory(self._directory)
        except OSError:
            os.close(fd)
            raise
        return fd, size

    def _write(self, lines: list[bytes], *, sync: bool) -> OSError | None:
        data = b"".join(lines)
        try:
            if self._torn:
                os.ftruncate(self._fd, self._size)
                self._torn = False
            _write_fully(self._fd, data)
            if sync:
                os.fdatasync(self._fd)
        except OSError as error:
            self._torn = True
            with contextlib.suppress(OSError):  # else tried again before the next write
                os.ftruncate(self._fd, self._size)
                self._torn = False
            return error
        self._size += len(data)
        return None

    def _rotate(self) -> None:
        milliseconds = int(self._clock() * 1000)
        while (full := self._directory / f"{self._slot:02}-{milliseconds}.journal").exists():
            milliseconds += 1
        try:
            self.path.rename(full)
            fd, size = self._open()
        except OSError as error:
            self._warn(f"journal {self.path} cannot be rotated, going on with the same file: {error}")
            self._rotate_above *= 2
            with contextlib.suppress(OSError):
                full.rename(self.path)
            return
        os.close(self._fd)
        self._fd, self._size, self._torn = fd, size, False


def as_line(entry: Entry) -> bytes:
    """The entry as one line of ASCII JSON; invalid bytes (surrogate escapes) become \\udcXX."""
    return json.dumps(entry, separators=(",", ":")).encode("ascii") + b"\n"


def _write_fully(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _repair(fd: int) -> int:
    """Cut a line off that a crash left without its end, which nobody was promised; the size then."""
    size = os.fstat(fd).st_size
    end = _last_newline(fd, size)
    if end < size:
        os.ftruncate(fd, end)
        os.fsync(fd)
    return end


def _last_newline(fd: int, before: int) -> int:
    """The offset just after the last newline before that offset; 0 when there is none."""
    while before:
        start = max(0, before - BLOCK)
        found = os.pread(fd, before - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        before = start
    return 0


def _last_id(path: Path) -> int:
    with path.open("rb") as file:
        end = _last_newline(file.fileno(), os.fstat(file.fileno()).st_size)
        start = _last_newline(file.fileno(), max(0, end - 1))
        file.seek(start)
        try:
            return int(json.loads(file.read(end - start))["id"])
        except (ValueError, KeyError, TypeError):
            return 0


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
