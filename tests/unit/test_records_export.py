"""`--all` gives every row, the same as page by page, also before the text index knows anything."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from bench.records_data import fill
from mailweir.config import Config, Database
from mailweir.postlog.command import import_log
from mailweir.records import command, db, export, ids, models, search, texts
from mailweir.records.filters import Filter

NOW = 1_795_500_000.0
LOGS = Path(__file__).parents[1] / "data/postlog"


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    """A configuration with an empty database."""
    made = dataclasses.replace(Config(), database=Database(url=f"sqlite:///{tmp_path}/records.db"))
    yield made
    models.database.initialize(None)


def lines(config: Config, list_: click.Command, *arguments: str) -> list[Any]:
    """What a list's command prints as JSON."""
    result = CliRunner().invoke(list_, ["--all", "--json", *arguments], obj=config)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def test_all_is_what_the_pages_show(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "RANGE", 7)
    fill(db.connect(config), 120, seed=5, now=NOW)
    rows = [row for message in search.mail_in(Filter(), limit=1000) for row in message.per_recipient()]
    assert lines(config, command.mail_in) == json.loads(json.dumps(rows))
    assert len(rows) > 120
    waiting = [row.as_dict() for row in search.pending(Filter(), limit=1000)]
    assert waiting
    assert lines(config, command.pending) == waiting
    attempts = [row.as_dict() for row in search.delivery(Filter(), limit=1000)]
    assert len(attempts) > 100
    assert lines(config, command.delivery) == attempts
    middle = attempts[60]["time"]
    some = lines(config, command.delivery, "--before", middle)
    assert some == [row for row in attempts if row["time"] < middle]
    assert some


def test_complete_right_after_an_import(config: Config) -> None:
    log = next(path for path in sorted(LOGS.glob("*.log")) if b"status=sent" in path.read_bytes())
    result = CliRunner().invoke(import_log, [str(log)], obj=config)
    assert result.exit_code == 0, result.output
    database = db.connect(config)
    (kept,) = database.execute_sql("SELECT count(*) FROM delivery").fetchone()
    assert kept
    everything = lines(config, command.delivery)
    assert len(everything) == kept
    domain = everything[0]["recipient"].rpartition("@")[2]
    named = [row for row in everything if domain in row["recipient"]]
    before = lines(config, command.delivery, "--to", f"@{domain}")
    assert before == named
    assert len(lines(config, command.delivery, "--text", domain)) >= len(named)
    while texts.index_texts(database, 50):
        pass
    assert lines(config, command.delivery, "--to", f"@{domain}") == before


def test_a_bounce_is_from_the_null_sender(config: Config) -> None:
    result = CliRunner().invoke(import_log, [str(LOGS / "02-bounced.log")], obj=config)
    assert result.exit_code == 0, result.output
    shown = {(row["sender"], row["recipient"]) for row in lines(config, command.delivery)}
    assert shown == {("a@src.example", "unknown@far.example"), ("", "a@src.example")}
    models.database.close()
    db.connect(config)
    assert {(row.sender, row.recipient) for row in search.delivery(Filter())} == shown


def test_identifiers_as_text_and_back() -> None:
    for number in (0, 1, 46, 47, 47**2, 47**6 - 1, 47**6, 47**6 + 1, 47**8, (1 << 62) - 1):
        text = ids.to_text(number)
        assert ids.from_text(text) == number
        assert len(text) == 1 or text[0] != ids.ALPHABET[0]
