"""Header and content on the pages: who may ask, who may see what was read, and how files leave."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mailweir.agent.entrusted import Entrusted
from mailweir.agent.reading import Letter, Reading
from mailweir.config import Web
from mailweir.errors import ConfigError
from mailweir.records import ids
from mailweir.records.models import Address, ApiToken, Audit, Command, Finding, Node, Recipient, User
from mailweir.records.words import CommandState
from mailweir.webui.create_app import create_app
from mailweir.webui.profile import digest
from tests.unit.test_webui_letter import MAIL
from tests.unit.webui_client import Pages, hidden


class Agent:
    """Carries out what the page asks for, as agent/commands.py does."""

    def __init__(self, pages: Pages) -> None:
        self._entrusted = Entrusted(pages.config)
        self._reading = Reading(pages.config, time.time)
        Node.update(seen=time.time()).execute()

    def work(self, *, state: CommandState = CommandState.DONE, result: str = "read") -> Command:
        command: Command = Command.select().order_by(Command.id.desc()).get()
        if state is CommandState.DONE:
            data = MAIL if command.action == "content" else MAIL.partition(b"\n\n")[0]
            self._reading.keep(command, Letter(data, len(data)), self._entrusted.take(command))
        Command.update(state=state, result=result).where(Command.id == command.id).execute()
        return command


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path)


@pytest.fixture
def agent(pages: Pages) -> Agent:
    return Agent(pages)


def path(pages: Pages, tail: str = "content") -> str:
    return f"/message/{ids.to_text(pages.world.stalled)}/{tail}"


def ask(client: FlaskClient, pages: Pages, what: str) -> TestResponse:
    fields = hidden(client.get(path(pages)).text)
    return client.post(path(pages), data={**fields, "what": what})


def test_an_administrator_reads_it_and_nobody_else(pages: Pages, agent: Agent) -> None:
    client = pages.as_user("administrator")
    assert "Show header and content" in client.get(path(pages)).text
    assert ask(client, pages, "content").location == path(pages)
    assert "has not read it yet" in client.get(path(pages)).text
    command = agent.work()
    assert (command.action, command.by_user) == ("content", "administrator")
    page = client.get(path(pages)).text
    assert "Café &lt;b&gt;" in page and "Grüße" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "<script>alert" not in page
    assert "\\u202e" in page and "\u202e" not in page
    assert [row.what for row in Audit.select()] == ["content requested"]
    other = pages.as_user("operator")
    with client.session_transaction() as session, other.session_transaction() as theirs:
        theirs["reading"] = session["reading"]
    assert "Grüße" not in other.get(path(pages)).text
    assert other.get(path(pages, "file?part=1")).status_code == 403


def test_an_operator_sees_the_header_only(pages: Pages, agent: Agent) -> None:
    client = pages.as_user("operator")
    assert "Show header and content" not in client.get(path(pages)).text
    assert ask(client, pages, "content").status_code == 403
    assert Command.select().count() == 0
    ask(client, pages, "headers")
    agent.work()
    page = client.get(path(pages)).text
    assert "Café &lt;b&gt;" in page and "Grüße" not in page
    assert client.get(path(pages, "file?part=1")).status_code == 403


def test_a_viewer_sees_nothing_of_it(pages: Pages, agent: Agent) -> None:
    client = pages.as_user("viewer")
    for tail in ("content", "file?part=1"):
        assert client.get(path(pages, tail)).status_code == 403
    assert "Header and content" not in client.get(f"/message/{ids.to_text(pages.world.stalled)}").text


def test_the_role_is_a_setting(tmp_path: Path) -> None:
    pages = Pages(tmp_path, web=Web(act_wait=0.0, content_role="operator"))
    Agent(pages)
    assert ask(pages.as_user("operator"), pages, "content").status_code == 302
    wrong = dataclasses.replace(pages.config, web=Web(content_role="chief"))
    with pytest.raises(ConfigError, match=r"web\.content_role"):
        create_app(wrong)


def test_a_file_is_stored_after_a_warning(pages: Pages, agent: Agent) -> None:
    client = pages.as_user("administrator")
    ask(client, pages, "content")
    agent.work()
    found = [part for part in client.get(path(pages)).text.split('"') if "/file?part=3" in part]
    where = found[0].replace("&amp;", "&")
    warned = client.get(where)
    assert "Store this file?" in warned.text and warned.mimetype == "text/html"
    answer = client.get(where + "&sure=1")
    assert answer.data == b"PK\x03\x04" and answer.content_type == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    Finding.delete().execute()
    assert client.get(where).data == b"PK\x03\x04"
    assert client.get(path(pages, "file?part=9")).status_code == 404


def test_what_cannot_be_read_is_said(pages: Pages, agent: Agent) -> None:
    client = pages.as_user("administrator")
    ask(client, pages, "content")
    agent.work(state=CommandState.REFUSED, result="it has left the queue")
    page = client.get(path(pages)).text
    assert "It cannot be read:" in page and "it has left the queue" in page
    ask(client, pages, "all")
    assert "to read" in client.get(path(pages)).text
    Node.update(seen=0.0).execute()
    ask(client, pages, "content")
    assert "does not run" in client.get(path(pages)).text


def test_it_is_kept_for_minutes(pages: Pages, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    client = pages.as_user("administrator")
    ask(client, pages, "content")
    agent.work()
    later = time.time() + pages.config.agent.content_keep + 1
    monkeypatch.setattr("mailweir.webui.content.time.time", lambda: later)
    page = client.get(path(pages)).text
    assert "not kept any longer" in page and "Grüße" not in page
    assert client.get(path(pages, "file?part=1")).status_code == 404


def test_a_message_of_others_is_not_there(pages: Pages, agent: Agent) -> None:
    client = pages.as_user("administrator")
    User.update(domains="elsewhere.example").where(User.name == "administrator").execute()
    for answer in (client.get(path(pages)), client.get(path(pages, "file?part=1"))):
        assert answer.status_code == 404


def test_a_message_that_others_got_too_is_not_read_by_a_user_of_one_domain(
    pages: Pages, agent: Agent
) -> None:
    """Its header and text name the others."""
    user, number = User.get(User.name == "administrator"), pages.world.stalled
    first = Recipient.select().where(Recipient.message_id == number).dicts().get()
    own = Address.get_by_id(first["address_id"]).address.rpartition("@")[2]
    User.update(domains=own).where(User.name == "administrator").execute()
    ApiToken.create(user_id=user.id, name="t", digest=digest("mw_a"), created=time.time())
    client, program = pages.as_user("administrator"), pages.app.test_client()
    who, wanted = {"Authorization": "Bearer mw_a"}, {"mail_in_id": ids.to_text(number), "what": "content"}
    message = f"/message/{ids.to_text(number)}"
    assert ask(client, pages, "content").status_code == 302, "all recipients are of the domain"
    assert "Header and content" in client.get(message).text
    asked = program.post("/api/v1/reads", json=wanted, headers=who)
    agent.work()
    where, key = f"/api/v1/reads/{asked.json['read']}", {"Mailweir-Key": asked.json["key"]}
    assert program.get(where, headers=who | key).json["header"]

    other = Address.create(
        address="x@other.example", folded="x@other.example", domain_reversed="elpmaxe.rehto"
    )
    Recipient.insert(first | {"address_id": other.id}).execute()
    for tail in ("content", "file?part=1"):
        refused = client.get(path(pages, tail))
        assert refused.status_code == 403 and "recipients outside your domains" in refused.text
    fields = hidden(client.get("/mail-in").text)
    before = Command.select().count()
    assert client.post(path(pages), data={**fields, "what": "headers"}).status_code == 403
    assert program.post("/api/v1/reads", json=wanted, headers=who).status_code == 403
    assert Command.select().count() == before
    for tail in ("", "/file?part=1"):
        assert program.get(where + tail, headers=who | key).status_code == 404
    page = client.get(message)
    assert page.status_code == 200 and "Header and content" not in page.text


def test_a_program_reads_the_same(pages: Pages, agent: Agent) -> None:
    for name in ("administrator", "operator"):
        user = User.get(User.name == name)
        ApiToken.create(user_id=user.id, name="t", digest=digest(f"mw_{name}"), created=time.time())
    client, who = pages.app.test_client(), {"Authorization": "Bearer mw_administrator"}
    wanted = {"mail_in_id": ids.to_text(pages.world.stalled), "what": "content"}
    asked = client.post("/api/v1/reads", json=wanted, headers=who)
    assert asked.status_code == 202
    where, key = f"/api/v1/reads/{asked.json['read']}", {"Mailweir-Key": asked.json["key"]}
    assert client.get(where, headers=who | key).json["state"] == "requested"
    agent.work()
    told = client.get(where, headers=who | key).json
    assert told["state"] == "done" and told["header"][1]["meaning"] == "Café <b>"
    assert [part["text"] for part in told["parts"]] == ["Grüße", "<script>alert(1)</script>", None]
    file = client.get(f"{where}/file", query_string={"part": told["parts"][2]["path"]}, headers=who | key)
    assert file.data == b"PK\x03\x04" and file.content_type == "application/octet-stream"
    for wrong in ({}, {"Mailweir-Key": "0" * 64}, {"Mailweir-Key": "x"}):
        assert client.get(where, headers=who | wrong).json["header"] == []
        assert client.get(f"{where}/file?part=1", headers=who | wrong).status_code == 404
    other = {"Authorization": "Bearer mw_operator"}
    assert client.get(where, headers=other | key).status_code == 404
    assert client.post("/api/v1/reads", json=wanted, headers=other).status_code == 403
    assert client.post("/api/v1/reads", json=wanted | {"what": "headers"}, headers=other).status_code == 202
