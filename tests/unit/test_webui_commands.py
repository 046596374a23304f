"""Acts through the pages: what is asked for, once, by whom and why, and never on mail that is not theirs."""

import re
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mailweir.agent.entrusted import Entrusted
from mailweir.config import Web
from mailweir.records import ids, search
from mailweir.records.models import Address, Command, Node, Sealed, User
from mailweir.records.words import CommandState
from tests.unit.webui_client import Pages, hidden


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """An application of its own: these tests leave commands behind."""
    return Pages(tmp_path)


def act(client: FlaskClient, action: str, *items: str, **more: str) -> TestResponse:
    """Press a button of the quarantine page with these boxes selected."""
    fields = hidden(client.get("/quarantine").text)
    return client.post("/act", data={**fields, "action": action, "item": list(items), **more})


def asked() -> list[tuple[str, str | None, str, str]]:
    """The commands in the database: action, recipient, user, reason."""
    names = {row.id: row.address for row in Address.select()}
    rows = Command.select().order_by(Command.id)
    return [(row.action, names.get(row.address_id), row.by_user, row.reason) for row in rows]


def test_retry_is_asked_for_at_once(pages: Pages) -> None:
    client = pages.as_user("operator")
    answer = act(client, "retry", ids.to_text(pages.world.stalled))
    assert answer.status_code == 302 and answer.location.startswith("/quarantine?acted=")
    assert asked() == [("retry", None, "operator", "")]
    assert "Retry requested" in client.get(answer.location).text


def test_force_wants_a_reason_first(pages: Pages) -> None:
    client = pages.as_user("operator")
    item = ids.to_text(pages.world.stalled) + " bob@example.com"
    page = act(client, "force", item).text
    assert "Force this message?" in page and asked() == []
    fields = hidden(page)
    assert fields["item"] == item
    page = client.post("/act", data=fields | {"reason": "  "}).text
    assert "Say why" in page and asked() == []
    assert client.post("/act", data=fields | {"reason": "known partner"}).status_code == 302
    assert asked() == [("force", "bob@example.com", "operator", "known partner")]


def test_delete_is_confirmed(pages: Pages) -> None:
    client = pages.as_user("operator")
    page = act(client, "delete", ids.to_text(pages.world.stalled)).text
    assert "cannot be undone" in page and asked() == []
    client.post("/act", data=hidden(page))
    assert asked() == [("delete", None, "operator", "")]


def test_sending_a_form_twice_asks_once(pages: Pages) -> None:
    client = pages.as_user("operator")
    fields = hidden(client.get("/quarantine").text)
    fields |= {"action": "retry", "item": ids.to_text(pages.world.stalled)}
    assert [client.post("/act", data=fields).status_code for _ in range(3)] == [302] * 3
    assert len(asked()) == 1


def test_one_item_that_cannot_be_acted_on_does_not_stop_the_others(pages: Pages) -> None:
    client = pages.as_user("operator")
    gone = ids.to_text(pages.world.delivered)
    answer = act(client, "retry", gone, ids.to_text(pages.world.stalled))
    assert asked() == [("retry", None, "operator", "")]
    page = client.get(answer.location).text
    assert gone in page and "nothing of it is in the queue any more" in page


def test_what_the_agent_said_is_shown(pages: Pages) -> None:
    client = pages.as_user("operator")
    answer = act(client, "retry", ids.to_text(pages.world.stalled))
    key = re.search(r"acted=(\w+)", answer.location)
    assert key and "data-again" in client.get(f"/act/{key[1]}").text
    Command.update(state=CommandState.REFUSED, result="the queue ID is another message's now").execute()
    page = client.get(f"/act/{key[1]}").text
    assert "Retry refused" in page and "the queue ID is another message&#39;s now" in page
    assert "data-again" not in page


def test_a_limited_user_acts_only_on_recipients_of_the_own_domain(pages: Pages) -> None:
    User.update(domains="other.example").where(User.name == "operator").execute()
    client = pages.as_user("operator")
    item = ids.to_text(pages.world.stalled)
    assert item not in client.get("/quarantine").text
    assert client.get(f"/message/{item}").status_code == 404
    fields = hidden(client.get("/mail-in").text)
    fields |= {"action": "retry", "key": "0" * 32, "item": item}
    client.post("/act", data=fields)
    client.post("/act", data=fields | {"item": item + " bob@example.com"})
    assert asked() == []
    User.update(domains="example.com").where(User.name == "operator").execute()
    client.post("/act", data=fields)
    assert {row[1] for row in asked()} == {"bob@example.com", "dora@example.com"}


def test_a_limited_user_sees_no_session_shared_with_others(pages: Pages) -> None:
    session = ids.to_text(pages.world.sessions[0])
    client = pages.as_user("viewer")
    assert client.get(f"/session/{session}").status_code == 200
    User.update(domains="other.example").where(User.name == "viewer").execute()
    assert client.get(f"/session/{session}").status_code == 404
    assert client.get(f"/session/{session}/part").status_code == 404


@pytest.mark.parametrize("broken", [{"action": "explode"}, {"key": "x"}, {"item": "no such id"}])
def test_a_broken_form_is_an_error_not_an_act(pages: Pages, broken: dict[str, str]) -> None:
    client = pages.as_user("operator")
    item = ids.to_text(pages.world.stalled)
    fields = hidden(client.get("/quarantine").text) | {"action": "retry", "item": item} | broken
    assert client.post("/act", data=fields).status_code == 400
    assert asked() == []


