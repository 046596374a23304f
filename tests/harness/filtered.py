"""A private Postfix with the milter alone: what enters, without agent, database or pages."""

from __future__ import annotations

import json
import os
import re
import signal
import smtplib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.harness.servers import Receiver, Servers
from trial.postfix import Postfix
from trial.processes import children_of
from trial.stack import to_toml
from trial.waiting import wait_for

OUTSIDE = "sender@example.com"
READY = "takes messages"  # a worker says so


class NotAccepted(Exception):
    """Postfix's answer, such as `550 5.7.1 …`."""


@dataclass
class Filtered:
    """The milter, the Postfix that asks it, and where both deliver to."""

    servers: Servers
    postfix: Postfix
    receiver: Receiver
    clamd: str  # address

    @property
    def state(self) -> Path:
        """The milter's state directory."""
        return self.servers.state / "mailweir"

    def start(self, **settings: Any) -> None:
        """Start the milter; further settings by dotted name, with __ for the dot."""
        log = self.servers.processes.log("milter")
        before = self.said().count(READY) if log.exists() else 0
        self.servers.mailweir("milter", self._configure(settings))
        self._wait_for_workers(before + settings.get("milter__workers", 2))

    def reload(self, **settings: Any) -> None:
        """Change the settings of the running milter, by SIGHUP."""
        self._configure(settings)
        before = self.said().count(READY)
        os.kill(self.pid, signal.SIGHUP)
        self._wait_for_workers(before + 2)

    def _configure(self, settings: Mapping[str, Any]) -> Path:
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
        return config

    def _wait_for_workers(self, count: int) -> None:
        alive = self.servers.processes.alive
        wait_for(
            lambda: self.said().count(READY) >= count or not alive("milter"),
            "the workers",
            explain=self.said,
        )
        assert alive("milter"), self.said()

    def publish(self, fields: Mapping[str, Mapping[str, Any]], **more: Any) -> None:
        """Publish policies as the agent does: scope ("default", a domain or an address) → fields."""
        document = {"scopes": [_scope(name, values) for name, values in fields.items()], **more}
        new = self.state / "policies.json.new"
        new.write_text(json.dumps(document))
        new.rename(self.state / "policies.json")

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
        """Hand a message in by SMTP; the answer to the end of its data. Raises NotAccepted."""
        with smtplib.SMTP("127.0.0.1", self.postfix.smtp_port) as smtp:
            smtp.ehlo("client.example.com")
            _accepted(smtp.mail(sender, options))
            for recipient in recipients:
                path = recipient if recipient.startswith("<") else f"<{recipient}>"
                _accepted(smtp.docmd("RCPT", f"TO:{path}"))
            return _accepted(smtp.data(re.sub(rb"\r?\n", b"\r\n", message)))


def _accepted(reply: tuple[int, bytes]) -> str:
    if reply[0] != 250:
        raise NotAccepted(f"{reply[0]} {reply[1].decode()}")
    return reply[1].decode()


def _scope(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    if name == "default":
        return {"scope": "default", "fields": dict(fields)}
    if "@" in name:
        return {"scope": "group", "name": name, "members": [name], "fields": dict(fields)}
    return {"scope": "domain", "name": name, "fields": dict(fields)}


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
