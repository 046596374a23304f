"""Talking to clamd: sessions and descriptors on a Unix socket, streams over TCP, fail-over, time-outs."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailweir.config import Clamd
from mailweir.content.clamd import Client, TooLarge
from mailweir.errors import ConfigError, Unavailable

VIRUS = b"a virus"


class FakeClamd:
    """Answers FILDES and INSTREAM; a scan `limit` closes the session after that many scans."""

    def __init__(self, family: int, address: object, *, limit: int = 1000, answer: bytes = b"") -> None:
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.bind(address)
        self.socket.listen()
        self.limit, self.answer = limit, answer
        self.connections = self.scans = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            for number in range(1, self.limit + 1):
                data, prefix = self._content(connection, number)
                if data is None:
                    return
                self.scans += 1
                verdict = b"Test.Virus FOUND" if VIRUS in data else b"OK"
                connection.sendall((self.answer or prefix + verdict) + b"\0")

    def _content(self, connection: socket.socket, number: int) -> tuple[bytes | None, bytes]:
        command = b""
        while not command.endswith((b"zFILDES\0", b"zINSTREAM\0")):
            byte = connection.recv(1)
            if not byte:
                return None, b""
            command += byte
        if command.endswith(b"zFILDES\0"):
            assert number > 1 or command.startswith(b"zIDSESSION\0")
            _, fds, _, _ = socket.recv_fds(connection, 1, 1)
            data = os.pread(fds[0], 1 << 20, 0)
            os.close(fds[0])
            return data, b"%d: fd[9]: " % number
        data = b""
        while size := struct.unpack("!L", connection.recv(4, socket.MSG_WAITALL))[0]:
            data += connection.recv(size, socket.MSG_WAITALL)
        return data, b"stream: "

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


def client(*servers: str, **settings: float) -> Client:
    return Client(Clamd(servers=list(servers), **settings))  # type: ignore[arg-type]


def test_unix_server_gets_descriptors_over_one_session(directory: Path) -> None:
    server = FakeClamd(socket.AF_UNIX, str(directory / "s"))
    scanner = client(f"unix:{directory}/s")
    assert [scanner.scan(data) for data in (b"x", VIRUS, b"y" * 300_000)] == ["", "Test.Virus", ""]
    assert (server.connections, server.scans) == (1, 3)
    scanner.close()
    server.close()


def test_an_ended_session_is_opened_again(directory: Path) -> None:
    server = FakeClamd(socket.AF_UNIX, str(directory / "s"), limit=1)
    scanner = client(f"unix:{directory}/s")
    assert [scanner.scan(VIRUS) for _ in range(3)] == ["Test.Virus"] * 3
    assert server.connections == 3
    server.close()


def test_tcp_server_gets_a_stream() -> None:
    server = FakeClamd(socket.AF_INET, ("127.0.0.1", 0))
    scanner = client(f"tcp:127.0.0.1:{server.socket.getsockname()[1]}")
    assert scanner.scan(b"x" * 700_000 + VIRUS) == "Test.Virus"
    assert scanner.scan(b"") == ""
    server.close()


def test_the_next_server_is_asked_when_one_fails(directory: Path) -> None:
    server = FakeClamd(socket.AF_UNIX, str(directory / "s"))
    scanner = client("tcp:127.0.0.1:1", f"unix:{directory}/missing", f"unix:{directory}/s")
    assert scanner.scan(VIRUS) == "Test.Virus"
    server.close()


def test_an_error_of_one_server_is_not_a_result(directory: Path) -> None:
    bad = FakeClamd(socket.AF_UNIX, str(directory / "bad"), answer=b"1: fd[9]: Can't allocate memory ERROR")
    good = FakeClamd(socket.AF_UNIX, str(directory / "good"))
    assert client(f"unix:{directory}/bad", f"unix:{directory}/good").scan(VIRUS) == "Test.Virus"
    with pytest.raises(Unavailable, match="allocate memory"):
        client(f"unix:{directory}/bad").scan(VIRUS)
    bad.close()
    good.close()


def test_no_server_says_which_and_why(directory: Path) -> None:
    with pytest.raises(Unavailable, match=f"unix:{directory}/missing: .*No such file"):
        client(f"unix:{directory}/missing").scan(b"x")


def test_a_silent_server_is_given_up(directory: Path) -> None:
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(str(directory / "s"))
    silent.listen()
    with pytest.raises(Unavailable, match="timed out"):
        client(f"unix:{directory}/s", timeout=0.1).scan(b"x")
    silent.close()


def test_the_servers_size_limit_is_told_apart(directory: Path) -> None:
    server = FakeClamd(socket.AF_INET, ("127.0.0.1", 0), answer=b"INSTREAM size limit exceeded. ERROR")
    with pytest.raises(TooLarge):
        client(f"tcp:127.0.0.1:{server.socket.getsockname()[1]}").scan(b"x" * 1000)
    server.close()


@pytest.mark.parametrize("address", ["/run/clamd", "unix:relative", "tcp:host", "http:host:80", "tcp::80"])
def test_a_malformed_address_is_a_configuration_error(address: str) -> None:
    with pytest.raises(ConfigError, match=r"clamd\.servers"):
        client(address)
