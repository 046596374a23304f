"""A whole message without Postfix: what is noted, what is answered, and in which order."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from mailweir.config import Config, Milter
from mailweir.content.findings import Attachment, Finding, Scan
from mailweir.errors import Unavailable
from mailweir.milter.desk import Desk
from mailweir.milter.journal import Journal
from mailweir.milter.message import Client, Message, Recipient, new_message
from mailweir.milter.snapshot import Snapshot
from mailweir.policies.verdict import Action
from mailweir.records.ids import IdSource, from_text
from trial.waiting import wait_for

ZIP = Finding("encrypted-zip", "2/a.zip", "a.zip")


class Scanning:
    """A scanner that says what it is told to, and remembers what it was shown."""

    def __init__(self) -> None:
        self.answer: Scan | Exception = Scan()
        self.during: Callable[[], object] = lambda: None
        self.shown = b""

    def scan_message(self, body: BinaryIO, size: int) -> Scan:
        self.shown = body.read()
        assert len(self.shown) == size
        self.during()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def scanner() -> Scanning:
    return Scanning()


@pytest.fixture
def desk(tmp_path: Path, scanner: Scanning) -> Iterator[Desk]:
    config = Config(state_dir=str(tmp_path), milter=Milter(stop_grace=0.2, trusted_authserv=["mx"]))
    journal = Journal(tmp_path, 0, rotate_above=1 << 20, slow_after=60.0, warn=print)
    snapshot = Snapshot(config.policy_snapshot, print)
    yield Desk(config, scanner, journal, snapshot, IdSource(0, 0), clock=lambda: 1_700_000_000.0)
    journal.close()


def message(desk: Desk, *recipients: str, spool_above: int = 1 << 20) -> Message:
    one = new_message(
        Client("host.example", "192.0.2.1", "host"),
        "<a@example.com>",
        (),
        "",
        Path(desk.config.state_dir),
        spool_above,
    )
    for address in recipients or ("b@example.org",):
        one.recipients[address] = Recipient(f"<{address}>", address, "relay")
    one.queue_id = "4jYp3W1G4dzCQ5k"
    one.fields = [("Subject", b" hello\n\tyou"), ("x-mailweir-id", b" forged"), ("X-None", b"")]
    one.end_of_headers()
    one.spool.write(b"body\r\n")
    return one


def noted(desk: Desk) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(desk.config.state_dir, "00.journal").read_bytes().splitlines()]


def test_a_clean_message_is_noted_and_accepted(desk: Desk, scanner: Scanning) -> None:
    scanner.answer = Scan(attachments=(Attachment("2", "a.txt", "text/plain", 3, "00"),))
    answer = desk.judge(message(desk))
    assert answer.outcome.action is Action.ACCEPT
    assert scanner.shown == b"Subject: hello\r\n\tyou\r\nx-mailweir-id: forged\r\nX-None:\r\n\r\nbody\r\n"
    (line,) = noted(desk)
    assert line["id"] == from_text(answer.id_text)
    assert line["arrival_us"] == 1795537303178705 - 1795537303178705 % 1 or line["arrival_us"]
    assert (line["time"], line["verdict"], line["subject"]) == (1_700_000_000.0, "accept", "hello\tyou")
    assert line["attachments"] == [
        {"part": "2", "name": "a.txt", "type": "text/plain", "size": 3, "sha256": "00"}
    ]


@pytest.mark.parametrize("spool_above", [1, 20, 1 << 20])
def test_large_messages_are_the_same_bytes_from_a_file(
    desk: Desk, scanner: Scanning, spool_above: int
) -> None:
    one = message(desk, spool_above=spool_above)
    desk.judge(one)
    assert scanner.shown.endswith(b"X-None:\r\n\r\nbody\r\n")
    assert isinstance(one.spool.reader(), io.BytesIO) == (spool_above > 20)
    one.spool.reader().read(3)
    assert list(one.spool.chunks(one.body_offset, 4)) == [b"body", b"\r\n"]
    assert [path.name for path in Path(desk.config.state_dir).iterdir()] == ["00.journal"]
    one.spool.close()


def test_a_fault_in_the_scanner_is_no_verdict(desk: Desk, scanner: Scanning) -> None:
    scanner.answer = RuntimeError("a bug")
    with pytest.raises(RuntimeError):
        desk.judge(message(desk))
    assert noted(desk) == []


def test_a_recipient_who_cannot_be_taken_off_makes_all_wait(desk: Desk, scanner: Scanning) -> None:
    scanner.answer = Scan((ZIP,))
    desk.config.policy_snapshot.write_text(
        json.dumps(
            {
                "scopes": [
                    {
                        "scope": "group",
                        "name": "g",
                        "members": ["one@example.org"],
                        "fields": {"inbound.encrypted": "allow"},
                    }
                ]
            }
        )
    )
    one = message(desk, "one@example.org")
    one.recipients["two@example.org"] = Recipient("<@relay:two@example.org>", "two@example.org", "relay")
    answer = desk.judge(one)
    assert (answer.outcome.action, answer.outcome.removed) == (Action.STALL, ())
    (line,) = noted(desk)
    recipients = line["recipients"]
    assert isinstance(recipients, list)
    assert [one["verdict"] for one in recipients] == ["stall", "stall"]
    assert recipients[0]["trace"]["instead_of"] == "accept"


def test_stopping_waits_for_messages_in_hand_and_takes_no_more(desk: Desk, scanner: Scanning) -> None:
    go = threading.Event()
    scanner.during = lambda: go.wait(5)
    results: list[object] = []

    def work() -> None:
        with desk.in_hand():
            results.append(desk.judge(message(desk)).outcome.action)

    worker = threading.Thread(target=work)
    worker.start()
    wait_for(lambda: scanner.shown, "the scan")
    assert not desk.drain()  # too slow for the grace
    with pytest.raises(Unavailable), desk.in_hand():
        pass
    go.set()
    assert desk.drain()
    worker.join(5)
    assert results == [Action.ACCEPT]


def test_identifiers_of_many_threads_differ(desk: Desk) -> None:
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(desk.judge(message(desk)).id_text)) for _ in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(set(answers)) == 100
