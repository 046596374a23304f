"""Real servers for tests, started below one state directory and stopped together.

`servers.start("milter", [...])` runs a program until the test ends; `receiver.received()` is what arrived.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trial.clamav import Clamd
from trial.ports import answers, free_ports
from trial.postfix import Postfix
from trial.processes import Process, Processes
from trial.receiver import Received, received
from trial.stack import PACKAGE
from trial.waiting import wait_for


@dataclass(frozen=True)
class Receiver:
    """Two receiving servers, one for example.org and example.net, one for every other domain."""

    local: int
    remote: int
    directory: Path

    def received(self) -> list[Received]:
        """All messages accepted so far, in order."""
        return received(self.directory)

    def wait_for(self, count: int, *, deadline: float = 30.0) -> list[Received]:
        """Wait until at least so many have arrived."""
        wait_for(
            lambda: len(list(self.directory.glob("*.json"))) >= count,
            f"{count} messages to arrive",
            deadline=deadline,
            explain=lambda: f"{len(self.received())} did",
        )
        return self.received()


class Servers:
    """What one test started."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.processes = Processes(state / "run")
        self._postfixes: list[Postfix] = []

    def start(
        self, name: str, arguments: Sequence[str | Path], env: Mapping[str, str] | None = None
    ) -> Process:
        """Run a program; its output goes to run/NAME.log below the state directory."""
        return self.processes.start(name, arguments, env)

    def mailweir(self, name: str, config: Path, *arguments: str) -> Process:
        """Run one of Mailweir's daemons with that settings file."""
        program = Path(sys.executable).with_name("mailweir")
        return self.start(name, [program, "--config", config, name, *arguments])

    def receiver(self) -> Receiver:
        """Start the receiving servers."""
        local, remote = free_ports(2)
        receiver = Receiver(local, remote, self.state / "received")
        arguments = ["-m", "trial.receiver", "--directory", str(receiver.directory), str(local), str(remote)]
        path = os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")])
        self.start("receiver", [sys.executable, *arguments], env={"PYTHONPATH": path})
        wait_for(lambda: answers(local) and answers(remote), "the receiving servers")
        return receiver

    def clamd(self) -> Clamd:
        """Start clamd."""
        scanner = Clamd(self.state / "clamd")
        scanner.start(self.processes)
        return scanner

    def postfix(
        self, receiver: Receiver, *, filtered: bool = True, name: str = "postfix", **settings: str
    ) -> Postfix:
        """Start Postfix; further arguments are main.cf settings."""
        instance = Postfix(
            self.state / name, receiver.local, receiver.remote, settings=settings, filtered=filtered
        )
        self._postfixes.append(instance)
        instance.start()
        return instance

    def stop(self) -> None:
        """Stop everything, Postfix first."""
        for instance in self._postfixes:
            instance.stop()
        self.processes.stop_all()
