"""A session of every SMTP attempt: recorded or reconstructed and labelled so, with encryption and times."""

from __future__ import annotations

import re

import pytest

from mailweir.records import db, ids, models
from mailweir.records.models import ApiToken, User
from mailweir.webui import profile
from tests.unit.webui_client import Pages


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """One application for all tests here."""
    return Pages(tmp_path_factory.mktemp("sessions"))


@pytest.fixture
def pages(shared: Pages) -> Pages:
    """The shared application, bound to its database again."""
    db.connect(shared.config, migrate=False)
    return shared


def dots(page: str) -> list[tuple[str, str]]:
    """Class and session of the dots on a page."""
    return re.findall(r'<a class="dot ([^"]*)" href="/session/(\w+)"', page)


def test_reconstructed_ones_are_shown_and_labelled(pages: Pages) -> None:
    client = pages.as_user("viewer")
    identifier = ids.to_text(pages.world.outbound)
    found = dots(client.get(f"/delivery?id={identifier}").text)
    assert len(found) == 5 and all("reconstructed" in kind for kind, _ in found)
    assert sorted(dots(client.get(f"/message/{identifier}").text)) == sorted(found)
    refused = next(session for kind, session in found if kind.startswith("bounced"))
    part = client.get(f"/session/{refused}/part").text
    assert "Reconstructed from the log" in part and "No conversation was recorded" in part
    assert "RCPT TO:&lt;grace@full.example&gt;" in part and "<span>552 5.2.2 Mailbox full</span>" in part
    page = client.get(f"/session/{refused}").text
    assert "reconstructed from the log" in page and "grace@full.example" in page


def test_a_recorded_one_says_so_and_how_it_was_encrypted(pages: Pages) -> None:
    client = pages.as_user("viewer")
    models.Delivery.update(delays="1.5/0.5/2/64").execute()
    part = client.get(f"/session/{ids.to_text(pages.world.sessions[0])}/part").text
    assert "Recorded" in part and "No conversation was recorded" not in part
    assert "Encrypted with TLSv1.3 (TLS_AES_256_GCM_SHA384, 256 bits)" in " ".join(part.split())
    assert "a trusted authority; its name was not checked" in part
    assert all(words in part for words in ("Waited 2.0 s", "Connecting 2.0 s", "Sending 1 min 4 s"))
    models.Delivery.update(delays="").execute()
    assert "Waited" not in client.get(f"/session/{ids.to_text(pages.world.sessions[0])}/part").text


def test_a_limited_user_sees_only_his_own(pages: Pages) -> None:
    client = pages.as_user("viewer")
    (_, session), *_ = dots(client.get(f"/delivery?id={ids.to_text(pages.world.outbound)}").text)
    for domains, status in (("example.com", 200), ("elsewhere.example", 404), ("", 200)):
        User.update(domains=domains).where(User.name == "viewer").execute()
        assert client.get(f"/session/{session}/part").status_code == status, domains


def test_the_api_gives_them_too(pages: Pages) -> None:
    user = User.get(User.name == "viewer")
    ApiToken.create(user_id=user.id, name="t", digest=profile.digest("mw_sessions"), created=0.0)
    client, header = pages.app.test_client(), {"Authorization": "Bearer mw_sessions"}
    path = f"/api/v1/delivery?id={ids.to_text(pages.world.outbound)}"
    rows = client.get(path, headers=header).get_json()["rows"]
    assert rows and all(row["session_reconstructed"] and row["tls"] for row in rows)
    view = client.get(f"/api/v1/sessions/{rows[0]['session_id']}", headers=header).get_json()
    assert view["reconstructed"] and view["lines"] and view["deliveries"] == rows[:1]


def test_hostile_replies_stay_text(pages: Pages) -> None:
    client = pages.as_user("viewer")
    models.Delivery.update(
        session_id=None,
        reply="host x[y] said: 550 <script>alert(1)</script>\u202e (in reply to DATA command)",
    ).execute()
    try:
        for _, session in dots(client.get(f"/delivery?id={ids.to_text(pages.world.failed)}").text):
            part = client.get(f"/session/{session}/part").text
            assert "&lt;script&gt;" in part and "<script>" not in part and "\u202e" not in part
            assert "&gt; DATA" in part or "DATA</span>" in part
    finally:
        db.connect(pages.config, migrate=False)
