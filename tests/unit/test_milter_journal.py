"""The journal holds whole lines only, and holds them before `append` returns."""

from __future__ import annotations

import json
import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailweir.milter import journal as journal_module
from mailweir.milter.journal import Journal
from trial.waiting import wait_for


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def opened(tmp_path: Path, warnings: list[str]) -> Iterator[list[Journal]]:
    journals: list[Journal] = []
    yield journals
    for one in journals:
        one.close()


def make(opened: list[Journal], directory: Path, **settings: Any) -> Journal:
    values = {"rotate_above": 1 << 20, "slow_after": 0.05, "warn": lambda text: None, **settings}
    opened.append(Journal(directory, 7, **values))
    return opened[-1]


def lines(directory: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted(directory.glob("*.journal"))
        for line in path.read_bytes().splitlines()
    ]


def test_a_line_is_synced_before_append_returns(
    opened: list[Journal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = make(opened, tmp_path)
    synced: list[bytes] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(journal.path.read_bytes()))
    journal.append({"id": 1, "subject": "Grüße \udcff\n"})
    assert synced == [b'{"id":1,"subject":"Gr\\u00fc\\u00dfe \\udcff\\n"}\n']
    assert synced[0] == journal.path.read_bytes()


def test_lines_that_come_together_are_synced_together(
    opened: list[Journal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = make(opened, tmp_path)
    gate, syncs = threading.Event(), []
    real = os.fdatasync

    def slow(fd: int) -> None:
        syncs.append(fd)
        gate.wait(5)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    threads = [threading.Thread(target=journal.append, args=({"id": number},)) for number in range(20)]
    threads[0].start()
    wait_for(lambda: syncs, "the first sync")
    for thread in threads[1:]:
        thread.start()
    wait_for(lambda: len(journal._waiting) == 19, "the others to queue")
    gate.set()
    for thread in threads:
        thread.join(5)
    assert len(syncs) == 2
    assert sorted(line["id"] for line in lines(tmp_path)) == list(range(20))


@pytest.mark.parametrize("torn", [b'{"id":3,"subj', b"{", b'{"id":3}' + b" " * 200_000])
def test_a_torn_last_line_is_cut_off(opened: list[Journal], tmp_path: Path, torn: bytes) -> None:
    (tmp_path / "07.journal").write_bytes(b'{"id":1}\n{"id":2}\n' + torn)
    journal = make(opened, tmp_path)
    assert journal.last_id() == 2
    journal.append({"id": 4})
    assert [line["id"] for line in lines(tmp_path)] == [1, 2, 4]


def test_a_file_of_one_torn_line_becomes_empty(opened: list[Journal], tmp_path: Path) -> None:
    (tmp_path / "07.journal").write_bytes(b'{"id":1')
    assert make(opened, tmp_path).last_id() == 0
    assert lines(tmp_path) == []


def test_a_large_file_is_renamed_and_nothing_is_lost(opened: list[Journal], tmp_path: Path) -> None:
    journal = make(opened, tmp_path, rotate_above=100, clock=lambda: 1.0)  # a clock that stands
    inode = journal.path.stat().st_ino
    for number in range(30):
        journal.append({"id": number, "text": "x" * 30})
    wait_for(lambda: (tmp_path / "07-1000.journal").exists(), "the rotation")
    assert (tmp_path / "07-1000.journal").stat().st_ino == inode
    journal.close()  # its thread renames after the append is answered; closed, the names stand
    opened.clear()
    assert sorted(line["id"] for line in lines(tmp_path)) == list(range(30))
    assert len(list(tmp_path.glob("07-*.journal"))) > 5
    assert make(opened, tmp_path).last_id() == 29


def test_a_rotation_that_fails_goes_on_with_the_same_file(
    opened: list[Journal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    journal = make(opened, tmp_path, rotate_above=10, warn=warnings.append)

    def refuse(directory: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal_module, "_sync_directory", refuse)
    for number in range(5):
        journal.append({"id": number, "text": "xxxx"})
    wait_for(lambda: warnings, "the warning")
    assert "No space left on device" in warnings[0]
    assert sorted(line["id"] for line in lines(tmp_path)) == list(range(5))


@pytest.fixture
def small_files() -> Iterator[int]:
    """No file of this process may grow beyond this many bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield 1000
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_an_error_and_leaves_whole_lines(
    opened: list[Journal], tmp_path: Path, small_files: int
) -> None:
    journal = make(opened, tmp_path)
    for number in range(9):
        journal.append({"id": number, "text": "x" * 75})
    with pytest.raises(OSError, match="File too large"):
        journal.append({"id": 9, "text": "x" * 300})
    journal.append({"id": 10})  # a shorter one still fits
    assert [line["id"] for line in lines(tmp_path)] == [*range(9), 10]
    assert journal.path.read_bytes().endswith(b"}\n")


def test_a_slow_message_is_noted_and_a_quick_one_is_not(opened: list[Journal], tmp_path: Path) -> None:
    journal = make(opened, tmp_path)
    with journal.noted_when_slow(1, lambda: {"id": 1, "event": "filtering"}):
        pass
    with journal.noted_when_slow(2, lambda: {"id": 2, "event": "filtering"}):
        wait_for(lambda: lines(tmp_path), "the note")
    journal.append({"id": 2, "event": "message"})
    assert [(line["id"], line["event"]) for line in lines(tmp_path)] == [(2, "filtering"), (2, "message")]


def test_after_closing_nothing_is_promised(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 7, rotate_above=1 << 20, slow_after=1.0, warn=print)
    journal.close()
    with pytest.raises(OSError, match="closed"):
        journal.append({"id": 1})
