"""A log that is open, plain or compressed, and read by the offset of its uncompressed bytes.

What is open stays the same file whatever rotation does to its name.
"""

from __future__ import annotations

import logging
import lzma
import os
import zlib

from mailweir.postlog.compressed import decompressed
from mailweir.postlog.position import FIRST_LINE, LAST, Position, hash_of_first_line, hash_of_last

log = logging.getLogger("mailweir.log")


class OpenedLog:
    """An open log, plain or compressed; offsets count uncompressed bytes."""

    def __init__(self, descriptor: int) -> None:
        """Takes the descriptor over. Raises OSError."""
        self._raw = os.fdopen(descriptor, "rb", buffering=0)
        self._stream = decompressed(self._raw)
        self.is_plain = self._stream is self._raw

    def status(self) -> os.stat_result:
        """Of the file itself."""
        return os.fstat(self._raw.fileno())

    def read(self, offset: int, size: int) -> bytes:
        """What is there; nothing where a compressed file is damaged. Raises OSError."""
        try:
            self._stream.seek(offset)
            return self._stream.read(size)
        except (EOFError, zlib.error, lzma.LZMAError) as error:
            log.warning("a compressed log is damaged after %d bytes, the rest is lost: %s", offset, error)
            return b""

    def holds(self, position: Position) -> bool:
        """Whether it is the file of that position."""
        if hash_of_first_line(self.read(0, FIRST_LINE)) not in (position.first, ""):
            return False
        start = max(0, position.offset - LAST)
        before = self.read(start, position.offset - start)
        return start + len(before) == position.offset and position.last in (hash_of_last(before), "")

    def close(self) -> None:
        """Let go of it."""
        self._stream.close()
        self._raw.close()
