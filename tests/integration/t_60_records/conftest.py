"""Every test here runs on SQLite and on PostgreSQL: same records, same questions, same answers."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import peewee
import psycopg
import pytest

from mailweir.config import Config, Database
from mailweir.records import db, models
from tests.harness.postgresql import PostgreSQL
from tests.harness.servers import Servers

_numbers = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgreSQL]:
    """One PostgreSQL for all tests here; each gets a database of its own."""
    directory = Path(tempfile.mkdtemp(prefix="mw-", dir="/var/tmp"))
    directory.chmod(0o755)
    servers = Servers(directory)
    server = PostgreSQL(directory / "postgresql", servers.processes)
    server.start()
    yield server
    servers.stop()
    shutil.rmtree(directory)


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def new_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Gives the URL of another empty database each time."""
    if request.param == "sqlite":
        directory = tmp_path_factory.mktemp("records")
        return lambda: f"sqlite:///{directory}/{next(_numbers)}.db"
    server: PostgreSQL = request.getfixturevalue("cluster")

    def create() -> str:
        name = f"records{next(_numbers)}"
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return server.url.rpartition("/")[0] + "/" + name

    return create


def configured(url: str) -> Config:
    """A configuration that names this database."""
    return dataclasses.replace(Config(), database=Database(url=url))


@pytest.fixture
def database(new_url: Callable[[], str]) -> Iterator[peewee.Database]:
    """An empty database with the newest schema, bound to the models."""
    opened = db.connect(configured(new_url()))
    yield opened
    opened.close()
    models.database.initialize(None)
