"""The rows of what people asked for: which come next, how far each is, and how it ended.

Nothing here touches the queue. An act's end and its line in the audit trail are written in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from peewee import Database, fn

from mailweir.agent.divide import Halves
from mailweir.agent.entrusted import ENTRUSTED
from mailweir.agent.queue import BATCH
from mailweir.records import audit
from mailweir.records.models import Command, Leg, Sealed
from mailweir.records.text import storable
from mailweir.records.words import CommandState, Queue

OPEN = (CommandState.REQUESTED, CommandState.RUNNING)
_SCANNING = ("retry", "unlock")  # acts that take a scan of held mail, and so wait for a place


def one_each(commands: Sequence[Command]) -> list[list[Command]]:
    """The same, in batches that name no queue file twice."""
    batches: list[list[Command]] = []
    for command in commands:
        for batch in batches:
            if all(other.queue_id != command.queue_id for other in batch):
                batch.append(command)
                break
        else:
            batches.append([command])
    return batches


class CommandRows:
    """The commands of one node, in the database."""

    def __init__(self, database: Database, node: int, clock: Callable[[], float]) -> None:
        self._database = database
        self._node = node
        self._clock = clock

    def take(self, room: int) -> list[Command]:
        """The oldest requested ones, one for each queue file, now marked as running.

        room is how many of them may take a scan, by what the records know; what needs none does not wait
        behind those.
        """
        requested = Command.select().where(
            Command.node_id == self._node, Command.state == CommandState.REQUESTED
        )
        held = fn.EXISTS(Leg.select(Leg.id).where(Leg.id == Command.leg_id, Leg.queue == Queue.HOLD))
        scan = Command.action.in_(_SCANNING) & held
        quick = requested.where(~scan).order_by(Command.id).limit(4 * BATCH)
        slow = requested.where(scan)
        # Somebody waits for an Unlock before a page; many a Retry comes in bulk.
        slow = slow.order_by(Command.action.desc(), Command.id).limit(room)
        chosen: dict[str, Command] = {}
        for command in sorted([*quick, *slow], key=lambda one: int(one.id)):
            if len(chosen) < BATCH:
                chosen.setdefault(command.queue_id, command)
        self.start(list(chosen.values()))
        return list(chosen.values())

    def start(self, commands: Sequence[Command]) -> None:
        """Mark them as running."""
        if commands:
            Command.update(state=CommandState.RUNNING, started=self._clock()).where(
                Command.id.in_([command.id for command in commands])
            ).execute()

    def running(self, numbers: Collection[int]) -> list[Command]:
        """Those of that number that run, as they stand now."""
        chosen = Command.id.in_(list(numbers)), Command.state == CommandState.RUNNING
        return list(Command.select().where(*chosen).order_by(Command.id)) if numbers else []

    def left_running(self, but: Collection[int]) -> list[Command]:
        """What an earlier run left running, but not those of that number."""
        mine = Command.node_id == self._node, Command.state == CommandState.RUNNING
        return list(Command.select().where(*mine, Command.id.not_in(list(but))).order_by(Command.id))

    def ask_again(self, command: Command) -> None:
        """Put one that had no effect back."""
        Command.update(state=CommandState.REQUESTED, started=None).where(Command.id == command.id).execute()

    def note(self, command: Command, note: str) -> None:
        """Remember how far it came."""
        Command.update(result=note).where(Command.id == command.id).execute()

    def retarget(self, command: Command, halves: Halves, scanning: Collection[int]) -> None:
        """What else was asked for on the original, scans too, now concerns the copy for the rest."""
        Command.update(queue_id=halves.rest.queue_id, arrival=halves.rest.arrival_us).where(
            Command.node_id == self._node,
            (Command.state == CommandState.REQUESTED) | Command.id.in_(list(scanning)),
            Command.queue_id == command.queue_id,
            Command.arrival == command.arrival,
        ).execute()

    def finish(self, results: Sequence[tuple[Command, CommandState, str]]) -> None:
        """Record what truly happened, together with its lines in the audit trail."""
        now = self._clock()
        with self._database.atomic():
            if entrusted := [command.id for command, _, _ in results if command.action in ENTRUSTED]:
                Sealed.delete().where(Sealed.command_id.in_(entrusted)).execute()
            alike: dict[tuple[CommandState, str], list[int]] = {}
            for command, state, result in results:
                alike.setdefault((state, result), []).append(command.id)
            for (state, result), numbers in alike.items():
                Command.update(state=state, result=storable(result), finished=now).where(
                    Command.id.in_(numbers)
                ).execute()
            entries = [
                audit.Entry(
                    command.by_user,
                    command.by_ip,
                    f"{command.action} {state.word}",
                    command.message_id,
                    {"command": command.id, "queue_id": command.queue_id, "result": result},
                )
                for command, state, result in results
            ]
            audit.append_all(self._database, entries, self._clock)
