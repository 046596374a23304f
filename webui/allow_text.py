"""An allow list as text, one entry a line, as people edit, export and import it.

partner.example                          mail to that domain
.partner.example                         and to its subdomains
bob@partner.example until 2026-12-31     for a time
sender carol@partner.example # contract  mail from her; what follows # is the note
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta

from mailweir.errors import InputError
from mailweir.policies.addresses import pattern_key
from mailweir.policies.scopes import AllowEntry
from mailweir.records.words import Direction

MAX_ENTRIES = 20_000


def to_text(entries: Iterable[AllowEntry]) -> str:
    """The entries, one a line."""
    return "".join(line(entry) + "\n" for entry in entries)


def line(entry: AllowEntry) -> str:
    """One entry as its line; an expiry is the last day on which it holds (UTC)."""
    words = [entry.pattern] if entry.party == "recipient" else [entry.party, entry.pattern]
    if entry.expires is not None:
        last = datetime.fromtimestamp(entry.expires, UTC) - timedelta(seconds=1)
        words += ["until", last.date().isoformat()]
    if entry.note:
        words += ["#", " ".join(entry.note.split())]
    return " ".join(words)


def from_text(
    text: str, direction: Direction, *, known: Sequence[AllowEntry] = (), author: str, now: float
) -> list[AllowEntry]:
    """The entries of a text; one that was known before keeps its author and date.

    Raises InputError naming the first line that cannot be used.
    """
    before = {(entry.key, entry.party, entry.expires, entry.note): entry for entry in known}
    found: dict[tuple[str, str], AllowEntry] = {}
    for number, written in enumerate(text.splitlines(), 1):
        try:
            entry = parse(written, direction, author=author, now=now)
        except InputError as error:
            raise InputError(f"line {number}: {error}") from error
        if entry is not None:
            same = before.get((entry.key, entry.party, entry.expires, entry.note))
            found.setdefault((entry.key, entry.party), same or entry)
    if len(found) > MAX_ENTRIES:
        raise InputError(f"a list holds at most {MAX_ENTRIES} entries; use domains instead of addresses")
    return list(found.values())


def parse(written: str, direction: Direction, *, author: str, now: float) -> AllowEntry | None:
    """The entry of one line, None for an empty or comment line. Raises InputError."""
    rule, _, note = written.partition("#")
    words = rule.split()
    if not words:
        return None
    party = "recipient"
    if words[0].lower() in ("sender", "recipient") and len(words) > 1:
        party = words.pop(0).lower()
    expires = None
    if len(words) == 3 and words[1].lower() == "until":
        expires = end_of(words[2])
        del words[1:]
    if len(words) != 1:
        raise InputError(
            f"{rule.strip()[:80]!r} is not ADDRESS or DOMAIN, perhaps followed by until YYYY-MM-DD"
        )
    pattern_key(words[0])
    return AllowEntry(direction, words[0], party, expires, note.strip(), author, now)


def end_of(day: str) -> float:
    """The end of a day in UTC, in seconds since 1970. Raises InputError."""
    try:
        date = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).date()
        return datetime.combine(date + timedelta(days=1), time(), UTC).timestamp()
    except (ValueError, OverflowError):
        raise InputError(f"{day[:20]!r} is no date; write 2026-12-31") from None
