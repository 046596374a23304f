"""The milter behind a private Postfix, for the tests in this directory."""

from __future__ import annotations

import pytest

from tests.harness.filtered import Filtered
from tests.harness.servers import Receiver, Servers
from trial.clamav import Clamd
from trial.postfix import Postfix


@pytest.fixture
def filtered(servers: Servers, postfix: Postfix, receiver: Receiver, clamd: Clamd) -> Filtered:
    """All but the milter itself is running: `filtered.start()`."""
    return Filtered(servers, postfix, receiver, clamd.address)
