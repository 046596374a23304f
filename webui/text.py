"""How values become text on a page: times, sizes, hostile strings.

Every string that a template prints passes `visible`, so control and bidirectional characters in mail can
neither hide nor reorder anything; Jinja's autoescaping then makes it inert as HTML.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from babel.dates import format_skeleton
from flask import Flask, g, request, url_for
from flask_babel import get_translations
from markupsafe import Markup, escape

from mailweir.plain import visible
from mailweir.records import ids, reasons
from mailweir.records.encryption import explain
from mailweir.webui import access, language, results

UNITS = ("B", "KB", "MB", "GB", "TB")


def init_app(app: Flask) -> None:
    """Give the templates their filters and functions."""
    app.jinja_options = {"finalize": finalize}
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        moment=moment,
        size=size,
        span=span,
        as_written=as_written,
        mail_id=ids.to_text,
        say=say,
        visible=visible,
        day=day,
        encryption=explain,
        plainly=plainly,
        outcome=outcome,
    )
    digests: dict[str, str] = {}

    def asset(name: str) -> str:
        """A static file's URL; it changes with the content, so browsers may keep it for ever."""
        if name not in digests:
            content = Path(app.static_folder or "", name).read_bytes()
            digests[name] = hashlib.sha256(content).hexdigest()[:12]
        return url_for("static", filename=name, v=digests[name])

    app.jinja_env.globals.update(
        asset=asset,
        link_with=link_with,
        query_now=query_now,
        message_path=message_path,
        session_path=session_path,
    )
    app.context_processor(context)


def context() -> dict[str, Any]:
    """What every template knows of the user."""
    user = g.get("user")
    return {
        "user": user,
        "may_act": user is not None and access.allows(user, "operator"),
        "limited": user is not None and bool(access.domains(user)),
        "language": language.language(),
        "may_manage": user is not None and access.allows(user, "administrator"),
    }


def finalize(value: Any) -> Any:
    """Called by Jinja on everything it prints, before escaping."""
    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def say(word: str) -> str:
    """A word in a variable, in the user's language; unlike _() it is escaped like any other text."""
    if not word:
        return ""
    if "said" not in g:
        g.said = {}  # the same few words stand on every row
    if word not in g.said:
        g.said[word] = str(get_translations().gettext(word))
    return str(g.said[word])


def outcome(result: str) -> str:
    """What came of an act, in the user's language."""
    return results.in_words(result, say)


def plainly(sentence: str) -> str:
    """What records/reasons.py says of a reply or a status, in the user's language."""
    pieces = reasons.pieces().get(sentence)
    return reasons.in_one_line(*map(say, pieces)) if pieces else say(sentence)


def as_written(value: str) -> Markup:
    """Text of our own users with its line breaks, for a textarea: escaped but not made visible."""
    return escape(value)


def moment(seconds: float | None, form: str = "") -> Markup:
    """A time since 1970 as a <time> element in the user's zone; the title gives it in full.

    form is "time" (hours only), "date", "full", or empty for the short form of lists.
    """
    if not seconds:
        return Markup("")
    when = datetime.fromtimestamp(seconds, language.zone())
    full = f"{when:%Y-%m-%d %H:%M:%S} {when.tzname()}"
    if form == "full":
        shown = full
    elif form == "time":
        shown = f"{when:%H:%M:%S}"
    elif form == "date":
        shown = f"{when:%Y-%m-%d}"
    else:
        shown = format_skeleton("MMMd", when, locale=language.locale()) + f" {when:%H:%M:%S}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        when.isoformat(timespec="milliseconds"), full, shown
    )


def day(when: datetime) -> str:
    """A day without its year, as the user's language writes it."""
    return str(format_skeleton("MMMd", when, locale=language.locale()))


def size(octets: int) -> str:
    """Bytes in the unit that leaves one to three digits before the point."""
    amount = float(octets)
    for unit in UNITS:
        if amount < 1000 or unit == UNITS[-1]:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def span(seconds: float) -> str:
    """A length of time in its two largest units: "3 d 4 h", "12 min 5 s", "0.4 s"."""
    if seconds < 0:
        return "0 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for length, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= length:
            rest = whole % length // smaller
            return f"{whole // length} {unit}" + (f" {rest} {name}" if rest else "")
    return f"{whole} s"


def link_with(**changes: Any) -> str:
    """This page's address with some query fields changed; None or "" takes one away."""
    fields: dict[str, Any] = {**request.args.to_dict(), **changes}
    query = urlencode({name: value for name, value in fields.items() if value not in (None, "")})
    return request.path + ("?" + query if query else "")


def message_path(identifier: str) -> str:
    """Where the page of a message is; lists ask for so many that url_for takes too long."""
    return f"{request.script_root}/message/{identifier}"


def session_path(identifier: str) -> str:
    """The same for a session."""
    return f"{request.script_root}/session/{identifier}"


def query_now() -> str:
    """The query of this page's address without what only this moment needs."""
    fields = request.args.to_dict()
    return urlencode(
        {name: value for name, value in fields.items() if value and name not in ("below", "acted")}
    )
