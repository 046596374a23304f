"""Short queue IDs, truly used again between the click and the act: refused, said so, nothing else touched.

Postfix gives a short ID anew when microsecond and inode meet again. So that a test need not wait for that,
another message of the same Postfix gets the file name of one that was deleted.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mailweir.agent import lifetimes
from mailweir.agent.queue import QueueHelper, Target
from mailweir.errors import Refused
from mailweir.records.models import Audit, Leg, Recipient
from mailweir.records.words import Direction, Queue, Status
from tests.harness.desk import Desk
from tests.harness.servers import Receiver
from trial.waiting import wait_for

HELD_ACTS = ("force", "release", "retry", "unlock", "delete", "return")
DEFERRED_ACTS = ("hold", "retry", "delete", "return")
REUSED = "the queue ID now belongs to "


@pytest.fixture(scope="module")
def house(house: tuple[Desk, Receiver]) -> tuple[Desk, Receiver]:
    """With short queue IDs, and the queue files in plain directories."""
    house[0].postfix.reload(enable_long_queue_ids="no", hash_queue_names="defer")
    return house


def made(desk: Desk, who: str, count: int, sender: str) -> tuple[list[int], list[int]]:
    """So many messages on hold and so many deferred, with their rows."""
    held = [desk.held(f"{who}{number}@example.org", sender=sender) for number in range(count)]
    late = [desk.held(f"busy+{who}{number}@example.org", sender=sender) for number in range(count)]
    arrivals = {item["queue_id"]: int(item["arrival_time"] * 1e6) for item in desk.postfix.queue()}
    for queue_id, arrival in arrivals.items():
        Leg.update(arrival=arrival).where(Leg.queue_id == queue_id, Leg.arrival == 0).execute()
    ids = [desk.queue_id(message) for message in late]
    desk.postfix.command("postsuper", *(word for queue_id in ids for word in ("-H", queue_id)))
    for queue_id in ids:  # each by itself: a flush of all may come to the same file twice
        desk.postfix.command("postqueue", "-i", queue_id)
    wait_for(lambda: all(path(desk, queue_id).parent.name == "deferred" for queue_id in ids), "deferral")
    Leg.update(queue=Queue.DEFERRED).where(Leg.message_id.in_(late)).execute()
    Recipient.update(status=Status.DEFERRED).where(Recipient.message_id.in_(late)).execute()
    return held, late


def path(desk: Desk, queue_id: str) -> Path:
    """The queue file, wherever it stands."""
    found = [desk.postfix.queue_directory / queue / queue_id for queue in ("hold", "deferred", "active")]
    return next((one for one in found if one.exists()), Path("nowhere", queue_id))


def use_again(desk: Desk, old: list[int], new: list[int]) -> list[str]:
    """Delete the old messages and let the new ones have their queue IDs; returns those."""
    ids = [(desk.queue_id(one), desk.queue_id(other)) for one, other in zip(old, new, strict=True)]
    assert all(len(queue_id) < 13 for pair in ids for queue_id in pair)
    desk.postfix.command("postsuper", *(word for queue_id, _ in ids for word in ("-d", queue_id)))
    for queue_id, other in ids:
        standing = path(desk, other)
        standing.rename(standing.with_name(queue_id))
    return [queue_id for queue_id, _ in ids]


def contents(desk: Desk, ids: list[str]) -> dict[str, tuple[str, bytes]]:
    """Of each queue file where it stands and what is in it."""
    return {
        queue_id: (path(desk, queue_id).parent.name, path(desk, queue_id).read_bytes()) for queue_id in ids
    }


@pytest.mark.parametrize("sender", ["another@example.edu", "a@example.edu"], ids=["another", "the same"])
def test_the_act_is_refused_and_the_other_message_untouched(
    desk: Desk, receiver: Receiver, sender: str
) -> None:
    """Even one of the same sender, that came within the second."""
    count = len(HELD_ACTS)
    old = made(desk, "old", count, "a@example.edu")
    clicked = [desk.ask(act, message)[0] for act, message in zip(HELD_ACTS, old[0], strict=True)]
    clicked += [desk.ask(act, message)[0] for act, message in zip(DEFERRED_ACTS, old[1], strict=False)]
    new = made(desk, "new", count, sender)
    ids = use_again(desk, [*old[0], *old[1]], [*new[0], *new[1]])
    before = contents(desk, ids)
    assert {place for place, _ in before.values()} == {"hold", "deferred"}
    attempted = desk.postfix.log.read_text().count("status=")
    desk.work()
    for command in clicked:
        state, said = desk.outcome(command)
        assert (state, said.startswith(REUSED)) == ("refused", True), (command.action, state, said)
    assert contents(desk, ids) == before
    assert desk.scanner.asked == 0
    assert receiver.received() == []
    assert desk.postfix.log.read_text().count("status=") == attempted
    refused = [row.what for row in Audit.select() if row.what.endswith(" refused")]
    assert sorted(refused) == sorted(f"{command.action} refused" for command in clicked)


def test_the_root_process_refuses_each_verb_by_itself(desk: Desk, receiver: Receiver) -> None:
    """Whoever asks it, and however late the ID was used again."""
    ((old,), _), ((new,), _) = made(desk, "old", 1, "a@example.edu"), made(desk, "new", 1, "b@example.edu")
    leg = Leg.get(Leg.message_id == old)
    target = Target(leg.queue_id, leg.arrival, "a@example.edu", 3600.0)
    helper = QueueHelper(desk.config)
    assert helper.read([target])[0].result == "same"
    (queue_id,) = use_again(desk, [old], [new])
    before = contents(desk, [queue_id])
    for verb in ("hold", "release", "requeue", "delete", "expire", "deliver-now"):
        (outcome,) = helper.act(verb, [target])
        assert (outcome.result, outcome.reason.startswith(REUSED)) == ("refused", True), verb
    with pytest.raises(Refused, match=REUSED), helper.content(target):
        pass
    assert contents(desk, [queue_id]) == before
    assert receiver.received() == []


def test_what_expires_is_refused_too(desk: Desk) -> None:
    """Nobody clicked: the agent itself asked for the end of an old message, and another has its ID."""
    ((old,), _), ((new,), _) = made(desk, "old", 1, "a@example.edu"), made(desk, "new", 1, "a@example.edu")
    later = desk.clock() + desk.policies.lifetime(Direction.INBOUND, "", "") + 60
    assert lifetimes.enforce(desk.database, 0, desk.policies, later, desk.clock) > 0
    (queue_id,) = use_again(desk, [old], [new])
    before = contents(desk, [queue_id])
    desk.work()
    said = [row.detail for row in Audit.select() if row.what == "return refused" and row.message_id == old]
    assert len(said) == 1 and REUSED in said[0]
    assert contents(desk, [queue_id]) == before
