"""Writes notices of fresh stalls into the outbox, and sends the outbox.

A notice is first a row, in the same transaction as how far the stalls have been looked at; then it is handed
to the service without filters, with the null sender, so that nothing ever answers it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import struct
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from peewee import Database

from mailweir.agent import stalls
from mailweir.agent.notice_mail import NoticeMail, keys_of
from mailweir.agent.stalls import Stall
from mailweir.config import Config
from mailweir.errors import ConfigError, Unavailable
from mailweir.plain import visible
from mailweir.policies.scopes import PolicySet
from mailweir.records import ids
from mailweir.records.models import Cursor, Notice

log = logging.getLogger("mailweir.agent")

TEMPLATES = Path(__file__).parent / "templates" / "notices"
_WINDOW = 900.0  # seconds after its arrival in which a message may still turn up, as the filter took so long
_SETTLED = 2.0  # seconds that a stall has time to become known with all its recipients
_GIVE_UP = 3 * 86_400.0  # seconds after which a notice that cannot be sent is given up
_PATIENCE = 10.0  # seconds after an attempt from which on log and queue tell of what came of it
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 3600.0  # seconds between attempts; doubled each time


class Outbox:
    """The notices of one node."""

    def __init__(self, config: Config, database: Database, clock: Callable[[], float]) -> None:
        self._config = config
        self._database = database
        self._clock = clock
        self._cursor = f"notices:{config.node.number}"
        self._mail = NoticeMail(config)
        self._mine = keys_of(config)
        self._began = clock()  # a notice that an earlier agent tried to send was tried before that
        self._attempted: dict[int, float] = {}  # when we tried, by the notice's row
        directory = Path(config.notices.templates) if config.notices.templates else TEMPLATES
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader([directory, TEMPLATES]),
            autoescape=False,  # noqa: S701 - plain text; what stands in it is made visible
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
        )

    def write(self, policies: PolicySet) -> int:
        """Put notices of what was stalled since the last time into the outbox; how many that made.

        Nothing happens before the interval since the last ones is over. Raises ConfigError for a template
        that cannot be used.
        """
        now = self._clock()
        known = self._known()
        if now < known.written + self._config.notices.interval:
            return 0
        fresh_since = max(now - self._config.notices.fresh, known.until - _WINDOW)
        until = now - _SETTLED
        found = stalls.between(self._config.node.number, fresh_since, until)
        new = [stall for stall in found if stall.message_id not in known.messages]
        if not new:
            return 0
        groups = stalls.addressed(new, policies, self._config.notices.administrators)
        rows = [self._row(*group, several, policies, now) for group, several in groups.items()]
        recent = {stall.message_id for stall in found if stall.time >= until - _WINDOW}
        with self._database.atomic():
            if rows:
                Notice.insert_many(rows).on_conflict_ignore().execute()
            written = now if rows else known.written
            self._remember(_Known(written, until, frozenset(recent)), now)
        return len(rows)

    def send(self, listed: float) -> int:
        """Hand over what is due; how many went out. Raises Unavailable at the first that does not.

        Postfix may have taken what an interrupted or failed attempt handed over. So a notice is sent again
        only when neither the log nor a listing of the queue, begun well after the attempt, knows of it.
        listed is when the last listing that the records have taken in was begun.
        """
        now = self._clock()
        sent = 0
        self._mail.mark(now)  # what the log has told of earlier ones
        rows = Notice.select().where(Notice.sent.is_null(), Notice.key.startswith(self._mine))
        for row in rows.order_by(Notice.id).limit(100):
            if row.attempts and not self._is_due(row, now, listed):
                continue
            if row.attempts and self._mail.known_as(row):
                self._settle(row, now, "")
                continue
            Notice.update(attempts=Notice.attempts + 1, error="").where(Notice.id == row.id).execute()
            self._attempted[row.id] = now
            try:
                self._mail.hand_over(row)
            except Unavailable as error:
                given_up = now if now - row.created > _GIVE_UP else None
                self._settle(row, given_up, str(error))
                raise
            self._settle(row, now, "")
            sent += 1
        return sent

    def _is_due(self, row: Notice, now: float, listed: float) -> bool:
        if listed < self._attempted.get(row.id, self._began) + _PATIENCE:
            return False
        if not row.error:  # interrupted, and so not refused
            return True
        waited = sum(min(_FIRST_PAUSE * 2.0**count, _LONGEST_PAUSE) for count in range(row.attempts))
        return now >= row.created + waited

    def _settle(self, row: Notice, sent: float | None, error: str) -> None:
        Notice.update(sent=sent, error=error).where(Notice.id == row.id).execute()
        if sent is not None:
            self._attempted.pop(row.id, None)

    def _row(
        self,
        template: str,
        recipients: Sequence[str],
        several: Sequence[Stall],
        policies: PolicySet,
        now: float,
    ) -> dict[str, Any]:
        most = self._config.notices.most
        url = self._config.web.url or f"http://{self._config.web.bind}"
        values = {
            "stalls": [self._shown(stall, policies, url) for stall in several[:most]],
            "more": max(0, len(several) - most),
            "node": self._config.node.label,
            "quarantine": f"{url.rstrip('/')}/quarantine",
            "interval": f"{self._config.notices.interval / 60:g} minutes",
        }
        try:
            text = self._templates.get_template(f"{template}.txt").render(values)
            subject, _, body = text.partition("\n")
            if not subject.startswith("Subject: "):
                raise ConfigError(f"the notice template {template}.txt does not begin with a line Subject: …")
        except jinja2.TemplateError as error:
            raise ConfigError(f"the notice template {template}.txt cannot be used: {error}") from error
        whom = hashlib.sha256(json.dumps([template, *recipients]).encode()).hexdigest()[:16]
        return {
            "key": f"{self._mine}stall:{several[0].message_id}:{several[-1].message_id}:{whom}",
            "recipients": ",".join(recipients),
            "subject": subject.removeprefix("Subject: ")[:200],
            "body": body.lstrip("\n"),
            "message_id": several[0].message_id if len(several) == 1 else None,
            "created": now,
        }

    def _shown(self, stall: Stall, policies: PolicySet, url: str) -> dict[str, str]:
        text = ids.to_text(stall.message_id)
        lifetime = policies.lifetime(stall.direction, stall.sender, stall.recipient)
        return {
            "mail_in_id": text,
            "time": _moment(stall.time),
            "direction": stall.direction.word,
            "sender": visible(stall.sender) or "<>",
            "recipient": visible(stall.recipient),
            "subject": visible(stall.subject)[:200],
            "found": ", ".join(stall.found),
            "why": visible(stall.why),
            "deadline": _moment(stall.time + lifetime),
            "link": f"{url.rstrip('/')}/message/{text}",
        }

    def _known(self) -> _Known:
        row = Cursor.get_or_none(Cursor.name == self._cursor)
        if row is None:
            return _Known()
        position = json.loads(row.position)
        packed = bytes(row.state)
        messages = struct.unpack(f"<{len(packed) // 8}q", packed)
        return _Known(position.get("written", 0.0), position.get("until", 0.0), frozenset(messages))

    def _remember(self, known: _Known, now: float) -> None:
        row = {
            "position": json.dumps({"written": known.written, "until": known.until}),
            "state": struct.pack(f"<{len(known.messages)}q", *sorted(known.messages)),
            "changed": now,
        }
        Cursor.insert(name=self._cursor, **row).on_conflict(
            conflict_target=[Cursor.name], update=row
        ).execute()


class _Known:
    """Up to when stalls have been looked at, and which of the last ones were seen."""

    def __init__(
        self, written: float = 0.0, until: float = 0.0, messages: frozenset[int] = frozenset()
    ) -> None:
        self.written = written
        self.until = until
        self.messages = messages


def _moment(seconds: float) -> str:
    """Local time as people write it, with the zone."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
