"""Each act on a real queue: what it does, what it says, and what it leaves alone."""

from __future__ import annotations

import json
import smtplib
from pathlib import Path

import pytest

from mailweir.agent.queue import Outcome, QueueHelper, Target
from mailweir.content.findings import Scan
from mailweir.errors import InputError, Refused, Unavailable
from mailweir.policies.scopes import AllowEntry, PolicySet, Scope
from mailweir.records import audit, ids
from mailweir.records.models import Audit, Command, Finding, Leg, Message, Recipient, Sealed
from mailweir.records.words import CommandState, Direction
from tests.harness.desk import ENCRYPTED, OPENS, Desk
from tests.harness.servers import Receiver
from trial.waiting import wait_for


def test_force_delivers_at_once_and_without_a_scan(desk: Desk, receiver: Receiver) -> None:
    message = desk.held("one@example.org", "two@example.org")
    with pytest.raises(InputError, match="needs a reason"):
        desk.ask("force", message, reason=" ")
    assert desk.act("force", message) == ("done", "released from hold")
    (arrived,) = receiver.wait_for(1)
    assert arrived.recipients == ["one@example.org", "two@example.org"]
    assert desk.scanner.asked == 0
    wait_for(lambda: desk.queue() == {}, "an empty queue")
    assert desk.act("force", message) == ("refused", "there is no such message in the queue any more")
    trail = [(row.who, row.ip, row.what) for row in Audit.select().order_by(Audit.id)]
    assert trail == [
        ("anna", "192.0.2.1", word)
        for word in ("force requested", "force done", "force requested", "force refused")
    ]
    assert audit.broken(desk.database) is None


def test_what_was_held_for_long_is_queued_anew(desk: Desk, receiver: Receiver) -> None:
    """Released as it is, Postfix could bounce it at once for its age."""
    desk.policies = PolicySet((Scope("default", fields={"inbound.lifetime": 3600.0}),))
    young, old = desk.held("one@example.org"), desk.held("two@example.org")
    assert desk.act("force", young) == ("done", "released from hold")
    now = desk.clock
    desk.clock = lambda: now() + 1201.0
    state, said = desk.act("force", old)
    assert (state, said) == ("done", "put into the queue anew, as it had been held for long")
    receiver.wait_for(2)
    assert f"orig_id={desk.queue_id(old)}" in desk.postfix.log.read_text()


def test_retry_releases_only_what_passes_now(desk: Desk, receiver: Receiver) -> None:
    message = desk.held("one@example.org")
    desk.scanner.scan = ENCRYPTED
    state, said = desk.act("retry", message)
    assert (state, said) == ("failed", "scanned again, still stalled: message is encrypted (encrypted-zip)")
    assert desk.queue() == {"hold": ("one@example.org",)}
    assert [row.kind for row in Finding.select()] == ["encrypted-zip"]

    desk.scanner.scan = Scan(unavailable="no clamd server answers")
    assert desk.act("retry", message) == ("failed", "not released: no clamd server answers")
    assert [row.kind for row in Finding.select()] == ["encrypted-zip"], "an incomplete scan tells nothing new"

    entry = AllowEntry(Direction.INBOUND, "one@example.org")
    desk.policies = PolicySet((Scope("default", fields={"inbound.encrypted": "allow-list"}, allow=(entry,)),))
    desk.scanner.scan = ENCRYPTED
    assert desk.act("retry", message) == ("done", "scanned again, passes now; released from hold")
    receiver.wait_for(1)
    row = Recipient.get()
    assert (row.verdict, json.loads(row.trace)["entry"]) == ("accept", "one@example.org")


