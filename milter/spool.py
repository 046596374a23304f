"""Holds one message's bytes while it is in hand: in memory while it is small, then in a file without a name.

The file is unlinked from the start, so that a killed worker leaves nothing behind on the disk.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
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

    def chunks(self, start: int, size: int) -> Iterator[bytes]:
        """What stands from that offset on, in pieces of that size.

        It minds no file position: clamd, which was handed the same open file, may have moved that.
        """
        if self._file is self._memory:
            view = self._memory.getvalue()
            yield from (view[place : place + size] for place in range(start, self.size, size))
            return
        self._file.flush()
        while chunk := os.pread(self._file.fileno(), size, start):
            yield chunk
            start += len(chunk)

    def close(self) -> None:
        """Give memory or disk space back; harmless when done twice, or with the disk full."""
        with contextlib.suppress(OSError):
            self._file.close()
