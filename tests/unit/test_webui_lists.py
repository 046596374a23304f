"""The list pages: searching, filtering, paging, keeping searches, CSV; and the overview's numbers."""

import csv
import io
import re
import threading
import time
from datetime import UTC
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from peewee import OperationalError

from mailweir.config import Web
from mailweir.records import db, ids
from mailweir.records.models import Node, Recipient, SavedSearch, User
from mailweir.records.words import Status
from mailweir.webui import figures, overview, table_file
from tests.unit.webui_client import Pages, hidden
from trial.waiting import wait_for

ROW = re.compile(r'class="id" href="/message/(\w+)"')


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """One application for all tests here."""
    web = Web(act_wait=0.0, page_rows=20, login_limit="1000 per minute")
    return Pages(tmp_path_factory.mktemp("lists"), extra=60, web=web)


@pytest.fixture
def pages(shared: Pages) -> Pages:
    """The shared application, bound to its database again."""
    db.connect(shared.config, migrate=False)
    return shared


@pytest.fixture
def client(pages: Pages) -> FlaskClient:
    """The operator's browser."""
    return pages.as_user("operator")


def test_paging_shows_every_message_once(client: FlaskClient) -> None:
    seen: list[str] = []
    path: str | None = "/mail-in"
    while path:
        page = client.get(path).text
        seen += ROW.findall(page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = older[1].replace("&amp;", "&") if older else None
    assert len(seen) == len(set(seen)) == 70
    times = [ids.from_text(text) for text in seen]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=offer", ["Offer 2026-117"]),
        ("q=from:carol@partner.example", ["Quarterly report"]),
        ("q=to:grace@full.example+price", ["Price list"]),
        ("status=stalled", ["Quarterly report", "Macros for the budget"]),
        ("direction=internal", ["Lunch?"]),
        ("from=x@spam.example&status=rejected", ["Invoice"]),
        ("file=budget.xlsm", ["Macros for the budget"]),
        ("q=from:nobody-at-all@x.example", []),
    ],
)
def test_search_box_and_fields_find(client: FlaskClient, query: str, found: list[str]) -> None:
    page = client.get(f"/mail-in?{query}").text
    assert len(ROW.findall(page)) == len(found)
    for subject in found:
        assert subject in page
    assert ("Nothing found" in page) == (not found)


def test_a_search_that_cannot_be_used_says_why(client: FlaskClient) -> None:
    page = client.get("/mail-in?q=status:lost").text
    assert "is none of" in page and 'value="status:lost"' in page
    assert "no date" in client.get("/pending?after=soon").text


def test_csv_holds_the_whole_result_and_no_formula(client: FlaskClient) -> None:
    answer = client.get("/mail-in.csv?q=-subject")
    assert answer.mimetype == "text/csv" and "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(client.get("/mail-in.csv").text)))
    assert len(rows) == 81 and {row["status"] for row in rows} >= {"stalled", "failed", "delivered"}
    rows = list(csv.DictReader(io.StringIO(client.get("/delivery.csv?to=nobody@customer.example").text)))
    assert [row["dsn"] for row in rows] == ["5.1.1"]
    assert len(list(csv.DictReader(io.StringIO(client.get("/pending.csv").text)))) == 5
    assert client.get("/mail-in.csv?q=status:lost").status_code == 400


@given(st.text())
def test_no_cell_is_a_formula_or_breaks_the_terminal(text: str) -> None:
    cell = table_file.safe(text)
    assert not cell.startswith(table_file.FORMULA)
    assert "\x1b" not in cell and "\u202e" not in cell and "\r" not in cell


def test_csv_is_limited_to_the_users_domains(pages: Pages) -> None:
    User.update(domains="nowhere.example").where(User.name == "viewer").execute()
    client = pages.as_user("viewer")
    for name in ("mail-in", "pending", "delivery"):
        assert list(csv.DictReader(io.StringIO(client.get(f"/{name}.csv").text))) == [], name
        assert ROW.findall(client.get(f"/{name}").text) == []


