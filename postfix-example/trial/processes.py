"""Starting processes that outlive us, and stopping exactly those again.

Each is remembered with its process ID and start time in a file, so that a later `stop` ends what was started
here and never a stranger that got the same number.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from trial.waiting import WaitedTooLong, wait_for

STAT_STATE, STAT_START_TIME = 0, 19  # fields of /proc/PID/stat, counted after the command's name (proc(5))


@dataclass(frozen=True)
class Process:
    """One that we started; start_time in clock ticks since boot."""

    name: str
    pid: int
    start_time: int

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        state, start_time = _stat(self.pid)
        return start_time == self.start_time and state not in "ZX"


class Processes:
    """The processes of one state directory, with their output in `NAME.log` below `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._file = directory / "processes.json"
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._known = {process.name: process for process in self._load()}

    def start(
        self, name: str, arguments: Sequence[str | Path], env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a program of its own session; env is added to ours."""
        if (known := self._known.get(name)) and known.alive:
            raise RuntimeError(f"{name} is running already, as process {known.pid}")
        with self.log(name).open("ab") as output:
            child = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(env or {})},
                cwd="/",
            )
        process = Process(name, child.pid, _stat(child.pid)[1])
        self._children[child.pid] = child
        self._known[name] = process
        self._save()
        return process

    def log(self, name: str) -> Path:
        """Where that process's output goes."""
        return self.directory / f"{name}.log"

    def alive(self, name: str) -> bool:
        """Whether that process runs."""
        known = self._known.get(name)
        if known and (child := self._children.get(known.pid)):
            child.poll()
        return bool(known and known.alive)

    def names(self) -> list[str]:
        """All that were started and not stopped yet."""
        return list(self._known)

    def pid(self, name: str) -> int:
        """The process ID."""
        return self._known[name].pid

    def stop(self, name: str, *, grace: float = 15.0) -> None:
        """Ask it to end, and after `grace` seconds end it."""
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            self._signal(name, number)
            with contextlib.suppress(WaitedTooLong):
                wait_for(lambda: not self.alive(name), f"the end of {name}", deadline=patience)
                break
        self._known.pop(name, None)
        self._save()

    def kill(self, name: str) -> None:
        """End it at once, as a crash would, with SIGKILL."""
        self._signal(name, signal.SIGKILL)
        wait_for(lambda: not self.alive(name), f"the end of {name}", deadline=5.0)

    def stop_all(self) -> None:
        """Stop what still runs, the last started first."""
        for name in reversed(self.names()):
            self.stop(name)

    def _signal(self, name: str, number: signal.Signals) -> None:
        known = self._known.get(name)
        if known and self.alive(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(known.pid, number)

    def _load(self) -> list[Process]:
        with contextlib.suppress(FileNotFoundError):
            return [Process(**item) for item in json.loads(self._file.read_text())]
        return []

    def _save(self) -> None:
        self._file.write_text(
            json.dumps([asdict(process) for process in self._known.values()], indent=1) + "\n"
        )


def children_of(pid: int) -> list[int]:
    """Process IDs of the direct children, oldest first."""
    with contextlib.suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _stat(pid: int) -> tuple[str, int]:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return fields[STAT_STATE], int(fields[STAT_START_TIME])
    return "X", -1


def run(arguments: Sequence[str | Path], *, check: bool = True, input: str = "") -> str:
    """Run a command to its end and return what it said on both outputs; raises CommandFailed with that."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        input=input,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if check and done.returncode:
        raise CommandFailed(f"{' '.join(map(str, arguments))} failed: {done.stdout.strip()}")
    return done.stdout


class CommandFailed(Exception):
    """A command ended with an error; the message is what it said."""
