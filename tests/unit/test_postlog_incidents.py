"""Every incident of tests/data/postlog comes to the records that stand beside it.

`python -m tests.unit.test_postlog_incidents [NAME…]` writes the expected records anew, to be looked over.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pytest

from tests.unit.postlog_records import INCIDENTS, in_utc, ingest, open_database, records

LOGS = sorted(INCIDENTS.glob("[0-9]*.log"))


def come_to(log: Path, state: Path, lines: int) -> str:
    """The records of an incident as text; a journal beside the log is taken in first."""
    journal = log.with_suffix(".journal")
    with in_utc():
        database = open_database(state / f"{log.stem}-{lines}.db")
        ingest(database, log, lines, journal.read_bytes() if journal.exists() else b"")
        found = records(database)
        database.close()
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def test_there_are_enough_incidents() -> None:
    assert len(LOGS) >= 60


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_incident(log: Path, tmp_path: Path) -> None:
    expected = log.with_suffix(".expected.json").read_text("utf-8")
    assert json.loads(come_to(log, tmp_path, 100_000)) == json.loads(expected)


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_incident_line_by_line_with_a_restart_after_each(log: Path, tmp_path: Path) -> None:
    journal = log.with_suffix(".journal")
    once = come_to(log, tmp_path, 100_000)
    with in_utc():
        database = open_database(tmp_path / "lines.db")
        ingest_with_restarts(database, log, journal.read_bytes() if journal.exists() else b"")
        found = records(database)
        database.close()
    assert found == json.loads(once)


def ingest_with_restarts(database: object, log: Path, journal: bytes) -> None:
    """Each line (of a long log: each few) by a new Ingest, as after a kill."""
    from peewee import Database

    from mailweir.postlog.position import Chunk, Position
    from mailweir.records.ingest import Ingest
    from tests.unit.postlog_records import NOW

    assert isinstance(database, Database)
    if journal:
        Ingest(database, 0).take(journals={"journal:00": Chunk(journal, Position(first="j"))}, now=NOW)
    offset = 0
    lines = log.read_bytes().splitlines(keepends=True)
    step = 1 if len(lines) < 40 else 7  # transcripts are long
    for start in range(0, len(lines), step):
        some = b"".join(lines[start : start + step])
        offset += len(some)
        Ingest(database, 0).take(log=Chunk(some, Position(first="l", offset=offset)), now=NOW)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        for path in LOGS:
            if not sys.argv[1:] or path.stem.partition("-")[2] in sys.argv[1:]:
                path.with_suffix(".expected.json").write_text(
                    come_to(path, Path(directory), 100_000), "utf-8"
                )
