"""A milter that does at the end of the message what the recipient's local part says; for record.py."""

from __future__ import annotations

import sys

import Milter

ACTS = {
    "held": "hold",
    "refused": "reject",
    "dropped": "discard",
    "tempfailed": "tempfail",
    "refused-rcpt": "rcpt",
}


class Tiny(Milter.Base):
    """One connection."""

    def envfrom(self, sender, *options):  # type: ignore[no-untyped-def]
        self.act = ""
        return Milter.CONTINUE

    def envrcpt(self, recipient, *options):  # type: ignore[no-untyped-def]
        act = ACTS.get(recipient.strip("<>").partition("@")[0], "")
        if act == "rcpt":
            self.setreply("550", "5.7.1", "not to this one")
            return Milter.REJECT
        self.act = self.act or act
        return Milter.CONTINUE

    def eom(self):  # type: ignore[no-untyped-def]
        if self.act == "hold":
            self.quarantine("looked odd")
        return {"reject": Milter.REJECT, "discard": Milter.DISCARD, "tempfail": Milter.TEMPFAIL}.get(
            self.act, Milter.ACCEPT
        )


if __name__ == "__main__":
    Milter.factory = Tiny
    Milter.set_flags(Milter.QUARANTINE)
    Milter.runmilter("tiny", sys.argv[1], 60)
