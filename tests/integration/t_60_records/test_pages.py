"""Every page over either database: it answers, and shows what it must."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mailweir.config import Web
from mailweir.records import db, ids, models
from mailweir.webui import accounts
from mailweir.webui.create_app import create_app
from tests.browser.seed import World, sow
from tests.integration.t_60_records.conftest import configured
from tests.unit.webui_client import PASSWORD, hidden, log_in

NO_ANSWER_ALONE = {"login.log_in", "static", "live.stream"}


@pytest.fixture
def house(new_url: Callable[[], str], tmp_path: Path) -> Iterator[tuple[Flask, World]]:
    config = dataclasses.replace(configured(new_url()), state_dir=str(tmp_path), web=Web(act_wait=0.0))
    database = db.connect(config)
    with database.atomic():
        world = sow(time.time(), extra=5)
        accounts.add("anna", PASSWORD, role="administrator", clock=time.time)
        models.Group.create(name="Partners", position=1)
    database.close()
    yield create_app(config), world
    models.database.initialize(None)


@pytest.fixture
def client(house: tuple[Flask, World]) -> FlaskClient:
    client = house[0].test_client()
    assert log_in(client, "anna", PASSWORD).status_code == 302
    return client


def test_every_page_answers(house: tuple[Flask, World], client: FlaskClient) -> None:
    app, world = house
    adapter = app.url_map.bind("localhost")
    message, session = ids.to_text(world.stalled), ids.to_text(world.sessions[0])
    known = {"kind": "default", "number": 0, "side": "inbound", "key": "0" * 32}
    walked = set()
    with app.app_context():
        for rule in app.url_map.iter_rules():
            if "GET" not in (rule.methods or ()) or rule.endpoint.startswith("api."):
                continue
            if rule.endpoint in NO_ANSWER_ALONE:
                continue
            values = known | {"identifier": session if rule.endpoint.startswith("session.") else message}
            if rule.endpoint == "policies.members":
                values["number"] = models.Group.get().id
            path = adapter.build(rule.endpoint, {name: values[name] for name in rule.arguments})
            answer = client.get(path)
            expected = {"content.file": 404, "start.start": 302}.get(rule.endpoint, 200)
            assert answer.status_code == expected, path
            walked.add(rule.endpoint)
    assert len(walked) > 20


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/mail-in?q=price+list", "Price list for the new year"),
        ("/mail-in?q=to:grace@full.example", "Price list for the new year"),
        ("/quarantine?each=1", "Quarterly report"),
        ("/pending?status=deferred", "greylisting"),
        ("/pending/groups?by=reason", "greylisting"),
        ("/delivery?status=bounced", "550 5.1.1"),
        ("/delivery.csv?status=bounced", "550 5.1.1"),
        ("/rejected?q=bulk", "host.bulk.example"),
        ("/overview", "There is no such mailbox"),
    ],
)
def test_what_a_search_shows(client: FlaskClient, path: str, shown: str) -> None:
    assert shown in client.get(path).text


def test_a_policy_is_changed_and_an_act_is_asked_for(house: tuple[Flask, World], client: FlaskClient) -> None:
    path = "/policies/default/0/filtering"
    fields = hidden(client.get(path).text) | {"inbound.encrypted": "allow"}
    assert client.post(path, data=fields).status_code == 302
    assert "inbound.encrypted" in client.get("/policies/default/0/history").text
    fields = hidden(client.get("/quarantine").text)
    fields |= {"action": "retry", "item": ids.to_text(house[1].stalled)}
    answer = client.post("/act", data=fields)
    assert "Retry requested" in client.get(answer.location).text
    assert "retry requested" in client.get("/system/audit").text
