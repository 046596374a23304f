"""What the book of queue files keeps stays bounded, however much mail passes."""

from __future__ import annotations

from mailweir.postlog import lines, stamps, track
from tests.harness.many_lines import many_lines


def test_what_ended_leaves_the_book() -> None:
    counts, reader, tracker = lines.Counts(), stamps.Stamps(2e9), track.Tracker(0)
    book = tracker.book
    texts = list(many_lines(80_000, everything=True))
    most_legs = most_messages = shared = 0
    for start in range(0, len(texts), 500):
        tracker.feed(lines.read(texts[start : start + 500], reader, counts))
        tracker.flush()
        shared += sum(leg.message.shared for leg in book.legs.values())
        most_legs = max(most_legs, len(book.legs))
        most_messages = max(most_messages, len(book._messages) - len(book.legs))
    assert counts.understood > 40_000
    assert shared > 1_000
    assert most_legs < 3_000
    assert most_messages <= 1_024
