"""The copies that an act on some recipients of a held file makes, and whom each of them is for.

They name the addresses that aliases had led to before the file was held, which are no recipients of the
message; so these are noted, and given to the recipient that no copy names, once the original is removed.
"""

from __future__ import annotations

from typing import Any

from mailweir.postlog.book import Book
from mailweir.postlog.legs import PENDING, Leg
from mailweir.records.words import Source

MOST = 1_000  # copies remembered; the oldest is let go


class Copies:
    """By the copy's queue ID: addresses in it that are no recipients, and whose they are ("": not known)."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.known: dict[str, dict[str, str]] = {}

    def named(self, copy: Leg, address: str) -> None:
        """A line names an address that a copy is for."""
        recipient = copy.message.recipients.get(address)
        if recipient is None:
            if copy.message.source == Source.MILTER:
                if len(self.known) >= MOST:
                    del self.known[next(iter(self.known))]
                self.known.setdefault(copy.queue_id, {})[address] = ""
        elif recipient.leg_id is None:
            recipient.leg_id, recipient.dirty = copy.id, True
            self._book.touch(copy)

    def has(self, copy: Leg, address: str) -> bool:
        """Whether a copy was found to be for that address, which is no recipient."""
        return address in self.known.get(copy.queue_id, ())

    def original_removed(self, original: Leg) -> None:
        """All copies are made: recipients that none names are of the one copy with other names in it."""
        found = [copy for name in self.known if (copy := self._book.find(name))]
        copies = [copy for copy in found if copy.parent_id == original.id]
        everyone = original.message.recipients.values()
        lost = [one for one in everyone if one.leg_id is None and one.status in PENDING]
        if len(copies) != 1 or not lost:
            return
        (copy,) = copies
        for recipient in lost:
            recipient.leg_id, recipient.dirty = copy.id, True
        if len(lost) == 1:
            self.known[copy.queue_id] = dict.fromkeys(self.known[copy.queue_id], lost[0].address)
        self._book.touch(copy)

    def meant(self, queue_id: str, address: str) -> str:
        """The recipient that an address in a copy stands for; "" when it is its own."""
        return self.known.get(queue_id, {}).get(address, "")

    def gone(self, queue_id: str) -> None:
        """The copy is no more."""
        self.known.pop(queue_id, None)

    def state(self) -> dict[str, Any]:
        """What a restart needs."""
        return self.known

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state()."""
        self.known = {queue_id: dict(names) for queue_id, names in state.items()}
