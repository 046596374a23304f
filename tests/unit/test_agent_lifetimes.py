"""When pending mail is at its end, and when a clock is not to be trusted with that."""

from __future__ import annotations

from dataclasses import replace

from mailweir.agent.lifetimes import Pending, SteadyClock, deadline, ends_soon, overdue, shortest_lifetime
from mailweir.config import Config
from mailweir.policies.scopes import PolicySet, Scope
from mailweir.records import ids
from mailweir.records.words import Direction, LegKind

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86_400.0


def waiting(age: float, direction: Direction = Direction.INBOUND, leg: int = 1) -> Pending:
    arrived = NOW - age
    return Pending(
        leg, LegKind.FIRST, int(arrived * 1e6), ids.first_id(int(arrived * 1000)), "a@x.example",
        "b@ours.example", 2, direction,
    )  # fmt: skip


def test_a_day_outbound_and_a_week_inbound() -> None:
    policies = PolicySet.default()
    late = overdue(
        policies,
        [
            waiting(1.01 * DAY, Direction.OUTBOUND, 1),
            waiting(0.99 * DAY, Direction.OUTBOUND, 2),
            waiting(6.9 * DAY, Direction.INBOUND, 3),
            waiting(7.1 * DAY, Direction.INBOUND, 4),
            waiting(7.1 * DAY, Direction.INTERNAL, 5),
        ],
        NOW,
    )
    assert sorted(late) == [1, 4, 5]
    assert shortest_lifetime(policies) == DAY


def test_the_scope_says_how_long() -> None:
    scope = Scope("domain", "ours.example", fields={"inbound.lifetime": HOUR})
    policies = PolicySet((Scope("default"), scope))
    assert deadline(policies, waiting(0.0)) == NOW + HOUR
    assert shortest_lifetime(policies) == HOUR


def test_a_copy_keeps_the_message_s_time_and_a_requeued_file_starts_anew() -> None:
    old = waiting(3 * DAY)
    young_file = int((NOW - HOUR) * 1e6)
    assert replace(old, leg_kind=LegKind.SPLIT, arrival=young_file).since == NOW - 3 * DAY
    assert replace(old, leg_kind=LegKind.REQUEUE, arrival=young_file).since == NOW - HOUR


def test_the_pages_warn_in_the_last_part() -> None:
    policies, config = PolicySet.default(), Config()
    assert not ends_soon(config, policies, waiting(5.5 * DAY), NOW)
    assert ends_soon(config, policies, waiting(5.7 * DAY), NOW)


def test_a_clock_that_jumped_or_a_machine_that_just_started_ends_nothing() -> None:
    clock = SteadyClock(grace=HOUR)
    assert not clock.observe(NOW, 100.0, "boot 1")
    assert not clock.observe(NOW + 3000, 3100.0, "boot 1")
    assert clock.observe(NOW + 3600, 3700.0, "boot 1")
    assert clock.observe(NOW + 3610, 3701.0, "boot 1"), "a few seconds are no jump"
    assert not clock.observe(NOW + 9 * DAY, 3702.0, "boot 1")
    again = SteadyClock(grace=HOUR)
    again.restore(clock.as_dict())
    assert not again.observe(NOW + 9 * DAY + 3000, 6702.0, "boot 1"), "a restart does not forget it"
    assert again.observe(NOW + 9 * DAY + 3600, 7302.0, "boot 1")
    assert not again.observe(NOW + 9 * DAY + 9000, 50.0, "boot 2")
    assert again.observe(NOW + 9 * DAY + 12_600, 3650.0, "boot 2")


def test_an_agent_that_was_away_for_days_may_end_mail_at_once() -> None:
    clock = SteadyClock(grace=HOUR)
    clock.restore({"boot_id": "boot 1", "skew": NOW - 10_000.0, "jumped": 0.0})
    assert clock.observe(NOW + 3 * DAY, 10_000.0 + 3 * DAY, "boot 1")
