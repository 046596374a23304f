"""The API: the same rows, rights and acts as the pages, and a description that tells the truth."""

import re
import time

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from mailweir.agent.entrusted import Entrusted
from mailweir.config import Web
from mailweir.records import db, ids
from mailweir.records.models import ApiToken, Command, Node, User
from mailweir.webui import profile
from tests.unit.webui_client import Pages

TOKENS = {name: f"mw_token-of-{name}" for name in ("viewer", "operator", "administrator")}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """One application with a token for each user."""
    made = Pages(tmp_path_factory.mktemp("api"), extra=30, web=Web(act_wait=0.0))
    for user in User.select():
        ApiToken.create(
            user_id=user.id, name="t", digest=profile.digest(TOKENS[user.name]), created=time.time()
        )
    return made


@pytest.fixture
def pages(shared: Pages) -> Pages:
    """The shared application, bound to its database again."""
    db.connect(shared.config, migrate=False)
    return shared


def bearer(name: str) -> dict[str, str]:
    """The header that a user's program sends."""
    return {"Authorization": f"Bearer {TOKENS[name]}"}


@pytest.fixture
def client(pages: Pages) -> FlaskClient:
    """A program without cookies."""
    return pages.app.test_client()


def test_nothing_is_told_without_a_token(pages: Pages, client: FlaskClient) -> None:
    for path in (
        "mail-in",
        "pending",
        "delivery",
        "rejected",
        "quarantine",
        f"messages/{ids.to_text(pages.world.failed)}",
    ):
        assert client.get(f"/api/v1/{path}").status_code == 401
        assert client.get(f"/api/v1/{path}", headers={"Authorization": "Bearer mw_guess"}).status_code == 401
    assert pages.as_user("viewer").get("/api/v1/mail-in").status_code == 401  # a cookie is no token


def test_lists_filter_and_page_like_the_pages(client: FlaskClient) -> None:
    seen = []
    path = "/api/v1/mail-in?limit=7"
    while True:
        answer = client.get(path, headers=bearer("viewer")).get_json()
        seen += [row["mail_in_id"] for row in answer["rows"]]
        if answer["next"] is None:
            break
        path = f"/api/v1/mail-in?limit=7&below={answer['next']}"
    assert len(seen) == len(set(seen)) == 40
    rows = client.get("/api/v1/delivery?to=nobody@customer.example", headers=bearer("viewer")).get_json()[
        "rows"
    ]
    assert [(row["status"], row["dsn"]) for row in rows] == [("bounced", "5.1.1")]
    answer = client.get("/api/v1/mail-in?q=status:lost", headers=bearer("viewer"))
    assert answer.status_code == 400 and "is none of" in answer.get_json()["error"]


def test_a_message_with_its_session(pages: Pages, client: FlaskClient) -> None:
    path = f"/api/v1/messages/{ids.to_text(pages.world.failed)}"
    view = client.get(path, headers=bearer("viewer")).get_json()
    assert view["subject"] == "Offer 2026-117" and view["recipients"][0]["status"] == "failed"
    session = view["deliveries"][0]["session_id"]
    lines = client.get(f"/api/v1/sessions/{session}", headers=bearer("viewer")).get_json()["lines"]
    assert "> RCPT TO:<nobody@customer.example>" in lines


def test_a_password_is_tried_as_on_the_pages(pages: Pages, client: FlaskClient) -> None:
    Entrusted(pages.config)
    Node.update(seen=time.time()).execute()
    body = {"action": "unlock", "key": "b" * 32, "items": [{"mail_in_id": ids.to_text(pages.world.stalled)}]}
    for password, status in ((None, 400), ("", 400), (["x"], 400), ("hunter2", 202)):
        answer = client.post("/api/v1/acts", json=body | {"password": password}, headers=bearer("operator"))
        assert answer.status_code == status
    (act,) = answer.get_json()["acts"]
    assert (act["action"], act["state"], answer.get_json()["errors"]) == ("unlock", "requested", [])
    assert "hunter2" not in answer.text
    body["items"] = body["items"] * 21
    answer = client.post("/api/v1/acts", json=body | {"password": "x"}, headers=bearer("operator"))
    assert "at most 20 messages" in answer.get_json()["error"]


def test_acts_need_the_role_a_reason_and_act_once(pages: Pages, client: FlaskClient) -> None:
    body = {
        "action": "force",
        "items": [{"mail_in_id": ids.to_text(pages.world.stalled), "recipient": "bob@example.com"}],
    }
    assert client.post("/api/v1/acts", json=body, headers=bearer("viewer")).status_code == 403
    answer = client.post("/api/v1/acts", json=body, headers=bearer("operator"))
    assert answer.status_code == 400 and "reason" in answer.get_json()["error"]
    body |= {"reason": "known", "key": "a" * 32}
    for _ in range(2):
        answer = client.post("/api/v1/acts", json=body, headers=bearer("operator"))
        assert answer.status_code == 202
        assert [(act["recipient"], act["state"]) for act in answer.get_json()["acts"]] == [
            ("bob@example.com", "requested")
        ]
    assert [(row.by_user, row.reason) for row in Command.select().where(Command.action == "force")] == [
        ("operator", "known")
    ]
    assert len(client.get(f"/api/v1/acts/{'a' * 32}", headers=bearer("viewer")).get_json()["acts"]) == 1


def test_a_limited_user_is_limited_here_too(pages: Pages, client: FlaskClient) -> None:
    User.update(domains="nowhere.example").where(User.name == "operator").execute()
    try:
        for path in ("mail-in", "pending", "delivery", "rejected", "quarantine"):
            assert client.get(f"/api/v1/{path}", headers=bearer("operator")).get_json()["rows"] == [], path
        item = ids.to_text(pages.world.stalled)
        assert client.get(f"/api/v1/messages/{item}", headers=bearer("operator")).status_code == 404
        session = ids.to_text(pages.world.sessions[0])
        assert client.get(f"/api/v1/sessions/{session}", headers=bearer("operator")).status_code == 404
        body = {"action": "retry", "items": [{"mail_in_id": item}]}
        answer = client.post("/api/v1/acts", json=body, headers=bearer("operator")).get_json()
        assert answer["acts"] == [] and len(answer["errors"]) == 1
    finally:
        User.update(domains="").where(User.name == "operator").execute()


def test_what_no_route_takes_is_told_as_json(client: FlaskClient) -> None:
    for path in ("messages/%04%0A", "nothing/at/all"):
        answer = client.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.mimetype) == (404, "application/json"), path
        assert answer.json and answer.json["error"]


def test_a_disabled_user_and_a_removed_token_are_out(pages: Pages, client: FlaskClient) -> None:
    User.update(disabled=True).where(User.name == "administrator").execute()
    assert client.get("/api/v1/mail-in", headers=bearer("administrator")).status_code == 401
    User.update(disabled=False).where(User.name == "administrator").execute()
    assert client.get("/api/v1/mail-in", headers=bearer("administrator")).status_code == 200
    ApiToken.delete().where(ApiToken.digest == profile.digest(TOKENS["administrator"])).execute()
    assert client.get("/api/v1/mail-in", headers=bearer("administrator")).status_code == 401


def test_the_description_tells_the_truth(pages: Pages) -> None:
    described = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", pages.app)
    tried = set()
    for found in described.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(
                headers=bearer("operator"), excluded_checks=[ignored_auth, positive_data_acceptance]
            )

        check()
        tried.add((operation.method.upper(), operation.path))
    there = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule.removeprefix("/api/v1")))
        for rule in pages.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/v1/") and rule.endpoint != "api.openapi"
    }
    assert tried == there, "every route is described, and nothing else"
