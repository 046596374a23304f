"""Killed workers and full disks: the sender keeps what was not written down, and nothing is lost."""

from __future__ import annotations

import os
import signal
import smtplib
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.filtered import Filtered, NotAccepted, mail
from trial.waiting import wait_for

MESSAGES = 200
KILLS = 6


def test_killed_workers_lose_nothing(filtered: Filtered) -> None:
    filtered.start()
    accepted = threading.Semaphore(0)

    def send(number: int) -> int:
        """Try until it is accepted, as every mail server does; how often that was."""
        for attempt in range(1, 100):
            try:
                filtered.send(mail(f"number {number}"), f"{number}@example.org")
            except (NotAccepted, smtplib.SMTPException, OSError):
                continue
            accepted.release()
            return attempt
        raise AssertionError(f"message {number} was never accepted")

    def kill() -> None:
        for turn in range(KILLS):
            for _ in range(MESSAGES // (KILLS + 1)):
                accepted.acquire(timeout=30)
            wait_for(lambda: len(filtered.workers) == 2, "both workers")
            os.kill(filtered.workers[turn % 2], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with ThreadPoolExecutor(8) as pool:
        attempts = list(pool.map(send, range(MESSAGES)))
    killer.join()
    assert sum(attempts) > MESSAGES, "no worker was killed with a message in hand"
    assert filtered.said().count("was killed by SIGKILL") == KILLS
    received = filtered.receiver.wait_for(MESSAGES)
    wanted = sorted(f"{number}@example.org" for number in range(MESSAGES))
    assert sorted(address for one in received for address in one.recipients) == wanted
    noted = {line["recipients"][0]["address"] for line in filtered.journal() if line["verdict"] == "accept"}
    assert sorted(noted) == wanted
    assert len({line["id"] for line in filtered.journal()}) == len(filtered.journal())


@contextmanager
def small_disk(directory: Path, kilobytes: int) -> Iterator[None]:
    """A file system of that size in memory."""
    directory.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "mailweir-test", directory], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


def test_with_the_disk_full_senders_are_asked_to_come_back(filtered: Filtered) -> None:
    with small_disk(filtered.state, 512):
        filtered.start()
        filtered.send(mail(), "first@example.org")
        with pytest.raises(NotAccepted, match=r"451.*4\.3\.1"):
            filtered.send(mail("large", os.urandom(600_000), "noise.bin"), "large@example.org")
        filler = filtered.state / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(b"x" * 4096)
        for number in range(30):  # until the last page of both journals is full too
            try:
                filtered.send(mail("s" * 900), f"{number}@example.org")
            except NotAccepted as error:
                assert str(error).startswith("451 4.3.1 ")
        with pytest.raises(NotAccepted, match=r"451.*4\.3\.1"):
            filtered.send(mail("s" * 900), "full@example.org")
        assert "No space left on device" in filtered.said()
        filler.unlink()
        filtered.send(mail(), "last@example.org")
        accepted = [line["recipients"][0]["address"] for line in filtered.journal()]
        received = filtered.receiver.wait_for(len(accepted))
        assert sorted(address for one in received for address in one.recipients) == sorted(accepted)
        assert {"first@example.org", "last@example.org"} < set(accepted)
        assert not {"large@example.org", "full@example.org"} & set(accepted)
        filtered.servers.processes.stop("milter")


def test_a_stop_lets_messages_finish_and_a_new_start_takes_the_socket_over(filtered: Filtered) -> None:
    filtered.start()
    with smtplib.SMTP("127.0.0.1", filtered.postfix.smtp_port) as idle:
        idle.ehlo()
        idle.mail("a@example.com")
        workers = filtered.workers
        filtered.servers.processes.stop("milter", grace=8.0)
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
        assert not filtered.postfix.milter_socket.exists()
        assert "does not stop" not in filtered.said()
    with pytest.raises(NotAccepted, match="451"):
        filtered.send(mail(), "user@example.org")
    filtered.start()
    filtered.servers.processes.kill("milter")  # the parent: its workers end by themselves
    filtered.start()
    filtered.send(mail(), "user@example.org")
    filtered.receiver.wait_for(1)


def test_a_slow_message_is_shown_as_filtering_and_survives_a_stop(filtered: Filtered) -> None:
    filtered.start(milter__filtering_after=0.2)
    clamd = filtered.servers.processes.pid("clamd")
    os.kill(clamd, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(filtered.send, mail("slow"), "user@example.org")
        (note,) = wait_for(lambda: filtered.journal("filtering"), "the note of a slow message")
        assert (note["subject"], note["recipients"]) == (
            "slow",
            [{"address": "user@example.org", "direction": "inbound"}],
        )
        os.kill(filtered.pid, signal.SIGTERM)
        wait_for(lambda: not filtered.postfix.milter_socket.exists(), "the stop")
        os.kill(clamd, signal.SIGCONT)
        assert "queued as" in sent.result(timeout=20)
    filtered.receiver.wait_for(1)
    (line,) = filtered.journal()
    assert line["id"] == note["id"]
