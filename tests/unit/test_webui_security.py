"""Nobody gets in, acts or sees without having the right to, and nothing in a mail becomes more than text."""

from pathlib import Path

import pytest

from mailweir.config import Web
from mailweir.records import db, ids
from mailweir.records.models import Command, User
from mailweir.webui import access, accounts
from tests.browser.seed import HOSTILE
from tests.unit.webui_client import PASSWORD, Pages, hidden, log_in

PATHS = ("/mail-in", "/pending", "/delivery", "/rejected", "/quarantine")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """One application for all tests here that do not change users."""
    return Pages(tmp_path_factory.mktemp("web"), web=Web(act_wait=0.0, login_limit="1000 per minute"))


@pytest.fixture
def pages(shared: Pages) -> Pages:
    """The shared application, bound to its database again after tests that have their own."""
    db.connect(shared.config, migrate=False)
    return shared


@pytest.fixture
def fresh(tmp_path: Path) -> Pages:
    """An application of its own."""
    return Pages(tmp_path)


def test_every_route_but_the_log_in_is_closed_to_strangers(pages: Pages) -> None:
    client = pages.app.test_client()
    values: dict[str, str | int] = {
        "identifier": ids.to_text(pages.world.stalled),
        "key": "0" * 32,
        "kind": "default",
        "number": 0,
        "side": "inbound",
        "name": "mail-in",
    }
    tried = 0
    with pages.app.test_request_context():
        routes = [
            (
                rule.endpoint,
                pages.app.url_for(rule.endpoint, **{name: values[name] for name in rule.arguments}),
            )
            for rule in pages.app.url_map.iter_rules()
            if "GET" in (rule.methods or ())
            and rule.endpoint not in access.PUBLIC
            and not rule.endpoint.startswith("api.")  # which asks for tokens, see test_webui_api.py
        ]
    for endpoint, path in routes:
        answer = client.get(path)
        assert answer.status_code == 302 and answer.location.startswith("/login"), endpoint
        tried += 1
    assert tried >= 12


def test_a_page_asked_for_before_the_log_in_comes_after_it(pages: Pages) -> None:
    client = pages.app.test_client()
    asked = client.get("/delivery?q=to:bob@example.com")
    answer = log_in(client, "viewer", PASSWORD, asked.location)
    assert answer.location == "/delivery?q=to:bob@example.com"
    answer = log_in(pages.app.test_client(), "viewer", PASSWORD, "/login?next=//evil.example/")
    assert answer.location == "/overview"


def test_headers_forbid_inline_code_framing_and_keeping(pages: Pages) -> None:
    answer = pages.as_user("viewer").get("/mail-in")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "<style" not in answer.text and " style=" not in answer.text and "onclick" not in answer.text


def test_the_cookie_is_for_this_site_and_not_for_scripts(pages: Pages) -> None:
    cookie = log_in(pages.app.test_client(), "viewer", PASSWORD).headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie


def test_a_form_without_its_token_changes_nothing(pages: Pages) -> None:
    client = pages.as_user("operator")
    before = Command.select().count()
    item = ids.to_text(pages.world.stalled)
    answer = client.post("/act", data={"action": "retry", "key": "0" * 32, "item": item})
    assert answer.status_code == 400 and Command.select().count() == before
    assert (
        pages.app.test_client().post("/login", data={"name": "viewer", "password": PASSWORD}).status_code
        == 400
    )


def test_a_viewer_sees_no_buttons_and_cannot_act(pages: Pages) -> None:
    client = pages.as_user("viewer")
    page = client.get("/quarantine").text
    assert 'value="force"' not in page and 'name="item"' not in page
    fields = hidden(page) | {"action": "retry", "item": ids.to_text(pages.world.stalled)}
    assert client.post("/act", data=fields).status_code == 403
    assert Command.select().count() == 0


def test_guessing_is_slowed_down(fresh: Pages) -> None:
    client = fresh.app.test_client()
    answers = [log_in(client, "viewer", f"wrong {number}").status_code for number in range(10)]
    assert answers == [401] * 10
    answer = log_in(client, "viewer", PASSWORD)
    assert answer.status_code == 429 and "Too many attempts: wait" in answer.text


def test_a_new_password_or_a_disabled_user_ends_sessions(fresh: Pages) -> None:
    client = fresh.as_user("viewer")
    assert client.get("/mail-in").status_code == 200
    User.update(password=accounts.hasher.hash("another good one")).where(User.name == "viewer").execute()
    assert client.get("/mail-in").status_code == 302
    client = fresh.as_user("operator")
    User.update(disabled=True).where(User.name == "operator").execute()
    assert client.get("/mail-in").status_code == 302
    assert log_in(fresh.app.test_client(), "operator", PASSWORD).status_code == 401


def test_log_out_ends_the_session(pages: Pages) -> None:
    client = pages.as_user("viewer")
    token = hidden(client.get("/mail-in").text)["csrf_token"]
    client.post("/logout", data={"csrf_token": token})
    assert client.get("/mail-in").status_code == 302


def test_hostile_mail_is_text_everywhere(pages: Pages) -> None:
    client = pages.as_user("operator")
    message = f"/message/{ids.to_text(pages.world.hostile)}"
    shown = 0
    for path in (*PATHS, message, "/mail-in?q=" + HOSTILE.replace("&", "%26").replace("#", "%23")):
        page = client.get(path).text
        shown += "&lt;script&gt;" in page
        assert (
            "<script>" not in page and "<img src=x" not in page and "<i>x" not in page and "<b>@" not in page
        )
        body = page.replace(HOSTILE, "")
        assert "\u202e" not in body or path.startswith("/mail-in?q"), path
        assert "\x1b" not in body or path.startswith("/mail-in?q"), path
    assert shown >= 3


@pytest.mark.parametrize("path", ["/message/-", "/message/222", "/session/knKw", "/message/" + "z" * 60])
def test_made_up_ids_get_a_plain_answer(pages: Pages, path: str) -> None:
    answer = pages.as_user("viewer").get(path)
    assert answer.status_code in (400, 404) and "That did not work" in answer.text
