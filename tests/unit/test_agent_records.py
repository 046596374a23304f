"""Requests, the audit trail and the policy snapshot on a real database."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from peewee import Database

from mailweir.agent import publish
from mailweir.agent.command_rows import CommandRows
from mailweir.agent.postconf import PostfixSettings
from mailweir.agent.request import request
from mailweir.config import Config
from mailweir.errors import InputError, Refused
from mailweir.policies.scopes import PolicySet
from mailweir.records import audit, db
from mailweir.records.audit_head import AuditHead
from mailweir.records.models import (
    Address,
    AllowEntry,
    Audit,
    Command,
    Domain,
    Group,
    GroupMember,
    Leg,
    Message,
    Policy,
    Recipient,
)
from mailweir.records.text import reversed_domain
from mailweir.records.words import CommandState, Direction, LegKind, Queue, Source, Status

MESSAGE = 1 << 50


def fill() -> None:
    """One message with two queue files: one recipient is stalled, one deferred."""
    for number, address in enumerate(("a@x.example", "one@ours.example", "two@ours.example"), start=1):
        Address.create(id=number, address=address, folded=address, domain_reversed=reversed_domain(address))
    Message.create(id=MESSAGE, node_id=0, source=Source.MILTER, sender_id=1)
    for leg, queue, status in ((11, Queue.HOLD, Status.STALLED), (12, Queue.DEFERRED, Status.DEFERRED)):
        Leg.create(
            id=leg,
            node_id=0,
            queue_id=f"ABC{leg}",
            arrival=leg,
            message_id=MESSAGE,
            kind=LegKind.FIRST,
            queue=queue,
        )
        Recipient.create(
            message_id=MESSAGE, address_id=leg - 9, direction=Direction.INBOUND, status=status, leg_id=leg
        )


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = db.connect(Config(state_dir=str(tmp_path)))
    fill()
    yield database
    database.close()


def ask(**more: Any) -> list[Command]:
    values: dict[str, Any] = {
        "action": "delete",
        "message_id": MESSAGE,
        "address": None,
        "user": "anna",
        "ip": "192.0.2.1",
        "reason": "why",
        "key": "k",
        "clock": lambda: 5.0,
    }
    return request(**(values | more))


def test_one_command_for_each_queue_file_concerned(database: Database) -> None:
    assert [(one.leg_id, one.queue_id, one.arrival, one.sender) for one in ask()] == [
        (11, "ABC11", 11, "a@x.example"),
        (12, "ABC12", 12, "a@x.example"),
    ]
    assert Command.select().count() == 2
    assert [one.leg_id for one in ask()] == [11, 12]
    assert Command.select().count() == 2, "the same key asks once"
    assert [one.leg_id for one in ask(key="k2", action="force")] == [11], "only what is stalled"
    assert [(one.leg_id, one.address_id) for one in ask(key="k3", address="TWO@ours.example")] == [(12, 3)]
    assert Audit.select().count() == 3


def test_clicks_at_the_same_instant_ask_once(database: Database) -> None:
    together = Barrier(6)

    def click(_: int) -> list[int]:
        together.wait(30)
        try:
            return [one.id for one in ask()]
        finally:
            database.close()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(click, range(6)))
    assert answers == [answers[0]] * 6
    assert len(answers[0]) == Command.select().count() == 2
    assert [row.what for row in Audit.select()] == ["delete requested"]
    assert audit.broken(database) is None


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"action": "drop"}, InputError),
        ({"message_id": 77}, InputError),
        ({"address": "nobody@ours.example"}, InputError),
        ({"action": "force", "reason": " "}, InputError),
        ({"key": ""}, InputError),
        ({"action": "force", "address": "two@ours.example"}, Refused),
    ],
)
def test_what_cannot_be_asked_for(database: Database, wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        ask(**wrong)
    assert Command.select().count() == 0
    assert Audit.select().count() == 0


def test_what_needs_a_scan_waits_for_room_and_nothing_else_does(database: Database) -> None:
    rows = CommandRows(database, 0, lambda: 5.0)
    ask(key="a", action="retry")  # of a held queue file and of a deferred one
    Command.update(queue_id="DEF1").where(Command.leg_id == 12).execute()
    ask(key="b", action="delete", address="one@ours.example")
    assert [(one.action, one.leg_id) for one in rows.take(0)] == [("retry", 12), ("delete", 11)]
    assert [(one.action, one.leg_id) for one in rows.take(1)] == [("retry", 11)]
    assert rows.take(1) == []
    running = rows.left_running(but=[])
    assert len(running) == 3 and rows.running([running[0].id]) == running[:1]
    rows.finish([(one, CommandState.DONE, "done") for one in running])
    assert {(row.state, row.result, row.finished) for row in Command.select()} == {
        (CommandState.DONE, "done", 5.0)
    }
    assert Audit.select().where(Audit.what.contains(" done")).count() == 3


def test_what_is_through_is_refused(database: Database) -> None:
    Recipient.update(status=Status.DELIVERED).execute()
    with pytest.raises(Refused):
        ask()


def test_a_changed_audit_row_is_found(database: Database) -> None:
    times = itertools.count(1)
    for number in range(5):
        audit.append(
            database,
            clock=lambda: next(times) / 3,
            who=f"wh\udcff{number}",
            ip="",
            what="x",
            detail={"ä": number},
        )
    assert audit.broken(database) is None
    third, fourth = Audit.select().order_by(Audit.id)[2:4]
    for change in ({"who": "eve"}, {"time": 9.0}, {"detail": "{}"}, {"message_id": 4}):
        Audit.update(**change).where(Audit.id == third.id).execute()
        assert audit.broken(database) == third.id
        third.save()
    assert audit.broken(database) is None
    Audit.delete().where(Audit.id == third.id).execute()
    assert audit.broken(database) == fourth.id


def test_rows_cut_off_at_the_end_of_the_audit_trail_are_missed(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They break no hash: `broken` cannot know of them."""
    caplog.set_level(logging.INFO)

    def add(count: int) -> None:
        for _ in range(count):
            audit.append(database, clock=lambda: 5.0, who="anna", ip="", what="x")

    file = tmp_path / "audit-head.json"
    AuditHead(file).look(1.0)
    add(3)
    AuditHead(file).look(2.0)
    last = Audit.select().order_by(Audit.id.desc()).first()
    assert f"ends with row {last.id}, {last.hash}" in caplog.text
    add(2)
    AuditHead(file).look(3.0)
    Audit.delete().where(Audit.id > last.id).execute()
    assert audit.broken(database) is None
    for _ in range(2):
        with pytest.raises(InputError, match=r"cut off or rewritten.* is gone"):
            AuditHead(file).look(4.0)
    add(2)  # whether the numbers are given again or not
    with pytest.raises(InputError, match="cut off or rewritten"):
        AuditHead(file).look(5.0)
    file.unlink()
    AuditHead(file).look(6.0)
    newest = Audit.select().order_by(Audit.id.desc()).first()
    Audit.update(hash="another").where(Audit.id == newest.id).execute()  # the whole trail was written anew
    with pytest.raises(InputError, match=r"cut off or rewritten.* has changed"):
        AuditHead(file).look(6.5)
    file.write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        AuditHead(file).look(7.0)


