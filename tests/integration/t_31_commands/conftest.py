"""One desk for each file of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.desk import Desk, desk_house
from tests.harness.servers import Receiver


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Desk, Receiver]]:
    """One Postfix for all tests of this file; each begins with an empty queue."""
    with desk_house() as running:
        yield running


@pytest.fixture
def desk(house: tuple[Desk, Receiver]) -> Desk:
    house[0].reset()
    return house[0]


@pytest.fixture
def receiver(house: tuple[Desk, Receiver]) -> Receiver:
    return house[1]
