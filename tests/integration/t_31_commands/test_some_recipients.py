"""Acts on one recipient of several: hold and release know whole queue files only, people mean one person."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from typing import Any

import pytest

from mailweir.agent import divide
from mailweir.agent.envelope import Addressee
from mailweir.agent.queue import QueueHelper
from mailweir.agent.resubmit import quoted
from mailweir.content.findings import Finding, Scan
from mailweir.errors import Unavailable
from mailweir.policies.scopes import AllowEntry, PolicySet, Scope
from mailweir.records import ids
from mailweir.records.models import Command
from mailweir.records.words import CommandState, Direction
from tests.harness.desk import ENCRYPTED, Desk
from tests.harness.servers import Receiver
from trial.waiting import wait_for

ONE, TWO, THREE = "one@example.org", "two@example.org", "three@example.org"


def waiting(desk: Desk) -> list[tuple[str, list[str]]]:
    """The queue: each file's queue and recipients."""
    return sorted(
        (item["queue_name"], sorted(one["address"] for one in item["recipients"]))
        for item in desk.postfix.queue()
    )


def served(receiver: Receiver) -> list[str]:
    return sorted(address for one in receiver.received() for address in one.recipients)


def test_force_for_one_leaves_the_others_on_hold(desk: Desk, receiver: Receiver) -> None:
    message = desk.held(ONE, TWO, THREE, body=".dots\n..\nlong " + "x" * 900)
    old = desk.queue_id(message)
    state, said = desk.act("force", message, TWO)
    assert (state, said.split(" (as")[0]) == ("done", "released from hold")
    (copy,) = receiver.wait_for(1)
    assert copy.recipients == [TWO]
    assert copy.content.endswith(b"\r\n\r\n.dots\r\n..\r\nlong " + b"x" * 900 + b"\r\n")
    assert f"X-Mailweir-ID: {ids.to_text(message)}".encode() in copy.content
    wait_for(lambda: waiting(desk) == [("hold", [ONE, THREE])], "the others alone in the queue")
    log = desk.postfix.log.read_text()
    assert log.count(f"orig_queue_id={old},") == 2, "the log links both copies to the original"


def test_two_recipients_one_after_the_other_then_the_whole_rest(desk: Desk, receiver: Receiver) -> None:
    message = desk.held(ONE, TWO, THREE)
    delete, force, rest = (
        desk.ask("delete", message, ONE)[0],
        desk.ask("force", message, TWO)[0],
        desk.ask("return", message)[0],
    )
    desk.work()
    assert [desk.outcome(one)[0] for one in (delete, force, rest)] == ["done", "done", "done"]
    receiver.wait_for(2)
    wait_for(lambda: waiting(desk) == [], "an empty queue")
    bounce = next(one for one in receiver.received() if one.sender == "")
    assert served(receiver) == ["a@example.edu", TWO]
    assert THREE.encode() in bounce.content
    assert ONE.encode() not in bounce.content.partition(b"Content-Type: message/rfc822")[0]


def test_one_of_deferred_mail_is_deleted_and_the_others_go_on(desk: Desk, receiver: Receiver) -> None:
    message = desk.held("busy@example.org", "busy+2@example.org", ONE)
    assert desk.act("force", message)[0] == "done"
    wait_for(lambda: waiting(desk) == [("deferred", ["busy+2@example.org", "busy@example.org"])], "deferral")
    state, said = desk.act("delete", message, ONE)
    assert (state, said) == ("refused", "it was delivered or returned for this recipient meanwhile")
    assert desk.act("delete", message, "busy@example.org")[0] == "done"
    wait_for(lambda: waiting(desk) == [("deferred", ["busy+2@example.org"])], "the other's next attempt")
    assert served(receiver) == [ONE]


def test_retry_releases_for_those_whose_policy_lets_it_pass_now(desk: Desk, receiver: Receiver) -> None:
    message = desk.held(ONE, TWO)
    entry = AllowEntry(Direction.INBOUND, TWO)
    desk.policies = PolicySet((Scope("default", fields={"inbound.encrypted": "allow-list"}, allow=(entry,)),))
    desk.scanner.scan = ENCRYPTED
    state, said = desk.act("retry", message)
    assert state == "done"
    assert said.startswith(f"scanned again, passes now for {TWO}, but for others: message is encrypted")
    assert receiver.wait_for(1)[0].recipients == [TWO]
    wait_for(lambda: waiting(desk) == [("hold", [ONE])], "the other alone in the queue")
    desk.scanner.scan = Scan((Finding("macro", "2"),))


