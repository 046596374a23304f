"""Keeps SQLite's index of texts (addresses, subjects, files, refusals) up to date, off the path of the mail.

Triggers note in text_todo what is not in the index yet; searches look at what is noted as well as at the
index, so they miss nothing however far behind it is. PostgreSQL's pg_trgm index keeps itself.
"""

from __future__ import annotations

from enum import IntEnum

from peewee import Database

from mailweir.records import ids
from mailweir.records.migrations.dialect import is_sqlite
from mailweir.records.sql import numbers
from mailweir.records.text import fold


class Kind(IntEnum):
    """What text_todo's numbers mean; each kind has its own index over rows of one table."""

    ADDRESS = 1
    SUBJECT = 2
    FILE = 3
    REJECT = 4

    @property
    def table(self) -> str:
        """The FTS5 table."""
        return f"{self.name.lower()}_text"

    @property
    def step(self) -> int:
        """How many bits of a row's ID its number in the index leaves out."""
        return {Kind.ADDRESS: 0, Kind.REJECT: SECOND_BITS}.get(self, TICK_BITS)


_TEXTS = {
    Kind.ADDRESS: "SELECT t.id, a.folded FROM text_todo t LEFT JOIN address a ON a.id = t.id",
    Kind.SUBJECT: "SELECT t.id, m.subject FROM text_todo t LEFT JOIN message m ON m.id = t.id",
    Kind.FILE: "SELECT t.id, (SELECT group_concat(name, char(10)) FROM attachment WHERE message_id = t.id)"
    " FROM text_todo t",
    Kind.REJECT: "SELECT t.id, r.client_name || ' ' || r.helo || ' ' || r.reply"
    " FROM text_todo t LEFT JOIN reject r ON r.id = t.id",
}
_MOST_TRIGRAMS = 5
_FREQUENT = " etaoinsrhldcumfpgwybvkxjqz0123456789"  # letters in the order of their use
SHORTEST = 3  # characters that a trigram index can look for
TICK_BITS = ids.LOW_BITS + 4
"""Subjects and files are indexed under the Mail In ID without its last bits, a tick of 16 ms: the index
stores the steps from one number to the next, and small steps take a third of the room. Searches check every
message of a tick."""
SECOND_BITS = ids.LOW_BITS + 10  # refusals come in floods, and those of one second say much the same


def index_texts(database: Database, limit: int) -> int:
    """Take at most so many noted texts into the index, in one transaction; returns how many were taken.

    The agent calls it again and again while it returns `limit`.
    """
    if not is_sqlite(database):
        return 0
    taken = 0
    with database.atomic():
        connection = database.connection()
        for kind in Kind:
            todo = connection.execute(
                f"{_TEXTS[kind]} WHERE t.kind = ? ORDER BY t.id LIMIT ?", (kind, limit - taken)
            ).fetchall()
            if not todo:
                continue
            connection.executemany(
                f"INSERT INTO {kind.table} (rowid, text) VALUES (?, ?)",
                ((row >> kind.step, fold(text)) for row, text in todo),
            )
            connection.execute("DELETE FROM text_todo WHERE kind = ? AND id <= ?", (kind, todo[-1][0]))
            taken += len(todo)
            if taken >= limit:
                break
    return taken


def forget_messages(database: Database, messages: list[int]) -> None:
    """Take these messages' subjects and files out of the index (SQLite), before their rows are removed."""
    _forget(database, "message", (Kind.SUBJECT, Kind.FILE), messages)


def forget_rejects(database: Database, rejects: list[int]) -> None:
    """The same for refused attempts."""
    _forget(database, "reject", (Kind.REJECT,), rejects)


def _forget(database: Database, table: str, kinds: tuple[Kind, ...], rows: list[int]) -> None:
    """What is taken out is a whole number's: its other rows are noted to be indexed again."""
    some = numbers(rows)
    gone = f"SELECT id FROM {table} WHERE id IN ({some})"
    for kind in kinds:
        noted = f"SELECT id FROM text_todo WHERE kind = {kind:d} AND id IN ({some})"
        wanted = f"WHERE t.id IN ({gone}) AND t.id NOT IN ({noted})"
        source = _TEXTS[kind].replace("text_todo t", f"{table} t")
        found = _fetch(database, f"{source} {wanted}")
        _take_out(database, kind, [(row >> kind.step, text) for row, text in found])
        database.execute_sql(f"DELETE FROM text_todo WHERE kind = {kind:d} AND id IN ({some})")
        for number in sorted({row >> kind.step for row in rows}):
            database.execute_sql(
                f"INSERT OR IGNORE INTO text_todo SELECT {kind:d}, id FROM {table}"
                f" WHERE id >= ? AND id < ? AND id NOT IN ({some})",
                (number << kind.step, (number + 1) << kind.step),
            )


def forget_addresses(database: Database, addresses: list[int]) -> None:
    """Take these addresses out of the index (SQLite), before their rows are removed."""
    some = numbers(addresses)
    noted = f"SELECT id FROM text_todo WHERE kind = {Kind.ADDRESS:d} AND id IN ({some})"
    indexed = f"SELECT id, folded FROM address WHERE id IN ({some}) AND id NOT IN ({noted})"
    _take_out(database, Kind.ADDRESS, _fetch(database, indexed))
    database.execute_sql(f"DELETE FROM text_todo WHERE kind = {Kind.ADDRESS:d} AND id IN ({some})")


def _fetch(database: Database, sql: str) -> list[tuple[int, str | None]]:
    return list(database.execute_sql(sql).fetchall())


def _take_out(database: Database, kind: Kind, texts: list[tuple[int, str | None]]) -> None:
    index = kind.table
    database.connection().executemany(
        f"INSERT INTO {index} ({index}, rowid, text) VALUES ('delete', ?, ?)",
        [(row, fold(text)) for row, text in texts if text],
    )


def trigrams(part: str) -> str:
    """The folded part as an FTS5 query: its rarest trigrams, quoted, must be there.

    A few of them leave hardly more candidates than all would, and each costs the reading of its list.
    """
    grams = dict.fromkeys(part[start : start + SHORTEST] for start in range(len(part) - SHORTEST + 1))
    rarest = sorted(grams, key=_rarity, reverse=True)[:_MOST_TRIGRAMS]
    return " AND ".join('"' + gram.replace('"', '""') + '"' for gram in rarest)


def _rarity(gram: str) -> int:
    return sum(_FREQUENT.find(letter) % 64 for letter in gram)  # not found is -1: rarest of all
