"""Policies on the pages: what is entered is what decides, has its history, and survives a mistake."""

import json
import time
from datetime import date
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from mailweir.agent import publish
from mailweir.agent.health import Health
from mailweir.content.findings import Finding
from mailweir.errors import InputError
from mailweir.policies.scopes import AllowEntry
from mailweir.policies.verdict import Action, decide
from mailweir.records import audit, models
from mailweir.records.models import Audit
from mailweir.records.words import Direction
from mailweir.webui import allow_text
from tests.unit.webui_client import Pages, hidden

DEFAULT = "/policies/default/0/filtering"
ZIP = [Finding("encrypted-zip", "2/report.zip")]


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """An application of its own."""
    return Pages(tmp_path)


@pytest.fixture
def client(pages: Pages) -> FlaskClient:
    """The administrator's browser."""
    return pages.as_user("administrator")


def save(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    """Fill in a form and save it; dots in field names are written as two underscores."""
    form = hidden(client.get(path).text)
    return client.post(path, data=form | {name.replace("__", "."): value for name, value in fields.items()})


def action(sender: str, recipient: str, direction: Direction = Direction.INBOUND) -> Action:
    """What the stored policies say to an encrypted archive."""
    return decide(
        publish.load(), direction=direction, sender=sender, recipient=recipient, findings=ZIP, now=time.time()
    ).action


def test_a_trusted_partner_may_receive_encrypted_mail(client: FlaskClient) -> None:
    assert action("bob@example.com", "eve@partner.example", Direction.OUTBOUND) is Action.STALL
    answer = save(
        client, DEFAULT, outbound__encrypted="allow-list", outbound__list=".partner.example # contract 7"
    )
    assert answer.status_code == 302
    page = client.get(DEFAULT).text
    assert ".partner.example # contract 7" in page and "Allow messages to the address(es)" in page
    assert action("bob@example.com", "eve@partner.example", Direction.OUTBOUND) is Action.ACCEPT
    assert action("bob@example.com", "eve@other.example", Direction.OUTBOUND) is Action.STALL
    assert action("x@partner.example", "bob@example.com") is Action.STALL  # the other direction is untouched
    entry = publish.load().scopes[0].allow[0]
    assert (entry.author, entry.note) == ("administrator", "contract 7")


def test_a_domain_and_a_group_narrow_the_default(pages: Pages, client: FlaskClient) -> None:
    form = hidden(client.get("/policies").text)
    made = client.post(
        "/policies/change", data=form | {"act": "add-domain", "name": "Example.COM", "ours": "yes"}
    )
    save(client, made.location, inbound__encrypted="reject")
    assert action("x@partner.example", "bob@example.com") is Action.REJECT
    assert action("x@partner.example", "bob@example.org") is Action.STALL
    made = client.post("/policies/change", data=form | {"act": "add-group", "name": "Accounting"})
    save(client, made.location, members="bob@example.com\n")
    save(client, made.location.replace("members", "filtering"), inbound__encrypted="allow")
    assert action("x@partner.example", "bob@example.com") is Action.ACCEPT
    assert action("x@partner.example", "dora@example.com") is Action.REJECT
    page = client.get("/policies?address=bob@example.com").text
    assert page.index("Group Accounting") < page.index("Domain example.com") < page.rindex("Default")
    tagged = "/policies?address=bob%2Blists@example.com"
    assert "Group Accounting" not in client.get(tagged).text
    agent = Health(recipient_delimiter="+-")
    agent.report(pages.config, time.time())
    assert "Group Accounting" in client.get(tagged).text, "as its node's Postfix treats extensions"
    client.post("/policies/change", data=form | {"act": "remove-group", "number": "1"})
    assert action("x@partner.example", "bob@example.com") is Action.REJECT


def test_a_mistake_in_the_list_is_named_and_nothing_typed_is_lost(client: FlaskClient) -> None:
    page = save(
        client, DEFAULT, inbound__encrypted="allow-list", inbound__list="good.example\nnot an address"
    ).text
    assert "inbound list, line 2" in page and "not an address" in page and "good.example" in page
    assert publish.load().scopes[0].fields == {}


def test_somebody_elses_change_is_not_overwritten(client: FlaskClient) -> None:
    stale = hidden(client.get(DEFAULT).text)
    save(client, DEFAULT, inbound__encrypted="reject")
    page = client.post(DEFAULT, data=stale | {"inbound.encrypted": "allow"}).text
    assert "somebody else has changed this policy" in page
    assert publish.load().scopes[0].fields == {"inbound.encrypted": "reject"}


def test_trying_out_lists_what_would_change_and_saves_nothing(pages: Pages, client: FlaskClient) -> None:
    page = save(client, DEFAULT, inbound__encrypted="allow", **{"try": "1"}).text
    assert "Not saved yet" in page and "carol@partner.example" in page and "Quarterly report" in page
    assert "2 recipients" in page
    assert 'value="allow" checked' in page
    assert publish.load().scopes[0].fields == {}


def test_the_history_tells_who_changed_what(client: FlaskClient) -> None:
    save(client, DEFAULT, inbound__encrypted="reject")
    save(client, DEFAULT, inbound__encrypted="allow-list", inbound__list="partner.example")
    page = client.get("/policies/default/0/history").text
    assert "administrator" in page and "reject" in page and "allow-list" in page and "partner.example" in page
    rows = [row for row in Audit.select() if row.what == "policy changed"]
    assert json.loads(rows[1].detail)["from"]["fields"] == {"inbound.encrypted": "reject"}
    assert audit.broken(models.database.obj) is None


def test_only_an_administrator_changes_policies(pages: Pages) -> None:
    operator = pages.as_user("operator")
    assert operator.get(DEFAULT).status_code == 200
    assert save(operator, DEFAULT, inbound__encrypted="allow").status_code == 403
    form = hidden(operator.get("/policies").text) | {"act": "add-group", "name": "x"}
    assert operator.post("/policies/change", data=form).status_code == 403
    assert publish.load().scopes[0].fields == {}
    assert operator.get("/policies").status_code == 200


def test_an_exported_list_can_be_put_in_again(client: FlaskClient) -> None:
    lines = "partner.example\n.big.example until 2030-01-31 # for a year\nsender eve@x.example\n"
    save(client, DEFAULT, inbound__encrypted="allow-list", inbound__list=lines)
    answer = client.get("/policies/default/0/inbound.txt")
    assert answer.text == lines and "attachment" in answer.headers["Content-Disposition"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.from_regex(r"\.?[a-z]{1,9}(\.[a-z]{2,5}){1,2}", fullmatch=True),
            st.sampled_from(["recipient", "sender"]),
            st.none() | st.dates(min_value=date(1971, 1, 1)),
            st.from_regex(r"([a-zA-Z0-9]+( [a-zA-Z0-9]+)*)?", fullmatch=True),
        ),
        unique_by=lambda item: (item[0], item[1]),
    )
)
def test_lists_survive_being_written_and_read(items: list[tuple[str, str, object, str]]) -> None:
    entries = [
        AllowEntry(
            Direction.OUTBOUND,
            pattern,
            party,
            allow_text.end_of(str(last)) if last else None,
            note,
            "anna",
            5.0,
        )
        for pattern, party, last, note in items
        if str(last) != "9999-12-31"
    ]
    text = allow_text.to_text(entries)
    assert allow_text.from_text(text, Direction.OUTBOUND, author="anna", now=5.0) == entries


@pytest.mark.parametrize("line", ["a b", "x@", "@x", "a.example until soon", "a.example until 2026-13-01"])
def test_a_line_that_is_no_entry(line: str) -> None:
    with pytest.raises(InputError):
        allow_text.parse(line, Direction.INBOUND, author="", now=0.0)
