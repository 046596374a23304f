"""What to look for: the Filter that pages, API and commands share, and its forms as text.

People type `from:anna@ status:deferred invoice`; forms and command lines give the same fields one by one.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypeVar

from mailweir.errors import InputError
from mailweir.records import ids
from mailweir.records.text import storable
from mailweir.records.words import Direction, Outcome, Status, Word

MAX_TEXT = 1000  # characters of one field; nothing that is stored whole is searched for by more


@dataclass(frozen=True)
class Filter:
    """Every field given must match; an empty one matches all.

    sender and recipient: a whole address, any part of one, `@example.org` for a domain, `.example.org` for
    its subdomains too, `<>` for the null sender. subject, file, text: any part, whatever the case; text is
    looked for word by word in subject, sender and recipients. ip: the client's (in Delivery: the receiving
    server's), whole or its beginning up to a dot or colon. before and after: seconds since 1970, of arrival
    (in Delivery: of the attempt); before is exclusive. domains: only mail whose local party is in one of
    these domains, for users who may see no other. In Rejected, client is an IP address as above or any part
    of the client's name, helo any part of its HELO, code `550`, `5`, `5.7.1` or `5.7`, and text is looked for
    in the reply and the client's names as well.
    """

    sender: str = ""
    recipient: str = ""
    subject: str = ""
    text: str = ""
    status: tuple[Status, ...] = ()
    outcome: tuple[Outcome, ...] = ()
    direction: tuple[Direction, ...] = ()
    ip: str = ""
    queue_id: str = ""
    id: int | None = None
    message_id: str = ""
    file: str = ""
    verdict: str = ""
    before: float | None = None
    after: float | None = None
    node: int | None = None
    client: str = ""
    helo: str = ""
    code: str = ""
    domains: tuple[str, ...] | None = None


FIELDS = (
    "from", "to", "subject", "text", "status", "direction", "ip", "queue", "id", "message-id", "file",
    "verdict", "before", "after", "node",
)  # fmt: skip
"""What people may write before a colon, and the names of form fields and command options."""
REJECTED_FIELDS = ("client", "helo", "from", "to", "code", "text", "before", "after", "node")
"""The same for Rejected, where there is no message yet."""

_ALIASES = {
    "sender": "from",
    "recipient": "to",
    "queue_id": "queue",
    "queue-id": "queue",
    "message_id": "message-id",
}
_PLAIN = {"from": "sender", "to": "recipient", "queue": "queue_id", "message-id": "message_id"}
W = TypeVar("W", bound=Word)
_TERM = re.compile(r"([a-z][a-z_-]*):(.*)", re.DOTALL)
_VERDICTS = ("accept", "stall", "reject", "discard", "defer")
_CODE = re.compile(r"[245](\d{0,2}|\.\d{1,3}(\.\d{0,3})?)")
_AGO = re.compile(r"(\d{1,5})\s*([mhdw])")
_AGO_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse(
    query: str,
    *,
    now: float,
    zone: tzinfo = UTC,
    also: Mapping[str, str] | None = None,
    known: Sequence[str] = FIELDS,
) -> Filter:
    """A Filter from what somebody typed: words and `field:value` terms; quotes keep a value together.

    `also` holds fields that were given apart from it, in a form or as options; `known` are the list's fields.
    Raises InputError naming the term that cannot be used.
    """
    lexer = shlex.shlex(query, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters, lexer.escape, lexer.quotes = True, "", "", '"'
    try:
        terms = list(lexer)
    except ValueError:
        raise InputError('a quotation mark (") is missing at the end of the search') from None
    fields = {_ALIASES.get(name, name): value for name, value in (also or {}).items() if value.strip()}
    words: list[str] = []
    for term in terms:
        match = _TERM.fullmatch(term)
        name = _ALIASES.get(match[1], match[1]) if match else ""
        if match and (name in FIELDS or name in known):
            if name in fields:
                raise InputError("%(name)s stands twice in the search; give it once", name=name)
            fields[name] = match[2]
        else:
            words.append(f'"{term}"' if re.search(r"\s", term) else term)
    if words:
        fields["text"] = " ".join([*words, fields["text"]] if "text" in fields else words)
    return from_fields(fields, now=now, zone=zone, known=known)


def from_fields(
    fields: Mapping[str, str], *, now: float, zone: tzinfo = UTC, known: Sequence[str] = FIELDS
) -> Filter:
    """A Filter from form fields or command options, named as in `known`; empty values are left out.

    Raises InputError naming the field that cannot be used.
    """
    values: dict[str, object] = {}
    for given, raw in fields.items():
        name = _ALIASES.get(given, given)
        if name not in known:
            raise InputError(
                "there is no search field %(given)s here; there are %(all)s",
                given=repr(given[:40]),
                all=", ".join(known),
            )
        text = storable(raw).strip()
        if len(text) > MAX_TEXT:
            raise InputError("%(name)s: longer than %(max_text)s characters", name=name, max_text=MAX_TEXT)
        if text:
            values.update(_value(name, text, now, zone))
    result = Filter(**values)  # type: ignore[arg-type]
    if result.before is not None and result.after is not None and result.before <= result.after:
        raise InputError("before must be later than after")
    return result


def _value(name: str, text: str, now: float, zone: tzinfo) -> dict[str, object]:
    if name == "status":
        return _statuses(text)
    if name == "direction":
        return {"direction": tuple(_word(Direction, name, word) for word in text.split(","))}
    if name == "id":
        return {"id": ids.from_text(text)}
    if name == "verdict":
        if text.lower() not in _VERDICTS:
            raise InputError(
                "verdict: %(text)s is none of %(all)s", text=repr(text[:40]), all=", ".join(_VERDICTS)
            )
        return {"verdict": text.lower()}
    if name == "code":
        if not _CODE.fullmatch(text):
            raise InputError(
                "code: %(text)s is no reply code; write 550, 5, 5.7.1 or 5.7", text=repr(text[:40])
            )
        return {"code": text}
    if name in ("before", "after"):
        return {name: moment(text, now=now, zone=zone)}
    if name == "node":
        if not text.isascii() or not text.isdigit() or int(text[:9]) > ids.MAX_NODE:
            raise InputError(
                "node: %(text)s is not a number from 0 to %(max_node)s",
                text=repr(text[:40]),
                max_node=ids.MAX_NODE,
            )
        return {"node": int(text)}
    return {_PLAIN.get(name, name): text}


def _statuses(text: str) -> dict[str, object]:
    """Words of Status or of Outcome, separated by commas; `fail` is what the pages call `failed`."""
    statuses: list[Status] = []
    outcomes: list[Outcome] = []
    for part in text.split(","):
        word = {"fail": "failed"}.get(part.strip().lower(), part.strip().lower())
        known = word in Status.words(), word in Outcome.words()
        if not any(known):
            wanted = ", ".join([*Status.words(), *Outcome.words()])
            raise InputError(
                "status: %(part)s is none of %(wanted)s", part=repr(part.strip()[:40]), wanted=wanted
            )
        statuses += [_word(Status, "status", word)] if known[0] else []
        outcomes += [_word(Outcome, "status", word)] if known[1] else []
    return {"status": tuple(statuses), "outcome": tuple(outcomes)}


def _word(kind: type[W], name: str, text: str) -> W:
    for member in kind:
        if member.word == text.strip().lower():
            return member
    raise InputError(
        "%(name)s: %(text)s is none of %(all)s",
        name=name,
        text=repr(text.strip()[:40]),
        all=", ".join(kind.words()),
    )


def moment(text: str, *, now: float, zone: tzinfo = UTC) -> float:
    """A moment in seconds since 1970: `2026-11-24`, `2026-11-24T16:05`, `today`, `yesterday`, `3d`, `12h`.

    Without an offset of its own it is meant in `zone`. Raises InputError.
    """
    lowered = text.strip().lower()
    today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    if lowered in ("today", "yesterday"):
        return (today - timedelta(days=lowered == "yesterday")).timestamp()
    if ago := _AGO.fullmatch(lowered):
        return now - timedelta(**{_AGO_UNITS[ago[2]]: int(ago[1])}).total_seconds()
    try:
        when = datetime.fromisoformat(text.strip())
        return (when if when.tzinfo else when.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        raise InputError(
            "%(text)s is no date; write 2026-11-24, 2026-11-24T16:05, today, yesterday, 12h or 3d",
            text=repr(text[:40]),
        ) from None


def with_domains(given: Filter, domains: tuple[str, ...] | None) -> Filter:
    """The same search, limited to the domains that a user may see; None: no limit."""
    return dataclasses.replace(given, domains=domains)
