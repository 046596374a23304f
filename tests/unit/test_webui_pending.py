"""Pending: when a recipient is tried next and when it goes back, known or said to be unknown."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import time
from pathlib import Path

import pytest

from mailweir.agent import lifetimes, publish
from mailweir.policies.fields import HOUR
from mailweir.records import ids, models, next_attempts, search
from mailweir.records.models import Leg, Policy, Recipient
from mailweir.records.words import Queue, Status
from tests.unit.webui_client import Pages

NEXT = re.compile(r'<td class="time" data-label="Next attempt">(.*?)</td>')
RETURNED = re.compile(r'<td class="time" data-label="Returned in">(.*?)</td>')
TAG = re.compile(r"<[^>]*>")


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """The seeded world, its database open."""
    made = Pages(tmp_path)
    models.database.connect(reuse_if_open=True)
    return made


def deferred() -> Leg:
    """The queue file of the one deferred recipient."""
    row = Recipient.get(Recipient.status == Status.DEFERRED)
    leg: Leg = Leg.get_by_id(row.leg_id)
    return leg


def shown(pages: Pages, pattern: re.Pattern[str], query: str = "status=deferred") -> list[str]:
    page = pages.as_user("viewer").get(f"/pending?{query}").text
    return [" ".join(TAG.sub("", cell).split()) for cell in pattern.findall(page)]


def test_the_next_attempt_is_what_the_queue_says_and_else_unknown(pages: Pages) -> None:
    leg, now = deferred(), time.time()
    assert shown(pages, NEXT) == ["unknown"]
    assert next_attempts.store(models.database, 0, {leg.queue_id: now + 3630.0}, now) == 1
    assert next_attempts.store(models.database, 0, {leg.queue_id: now + 3630.0}, now + 1) == 0
    assert shown(pages, NEXT) == ["about 1 h"]
    assert next_attempts.store(models.database, 0, {leg.queue_id: now - 5.0}, now) == 1
    assert shown(pages, NEXT) == ["due"]

    Recipient.update(changed=now + 2).where(Recipient.leg_id == leg.id).execute()
    assert shown(pages, NEXT) == ["unknown"], "an attempt since: what was seen before is out of date"
    assert next_attempts.store(models.database, 0, {leg.queue_id: now - 5.0}, now + 3) == 1
    assert shown(pages, NEXT) == ["due"]

    Leg.update(queue=Queue.ACTIVE).where(Leg.id == leg.id).execute()
    assert shown(pages, NEXT) == ["now"]
    Leg.update(queue=Queue.HOLD).where(Leg.id == leg.id).execute()
    assert shown(pages, NEXT) == ["on hold"]
    assert next_attempts.store(models.database, 0, {}, now) == 1
    assert Leg.get_by_id(leg.id).next_attempt is None
    assert next_attempts.store(models.database, 7, {leg.queue_id: now}, now) == 0, "another node's file"


def test_the_end_is_the_one_that_the_agent_keeps_and_warns_when_near(pages: Pages) -> None:
    policy, _ = Policy.get_or_create(scope="default", scope_id=0)
    row = next(iter(search.pending(search.Filter(status=(Status.DEFERRED,)))))
    for hours, soon in ((24.0 * 7, False), (1.0, True)):
        fields = {f"{side}.lifetime": hours * HOUR for side in ("inbound", "outbound")}
        Policy.update(fields=json.dumps(fields)).where(Policy.id == policy.id).execute()
        Leg.update(arrival=int((time.time() - 3200) * 1e6)).execute()
        policies = publish.load()
        (one,) = [item for item in lifetimes.pending(0, time.time(), 0.0) if item.recipient == row.recipient]
        (found,) = search.pending(search.Filter(status=(Status.DEFERRED,)))
        assert found.returned == lifetimes.deadline(policies, one)
        assert found.lifetime == hours * HOUR
        (cell,) = shown(pages, RETURNED)
        assert ("soon:" in cell) == soon == lifetimes.ends_soon(pages.config, policies, one, time.time())


def test_what_the_filter_still_has_promises_nothing(pages: Pages) -> None:
    Recipient.update(status=Status.FILTERING).where(Recipient.status == Status.DEFERRED).execute()
    assert shown(pages, RETURNED, "status=filtering") == ["unknown"]
    assert shown(pages, NEXT, "status=filtering") == ["unknown"]


def test_csv_and_rows_for_programs_say_the_same(pages: Pages) -> None:
    leg, now = deferred(), time.time()
    next_attempts.store(models.database, 0, {leg.queue_id: now + 600.0}, now)
    (row,) = search.pending(search.Filter(status=(Status.DEFERRED,)))
    printed = row.as_dict()
    (line,) = csv.DictReader(io.StringIO(pages.as_user("viewer").get("/pending.csv?status=deferred").text))
    assert (line["next_attempt"], line["returned"]) == (printed["next_attempt"], printed["returned"])
    assert printed["next_attempt"].endswith("Z") and ids.to_text(row.id) == printed["mail_in_id"]
    assert dataclasses.asdict(row)["lifetime"] == printed["lifetime"]
