"""Everything that takes part, below one state directory: two receiving servers, clamd, Postfix, Mailweir.

Mailweir's four processes are started by the commands that production uses, with a settings file of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailweir import config
from trial.clamav import Clamd
from trial.ports import LOOPBACK, answers, free_ports
from trial.postfix import Postfix
from trial.processes import Processes, run
from trial.receiver import Received, received
from trial.waiting import wait_for

DAEMONS = ("queue-helper", "agent", "milter", "web")
PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Ports:
    """TCP ports on loopback of all servers."""

    smtp: int
    hold: int
    resubmit: int
    local: int
    remote: int
    web: int

    @classmethod
    def free(cls) -> Ports:
        """Any that nothing uses."""
        return cls(*free_ports(6))


@dataclass
class Stack:
    """The servers of one state directory; `settings` are further settings of Mailweir, by dotted name."""

    state: Path
    ports: Ports = field(default_factory=Ports.free)
    settings: Mapping[str, Any] = field(default_factory=dict)
    postfix_settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        self.processes = Processes(self.state / "run")
        self.clamd = Clamd(self.state / "clamd")
        self.postfix = Postfix(
            self.state / "postfix",
            self.ports.local,
            self.ports.remote,
            self.ports.smtp,
            self.ports.hold,
            self.ports.resubmit,
            self.postfix_settings,
        )

    @property
    def config_file(self) -> Path:
        """Mailweir's settings."""
        return self.state / "mailweir.toml"

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://{LOOPBACK}:{self.ports.web}/"

    def configure(self) -> None:
        """Write Mailweir's settings file."""
        values = {
            "state_dir": str(self.state / "mailweir"),
            "milter.socket": f"unix:{self.postfix.milter_socket}",
            "milter.socket_group": "postfix",
            "clamd.servers": [self.clamd.address],
            "postfix.config_directory": str(self.postfix.config_directory),
            "postfix.log": str(self.postfix.log),
            "postfix.queue_interval": 1.0,
            "postfix.holding_service": self.postfix.holding_service,
            "postfix.resubmit_service": self.postfix.resubmit_service,
            "helper.socket": str(self.state / "run" / "helper.sock"),
            "notices.administrators": ["postmaster@example.org"],
            "web.bind": f"{LOOPBACK}:{self.ports.web}",
            **self.settings,
        }
        (self.state / "mailweir").mkdir(exist_ok=True)
        self.config_file.write_text(to_toml(values))

    def start_receiver(self) -> None:
        """The two receiving servers."""
        ports = [str(self.ports.local), str(self.ports.remote)]
        arguments = [sys.executable, "-m", "trial.receiver", "--directory", str(self.inbox), *ports]
        self.processes.start("receiver", arguments, env={"PYTHONPATH": str(PACKAGE)})
        wait_for(lambda: answers(self.ports.local) and answers(self.ports.remote), "the receiving servers")

    def start_daemon(self, name: str) -> None:
        """One of Mailweir's processes, by the name of its sub-command."""
        self.processes.start(name, self._mailweir(name))

    def start(self) -> None:
        """Everything, in the order in which each needs the others; returns when all answer."""
        self.configure()
        self.start_receiver()
        self.clamd.start(self.processes)
        self.start_mailweir()
        self.postfix.start()

    def start_mailweir(self) -> None:
        """Mailweir's four processes."""
        self.postfix.configure()  # the milter's socket stands below the queue directory
        for name in DAEMONS:
            self.start_daemon(name)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait for Mailweir's sockets. Raises WaitedTooLong, naming the log to read."""
        waits = {
            "milter": self.postfix.milter_socket.is_socket,
            "web": lambda: answers(self.ports.web),
            "queue-helper": (self.state / "run" / "helper.sock").is_socket,
            "agent": lambda: self.processes.alive("agent"),
        }
        for name, ready in waits.items():
            wait_for(
                lambda name=name, ready=ready: ready() or not self.processes.alive(name),  # type: ignore[misc]
                name,
                deadline=60,
                explain=lambda name=name: self.last_words(name),  # type: ignore[misc]
            )
            if not self.processes.alive(name):
                raise RuntimeError(f"{name} does not start: {self.last_words(name)}")

    def stop(self) -> None:
        """Everything, Postfix first, so that nothing is in transit."""
        self.postfix.stop()
        self.processes.stop_all()

    def mailweir(self, *arguments: str, check: bool = True, input: str = "") -> str:
        """Run one of Mailweir's commands against this state; returns its output."""
        return run(self._mailweir(*arguments), check=check, input=input)

    @property
    def inbox(self) -> Path:
        """Where the receiving servers keep what they got."""
        return self.state / "received"

    def received(self) -> list[Received]:
        """What the receiving servers got so far."""
        return received(self.inbox)

    def last_words(self, name: str) -> str:
        """The end of a process's output."""
        log = self.processes.log(name)
        lines = log.read_text("utf-8", "replace").splitlines()[-5:] if log.exists() else []
        return " | ".join(lines) + f" (all of it: {log})"

    def _mailweir(self, *arguments: str) -> list[str | Path]:
        program = Path(sys.executable).with_name("mailweir")
        return [program, "--config", self.config_file, *arguments]


def to_toml(values: Mapping[str, Any]) -> str:
    """A settings file from dotted names; top-level settings first, then one table for each section."""
    sections: dict[str, list[str]] = {"": []}
    for name, value in values.items():
        section, _, key = name.rpartition(".")
        sections.setdefault(section, []).append(f"{key} = {config.toml(value)}")
    lines: list[str] = []
    for section, entries in sections.items():
        lines += ([f"\n[{section}]"] if section else []) + entries
    return "\n".join(lines) + "\n"
