"""The agent's door for passwords: who may come in, what comes back, and what is never written down."""

from __future__ import annotations

import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from mailweir.agent.unlock import Door, Unlocked, Wish, socket_path, unlock
from mailweir.config import Agent, Config
from mailweir.errors import InputError, Refused, Unavailable
from mailweir.records.models import Command
from mailweir.records.words import CommandState


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(state_dir=str(tmp_path), agent=Agent(unlock_timeout=5.0))


@pytest.fixture
def serving(config: Config) -> Iterator[Callable[[Callable[[Wish], list[Command]]], None]]:
    """Starts a loop like the agent's, which answers as the test says, two looks after it was asked."""
    door, stop = Door(config), threading.Event()
    threads = []

    def start(answer: Callable[[Wish], list[Command]]) -> None:
        begun: list[list[Command]] = []
        looks: Counter[int] = Counter()

        def begin(wish: Wish) -> list[int]:
            begun.append(answer(wish))
            return [len(begun) - 1]

        def ended(numbers: Sequence[int]) -> list[Command] | None:
            looks[numbers[0]] += 1
            return begun[numbers[0]] if looks[numbers[0]] > 2 else None

        def loop() -> None:
            while not stop.wait(0.01):
                door.serve(begin, ended)

        threads.append(threading.Thread(target=loop))
        threads[0].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join()
    door.close()


def test_the_answer_comes_back(
    config: Config, serving: Callable[[Callable[[Wish], list[Command]]], None]
) -> None:
    seen: list[Wish] = []

    def answer(wish: Wish) -> list[Command]:
        seen.append(wish)
        if wish.password == "refuse":
            raise Refused("no more")
        return [Command(queue_id="ABC", state=CommandState.DONE, result="released")]

    serving(answer)
    who = {"message_id": 5, "address": "ä@x.example", "user": "anna", "ip": "192.0.2.1"}
    assert unlock(config, password="geheim", **who) == [Unlocked("ABC", "done", "released")]  # type: ignore[arg-type]
    assert (seen[0].message_id, seen[0].address, seen[0].password) == (5, "ä@x.example", "geheim")
    assert "geheim" not in repr(seen[0])
    with pytest.raises(Refused, match="no more"):
        unlock(config, password="refuse", **who)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        unlock(config, password="", **who)  # type: ignore[arg-type]
    assert socket_path(config).stat().st_mode & 0o777 == 0o660


def test_nonsense_harms_nobody_and_no_password_is_logged(
    config: Config,
    serving: Callable[[Callable[[Wish], list[Command]]], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    serving(lambda wish: [])
    for line in (b"\n", b"[]\n", b'{"password": "geheim"}\n', b'{"message_id": "x", "password": "geheim"}\n'):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(socket_path(config)))
            connection.sendall(line)
            assert connection.recv(100) == b""
    assert unlock(config, message_id=1, address=None, password="p", user="u", ip="") == []
    assert "geheim" not in caplog.text
    assert "could not be taken" in caplog.text


def test_without_an_agent(config: Config) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        unlock(config, message_id=1, address=None, password="p", user="u", ip="")
