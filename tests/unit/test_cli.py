"""The command line: lazy, helpful, and errors in one line with an exit code of their own."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.records_data import fill
from mailweir.cli import COMMANDS
from mailweir.config import Config, Database
from mailweir.records import db, models

PROGRAM = Path(sys.executable).with_name("mailweir")


def run(*arguments: str | bytes, url: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real program."""
    env = {"PATH": "/usr/bin:/bin", "MAILWEIR_DATABASE_URL": url} | environment
    return subprocess.run([PROGRAM, *arguments], env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with 700 messages, one of them hostile."""
    url = f"sqlite:///{tmp_path_factory.mktemp('cli')}/mailweir.db"
    database = db.connect(dataclasses.replace(Config(), database=Database(url=url)))
    fill(database, 700, seed=2)
    newest = models.Message.select().order_by(models.Message.id.desc()).first()
    models.Message.update(subject="\x1b[2J[red]\u202eexe\n").where(models.Message.id == newest.id).execute()
    database.close()
    models.database.initialize(None)
    return url


def lines(url: str, *arguments: str) -> list[dict[str, object]]:
    """What a command prints with --json."""
    answer = run(*arguments, "--json", url=url)
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_every_command_helps() -> None:
    answer = run("--help")
    assert answer.returncode == 0
    for name in COMMANDS:
        assert f"  {name} " in answer.stdout


def test_commands_load_only_their_own_room() -> None:
    code = (
        "import sys; from mailweir.cli import mailweir as m; m(['config', 'example'], standalone_mode=False);"
        "print([n for n in ('peewee','flask','rich','oletools') if n in sys.modules], file=sys.stderr)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stderr.strip() == "[]"


def test_delivery_has_what_others_need(url: str) -> None:
    every = lines(url, "delivery", "--all")
    assert len(every) > 700
    wanted = {"mail_in_id", "node", "queue_id", "time", "sender", "recipient", "status", "dsn", "relay_host",
              "relay_ip", "relay_port", "reply", "delay"}  # fmt: skip
    assert wanted <= set(every[0])
    assert str(every[0]["time"]).endswith("Z")
    assert len(lines(url, "delivery")) == 50
    assert every[:7] == lines(url, "delivery", "--limit", "7")


def test_lists(url: str) -> None:
    mail = lines(url, "mail-in", "--all")
    assert {"mail_in_id", "node", "queue_id", "time", "sender", "recipient", "direction", "status", "subject",
            "size", "dsn", "reply", "reason", "attempts"} <= set(mail[0])  # fmt: skip
    assert len({row["mail_in_id"] for row in mail}) == 700
    pending = lines(url, "pending", "--all")
    assert {"mail_in_id", "node", "queue_id", "recipient", "status", "attempts", "reason"} <= set(pending[0])
    assert {row["status"] for row in pending} <= {"stalled", "deferred", "queued", "filtering"}
    stalled = lines(url, "quarantine", "--all")
    assert stalled and all(row["status"] == "stalled" and row["findings"] for row in stalled)
    some = str(pending[0]["recipient"])
    assert {row["recipient"] for row in lines(url, "pending", "--to", some)} == {some}
    assert lines(url, "mail-in", f"to:{some}", "--all") == [row for row in mail if row["recipient"] == some]


def test_show_by_any_name(url: str) -> None:
    row = lines(url, "delivery", "--limit", "1")[0]
    whole = lines(url, "show", str(row["mail_in_id"]))[0]
    assert whole["mail_in_id"] == row["mail_in_id"]
    assert whole["recipients"] and whole["legs"] and whole["deliveries"]
    assert lines(url, "show", str(row["queue_id"]))[0] == whole
    assert lines(url, "show", str(whole["message_id"]))[0] == whole
    text = run("show", str(row["mail_in_id"]), url=url).stdout
    assert str(row["recipient"]) in text


def test_hostile_text_is_harmless_on_the_terminal(url: str) -> None:
    for arguments in (["mail-in", "--limit", "1"], ["mail-in", "--limit", "1", "--json"]):
        answer = run(*arguments, url=url)
        assert "\x1b" not in answer.stdout
        assert "\u202e" not in answer.stdout
        assert "[red]" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["mail-in", "status:lost"], 64, "is none of"),
        (["mail-in", b"\xff\xfe"], 0, ""),
        (["show", "nothing"], 64, "no message is known"),
        (["show", b"\xff"], 64, "no message is known"),
        (["mail-in", "--limit", "0"], 2, "x>=1"),
        (["nothing"], 2, "No such command"),
        (["--config", "/nonexistent.toml", "mail-in"], 78, "no such file"),
    ],
)
def test_errors_are_one_line(url: str, arguments: list[str | bytes], code: int, complaint: str) -> None:
    answer = run(*arguments, url=url)
    assert (answer.returncode, complaint in answer.stderr) == (code, True), answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_database_that_is_not_there() -> None:
    answer = run("mail-in", url="postgresql://me:secret@127.0.0.1:1/x")
    assert answer.returncode == 75
    assert "secret" not in answer.stderr
    assert "MAILWEIR_DATABASE_URL" in answer.stderr


def test_migrate(tmp_path: Path) -> None:
    fresh = f"sqlite:///{tmp_path}/new.db"
    assert "ran migrations 1, 2" in run("migrate", url=fresh).stdout
    assert "nothing to do" in run("migrate", url=fresh).stdout
