"""Acts on some recipients of a queue file that has others too: Postfix knows acts on whole files only.

The file is replaced by two held copies, one for those meant and one for the rest; then the act is done on the
first. The queue itself so remembers who is settled, nobody is served twice, and a crash in between leaves
everything on hold.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailweir.agent.envelope import Addressee, Envelope, same_address
from mailweir.agent.queue import SHORT_ID_SLACK, QueueHelper, Target
from mailweir.agent.resubmit import copy_of, submit
from mailweir.config import Config
from mailweir.errors import Refused, Unavailable
from mailweir.postlog.queue import parse_listing
from mailweir.postlog.queue_id import arrival_us

log = logging.getLogger("mailweir.agent")

WAS_NOT_HELD = "was not held"
_NOTE = re.compile(rf"divided into (\w+) and (\w+), (was held|{WAS_NOT_HELD})")


@dataclass(frozen=True)
class Halves:
    """The two copies, and whether the original was on hold."""

    chosen: Target
    rest: Target
    was_held: bool

    def note(self) -> str:
        """In words, for the command's result while it runs; `read_note` understands it."""
        held = "was held" if self.was_held else WAS_NOT_HELD
        return f"divided into {self.chosen.queue_id} and {self.rest.queue_id}, {held}"


def read_note(text: str, sender: str, clock: Callable[[], float]) -> Halves | None:
    """The copies that an interrupted command had made, from its note."""
    match = _NOTE.search(text)
    if match is None:
        return None
    chosen, rest = (target_of(queue_id, sender, clock) for queue_id in match.groups()[:2])
    return Halves(chosen, rest, match[3] == "was held")


def target_of(queue_id: str, sender: str, clock: Callable[[], float]) -> Target:
    """What we know of a copy that was just made."""
    arrival = arrival_us(queue_id)
    if arrival is not None:
        return Target(queue_id, arrival, sender)
    return Target(queue_id, int(clock() * 1e6), sender, SHORT_ID_SLACK)


def choose(seen: Envelope, addresses: Sequence[str]) -> tuple[list[Addressee], list[Addressee]]:
    """Those of the file's recipients that are meant, and the rest."""
    chosen = [one for one in seen.recipients if any(one.is_called(address) for address in addresses)]
    return chosen, [one for one in seen.recipients if one not in chosen]


class Divider:
    """Makes two held files out of one."""

    def __init__(self, config: Config, helper: QueueHelper, clock: Callable[[], float]) -> None:
        self._config = config
        self._helper = helper
        self._clock = clock

    def divide(
        self,
        target: Target,
        seen: Envelope,
        addresses: Sequence[str],
        *,
        was_held: bool,
        note: Callable[[str], None],
    ) -> Halves:
        """Replace the file by a copy for those addresses and one for its other recipients, both on hold.

        note is called with what must be remembered before anything is changed. Raises Refused when the
        original went away meanwhile or is being delivered right now, Unavailable when it is not known how
        far it came: then `divide` is to be called again, and finds the copies that were made.
        """
        if not was_held:
            note(f"held for the moment, {WAS_NOT_HELD}")
            seen = self._hold(target)
        chosen, rest = choose(seen, addresses)
        if not chosen:
            self._undo(target, was_held)
            raise Refused("it was delivered or returned for this recipient meanwhile")
        if not rest:
            return Halves(target, target, was_held)
        made = self._made(seen)
        halves = Halves(
            self._copy(target, seen, chosen, made), self._copy(target, seen, rest, made), was_held
        )
        note(halves.note())
        (deleted,) = self._helper.act("delete", [target])
        if deleted.after or deleted.result not in ("done", "gone"):
            raise Unavailable(f"the original {target.queue_id} could not be deleted: {deleted.reason}")
        if deleted.result == "gone":
            # Somebody else released or deleted it under our hands: with it went all its recipients.
            self._helper.act("delete", [halves.chosen, halves.rest])
            raise Refused("it left the queue meanwhile")
        return halves

    def _hold(self, target: Target) -> Envelope:
        """Stop attempts; what then still stands in the file is not being delivered."""
        self._helper.act("hold", [target])
        (found,) = self._helper.read([target])
        if found.envelope is None or found.result != "same" or found.envelope.queue != "hold":
            raise Refused("it is being delivered right now; see what comes of it and try again")
        return found.envelope

    def _undo(self, target: Target, was_held: bool) -> None:
        if not was_held:
            self._helper.act("release", [target])

    def _copy(
        self, target: Target, seen: Envelope, recipients: list[Addressee], made: list[Envelope]
    ) -> Target:
        for copy in made:
            if sorted(copy.addresses) == sorted(one.address for one in recipients):
                return target_of(copy.queue_id, seen.sender, self._clock)
        service = self._config.postfix.copy_service or self._config.postfix.holding_service
        with self._helper.content(target) as (body, _):
            queue_id = submit(service, copy_of(seen, recipients), body, self._config.helper.timeout)
        made_now = target_of(queue_id, seen.sender, self._clock)
        (found,) = self._helper.read([made_now])
        there = sorted(found.envelope.addresses) if found.envelope else []
        if there != sorted(one.address for one in recipients):
            self._helper.act("delete", [made_now])
            raise Refused(
                f"{service} changed the recipients of the copy to {', '.join(there) or 'nobody'}: "
                "see postfix.copy_service in the settings"
            )
        return made_now

    def _made(self, original: Envelope) -> list[Envelope]:
        """Held copies of that very file: their IDENT names it, and the filter makes none that overlap."""
        entries, _ = parse_listing(self._helper.listing())
        addresses = set(original.addresses)
        candidates = [
            target_of(entry.queue_id, original.sender, lambda arrival=entry.arrival: arrival)  # type: ignore[misc]
            for entry in entries
            if entry.queue == "hold"
            and entry.queue_id != original.queue_id
            and entry.arrival >= original.created
            and any(same_address(one.address, address) for one in entry.recipients for address in addresses)
        ]
        found = self._helper.read(candidates) if candidates else []
        return [
            outcome.envelope
            for outcome in found
            if outcome.envelope
            and outcome.result == "same"
            and outcome.envelope.attributes.get("log_ident") == original.queue_id
        ]
