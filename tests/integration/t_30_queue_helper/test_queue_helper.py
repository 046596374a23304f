"""The queue-helper on a real queue: each verb does what it says, to that message and to no other."""

from __future__ import annotations

import json
import os
import smtplib
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailweir.agent.queue import QueueHelper, Target
from mailweir.config import Config, Helper
from mailweir.config import Postfix as PostfixSettings
from mailweir.errors import Refused, Unavailable
from mailweir.postlog.queue_id import arrival_us
from tests.harness import units
from tests.harness.servers import Receiver, Servers
from trial.postfix import Postfix
from trial.stack import to_toml
from trial.waiting import wait_for


@pytest.fixture
def config(state: Path, servers: Servers, plain_postfix: Postfix) -> Config:
    """Settings of a helper that runs with the capabilities of its unit; the agent's user is `nobody` here."""
    config = Config(
        state_dir=str(state / "mailweir"),
        postfix=PostfixSettings(
            config_directory=str(plain_postfix.config_directory), log=str(plain_postfix.log)
        ),
        helper=Helper(socket=str(state / "helper.sock"), allowed_user="nobody", timeout=10.0),
    )
    settings = {
        "state_dir": config.state_dir,
        "postfix.config_directory": config.postfix.config_directory,
        "postfix.log": config.postfix.log,
        "helper.socket": config.helper.socket,
        "helper.allowed_user": "nobody",
        "helper.timeout": config.helper.timeout,
    }
    file = state / "mailweir.toml"
    file.write_text(to_toml(settings))
    program = Path(sys.executable).with_name("mailweir")
    limits = units.confined("mailweir-queue-helper.service")
    servers.start("queue-helper", [*limits, program, "--config", file, "queue-helper"])
    wait_for(Path(config.helper.socket).is_socket, "the helper's socket")
    return config


def hold(postfix: Postfix, sender: str, *recipients: str, body: str = "hello\n") -> Target:
    """Put a message on hold; what a user sees of it."""
    before = {item["queue_id"] for item in postfix.queue()}
    with smtplib.SMTP(postfix.holding_service) as smtp:
        smtp.sendmail(sender, recipients, f"Subject: held\n\n{body}")
    (item,) = [item for item in postfix.queue() if item["queue_id"] not in before]
    return target_of(item)


def target_of(item: dict[str, Any]) -> Target:
    arrival = arrival_us(item["queue_id"])
    assert arrival
    return Target(item["queue_id"], arrival, item["sender"])


def queues(postfix: Postfix) -> dict[str, str]:
    return {item["queue_id"]: item["queue_name"] for item in postfix.queue()}


def test_each_verb_on_a_real_queue(config: Config, plain_postfix: Postfix, receiver: Receiver) -> None:
    helper = QueueHelper(config)
    held = hold(plain_postfix, "a@example.edu", "one@example.org", "busy@example.org")
    other = hold(plain_postfix, "b@example.edu", "two@example.org")

    (seen,) = helper.read([held])
    assert seen.result == "same"
    assert seen.envelope
    assert (seen.envelope.queue, seen.envelope.sender) == ("hold", "a@example.edu")
    assert seen.envelope.addresses == ["one@example.org", "busy@example.org"]
    with helper.content(held) as (message, size):
        text = message.read()
    assert b"\nSubject: held\n" in text
    assert text.endswith(b"\n\nhello\n")
    assert len(text) == size

    assert helper.act("deliver-now", [held])[0].reason == "the message is on hold"
    assert helper.act("release", [held])[0].result == "done"
    receiver.wait_for(1)  # at once, not at the next queue run
    wait_for(lambda: queues(plain_postfix).get(held.queue_id) == "deferred", "the busy one to be deferred")
    (seen,) = helper.read([held])
    assert seen.envelope
    assert (seen.envelope.addresses, seen.envelope.settled) == (["busy@example.org"], ["one@example.org"])

    wait_for(lambda: helper.schedule().get(held.queue_id, 0) > time.time(), "the next attempt's time")
    assert list(helper.schedule()) == [held.queue_id], "what is on hold has no next attempt"

    assert helper.act("release", [held])[0].result == "failed", "it is not on hold any more"
    assert helper.act("deliver-now", [held])[0].result == "done"
    wait_for(lambda: plain_postfix.log.read_text().count("451 4.3.2 <busy@example.org>") >= 2, "an attempt")
    wait_for(lambda: queues(plain_postfix).get(held.queue_id) == "deferred", "the end of the attempt")
    assert helper.act("hold", [held])[0].result == "done"
    assert queues(plain_postfix)[held.queue_id] == "hold"
    assert helper.act("expire", [held])[0].result == "done"
    bounce = receiver.wait_for(2)[1]
    assert (bounce.sender, bounce.recipients) == ("", ["a@example.edu"])

    assert helper.act("requeue", [other])[0].result == "done"
    assert receiver.wait_for(3)[2].recipients == ["two@example.org"]
    gone = helper.act("delete", [other])[0]
    assert (gone.result, gone.envelope) == ("gone", None)
    last = hold(plain_postfix, "c@example.edu", "three@example.org")
    assert helper.act("delete", [last])[0].result == "done"
    wait_for(lambda: plain_postfix.queue() == [], "an empty queue")
    assert [json.loads(line)["queue_id"] for line in helper.listing()] == []


