"""Following Postfix's log in systemd's journal, where Debian 12 keeps it unless rsyslog is installed.

`journalctl -f -o json` hands on one entry a line; each becomes a log line as a file would have it, so that
everything after this reads one form only. The journal's own cursor is the position.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mailweir.errors import Unavailable
from mailweir.postlog.follow import Follower, Opener, open_read_only
from mailweir.postlog.position import Chunk, Position

PREFIX = "journald:"
BLOCK = 1 << 18

Matches = Callable[[], Sequence[str]]


def _none() -> Sequence[str]:
    return ()


def follow_log(
    setting: str, position: Position | None, *, opener: Opener = open_read_only, besides: Matches = _none
) -> Follower | Journald:
    """What `postfix.log` names: a file, or journald:UNIT and besides, with those matches, other entries."""
    if setting.startswith(PREFIX):
        return Journald(setting.removeprefix(PREFIX), position, besides=besides)
    return Follower(setting, position, opener=opener)


def of_postsuper(syslog_name: str, uid: int) -> Sequence[str]:
    """Matches of what an instance's postsuper says, in whatever unit it runs: the helper's or a shell's.

    The user is Postfix's own, whom postsuper becomes: nobody else can write such an entry. What journald
    would have to ask the process for (its unit, its program) is not there when that has ended already.
    """
    return (f"SYSLOG_IDENTIFIER={syslog_name}/postsuper", f"_UID={uid}")


class Journald:
    """Reads a unit's entries as they come, from a position on; used like a Follower."""

    def __init__(
        self,
        unit: str,
        position: Position | None = None,
        *,
        besides: Matches = _none,
        program: str = "journalctl",
    ) -> None:
        self.unit = unit if "." in unit else f"{unit}.service"
        self.position = position or Position()
        self._besides = besides
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def read(self, max_lines: int) -> Chunk:
        """The next entries as log lines; an empty chunk when there are none yet. Raises Unavailable."""
        process = self._process or self._start()
        assert process.stdout is not None
        lines = self._rest.split(b"\n", max_lines)
        if len(lines) <= max_lines:
            block = os.read(process.stdout.fileno(), BLOCK) if _readable(process.stdout.fileno()) else None
            if block == b"":
                self._ended(process)
            lines = (self._rest + (block or b"")).split(b"\n", max_lines)
        self._rest = lines.pop()
        written = []
        for line in lines:
            text, cursor = as_line(line)
            if cursor:
                self.position = replace(self.position, cursor=cursor)
            if text:
                written.append(text)
        return Chunk("".join(f"{text}\n" for text in written).encode(), self.position)

    def check(self) -> None:
        """As with a file; but whether there is a journal shows by reading it."""

    def lag(self) -> int:
        """Bytes of entries that are here but not read."""
        return len(self._rest)

    def close(self) -> None:
        """Stop following."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        after = [f"--after-cursor={self.position.cursor}"] if self.position.cursor else []
        command = [
            self._program,
            "-f",
            "-q",
            "--no-tail",
            "--no-pager",
            "-o",
            "json",
            *after,
            f"_SYSTEMD_UNIT={self.unit}",
            *(["+", *besides] if (besides := self._besides()) else []),
        ]
        self._rest = b""
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise Unavailable(f"the journal cannot be read: {error}") from error
        return self._process

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        self._process = None
        assert process.stderr is not None
        said = process.stderr.read().decode("utf-8", "backslashreplace").strip()
        process.wait()
        raise Unavailable(f"journalctl ended: {said or f'code {process.returncode}'}")


def _readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def as_line(entry: bytes) -> tuple[str, str]:
    """One JSON entry as a log line (RFC 3339 time) and its cursor; both empty when it is damaged."""
    try:
        values: dict[str, Any] = json.loads(entry)
        when = datetime.fromtimestamp(int(values["__REALTIME_TIMESTAMP"]) / 1_000_000, UTC)
        message = values["MESSAGE"]
        if isinstance(message, list):  # bytes that are not UTF-8
            message = bytes(message).decode("utf-8", "backslashreplace")
        name, cursor = str(values["SYSLOG_IDENTIFIER"]), str(values["__CURSOR"])
        pid = values.get("SYSLOG_PID") or values.get("_PID") or 0
    except (ValueError, KeyError, TypeError, OverflowError):
        return "", ""
    text = str(message).replace("\n", "\\n").replace("\0", "\\x00")
    line = f"{when:%Y-%m-%dT%H:%M:%S.%f+00:00} {values.get('_HOSTNAME', '-')} {name}[{pid}]: {text}"
    return line.encode("utf-8", "backslashreplace").decode(), cursor
