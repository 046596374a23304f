"""Guessing passwords is slowed down for all processes together, and keeps no user out where he is known."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from mailweir.records import logins, models
from mailweir.records.models import LoginAddress, LoginThrottle
from mailweir.webui.create_app import create_app
from tests.unit.webui_client import PASSWORD, Pages, hidden, log_in

HOME, ELSEWHERE = "198.51.100.7", "203.0.113.5"


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """An application of its own."""
    made = Pages(tmp_path)
    models.database.connect(reuse_if_open=True)
    return made


def attempt(pages: Pages, ip: str, name: str = "viewer", password: str = "wrong one") -> TestResponse:
    client = pages.app.test_client()
    client.environ_base["REMOTE_ADDR"] = ip
    return log_in(client, name, password)


def test_another_process_knows_of_the_attempts(pages: Pages) -> None:
    for _ in range(10):
        assert attempt(pages, HOME).status_code == 401
    pages.app = create_app(pages.config)
    answer = attempt(pages, HOME)
    assert answer.status_code == 429 and "Too many attempts: wait" in answer.text
    assert 1 <= int(answer.headers["Retry-After"]) <= 6
    assert hidden(answer.text) is not None and 'name="password"' in answer.text, "the form is there again"


def test_an_address_is_slowed_down_whatever_the_names(pages: Pages) -> None:
    answers = [attempt(pages, ELSEWHERE, f"guess{number}").status_code for number in range(11)]
    assert answers == [401] * 10 + [429]
    assert attempt(pages, HOME, "viewer", PASSWORD).status_code == 302


def test_a_flood_from_everywhere_does_not_lock_out_the_user_where_he_is_known(pages: Pages) -> None:
    assert attempt(pages, HOME, "viewer", PASSWORD).status_code == 302
    answers = [attempt(pages, f"203.0.113.{number}").status_code for number in range(12)]
    assert answers == [401] * 10 + [429] * 2
    assert attempt(pages, ELSEWHERE, "VIEWER").status_code == 429, "in any spelling"
    assert attempt(pages, HOME, "viewer", PASSWORD).status_code == 302
    LoginAddress.update(last=time.time() - logins.KNOWN - 1).execute()
    assert attempt(pages, HOME, "viewer", PASSWORD).status_code == 429, "no more his own after a month"
    LoginThrottle.update(until=LoginThrottle.until - 60).execute()  # a minute later
    assert attempt(pages, ELSEWHERE, "viewer", PASSWORD).status_code == 302


def test_unknown_names_are_slowed_down_like_known_ones(pages: Pages) -> None:
    for name in ("viewer", "nobody-of-that-name"):
        answers = [attempt(pages, f"203.0.113.{number}", name).status_code for number in range(11)]
        assert answers == [401] * 10 + [429], name
        LoginThrottle.delete().execute()
    attempt(pages, HOME, "my-password-typed-as-name")
    assert not [row for row in LoginThrottle.select() if "password" in row.name]


def test_right_log_ins_never_count(pages: Pages) -> None:
    for _ in range(25):
        assert attempt(pages, HOME, "viewer", PASSWORD).status_code == 302
    assert LoginThrottle.select().where(LoginThrottle.until > time.time() + 1).count() == 0


@pytest.mark.parametrize(
    ("ip", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("no address" * 20, ("no address" * 20)[:64]),
    ],
)
def test_what_counts_as_one_address(ip: str, counted: str) -> None:
    assert logins.network(ip) == counted
