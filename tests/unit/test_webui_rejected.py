"""Rejected: the page, its CSV and the API find and page refused attempts, inertly and only one's own."""

from __future__ import annotations

import csv
import io
import re
import time

import pytest
from flask.testing import FlaskClient

from mailweir.config import Web
from mailweir.records import db
from mailweir.records.models import ApiToken, User
from mailweir.webui import profile
from tests.browser.seed import HOSTILE, Sower
from tests.unit.webui_client import Pages

TOKEN = "mw_rejected"
MORE = 45


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """One application for all tests here, with several pages of refusals."""
    web = Web(act_wait=0.0, page_rows=20, login_limit="1000 per minute")
    pages = Pages(tmp_path_factory.mktemp("rejected"), web=web)
    db.connect(pages.config, migrate=False)
    sower = Sower(time.time() - 86_400)
    for number in range(MORE):
        sower.reject(f"s{number}@flood.example", f"r{number}@example.com", f"450 4.7.1 greylisted {number}")
    viewer = User.get(User.name == "viewer")
    ApiToken.create(user_id=viewer.id, name="t", digest=profile.digest(TOKEN), created=0.0)
    return pages


@pytest.fixture
def pages(shared: Pages) -> Pages:
    """The shared application, bound to its database again."""
    db.connect(shared.config, migrate=False)
    return shared


@pytest.fixture
def client(pages: Pages) -> FlaskClient:
    """A viewer's browser."""
    return pages.as_user("viewer")


def shown(page: str) -> int:
    """How many rows a page has."""
    return len(re.findall(r'<td class="time"', page))


def test_paging_shows_every_attempt_once(client: FlaskClient) -> None:
    seen: list[str] = []
    path: str | None = "/rejected"
    while path:
        page = client.get(path).text
        seen += re.findall(r"greylisted (\d+)", page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = older[1].replace("&amp;", "&") if older else None
    assert sorted(map(int, seen)) == list(range(MORE))


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("q=spamhaus", 0),
        ("q=bl.example", 1),
        ("q=from:scan@bulk.example", 1),
        ("q=to:guess@", 1),
        ("q=greylisted+44", 1),
        ("client=203.0.113.&code=554", 2),
        ("client=198.51.100.", 0),
        ("helo=MAIL.bulk&code=5.1", 1),
        ("code=5", 3),
        ("code=4.7.1&from=s7@flood.example", 1),
        ("q=from:<>", 1),
        ("q=after:1h", 3),
    ],
)
def test_search_box_and_fields_find(client: FlaskClient, query: str, count: int) -> None:
    assert shown(client.get(f"/rejected?{query}").text) == count


def test_what_cannot_be_used_says_why(client: FlaskClient) -> None:
    assert "is no reply code" in client.get("/rejected?q=code:high").text
    page = client.get("/rejected?q=subject:x").text
    assert "there is no search field" in page and "helo" in page and 'value="subject:x"' in page
    assert "there is no search field" not in client.get("/mail-in?q=helo:x").text  # three words to look for


def test_in_the_navigation(client: FlaskClient) -> None:
    assert '<a href="/rejected">Rejected</a>' in client.get("/overview").text
    assert 'aria-current="page">Rejected</a>' in client.get("/rejected").text


def test_hostile_text_is_inert(client: FlaskClient) -> None:
    assert "<" in HOSTILE
    assert HOSTILE not in client.get("/rejected?client=203.0.113.77&code=554").text
    answer = client.get("/rejected.csv?q=to:elsewhere.example")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="rejected.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["recipient"] == "other@elsewhere.example" and row["code"] == "554"
    assert row["helo"][0] not in "=+-@" and "\u202e" not in row["helo"]


def test_csv_has_all_that_match(client: FlaskClient) -> None:
    rows = list(csv.DictReader(io.StringIO(client.get("/rejected.csv?code=4").text)))
    assert len(rows) == MORE and {row["dsn"] for row in rows} == {"4.7.1"}


def test_the_api_lists_them(pages: Pages) -> None:
    client, header = pages.app.test_client(), {"Authorization": f"Bearer {TOKEN}"}
    answer = client.get("/api/v1/rejected?limit=30&code=4", headers=header).get_json()
    assert len(answer["rows"]) == 30 and answer["next"]
    more = client.get(f"/api/v1/rejected?limit=30&code=4&below={answer['next']}", headers=header).get_json()
    assert len(more["rows"]) == MORE - 30 and more["next"] is None
    (row,) = client.get("/api/v1/rejected?q=blocked", headers=header).get_json()["rows"]
    assert (row["stage"], row["sender"], row["recipient"], row["dsn"]) == ("CONNECT", None, None, "5.7.1")
    document = client.get("/api/v1/openapi.json").get_json()
    names = {one["name"] for one in document["paths"]["/rejected"]["get"]["parameters"]}
    assert {"helo", "client", "code"} <= names and "subject" not in names
    assert set(document["components"]["schemas"]["RejectRow"]["properties"]) == set(row)


def test_a_limited_user_sees_what_was_for_his_domains(pages: Pages) -> None:
    User.update(domains="elsewhere.example").where(User.name == "viewer").execute()
    try:
        client = pages.as_user("viewer")
        assert shown(client.get("/rejected").text) == 1
        assert shown(client.get("/rejected?q=greylisted").text) == 0
        rows = list(csv.DictReader(io.StringIO(client.get("/rejected.csv").text)))
        assert [row["recipient"] for row in rows] == ["other@elsewhere.example"]
        header = {"Authorization": f"Bearer {TOKEN}"}
        answer = client.get("/api/v1/rejected?from=scan@bulk.example", headers=header).get_json()
        assert answer["rows"] == []
    finally:
        User.update(domains="").where(User.name == "viewer").execute()
