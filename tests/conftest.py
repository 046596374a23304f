"""Fixtures that start real daemons; what they start is in postfix-example/trial, shared with the trial."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.postgresql import PostgreSQL
from tests.harness.servers import Receiver, Servers
from trial.clamav import Clamd
from trial.postfix import Postfix


@pytest.fixture
def state() -> Iterator[Path]:
    """A directory with a short path that the postfix user can enter (pytest's own tmp_path is private)."""
    directory = Path(tempfile.mkdtemp(prefix="mw-", dir="/var/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def servers(state: Path) -> Iterator[Servers]:
    """Starts servers below `state`, and stops them after the test whatever happens."""
    started = Servers(state)
    yield started
    started.stop()


@pytest.fixture
def receiver(servers: Servers) -> Receiver:
    """The receiving SMTP servers, running."""
    return servers.receiver()


@pytest.fixture
def clamd(servers: Servers) -> Clamd:
    """A clamd with a small database, running."""
    return servers.clamd()


@pytest.fixture
def postfix(servers: Servers, receiver: Receiver) -> Postfix:
    """A private Postfix that hands everything to a filter at `postfix.milter_socket`, running."""
    return servers.postfix(receiver)


@pytest.fixture
def plain_postfix(servers: Servers, receiver: Receiver) -> Postfix:
    """The same without a filter."""
    return servers.postfix(receiver, filtered=False)


@pytest.fixture
def postgresql(servers: Servers, state: Path) -> Iterator[PostgreSQL]:
    """A PostgreSQL with an empty database, running; `.url` is for database.url."""
    server = PostgreSQL(state / "postgresql", servers.processes)
    server.start()
    yield server
    server.stop()
