"""Words that reach the pages in variables, marked so that they are translated with the rest.

Nothing is defined here: `say` in text.py looks up what is extracted from these marks.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailweir.agent.request import ACTS, UNLOCK
from mailweir.policies.fields import LABELS
from mailweir.policies.trace import TEXTS
from mailweir.policies.verdict import Action
from mailweir.postlog.reconstruct import NOTES
from mailweir.records import reasons, words
from mailweir.records.encryption import TRUST
from mailweir.webui import accounts, results

ENUMERATIONS = (
    words.Status,
    words.Direction,
    words.Outcome,
    words.LegKind,
    words.Queue,
    words.CommandState,
    words.Source,
)
TIMELINE = ("received", "logged", "held", "removed")
LINES = ("read", "understood", "ignored", "orphaned")


def spoken() -> Sequence[str]:
    """All of them, for the catalogue and its test."""
    found = [word for kind in ENUMERATIONS for word in kind.words()]
    found += [label for labels in LABELS.values() for label in labels.values()]
    found += [text for act in (*ACTS.values(), UNLOCK) for text in (act.name, act.meaning)]
    found += [action.value for action in Action]
    found += [*TRUST.values(), *NOTES, *reasons.texts(), *TEXTS, *results.TEXTS]
    found += [*accounts.ROLES, *TIMELINE, *LINES, "recipient", "sender", "yes", "no"]
    return list(dict.fromkeys(found))
