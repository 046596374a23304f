"""Finds the line whose rows the database refuses, so that one line never keeps out all those after it.

Without this a single contradiction (a key that is there already) would be met again at every attempt, and
the records would stand still for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mailweir.postlog.position import Chunk

MOST = 20  # lines left out of what is taken in at once; more than these are no single fault
_REFUSALS = {"IntegrityError", "DataError", "OverflowError"}  # sqlite3's, psycopg's, Python's own


def is_refusal(error: BaseException) -> bool:
    """Whether its cause is the rows rather than the database, so that it would come again."""
    return any(kind.__name__ in _REFUSALS for kind in type(error.__cause__).__mro__)


class Lines:
    """The lines of some chunks in the order in which they are taken in: journals first, then the log."""

    def __init__(self, journals: Mapping[str, Chunk], log: Chunk | None) -> None:
        self._chunks = {**journals, **({"": log} if log else {})}
        self._lines = [(name, line) for name, chunk in self._chunks.items() for line in chunk.lines]
        self.left_out: list[bytes] = []  # of the log

    def first(self, count: int | None = None) -> tuple[dict[str, Chunk], Chunk | None]:
        """The first lines as chunks with the positions of the whole ones; all without `count`."""
        data: dict[str, list[bytes]] = {name: [] for name in self._chunks}
        for name, line in self._lines[:count]:
            data[name].append(line + b"\n")
        chunks = {name: Chunk(b"".join(data[name]), chunk.position) for name, chunk in self._chunks.items()}
        log = chunks.pop("", None)
        return chunks, log

    def leave_out(self, is_refused: Callable[[dict[str, Chunk], Chunk | None], bool]) -> bytes:
        """Drop the line that the shortest refused beginning ends with, and return it."""
        low, high = 0, len(self._lines)  # the first `low` are taken, the first `high` are not
        while high - low > 1:
            middle = (low + high) // 2
            if is_refused(*self.first(middle)):
                high = middle
            else:
                low = middle
        name, line = self._lines.pop(high - 1)
        if not name:
            self.left_out.append(line)
        return line
