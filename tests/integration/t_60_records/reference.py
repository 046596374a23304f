"""The same searches, the slow and obvious way: read everything, compare in Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from peewee import Database

from mailweir.records import ids
from mailweir.records.filters import Filter
from mailweir.records.words import PENDING, Outcome, Status


@dataclass
class Kept:
    """All records, by message."""

    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, database: Database) -> Kept:
        def table(name: str) -> list[dict[str, Any]]:
            cursor = database.execute_sql(f"SELECT * FROM {name}")
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        address = {row["id"]: row["address"] for row in table("address")}
        kept = cls()
        for row in sorted(table("message"), key=lambda row: -row["id"]):
            kept.messages[row["id"]] = row | {
                "sender": address[row["sender_id"]],
                "recipients": [],
                "files": [],
                "queue_ids": set(),
            }
        for row in table("recipient"):
            kept.messages[row["message_id"]]["recipients"].append(
                row | {"address": address[row["address_id"]]}
            )
        for row in table("attachment"):
            kept.messages[row["message_id"]]["files"].append(row)
        legs = {row["id"]: row for row in table("leg")}
        for row in legs.values():
            kept.messages[row["message_id"]]["queue_ids"].add(row["queue_id"])
        for row in sorted(table("delivery"), key=lambda row: -row["id"]):
            own = {
                "queue_id": legs[row["leg_id"]]["queue_id"],
                "address": address[row["address_id"]],
                "final": address.get(row["final_id"]),
            }
            kept.deliveries.append(row | own)
        return kept

    def mail_in(self, f: Filter, statuses: tuple[Status, ...] | None = None) -> list[int]:
        """IDs of the messages that match, newest first."""
        return [
            key for key, row in self.messages.items() if _in_time(key, f) and self._message(row, f, statuses)
        ]

    def pending(self, f: Filter) -> list[tuple[int, str]]:
        """(message, recipient) of the rows that match."""
        statuses = tuple(status for status in PENDING if not self.asked(f) or status in self.asked(f))
        return [
            (key, row["address"])
            for key in self.mail_in(f, statuses)
            for row in sorted(self.messages[key]["recipients"], key=lambda row: row["address"])
            if self._recipient(self.messages[key], row, f, statuses)
        ]

    def delivery(self, f: Filter) -> list[int]:
        """IDs of the attempts that match, newest first."""
        found = []
        for row in self.deliveries:
            message = self.messages[row["message_id"]]
            own = next(r for r in message["recipients"] if r["address_id"] == row["address_id"])
            matches = (
                _in_time(row["id"], f)
                and self._own(message, f)
                and (not f.queue_id or row["queue_id"] == f.queue_id)
                and _ip(row["relay_ip"], f.ip)
                and self._attempt(row, own, f)
                and (not f.direction or own["direction"] in f.direction)
                and (not f.verdict or own["verdict"] == f.verdict)
                and self._visible(message, own, f)
                and any(
                    self._address(name, f.recipient)
                    for name in (row["address"], row["final"])
                    if name is not None
                )
            )
            if matches:
                found.append(row["id"])
        return found

    def asked(self, f: Filter) -> set[Status]:
        """The statuses of recipients that are asked for."""
        led_to = {
            "sent": "delivered", "deferred": "deferred", "bounced": "failed", "expired": "failed",
            "force-expired": "returned", "undeliverable": "failed", "deliverable": "delivered",
            "discarded": "deleted",
        }  # fmt: skip
        return {*f.status, *(Status[led_to[outcome.word].upper()] for outcome in f.outcome)}

    def _attempt(self, row: dict[str, Any], own: dict[str, Any], f: Filter) -> bool:
        meant = {
            Status.DELIVERED: {Outcome.SENT},
            Status.DEFERRED: {Outcome.DEFERRED},
            Status.FAILED: {Outcome.BOUNCED, Outcome.EXPIRED, Outcome.UNDELIVERABLE},
            Status.RETURNED: {Outcome.FORCE_EXPIRED},
        }
        outcomes = set(f.outcome).union(*(meant.get(status, set()) for status in f.status))
        others = [status for status in f.status if status not in meant]
        return (not outcomes or row["status"] in outcomes) and (not others or own["status"] in others)

    def _message(self, row: dict[str, Any], f: Filter, statuses: tuple[Status, ...] | None) -> bool:
        asks = f.recipient or f.direction or f.verdict or self.asked(f)
        asks = asks or f.domains is not None or statuses is not None
        return (
            self._own(row, f)
            and (not f.queue_id or f.queue_id in row["queue_ids"])
            and _ip(row["client_ip"], f.ip)
            and (not asks or any(self._recipient(row, each, f, statuses) for each in row["recipients"]))
        )

    def _own(self, row: dict[str, Any], f: Filter) -> bool:
        """What is asked of the message itself."""
        return (
            (f.id is None or row["id"] == f.id)
            and (not f.message_id or row["message_id"].strip("<>") == f.message_id.strip("<>"))
            and self._address(row["sender"], f.sender)
            and f.subject.lower() in row["subject"].lower()
            and (not f.file or any(_file(each, f.file.lower()) for each in row["files"]))
            and all(self._anywhere(row, word, f) for word in f.text.lower().split())
            and (f.node is None or row["node_id"] == f.node)
        )

    def _recipient(
        self, row: dict[str, Any], each: dict[str, Any], f: Filter, statuses: tuple[Status, ...] | None
    ) -> bool:
        wanted = self.asked(f) if statuses is None else statuses
        return (
            self._address(each["address"], f.recipient)
            and (not f.direction or each["direction"] in f.direction)
            and (not f.verdict or each["verdict"] == f.verdict)
            and ((not wanted and statuses is None) or each["status"] in wanted)
            and self._visible(row, each, f)
        )

    def _anywhere(self, row: dict[str, Any], word: str, f: Filter) -> bool:
        seen = [each["address"] for each in row["recipients"] if self._visible(row, each, f)]
        return any(word in text.lower() for text in (row["subject"], row["sender"], *seen))

    def _visible(self, row: dict[str, Any], each: dict[str, Any], f: Filter) -> bool:
        if f.domains is None:
            return True
        outgoing = each["direction"] != 1 and row["sender"].rpartition("@")[2].lower() in f.domains
        return outgoing or (
            each["direction"] != 2 and each["address"].rpartition("@")[2].lower() in f.domains
        )

    def _address(self, address: str, term: str) -> bool:
        lowered, term = address.lower(), term.lower()
        domain = lowered.rpartition("@")[2] if "@" in lowered else ""
        if not term:
            return True
        if term == "<>":
            return not address
        if term[0] == "@" and len(term) > 1:
            return domain == term[1:]
        if term[0] == "." and len(term) > 1:
            return domain == term[1:] or domain.endswith(term)
        bare = term.removeprefix("<").removesuffix(">")
        if "@" in bare and bare in self._all():
            return lowered == bare
        return bare in lowered

    def _all(self) -> set[str]:
        if not hasattr(self, "_known"):
            self._known = {
                address.lower()
                for row in self.messages.values()
                for address in (row["sender"], *(each["address"] for each in row["recipients"]))
            } | {(row["final"] or "").lower() for row in self.deliveries}
        return self._known


def _in_time(identifier: int, f: Filter) -> bool:
    after = f.after is None or identifier >= ids.first_id(int(f.after * 1000))
    return after and (f.before is None or identifier < ids.first_id(int(f.before * 1000)))


def _ip(address: str, wanted: str) -> bool:
    if wanted.endswith((".", ":")):
        return address.startswith(wanted)
    return not wanted or address == wanted


def _file(row: dict[str, Any], wanted: str) -> bool:
    return wanted in row["name"].lower() or wanted == row["sha256"]
