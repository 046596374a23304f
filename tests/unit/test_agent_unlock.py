"""Passwords on their way to an agent: who can read them, when they are gone, and whom they wait for."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peewee import Database

from mailweir.agent.command_rows import CommandRows
from mailweir.agent.entrusted import AGAIN, Entrusted
from mailweir.agent.sealed import Opener, seal
from mailweir.agent.unlock import Unlocked, unlock
from mailweir.config import Agent, Config
from mailweir.config import Node as NodeSettings
from mailweir.errors import InputError, Refused, Unavailable
from mailweir.records import db
from mailweir.records.models import Address, Command, Leg, Message, Node, Recipient, Sealed
from mailweir.records.words import CommandState, Direction, LegKind, Queue, Source, Status

WHO = {"user": "anna", "ip": "192.0.2.1"}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=1_000), st.text(max_size=30))
def test_only_the_owner_of_the_key_reads_it_for_that_purpose(text: str, purpose: str) -> None:
    opener = Opener()
    purpose = purpose.encode("utf-8", "replace").decode()
    box = seal(opener.key, text, purpose)
    assert opener.open(box, purpose) == text
    assert box != seal(opener.key, text, purpose), "no two are alike"
    changed = bytes([*box[:-1], box[-1] ^ 1])
    for wrong, other in ((box, purpose + "x"), (changed, purpose), (box[:40], purpose), (b"", purpose)):
        with pytest.raises(ValueError, match=r"32 bytes|not sealed for us"):
            opener.open(wrong, other)
    with pytest.raises(ValueError, match="not sealed for us"):
        Opener().open(box, purpose)


def test_the_box_tells_nothing_of_short_and_long_passwords() -> None:
    key = Opener().key
    assert len({len(seal(key, "x" * length, "p")) for length in range(200)}) == 1
    assert b"correct horse" not in seal(key, "correct horse battery", "p")
    for no_key in ("", "%%%%", "AAAA"):
        with pytest.raises(ValueError, match=r"32 bytes|base64"):
            seal(no_key, "x", "p")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The settings of node 3, which has the message; whoever asks may be anywhere."""
    settings = NodeSettings(number=3, name="three")
    return Config(state_dir=str(tmp_path), node=settings, agent=Agent(unlock_timeout=10.0))


@pytest.fixture
def database(config: Config) -> Iterator[Database]:
    """A message on hold at node 3."""
    database = db.connect(config)
    sender, recipient = (
        Address.create(address=name, folded=name, domain_reversed="x").id
        for name in ("a@x.example", "b@x.example")
    )
    Message.create(id=5, node_id=3, source=Source.MILTER, sender_id=sender, verdict="stall")
    leg = {"kind": LegKind.FIRST, "queue": Queue.HOLD, "held": 1.0}
    Leg.create(id=6, node_id=3, queue_id="ABC", arrival=1, message_id=5, **leg)
    state = {"direction": Direction.INBOUND, "status": Status.STALLED, "verdict": "stall", "leg_id": 6}
    Recipient.create(message_id=5, address_id=recipient, **state)
    yield database
    database.close()


def test_the_agent_takes_it_and_the_answer_comes_back(config: Config, database: Database) -> None:
    passwords, rows = Entrusted(config), CommandRows(database, 3, lambda: 100.0)
    Node.update(seen=99.0).execute()
    seen: list[str] = []
    stored: list[bytes] = []

    def serve() -> None:
        for _ in itertools.count():
            for command in rows.take(1):
                stored.append(
                    b"".join(path.read_bytes() for path in Path(config.state_dir).glob("mailweir.db*"))
                )
                seen.append(passwords.take(command))
                rows.finish([(command, CommandState.DONE, "released")])
                database.close()
                return

    thread = threading.Thread(target=serve)
    thread.start()
    # From another node: it has only the database.
    asking = Config(state_dir="/nonexistent", node=NodeSettings(number=8), agent=config.agent)
    done = unlock(asking, message_id=5, address=None, password="open sesame", clock=lambda: 100.0, **WHO)
    thread.join()
    assert done == [Unlocked("ABC", "done", "released")]
    assert seen == ["open sesame"]
    assert b"unlock" in stored[0] and b"sesame" not in stored[0]
    assert Sealed.select().count() == 0


def test_it_cannot_be_moved_to_another_command_and_dies_with_its_agent(
    config: Config, database: Database
) -> None:
    passwords, rows = Entrusted(config), CommandRows(database, 3, lambda: 100.0)
    Node.update(seen=99.0).execute()
    short = Config(state_dir=config.state_dir, agent=Agent(unlock_timeout=0.0))
    for _ in range(2):
        with pytest.raises(Unavailable, match="not through yet"):
            unlock(short, message_id=5, address=None, password="open sesame", clock=lambda: 100.0, **WHO)
    first, second = Command.select().order_by(Command.id)
    box = Sealed.get(Sealed.command_id == first.id).box
    Sealed.update(box=box).where(Sealed.command_id == second.id).execute()
    with pytest.raises(Refused, match=AGAIN["unlock"]):
        passwords.take(second)
    with pytest.raises(Refused, match=AGAIN["unlock"]):
        Entrusted(config).take(first)
    assert Sealed.select().count() == 0
    assert passwords.take(Command(action="retry", id=9)) == ""
    with pytest.raises(Unavailable):
        unlock(short, message_id=5, address=None, password="open sesame", clock=lambda: 100.0, **WHO)
    rows.finish([(Command.select().order_by(Command.id.desc()).get(), CommandState.REFUSED, "gone")])
    assert Sealed.select().count() == 0, "nor does it outlive a command that came to nothing"


@pytest.mark.parametrize("seen", [None, 60.0])
def test_without_an_agent_nothing_is_left_behind(
    config: Config, database: Database, seen: float | None
) -> None:
    if seen is not None:
        Entrusted(config)
        Node.update(seen=seen).execute()
    with pytest.raises(Unavailable, match="does not run: start it"):
        unlock(config, message_id=5, address=None, password="open sesame", clock=lambda: 100.0, **WHO)
    assert Command.select().count() == Sealed.select().count() == 0
    for bad in ("", "x" * 1_001):
        with pytest.raises(InputError, match="give a password"):
            unlock(config, message_id=5, address=None, password=bad, clock=lambda: 100.0, **WHO)
