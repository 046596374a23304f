"""A PostgreSQL of the test's own, on a port of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from trial.ports import free_port
from trial.processes import Processes
from trial.waiting import wait_for

USER = "postgres"  # it refuses to run as root


class PostgreSQL:
    """One cluster below `directory` with an empty database; it trusts whoever connects on loopback."""

    def __init__(self, directory: Path, processes: Processes) -> None:
        self.directory = directory
        self.port = free_port()
        self._processes = processes
        self._bin = max(Path("/usr/lib/postgresql").iterdir(), key=lambda path: float(path.name)) / "bin"

    @property
    def url(self) -> str:
        """For database.url."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{USER}"

    def start(self) -> None:
        """Make the cluster if there is none yet, start it, and wait until it answers."""
        if not self.directory.exists():
            self.directory.mkdir(parents=True)
            shutil.chown(self.directory, USER)
            self._run(
                "initdb", "-D", str(self.directory), "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8"
            )
        options = ["-k", str(self.directory), "-p", str(self.port), "-c", "fsync=off"]
        program = [str(self._bin / "postgres"), "-D", str(self.directory), "-h", "127.0.0.1", *options]
        self._processes.start("postgresql", ["setpriv", f"--reuid={USER}", "--init-groups", *program])
        wait_for(
            self._ready, "PostgreSQL", explain=lambda: self._processes.log("postgresql").read_text()[-500:]
        )

    def stop(self) -> None:
        """Stop it without waiting for its clients: their connections are cut."""
        if self._processes.alive("postgresql"):
            os.kill(self._processes.pid("postgresql"), signal.SIGINT)
        self._processes.stop("postgresql")

    def kill(self) -> None:
        """End it without warning."""
        self._processes.kill("postgresql")

    def _ready(self) -> bool:
        answer = subprocess.run(
            [self._bin / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            check=False,
        )
        return answer.returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._bin / program, *arguments], user=USER, cwd="/", check=True, stdout=subprocess.DEVNULL
        )
