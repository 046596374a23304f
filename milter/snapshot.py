"""The policies as the agent last published them, read again whenever the file changes.

What cannot be read is logged once and the last good policies stay in force: a bad file never stops mail.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

from mailweir.policies.scopes import PolicySet


class Snapshot:
    """Gives the policies in force; asking costs one stat()."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._reading = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._policies = PolicySet.default()
        self.current()

    def current(self) -> PolicySet:
        """The policies to decide by now."""
        try:
            status = self._path.stat()
        except OSError as error:
            if self._seen is not None and not isinstance(error, FileNotFoundError):
                self._warn(f"policies {self._path}: {error}; the last ones stay in force")
                self._seen = None
            return self._policies
        identity = (status.st_ino, status.st_mtime_ns, status.st_size)
        # Only one thread reads; the others decide by the policies they have.
        if identity != self._seen and self._reading.acquire(blocking=False):
            try:
                self._read()
                self._seen = identity
            finally:
                self._reading.release()
        return self._policies

    def _read(self) -> None:
        try:
            self._policies = PolicySet.from_json(json.loads(self._path.read_text("utf-8")))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, mail goes on
            self._warn(f"policies {self._path} cannot be used, the last good ones stay in force: {error}")