def test_searches_are_kept_and_forgotten(client: FlaskClient) -> None:
    page = client.get("/mail-in?status=failed&below=zzzz").text
    form = hidden(page)
    assert form["query"] == "status=failed"
    client.post("/saved", data=form | {"page": "mail_in", "name": "What failed"})
    page = client.get("/mail-in").text
    assert 'href="/mail-in?status=failed"' in page and "What failed" in page
    assert "What failed" not in client.get("/pending").text
    client.post("/saved", data=form | {"page": "mail_in", "forget": str(SavedSearch.get().id)})
    assert "What failed" not in client.get("/mail-in").text


def test_the_overview_counts_what_the_lists_show(pages: Pages) -> None:
    page = pages.as_user("operator").get("/overview").text
    tiles = dict(re.findall(r"<span>([^<]+)</span><strong>([^<]+)</strong>", page))
    assert (tiles["Stalled now"], tiles["Deferred now"], tiles["Queued now"]) == ("3", "1", "1")
    assert "The mailbox is full." in page and "full.example" in page
    assert "mx1" in page


def test_days_add_up_and_are_counted_again_when_they_are_old(pages: Pages) -> None:
    clock = [0.0]
    kept = figures.Figures(lambda: clock[0], patience=60.0)
    now = time.time()
    days = kept.days(now, UTC)
    assert sum(day.total for day in days) == 81 and len(days) == figures.DAYS
    assert sum(day.of(Status.STALLED) for day in days) == 3
    Recipient.update(status=Status.STALLED).where(Recipient.status == Status.DEFERRED).execute()
    assert sum(day.of(Status.STALLED) for day in kept.days(now, UTC)) == 3
    clock[0] += 3601.0
    assert sum(day.of(Status.STALLED) for day in kept.days(now, UTC)) == 4


def test_the_overview_waits_for_no_count(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over very many messages it takes long; meanwhile no day has a number that is not its own."""
    client, go_on, count = pages.as_user("operator"), threading.Event(), figures.count

    def slow(*span: Any) -> figures.Counts:
        assert go_on.wait(60)
        return count(*span)

    monkeypatch.setattr(figures, "count", slow)
    monkeypatch.setattr(overview, "kept", figures.Figures(patience=0.01))
    page = client.get("/overview").text
    assert "<span>Recipients today</span><strong>…</strong>" in page
    assert "Some days are still being counted." in page and page.count("not counted yet") == 2 * figures.DAYS
    go_on.set()
    wait_for(lambda: "still being counted" not in client.get("/overview").text, "the counts")
    assert "<strong>…</strong>" not in client.get("/overview").text


def test_what_is_out_of_date_is_said_to_be(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    client, go_on, count, clock = pages.as_user("operator"), threading.Event(), figures.count, [0.0]
    kept = figures.Figures(lambda: clock[0], patience=60.0)
    monkeypatch.setattr(overview, "kept", kept)
    assert "still being counted" not in client.get("/overview").text

    def slow(*span: Any) -> figures.Counts:
        assert go_on.wait(60)
        return count(*span)

    monkeypatch.setattr(figures, "count", slow)
    kept._patience = 0.01
    clock[0] += 11.0  # today's are good for ten seconds, other days' for longer
    page = client.get("/overview").text
    assert "still being counted" in page and "not counted yet" not in page
    assert [day.is_new for day in kept.days(time.time(), UTC)] == [*[True] * 29, False]
    go_on.set()
    wait_for(lambda: "still being counted" not in client.get("/overview").text, "the counts")


def test_a_count_that_fails_is_tried_again(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, count = figures.Figures(patience=60.0), figures.count

    def away(*_: Any) -> figures.Counts:
        raise OperationalError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(figures, "count", away)
        assert {day.counts for day in kept.days(time.time(), UTC)} == {None}
    assert figures.count is count
    assert sum(day.total for day in kept.days(time.time(), UTC)) == 81


def test_a_silent_agent_is_said_to_be_silent(pages: Pages) -> None:
    Node.update(seen=time.time() - 600).execute()
    assert "the agent is silent since" in pages.as_user("operator").get("/overview").text
    Node.update(seen=time.time(), health='{"problems": {"clamd": "does not answer <b>"}}').execute()
    page = pages.as_user("operator").get("/system/nodes").text
    assert "does not answer &lt;b&gt;" in page and "needs attention" in page


def test_replies_are_explained(client: FlaskClient) -> None:
    page = client.get("/reasons?reply=552 5.2.2 Mailbox full <script>").text
    assert "The mailbox is full." in page and "&lt;script&gt;" in page and "<script>552" not in page
