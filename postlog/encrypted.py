"""Which connections are encrypted now: Postfix says so once, in a line of its own, when one begins.

The process ID ties that line to what follows. A process serves one connection after the other, so what it
said of an earlier one must not be taken for a later one that was not encrypted.
"""

from __future__ import annotations

import re
from typing import Any

from mailweir.postlog.events import Attempt, Secured, SecuredFrom

MOST = 5_000  # processes remembered; the oldest is let go
SLACK = 2.0  # seconds; most logs tell whole ones only
LONGEST = 200  # characters
_TEXT = re.compile(r"(\S+) with cipher (\S+) \((\d+)/\d+ bits\)")


def short(trust: str, text: str) -> str:
    """What is kept of Postfix's description: trust, protocol, cipher and bits, such as
    `Verified TLSv1.3 TLS_AES_256_GCM_SHA384 256`."""
    match = _TEXT.match(text)
    return f"{trust} {match[1]} {match[2]} {match[3]}" if match else f"{trust} {text}"[:LONGEST]


class Encrypted:
    """Connections of smtpd (incoming) and of smtp and lmtp (outgoing), by process ID."""

    def __init__(self) -> None:
        self.incoming: dict[str, tuple[str, str]] = {}  # client's IP address, how
        self.outgoing: dict[str, tuple[str, str, float, str]] = {}  # server, how, when, queue ID

    def begun(self, event: SecuredFrom) -> None:
        """A client's connection goes on encrypted."""
        self.incoming.pop(event.pid, None)
        self._bound(self.incoming)
        self.incoming[event.pid] = (event.ip, event.tls)

    def ended(self, pid: str) -> None:
        """The client is gone."""
        self.incoming.pop(pid, None)

    def of_client(self, pid: str, ip: str) -> str:
        """How the client's connection is encrypted; "" when nothing says that it is."""
        address, tls = self.incoming.get(pid, ("", ""))
        return tls if address == ip else ""

    def opened(self, event: Secured) -> None:
        """A connection to a server, new or used again, is encrypted."""
        self.outgoing.pop(event.pid, None)
        self._bound(self.outgoing)
        self.outgoing[event.pid] = (event.peer, short(event.trust, event.text), event.time, "")

    def of_attempt(self, event: Attempt) -> str:
        """How the connection of an attempt was encrypted; "" when nothing says that it was.

        A process delivers one message after the other, each over a connection that has such a line of its
        own. The line stands within the time that connecting and sending took, so a later attempt for the
        same message by the same process is not mistaken for the first.
        """
        found = self.outgoing.get(event.pid)
        if found is None:
            return ""
        peer, tls, since, queue_id = found
        if queue_id not in ("", event.queue_id) or since < event.time - _took(event) - SLACK:
            del self.outgoing[event.pid]
            return ""
        if peer != event.relay:
            return ""
        if not queue_id:
            self.outgoing[event.pid] = (peer, tls, since, event.queue_id)
        return tls

    @staticmethod
    def _bound(known: dict[str, Any]) -> None:
        if len(known) >= MOST:
            del known[next(iter(known))]

    def state(self) -> list[Any]:
        """What a restart needs."""
        return [self.incoming, self.outgoing]

    def restore(self, state: list[Any]) -> None:
        """The inverse of state()."""
        incoming, outgoing = state
        self.incoming = {pid: (ip, tls) for pid, (ip, tls) in incoming.items()}
        self.outgoing = {pid: (peer, tls, since, name) for pid, (peer, tls, since, name) in outgoing.items()}


def _took(event: Attempt) -> float:
    """Seconds that connecting and sending took: the last two of Postfix's four delays."""
    try:
        connecting, sending = event.delays.split("/")[2:4]
        return float(connecting) + float(sending)
    except ValueError:
        return event.delay
