"""A whole result as a CSV file, streamed row by row, that no spreadsheet program can take for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from flask import Response, stream_with_context

from mailweir.plain import visible
from mailweir.records import search
from mailweir.webui import asked

Row = TypeVar("Row")
BATCH = 500  # rows fetched at a time
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")


def safe(value: Any) -> str:
    """One cell: control characters made visible; text that a spreadsheet might run gets an apostrophe."""
    if isinstance(value, int | float) or value is None:
        return "" if value is None else str(value)
    text = visible(str(value))
    return "'" + text if str(value).startswith(FORMULA) or text.lstrip().startswith(FORMULA) else text


def lines(rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> Iterator[str]:
    """The file's lines, the first one with the columns' names."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)

    def line(cells: Iterable[str]) -> str:
        writer.writerow(cells)
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    yield line(columns)
    for row in rows:
        yield line(safe(row.get(column)) for column in columns)


def every(look: Callable[..., search.Page[Row]], wanted: search.Filter) -> Iterator[Row]:
    """All rows of a search, page by page."""
    page = look(wanted, limit=BATCH)
    while True:
        yield from page
        if page.next is None:
            return
        page = look(wanted, below=page.next, limit=BATCH)


def answer(
    name: str,
    look: Callable[..., search.Page[Row]],
    columns: tuple[str, ...],
    as_rows: Callable[[Row], Iterable[dict[str, Any]]],
) -> Response:
    """The result of a search for the request's address, as a download. Raises InputError before it begins."""
    wanted = asked.from_address(name)
    rows = (flat for row in every(look, wanted) for flat in as_rows(row))
    body = stream_with_context(line.encode() for line in lines(rows, columns))
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(body, mimetype="text/csv", headers=headers)
