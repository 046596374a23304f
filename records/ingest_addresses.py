"""The address dictionary: numbers for addresses, given in batches.

Several nodes may share a PostgreSQL database, so a number is whatever the database says after an insert that
another node may have been first with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mailweir.records.text import fold, reversed_domain

MOST = 50_000  # addresses remembered
IN_ONE_QUERY = 500


class Addresses:
    """Numbers of the addresses seen last, and the way to all others."""

    def __init__(self, execute: Any, execute_many: Any, *, lock: bool) -> None:
        """execute(sql, values) -> cursor; execute_many(sql, rows). Both take ? for parameters.

        lock: keep another node from purging what was looked up, until the transaction ends (PostgreSQL).
        """
        self._lock = " FOR KEY SHARE" if lock else ""
        self._execute = execute
        self._execute_many = execute_many
        self._numbers: dict[str, int] = {}

    def numbers(self, addresses: Iterable[str]) -> dict[str, int]:
        """A dictionary that holds at least these addresses' numbers; new ones are entered."""
        known = self._numbers
        wanted = set(addresses)
        missing = sorted(wanted - known.keys())
        if not missing:
            return known
        if len(known) + len(missing) > MOST:
            known.clear()
            missing = sorted(wanted)
        for start in range(0, len(missing), IN_ONE_QUERY):
            self._resolve(missing[start : start + IN_ONE_QUERY])
        return known

    def forget(self) -> None:
        """After a transaction that was not committed: its numbers do not exist."""
        self._numbers.clear()

    def _resolve(self, some: Sequence[str]) -> None:
        found = self._select(some)
        new = [address for address in some if address not in found]
        if new:
            self._execute_many(
                "INSERT INTO address (address, folded, domain_reversed) VALUES (?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                [(address, fold(address), reversed_domain(address)) for address in new],
            )
            found.update(self._select(new))
        self._numbers.update(found)

    def _select(self, some: Sequence[str]) -> dict[str, int]:
        marks = ",".join("?" * len(some))
        rows = self._execute(f"SELECT address, id FROM address WHERE address IN ({marks}){self._lock}", some)
        return dict(rows.fetchall())
