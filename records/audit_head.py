"""Remembers where the audit trail ends, outside of the database: rows cut off at its end break no hash.

Whoever shortens or rewrites the trail must also get at a file of the agent's, and at the log in which the
agent names its end now and then.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from mailweir.errors import InputError
from mailweir.records.models import Audit

log = logging.getLogger("mailweir.agent")

_LOGGED_EVERY = 3600.0  # seconds


@dataclass(frozen=True)
class Head:
    """The last row of the trail, and when it was seen to be that (seconds since 1970)."""

    row: int
    hash: str
    seen: float


class AuditHead:
    """Keeps one node's memory of the trail's end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._logged = float("-inf")

    def look(self, now: float) -> None:
        """Compare the trail with what is remembered, then remember its present end.

        Raises InputError, again and again, when the row that was the last one is gone or is another.
        """
        known = self._read()
        if known is not None:
            row = Audit.get_or_none(Audit.id == known.row)
            if row is None or row.hash != known.hash:
                when = datetime.fromtimestamp(known.seen).astimezone().isoformat(" ", "seconds")
                what = "is gone" if row is None else "has changed"
                raise InputError(
                    f"the audit trail was cut off or rewritten: at {when} it ended with row {known.row}, "
                    f"which {what}. Compare it with a backup; once that is settled, remove {self._path}"
                )
        last = Audit.select(Audit.id, Audit.hash).order_by(Audit.id.desc()).first()
        if last is None or (known is not None and known.row == last.id):
            return
        self._write(Head(last.id, last.hash, now))
        if now >= self._logged + _LOGGED_EVERY:
            self._logged = now
            log.info("the audit trail ends with row %d, %s", last.id, last.hash)

    def _read(self) -> Head | None:
        try:
            return Head(**json.loads(self._path.read_text("ascii")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{self._path} cannot be read, so nobody knows where the audit trail ended"
            ) from error

    def _write(self, head: Head) -> None:
        temporary = self._path.with_name(self._path.name + ".new")
        with temporary.open("w", encoding="ascii") as file:
            json.dump(asdict(head), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._path)
