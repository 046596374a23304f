"""Which queue command an act comes down to, and how to see afterwards whether it took effect.

Pure rules over what stands in the queue: the table of design section 6, nothing else.
"""

from __future__ import annotations

from mailweir.errors import Refused

RESCAN = "rescan"  # not a verb of the queue-helper: our own scan comes first
READ = "read"  # nor this: the file is looked into and stays as it is
REQUEUE_AFTER = (
    1 / 3
)  # of its lifetime: released as it is, a file held longer would soon be too old for Postfix

WORDS = {
    "release": "released from hold",
    "requeue": "put into the queue anew, as it had been held for long",
    "delete": "deleted",
    "expire": "returned to the sender",
    "hold": "put on hold",
    "deliver-now": "an attempt was started",
}


def verb(action: str, queue: str, age: float, lifetime: float) -> str:
    """The queue-helper's verb for an act on a message in that Postfix queue, or RESCAN.

    age is the queue file's in seconds, lifetime what the policy grants it. Raises Refused when the act has no
    meaning for a message in that queue.
    """
    held = queue == "hold"
    if action in ("headers", "content"):
        return READ
    if action == "retry":
        return RESCAN if held else "deliver-now"
    if action == "unlock" and held:
        return RESCAN
    if action in ("force", "release", "unlock"):
        if not held:
            raise Refused(f"it is not on hold any more; it stands in the queue {queue}")
        return "requeue" if age > lifetime * REQUEUE_AFTER else "release"
    if action == "hold" and held:
        raise Refused("it is on hold already")
    return {"delete": "delete", "return": "expire", "hold": "hold"}[action]


def verb_for_copy(action: str) -> str:
    """The verb for a copy that was just put on hold for the recipients meant; "" where that is all."""
    return {"delete": "delete", "return": "expire", "hold": ""}.get(action, "release")


def took_effect(verb_: str, queue: str | None) -> bool:
    """Whether the queue now looks as it must after that verb; None: the queue file is gone."""
    if verb_ in ("delete", "requeue"):
        return queue is None
    if verb_ == "hold":
        return queue == "hold"
    if verb_ in ("release", "expire"):
        return queue != "hold"
    return True


def visible_effect(action: str, queue: str | None) -> str:
    """For an act that was interrupted: in words, what shows that it took effect; "" when nothing does.

    What has no visible effect may be done again without harm: nothing is delivered twice by it.
    """
    if action in ("headers", "content"):
        return ""
    if queue is None and action != "hold":
        return "it has left the queue"
    if action in ("force", "release", "unlock") and queue != "hold":
        return "released"
    if action == "hold" and queue == "hold":
        return "it is on hold"
    return ""
