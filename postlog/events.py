"""What one line of a Postfix log can tell, as typed events.

They are plain named tuples, made by lines.py without looking at any other line and put together by track.py.
`time` is in seconds since 1970; `service` is the name between the syslog name and the process ID without the
instance, such as `smtp`, `relay/smtp`, `submission/smtpd`.
"""

from __future__ import annotations

from typing import NamedTuple


class Client(NamedTuple):
    """smtpd begins a queue file. orig_queue_id and orig_client come with XFORWARD (a re-submission)."""

    time: float
    pid: str
    service: str
    queue_id: str
    name: str
    ip: str
    user: str = ""
    orig_queue_id: str = ""
    orig_client: str = ""


class Pickup(NamedTuple):
    """pickup begins a queue file for a local submission; orig_id is the old queue ID after a requeue."""

    time: float
    queue_id: str
    uid: str
    sender: str
    orig_id: str = ""


class MessageId(NamedTuple):
    """cleanup saw the Message-ID header (or made one)."""

    time: float
    queue_id: str
    message_id: str


class Active(NamedTuple):
    """qmgr took the message into the active queue; nrcpt recipients are still to be delivered."""

    time: float
    queue_id: str
    sender: str
    size: int
    nrcpt: int


class Attempt(NamedTuple):
    """One attempt for one recipient. status is Postfix's word, reply what stands in parentheses after it."""

    time: float
    pid: str
    service: str
    queue_id: str
    recipient: str
    orig_to: str
    relay: str
    delay: float
    delays: str
    dsn: str
    status: str
    reply: str


class Removed(NamedTuple):
    """qmgr removed the queue file: every recipient is settled."""

    time: float
    queue_id: str


class Expired(NamedTuple):
    """qmgr gave up on all recipients that are left, as too old or (forced) because somebody asked for it."""

    time: float
    queue_id: str
    sender: str
    forced: bool


class Notification(NamedTuple):
    """bounce made a message about another. kind: non-delivery, delay, delivery status; postmaster: copy."""

    time: float
    queue_id: str
    kind: str
    to: str
    child: str


class Super(NamedTuple):
    """postsuper acted on a queue file. act: removed, hold, release, requeued, expired."""

    time: float
    queue_id: str
    act: str


class Filtered(NamedTuple):
    """cleanup's filters (milter, header_checks, body_checks) or an access table acted on a message.

    action: hold, reject, discard, redirect, warn …; stage: where, such as END-OF-MESSAGE or header.
    queue_id is empty when smtpd had not begun a queue file yet; pid then ties it to the next one.
    """

    time: float
    pid: str
    queue_id: str
    action: str
    stage: str
    client_name: str
    client_ip: str
    text: str
    sender: str
    recipient: str
    helo: str
    milter: bool


class Reject(NamedTuple):
    """smtpd or postscreen refused a client, sender or recipient before there was a message."""

    time: float
    pid: str
    service: str
    queue_id: str
    stage: str
    client_name: str
    client_ip: str
    code: int
    dsn: str
    text: str
    sender: str | None
    recipient: str | None
    proto: str
    helo: str


class Lost(NamedTuple):
    """smtpd's client went away before the end of the message it was sending."""

    time: float
    pid: str


class Said(NamedTuple):
    """One line of an SMTP conversation, from the debug lines of a delivery agent. sent: by us."""

    time: float
    pid: str
    service: str
    peer: str
    sent: bool
    text: str


class Connecting(NamedTuple):
    """A delivery agent opens a new connection (or could not: text says why)."""

    time: float
    pid: str
    service: str
    peer: str
    text: str


class Secured(NamedTuple):
    """A delivery agent's connection is encrypted; text is Postfix's description of protocol and cipher."""

    time: float
    pid: str
    service: str
    peer: str
    trust: str
    text: str


class SecuredFrom(NamedTuple):
    """A client's connection to smtpd is encrypted; tls is encrypted.short's description."""

    time: float
    pid: str
    ip: str
    tls: str


class Disconnected(NamedTuple):
    """A client that was or may have been encrypted is gone."""

    time: float
    pid: str


class Trouble(NamedTuple):
    """Something a delivery agent noted about a message before it tried another server."""

    time: float
    pid: str
    service: str
    queue_id: str
    text: str


class NotUnderstood(NamedTuple):
    """A line of Postfix's that nothing here knows."""

    time: float
    line: str


Event = (
    Client | Pickup | MessageId | Active | Attempt | Removed | Expired | Notification | Super | Filtered
    | Reject | Lost | Said | Connecting | Secured | SecuredFrom | Disconnected | Trouble | NotUnderstood
)  # fmt: skip
