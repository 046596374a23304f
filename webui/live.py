"""Live mode: says over server-sent events that a list has new rows, so that the page fetches them.

One stream holds a thread of the server, so it ends by itself after a while and the browser asks again; and
only a few may be open at once, the others are told to come back later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from flask import Blueprint, Response, abort, current_app, stream_with_context

from mailweir.records import ids, models, search
from mailweir.webui import asked

pages = Blueprint("live", __name__, url_prefix="/live")
LISTS: dict[str, Callable[..., search.Page[search.MessageRow]]] = {
    "mail-in": search.mail_in,
    "quarantine": search.quarantine,
}
EVERY = 1.0  # seconds between two looks
LONGEST = 60.0  # seconds that one stream lasts
AGAIN = 1_000  # milliseconds after which the browser asks again
LATER = 15_000  # the same while too many streams are open
_streams: set[int] = set()  # the threads that serve one now
_lock = threading.Lock()


@pages.get("/<name>")
def stream(name: str) -> Response:
    """Events `rows` with the newest row's ID, whenever that changes for the filter of the address."""
    if name not in LISTS:
        abort(404)
    wanted = asked.from_address()
    slots = max(1, current_app.config["MAILWEIR"].web.threads // 2)
    return Response(
        stream_with_context(events(LISTS[name], wanted, slots)),
        mimetype="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def events(
    look: Callable[..., search.Page[search.MessageRow]], wanted: search.Filter, slots: int
) -> Iterator[str]:
    """The stream's text."""
    mine = threading.get_ident()
    with _lock:
        if len(_streams) >= slots:
            yield f"retry: {LATER}\n\n"
            return
        _streams.add(mine)
    try:
        yield f"retry: {AGAIN}\n\n"
        end, last = time.monotonic() + LONGEST, ""
        while time.monotonic() < end:
            newest = _newest(look, wanted)
            yield f"event: rows\ndata: {newest}\n\n" if newest != last else ": waiting\n\n"
            last = newest
            time.sleep(EVERY)
    finally:
        with _lock:
            _streams.discard(mine)


def _newest(look: Callable[..., search.Page[search.MessageRow]], wanted: search.Filter) -> str:
    """The newest row's ID with its recipients' statuses: it changes when the row does."""
    models.database.connect(reuse_if_open=True)
    try:
        rows = look(wanted, limit=1).rows
    finally:
        models.database.close()  # nothing is held open while nothing happens
    return ids.to_text(rows[0].id) + "".join(f" {row.status}" for row in rows[0].recipients) if rows else "-"
