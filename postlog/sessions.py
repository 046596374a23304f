"""SMTP conversations with receiving servers, from debug lines or, without them, from what else the log says.

A delivery agent handles one delivery at a time, so its process ID ties the lines together. Whatever could be
a password is left out before anything is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mailweir.postlog.changes import Changes
from mailweir.postlog.events import Attempt, Connecting, Said, Secured
from mailweir.records.words import Outcome, Source

MOST_OPEN = 500  # conversations followed at once; the oldest is let go
LONGEST = 65_536  # characters of one conversation
IDLE = 600.0  # seconds after which a process's next line belongs to a new conversation
REDACTED = "[redacted]"


class Talk:
    """One conversation while it lasts."""

    __slots__ = ("auth", "dirty", "ended", "id", "last", "length", "lines", "outcome", "peer", "stored")

    def __init__(self, identifier: int, peer: str, time: float) -> None:
        self.id = identifier
        self.peer = peer
        self.last = time
        self.lines: list[str] = []
        self.length = 0
        self.outcome: int = Outcome.DEFERRED.value
        self.auth = False  # between AUTH and its final reply
        self.ended = False
        self.stored = False
        self.dirty = False

    def add(self, line: str) -> None:
        """Keep a line, as long as the whole stays within bounds."""
        if self.length > LONGEST:
            return
        self.length += len(line) + 1
        self.lines.append(line if self.length <= LONGEST else "(the rest is not kept)")
        self.dirty = True

    def say(self, sent: bool, text: str) -> None:
        """Keep what one side said, without secrets."""
        if sent:
            word = text[:5].upper()
            if word == "AUTH ":
                self.auth = True
                method = text.split(" ", 2)[1:2]
                text = " ".join(["AUTH", *method, REDACTED])
            elif self.auth:
                text = REDACTED
            self.add(f"> {text}")
            return
        if self.auth:
            if text[:3] == "334":
                text = f"334 {REDACTED}"
            elif text[3:4] != "-":
                self.auth = False
        self.add(f"< {text}")

    def values(self) -> list[Any]:
        """For a restart."""
        return [getattr(self, name) for name in self.__slots__]


class Talks:
    """The conversations that go on now, by process ID."""

    def __init__(self, node: int) -> None:
        self.node = node
        self.open: dict[str, Talk] = {}
        self._dirty: dict[int, Talk] = {}

    def said(self, event: Said, next_id: Callable[[float], int]) -> None:
        """A line of a conversation; a new one gets its ID from next_id."""
        talk = self.open.get(event.pid)
        greeting = not event.sent and event.text[:3] == "220"
        if (
            talk is None
            or talk.peer != event.peer
            or event.time - talk.last > IDLE
            or (talk.ended and event.sent)
        ):
            talk = self._begin(event.pid, event.peer, event.time, next_id(event.time))
            if not greeting:
                talk.add("(a connection that was open already)")
        talk.last = event.time
        talk.say(event.sent, event.text)
        if event.sent and event.text == "QUIT":
            talk.ended = True
        self._dirty[talk.id] = talk

    def connecting(self, event: Connecting) -> None:
        """A new connection begins, or could not be made: what that process said before is over."""
        self.open.pop(event.pid, None)

    def secured(self, event: Secured) -> None:
        """The conversation goes on encrypted."""
        talk = self.open.get(event.pid)
        if talk is not None:
            talk.add(f"({event.trust} TLS connection: {event.text})")
            self._dirty[talk.id] = talk

    def attempt(self, event: Attempt, outcome: int) -> int | None:
        """The conversation in which an attempt was made; None when the log has none."""
        talk = self.open.get(event.pid)
        if talk is None or talk.peer != event.relay or event.time - talk.last > IDLE:
            return None
        talk.outcome = outcome
        talk.dirty = True
        self._dirty[talk.id] = talk
        return talk.id

    def flush(self, changes: Changes) -> None:
        """Hand on what was said since the last flush."""
        for talk in self._dirty.values():
            text = "\n".join(talk.lines)
            if talk.stored:
                changes.changed_sessions.append((talk.outcome, text, talk.id))
            else:
                changes.sessions.append((talk.id, self.node, Source.LOG.value, False, talk.outcome, text))
            talk.stored, talk.dirty = True, False
        self._dirty = {}

    def state(self) -> list[list[Any]]:
        """What a restart needs: the conversations not at their end."""
        return [[pid, *talk.values()] for pid, talk in self.open.items()]

    def restore(self, state: list[list[Any]]) -> None:
        """The inverse of state()."""
        for pid, *values in state:
            talk = Talk(0, "", 0.0)
            for name, value in zip(Talk.__slots__, values, strict=True):
                setattr(talk, name, value)
            self.open[pid] = talk

    def _begin(self, pid: str, peer: str, time: float, identifier: int) -> Talk:
        self.open.pop(pid, None)
        if len(self.open) >= MOST_OPEN:
            del self.open[next(iter(self.open))]
        talk = self.open[pid] = Talk(identifier, peer, time)
        return talk
