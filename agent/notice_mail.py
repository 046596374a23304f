"""One notice as mail: how it is written and handed to Postfix, and how the log's account of it is recognised.

Its Message-ID follows from its row in the outbox, so Postfix's log tells which notice a message is: after an
interrupted attempt that says whether it went out, and on the pages it gives the message its subject.
"""

from __future__ import annotations

import hashlib
import io
import socket
from datetime import datetime
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from mailweir.agent.envelope import Addressee
from mailweir.agent.resubmit import Submission, submit
from mailweir.config import Config
from mailweir.records import ids
from mailweir.records.models import Message, Notice
from mailweir.records.words import Source

_EARLIER = 2.0  # seconds by which the clocks of records and log may differ
_MARKED_WITHIN = 600.0  # seconds after it was sent in which the log may still tell of a notice


def keys_of(config: Config) -> str:
    """What the keys of this node's notices begin with."""
    return f"{config.node.number}:"


class NoticeMail:
    """Sends the notices of one node, and finds them again."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._host = socket.getfqdn()
        self._marked: set[int] = set()

    def message_id(self, key: str) -> str:
        """The Message-ID of the notice with that key, always the same."""
        return f"<mailweir-{hashlib.sha256(key.encode()).hexdigest()[:24]}@{self._host}>"

    def hand_over(self, row: Notice) -> None:
        """Give it to Postfix. Raises Unavailable."""
        message = EmailMessage(policy=SMTP)
        sender = self._config.notices.sender or f"mailweir@{self._host}"
        message["From"] = MailAddress("Mailweir", addr_spec=sender)
        message["To"] = row.recipients.replace(",", ", ")
        message["Subject"] = row.subject
        message["Date"] = format_datetime(datetime.fromtimestamp(row.created).astimezone())
        message["Message-ID"] = self.message_id(row.key)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834
        message["X-Auto-Response-Suppress"] = "All"
        message.set_content(row.body)
        recipients = [Addressee(address) for address in row.recipients.split(",")]
        utf8 = [] if row.recipients.isascii() else ["SMTPUTF8"]
        submission = Submission("", recipients, ["BODY=8BITMIME", *utf8])
        body = io.BytesIO(message.as_bytes())
        submit(self._config.postfix.resubmit_service, submission, body, self._config.helper.timeout)

    def known_as(self, row: Notice) -> Message | None:
        """The message that it became, once the log has told that Postfix took it."""
        wanted = self.message_id(row.key)
        found: Message | None = Message.get_or_none(
            Message.message_id.in_([wanted, wanted.strip("<>")]),
            Message.node_id == self._config.node.number,
            Message.id >= ids.first_id(int((row.created - _EARLIER) * 1000)),
        )
        return found

    def mark(self, now: float) -> int:
        """Say in the records which messages, known from the log alone, are notices; how many were marked."""
        marked = 0
        mine = Notice.key.startswith(keys_of(self._config))
        for row in Notice.select().where(mine, Notice.sent > now - _MARKED_WITHIN):
            if row.id not in self._marked and (message := self.known_as(row)):
                Message.update(source=Source.NOTICE, subject=row.subject).where(
                    Message.id == message.id, Message.source == Source.LOG
                ).execute()
                self._marked.add(row.id)
                marked += 1
        return marked
