"""Following Postfix's log in systemd's journal, where Debian 12 keeps it unless rsyslog is installed.

`journalctl -f -o json` hands on one entry a line; each becomes a log line as a file would have it, so that
everything after this reads one form only. The journal's own cursor is the position.
"""

from __future__ import annotations

import array
import fcntl
import json
import os
import select
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mailweir.errors import Unavailable
from mailweir.postlog.follow import Follower, Opener, open_read_only
from mailweir.postlog.position import Chunk, Position

PREFIX = "journald:"
BLOCK = 1 << 20
FIELDS = ("MESSAGE", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "_PID", "_HOSTNAME", "MESSAGE_ID", "N_DROPPED")
DROPPED = "a596d6fe7bfa4994828e72309e95d61e"  # message ID of what journald says of lines it did not keep
TOLD_FOR = 86_400.0  # seconds

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
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.unit = unit if "." in unit else f"{unit}.service"
        self.position = position or Position()
        self._besides = besides
        self._clock = clock
        self._dropped, self._dropped_at = 0, 0.0  # lines that journald did not keep, and when it said so last
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def read(self, max_lines: int) -> Chunk:
        """The next entries as log lines; an empty chunk when there are none yet. Raises Unavailable."""
        self._receive(max_lines)
        lines = self._rest.split(b"\n", max_lines)
        self._rest = lines.pop()
        written = []
        for line in lines:
            text, cursor = as_line(line)
            if DROPPED.encode() in line and (number := dropped(line)):
                self._dropped, self._dropped_at, text = self._dropped + number, self._clock(), ""
            if cursor:
                self.position = replace(self.position, cursor=cursor)
            if text:
                written.append(text)
        return Chunk("".join(f"{text}\n" for text in written).encode(), self.position)

    def check(self) -> None:
        """Raises Unavailable when the journal lately did not keep what Postfix said."""
        if self._dropped and self._clock() < self._dropped_at + TOLD_FOR:
            raise Unavailable(
                f"systemd's journal dropped {self._dropped} lines of {self.unit}, so the records lack them: "
                "lift its limit with systemd/postfix-log.conf (README.md, step 3)"
            )

    def lag(self) -> int:
        """Bytes of entries that are here but not read; of a longer backlog, what journalctl has ready."""
        if self._process is None or self._process.stdout is None:
            return len(self._rest)
        ready = array.array("i", [0])
        fcntl.ioctl(self._process.stdout.fileno(), termios.FIONREAD, ready)
        return len(self._rest) + ready[0]

    def close(self) -> None:
        """Stop following."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _receive(self, most: int) -> None:
        """Take what journalctl has ready, about so many entries. Raises Unavailable when it has ended."""
        process = self._process or self._start()
        assert process.stdout is not None
        blocks, entries = [self._rest], self._rest.count(b"\n")
        while entries < most and _readable(process.stdout.fileno()):
            block = os.read(process.stdout.fileno(), BLOCK)
            if not block:
                self._ended(process)
            blocks.append(block)
            entries += block.count(b"\n")
        self._rest = b"".join(blocks)

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
            f"--output-fields={','.join(FIELDS)}",
            *after,
            f"_SYSTEMD_UNIT={self.unit}",
            *("+", f"MESSAGE_ID={DROPPED}", f"OBJECT_SYSTEMD_UNIT={self.unit}"),
            *(["+", *besides] if (besides := self._besides()) else []),
        ]
        self._rest = b""
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise Unavailable(f"the journal cannot be read: {error}") from error
        assert self._process.stdout is not None
        with suppress(OSError):  # by default it is 64 KiB, not much for entries that come while we write
            fcntl.fcntl(self._process.stdout.fileno(), fcntl.F_SETPIPE_SZ, BLOCK)
        return self._process

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        self._process = None
        assert process.stderr is not None
        said = process.stderr.read().decode("utf-8", "backslashreplace").strip()
        process.wait()
        raise Unavailable(f"journalctl ended: {said or f'code {process.returncode}'}")


def _readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def dropped(entry: bytes) -> int:
    """How many lines journald says that it dropped, by its limit of lines in a time; 0 of another entry."""
    try:
        values = json.loads(entry)
        return int(values["N_DROPPED"]) if values["MESSAGE_ID"] == DROPPED else 0
    except (ValueError, KeyError, TypeError):
        return 0


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