def test_the_snapshot_is_what_the_tables_say(database: Database, tmp_path: Path) -> None:
    Domain.create(id=4, name="ours.example", ours=True)
    Domain.create(id=5, name="theirs.example", ours=False)
    second = Group.create(name="second", position=2)
    first = Group.create(name="first", position=1)
    GroupMember.create(group_id=first.id, position=2, pattern=".b.example")
    GroupMember.create(group_id=first.id, position=1, pattern="a@b.example")
    Policy.create(scope="default", fields=json.dumps({"inbound.encrypted": "allow-list"}))
    domain = Policy.create(scope="domain", scope_id=4, fields="{}")
    Policy.create(scope="group", scope_id=second.id, fields=json.dumps({"inbound.infected": "stall"}))
    AllowEntry.create(policy_id=domain.id, direction=Direction.INBOUND, pattern="x@y.example", party="sender")
    policies = publish.load(PostfixSettings("+"))
    names = ["ours.example", "theirs.example", "first", "second"]
    assert [scope.name for scope in policies.scopes] == ["", *names]
    assert policies.scopes[3].members == ("a@b.example", ".b.example")
    assert policies.scopes[1].allow[0].party == "sender"
    assert policies.is_ours("theirs.example") is False
    file = tmp_path / "state" / "policies.json"
    assert publish.write(policies, file)
    assert PolicySet.from_json(json.loads(file.read_text())) == policies
    assert not publish.write(policies, file), "unchanged policies leave the file alone"
    Policy.update(fields='{"inbound.encrypted": "perhaps"}').execute()
    with pytest.raises(InputError):
        publish.load(PostfixSettings("+"))
