"""Allow lists entry by entry and from files: one act changes one entry, a bad file changes nothing."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from mailweir.agent import publish
from mailweir.errors import InputError
from mailweir.records import audit, models
from mailweir.records.words import Direction
from mailweir.webui import allow_text
from tests.unit.webui_client import Pages, hidden

LIST = "/policies/default/0/inbound-list"


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """An application of its own."""
    return Pages(tmp_path)


@pytest.fixture
def client(pages: Pages) -> FlaskClient:
    """The administrator's browser."""
    return pages.as_user("administrator")


def act(client: FlaskClient, name: str, entry: str = "", path: str = LIST, **fields: str) -> TestResponse:
    form = hidden(client.get(path).text) | {"act": name, "entry": entry}
    return client.post(path, data=form | fields)


def upload(client: FlaskClient, content: bytes, **fields: str) -> TestResponse:
    form = hidden(client.get(LIST).text) | {"act": "import"} | fields
    return client.post(LIST, data=form | {"file": (io.BytesIO(content), "list.txt")})


def listed(direction: Direction = Direction.INBOUND) -> list[str]:
    return [allow_text.line(one) for one in publish.load().scopes[0].allow if one.direction is direction]


def test_single_entries_are_added_changed_and_removed(client: FlaskClient) -> None:
    act(client, "save", path="/policies/default/0/outbound-list", pattern="other.example", party="recipient")
    act(
        client,
        "save",
        pattern="partner.example",
        party="recipient",
        last="2030-01-31",
        note=" contract  # 7 ",
    )
    act(client, "save", pattern="eve@x.example", party="sender")
    first = "partner.example until 2030-01-31 # contract # 7"
    assert listed() == [first, "sender eve@x.example"]
    page = client.get(LIST, query_string={"entry": first}).text
    assert 'value="partner.example"' in page and 'value="2030-01-31"' in page and "Change the entry" in page
    answer = act(client, "save", first, pattern=".partner.example", party="recipient", note="all of them")
    assert answer.status_code == 302
    assert listed() == [".partner.example # all of them", "sender eve@x.example"], "in its place"
    assert act(client, "remove", "sender eve@x.example").status_code == 302
    assert listed() == [".partner.example # all of them"]
    assert listed(Direction.OUTBOUND) == ["other.example"], "the other list is left alone"
    assert audit.broken(models.database.obj) is None
    assert ".partner.example" in client.get("/policies/default/0/history").text


def test_what_somebody_changed_meanwhile_is_refused(client: FlaskClient) -> None:
    act(client, "save", pattern="partner.example", party="recipient")
    act(client, "save", "partner.example", pattern="partner.example", party="recipient", note="new")
    answer = act(client, "remove", "partner.example")
    assert answer.status_code == 200 and "Somebody else has changed this entry" in answer.text
    assert listed() == ["partner.example # new"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"pattern": "two words", "party": "recipient"}, "is not ADDRESS or DOMAIN"),
        ({"pattern": "a#b@x.example", "party": "recipient"}, "is not ADDRESS or DOMAIN"),
        ({"pattern": "x.example", "party": "nobody"}, "is not ADDRESS or DOMAIN"),
        ({"pattern": "x.example", "party": "recipient", "last": "soon"}, "is no date"),
        ({"pattern": "x.example", "party": "recipient", "note": "n" * 301}, "at most 300 characters"),
        ({"pattern": "There.example", "party": "recipient"}, "stands in the list already"),
    ],
)
def test_a_mistake_is_named_and_keeps_what_was_typed(
    client: FlaskClient, fields: dict[str, str], words: str
) -> None:
    act(client, "save", pattern="there.example", party="recipient")
    answer = act(client, "save", **fields)
    assert answer.status_code == 200 and words in answer.text
    assert f'value="{fields["pattern"]}"' in answer.text
    assert listed() == ["there.example"]


def test_a_file_adds_or_replaces_and_comes_out_again_as_it_went_in(client: FlaskClient) -> None:
    act(client, "save", pattern="old.example", party="recipient")
    act(client, "save", pattern="same.example", party="recipient", note="before")
    text = "# ours\n\nsame.example # after\nsender eve@x.example until 2031-05-01\n"
    assert upload(client, b"\xef\xbb\xbf" + text.encode()).status_code == 302
    kept = ["old.example", "same.example # after", "sender eve@x.example until 2031-05-01"]
    assert listed() == kept
    exported = client.get("/policies/default/0/inbound.txt").data
    assert exported.decode().splitlines() == kept
    assert upload(client, b"only.example\n", replace="1").status_code == 302
    assert listed() == ["only.example"]
    assert upload(client, exported, replace="1").status_code == 302
    assert client.get("/policies/default/0/inbound.txt").data == exported


def test_a_bad_file_is_told_line_by_line_and_changes_nothing(client: FlaskClient) -> None:
    act(client, "save", pattern="there.example", party="recipient")
    answer = upload(client, b"good.example\nnot an address\nx.example until never\n<script>x</script> y\n")
    assert answer.status_code == 200
    for words in ("line 2: ", "line 3: ", "line 4: "):
        assert words in answer.text
    assert "<script>x" not in answer.text
    assert "line 20: " in upload(client, b"bad line\n" * 50).text
    assert "line 21: " not in upload(client, b"bad line\n" * 50).text
    assert "not text in UTF-8" in upload(client, b"caf\xe9.example\n").text
    assert "no entry in the file" in upload(client, b"# nothing\n").text
    too_many = "".join(f"d{number}.example\n" for number in range(allow_text.MAX_ENTRIES + 1))
    assert "at most 20000 entries" in upload(client, too_many.encode()).text
    assert "Choose a file first" in act(client, "import").text
    assert listed() == ["there.example"]


def test_only_an_administrator_changes_a_list(pages: Pages) -> None:
    operator = pages.as_user("operator")
    page = operator.get(LIST).text
    assert "Import a file" not in page and "Add an entry" not in page
    assert act(operator, "save", pattern="x.example", party="recipient").status_code == 403
    assert upload(operator, b"x.example\n").status_code == 403
    assert listed() == []


@given(
    pattern=st.text(max_size=20) | st.sampled_from(["x.example", ".x.example", "a@x.example"]),
    note=st.text(max_size=40),
    last=st.sampled_from(["", "2030-02-28"]),
    party=st.sampled_from(["sender", "recipient"]),
)
def test_an_entry_that_is_taken_reads_the_same_as_a_line(
    pattern: str, note: str, last: str, party: str
) -> None:
    fields = {"pattern": pattern, "note": note, "last": last, "party": party}
    try:
        entry = allow_text.from_fields(fields, Direction.INBOUND, author="a", now=1.0)
    except InputError:
        return
    assert allow_text.parse(allow_text.line(entry), Direction.INBOUND, author="a", now=1.0) == entry
    assert allow_text.from_fields(allow_text.typed(entry), Direction.INBOUND, author="a", now=1.0) == entry
