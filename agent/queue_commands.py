"""Postfix's queue commands, run for one instance: fixed programs, lists of arguments, a time limit.

Only the queue-helper uses this, so all that runs as root stands in these two files.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from mailweir.agent import envelope
from mailweir.config import Config
from mailweir.errors import ConfigError
from mailweir.postlog.queue_id import is_queue_id

QUEUES = ("hold", "deferred", "active", "incoming", "maildrop")
NO_FILE = "there is no such message in the queue any more"
_TRIES = 5
_DIGITS = "0123456789ABCDEF"  # the names of hashed subdirectories
_HASH_DEPTH = 3  # the deepest hash_queue_depth that is looked into


class QueueCommands:
    """Runs Postfix's commands for one instance, each with a time limit and never through a shell."""

    def __init__(self, config: Config) -> None:
        directory, commands = Path(config.postfix.config_directory), Path(config.postfix.command_directory)
        if not directory.is_absolute() or not commands.is_absolute():
            raise ConfigError("postfix.config_directory and postfix.command_directory must be absolute paths")
        self._commands = commands
        self._instance = ["-c", str(directory)]
        self._timeout = config.helper.timeout

    def argv(self, command: str, *arguments: str) -> list[str]:
        """The command line of one of Postfix's commands for this instance."""
        return [str(self._commands / command), *self._instance, *arguments]

    def environment(self, command: str) -> dict[str, str]:
        """postcat tells times in UTC for us; the others log, so theirs is the machine's time zone."""
        kept = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        return kept | {"TZ": "UTC"} if command == "postcat" else kept

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run to the end. Raises TimeoutExpired or OSError."""
        return subprocess.run(
            self.argv(command, *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self.environment(command),
            timeout=self._timeout,
            check=False,
            cwd="/",
        )

    def stream(self, connection: socket.socket, command: str, *arguments: str) -> dict[str, Any]:
        """Pass the reading end of the command's output to the client, then wait for the command."""
        ours, theirs = os.pipe()
        with os.fdopen(ours, "rb") as reading, os.fdopen(theirs, "wb") as writing:
            process = subprocess.Popen(
                self.argv(command, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=subprocess.PIPE,
                env=self.environment(command),
                cwd="/",
            )
            try:
                writing.close()
                socket.send_fds(connection, [b'{"ok": true}\n'], [reading.fileno()])
                reading.close()
                errors = process.communicate(timeout=self._timeout)[1]
            finally:
                process.kill()
                process.wait()
        if process.returncode:
            # Root's postqueue then reads the queue itself; before a first start it fails in odd words.
            down = b"Mail system is down" in errors
            reason = "Postfix is not running" if down else last_line(errors)
            return {"ok": False, "reason": reason or f"{command} failed"}
        return {"ok": True}

    def find(self, queue_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Of each file that is there: the queue in which it stands now, and its path.

        postcat would tell as well, but sleeps a second over each file that is not there.
        """
        found: dict[str, tuple[str, str]] = {}
        for _ in range(2):  # one may have moved from a directory not yet looked at to one already seen
            for queue, directory in self._directories():
                for queue_id in queue_ids:
                    path = f"{directory}/{queue_id}"
                    if queue_id not in found and os.path.lexists(path):
                        found[queue_id] = queue, path
        return found

    def _directories(self) -> list[tuple[str, str]]:
        """Each queue's directories: its own, and the hashed ones below it that there are."""
        return [
            (queue, directory)
            for queue in QUEUES
            for directory in _hashed(f"{self._queue_directory}/{queue}", _HASH_DEPTH)
        ]

    def attempt(self, queue_ids: Sequence[str]) -> None:
        """Have delivery of those files tried now, not at the next queue run.

        One signal makes the queue manager look through all that is due; only a file whose next attempt lies
        in the future (that is its modification time) must be named.
        """
        now = time.time()
        due = False
        places = self.find(queue_ids)
        for queue_id in queue_ids:
            with suppress(OSError):
                if queue_id in places and os.lstat(places[queue_id][1]).st_mtime > now:
                    self.run("postqueue", "-i", queue_id)
                else:
                    due = True
        if due:
            self.trigger("qmgr", "D")

    def trigger(self, service: str, request: str) -> None:
        """Wake one of Postfix's services; it may hang up before it has heard us, then it is tried again."""
        for _ in range(_TRIES):
            if self.run("postkick", "public", service, request).returncode == 0:
                return

    def schedule(self) -> bytes:
        """A line "QUEUE-ID TIME" for each deferred file: the queue manager leaves it alone until then.

        That time is the file's modification time, which Postfix sets ahead when it defers.
        """
        return b"".join(_times(Path(self._queue_directory, "deferred")))

    @cached_property
    def _queue_directory(self) -> str:
        return envelope.decode(self.run("postconf", "-h", "queue_directory").stdout).strip()

    def envelopes(self, queue_ids: Sequence[str]) -> dict[str, envelope.Envelope | str]:
        """Each queue file's envelope, or in words why there is none."""
        places = self.find(queue_ids)
        there = [queue_id for queue_id in queue_ids if queue_id in places]
        gone: dict[str, envelope.Envelope | str] = dict.fromkeys(set(queue_ids) - set(there), NO_FILE)
        return gone | (self._postcat(there) if there else {})

    def _postcat(self, queue_ids: Sequence[str]) -> dict[str, envelope.Envelope | str]:
        done = self.run("postcat", "-e", "-q", *queue_ids)
        if done.returncode == 0:
            try:
                found = envelope.read(done.stdout)
            except ValueError:
                found = []
            if [item.queue_id for item in found] == list(queue_ids):
                return {item.queue_id: item for item in found}
        if len(queue_ids) > 1:  # postcat stops at the first file that is not there
            single: dict[str, envelope.Envelope | str] = {}
            for queue_id in queue_ids:
                single |= self.envelopes([queue_id])
            return single
        gone = b"No such file" in done.stderr
        reason = NO_FILE if gone else last_line(done.stderr) or "the queue file cannot be read now"
        return {queue_ids[0]: reason}


def _hashed(directory: str, depth: int) -> Iterator[str]:
    """The directory and those of its subdirectories that Postfix hashes queue files into.

    They are asked for by name, as a queue can hold very many files.
    """
    yield directory
    for digit in _DIGITS if depth else "":
        if Path(directory, digit).is_dir():
            yield from _hashed(f"{directory}/{digit}", depth - 1)


def _times(directory: Path, depth: int = 0) -> Iterator[bytes]:
    """The lines of `schedule` for a directory and its hashed subdirectories."""
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(OSError):  # it may be gone by now
                if is_queue_id(entry.name):
                    yield b"%s %.3f\n" % (entry.name.encode(), entry.stat(follow_symlinks=False).st_mtime)
                elif depth < _HASH_DEPTH and len(entry.name) == 1:
                    yield from _times(Path(entry.path), depth + 1)


def last_line(output: bytes) -> str:
    """The last line of what a program said, which tells why it failed."""
    lines = envelope.decode(output).strip().splitlines()
    return lines[-1] if lines else ""
