"""Users, roles, limits, second factor, tokens and profile: each right is given, used, taken and noted."""

import re
import time
from pathlib import Path

import pyotp
import pytest

from mailweir.errors import InputError
from mailweir.records import audit, models
from mailweir.records.models import ApiToken, Audit, Node, User
from mailweir.webui import accounts, second_factor
from tests.unit.webui_client import PASSWORD, Pages, hidden, log_in


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """An application of its own."""
    return Pages(tmp_path)


def test_an_administrator_adds_a_limited_operator_who_can_log_in(pages: Pages) -> None:
    client = pages.as_user("administrator")
    form = hidden(client.get("/system/users").text)
    page = client.post(
        "/system/users",
        data=form | {"name": "otto", "role": "operator", "domains": "Example.org, other.example"},
    ).text
    password = re.search(r'id="password">([^<]+)<', page)
    assert password
    user = User.get(User.name == "otto")
    assert (user.role, user.domains) == ("operator", "example.org other.example")
    otto = pages.app.test_client()
    assert log_in(otto, "otto", password[1]).status_code == 302
    assert "Minutes of Tuesday" not in otto.get("/mail-in").text  # it went to example.com
    for path in ("/system/users", "/system/nodes", "/system/audit"):
        assert otto.get(path).status_code == 403, path
    client.post(
        f"/system/users/{user.id}", data=form | {"act": "rights", "role": "viewer", "domains": "example.com"}
    )
    assert "Minutes of Tuesday" in otto.get("/mail-in").text
    client.post(f"/system/users/{user.id}", data=form | {"act": "remove"})
    assert otto.get("/mail-in").status_code == 302
    assert [row.what for row in Audit.select()] == [
        "user otto added",
        "user otto changed",
        "user otto removed",
    ]


def test_only_administrators_see_and_change_users(pages: Pages) -> None:
    client = pages.as_user("operator")
    assert client.get("/system/users").status_code == 403
    form = hidden(client.get("/profile").text)
    assert client.post("/system/users", data=form | {"name": "x", "role": "administrator"}).status_code == 403
    number = User.get(User.name == "operator").id
    answer = client.post(f"/system/users/{number}", data=form | {"act": "rights", "role": "administrator"})
    assert answer.status_code == 403 and User.get_by_id(number).role == "operator"


def test_nobody_takes_the_own_rights_away(pages: Pages) -> None:
    client = pages.as_user("administrator")
    number = User.get(User.name == "administrator").id
    form = hidden(client.get("/system/users").text)
    for act in ("rights", "remove"):
        client.post(f"/system/users/{number}", data=form | {"act": act, "role": "viewer"})
    assert User.get_by_id(number).role == "administrator"


def test_a_second_factor_is_asked_for_and_each_code_works_once(pages: Pages) -> None:
    client = pages.as_user("viewer")
    page = client.get("/profile").text
    secret = re.search(r"<code>((?:[A-Z2-7]{4} ?){8})</code>", page)
    assert secret
    totp = pyotp.TOTP(secret[1].replace(" ", ""))
    now = time.time()
    form = hidden(page)
    client.post("/profile/second-factor", data=form | {"code": "000000" if totp.now() != "000000" else "1"})
    assert User.get(User.name == "viewer").totp == ""
    code = totp.at(now)
    client.post("/profile/second-factor", data=form | {"code": code})
    assert User.get(User.name == "viewer").totp
    fresh = pages.app.test_client()
    page = log_in(fresh, "viewer", PASSWORD).text
    assert "authenticator app" in page and fresh.get("/mail-in").status_code == 302
    token = re.search(r'name="csrf_token" type="hidden" value="([^"]+)"', page)
    assert token
    fields = {"csrf_token": token[1], "name": "viewer", "password": PASSWORD}
    assert fresh.post("/login", data=fields | {"code": code}).status_code == 401  # used when it was turned on
    assert fresh.post("/login", data=fields | {"code": totp.at(now + 30)}).status_code == 302


def test_codes_hold_for_a_step_before_and_after() -> None:
    secret, now = pyotp.random_base32(), 1_800_000_000.0
    for step in (-1, 0, 1):
        assert (
            second_factor.matching_step(secret, pyotp.TOTP(secret).at(now + 30 * step), now, 0)
            == now // 30 + step
        )
    assert second_factor.matching_step(secret, pyotp.TOTP(secret).at(now + 60), now, 0) is None
    assert second_factor.matching_step(secret, "１２３４５６", now, 0) is None


def test_the_password_is_changed_by_who_knows_the_old_one(pages: Pages) -> None:
    client, other = pages.as_user("viewer"), pages.as_user("viewer")
    form = hidden(client.get("/profile").text)
    new = {"new": "another fine day", "again": "another fine day"}
    client.post("/profile/password", data=form | {"old": "wrong"} | new)
    assert accounts.check("viewer", PASSWORD)
    client.post("/profile/password", data=form | {"old": PASSWORD} | new)
    assert accounts.check("viewer", "another fine day")
    assert client.get("/mail-in").status_code == 200 and other.get("/mail-in").status_code == 302


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaa", "anna-anna-anna", "XannaX12345"])
def test_passwords_that_are_too_easy(password: str) -> None:
    with pytest.raises(InputError):
        accounts.check_strength("anna", password)


def test_language_and_zone_are_the_users_own(pages: Pages) -> None:
    client = pages.as_user("viewer")
    form = hidden(client.get("/profile").text)
    client.post("/profile/display", data=form | {"language": "de", "zone": "Asia/Tokyo"})
    page = client.get("/mail-in").text
    assert '<html lang="de">' in page and "+09:00" in page and "JST" in page
    client.post("/profile/display", data=form | {"language": "xx", "zone": "../../etc/passwd"})
    page = client.get("/mail-in").text
    assert '<html lang="en">' in page and "+00:00" in page


def test_a_token_is_shown_once_and_stored_as_a_hash(pages: Pages) -> None:
    client = pages.as_user("viewer")
    page = client.post("/profile/tokens", data=hidden(client.get("/profile").text) | {"name": "monitor"}).text
    token = re.search(r"<code>(mw_[^<]+)</code>", page)
    assert token and token[1] not in client.get("/profile").text
    stored = ApiToken.get()
    assert token[1] not in (stored.digest, stored.name)
    client.post("/profile/tokens", data=hidden(page) | {"remove": str(stored.id)})
    assert ApiToken.select().count() == 0


def test_the_audit_page_checks_the_chain(pages: Pages) -> None:
    client = pages.as_user("administrator")
    for name in ("one", "two"):
        audit.append(models.database.obj, clock=time.time, who="anna", ip="::1", what=name)
    assert "The chain is whole" in client.get("/system/audit?check=1").text
    Audit.update(who="nobody").where(Audit.what == "one").execute()
    assert "The chain is broken at row 1" in client.get("/system/audit?check=1").text
    Node.update(health='{"problems": {"audit": "the audit trail was cut off"}}').execute()
    assert "the audit trail was cut off" in client.get("/system/audit").text
