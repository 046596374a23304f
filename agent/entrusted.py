"""What comes with a command for the agent of one node alone: an Unlock's password, the key for what is read.

It lies sealed (sealed.py) in the database until that agent takes it, on whatever machine it was given, and is
in its memory for as long as the command runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from mailweir.agent.sealed import Opener, seal
from mailweir.config import Config
from mailweir.errors import Refused, Unavailable
from mailweir.records.models import Command, Node, Sealed

ENTRUSTED = ("unlock", "headers", "content")  # acts that something comes with
AGAIN = {
    "unlock": "the agent was interrupted; give the password again",
    "headers": "the agent was interrupted; ask again",
    "content": "the agent was interrupted; ask again",
}
_SILENT = 30.0  # seconds without a report after which an agent counts as not running


def entrust(commands: Sequence[Command], text: str, now: float) -> None:
    """Seal the text for the agent of each command. Raises Unavailable when that does not run."""
    for command in commands:
        key = agent_of(command, now).key
        Sealed.create(command_id=command.id, box=seal(key, text, _purpose(command)))


def agent_of(command: Command, now: float) -> Node:
    """The node whose agent carries it out. Raises Unavailable when that does not run."""
    node: Node | None = Node.get_or_none(Node.id == command.node_id)
    if node is None or not node.key or now - node.seen > _SILENT:
        name = node.name if node else f"node {command.node_id}"
        raise Unavailable(f"the agent of {name} does not run: start it, then try again")
    return node


class Entrusted:
    """The agent's end: its key for all to see, and what was sealed with it."""

    def __init__(self, config: Config) -> None:
        """Publish a new key. What was sealed with an earlier one stays closed for ever."""
        self._opener = Opener()
        row = {"name": config.node.label, "key": self._opener.key}
        Node.insert(id=config.node.number, **row).on_conflict(conflict_target=[Node.id], update=row).execute()

    def take(self, command: Command) -> str:
        """What came with the command, which is gone from the database then; "" with others.

        Raises Refused when it was meant for an agent that has ended.
        """
        if command.action not in ENTRUSTED:
            return ""
        row = Sealed.get_or_none(Sealed.command_id == command.id)
        Sealed.delete().where(Sealed.command_id == command.id).execute()
        if row is not None:
            with contextlib.suppress(ValueError):
                return self._opener.open(bytes(row.box), _purpose(command))
        raise Refused(AGAIN[command.action])


def _purpose(command: Command) -> str:
    """What it is for: nobody can move it to another message, node or command."""
    return f"{command.action} {command.node_id} {command.message_id} {command.key}"
