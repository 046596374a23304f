"""What a list page was asked for: the filter from its address, limited to what the user may see."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask import current_app, g, request

from mailweir.errors import InputError
from mailweir.records import ids, search
from mailweir.records.filters import FIELDS
from mailweir.webui import access

Row = TypeVar("Row")


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """One page of a list as its template needs it; wrong says what in the search cannot be used."""

    page: search.Page[Row]
    query: str
    wrong: str
    first: bool

    @property
    def below(self) -> str | None:
        """The address field that leads to the older rows; None at the end."""
        return ids.to_text(self.page.next) if self.page.next is not None else None


def limited(given: search.Filter) -> search.Filter:
    """The same filter, for only the domains that the user may see."""
    return search.with_domains(given, access.domains(g.user) or None)


def from_address() -> search.Filter:
    """The filter that the address asks for: the search box and the single fields together.

    Raises InputError naming the term that cannot be used.
    """
    now = time.time()
    typed = search.parse(request.args.get("q", ""), now=now)
    single = search.from_fields(
        {name: request.args[name] for name in FIELDS if request.args.get(name)}, now=now
    )
    empty = search.Filter()
    given = {
        field.name: getattr(single, field.name)
        for field in dataclasses.fields(single)
        if getattr(single, field.name) != getattr(empty, field.name)
    }
    return limited(dataclasses.replace(typed, **given))


def listing(look: Callable[..., search.Page[Row]]) -> Listing[Row]:
    """Run one of the searches for the request's address."""
    query = request.args.get("q", "")
    below = request.args.get("below")
    try:
        page = look(
            from_address(),
            below=ids.from_text(below) if below else None,
            limit=current_app.config["MAILWEIR"].web.page_rows,
        )
    except InputError as error:
        return Listing(search.Page(), query, str(error), below is None)
    return Listing(page, query, "", below is None)
