"""message.rpmsg: the body of a rights-managed message ([MS-OXORMMS]), which is encrypted by nature."""

from __future__ import annotations

from mailweir.content.item import Item
from mailweir.content.walk import Walk


def look(walk: Walk, item: Item) -> None:
    """The format exists for nothing else than encrypted content."""
    walk.found("encrypted-office", item, "rights-managed message")
