"""Slows down the guessing of passwords for all processes and nodes together, and knows whence users log in.

Each name and each client address has a bucket: `until` is when it will be empty again, and every attempt
moves that on. One statement decides and counts, so no two processes can both have the last free attempt.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from peewee import Database

from mailweir.records.migrations.dialect import is_sqlite
from mailweir.records.models import LoginAddress, LoginThrottle

MOST = 20_000  # buckets that are kept; those that will be empty soonest go first
ADDRESSES = 20  # for each user; the ones not used for longest go first
KNOWN = 30 * 86_400.0  # seconds for which an address counts as a user's own after a log-in from there

_COUNT = """
INSERT INTO login_throttle (name, until) VALUES (?, ?) ON CONFLICT (name) DO UPDATE
SET until = CASE WHEN login_throttle.until > ? THEN login_throttle.until ELSE ? END + ?
WHERE login_throttle.until <= ?"""


@dataclass(frozen=True)
class Rate:
    """So many attempts in so many seconds; as many at once, then one whenever a share of the time is over."""

    attempts: int
    seconds: float

    @property
    def share(self) -> float:
        """Seconds that one attempt takes up."""
        return self.seconds / self.attempts


def count(database: Database, name: str, rate: Rate, now: float) -> float:
    """Count an attempt; 0 when it may be made, else the seconds to wait, and then nothing was counted."""
    free = now + rate.seconds - rate.share  # at most so full, and one more fits in
    values = (name, now + rate.share, now, now, rate.share, free + 1e-6)
    if _run(database, _COUNT, values):
        _tidy(database, now)
        return 0.0
    row = LoginThrottle.get_or_none(LoginThrottle.name == name)
    return max(row.until - free, 1.0) if row else 1.0


def give_back(database: Database, name: str, rate: Rate) -> None:
    """The attempt was a good one: it does not count."""
    _run(database, "UPDATE login_throttle SET until = until - ? WHERE name = ?", (rate.share, name))


def network(ip: str) -> str:
    """The client address that counts: of IPv6 the /64, as whoever has one has all of it."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)


def is_known(user_id: int, address: str, now: float) -> bool:
    """Whether the user has logged in from that address lately."""
    row = LoginAddress.get_or_none(LoginAddress.user_id == user_id, LoginAddress.address == address)
    return row is not None and row.last > now - KNOWN


def remember(database: Database, user_id: int, address: str, now: float) -> None:
    """The user has logged in from there."""
    with database.atomic():
        mine = LoginAddress.user_id == user_id
        LoginAddress.delete().where(LoginAddress.last <= now - KNOWN).execute()
        LoginAddress.delete().where(mine, LoginAddress.address == address).execute()
        LoginAddress.create(user_id=user_id, address=address, last=now)
        newest = LoginAddress.select(LoginAddress.last).where(mine).order_by(LoginAddress.last.desc())
        oldest = newest.offset(ADDRESSES - 1).limit(1).scalar()
        if oldest is not None:
            LoginAddress.delete().where(mine, LoginAddress.last < oldest).execute()


def _tidy(database: Database, now: float) -> None:
    """Remove the buckets that are empty, and of far too many the ones that will be soonest."""
    LoginThrottle.delete().where(LoginThrottle.until <= now).execute()
    last = LoginThrottle.select(LoginThrottle.until).order_by(LoginThrottle.until.desc())
    most = last.offset(MOST).limit(1).scalar()
    if most is not None:
        LoginThrottle.delete().where(LoginThrottle.until <= most).execute()


def _run(database: Database, sql: str, values: tuple[object, ...]) -> int:
    text = sql if is_sqlite(database) else sql.replace("?", "%s")
    return int(database.execute_sql(text, values).rowcount)
