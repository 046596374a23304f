"""The programs' own log: plain lines on stderr, which systemd passes to the journal.

Text out of mail may stand in any line, so what is not printable is made visible before it is written.
"""

from __future__ import annotations

import logging
import sys
from types import TracebackType

from mailweir.plain import visible


class _Visible(logging.Formatter):
    """No control character, and so no second line or terminal command, comes out of a message."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = visible(record.message)
        return super().formatMessage(record)

    def formatException(
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        return "\n".join(visible(line) for line in super().formatException(ei).split("\n"))


def to_stderr(level: int = logging.INFO) -> None:
    """Write the log of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Visible("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
