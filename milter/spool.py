"""Holds one message's bytes while it is in hand: in memory while it is small, then in a file without a name.

The file is unlinked from the start, so that a killed worker leaves nothing behind on the disk.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import BinaryIO, cast


class Spool:
    """Bytes that are written once and then read, perhaps several times."""

    def __init__(self, directory: Path, above: int) -> None:
        """More than `above` bytes go to a file in the directory."""
        self.size = 0
        self._directory = directory
        self._above = above
        self._memory = io.BytesIO()
        self._file: BinaryIO = self._memory

    def write(self, data: bytes) -> None:
        """Add to the end. Raises OSError when the disk is full."""
        if self._file is self._memory and self.size + len(data) > self._above:
            self._file = cast(BinaryIO, tempfile.TemporaryFile(dir=self._directory))  # noqa: SIM115
            self._file.write(self._memory.getbuffer())
            self._memory = io.BytesIO()
        self._file.write(data)
        self.size += len(data)

    def reader(self) -> BinaryIO:
        """All that was written, from the start. Raises OSError when the disk is full."""
        self._file.flush()
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Give memory or disk space back; harmless when done twice, or with the disk full."""
        with contextlib.suppress(OSError):
            self._file.close()
