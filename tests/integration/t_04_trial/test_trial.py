"""The newcomer's first command does what it says, once, twice, and on a machine that is in the way."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from trial import places
from trial.ports import is_free
from trial.postfix import reachable
from trial.processes import Process
from trial.samples import SAMPLES

EXAMPLE = places.CHECKOUT / "postfix-example"


def trial(program: str, *arguments: str | Path, code: int = 0) -> str:
    done = subprocess.run(
        [EXAMPLE / program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def test_run_then_check_then_stop(state: Path) -> None:
    """The second run ends the first one, and stops all it started, as --check tells it to."""
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_free(places.PREFERRED.web):
            stranger.bind(("127.0.0.1", places.PREFERRED.web))
            stranger.listen()
        said = trial("run", "--state", state)
    assert f"{len(SAMPLES)} of {len(SAMPLES)} samples are as expected" in said
    assert f"Port {places.PREFERRED.web}, meant for the pages, is used by another program" in said
    (page,) = re.findall(r"^Pages: +(\S+)", said, re.MULTILINE)
    with urllib.request.urlopen(page) as answer:
        assert b"Mailweir" in answer.read()
    first = running(state)
    assert len(first) == 6

    said = trial("run", "--check", "--state", state)
    assert f"{len(SAMPLES)} of {len(SAMPLES)} samples are as expected" in said
    assert not any(process.alive for process in first)
    assert running(state) == []
    assert "nothing was running" in trial("stop", "--state", state)


def running(state: Path) -> list[Process]:
    return [Process(**one) for one in json.loads((state / "run" / "processes.json").read_text())]


def test_a_directory_that_postfix_cannot_reach_is_replaced_and_said_so(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    said: list[str] = []
    assert places.choose_state(tmp_path / "closed" / "var", said.append) == places.ELSEWHERE
    assert "is closed to other users" in said[0]
    assert "too long" in reachable(Path("/var/tmp", "x" * 100))


def test_other_peoples_files_are_left_alone(state: Path) -> None:
    (state / "precious").touch()
    assert "was not made by the trial" in trial("run", "--state", state, code=2)
    assert (state / "precious").exists()


def test_without_root_it_says_what_to_type(state: Path) -> None:
    done = subprocess.run(
        ["sh", EXAMPLE / "run", "--check"], user=65534, group=65534, capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 77
    assert f"sudo {EXAMPLE / 'run'} --check" in done.stderr


@pytest.mark.parametrize("name", ["run", "stop"])
def test_the_commands_are_executable(name: str) -> None:
    assert os.access(EXAMPLE / name, os.X_OK)
