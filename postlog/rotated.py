"""The files of a log: those that rotation has put aside, oldest first, then the one in use.

Rotation may rename or compress them at any moment, so a file is known by its inode, a name is only believed
when what it opens has that inode, and what one listing shows counts when the next shows it too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_COMPRESSED = (".gz", ".xz", ".bz2", ".zst")


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file as a listing shows it; `written` is its time of last modification in nanoseconds."""

    path: Path
    device: int
    inode: int
    size: int
    written: int

    @classmethod
    def at(cls, path: Path) -> LogFile | None:
        """What has this name now; None when nothing has."""
        with suppress(FileNotFoundError):
            status = path.stat()
            return cls(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        return None

    @property
    def is_compressed(self) -> bool:
        """As its name tells."""
        return self.path.suffix in _COMPRESSED

    def is_same(self, device: int, inode: int) -> bool:
        """Whether it is the file with this identity, whatever it is called by now."""
        return (self.device, self.inode) == (device, inode)


def files_of(path: Path) -> list[LogFile]:
    """The rotated files (mail.log.2.gz, mail.log.1, mail.log-20260101 …), oldest first, and the log last.

    A file that is still being compressed stands beside the compressed one; only the first is listed.
    """
    names = set()
    with suppress(FileNotFoundError), os.scandir(path.parent) as entries:
        names = {entry.name for entry in entries if _is_rotated(path.name, entry.name) and entry.is_file()}
    finished = (name for name in names if not name.endswith(_COMPRESSED) or Path(name).stem not in names)
    rotated = [file for name in finished if (file := LogFile.at(path.with_name(name)))]
    rotated.sort(key=lambda file: (file.written, *_sequence(path.name, file.path.name)))
    current = LogFile.at(path)
    return [*rotated, current] if current else rotated


def settled(look: Callable[[], LogFile | None]) -> LogFile | None:
    """What two looks in a row agree on; one alone may miss a file that is just being renamed."""
    before, now = look(), look()
    while (before and (before.device, before.inode)) != (now and (now.device, now.inode)):
        before, now = now, look()
    return now


def _is_rotated(log: str, name: str) -> bool:
    tail = name.removeprefix(log)
    return tail != name and tail[:1] in (".", "-")


def _sequence(log: str, name: str) -> tuple[int, str]:
    """What orders files written at the same instant: the greater number or the earlier date is older."""
    tail = name.removeprefix(log)
    number = tail[1:].partition(".")[0]
    return (-int(number), "") if tail[0] == "." and number.isdecimal() else (0, tail)
