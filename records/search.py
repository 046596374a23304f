"""Looks things up in the records: Mail In, Pending, Delivery, Quarantine, Rejected, a message, a session.

Every list is newest first and paged by key: `below` is the ID of the last row shown. A list never counts
all rows, never skips rows, and ends within its time budget, if need be with part of an answer.
"""

from __future__ import annotations

from mailweir.records import ids
from mailweir.records.filters import Filter, from_fields, moment, parse, with_domains
from mailweir.records.search_lists import delivery, mail_in, pending, quarantine
from mailweir.records.search_one import find, message, session, went_elsewhere
from mailweir.records.search_rejected import rejected
from mailweir.records.views import (
    AttachmentRow,
    CommandRow,
    DeliveryRow,
    FindingRow,
    LegRow,
    MessageRow,
    MessageView,
    Page,
    PendingRow,
    RecipientRow,
    RejectRow,
    SessionView,
)

__all__ = [
    "AttachmentRow", "CommandRow", "DeliveryRow", "Filter", "FindingRow", "LegRow", "MessageRow",
    "MessageView", "Page", "PendingRow", "RecipientRow", "RejectRow", "SessionView", "delivery", "find",
    "from_fields", "ids", "mail_in", "message", "moment", "parse", "pending", "quarantine", "rejected",
    "session", "went_elsewhere", "with_domains",
]  # fmt: skip
