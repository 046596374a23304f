"""What a list page was asked for: the filter from its address, limited to what the user may see."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask import current_app, g, request

from mailweir.errors import InputError
from mailweir.records import ids, search
from mailweir.records.filters import FIELDS, REJECTED_FIELDS
from mailweir.records.words import PENDING, Direction, Outcome, Status
from mailweir.webui import access, language
from mailweir.webui.text import say

Row = TypeVar("Row")

# The single fields that each list's form offers; the search box takes all of them.
FORMS = {
    "mail_in": (
        "from",
        "to",
        "subject",
        "status",
        "direction",
        "ip",
        "queue",
        "id",
        "file",
        "after",
        "before",
    ),
    "pending": ("from", "to", "subject", "status", "direction", "queue", "id", "after", "before"),
    "delivery": ("from", "to", "subject", "status", "direction", "ip", "queue", "after", "before"),
    "quarantine": ("from", "to", "subject", "direction", "file", "id", "after", "before"),
    "rejected": ("client", "helo", "from", "to", "code", "after", "before"),
}
KNOWN = {"rejected": REJECTED_FIELDS}
"""The fields that a list knows, where it is not all of FIELDS."""
_ALL_STATUSES = tuple(Status.words())
CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "mail_in": {"status": _ALL_STATUSES},
    "pending": {"status": tuple(status.word for status in PENDING)},
    "delivery": {"status": tuple(Outcome.words())},
    "quarantine": {},
    "rejected": {},
}
DIRECTIONS = tuple(Direction.words())


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """One page of a list as its template needs it; wrong says what in the search cannot be used."""

    name: str
    page: search.Page[Row]
    query: str
    wrong: str
    first: bool

    @property
    def below(self) -> str | None:
        """The address field that leads to the older rows; None at the end."""
        return ids.to_text(self.page.next) if self.page.next is not None else None

    @property
    def fields(self) -> tuple[str, ...]:
        """The single fields of the list's form."""
        return FORMS[self.name]

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """The words of the fields that have a few."""
        return {"direction": DIRECTIONS, **CHOICES[self.name]}

    @property
    def narrowed(self) -> bool:
        """Whether any single field is filled in."""
        return any(request.args.get(name) for name in self.fields)


def limited(given: search.Filter) -> search.Filter:
    """The same filter, for only the domains that the user may see."""
    return search.with_domains(given, access.domains(g.user) or None)


def from_address(name: str = "") -> search.Filter:
    """The filter that the address asks for: the search box and the single fields together, for that list.

    Raises InputError naming the term that cannot be used.
    """
    return from_fields(request.args, KNOWN.get(name, FIELDS))


def from_fields(fields: Mapping[str, str], known: Sequence[str] = FIELDS) -> search.Filter:
    """The same for a query given as fields. Raises InputError."""
    now, zone = time.time(), language.zone()
    typed = search.parse(fields.get("q", ""), now=now, zone=zone, known=known)
    given = {name: fields[name] for name in known if fields.get(name)}
    single = search.from_fields(given, now=now, zone=zone, known=known)
    empty = search.Filter()
    changed = {
        field.name: getattr(single, field.name)
        for field in dataclasses.fields(single)
        if getattr(single, field.name) != getattr(empty, field.name)
    }
    return limited(dataclasses.replace(typed, **changed))


def listing(name: str, look: Callable[..., search.Page[Row]]) -> Listing[Row]:
    """Run one of the searches for the request's address."""
    query = request.args.get("q", "")
    below = request.args.get("below")
    config = current_app.config["MAILWEIR"]
    try:
        page = look(
            from_address(name),
            below=ids.from_text(below) if below else None,
            limit=config.web.page_rows,
            budget=config.records.search_budget,
        )
    except InputError as error:
        return Listing(name, search.Page(), query, error.told(say), below is None)
    return Listing(name, page, query, "", below is None)
