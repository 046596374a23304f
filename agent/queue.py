"""Talks to the queue-helper: the agent's only way to touch, or read, Postfix's queue.

Every act goes out with what the user saw of the message, and comes back with what was done to each one.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, BinaryIO

from mailweir.agent.envelope import Envelope
from mailweir.config import Config
from mailweir.errors import Refused, Unavailable

BATCH = 100  # queue files in one request, the helper's limit
SHORT_ID_SLACK = (
    3600.0  # seconds: with short IDs the records know the message's end, not its file's beginning
)
_GRACE = 5.0  # seconds longer than the helper's own time limit


@dataclass(frozen=True)
class Target:
    """One queue file as the user saw it."""

    queue_id: str
    arrival_us: int
    sender: str
    slack: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What the helper found or did: same, done, failed, refused, gone or unreadable.

    after is the queue in which the file stood once the act was done, "" when it was gone.
    """

    queue_id: str
    result: str
    reason: str = ""
    envelope: Envelope | None = None
    after: str = ""


class QueueHelper:
    """A client of the queue-helper; one connection a request, so that it can be restarted at any time."""

    def __init__(self, config: Config) -> None:
        self._path = config.helper.socket
        self._timeout = config.helper.timeout + _GRACE
        self._spool = config.spool_dir

    def read(self, targets: Sequence[Target]) -> list[Outcome]:
        """What stands in the queue under those IDs. Raises Unavailable."""
        return self.act("read", targets)

    def act(self, verb: str, targets: Sequence[Target]) -> list[Outcome]:
        """Hold, release, requeue, delete, expire or deliver-now; the outcomes in the targets' order.

        Raises Unavailable, naming the targets' batch, when it is not known what happened.
        """
        outcomes: list[Outcome] = []
        for start in range(0, len(targets), BATCH):
            batch = targets[start : start + BATCH]
            items = [dict(target.__dict__) for target in batch]
            with _Channel(self._path, self._timeout, {"verb": verb, "items": items}) as channel:
                reply = channel.reply()
            outcomes += [_outcome(item) for item in reply["items"]]
        return outcomes

    @contextmanager
    def content(self, target: Target) -> Iterator[tuple[BinaryIO, int]]:
        """The message (headers and body) in a temporary file, and its size in bytes.

        Raises Refused when the queue file is gone or another's, Unavailable when it cannot be read.
        """
        self._spool.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._spool) as copy:
            request = {"verb": "content", "items": [dict(target.__dict__)]}
            for stream in self._stream(request):
                while chunk := stream.read(1 << 18):
                    copy.write(chunk)
            size = copy.tell()
            copy.seek(0)
            yield copy, size

    def listing(self) -> Iterator[bytes]:
        """The lines of `postqueue -j`, one JSON object each. Raises Unavailable, perhaps at the end only."""
        for stream in self._stream({"verb": "list"}):
            yield from stream

    def schedule(self) -> dict[str, float]:
        """By queue ID, the time before which Postfix leaves a deferred file alone. Raises Unavailable."""
        found = {}
        for stream in self._stream({"verb": "schedule"}):
            for line in stream:
                queue_id, _, seconds = line.decode("ascii").partition(" ")
                found[queue_id] = float(seconds)
        return found

    def open_log(self, name: str = "") -> int:
        """A descriptor of Postfix's log, or of a rotated file beside it; the caller closes it."""
        with _Channel(self._path, self._timeout, {"verb": "open-log", "name": name}) as channel:
            channel.reply()
            return channel.descriptor()

    def _stream(self, request: dict[str, Any]) -> Iterator[IO[bytes]]:
        """Yields the descriptor that comes with the first line, as a file; then checks the last line."""
        with _Channel(self._path, self._timeout, request) as channel:
            reply = channel.reply()
            if "items" in reply:
                raise Refused(reply["items"][0]["reason"] or "the message cannot be read")
            with os.fdopen(channel.descriptor(), "rb") as stream:
                yield stream
            channel.reply()


class _Channel:
    """One connection to the helper with one request under way; socket errors become Unavailable."""

    def __init__(self, path: str, timeout: float, request: dict[str, Any]) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._buffer = b""
        self._descriptors: list[int] = []
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(path)
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            self._socket.close()
            raise self._unavailable(error) from error

    def __enter__(self) -> _Channel:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        for descriptor in self._descriptors:
            os.close(descriptor)

    def _unavailable(self, error: object) -> Unavailable:
        return Unavailable(f"the queue-helper at {self._path} does not answer: {error}")

    def reply(self) -> dict[str, Any]:
        """The next line. Raises Unavailable when there is none or when it says that nothing was done."""
        while b"\n" not in self._buffer:
            try:
                part, descriptors, _, _ = socket.recv_fds(self._socket, 1 << 16, 1)
            except OSError as error:
                raise self._unavailable(error) from error
            self._descriptors += descriptors
            if not part:
                raise self._unavailable("it closed the connection")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        if not reply.get("ok"):
            raise Unavailable(f"queue-helper: {reply.get('reason', 'no reason given')}")
        return reply

    def descriptor(self) -> int:
        """The descriptor that came along; the caller's from now on."""
        if not self._descriptors:
            raise self._unavailable("it sent no descriptor")
        return self._descriptors.pop()


def _outcome(item: dict[str, Any]) -> Outcome:
    found = item.get("envelope")
    return Outcome(
        item["queue_id"],
        item["result"],
        item.get("reason", ""),
        Envelope.from_dict(found) if found else None,
        item.get("after", ""),
    )
