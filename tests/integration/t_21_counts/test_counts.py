"""Mail through a real Postfix: its log's counts by status are the receiving servers' and pflogsumm's."""

from __future__ import annotations

import json
import os
import re
import smtplib
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.harness.servers import Receiver
from trial.postfix import Postfix
from trial.waiting import wait_for

MESSAGES = 150
MAILWEIR = Path(sys.executable).with_name("mailweir")


def send(port: int) -> None:
    """Messages with one to three recipients, most of whom take them."""
    with smtplib.SMTP("127.0.0.1", port, "client.example") as client:
        for number in range(MESSAGES):
            recipients = [f"user{number}@example.org"]
            if number % 3 == 0:
                recipients.append(f"friend{number}@far.example")
            if number % 5 == 0:
                recipients.append("unknown@far.example")
            if number % 7 == 0:
                recipients.append("busy@example.org")
            message = f"Subject: {number}\r\nMessage-ID: <{number}@test.example>\r\n\r\ntext\r\n"
            client.sendmail(f"sender{number}@elsewhere.example", recipients, message)


def mailweir(database: Path, *arguments: str | Path) -> str:
    """What the command prints."""
    environment = os.environ | {"MAILWEIR_DATABASE_URL": f"sqlite:///{database}"}
    done = subprocess.run([MAILWEIR, *arguments], env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def attempts(database: Path) -> list[dict[str, Any]]:
    """All attempts."""
    return [json.loads(line) for line in mailweir(database, "delivery", "--json", "--all").splitlines()]


def pflogsumm(log: Path) -> dict[str, int]:
    """Its grand totals by name; deferrals are attempts, deferred are messages."""
    text = subprocess.run(["pflogsumm", log], check=True, capture_output=True, text=True).stdout
    totals = {name: int(count) for count, name in re.findall(r"^ *(\d+)  +([a-z]+)", text, re.MULTILINE)}
    deferrals = re.search(r"\((\d+) +deferrals\)", text)
    return totals | {"deferrals": int(deferrals[1]) if deferrals else 0}


def test_counts_by_status(plain_postfix: Postfix, receiver: Receiver, tmp_path: Path) -> None:
    send(plain_postfix.smtp_port)
    wait_for(lambda: {entry["queue_name"] for entry in plain_postfix.queue()} <= {"deferred"}, "all attempts")
    database = tmp_path / "counts.db"
    summary = mailweir(database, "import-log", plain_postfix.log)
    found = attempts(database)
    counts = Counter(row["status"] for row in found)

    taken = sum(len(one.recipients) for one in receiver.received())
    assert counts["sent"] == taken, summary
    assert counts["bounced"] == MESSAGES // 5
    assert counts["deferred"] >= MESSAGES // 7 + 1
    assert sum(counts.values()) == counts["sent"] + counts["bounced"] + counts["deferred"]
    totals = pflogsumm(plain_postfix.log)
    assert (counts["sent"], counts["bounced"]) == (totals["delivered"], totals["bounced"])
    assert counts["deferred"] == totals["deferrals"]

    messages = {row["mail_in_id"] for row in found}
    assert len(messages) == MESSAGES, "a bounce belongs to the message it is about"
    refused = next(row for row in found if row["status"] == "bounced")
    assert refused["recipient"] == "unknown@far.example" and refused["dsn"] == "5.1.1"
    assert (refused["relay_ip"], refused["relay_port"]) == ("127.0.0.1", receiver.remote)
    assert "550 5.1.1" in refused["reply"] and refused["queue_id"] and refused["time"]

    assert "nothing new" in mailweir(database, "import-log", plain_postfix.log)
    assert Counter(row["status"] for row in attempts(database)) == counts
