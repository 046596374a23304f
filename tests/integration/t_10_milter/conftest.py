"""The milter behind a private Postfix that the tests of one file share; each begins with nothing in it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.filtered import Filtered
from tests.harness.servers import Servers
from trial.waiting import wait_for


@pytest.fixture(scope="module")
def shared() -> Iterator[Filtered]:
    """Postfix, receiving servers and clamd, running."""
    state = Path(tempfile.mkdtemp(prefix="mw-", dir="/var/tmp"))
    state.chmod(0o755)
    servers = Servers(state)
    try:
        receiver = servers.receiver()
        yield Filtered(servers, servers.postfix(receiver), receiver, servers.clamd().address)
    finally:
        servers.stop()
        shutil.rmtree(state)


@pytest.fixture
def filtered(shared: Filtered) -> Iterator[Filtered]:
    """All but the milter itself is running: `filtered.start()`."""
    yield shared
    shared.servers.processes.stop("milter")
    shared.postfix.command("postsuper", "-d", "ALL")
    wait_for(lambda: not shared.postfix.queue(), "the queue to empty")
    shared.servers.processes.log("milter").unlink()
    for directory in (shared.state, shared.receiver.directory):
        shutil.rmtree(directory)
    shared.receiver.directory.mkdir()
