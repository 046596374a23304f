"""Why mail did not go through, in plain words."""

from __future__ import annotations

from mailweir.records.words import Outcome, Status


def of_recipient(status: Status, dsn: str, reply: str) -> str:
    """A recipient's last reply in plain words; empty when all is well."""
    return ""


def of_delivery(outcome: Outcome, dsn: str, reply: str) -> str:
    """An attempt's reply in plain words; empty when it was sent."""
    return ""
