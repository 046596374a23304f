"""A session for every SMTP attempt, recorded or put together from the log: in lists, commands and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from mailweir.config import Config
from mailweir.postlog.command import import_log
from mailweir.records import command, db, ids, models, search
from tests.integration.t_60_records.conftest import configured

LOGS = Path(__file__).parents[2] / "data/postlog"


@pytest.fixture
def config(new_url: Callable[[], str]) -> Iterator[Config]:
    """A configuration with an empty database."""
    yield configured(new_url())
    models.database.initialize(None)


def run(config: Config, name: click.Command, *arguments: str) -> str:
    """What a command prints."""
    done = CliRunner().invoke(name, list(arguments), obj=config)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def taken(config: Config, number: int) -> list[dict[str, Any]]:
    """The attempts of an incident, newest first."""
    run(config, import_log, str(next(LOGS.glob(f"{number:02}-*.log"))))
    return [json.loads(line) for line in run(config, command.delivery, "--json").splitlines()]


def test_put_together_where_nothing_was_recorded(config: Config) -> None:
    rows = taken(config, 5)
    assert {row["session_reconstructed"] for row in rows} == {True}
    refused = next(row for row in rows if row["status"] == "bounced")
    view = json.loads(run(config, command.session, refused["session_id"], "--json"))
    assert view["reconstructed"] and view["outcome"] == "bounced"
    assert view["lines"][-2] == "> RCPT TO:<unknown@far.example>" and view["lines"][-1].startswith(
        "< 550 5.1.1"
    )
    assert [row["id"] for row in view["deliveries"]] == [refused["id"]]
    printed = run(config, command.session, refused["session_id"])
    assert "reconstructed from the log" in printed and "> RCPT TO:<unknown@far.example>" in printed
    shown = run(config, command.show, refused["mail_in_id"])
    assert all(f"(session {row['session_id']})" in shown for row in rows)


def test_recorded_ones_stay_what_was_recorded(config: Config) -> None:
    (row,) = taken(config, 35)
    assert not row["session_reconstructed"] and row["session_id"] != row["id"]
    view = json.loads(run(config, command.session, row["session_id"], "--json"))
    assert not view["reconstructed"] and any(line.startswith("< 250-") for line in view["lines"])
    # When the recording is removed after its time, what the attempt's line tells is still there.
    models.Session.delete().execute()
    found = search.delivery(search.Filter()).rows[0]
    assert found.session_reconstructed and found.session_id == found.id
    assert search.session(found.id) is not None and search.session(ids.from_text(row["session_id"])) is None


def test_no_session_where_nobody_talked(config: Config) -> None:
    rows = taken(config, 13)  # a command
    assert {(row["service"], row["session_id"], row["session_reconstructed"]) for row in rows} == {
        ("local", None, False)
    }
    assert search.session(ids.from_text(rows[0]["id"])) is None
    wrong = CliRunner().invoke(command.session, [rows[0]["id"]], obj=config)
    assert "no session is known" in str(wrong.exception)


def test_encryption_is_told(config: Config) -> None:
    rows = taken(config, 81)
    assert {row["tls"] for row in rows} == {"Verified TLSv1.3 TLS_AES_256_GCM_SHA384 256"}
    for row in rows:
        printed = run(config, command.session, row["session_id"])
        assert "Encrypted with TLSv1.3 (TLS_AES_256_GCM_SHA384, 256 bits): the other side's" in printed
    assert {row["session_reconstructed"] for row in rows} == {True, False}


def test_encryption_of_what_came_in(config: Config) -> None:
    db.connect(config)
    told = {row["sender"]: run(config, command.show, row["mail_in_id"]) for row in taken(config, 83)}
    assert "Encrypted with TLSv1.3" in told["one@src.example"] and "no certificate" in told["two@src.example"]
    assert "Encrypted" not in told["three@src.example"]
