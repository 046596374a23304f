"""What came of an act is told in the user's language, and nothing in it is lost."""

from __future__ import annotations

import re
from pathlib import Path

from mailweir.agent.plan import WORDS
from mailweir.records import ids
from mailweir.records.models import Command, Leg
from mailweir.records.words import CommandState
from mailweir.webui.results import TEXTS, in_words
from tests.unit.webui_client import Pages

AGENT = Path(__file__).parents[2] / "agent"
VERDICT = AGENT.parent / "policies" / "verdict.py"


def shouted(text: str) -> str:
    """A translation that can be told from its original: all but the values in capitals."""
    return re.sub(r"%\(\w+\)s|[^%]", lambda match: match[0] if "%" in match[0] else match[0].upper(), text)


def test_sentences_and_what_they_are_made_of() -> None:
    for result, told in (
        ("deleted", "DELETED"),
        ("scanned again, passes now; released from hold", "SCANNED AGAIN, PASSES NOW; RELEASED FROM HOLD"),
        ("scanned again, still stalled: a <b>", "SCANNED AGAIN, STILL STALLED: a <b>"),
        (
            "scanned again, passes now for a@x, b@x, but for others: macro; deleted",
            "SCANNED AGAIN, PASSES NOW FOR a@x, b@x, BUT FOR OTHERS: macro; DELETED",
        ),
        (
            "it is not on hold any more; it stands in the queue active",
            "IT IS NOT ON HOLD ANY MORE; IT STANDS IN THE QUEUE active",
        ),
        (
            "not released: the records do not know for whom it is yet",
            "NOT RELEASED: THE RECORDS DO NOT KNOW FOR WHOM IT IS YET",
        ),
        ("postsuper: fatal: deleted; nothing", "postsuper: fatal: deleted; nothing"),
        ("100 %(x)s; %", "100 %(x)s; %"),
        ("", ""),
    ):
        assert in_words(result, shouted) == told
        assert in_words(result, str) == result, "in English it stays what it was"


def test_every_sentence_is_one_that_the_agent_writes() -> None:
    sources = " ".join(path.read_text() for path in [*AGENT.glob("*.py"), VERDICT])
    for text in set(TEXTS) - set(WORDS.values()):
        for piece in re.split(r"%\(\w+\)s", text):
            words = piece.strip(" ;:,").split(", but it ")[0]
            words = words.removeprefix("message ") if text.startswith("message ") else words
            words = words.rstrip(" (").removesuffix(")")
            assert words in sources, f"the agent does not say {words!r} any more"


def test_a_german_page_tells_it_in_german(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    number = pages.world.stalled
    leg = Leg.get(Leg.message_id == number)
    Command.create(
        key="a" * 32, node_id=0, action="retry", message_id=number, leg_id=leg.id, queue_id=leg.queue_id,
        arrival=leg.arrival, by_user="somebody", requested=1.0, state=CommandState.DONE,
        result="scanned again, passes now; released from hold",
    )  # fmt: skip
    path, client = f"/message/{ids.to_text(number)}", pages.as_user("operator")
    assert "scanned again, passes now; released from hold" in client.get(path).text
    page = client.get(path, headers={"Accept-Language": "de"}).text
    assert "noch einmal geprüft, darf jetzt durch; freigegeben" in page and "scanned again" not in page
