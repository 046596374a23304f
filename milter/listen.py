"""The socket on which Postfix reaches the workers, made once by the parent and shared by all of them.

It must not block: several workers wait for the same connection, and those that come too late would hang in
accept() and not stop.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from pathlib import Path

from mailweir.config import Milter
from mailweir.errors import ConfigError

BACKLOG = 512  # connections that Postfix may have waiting


class Listener:
    """A listening socket, and its name in the file system where it has one."""

    def __init__(self, settings: Milter) -> None:
        """Listen on milter.socket. Raises ConfigError."""
        kind, _, where = settings.socket.partition(":")
        self._path: Path | None = None
        try:
            if kind == "unix" and where:
                self._path = Path(where)
                self.socket = _unix(self._path, settings)
                self._inode = self._path.stat().st_ino
            elif kind in ("inet", "inet6") and where:
                self.socket = _inet(where)
            else:
                raise ConfigError(
                    f"milter.socket must be unix:PATH or inet:PORT@HOST, not {settings.socket!r}"
                )
        except (OSError, ValueError, LookupError) as error:
            raise ConfigError(f"milter.socket {settings.socket}: {error}") from error
        self.socket.setblocking(False)

    def close(self) -> None:
        """Remove the name too, unless another process has put its own socket there by now."""
        with contextlib.suppress(OSError):
            if self._path and self._path.stat().st_ino == self._inode:
                self._path.unlink()
        self.socket.close()


def _unix(path: Path, settings: Milter) -> socket.socket:
    """Bound under a temporary name that gets the path's place when it is ready.

    So it replaces a socket left over, and Postfix never meets one that it may not use.
    """
    listener = socket.socket(socket.AF_UNIX)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        listener.bind(os.fspath(temporary))
        if settings.socket_group:
            shutil.chown(temporary, group=settings.socket_group)
        temporary.chmod(int(settings.socket_mode, 8))
        listener.listen(BACKLOG)
        temporary.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        listener.close()
        raise
    return listener


def _inet(where: str) -> socket.socket:
    port, _, host = where.partition("@")
    family, kind, protocol, _, address = socket.getaddrinfo(
        host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it; without it each message waits 40 ms for a delayed ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
