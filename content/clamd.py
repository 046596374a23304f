"""The virus scanner: python-clamd's connections, extended by what speed and fail-over ask for.

A local server gets the open file itself (FILDES) over a kept session (IDSESSION), which costs a third of
sending the bytes; a remote one gets a stream. See clamd(8).
"""

from __future__ import annotations

import array
import os
import re
import socket
import struct
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import clamd

from mailweir.config import Clamd as Settings
from mailweir.content.item import Buffer, to_fd
from mailweir.errors import ConfigError, Unavailable

_CHUNK = 1 << 18
_REST = 5.0  # seconds during which a server that failed is asked last
_REPLY = re.compile(r"(?:\d+: )?(?P<what>.*?): (?:(?P<name>.+) )?(?P<status>FOUND|OK|ERROR)\Z", re.S)
TOO_LARGE = "larger than clamd takes (StreamMaxLength)"


class TooLarge(Exception):
    """The server does not take streams of that size."""


class _Stream(clamd.ClamdNetworkSocket):
    """One scan over TCP by INSTREAM."""

    def __init__(self, host: str, port: int, settings: Settings) -> None:
        super().__init__(host, port, settings.timeout)
        self._connect_timeout = settings.connect_timeout

    def _init_socket(self) -> None:
        self.clamd_socket = socket.create_connection((self.host, self.port), self._connect_timeout)
        self.clamd_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.clamd_socket.settimeout(self.timeout)

    def scan(self, data: Buffer) -> str:
        """clamd's reply line."""
        self._init_socket()
        try:
            self.clamd_socket.sendall(b"zINSTREAM\0")
            with memoryview(data) as view:
                try:
                    for at in range(0, len(view), _CHUNK):
                        piece = view[at : at + _CHUNK]
                        self.clamd_socket.sendall(struct.pack("!L", len(piece)))
                        self.clamd_socket.sendall(piece)
                    self.clamd_socket.sendall(b"\0\0\0\0")
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it stops reading what is too large, and its reply says so
            return _line(self.clamd_socket)
        finally:
            self._close_socket()


class _Session(clamd.ClamdUnixSocket):
    """A kept session over a Unix socket, scanning by FILDES."""

    def __init__(self, path: str, settings: Settings) -> None:
        super().__init__(path, settings.timeout)
        self._connect_timeout = settings.connect_timeout
        self._session: socket.socket | None = None

    def _open(self) -> None:
        self._session = session = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        session.settimeout(self._connect_timeout)
        session.connect(self.unix_socket)
        session.settimeout(self.timeout)
        session.sendall(b"zIDSESSION\0")

    def scan(self, data: Buffer) -> str:
        """clamd's reply line. A session that the server ended meanwhile is opened again once."""
        fd = to_fd(data)
        try:
            if self._session:
                try:
                    return self._ask(fd)
                except (ConnectionError, BrokenPipeError):
                    self.close()
            self._open()
            return self._ask(fd)
        except BaseException:
            self.close()
            raise
        finally:
            os.close(fd)

    def _ask(self, fd: int) -> str:
        if self._session is None:
            raise ConnectionError("not connected")
        self._session.sendall(b"zFILDES\0")
        self._session.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
        return _line(self._session)

    def close(self) -> None:
        """End the session."""
        if self._session:
            self._session.close()
            self._session = None


def _line(sock: socket.socket) -> str:
    reply = b""
    while not reply.endswith(b"\0"):
        piece = sock.recv(4096)
        if not piece:
            break
        reply += piece
    if not reply:
        raise ConnectionError("closed the connection without a reply")
    return reply.rstrip(b"\0\n").decode("utf-8", "replace")


class _Server:
    """One configured server with its idle connections."""

    def __init__(self, address: str, make: Callable[[], Any]) -> None:
        self.address = address
        self.failed_at = float("-inf")
        self._make = make
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    def scan(self, data: Buffer) -> str:
        """A signature's name, or an empty string. Raises OSError, ClamdError and TooLarge."""
        with self._lock:
            connection = self._idle.pop() if self._idle else self._make()
        reply: str = connection.scan(data)
        with self._lock:
            self._idle.append(connection)
        match = _REPLY.match(reply)
        if "size limit exceeded" in reply:
            raise TooLarge(reply)
        if not match or match["status"] == "ERROR":
            raise clamd.ResponseError(reply)
        return match["name"] or ""

    def close(self) -> None:
        """Close idle sessions."""
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if isinstance(connection, _Session):
                    connection.close()


class Client:
    """All configured servers, asked in their order; safe for several threads."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._servers = [_Server(address, _maker(address, settings)) for address in settings.servers]

    def scan(self, data: Buffer) -> str:
        """The name of the signature that matched, or an empty string.

        Raises TooLarge, and Unavailable in words when no server answered.
        """
        now = self._clock()
        said = []
        for server in sorted(self._servers, key=lambda server: now - server.failed_at < _REST):
            try:
                name = server.scan(data)
            except (OSError, clamd.ClamdError) as error:
                server.failed_at = self._clock()
                said.append(f"{server.address}: {error}")
                continue
            server.failed_at = float("-inf")
            return name
        raise Unavailable("no virus scanner answers: " + ("; ".join(said) or "clamd.servers is empty"))

    def close(self) -> None:
        """Close all connections."""
        for server in self._servers:
            server.close()


def _maker(address: str, settings: Settings) -> Callable[[], Any]:
    scheme, _, rest = address.partition(":")
    if scheme == "unix" and rest.startswith("/"):
        return lambda: _Session(rest, settings)
    host, _, port = rest.rpartition(":")
    if scheme == "tcp" and host and port.isdigit():
        return lambda: _Stream(host.strip("[]"), int(port), settings)
    raise ConfigError(f"clamd.servers: {address!r} is neither unix:/PATH nor tcp:HOST:PORT")
