"""A thread's connection to the database, kept from one request to the next."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mailweir.records import models
from tests.unit.webui_client import Pages


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """An application of its own."""
    return Pages(tmp_path)


def test_it_is_kept_and_sees_what_others_write(pages: Pages) -> None:
    client = pages.as_user("viewer")
    assert client.get("/mail-in").status_code == 200
    kept = models.database.connection()
    with closing(sqlite3.connect(pages.config.database_url.removeprefix("sqlite:///"))) as other, other:
        other.execute("UPDATE message SET subject = 'written by another'")
    assert "written by another" in client.get("/mail-in").text
    assert models.database.connection() is kept


def test_a_restored_file_is_noticed(pages: Pages, tmp_path: Path) -> None:
    client = pages.as_user("viewer")
    assert client.get("/mail-in").status_code == 200
    file = Path(pages.config.database_url.removeprefix("sqlite:///"))
    copy = tmp_path / "backup"
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("UPDATE message SET subject = 'from the backup'")
        target.commit()
    for beside in ("-wal", "-shm"):
        Path(f"{file}{beside}").unlink(missing_ok=True)
    shutil.move(copy, file)
    assert "from the backup" in client.get("/mail-in").text


def test_it_is_let_go_after_an_error(pages: Pages) -> None:
    client = pages.as_user("viewer")
    pages.app.config["PROPAGATE_EXCEPTIONS"] = False
    models.database.execute_sql("ALTER TABLE message RENAME TO elsewhere")
    assert client.get("/mail-in").status_code == 500
    assert models.database.is_closed()
