"""Looks into one message or file: the walk, the children that open hostile formats, and the virus scanner.

One Scanner serves all threads of a worker process. It never raises for content: whatever is wrong with a
message becomes a finding, and whatever is wrong with our own helpers is told as `Scan.unavailable`.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any, BinaryIO

from mailweir.config import Config
from mailweir.content import signatures
from mailweir.content.budget import Budget, out_of_time
from mailweir.content.findings import Attachment, Finding, Scan
from mailweir.content.item import Buffer, Item, adopt_fd, to_fd, windows
from mailweir.content.passwords import candidates
from mailweir.content.pool import Outcome, Pool
from mailweir.content.trouble import LimitExceeded
from mailweir.content.walk import Hooks, Walk
from mailweir.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    from mailweir.content.clamd import Client

Seen = Callable[[str, str, int], None]  # part, format, size in bytes


class Scanner:
    """Scans messages and files; several threads may call it at once."""

    def __init__(self, config: Config, *, clamd: bool = True, clock: Callable[[], float] = monotonic) -> None:
        """Raises ConfigError when something is missing without which archives could not be opened."""
        _need_libarchive()
        self.config = config
        self.clock = clock
        self.pool = Pool(config.content)
        self.clamd: Client | None = None
        if clamd:
            from mailweir.content.clamd import Client

            self.clamd = Client(config.clamd, clock)

    def scan_message(
        self, body: BinaryIO, size: int, *, passwords: Sequence[str] = (), seen: Seen | None = None
    ) -> Scan:
        """Look into a whole RFC 5322 message, header included; passwords are tried on what is encrypted.

        seen is told of each thing that is looked at, for those who want to see the whole tree.
        """
        run = _Run(self, passwords, seen)
        item = Item("", "", _buffer(body, size), 0, "message/rfc822")
        return run.scan(item, lambda: run.walk.open(item, "message"))

    def scan_file(
        self,
        name: str,
        body: BinaryIO,
        size: int,
        *,
        passwords: Sequence[str] = (),
        seen: Seen | None = None,
    ) -> Scan:
        """Look into one file as if it were the only attachment."""
        run = _Run(self, passwords, seen)
        item = Item(name, name, _buffer(body, size))
        return run.scan(item, lambda: run.walk.look(item))

    def close(self) -> None:
        """End the child processes and the connections to the virus scanner."""
        self.pool.close()
        if self.clamd:
            self.clamd.close()


def _need_libarchive() -> None:
    """Without it every archive would look damaged."""
    wanted = os.environ.get("LIBARCHIVE", "")  # as libarchive-c reads it
    try:
        ctypes.CDLL(wanted or "libarchive.so.13")
    except OSError as error:
        if wanted or not ctypes.util.find_library("archive"):
            raise ConfigError(f"libarchive cannot be used ({error}): apt-get install libarchive13") from None


class _Run:
    """One scan's state."""

    def __init__(self, scanner: Scanner, passwords: Sequence[str], seen: Seen | None) -> None:
        self._scanner = scanner
        self._limits = scanner.config.content
        self._given = len(passwords)
        self._findings: list[Finding] = []
        self._attachments: list[Attachment] = []
        self._opened: list[Item] = []
        self._parts: list[Item] = []
        self._unavailable = ""
        self.budget = Budget(self._limits, scanner.clock() + self._limits.time_budget, clock=scanner.clock)
        hooks = Hooks(
            self._findings.append,
            self._opened.append,
            attached=self._attached,
            seen=seen,
            isolate=self._isolate,
        )
        self.walk = Walk(self.budget, hooks, passwords)

    def scan(self, item: Item, go: Callable[[], None]) -> Scan:
        """Walk, then ask the virus scanner about the item and about what only the walk could open."""
        try:
            go()
        except LimitExceeded:
            pass  # reported where it was met
        except Unavailable as error:
            self._unavailable = str(error)
        if self._scanner.clamd:
            try:
                self._virus(self._scanner.clamd, item)
            except Unavailable as error:
                self._unavailable = self._unavailable or str(error)
        return Scan(tuple(self._findings), tuple(self._attachments), self._unavailable)

    def _attached(self, item: Item) -> None:
        self._parts.append(item)
        if self._limits.try_body_passwords and item.type.startswith("text/") and not item.name:
            self.walk.passwords += candidates(item.data[:], self._limits.max_passwords)
            del self.walk.passwords[self._given + self._limits.max_passwords :]
        if item.name or not item.type.startswith("text/"):
            digest = hashlib.sha256()
            for piece in windows(item.data):
                digest.update(piece)
            size = len(item.data)
            self._attachments.append(Attachment(item.part, item.name, item.type, size, digest.hexdigest()))

    def _isolate(self, item: Item, format_: str) -> None:
        """Let a child open the item; time spent waiting for one does not count."""
        before = self._scanner.clock()
        with self._scanner.pool.place():
            self.budget.deadline += self._scanner.clock() - before
            outcome = self._hand_over(item, format_, max(0.1, self.budget.left()))
        if outcome.died == "time":
            self.walk.found("limit-exceeded", item, out_of_time(self._limits))
            raise LimitExceeded(out_of_time(self._limits), whole=True)
        if outcome.died:
            self.walk.found("corrupt", item, f"its reader died ({outcome.died})")
            return
        self.budget.files, self.budget.bytes = outcome.files, outcome.bytes
        if outcome.stopped:
            raise LimitExceeded("reported by the child", whole=True)

    def _hand_over(self, item: Item, format_: str, seconds: float) -> Outcome:
        job = {
            "part": item.part,
            "name": item.name,
            "type": item.type,
            "depth": item.depth,
            "cuts": item.cuts,
            "format": format_,
            "files": self.budget.files,
            "bytes": self.budget.bytes,
            "seconds": seconds,
            "passwords": self.walk.passwords,
            "explain": self.walk.hooks.seen is not None,
        }
        fd = to_fd(item.data)
        try:
            return self._scanner.pool.run(job, fd, seconds, self._hear)
        finally:
            os.close(fd)

    def _hear(self, message: dict[str, Any], fd: int) -> None:
        if "finding" in message:
            kind, part, name, detail = message["finding"]
            self.walk.found(kind, Item(part, name, b""), detail)
        elif "unlocked" in message:
            self.walk.unlocked(message["unlocked"])
        elif "seen" in message and self.walk.hooks.seen:
            part, format_, size = message["seen"]
            self.walk.hooks.seen(part, format_, size)
        elif "opened" in message and self._scanner.clamd:
            part, name = message["opened"]
            self._opened.append(Item(part, name, adopt_fd(os.dup(fd))))

    def _virus(self, client: Client, item: Item) -> None:
        limit = self._scanner.config.clamd.max_stream
        whole = item.type == "message/rfc822" and not item.part
        items = [replace(item, data=signatures.as_mail(item.data)) if whole else item]
        if len(item.data) > limit and self._parts:
            items = self._parts
        for one in [*items, *self._opened]:
            if not one.data:
                continue
            name = self._ask(client, one, limit)
            if name:
                signatures.report(self.walk, self._findings, self._named(client, one, name), name)

    def _ask(self, client: Client, item: Item, limit: int) -> str:
        from mailweir.content.clamd import TOO_LARGE, TooLarge

        if len(item.data) > limit:
            self.walk.found(
                "limit-exceeded", item, f"not scanned: larger than {limit} bytes (clamd.max_stream)"
            )
            return ""
        try:
            return client.scan(item.data)
        except TooLarge:
            self.walk.found("limit-exceeded", item, TOO_LARGE)
            return ""

    def _named(self, client: Client, item: Item, name: str) -> Item:
        """The attachment that holds what was found in the whole message, when one does by itself."""
        if item.part:
            return item
        for part in self._parts:
            if part.data and part.name and client.scan(part.data) == name:
                return part
        return item


def _buffer(body: BinaryIO, size: int) -> Buffer:
    """The body's bytes: a large file is mapped, all else read."""
    try:
        fd = os.dup(body.fileno())
    except (OSError, AttributeError):
        fd = -1
    if fd >= 0:
        body.flush() if body.writable() else None
        return adopt_fd(fd)
    body.seek(0)
    return body.read()
