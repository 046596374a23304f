"""Killed at any point and started again, the records are those of a run that nobody disturbed."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailweir.config import load
from mailweir.records import db
from tests.harness.many_lines import many_lines
from tests.harness.postgresql import PostgreSQL
from trial.waiting import wait_for

LINES = 8_000
BATCH = 250
KILLS = 5
FOLLOW = Path(__file__).with_name("follow_log.py")
MAILWEIR = Path(sys.executable).with_name("mailweir")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log in which each incident is as common as the others, and a mark at its end."""
    path = tmp_path_factory.mktemp("log") / "mail.log"
    lines = list(many_lines(LINES, seed=3, everything=True))
    path.write_text("\n".join(lines) + f"\n{lines[-1][:16]}mail other[1]: the end\n")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/killed.db"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.url


def environment(url: str) -> dict[str, str]:
    """For a process that uses that database."""
    return os.environ | {"MAILWEIR_DATABASE_URL": url, "MAILWEIR_AGENT_BATCH": str(BATCH), "TZ": "UTC"}


def rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows, with addresses in place of their numbers, which depend on the order of first use."""
    database = db.connect(load(environ={"MAILWEIR_DATABASE_URL": url}))

    def of(number: str) -> str:
        return f"(SELECT a.address FROM address a WHERE a.id = x.{number})"

    queries = {
        "message": f"SELECT x.*, {of('sender_id')} FROM message x",
        "recipient": f"SELECT x.*, {of('address_id')} FROM recipient x",
        "leg": "SELECT * FROM leg",
        "delivery": f"SELECT x.*, {of('address_id')}, {of('final_id')} FROM delivery x",
        "reject": f"SELECT x.*, {of('sender_id')}, {of('recipient_id')} FROM reject x",
        "session": "SELECT * FROM session",
    }
    numbers = {"sender_id", "recipient_id", "address_id", "final_id"}
    found = {}
    for name, query in queries.items():
        cursor = database.execute_sql(query)
        keep = [index for index, column in enumerate(cursor.description) if column[0] not in numbers]
        found[name] = sorted(tuple(map(str, (row[index] for index in keep))) for row in cursor.fetchall())
    database.close()
    return found


def killed_until_done(start: Callable[[], subprocess.Popen[bytes]], url: str, deliveries: int) -> int:
    """Start, kill once a random share of the deliveries is in, and so on; at last let it finish.

    Returns how often it was killed. Watching the rows, not the clock, kills a busy and a quiet machine alike.
    """
    shares = sorted(random.Random(7).uniform(0, 0.7) for _ in range(KILLS))
    database = db.connect(load(environ={"MAILWEIR_DATABASE_URL": url}))
    kills = 0
    for share in shares:
        process = start()
        while process.poll() is None:
            if database.execute_sql("SELECT COUNT(*) FROM delivery").fetchone()[0] > share * deliveries:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
    database.close()
    assert start().wait(120) == 0
    return kills


def test_import_killed_at_random(log: Path, url: str, tmp_path: Path) -> None:
    undisturbed = f"sqlite:///{tmp_path}/undisturbed.db"
    command = [MAILWEIR, "import-log", log]
    subprocess.run(command, env=environment(undisturbed), check=True, stdout=subprocess.DEVNULL)
    expected = rows(undisturbed)
    assert len(expected["delivery"]) > LINES / 12

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, env=environment(url), start_new_session=True, stdout=subprocess.DEVNULL
        )

    assert killed_until_done(start, url, len(expected["delivery"])) == KILLS
    assert rows(url) == expected
    again = subprocess.run(command, env=environment(url), check=True, capture_output=True, text=True)
    assert "nothing new" in again.stdout
    assert rows(url) == expected


@pytest.fixture
def rotating(log: Path, tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A log that grows while it is followed; the function writes the next part, now and then rotating."""
    path = tmp_path / "followed" / "mail.log"
    path.parent.mkdir()
    lines = log.read_bytes().splitlines(keepends=True)
    parts = [b"".join(lines[start : start + 1100]) for start in range(0, len(lines), 1100)]
    written = 0

    def write() -> None:
        nonlocal written
        if written == len(parts):
            return
        if written % 3 == 2:
            for number in range(len(parts), 0, -1):
                older = path.with_name(f"mail.log.{number}")
                if older.exists():
                    older.rename(path.with_name(f"mail.log.{number + 1}"))
            path.rename(path.with_name("mail.log.1"))
        with path.open("ab") as file:
            file.write(parts[written])
        written += 1

    yield path, write
    shutil.rmtree(path.parent)


def has_begun(path: Path) -> bool:
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database,
    ):
        return bool(database.execute("SELECT count(*) FROM cursor").fetchone()[0])
    return False


def test_following_killed_at_random_while_the_log_rotates(
    log: Path, rotating: tuple[Path, Callable[[], None]], tmp_path: Path
) -> None:
    undisturbed = f"sqlite:///{tmp_path}/undisturbed.db"
    subprocess.run(
        [sys.executable, FOLLOW, log, "1000"], env=environment(undisturbed), check=True, timeout=120
    )
    url = f"sqlite:///{tmp_path}/killed.db"
    path, write = rotating
    source = random.Random(11)
    write()
    process: subprocess.Popen[bytes] | None = subprocess.Popen(
        [sys.executable, FOLLOW, path, "170"], env=environment(url), start_new_session=True
    )
    # A follower that knows of no position begins with the file that is there, not with rotated ones.
    wait_for(lambda: has_begun(tmp_path / "killed.db"), "the first batch")
    for _ in range(len(log.read_bytes().splitlines()) // 1100 + 1):
        write()
        if process is None or process.poll() is not None:
            process = subprocess.Popen(
                [sys.executable, FOLLOW, path, "170"], env=environment(url), start_new_session=True
            )
        time.sleep(source.uniform(0.3, 1.2))
        if source.random() < 0.7:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process is not None and process.poll() is None:
        assert process.wait(60) == 0
    else:
        subprocess.run([sys.executable, FOLLOW, path, "170"], env=environment(url), check=True, timeout=60)
    assert rows(url) == rows(undisturbed)
