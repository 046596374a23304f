"""Logs of any size out of recorded incidents: the same lines with other queue IDs, addresses and times.

Each copy of an incident is a different set of messages, and copies overlap as on a busy server; so everything
a real Postfix logged for one message occurs many times over, in the mix of an ordinary day.
"""

from __future__ import annotations

import heapq
import itertools
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

from mailweir.postlog.queue_id import DIGITS, is_queue_id

INCIDENTS = Path(__file__).parents[1] / "data" / "postlog"
START = 1_782_864_000.0  # 1 July 2026, 0:00 UTC
PER_SECOND = 4  # incidents begun
USERS, DOMAINS = 5_000, 400
_STAMP = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ")
_ID = re.compile(r"\b[0-9A-Za-z]{10,20}\b")
_MESSAGE_ID = re.compile(r"\d{19}@test")
_ADDRESS = re.compile(r"\b(a|b|ok|busy|unknown)@(src|far|inside)\.example")
# How often an ordinary day has what: nearly all mail is delivered at once, a tenth of it is not.
WEIGHTS = {"delivered": 120, "relay-service": 4, "bounced": 5, "deferred-then-delivered": 5,
           "three-recipients-three-fates": 4, "local-submission": 6,
           "rejected-before-there-is-a-message": 8, "success-notification": 1}  # fmt: skip
LEFT_OUT = ("transcript", "connection-used", "short", "address-verification")


def _number(value: int, base: int, width: int) -> str:
    text = ""
    while value:
        value, digit = divmod(value, base)
        text = DIGITS[digit] + text
    return text.rjust(width, "0")


class _Incident:
    """One recorded log, ready to be copied."""

    def __init__(self, log: Path) -> None:
        self.name = log.stem.partition("-")[2]
        lines = [line for line in log.read_text("utf-8").split("\n") if _STAMP.match(line)]
        times = [time.mktime(time.strptime("2026 " + line[:15], "%Y %b %d %H:%M:%S")) for line in lines]
        # Seconds since the incident's first line, and what follows the stamp.
        self.lines = [(when - times[0], line[16:]) for when, line in zip(times, lines, strict=True)]
        text = "\n".join(line for _, line in self.lines)
        found = (word for word in dict.fromkeys(_ID.findall(text)) if is_queue_id(word) and "z" in word)
        self.queue_ids = list(found)

    def copy(self, begin: float, number: int, source: random.Random) -> Iterator[tuple[float, str]]:
        """Its lines with times, for the message `number` of the log."""
        user = source.randrange(USERS)
        domain = user % DOMAINS
        ids = {
            old: _number(int(begin), 52, 6)
            + _number(source.randrange(1_000_000), 52, 4)
            + "z"
            + _number(number * 16 + index + 1, 51, 1)
            for index, old in enumerate(self.queue_ids)
        }
        names = re.compile("|".join(map(re.escape, ids))) if ids else None

        def renamed(match: re.Match[str]) -> str:
            return f"{match[1]}{user}@{match[2]}{domain}.example"

        for delay, line in self.lines:
            if names:
                line = names.sub(lambda match: ids[match[0]], line)
            line = _MESSAGE_ID.sub(f"{number:019}@test", line)
            yield begin + delay, _ADDRESS.sub(renamed, line)


def many_lines(count: int, seed: int = 1, *, everything: bool = False) -> Iterator[str]:
    """So many lines (or a few more) in the order of time; everything: odd incidents as often as others."""
    source = random.Random(seed)
    incidents = [
        incident
        for log in sorted(INCIDENTS.glob("[0-5]*.log"))
        if (incident := _Incident(log)).lines and not incident.name.startswith(LEFT_OUT)
    ]
    weights = [1 if everything else WEIGHTS.get(one.name, 0.2) for one in incidents]
    waiting: list[tuple[float, int, str]] = []
    order = itertools.count()
    made = 0
    for number in itertools.count():
        begin = START + number / PER_SECOND
        while waiting and (waiting[0][0] < begin or made + len(waiting) >= count):
            when, _, line = heapq.heappop(waiting)
            made += 1
            yield time.strftime("%b %e %H:%M:%S ", time.localtime(when)) + line
        if made >= count:
            return
        if made + len(waiting) < count:
            for when, line in source.choices(incidents, weights)[0].copy(begin, number, source):
                heapq.heappush(waiting, (when, next(order), line))
