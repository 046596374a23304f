"""A worker's side of the processes in which hostile formats are opened: hands items over, kills in time.

Whatever becomes of a child, the worker lives: a crash, a bomb or an endless loop ends one child and is told
as an outcome.
"""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from mailweir.config import Content
from mailweir.content.child import receive, send
from mailweir.errors import Unavailable

_PATIENCE = 4  # times the time budget that a message may wait for a free child
_GRACE = 0.5  # seconds: the child stops itself at the budget and may still say so


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an item's opening ended: done with its account, or how the child died."""

    files: int = 0
    bytes: int = 0
    stopped: bool = False  # by a limit that ends the whole walk
    died: str = ""  # "time", or the signal or exit code in words


class _Child:
    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid, self.sock = pid, sock


class Pool:
    """Up to `limits.children` children, started when first needed; safe for several threads."""

    def __init__(self, limits: Content) -> None:
        self._limits = limits
        self._free = threading.Semaphore(max(1, limits.children))
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._control: socket.socket | None = None
        self._template: subprocess.Popen[bytes] | None = None

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait for a free child. Raises Unavailable when there is none for too long."""
        if not self._free.acquire(timeout=self._limits.time_budget * _PATIENCE):
            raise Unavailable("all processes that open attachments are busy; content.children sets how many")
        try:
            yield
        finally:
            self._free.release()

    def run(
        self, job: dict[str, Any], fd: int, seconds: float, hear: Callable[[dict[str, Any], int], None]
    ) -> Outcome:
        """Let a child open what fd holds within `seconds`; hear gets each message and its descriptor.

        Call it within `place`. Raises Unavailable when no child can be had.
        """
        while True:
            child, fresh = self._take(job, fd)
            heard = _listen(child.sock, seconds, hear)
            if heard.outcome and not heard.retire:
                with self._lock:
                    self._idle.append(child)
                return heard.outcome
            code = self._bury(child)
            if heard.outcome:
                return heard.outcome
            if fresh or heard.messages:
                return Outcome(died="time" if heard.late else _cause(code))
            # An idle child that had ended meanwhile: the item was never looked at.

    def close(self) -> None:
        """End all children."""
        with self._lock:
            for child in self._idle:
                child.sock.close()
            self._idle.clear()
            if self._control:
                self._control.close()
                self._control = None
            if self._template:
                self._template.wait()
                self._template = None

    def _take(self, job: dict[str, Any], fd: int) -> tuple[_Child, bool]:
        """A child that has been given the job, and whether it is a new one."""
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            fresh = child is None
            child = child or self._fork()
            try:
                send(child.sock, job, fd)
                return child, fresh
            except OSError as error:
                self._bury(child)
                if fresh:
                    raise Unavailable(
                        f"a process for opening attachments does not answer: {error}"
                    ) from error

    def _fork(self) -> _Child:
        with self._lock:
            for _ in range(2):
                try:
                    control = self._control or self._start()
                    send(control, "fork")
                    pid, fd = receive(control)
                    return _Child(pid, socket.socket(fileno=fd))
                except (OSError, EOFError):
                    self._control = None
        raise Unavailable("no process for opening attachments could be started")

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        limits = json.dumps(dataclasses.asdict(self._limits))
        with theirs:
            self._template = subprocess.Popen(
                [sys.executable, "-P", "-m", "mailweir.content.child", limits],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd="/",
            )
        ours.settimeout(30.0)
        self._control = ours
        return ours

    def _bury(self, child: _Child) -> int:
        child.sock.close()
        with self._lock:
            if not self._control:
                return 0
            try:
                send(self._control, child.pid)
                code, _ = receive(self._control)
            except (OSError, EOFError):
                self._control = None
                return 0
        return int(code)


@dataclass(slots=True)
class _Heard:
    """What came from a child: its account unless it died or was late; retire: it takes no further job."""

    outcome: Outcome | None = None
    retire: bool = True
    late: bool = False
    messages: int = 0


def _listen(sock: socket.socket, seconds: float, hear: Callable[[dict[str, Any], int], None]) -> _Heard:
    """Take messages up to the account."""
    heard = _Heard()
    deadline = monotonic() + seconds + _GRACE
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    while True:
        if not poll.poll(max(0.0, deadline - monotonic()) * 1000):
            heard.late, heard.messages = True, heard.messages + 1
            return heard
        try:
            message, fd = receive(sock)
        except (OSError, EOFError):
            return heard
        heard.messages += 1
        if "done" in message:
            heard.outcome, heard.retire = Outcome(*message["done"]), message["last"]
            return heard
        try:
            hear(message, fd)
        finally:
            if fd >= 0:
                os.close(fd)


def _cause(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    if -code in (signal.SIGXCPU, signal.SIGKILL):
        return "time" if -code == signal.SIGXCPU else "killed"
    return signal.Signals(-code).name