def test_another_message_under_the_same_queue_id_is_left_alone(
    config: Config, plain_postfix: Postfix
) -> None:
    helper = QueueHelper(config)
    held = hold(plain_postfix, "a@example.edu", "one@example.org")
    same = hold(plain_postfix, "Anna@Example.EDU", "one@example.org")
    for verb in ("release", "delete", "requeue", "expire", "hold", "deliver-now"):
        older = replace(held, arrival_us=held.arrival_us - 5_000_000)
        stranger = replace(held, sender="eve@example.edu")
        early, forged = helper.act(verb, [older])[0], helper.act(verb, [stranger])[0]
        assert (early.result, forged.result) == ("refused", "refused")
        assert "another time" in early.reason
        assert "another sender" in forged.reason
    with pytest.raises(Refused, match="another sender"), helper.content(replace(held, sender="")):
        pass
    assert queues(plain_postfix) == {held.queue_id: "hold", same.queue_id: "hold"}
    late = replace(held, arrival_us=held.arrival_us + 600_000_000, slack=3600.0)
    assert helper.read([late])[0].result == "same", "with short IDs the noted time may be the later one"
    mixed = helper.act("delete", [held, replace(same, sender="x@example.edu")])
    assert [one.result for one in mixed] == ["done", "refused"]
    assert queues(plain_postfix) == {same.queue_id: "hold"}


def test_before_the_first_start_of_postfix_it_says_so_and_stopped_it_still_lists(
    config: Config, plain_postfix: Postfix
) -> None:
    helper = QueueHelper(config)
    held = hold(plain_postfix, "a@example.edu", "one@example.org")
    plain_postfix.stop()
    assert [json.loads(line)["queue_id"] for line in helper.listing()] == [held.queue_id]
    queue = plain_postfix.queue_directory
    queue.rename(queue.with_name("away"))
    queue.mkdir()
    with pytest.raises(Unavailable, match="Postfix is not running"):
        list(helper.listing())
    queue.rmdir()
    queue.with_name("away").rename(queue)


def test_what_is_no_queue_id_never_reaches_postfix(config: Config, plain_postfix: Postfix) -> None:
    held = hold(plain_postfix, "a@example.edu", "one@example.org")
    long = f"{held.queue_id} ALL"
    for queue_id in ("ALL", "-", "", "*", "../etc/passwd", "-d", long, "ALL\n", f"{held.queue_id}\n"):
        with pytest.raises(Unavailable, match="not a queue ID"):
            QueueHelper(config).act("delete", [replace(held, queue_id=queue_id)])
    assert len(plain_postfix.queue()) == 1


def test_only_its_user_is_served_and_nobody_can_block_it(config: Config, plain_postfix: Postfix) -> None:
    Path(config.helper.socket).chmod(0o666)
    ask = (
        "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        's.sendall(b\'{"verb": "list"}\\n\'); print(s.recv(100))'
    )
    for user, served in (("postfix", False), ("nobody", True)):
        done = subprocess.run(
            [Path(sys.executable).resolve(), "-c", ask, config.helper.socket],
            user=user,
            capture_output=True,
            text=True,
            cwd="/",
        )
        assert ("ok" in done.stdout) is served, done.stderr
    silent = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    for connection in silent:
        connection.connect(config.helper.socket)
    for line in (b"nonsense\n", b"[]\n", b'{"verb": "rm"}\n', b'{"verb": "delete", "items": [{}]}\n'):
        silent[0].sendall(line)
        assert json.loads(silent[0].recv(1000))["ok"] is False
    assert list(QueueHelper(config).listing()) == []
    for connection in silent:
        connection.close()


def test_it_opens_the_log_and_no_other_file(config: Config, plain_postfix: Postfix) -> None:
    helper = QueueHelper(config)
    hold(plain_postfix, "a@example.edu", "one@example.org")
    plain_postfix.log.chmod(0o600)
    with os.fdopen(helper.open_log()) as log:
        assert "message-id=" in log.read()
    plain_postfix.log.with_name("mail.log-secret").symlink_to("/etc/shadow")
    for name in ("../etc/main.cf", "other.log", "mail.log-secret", "mail.log/../x"):
        with pytest.raises(Unavailable):
            helper.open_log(name)