def test_all_that_match_is_confirmed_and_means_every_page(pages: Pages) -> None:
    client = pages.as_user("operator")
    fields = hidden(client.get("/quarantine?from=ivan@partner.example").text)
    fields |= {"action": "force", "all": "1"}
    page = client.post("/act", data=fields).text
    assert "Force all that match?" in page and asked() == []
    answer = client.post("/act", data=hidden(page) | {"reason": "both known"})
    assert answer.location.startswith("/quarantine?from=ivan")
    assert [row[0] for row in asked()] == ["force"]
    page = client.post(
        "/act", data=hidden(client.get("/quarantine").text) | {"action": "force", "all": "1"}
    ).text
    client.post("/act", data=hidden(page) | {"reason": "both known"})
    assert {row.message_id for row in Command.select()} >= {pages.world.stalled} and len(asked()) == 3


def test_a_limited_user_cannot_act_on_all(pages: Pages) -> None:
    User.update(domains="example.com").where(User.name == "operator").execute()
    client = pages.as_user("operator")
    page = client.get("/quarantine").text
    assert 'name="all"' not in page
    fields = hidden(page) | {"action": "force", "all": "1", "confirmed": "1", "reason": "x"}
    assert "select messages one by one" in client.post("/act", data=fields, follow_redirects=True).text
    assert asked() == []


def test_a_password_goes_to_the_agent_and_is_kept_nowhere(pages: Pages) -> None:
    client = pages.as_user("operator")
    path = f"/message/{ids.to_text(pages.world.stalled)}"
    page = client.get(path).text
    assert "Unlock and scan" in page
    fields = hidden(page) | {"password": "hunter2hunter2"}
    answer = client.post(path + "/unlock", data=fields, follow_redirects=True).text
    assert "the agent of" in answer and "hunter2" not in answer  # no agent runs here
    assert "Unlock and scan" not in client.get(f"/message/{ids.to_text(pages.world.failed)}").text
    viewer = pages.as_user("viewer")
    assert "Unlock and scan" not in viewer.get(path).text
    fields = hidden(viewer.get("/mail-in").text) | {"password": "x"}
    assert viewer.post(path + "/unlock", data=fields).status_code == 403


def test_the_quarantine_tries_one_password_on_what_is_selected(pages: Pages) -> None:
    Entrusted(pages.config)  # an agent that has published its key …
    Node.update(seen=time.time()).execute()  # … and lives
    client = pages.as_user("operator")
    stalled = [ids.to_text(row.id) for row in search.quarantine(search.Filter())]
    assert len(stalled) == 2
    page = act(client, "unlock", *stalled).text
    assert "Unlock 2 messages?" in page and 'type="password"' in page and asked() == []
    fields = hidden(page) | {"item": stalled}
    assert "Give the password." in client.post("/act", data=fields | {"password": ""}).text and asked() == []
    for _ in range(2):  # a double click
        answer = client.post("/act", data=fields | {"password": "hunter2hunter2"})
    assert "acted=" in answer.location and "hunter2" not in answer.location
    assert asked() == [("unlock", None, "operator", "")] * 2 and Sealed.select().count() == 2
    assert client.get(answer.location).text.count("Unlock requested") == 2
    kept = Path(pages.config.state_dir, "mailweir.db")
    assert all(b"hunter2" not in one.read_bytes() for one in kept.parent.glob("mailweir.db*"))
    many = hidden(page) | {"item": [f"{stalled[0]} {number}@example.com" for number in range(21)]}
    assert "at most 20 messages" in client.post("/act", data=many | {"password": "x"}).text


def test_a_password_is_tried_for_a_limited_users_own_recipients_only(pages: Pages) -> None:
    Entrusted(pages.config)
    Node.update(seen=time.time()).execute()
    User.update(domains="example.org").where(User.name == "operator").execute()
    client = pages.as_user("operator")
    fields = hidden(client.get("/profile").text) | {"key": "0" * 32, "action": "unlock", "password": "x"}
    answer = client.post(
        "/act", data=fields | {"item": ids.to_text(pages.world.stalled)}, follow_redirects=True
    )
    assert "there is nothing of it to act on" in answer.text and asked() == []


@pytest.mark.parametrize(("proxies", "seen"), [(0, "127.0.0.1"), (1, "203.0.113.9"), (2, "198.51.100.7")])
def test_the_address_behind_proxies_is_the_one_that_they_saw(tmp_path: Path, proxies: int, seen: str) -> None:
    """Each proxy adds what it saw at the end; what a client wrote before that is believed by nobody."""
    pages = Pages(tmp_path, web=Web(act_wait=0.0, proxies=proxies))
    client = pages.as_user("operator")
    fields = hidden(client.get("/quarantine").text)
    fields |= {"action": "retry", "item": ids.to_text(pages.world.stalled)}
    chain = "192.0.2.66, 198.51.100.7, 203.0.113.9"
    assert client.post("/act", data=fields, headers={"X-Forwarded-For": chain}).status_code == 302
    assert [command.by_ip for command in Command.select()] == [seen]