def test_delete_return_hold_release_on_held_and_deferred_mail(desk: Desk, receiver: Receiver) -> None:
    message = desk.held("one@example.org")
    assert desk.act("delete", message) == ("done", "deleted")
    assert desk.act("delete", message)[0] == "refused"
    assert desk.queue() == {}

    message = desk.held("one@example.org")
    assert desk.act("return", message) == ("done", "returned to the sender")
    (bounce,) = receiver.wait_for(1)
    assert (bounce.sender, bounce.recipients) == ("", ["a@example.edu"])

    message = desk.held("busy@example.org")
    with pytest.raises(InputError, match="give a reason"):
        desk.ask("release", message, reason="")
    assert desk.act("release", message)[0] == "done"
    wait_for(lambda: desk.queue() == {"deferred": ("busy@example.org",)}, "it to be deferred")
    assert desk.act("force", message) == (
        "refused",
        "it is not on hold any more; it stands in the queue deferred",
    )
    attempts = desk.postfix.log.read_text().count("status=deferred")
    assert desk.act("retry", message) == ("done", "an attempt was started")
    wait_for(lambda: desk.postfix.log.read_text().count("status=deferred") > attempts, "an attempt")
    wait_for(lambda: desk.queue() == {"deferred": ("busy@example.org",)}, "its end")
    assert desk.scanner.asked == 0
    assert desk.act("hold", message) == ("done", "put on hold")
    assert desk.act("hold", message) == ("refused", "it is on hold already")
    assert desk.act("return", message)[0] == "done"
    receiver.wait_for(2)


def test_another_message_under_the_same_queue_id_is_never_touched(desk: Desk) -> None:
    message = desk.held("one@example.org")
    Leg.update(arrival=Leg.arrival - 10_000_000).execute()
    for action in ("force", "delete", "return", "retry"):
        state, said = desk.act(action, message)
        assert (state, said) == (
            "refused",
            "the queue ID now belongs to a message that arrived at another time",
        )
    assert desk.queue() == {"hold": ("one@example.org",)}
    assert desk.scanner.asked == 0


def test_a_sender_that_postfix_rewrote_is_known_by_our_header(desk: Desk, receiver: Receiver) -> None:
    """The filter sees the sender as the client gave it, the queue file has it after canonical(5)."""
    message, stranger = desk.held("one@example.org"), desk.held("two@example.org")
    Message.update(sender_id=desk.address("before@rewriting.example")).execute()
    other = Leg.get(Leg.message_id == stranger)
    Leg.update(queue_id=other.queue_id, arrival=other.arrival).where(Leg.message_id == message).execute() if (
        Leg.delete().where(Leg.id == other.id).execute()
    ) else None
    assert desk.act("force", message)[1] == "the queue ID now belongs to a message of another sender"
    Leg.update(message_id=stranger).execute()
    Recipient.update(leg_id=Leg.get().id).execute()
    assert desk.act("force", stranger) == ("done", "released from hold")
    assert receiver.wait_for(1)[0].recipients == ["two@example.org"]


def test_a_double_click_and_two_administrators_have_one_effect(desk: Desk, receiver: Receiver) -> None:
    message = desk.held("one@example.org")
    (first,) = desk.ask("force", message, key="same")
    (second,) = desk.ask("force", message, key="same")
    assert first.id == second.id
    (other,) = desk.ask("delete", message, user="bob")
    desk.work()
    assert desk.outcome(first) == ("done", "released from hold")
    assert desk.outcome(other)[0] == "refused"
    receiver.wait_for(1)
    with pytest.raises(InputError):
        desk.ask("delete", message, address="nobody@example.org")
    Leg.update(queue=5).execute()
    with pytest.raises(Refused):
        desk.ask("delete", message)


class Dying(QueueHelper):
    """An agent killed right after the act, or right before it, as far as the queue can tell."""

    before = False

    def act(self, verb: str, targets: list[Target]) -> list[Outcome]:  # type: ignore[override]
        if not self.before:
            super().act(verb, targets)
        raise Unavailable("killed")


@pytest.mark.parametrize("before", [True, False])
def test_a_killed_agent_goes_on_from_what_the_queue_shows(
    desk: Desk, receiver: Receiver, before: bool
) -> None:
    dying = Dying(desk.config)
    dying.before = before
    force = desk.ask("force", desk.held("one@example.org"))[0]
    delete = desk.ask("delete", desk.held("two@example.org"))[0]
    for _ in range(2):
        with pytest.raises(Unavailable):
            desk.runner(dying).run()
    running = Command.select().where(Command.state == CommandState.RUNNING)
    assert running.count() == 2
    desk.work()
    assert [desk.outcome(one)[0] for one in (force, delete)] == ["done", "done"]
    receiver.wait_for(1)
    wait_for(lambda: desk.queue() == {}, "an empty queue")
    assert [one.recipients for one in receiver.received()] == [["one@example.org"]]
    log = desk.postfix.log.read_text()
    assert log.count(f"{force.queue_id}: released from hold") == 1


