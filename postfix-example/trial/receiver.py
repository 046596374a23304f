"""The servers that the private Postfix delivers to: one for our domains, one for the Internet.

The local part of an address says what happens: `unknown` is refused, `busy` is asked to come back, everybody
else's mail is kept. Run as a program, so that it outlives who started it: `python -m trial.receiver`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

REFUSED = "550 5.1.1 <{}>: there is nobody of this name here"
BUSY = "451 4.3.2 <{}>: the mailbox is busy, try again later"
ANSWERS = {"unknown": REFUSED, "busy": BUSY}


@dataclass(frozen=True)
class Received:
    """One message as a receiving server got it; recipients are those that it accepted."""

    port: int
    sender: str
    recipients: list[str]
    content: bytes


class Handler:
    """Answers by the recipient's local part and keeps each message as two files, complete once named."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse, defer or note the recipient."""
        local_part = address.rpartition("@")[0].partition("+")[0].lower()
        if answer := ANSWERS.get(local_part):
            return answer.format(address)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the message."""
        name = f"{time.time_ns()}-{os.getpid()}-{next(self._numbers)}"
        content = self._directory / f"{name}.eml"
        content.write_bytes(envelope.original_content or b"")
        assert server.transport
        port = server.transport.get_extra_info("sockname")[1]
        sender = "" if envelope.mail_from == "<>" else envelope.mail_from
        facts = {"port": port, "sender": sender, "recipients": envelope.rcpt_tos}
        unfinished = self._directory / f"{name}.tmp"
        unfinished.write_text(json.dumps(facts))
        unfinished.rename(content.with_suffix(".json"))
        return f"250 2.0.0 Ok: kept as {name}"


def received(directory: Path) -> list[Received]:
    """All that has been kept there, in the order of arrival."""
    return [
        Received(**json.loads(facts.read_text()), content=facts.with_suffix(".eml").read_bytes())
        for facts in sorted(directory.glob("*.json"))
    ]


async def serve(ports: list[int], directory: Path) -> None:
    """Listen on loopback until cancelled."""
    handler: Any = Handler(directory)
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(handler, hostname="receiver.example.net", ident="receiver", enable_SMTPUTF8=True)

    servers = [await loop.create_server(protocol, "127.0.0.1", port, backlog=512) for port in ports]
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="SMTP servers that keep what they are sent")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("ports", type=int, nargs="+")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(options.ports, options.directory))


if __name__ == "__main__":
    main()
