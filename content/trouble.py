"""What a format's module raises instead of a result; the walk turns each into the finding of its name."""

from __future__ import annotations


class Corrupt(Exception):
    """A file of a known format is damaged or cut off; the text says where."""


class Unsupported(Exception):
    """A container is recognised but cannot be opened; the text says why."""


class LimitExceeded(Exception):
    """A limit was reached; its text names the setting and its value.

    whole: nothing more of this message can be looked at (files, bytes, time), not just this one place.
    """

    def __init__(self, detail: str, *, whole: bool = False) -> None:
        super().__init__(detail)
        self.whole = whole
