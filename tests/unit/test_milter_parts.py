"""The smaller parts: policies that change, the socket, the replies, and the house rule on package names."""

from __future__ import annotations

import grp
import json
import os
import socket
from pathlib import Path

import pytest

from mailweir.config import Milter
from mailweir.errors import ConfigError
from mailweir.milter.listen import Listener
from mailweir.milter.message import Recipient, address_of
from mailweir.milter.snapshot import Snapshot
from mailweir.milter.split import can_be_named


def test_a_new_snapshot_is_read_and_a_broken_one_is_told_of_once(tmp_path: Path) -> None:
    told: list[str] = []
    path = tmp_path / "policies.json"
    snapshot = Snapshot(path, told.append)
    assert snapshot.current().is_ours("example.org") is None
    path.write_text(json.dumps({"domains": {"example.org": True}}))
    assert snapshot.current().is_ours("example.org") is True
    for broken in ("{", '{"scopes": [{"scope": "nonsense"}]}', "[]", "\udcff"):
        path.write_text(broken, "utf-8", "surrogateescape")
        assert [snapshot.current().is_ours("example.org") for _ in range(3)] == [True, True, True]
    assert len(told) == 4
    path.unlink()
    assert snapshot.current().is_ours("example.org") is True
    new = tmp_path / "new"
    new.write_text(json.dumps({"domains": {"example.org": False}}))
    new.rename(path)
    assert snapshot.current().is_ours("example.org") is False


def test_a_unix_socket_replaces_one_left_over_and_is_not_taken_from_another(tmp_path: Path) -> None:
    path = tmp_path / "milter.sock"
    group = grp.getgrgid(os.getgid()).gr_name
    settings = Milter(socket=f"unix:{path}", socket_mode="0600", socket_group=group)
    first = Listener(settings)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not first.socket.getblocking()
    second = Listener(settings)
    first.close()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_an_inet_socket_does_not_wait_for_acknowledgements() -> None:
    listener = Listener(Milter(socket="inet:0@127.0.0.1"))
    with socket.create_connection(listener.socket.getsockname()):
        listener.socket.setblocking(True)
        accepted, _ = listener.socket.accept()
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        accepted.close()
    listener.close()


@pytest.mark.parametrize(
    "setting",
    [
        "",
        "unix:",
        "/run/milter.sock",
        "inet:port@127.0.0.1",
        "unix:/nonexistent/x/milter.sock",
        "unix:/" + "x" * 200,
    ],
)
def test_a_socket_that_cannot_be_is_told_by_its_setting(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"milter\.socket"):
        Listener(Milter(socket=setting))


@pytest.mark.parametrize(
    ("path", "address", "named"),
    [
        ("<user@example.org>", "user@example.org", True),
        ("<us%er+ext@Example.ORG>", "us%er+ext@Example.ORG", True),
        ("<é@example.org>", "é@example.org", True),
        ("user@example.org", "user@example.org", False),
        ("<@relay.example:user@example.org>", "user@example.org", False),
        ("<@a,@b:user@example.org>", "user@example.org", False),
        ('<"a b"@example.org>', '"a b"@example.org', False),
        ("<user@[192.0.2.1]>", "user@[192.0.2.1]", False),
        ("<(comment)user@example.org>", "(comment)user@example.org", False),
        ("<user@example.org@other.example>", "user@example.org@other.example", False),
        ("<us\\er@example.org>", "us\\er@example.org", False),
        ("<\udcff@example.org>", "\udcff@example.org", False),
        ("<postmaster>", "postmaster", False),
        ("<>", "", False),
    ],
)
def test_only_addresses_that_read_one_way_are_split_off(path: str, address: str, named: bool) -> None:
    assert address_of(path) == address
    assert can_be_named(Recipient(path, address, "relay")) is named


def test_nothing_hides_the_c_module_called_milter() -> None:
    import Milter as pymilter
    import milter

    assert hasattr(milter, "set_exception_policy")
    assert pymilter.Base.__module__ == "Milter"
    assert not list(Path(__file__).parents[2].joinpath("milter").glob("__init__.py"))