def test_many_at_once_each_with_its_own_truth(desk: Desk, receiver: Receiver) -> None:
    messages = [desk.held(f"r{number}@example.org") for number in range(12)]
    commands = [desk.ask("force", message)[0] for message in messages]
    desk.postfix.command("postsuper", "-d", desk.queue_id(messages[3]))
    Leg.update(arrival=Leg.arrival + 60_000_000).where(Leg.message_id == messages[5]).execute()
    Command.update(arrival=Command.arrival + 60_000_000).where(Command.message_id == messages[5]).execute()
    assert desk.runner().run() == 12
    states = [desk.outcome(command)[0] for command in commands]
    assert states == ["refused" if number in (3, 5) else "done" for number in range(12)]
    assert len(receiver.wait_for(10)) == 10
    wait_for(lambda: desk.queue() == {"hold": ("r5@example.org",)}, "one alone in the queue")


def test_unlock_releases_what_the_password_opens(desk: Desk, receiver: Receiver) -> None:
    message = desk.held("one@example.org")
    desk.scanner.scan = ENCRYPTED
    assert desk.unlock(message, "wr0ng-word") == (
        "failed",
        "the password does not open all that is encrypted",
    )
    assert desk.queue() == {"hold": ("one@example.org",)}
    assert desk.unlock(message, OPENS) == ("done", "scanned again, passes now; released from hold")
    receiver.wait_for(1)
    assert Finding.select().count() == 0
    stored = b"".join(file.read_bytes() for file in Path(desk.config.state_dir).glob("mailweir.db*"))
    assert b"unlock" in stored
    for password in ("wr0ng-word", OPENS):
        assert password.encode() not in stored


def test_passwords_cannot_be_tried_without_end(desk: Desk) -> None:
    message = desk.held("one@example.org")
    desk.scanner.scan = ENCRYPTED
    for number in range(desk.config.agent.unlock_attempts):
        desk.unlock(message, f"wrong{number}")
    with pytest.raises(Refused, match="wait an hour"):
        desk.unlock(message, OPENS)
    now = desk.clock
    desk.clock = lambda: now() + 3601
    assert desk.unlock(message, OPENS)[0] == "done"


def test_an_interrupted_unlock_asks_for_the_password_again(desk: Desk) -> None:
    """Only the agent that it was sealed for can read it, and that one has ended."""
    message = desk.held("one@example.org")
    desk.runner()
    command = desk.give(message, OPENS)
    assert Sealed.select().count() == 1
    desk.work()
    again = ("refused", "the agent was interrupted; give the password again")
    assert desk.outcome(command) == again
    assert Sealed.select().count() == 0
    assert desk.scanner.asked == 0


def test_short_queue_ids_are_told_apart_by_time_and_sender(desk: Desk, receiver: Receiver) -> None:
    """They are used again, and the records know when the message ended, not when its file was begun."""
    desk.postfix.reload(enable_long_queue_ids="no")
    try:
        with smtplib.SMTP(desk.postfix.holding_service, local_hostname="t.example") as smtp:
            header = f"X-Mailweir-ID: {ids.to_text(1003)}\nSubject: short\n\n"
            smtp.sendmail("a@example.edu", ["one@example.org"], header)
        (item,) = desk.postfix.queue()
        assert len(item["queue_id"]) < 13
        begun = int(item["arrival_time"] * 1e6)
        seen = {
            "an hour before": (begun - 3_600_000_000, "a@example.edu", "refused"),
            "a day later": (begun + 86_400_000_000, "a@example.edu", "refused"),
            "another sender": (begun + 60_000_000, "b@example.edu", "refused"),
            "a slow client": (begun + 600_000_000, "a@example.edu", "done"),
        }
        for number, (arrival, sender, state) in enumerate(seen.values()):
            desk.rows(1000 + number, item["queue_id"], sender, "one@example.org", arrival=arrival)
            assert desk.act("force", 1000 + number)[0] == state
        assert receiver.wait_for(1)[0].recipients == ["one@example.org"]
    finally:
        desk.postfix.reload(enable_long_queue_ids="yes")