class Interrupted:
    """Stops the agent at the n-th step of dividing and starts it again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stop_at: int) -> None:
        self.left = stop_at
        self.where = ""
        for owner, name in ((QueueHelper, "act"), (divide, "submit")):
            original: Callable[..., Any] = getattr(owner, name)
            monkeypatch.setattr(owner, name, self._wrapped(name, original))

    def _wrapped(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any) -> Any:
            self._count(f"before {name}")
            result = original(*arguments)
            self._count(f"after {name}")
            return result

        return step

    def _count(self, where: str) -> None:
        self.left -= 1
        if self.left == 0:
            self.where = where
            raise Unavailable("killed")


@pytest.mark.parametrize("action", ["force", "delete"])
def test_killed_at_any_step_it_still_happens_once(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    places = []
    for stop_at in range(1, 20):
        desk.reset()
        message = desk.held(ONE, TWO)
        (command,) = desk.ask(action, message, ONE)
        with monkeypatch.context() as patch:
            killer = Interrupted(patch, stop_at)
            try:
                desk.runner().run()
            except Unavailable:
                places.append(killer.where)
        if not killer.where:
            break
        assert Command.get().state == CommandState.RUNNING
        desk.work()
        assert desk.outcome(command)[0] == "done", (killer.where, desk.outcome(command))
        if action == "force":
            receiver.wait_for(1)
        wait_for(lambda: waiting(desk) == [("hold", [TWO])], f"the queue after {killer.where}")
        assert served(receiver) == ([ONE] if action == "force" else [])
    assert places.count("after submit") == 2
    assert places.count("before act") == places.count("after act") > 4


def test_a_copy_whose_recipients_postfix_changes_is_taken_back(desk: Desk, receiver: Receiver) -> None:
    message = desk.held(ONE, TWO)
    desk.postfix.reload(always_bcc="archive@example.org")
    try:
        state, said = desk.act("force", message, ONE)
    finally:
        desk.postfix.reload(always_bcc="")
    assert state == "refused"
    assert "archive@example.org" in said
    assert waiting(desk) == [("hold", [ONE, TWO])]
    assert receiver.received() == []


def test_odd_addresses_and_delivery_options_survive(desk: Desk, receiver: Receiver) -> None:
    odd = ['"john doe"@example.org', '"a\\"b"@example.org', "böb@example.org"]
    with smtplib.SMTP(desk.postfix.holding_service, local_hostname="t.example") as smtp:
        smtp.command_encoding = "utf-8"
        smtp.ehlo()
        assert smtp.docmd("MAIL FROM:<> SMTPUTF8 RET=HDRS ENVID=x+2By")[0] == 250
        for address in odd:
            assert smtp.docmd(f"RCPT TO:<{address}> NOTIFY=SUCCESS ORCPT=rfc822;me+2Btoo")[0] == 250
        smtp.docmd("DATA")
        smtp.send(b"Subject: \xc3\xb6\r\n\r\n8bit: \xff\r\n.\r\n")
        assert smtp.getreply()[0] == 250
    (item,) = desk.postfix.queue()
    message = ids.IdSource(0, 2).next(1)
    desk.rows(message, item["queue_id"], "", *odd)
    commands = [desk.ask("force", message, address)[0] for address in odd[:2]]
    desk.work()
    assert [desk.outcome(one)[0] for one in commands] == ["done", "done"]
    arrived = receiver.wait_for(2)
    assert sorted(address for one in arrived for address in one.recipients) == sorted(odd[:2])
    assert all(one.content.endswith(b"8bit: \xff\r\n") for one in arrived)
    # The receiving server has a message a moment before Postfix lets go of it.
    wait_for(lambda: len(desk.postfix.queue()) == 1, "the third alone in the queue")
    (left,) = desk.postfix.queue()
    (seen,) = desk.helper.read([divide.target_of(left["queue_id"], "", desk.clock)])
    assert seen.envelope
    assert seen.envelope.recipients == [Addressee(odd[2], odd[2], "rfc822;me+too", 2)]
    assert seen.envelope.attributes["envelope_id"] == "x+y"
    assert [quoted(one) for one in ("john doe@x", "a.b@x", ".a@x", "")] == [
        '"john doe"@x',
        "a.b@x",
        '".a"@x',
        "",
    ]
