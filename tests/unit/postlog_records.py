"""What a log comes to in the records, in a form that people can check and that no ID disturbs."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peewee import Database

from mailweir.config import load
from mailweir.postlog.position import Chunk, Position
from mailweir.records import db
from mailweir.records.ingest import Ingest
from mailweir.records.words import Direction, LegKind, Outcome, Queue, Source, Status

INCIDENTS = Path(__file__).parents[1] / "data" / "postlog"
NOW = 1_798_761_600.0  # 1 January 2027, 0:00 UTC: after every incident's first line


@contextmanager
def in_utc() -> Iterator[None]:
    """Local time as in the recordings."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


def open_database(path: Path) -> Database:
    """A database of today's schema in that file."""
    return db.connect(load(environ={"MAILWEIR_DATABASE_URL": f"sqlite:///{path}"}))


def ingest(database: Database, log: Path, lines: int = 100_000, journal: bytes = b"") -> Ingest:
    """Take in a log, so many lines in one transaction, and before it a journal."""
    taken = Ingest(database, 0)
    if journal:
        taken.take(journals={"journal:00": Chunk(journal, Position(first="j"))}, now=NOW)
    data = log.read_bytes().splitlines(keepends=True)
    offset = 0
    for batch in itertools.batched(data, lines) if hasattr(itertools, "batched") else _batched(data, lines):
        chunk = b"".join(batch)
        offset += len(chunk)
        taken.take(log=Chunk(chunk, Position(first="l", offset=offset)), now=NOW)
    return taken


def _batched(data: list[bytes], size: int) -> Iterator[list[bytes]]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _rows(database: Database, sql: str) -> list[dict[str, Any]]:
    cursor = database.execute_sql(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def records(database: Database) -> dict[str, Any]:
    """Messages with recipients, legs and attempts; rejects; counts. In the order of time."""
    legs = _rows(database, "SELECT * FROM leg ORDER BY id")
    names = {leg["id"]: leg["queue_id"] for leg in legs}
    result: dict[str, Any] = {"messages": [], "not mail": [], "rejects": [], "sessions": []}
    for row in _rows(
        database,
        "SELECT m.*, a.address AS sender FROM message m JOIN address a ON a.id = m.sender_id ORDER BY m.id",
    ):
        result["messages"].append(
            {
                "sender": row["sender"],
                "source": Source(row["source"]).word,
                "client": f"{row['client_name']}[{row['client_ip']}]",
                "message-id": row["message_id"],
                "size": row["size"],
                **({"tls": row["tls"]} if row["tls"] and row["source"] == Source.LOG else {}),
                **({"reply": row["reply"]} if row["reply"] else {}),
                "recipients": _recipients(database, row["id"], names),
                "legs": [_leg(database, leg, names) for leg in legs if leg["message_id"] == row["id"]],
            }
        )
    result["not mail"] = [_leg(database, leg, names) for leg in legs if leg["message_id"] is None]
    for row in _rows(
        database,
        "SELECT r.*, s.address AS sender, t.address AS recipient FROM reject r"
        " LEFT JOIN address s ON s.id = r.sender_id LEFT JOIN address t ON t.id = r.recipient_id"
        " ORDER BY r.id",
    ):
        names_ = ("queue_id", "stage", "client_ip", "helo", "sender", "recipient", "code", "dsn", "reply")
        result["rejects"].append({name: row[name] for name in names_})
    for row in _rows(database, "SELECT * FROM session ORDER BY id"):
        result["sessions"].append(
            {"outcome": Outcome(row["outcome"]).word, "lines": row["lines"].split("\n")}
        )
    counts = json.loads(_rows(database, "SELECT counts FROM cursor WHERE name = '0:log'")[0]["counts"])
    result["lines"] = {name: counts[name] for name in ("read", "understood", "not_understood", "orphaned")}
    return {name: value for name, value in result.items() if value}


def _recipients(database: Database, message: int, names: dict[int, str]) -> dict[str, Any]:
    rows = _rows(
        database,
        "SELECT r.*, a.address FROM recipient r JOIN address a ON a.id = r.address_id"
        f" WHERE r.message_id = {message} ORDER BY a.address",
    )
    return {
        row["address"]: {
            "status": Status(row["status"]).word,
            "direction": Direction(row["direction"]).word,
            "attempts": row["attempts"],
            "leg": names.get(row["leg_id"]),
            **({"reply": row["reply"]} if row["reply"] else {}),
        }
        for row in rows
    }


def _leg(database: Database, leg: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    attempts = _rows(
        database,
        "SELECT d.*, a.address, f.address AS final FROM delivery d JOIN address a ON a.id = d.address_id"
        f" LEFT JOIN address f ON f.id = d.final_id WHERE d.leg_id = {leg['id']} ORDER BY d.id",
    )
    return {
        "queue_id": leg["queue_id"],
        "kind": LegKind(leg["kind"]).word,
        **({"parent": names.get(leg["parent_id"])} if leg["parent_id"] else {}),
        **({"sender": leg["sender"]} if leg["sender"] is not None else {}),
        "queue": Queue(leg["queue"]).word,
        "attempts": [
            {
                "recipient": row["address"],
                **({"final": row["final"]} if row["final"] is not None else {}),
                "status": Outcome(row["status"]).word,
                "dsn": row["dsn"],
                "service": row["service"],
                "relay": f"{row['relay_host']}[{row['relay_ip']}]:{row['relay_port']}",
                **({"tls": row["tls"]} if row["tls"] else {}),
                "recorded session": row["session_id"] is not None,
            }
            for row in attempts
        ],
    }
