"""A private Postfix with the milter alone: what enters, without agent, database or pages."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.harness.servers import Receiver, Servers
from trial.postfix import Postfix
from trial.processes import children_of
from trial.stack import to_toml
from trial.waiting import wait_for

OUTSIDE = "sender@example.com"


@dataclass
class Filtered:
    """The milter, the Postfix that asks it, and where both deliver to."""

    servers: Servers
    postfix: Postfix
    receiver: Receiver
    clamd: str  # address
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """The milter's state directory."""
        return self.servers.state / "mailweir"

    def start(self, **settings: Any) -> None:
        """Start the milter; further settings by dotted name, with __ for the dot."""
        values = {
            "state_dir": str(self.state),
            "milter.socket": f"unix:{self.postfix.milter_socket}",
            "milter.socket_group": "postfix",
            "milter.workers": 2,
            "clamd.servers": [self.clamd],
            "postfix.holding_service": self.postfix.holding_service,
            **{name.replace("__", "."): value for name, value in settings.items()},
        }
        config = self.servers.state / "mailweir.toml"
        config.write_text(to_toml(values))
        self.servers.mailweir("milter", config)
        wait_for(lambda: len(self.workers) == values["milter.workers"], "the workers", explain=self.said)
        wait_for(lambda: self.said().count("takes messages") >= values["milter.workers"], "the workers")

    @property
    def pid(self) -> int:
        """The milter's parent process."""
        return self.servers.processes.pid("milter")

    @property
    def workers(self) -> list[int]:
        """Its workers."""
        return children_of(self.pid)

    def said(self) -> str:
        """The milter's own log."""
        return self.servers.processes.log("milter").read_text("utf-8", "replace")

    def journal(self, event: str = "message") -> list[dict[str, Any]]:
        """All lines of that kind, in order of their IDs."""
        lines = [
            json.loads(line)
            for path in (self.state / "journal").glob("*.journal")
            for line in path.read_bytes().splitlines()
        ]
        return sorted((line for line in lines if line["event"] == event), key=lambda line: line["id"])

    def send(
        self, message: bytes, *recipients: str, sender: str = OUTSIDE, options: Sequence[str] = ()
    ) -> str:
        """Hand a message in by SMTP; the answer to the end of its data. Raises SMTPDataError otherwise."""
        with smtplib.SMTP("127.0.0.1", self.postfix.smtp_port) as smtp:
            smtp.ehlo("client.example.com")
            code, text = smtp.mail(sender, options)
            assert code == 250, text
            for recipient in recipients:
                code, text = smtp.rcpt(recipient)
                assert code == 250, text
            code, text = smtp.data(message)
            if code != 250:
                raise smtplib.SMTPDataError(code, text)
            return text.decode()


def mail(subject: str = "hello", attachment: bytes = b"", name: str = "", **fields: str) -> bytes:
    """A message, with an attachment when there is one; further header fields with _ for -."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = OUTSIDE, "user@example.org", subject
    for field_name, value in fields.items():
        message[field_name.replace("_", "-")] = value
    message.set_content("Hello.\n")
    if attachment:
        message.add_attachment(attachment, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()
