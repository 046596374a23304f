"""An allow list as text, one entry a line, as people edit, export and import it.

partner.example                          mail to that domain
.partner.example                         and to its subdomains
bob@partner.example until 2026-12-31     for a time
sender carol@partner.example # contract  mail from her; what follows # is the note
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta

from mailweir.errors import InputError
from mailweir.policies.addresses import pattern_key
from mailweir.policies.scopes import AllowEntry
from mailweir.records.words import Direction

_LINES = "%(lines)s"
MAX_ENTRIES = 20_000
MAX_ERRORS = 20  # lines of a file that are told one by one
MAX_NOTE = 300  # characters
PARTIES = ("recipient", "sender")


def to_text(entries: Iterable[AllowEntry]) -> str:
    """The entries, one a line."""
    return "".join(line(entry) + "\n" for entry in entries)


def line(entry: AllowEntry) -> str:
    """One entry as its line; an expiry is the last day on which it holds (UTC)."""
    words = [entry.pattern] if entry.party == "recipient" else [entry.party, entry.pattern]
    if entry.expires is not None:
        words += ["until", last_day(entry.expires)]
    if entry.note:
        words += ["#", " ".join(entry.note.split())]
    return " ".join(words)


def from_text(
    text: str,
    direction: Direction,
    *,
    known: Sequence[AllowEntry] = (),
    author: str,
    now: float,
    every: bool = False,
) -> list[AllowEntry]:
    """The entries of a text; one that was known before keeps its author and date.

    Raises InputError naming the first line that cannot be used; every: the first MAX_ERRORS, one a line.
    """
    before = {(entry.key, entry.party, entry.expires, entry.note): entry for entry in known}
    found: dict[tuple[str, str], AllowEntry] = {}
    wrong: list[InputError] = []
    for number, written in enumerate(text.splitlines(), 1):
        try:
            entry = parse(written, direction, author=author, now=now)
        except InputError as error:
            wrong.append(InputError("line %(number)s: %(error)s", number=number, error=error))
            if len(wrong) >= (MAX_ERRORS if every else 1):
                break
            continue
        if entry is not None:
            same = before.get((entry.key, entry.party, entry.expires, entry.note))
            found.setdefault((entry.key, entry.party), same or entry)
    if wrong:
        raise InputError(_LINES, lines=wrong)
    if len(found) > MAX_ENTRIES:
        raise too_many()
    return list(found.values())


def too_many() -> InputError:
    """What to say of a list that is too long."""
    return InputError(
        "a list holds at most %(most)s entries; use domains instead of addresses", most=MAX_ENTRIES
    )


def typed(entry: AllowEntry) -> dict[str, str]:
    """An entry as the fields of a form."""
    last = "" if entry.expires is None else last_day(entry.expires)
    return {"pattern": entry.pattern, "party": entry.party, "last": last, "note": entry.note}


def from_fields(fields: Mapping[str, str], direction: Direction, *, author: str, now: float) -> AllowEntry:
    """The inverse of `typed`. Raises InputError for what could not be written as a line either."""
    pattern, party = fields.get("pattern", "").strip(), fields.get("party") or "recipient"
    last, note = fields.get("last", "").strip(), " ".join(fields.get("note", "").split())
    if not pattern or len(pattern.split()) != 1 or "#" in pattern or party not in PARTIES:
        raise InputError("%(pattern)s is not ADDRESS or DOMAIN", pattern=repr(pattern[:80]))
    if len(note) > MAX_NOTE:
        raise InputError("the note may have at most %(max_note)s characters", max_note=MAX_NOTE)
    pattern_key(pattern)
    return AllowEntry(direction, pattern, party, end_of(last) if last else None, note, author, now)


def last_day(expires: float) -> str:
    """The last day (in UTC) on which an entry with that end holds."""
    return (datetime.fromtimestamp(expires, UTC) - timedelta(seconds=1)).date().isoformat()


def parse(written: str, direction: Direction, *, author: str, now: float) -> AllowEntry | None:
    """The entry of one line, None for an empty or comment line. Raises InputError."""
    rule, _, note = written.partition("#")
    words = rule.split()
    if not words:
        return None
    party = "recipient"
    if words[0].lower() in PARTIES and len(words) > 1:
        party = words.pop(0).lower()
    expires = None
    if len(words) == 3 and words[1].lower() == "until":
        expires = end_of(words[2])
        del words[1:]
    if len(words) != 1:
        raise InputError(
            "%(rule)s is not ADDRESS or DOMAIN, perhaps followed by until YYYY-MM-DD",
            rule=repr(rule.strip()[:80]),
        )
    pattern_key(words[0])
    return AllowEntry(direction, words[0], party, expires, note.strip(), author, now)


def end_of(day: str) -> float:
    """The end of a day in UTC, in seconds since 1970. Raises InputError."""
    try:
        date = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).date()
        return datetime.combine(date + timedelta(days=1), time(), UTC).timestamp()
    except (ValueError, OverflowError):
        raise InputError("%(day)s is no date; write 2026-12-31", day=repr(day[:20])) from None
