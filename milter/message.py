"""A message as it enters: who brought it, its envelope, its header fields and its bytes.

Filled step by step by filter.py, and complete when desk.py gets it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from mailweir.milter.headers import message_id_of, text_of
from mailweir.milter.spool import Spool

ID_FIELD = "X-Mailweir-ID"


@dataclass(frozen=True, slots=True)
class Client:
    """The SMTP client, or the local user when local is true; what is not known is empty."""

    name: str = ""
    ip: str = ""
    helo: str = ""
    tls: str = ""  # version and cipher
    daemon: str = ""  # {daemon_name}: which of Postfix's listeners
    server: str = ""  # {j}: Postfix's own name
    local: bool = False  # submitted by the sendmail command

    def greeted(self, helo: str, tls: str) -> Client:
        """The same client once it has said HELO."""
        return dataclasses.replace(self, helo=helo, tls=tls)


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT TO that Postfix accepted."""

    path: str  # as given, in angle brackets
    address: str
    mailer: str  # {rcpt_mailer}: Postfix's delivery class
    parameters: tuple[str, ...] = ()  # such as NOTIFY=NEVER


@dataclass(slots=True)
class Message:
    """Header names and values are kept as they came, so that the bytes can be written again unchanged."""

    client: Client
    path: str  # MAIL FROM as given, in angle brackets
    parameters: tuple[str, ...]
    auth_user: str
    spool: Spool
    sender: str = ""
    queue_id: str = ""
    recipients: dict[str, Recipient] = field(default_factory=dict)  # by address, in the order given
    fields: list[tuple[str, bytes]] = field(default_factory=list)

    def end_of_headers(self) -> None:
        """Write the header fields into the spool; the body follows."""
        self.spool.write(header_block(self.fields) + b"\r\n")

    @property
    def body_offset(self) -> int:
        """Where the body begins in the spool."""
        return len(header_block(self.fields)) + 2

    def values(self, name: str) -> list[bytes]:
        """The values of all fields of that name (in lower case), from the top."""
        return [value for known, value in self.fields if known.rstrip().lower() == name]

    @property
    def subject(self) -> str:
        """Decoded, for people; empty when there is none."""
        return text_of((self.values("subject") or [b""])[0])

    @property
    def message_id(self) -> str:
        """The Message-ID field."""
        return message_id_of((self.values("message-id") or [b""])[0])

    @property
    def forged(self) -> int:
        """How many X-Mailweir-ID fields the message came with."""
        return len(self.values(ID_FIELD.lower()))


def header_block(fields: list[tuple[str, bytes]]) -> bytes:
    """The fields with CRLF line ends; values carry their own leading space (see P_HDR_LEADSPC)."""
    block = b"".join(name.encode("utf-8", "surrogateescape") + b":" + value + b"\n" for name, value in fields)
    return block.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def new_message(
    client: Client, path: str, parameters: tuple[str, ...], auth_user: str, spool_dir: Path, spool_above: int
) -> Message:
    """A message of which only MAIL FROM is known."""
    message = Message(client, path, parameters, auth_user, Spool(spool_dir, spool_above))
    message.sender = address_of(path)
    return message


def address_of(path: str) -> str:
    """The address in an SMTP path: without angle brackets and source route (RFC 5321, 4.1.1.3)."""
    address = path.strip().removeprefix("<").removesuffix(">")
    if address.startswith("@"):
        address = address.partition(":")[2]
    return address


def bracketed(path: str) -> str:
    """The path in angle brackets, which Postfix leaves out for a local user's message."""
    path = path.strip()
    return path if path.startswith("<") else f"<{path}>"
